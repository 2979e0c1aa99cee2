"""What a supervisor may ask of the store, on a real one."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics.alerts import points_out
from analytics.alerts.silences import Silences
from analytics.signals.features import Part
from analytics.store.base import Query, Row, Store
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point, point_time_ns
from dashboard import actions, queries
from dashboard import hour as hour_of
from dashboard.hour import Bands
from dashboard.queries import People, Reader
from dashboard.rates import Share
from sensors.errors import StoreError
from sensors.messages import Action, DecisionMessage, ReplyKind, ReplyMessage
from sensors.shown import Shown
from tests.dashboard.floors import SITE, score, strained_hour

NOW = datetime(2026, 7, 1, 8, 30, 30, tzinfo=UTC)
TEAM = [("billing", ("k1", "k2", "k3"))]


@pytest.fixture
def reader(store: EmbeddedStore) -> Reader:
    return Reader(lambda: store, SITE)


def states(people: People) -> dict[str, Shown]:
    return {person.agent: person.shown for person in people.states}


def test_empty_store_knows_nobody_and_draws_nobody_as_fine(reader: Reader) -> None:
    people = reader.people(TEAM, NOW)
    assert states(people) == dict.fromkeys(("k1", "k2", "k3"), Shown.NO_DATA)
    assert people.newest_at is None


def test_no_team_asks_nothing(reader: Reader) -> None:
    assert reader.people([], NOW) == People((), None)


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("as_usual", Shown.AS_USUAL),
        ("learning", Shown.LEARNING),
        ("different", Shown.DIFFERENT),
        ("no_data", Shown.NO_DATA),
        ("fault", Shown.FAULT),
        ("something_newer", Shown.NO_DATA),
    ],
)
def test_states(store: EmbeddedStore, reader: Reader, word: str, shown: Shown) -> None:
    store.write([score("k1", NOW - timedelta(seconds=4), word)])
    assert states(reader.people(TEAM, NOW))["k1"] is shown


def test_a_replay_is_as_fresh_as_its_clock_offset_says(
    store: EmbeddedStore, reader: Reader
) -> None:
    ended_at = NOW - timedelta(minutes=50)
    replayed, wrong_clock = (score(agent, ended_at, "as_usual") for agent in ("k1", "k2"))
    replayed.fields["clock_offset_ms"] = 50 * 60_000.0 - 2_000.0
    store.write([replayed, wrong_clock])
    people = reader.people(TEAM, NOW)
    assert states(people)["k1"] is Shown.AS_USUAL
    assert states(people)["k2"] is Shown.NO_DATA
    assert people.newest_at is not None
    assert abs(people.newest_at - (NOW - timedelta(seconds=2))) < timedelta(milliseconds=1)


def test_newest_state_counts_and_an_old_one_is_unknown(
    store: EmbeddedStore, reader: Reader
) -> None:
    store.write(
        [
            score("k1", NOW - timedelta(seconds=9), "different"),
            score("k1", NOW - timedelta(seconds=4), "as_usual"),
            score("k2", NOW - timedelta(seconds=queries.FRESH_S + 1), "as_usual"),
            score("s1", NOW, "as_usual"),  # of another team
        ]
    )
    people = reader.people(TEAM, NOW)
    assert states(people) == {
        "k1": Shown.AS_USUAL,
        "k2": Shown.NO_DATA,
        "k3": Shown.NO_DATA,
    }
    assert people.newest_at is not None
    assert abs((NOW - people.newest_at).total_seconds() - 4) < 0.01


def test_bands_of_an_hour_with_gap_and_unknown(store: EmbeddedStore, reader: Reader) -> None:
    store.write(strained_hour("k1", NOW))
    hour = reader.bands("k1", NOW)
    assert not hour.is_empty
    heart = [run.level for run in hour.runs(Part.HEART)]
    assert heart == [0, None, 0, 1, 2]
    assert [run.level for run in hour.runs(Part.VOICE)] == [None]
    assert hour.runs(Part.TYPING)[-1].level == -1
    assert hour.quality.count(None) in (5, 6)
    assert len(hour.quality) == len(hour.cells[Part.HEART]) == hour_of.BANDS_MINUTES
    last = hour.runs(Part.HEART)[-1]
    assert last.end_at - hour.start_at == timedelta(minutes=60)


def test_a_minute_that_has_only_begun_is_no_gap(store: EmbeddedStore, reader: Reader) -> None:
    end = NOW.replace(second=59)
    store.write(strained_hour("k1", end))
    hour = reader.bands("k1", end + timedelta(seconds=3))
    assert hour.runs(Part.HEART)[-1].level == 2


def test_bands_of_nobody_are_empty(reader: Reader) -> None:
    assert reader.bands("k3", NOW).is_empty


def test_a_minute_is_known_only_if_most_of_it_is(store: EmbeddedStore, reader: Reader) -> None:
    minute = NOW.replace(second=0)
    store.write(
        [score("k1", minute + timedelta(seconds=5 * i), levels={}) for i in range(4)]
        + [score("k1", minute + timedelta(seconds=25), levels={"heart": 2})]
    )
    assert reader.bands("k1", NOW).cells[Part.HEART][-1].level is None


def _transition(
    event: str, told_to: str, alert_id: str, at: datetime, state: str = "firing"
) -> Point:
    values: dict[str, Any] = {
        "alert_id": alert_id,
        "kind": "personal",
        "event": event,
        "state": state,
        "told_to": told_to,
    }
    return Point(
        Measurement.TRANSITION, {"site": SITE, "agent": "k1"}, values, point_time_ns(at, alert_id)
    )


def test_told_counts_what_this_supervisor_was_told_in_the_hour(
    store: EmbeddedStore, reader: Reader
) -> None:
    minutes = timedelta(minutes=1)
    store.write(
        [
            _transition("fire", "ana", "aaaaaaaa01", NOW - 5 * minutes),
            _transition("fire", "bo", "aaaaaaaa02", NOW - 5 * minutes),
            _transition("fire", "ana", "aaaaaaaa03", NOW - 70 * minutes),
            _transition("take", "ana", "aaaaaaaa04", NOW - 4 * minutes),
            _transition("escalate", "ana,bo", "aaaaaaaa05", NOW - 3 * minutes),
            _transition("repeat", "bo,ana", "aaaaaaaa06", NOW - 3 * minutes),
            _transition("return", "ana", "aaaaaaaa01", NOW - 2 * minutes),
            _transition("return", "ana", "aaaaaaaa07", NOW - 2 * minutes, "acknowledged"),
        ]
    )
    assert reader.told("ana", NOW) == {"aaaaaaaa01", "aaaaaaaa05"}


def _decision(action: str, alert_id: str, at: datetime, by: str = "ana", **more: Any) -> Point:
    values = {
        "id": f"{action}{alert_id}",
        "kind": "decision",
        "alert_id": alert_id,
        "by": by,
        "action": action,
        "effect": "applied",
        "team": "billing",
        **more,
    }
    return Point(
        Measurement.DECISION,
        {"site": SITE, "agent": "k1"},
        values,
        point_time_ns(at, f"{action}{alert_id}"),
    )


def test_decided_survives_a_restart_until_its_outcome(store: EmbeddedStore, reader: Reader) -> None:
    ago = timedelta(minutes=1)
    follow = NOW + 19 * ago
    store.write(
        [
            _decision("take", "aaaaaaaa01", NOW - 3 * ago),
            _decision("talk", "aaaaaaaa01", NOW - 2 * ago, follow_up_at=follow.isoformat()),
            _decision("talk", "aaaaaaaa02", NOW - 2 * ago, by="bo"),
            _decision("talk", "aaaaaaaa03", NOW - 2 * ago, effect="already_taken"),
            _decision("cannot_now", "aaaaaaaa04", NOW - 2 * ago),
        ]
    )
    (one,) = reader.decided("ana", NOW)
    assert (one.alert_id, one.action, one.agent) == ("aaaaaaaa01", Action.TALK, "k1")
    assert one.follow_up_at == follow
    store.write([_decision("outcome", "aaaaaaaa01", NOW - ago, outcome="helped")])
    assert reader.decided("ana", NOW) == ()


def _reply(kind: str, agent: str, at: datetime, *, answer: bool) -> Point:
    message = ReplyMessage(
        id=f"answer{kind[:3]}{agent}{at:%H%M%S}",
        at=at,
        kind=ReplyKind(kind),
        alert_id=f"alert{agent}000",
        answer=answer,
    )
    return points_out.reply(SITE, agent, message, "recorded")


def test_figures_of_a_morning(store: EmbeddedStore, reader: Reader) -> None:
    """What the server's own points give, by hand; the server was away for an hour of it."""
    minutes = timedelta(minutes=1)
    six = NOW.replace(hour=6, minute=0, second=0)
    store.write([score("s1", six + n * 5 * minutes) for n in range(31) if not 12 <= n < 24])
    store.write(
        [
            _transition("fire", "ana", "aaaaaaaa01", six + 5 * minutes),
            _transition("repeat", "ana", "aaaaaaaa01", six + 35 * minutes),
            _transition("fire", "bo", "aaaaaaaa02", six + 6 * minutes),
            _transition("fire", "ana", "aaaaaaaa03", NOW - 5 * minutes),
            *(_reply("was_it_so", f"k{n}", NOW - n * minutes, answer=n != 3) for n in range(1, 6)),
            *(_reply("did_it_help", f"k{n}", NOW - n * minutes, answer=True) for n in range(1, 5)),
            _reply("did_it_help", "s1", NOW, answer=False),  # of another team
        ]
    )
    agents = [f"k{n}" for n in range(1, 8)]
    found = reader.figures("ana", agents, lambda _: True, NOW)
    assert found.load.since == six
    assert found.load.counted == timedelta(minutes=90)
    assert found.load.told == 2
    assert found.load.share_above(1) == 0.0
    assert (found.was_so, found.helped) == (Share(4, 5), Share())
    later = reader.figures("ana", agents, lambda at: at >= NOW - 20 * minutes, NOW)
    assert later.load.per_hour is None
    assert reader.figures("ana", [], lambda _: True, NOW).was_so == Share()


