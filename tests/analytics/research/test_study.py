"""What a study gives: of whom, of when, by whose clock, and nothing else."""

import warnings
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from analytics.hrv import rmssd
from analytics.research.catalogue import LOOK_BACK, VARIABLES, Cover, Kind
from analytics.research.table import COLUMNS
from analytics.store.opening import open_store
from analytics.store.points import Database, Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors.errors import ConfigurationError
from tests.analytics.research.conftest import (
    AGENTS,
    BEGIN,
    CONSENTED,
    DAY,
    FORMS,
    LATER_AT,
    MUMBAI,
    STUDY,
    end_of,
    form,
    hr_of,
    offset_of,
    points_of,
    rr_of,
)


def names(study, *agents):
    return {study.names.of(agent): agent for agent in agents or AGENTS}


def test_every_value_of_those_who_consented_and_of_nobody_else(make, store):
    study = make(store=store)
    frame = study.frame("hr_bpm")
    assert list(frame.columns) == list(COLUMNS)
    agents = names(study)
    assert {agents[a] for a in frame["agent"].unique()} == {*CONSENTED, "later"}
    for name, own in frame.groupby("agent"):
        agent = agents[name]
        first = 420 if agent == "later" else 0
        windows = range(first, 540)
        assert own["value"].tolist() == pytest.approx([hr_of(agent, w) for w in windows])
        at = [end_of(w) for w in windows]
        assert own["at"].tolist() == at
        local = [(a + timedelta(minutes=offset_of(agent))).replace(tzinfo=None) for a in at]
        assert own["local_at"].tolist() == local
        assert own["quality"].tolist() == [0.5 if w % 2 else 1.0 for w in windows]
        assert own["context"].tolist() == ["on_call" if w < 360 else "wrap_up" for w in windows]
        assert set(own["n"]) == {1}


def test_every_answer_is_the_same_from_every_store(make, store):
    here, file = make(store=store), make()
    for ask in (
        lambda s: s.signals(),
        lambda s: s.agents(),
        lambda s: s.gaps("hr_bpm"),
        lambda s: s.absences(),
        lambda s: s.events(),
        lambda s: s.group_means("hr_bpm", every="30min"),
        lambda s: s.frame(["rmssd_ms", "log_rmssd_5min", "demanding"], every="5min"),
    ):
        pd.testing.assert_frame_equal(ask(here), ask(file))
    assert not here.group_means("hr_bpm", every="30min").empty


def test_nothing_from_before_the_signature_unless_the_form_covers_it(make):
    study = make()
    later = [n for n, a in names(study).items() if a == "later"]
    assert study.frame("hr_bpm", agents=later)["at"].min() >= LATER_AT + LOOK_BACK
    covered = make(
        STUDY + form("later", at=LATER_AT.isoformat(), covers_from=DAY.isoformat()), "covered"
    )
    assert covered.frame("hr_bpm")["at"].min() == end_of(0)


def test_a_form_may_cover_less_than_the_study(make):
    study = make(STUDY + form("k1", covers='["self_report"]') + form("k2"))
    assert set(study.frame("hr_bpm")["agent"]) == set(names(study, "k2"))
    assert set(study.frame("demanding")["agent"]) == set(names(study, "k1", "k2"))
    assert set(study.frame(["hr_bpm", "demanding"])["agent"]) == set(names(study, "k1", "k2"))
    assert set(study.events()["agent"]) == set(names(study, "k2"))
    two = study.agents().set_index("agent")["hours_heart"]
    assert sorted(two) == pytest.approx([0, 540 * 5 / 3600])


