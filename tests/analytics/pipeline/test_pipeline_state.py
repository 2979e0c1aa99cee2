"""The pipeline's state over time: late windows, steps, restarts, upgrades, who is judged at all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.events import Arrival
from analytics.pipeline import pipeline as pipeline_module
from analytics.pipeline.pipeline import Pipeline
from analytics.scoring import floor as floor_module
from analytics.state.snapshot import pack, unpack
from analytics.store.points import Measurement
from sensors.errors import StateError
from sensors.messages import (
    Absence,
    RequestKind,
)
from sensors.signals import Channel
from tests.analytics.pipeline_floors import floor, one_strained, request
from tests.analytics.synthetic_floor import (
    CALM_S,
    SITE,
    Floor,
    Person,
    strained_after,
    teams,
)


def test_late_windows_are_kept_and_raise_nothing() -> None:
    f = one_strained()
    f.run(CALM_S)
    for _ in range(100):
        f.t_s += 5.0
        late = [
            Arrival(a.position, a.received_at + timedelta(seconds=60), a.agent, a.message)
            for a in f.windows()
        ]
        f.feed(late)
    assert f.alerts == {}
    scores = f.of(Measurement.SCORE)
    assert len(scores) == len(f.of(Measurement.READING)) == 6 * (120 + 100)
    assert sum(bool(p.fields["late"]) for p in scores) == 600


def test_backlog_behind_live_windows_is_stored_without_a_judgement() -> None:
    f = floor(1)
    f.run(CALM_S)
    old = replace(f.people[0].window(300.0), run="run00000", seq=1)
    before = f.pipeline._floor.columns["scored_s"].copy()
    out = f.say("k0", old)
    (score,) = [p for p in out.points if p.measurement is Measurement.SCORE]
    assert score.fields["state"] == "no_data"
    assert score.fields["late"] is True
    assert "evidence" not in score.fields
    assert (f.pipeline._floor.columns["scored_s"] == before).all()


def test_how_arrivals_fall_into_steps_does_not_change_a_score() -> None:
    def scores(batch: int) -> list[tuple[object, ...]]:
        f = one_strained()
        arrivals = []
        for _ in range(150):
            f.t_s += 5.0
            arrivals.extend(f.windows())
        for i in range(0, len(arrivals), batch):
            chunk = arrivals[i : i + batch]
            f.feed(reversed(chunk) if batch > 6 else chunk)
        return sorted(
            (p.tags["agent"], p.time_ns, p.fields.get("evidence")) for p in f.of(Measurement.SCORE)
        )

    one_by_one, by_window, in_lumps = scores(1), scores(6), scores(33)
    assert one_by_one == by_window == in_lumps


def test_same_arrivals_give_the_same_outputs_and_state_across_a_restart() -> None:
    one, two = one_strained(), one_strained()
    one.run(CALM_S + 200)
    two.run(CALM_S + 40)
    request(one, "k1", RequestKind.HELP_NOW)
    for f in (two,):
        kept = f.pipeline.snapshot()
        f.pipeline = Pipeline(SITE, teams(6))
        f.pipeline.restore(kept)
        assert f.pipeline.snapshot() == kept
    two.run(160)
    request(two, "k1", RequestKind.HELP_NOW)
    assert one.points == two.points
    assert one.alerts == two.alerts
    assert one.notices == two.notices
    assert one.pipeline.snapshot() == two.pipeline.snapshot()


def test_snapshot_of_another_site_is_refused() -> None:
    kept = Pipeline(SITE, teams(1)).snapshot()
    with pytest.raises(StateError, match="snapshot is of site north, this is south"):
        Pipeline("south", teams(1)).restore(kept)


def test_states_of_a_person() -> None:
    def absent(t: float) -> dict[Channel, Absence]:
        reason = {3: Absence.WITHHELD, 4: Absence.DISCONNECTED, 5: Absence.NOT_WORN}
        at = reason.get(int((t - 1) // 600))
        return dict.fromkeys((Channel.HEART, Channel.KEYBOARD, Channel.MODULES), at) if at else {}

    f = floor(1, {0: Person("k0", absent=absent)})
    f.run(600 * 6)
    states = [str(p.fields["state"]) for p in f.of(Measurement.SCORE)]
    at = {minutes: states[minutes * 12 - 1] for minutes in (2, 25, 38, 48, 58)}
    assert at == {2: "learning", 25: "as_usual", 38: "no_data", 48: "fault", 58: "no_data"}
    withheld = f.of(Measurement.SCORE)[38 * 12 - 1].fields
    assert withheld["absent_heart"] == "withheld"
    assert not {"score", "evidence", "strain_index", "level_heart"} & set(withheld)


@pytest.mark.parametrize("moment_s", [5, 30, 60, 120])
def test_whoever_gives_data_is_learning_from_the_first_window_on(moment_s: float) -> None:
    broken = {Channel.KEYBOARD: Absence.DISCONNECTED}
    people = [Person("k0"), Person("k1", absent=lambda _: broken)]
    f = floor(2, dict(enumerate(people)))
    f.run(moment_s)
    assert [p.fields["state"] for p in f.of(Measurement.SCORE)[-2:]] == ["learning"] * 2


def test_outside_the_shift_nobody_is_alerted() -> None:
    shifts = [{"days": ["mon"], "start": "09:00", "end": "09:10"}]
    people = [Person(f"k{i}", strained_after(CALM_S)) for i in range(2)]
    f = Floor(people, Pipeline(SITE, teams(2, shifts=shifts)))
    f.run(CALM_S + 400)
    assert f.alerts == {}


def test_agent_without_a_team_is_stored_and_alerts_nobody() -> None:
    f = Floor([Person("stray", strained_after(CALM_S))], Pipeline(SITE, teams(2)))
    f.run(CALM_S + 300)
    request(f, "stray", RequestKind.HELP_NOW)
    assert f.alerts == {}
    assert f.of(Measurement.DECISION)[0].fields["effect"] == "no_team"
    assert "team" not in f.of(Measurement.SCORE)[-1].fields


def test_after_an_upgrade_alerts_stay_and_scoring_learns_afresh(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    f = one_strained()
    assert f.run(CALM_S + 300, until=lambda: bool(f.open()))
    monkeypatch.setattr(floor_module, "SCORING_VERSION", "of tomorrow")
    monkeypatch.setattr(pipeline_module, "SCORING_VERSION", "of tomorrow")
    kept, before = f.pipeline.snapshot(), f.open()
    monkeypatch.setattr(floor_module, "SCORING_VERSION", "of the day after")
    f.pipeline = Pipeline(SITE, teams(6))
    f.pipeline.restore(kept)
    assert f.open() == before
    f.run(60)
    assert {p.fields["state"] for p in f.of(Measurement.SCORE)[-6:]} <= {"learning", "no_data"}


def test_the_scoring_version_tells_which_arrays_a_snapshot_holds() -> None:
    arrays, values = unpack(Pipeline(SITE, teams(1)).snapshot())
    scoring = {name.partition(".") for name in arrays}
    names = {name for of, _, name in scoring if of in {"windows", "detector", "episodes"}}
    assert "skin_s" in names
    assert names <= set(values["scoring"].split("|"))


def test_snapshot_of_another_build_is_one_line() -> None:
    arrays, values = unpack(Pipeline(SITE, teams(1)).snapshot())
    del values["budget"]
    with pytest.raises(StateError, match="another build"):
        Pipeline(SITE, teams(1)).restore(pack(arrays, values))