def _silence(at: datetime, led: str = "billing", *, effect: str = "applied", **more: Any) -> Point:
    values = {"agent": "k1", "until_at": NOW + timedelta(hours=1)} | more
    message = DecisionMessage(
        id=f"silence{at:%H%M%S}",
        at=at,
        alert_id="aaaaaaaa01",
        by="bo",
        action=Action.SILENCE,
        reason="drill",
        **values,
    )
    return points_out.silence(SITE, message, led, effect)


def test_silences_that_stand_as_the_server_has_them(store: EmbeddedStore, reader: Reader) -> None:
    minute = timedelta(minutes=1)
    store.write(
        [
            _silence(NOW - 9 * minute),
            _silence(NOW - 8 * minute, until_at=NOW + 20 * minute),  # the newest counts
            _silence(NOW - 7 * minute, agent="k2"),
            _silence(NOW - 6 * minute, agent="k2", effect="lifted"),
            _silence(NOW - 5 * minute, agent="k3", effect="not_their_team"),
            _silence(NOW - 4 * minute, agent="k3", until_at=NOW - minute),  # over
            _silence(NOW - 3 * minute, agent=None, team="billing"),
            _silence(NOW - 2 * minute, "sales", agent="s1"),  # of another team
        ]
    )
    first, second = reader.silences(TEAM, NOW)
    assert (first.agent, first.by, first.reason) == ("k1", "bo", "drill")
    assert first.until_at == NOW + 20 * minute
    assert (second.agent, second.team) == (None, "billing")
    assert reader.silences([], NOW) == ()
    assert reader.silences(TEAM, NOW + 30 * minute) == (second,)