def test_what_a_form_does_not_cover_is_not_even_read(make, monkeypatch):
    study = make(STUDY + form("k1", covers='["self_report"]') + form("k2"))
    asked = []
    read = study.store.read
    monkeypatch.setattr(study.store, "read", lambda query: asked.append(query) or read(query))
    study.frame(["hr_bpm", "rmssd_ms", "demanding"])
    study.agents()
    own = [query for query in asked if query.agents == ("k1",)]
    assert own
    assert not any({"hr_bpm", "rr_ms", "quality_heart"} & set(query.fields) for query in own)
    assert all(len(query.agents) == 1 for query in asked)


def test_whoever_withdrew_is_gone_from_everything(make):
    before = make(STUDY + form("k1") + form("k2"))
    (gone,) = names(before, "k1")
    assert gone in set(before.frame("hr_bpm")["agent"])
    after = make(STUDY + form("k1", withdrawn_at=LATER_AT.isoformat()) + form("k2"))
    for frame in (after.frame(["hr_bpm", "rr_ms", "demanding"]), after.events(), after.agents(),
                  after.gaps("hr_bpm")):  # fmt: skip
        assert gone not in set(frame["agent"])
    with pytest.raises(ConfigurationError, match="nobody in study small is called"):
        after.frame("hr_bpm", agents=[gone])


@pytest.mark.parametrize("name", [n for n, v in VARIABLES.items() if v.cover not in
                                  {Cover.HEART, Cover.SELF_REPORT, Cover.ALERTS}])  # fmt: skip
def test_a_signal_that_the_study_does_not_cover_is_refused(study, name):
    with pytest.raises(ConfigurationError, match="does not cover"):
        study.frame(name)


def test_the_hour_after_lunch_is_everybodys_own(study):
    # 11:30 to 12 in Berlin is 10:30 to 11 in UTC; in Mumbai that is 16 to 16:30.
    frame = study.frame("hr_bpm", hours="11:30-12")
    mumbai = set(names(study, "k2"))
    assert set(frame["agent"]) == set(names(study, *CONSENTED, "later")) - mumbai
    assert set(study.frame("hr_bpm", hours="16-16:15")["agent"]) == mumbai
    local = frame["local_at"].dt.hour + frame["local_at"].dt.minute / 60
    assert local.between(11.5, 12, inclusive="left").all()
    night = study.frame("hr_bpm", hours=(16.25, 15.5))
    assert set(night["agent"]) >= mumbai  # past midnight and round to half past three
    assert (MUMBAI / 60 + 10) % 24 == 15.5


def test_local_time_and_quality_outlive_the_readings(make, tmp_path):
    store = open_store(StoreSettings(path=str(tmp_path / "old.sqlite")))
    kept = [p for p in points_of("k2") if p.measurement.database is Database.DERIVED]
    store.write(kept)
    frame = make(STUDY + form("k2"), store=store).frame("log_rmssd_5min", hours="15:30-16")
    assert (
        len(frame) == 360 - 1
    )  # the window that ends at half past three and the half hour after it
    assert (frame["local_at"] - frame["at"].dt.tz_localize(None)).unique() == [
        pd.Timedelta(minutes=330)
    ]
    assert set(frame["quality"]) == {0.75}
    assert set(frame["context"]) == {"on_call"}


def test_means_on_a_grid(study):
    frame = study.frame(["hr_bpm", "demanding"], every="10min")
    (k1,) = names(study, "k1")
    own = frame[(frame["agent"] == k1) & (frame["signal"] == "hr_bpm")].reset_index()
    at = np.array([end_of(w) for w in range(540)])
    values = pd.DataFrame({"at": at, "v": [hr_of("k1", w) for w in range(540)]})
    expected = values.groupby(values["at"].dt.floor("10min"))["v"].agg(["mean", "size"])
    assert own["at"].tolist() == expected.index.tolist()
    assert own["value"].tolist() == pytest.approx(expected["mean"].tolist())
    assert own["n"].tolist() == expected["size"].tolist()
    assert own["quality"].iloc[0] == pytest.approx(0.75, abs=0.01)
    assert own["context"].iloc[0] == "on_call"
    assert own["context"].iloc[4] == "wrap_up"
    asked = frame[(frame["agent"] == k1) & (frame["signal"] == "demanding")]
    assert asked["value"].tolist() == [7.0]
    assert asked["quality"].isna().all()


def test_hours_are_cut_before_means_are_taken(study):
    (k2,) = names(study, "k2")  # in Mumbai half past is a whole hour of UTC
    asked = {"signals": ["hr_bpm", "rr_ms"], "hours": "15:30-15:40", "agents": [k2]}
    every = study.frame(**asked)
    by_day = study.frame(**asked, every="1d").set_index("signal")
    for signal in ("hr_bpm", "rr_ms"):
        own = every[every["signal"] == signal]["value"]
        assert by_day.loc[signal, "n"] == len(own) > 100
        assert by_day.loc[signal, "value"] == pytest.approx(own.mean())
    cut = study.frame("rmssd_ms", hours="15:32-15:40", every="10min", agents=[k2])
    assert cut["n"].tolist() == pytest.approx([480], abs=6)
    assert cut["quality"].tolist() == pytest.approx([0.8], abs=0.01)


def test_figures_of_beats_are_those_of_analytics_hrv(study):
    frame = study.frame(["rmssd_ms", "mean_rr_ms"], every="5min")
    (k1,) = names(study, "k1")
    own = frame[(frame["agent"] == k1) & (frame["signal"] == "rmssd_ms")]
    beats = study.frame("rr_ms", agents=[k1])
    assert beats["value"].tolist() == pytest.approx([r for w in range(120) for r in rr_of("k1", w)])
    first = beats[beats["at"] < BEGIN + timedelta(minutes=5)]["value"]
    assert own["at"].iloc[0] == BEGIN
    assert own["value"].iloc[0] == pytest.approx(rmssd(first.to_numpy()), rel=0.02)
    assert own["n"].iloc[0] == pytest.approx(len(first), abs=3)
    assert own["quality"].iloc[0] > 0.97
    mean = frame[(frame["agent"] == k1) & (frame["signal"] == "mean_rr_ms")]["value"]
    assert mean.iloc[0] == pytest.approx(first.mean(), rel=0.01)
    assert study.frame("rmssd_ms").equals(study.frame("rmssd_ms", every="5min"))


def test_the_same_frame_for_pandas_polars_and_arrow(study):
    asked = {"signals": ["hr_bpm", "demanding"], "every": "15min"}
    pandas = study.frame(**asked)
    for kind in ("polars", "arrow"):
        other = study.frame(**asked, frame=kind)
        assert (other.columns if kind == "polars" else other.column_names) == list(pandas.columns)
        as_pandas = other.to_pandas()
        assert as_pandas["value"].tolist() == pandas["value"].tolist()
        assert as_pandas["at"].tolist() == pandas["at"].tolist()
        assert as_pandas["context"].isna().tolist() == pandas["context"].isna().tolist()
    with pytest.raises(ConfigurationError, match="expected pandas, polars or arrow"):
        study.frame("hr_bpm", frame="excel")


def test_events_without_names_notes_or_private_requests(study):
    events = study.events()
    (k1,) = names(study, "k1")
    own = events[events["agent"] == k1]
    assert own["event"].tolist()[:3] == ["fire", "take", "resolve"]
    assert sorted(own["event"].tolist()[3:]) == ["did_it_help", "talk"]
    assert len(set(own["alert"])) == 1
    assert own.loc[own["event"] == "did_it_help", "answer"].tolist() == ["yes"]
    local = (BEGIN + timedelta(minutes=25 + offset_of("k1"))).replace(tzinfo=None)
    assert own["local_at"].iloc[0].floor("s") == pd.Timestamp(local)
    everything = events.to_csv()
    for secret in ("ana", "secret words", "alertk1", "k1,", "viewed_person", "erase"):
        assert secret not in everything
    assert study.events(start=BEGIN + timedelta(minutes=30)).iloc[0]["event"] == "take"


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_values_around_events(study, kind):
    events = study.events(frame=kind)
    fired = (events[events["event"] == "fire"] if kind == "pandas"
             else events.filter(events["event"] == "fire"))  # fmt: skip
    around = study.around(fired, "hr_bpm", before="1min", after="2min")
    (k1,) = names(study, "k1")
    own = around[around["agent"] == k1]
    assert own["offset_s"].min() >= -60
    assert own["offset_s"].max() < 120
    assert len(own) == 36
    assert own["value"].iloc[0] == pytest.approx(hr_of("k1", 25 * 12 - 12 - 1), abs=0.02)
    assert around["event_id"].nunique() == len(CONSENTED)  # "later" signed after the alert
    assert len(study.around(fired[:0], "hr_bpm")) == 0