def test_a_silence_goes_with_its_agent_to_the_team_they_move_to(
    store: EmbeddedStore, reader: Reader
) -> None:
    store.write([_silence(NOW - timedelta(minutes=9), "sales", agent="k2")])
    (moved,) = reader.silences(TEAM, NOW)
    assert (moved.agent, moved.by) == ("k2", "bo")
    assert reader.silences([("sales", ("s1",))], NOW) == ()
    store.write([_silence(NOW - timedelta(minutes=1), "billing", agent="k2", effect="lifted")])
    assert reader.silences(TEAM, NOW) == ()


@pytest.mark.parametrize("about", [{"agent": "k1"}, {"agent": None, "team": "billing"}])
def test_what_the_screen_sends_ends_a_silence_at_the_server(
    store: EmbeddedStore, reader: Reader, about: dict[str, str | None]
) -> None:
    """The server's own book takes it, and what it then records takes it off the screen."""
    begun = DecisionMessage(
        id="silence00001",
        at=NOW,
        alert_id="silence00001",
        by="bo",
        action=Action.SILENCE,
        until_at=NOW + timedelta(hours=1),
        reason="drill",
        **about,  # type: ignore[arg-type]
    )
    later = NOW + timedelta(minutes=5)
    server = Silences()
    effect = server.hear(begun, "billing", ("ana", "bo"), NOW)
    store.write([points_out.silence(SITE, begun, "billing", effect)])
    (standing,) = reader.silences(TEAM, later)
    ended = actions.lift(standing, by="ana", at=later, identity="silence00002")
    effect = server.hear(ended, "billing", ("ana", "bo"), later)
    assert effect == "lifted"
    assert server.all() == ()
    store.write([points_out.silence(SITE, ended, "billing", effect)])
    assert reader.silences(TEAM, later) == ()