def test_gaps_have_no_cause(make, tmp_path):
    tags = {"site": "north", "agent": "k1"}
    store = open_store(StoreSettings(path=str(tmp_path / "gaps.sqlite")))
    kept = [w for w in range(540) if not 100 <= w < 300]
    store.write([
        Point(Measurement.READING, {**tags, "source": "pc"}, {"hr_bpm": 60.0, "quality_heart": 1.0},
              epoch_ns(end_of(w))) for w in kept
    ])  # fmt: skip
    study = make(STUDY + form("k1"), store=store)
    gaps = study.gaps("hr_bpm", longer_than="5min")
    (gap,) = gaps.to_dict("records")
    assert gap.keys() == {"agent", "signal", "start", "end"}
    assert abs(gap["start"] - end_of(99).replace(tzinfo=None)) < timedelta(seconds=61)
    assert abs(gap["end"] - end_of(300).replace(tzinfo=None)) < timedelta(seconds=61)
    assert study.gaps("hr_bpm", longer_than="30min").empty


def test_withheld_is_counted_over_everybody_only(make, study):
    found = study.absences().set_index(["channel", "reason"])["share"]
    # Six with 540 of 720 windows, one who signed half-way with 120 of 300.
    share = (6 * 540 + 120) / (6 * 720 + 300)
    assert found["heart", "measured"] == pytest.approx(share, abs=0.005)
    assert found["heart", "withheld"] == pytest.approx(1 - share, abs=0.005)
    assert found.index.get_level_values("channel").unique().tolist() == ["heart"]
    few = make(STUDY + "".join(form(a) for a in CONSENTED[:4]), "few")
    assert few.absences().empty
    for frame in (study.agents(), study.signals(), study.frame("hr_bpm"), study.gaps("hr_bpm")):
        assert "withheld" not in frame.drop(columns=["meaning"], errors="ignore").to_csv()


def test_reasons_of_a_channel_that_four_consented_to_are_not_told(make):
    narrow = "".join(form(a, covers='["self_report"]') for a in CONSENTED[4:])
    study = make(STUDY + "".join(form(a) for a in CONSENTED[:4]) + narrow)
    assert study.absences().empty


def test_signals_say_what_they_are_and_whose(study):
    signals = study.signals().set_index("signal")
    assert set(signals.index) == {
        n for n, v in VARIABLES.items() if v.cover in {"heart", "self_report"}
    }
    assert signals.loc["hr_bpm", ["unit", "low", "high", "agents"]].tolist() == [
        "1/min",
        20,
        250,
        7,
    ]
    assert signals.loc["demanding", "agents"] == len(CONSENTED)
    assert signals.loc["log_sdnn", "agents"] == 0
    assert signals["meaning"].str.len().min() > 10
    assert signals["source"].str.len().min() > 5


def test_groups_of_five_and_no_others_once_asked(make):
    study = make()
    everybody = study.group_means("log_rmssd_5min", every="1h")
    (first,) = everybody.to_dict("records")
    assert first["mean"] == pytest.approx(3.0 + np.mean([AGENTS.index(a) for a in CONSENTED]) / 10,
                                          abs=0.06)  # fmt: skip
    assert first["fewest_people"] >= 5
    five = list(names(study, *CONSENTED[:5]))
    with pytest.raises(ConfigurationError, match="other groups of the same people"):
        study.group_means("log_rmssd_5min", {"five": five})
    with pytest.raises(ConfigurationError, match="log_rmssd_5min"):
        study.group_means("rmssd_ms")
    gone = make(STUDY + FORMS.replace(form("k6"), form("k6", withdrawn_at=LATER_AT.isoformat())))
    with pytest.raises(ConfigurationError, match="no more, in the study"):
        gone.group_means("log_rmssd_5min")


def test_a_group_of_four_gives_nothing_by_itself_or_in_a_union(make):
    study = make()
    four = list(names(study, *CONSENTED[:4]))
    assert study.group_means("hr_bpm", {"four": four}).empty
    assert study.group_means("hr_bpm").empty  # the division is kept
    with pytest.raises(ConfigurationError, match="nobody is not, or no more"):
        make(name="other").group_means("hr_bpm", {"a": ["nobody"]})


def test_pseudonyms_of_two_studies_share_nothing(make):
    one, two = make(name="one"), make(name="two")
    assert {one.names.of(a) for a in AGENTS}.isdisjoint({two.names.of(a) for a in AGENTS})
    assert set(one.events()["alert"]).isdisjoint(set(two.events()["alert"]))
    again = make(name="one")
    assert [again.names.of(a) for a in AGENTS] == [one.names.of(a) for a in AGENTS]
    assert all(name[0] == "p" and len(name) == 11 for name in names(one))
    frame = one.frame(["hr_bpm", "demanding"])
    # Below a millisecond a point's time is made from its run, and would join them.
    assert (frame["at"].astype("int64") % 1 == 0).all()
    assert str(frame["at"].dtype) == "datetime64[ms, UTC]"


def test_empty_answers_say_why(make, study):
    nobody = make(STUDY, "nobody")
    for ask in (nobody.agents, nobody.signals, nobody.events, lambda: nobody.frame("hr_bpm")):
        with pytest.raises(ConfigurationError, match="nobody has consented to study small: add"):
            ask()
    with pytest.warns(UserWarning, match=r"no value of hr_bpm .* research agents"):
        assert study.frame("hr_bpm", start=BEGIN + timedelta(hours=5)).empty
    with pytest.warns(UserWarning, match="widen hours"):
        assert study.frame("hr_bpm", hours="3-4").empty
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(study.frame("hr_bpm", end=DAY.date())) > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"signals": "hr"}, "did you mean hr_bpm"),
        ({"signals": []}, "no signal is named"),
        ({"every": "5 minutes"}, "like 30s, 5min"),
        ({"every": "7h"}, "divides a day"),
        ({"hours": "lunch"}, "like 13-14"),
        ({"hours": "13-25"}, "0 to 24"),
        ({"hours": "12:75-13"}, "like 13-14"),
        ({"start": "yesterday"}, "like 2026-01-31"),
        ({"start": "2026-02-02", "end": "2026-02-01"}, "not after"),
        ({"start": "2099-01-01"}, f"the study is from {DAY.date()} to"),
        ({"agents": ["k1"]}, "nobody in study small is called 'k1'"),
    ],
)
def test_a_wrong_question_is_one_line_that_helps(study, options, says):
    with pytest.raises(ConfigurationError, match=says):
        study.frame(**{"signals": "hr_bpm", **options})


def test_features_named_like_a_measured_signal_are_told_apart():
    assert VARIABLES["dwell_ms"].kind is Kind.MEASURED
    assert VARIABLES["feature.dwell_ms"].kind is Kind.FEATURE
    assert VARIABLES["feature.dwell_ms"].field == "dwell_ms"