class Recording:
    """A store that notes every question."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked: list[Query] = []

    def read(self, query: Query) -> list[Row]:
        self.asked.append(query)
        return self._store.read(query)


FORBIDDEN = {"strain_index", "score", "evidence", "hr_bpm", "rr_ms", "rmssd_ms"}


def test_no_question_names_index_score_or_a_measured_value(store: EmbeddedStore) -> None:
    """TRUST T12: words and bands are all that a supervisor's screen can ever hold."""
    recording = Recording(store)
    reader = Reader(lambda: recording, SITE)  # type: ignore[arg-type,return-value]
    reader.people(TEAM, NOW)
    reader.bands("k1", NOW)
    reader.told("ana", NOW)
    reader.decided("ana", NOW)
    reader.silences(TEAM, NOW)
    assert len(recording.asked) == 5
    reader.figures("ana", ["k1"], lambda _: True, NOW)
    for query in recording.asked:
        assert query.fields, "an empty selection means every field"
        assert not FORBIDDEN & set(query.fields)
        assert query.measurement not in {
            Measurement.READING,
            Measurement.BEAT,
            Measurement.FEATURE,
        }


def test_no_answer_has_room_for_index_score_or_a_measured_value() -> None:
    answers = [kind for kind in vars(queries).values() if is_dataclass(kind)]
    assert Bands in answers
    for kind in answers:
        assert not FORBIDDEN & {field.name for field in fields(kind)}, kind


def test_store_that_is_not_there_yet_is_tried_again(store: EmbeddedStore) -> None:
    opened = iter([StoreError("no store yet"), store])

    def open_store() -> Store:
        found = next(opened)
        if isinstance(found, Exception):
            raise found
        return found

    reader = Reader(open_store, SITE)
    with pytest.raises(StoreError, match="no store yet"):
        reader.people(TEAM, NOW)
    assert reader.people(TEAM, NOW).newest_at is None
    assert reader.check()
