"""What of an erased agent is refused, by which clock, and that no erasure is ever lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from analytics.events import Arrival, Outputs
from analytics.journal.intake import Accepted, Intake, Refused
from analytics.journal.journal import Journal
from analytics.people import tombstones
from analytics.people.consent_book import ConsentBook
from analytics.people.teams import load_teams
from analytics.people.tombstones import CLOCK_BEHIND, Tombstone, Tombstones
from analytics.pipeline.pipeline import Pipeline
from analytics.rights import agent_state as rights_state
from analytics.rights import erasure as rights_erasure
from analytics.rights.erasure import ServerParts
from analytics.state import snapshot
from analytics.state.state_file import FILE_NAME, open_state, transaction
from sensors import codec, topics
from sensors.errors import Refusal, StateError
from sensors.messages import (
    Action,
    AuditKind,
    AuditMessage,
    ConsentMessage,
    ContextMessage,
    ContextState,
    DecisionMessage,
    ReplyKind,
    ReplyMessage,
    RequestKind,
    RequestMessage,
    StatusMessage,
)
from sensors.signals import Channel
from tests.analytics.server_rig import SITE, reading, write_teams

T = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def stone(agent: str = "k1", at: datetime = T, after: datetime | None = None) -> Tombstone:
    return Tombstone(id="0123456789abcdef", agent=agent, at=at, consent_after=after or at)


def consent(at: datetime, *channels: Channel) -> ConsentMessage:
    return ConsentMessage(version="1", at=at, channels=channels)


def silence(at: datetime) -> DecisionMessage:
    return DecisionMessage(
        id="silence1", at=at, alert_id="silence1", by="ana", action=Action.SILENCE, agent="k1",
        until_at=at + HOUR, reason="training",
    )  # fmt: skip


ACTS = [
    lambda at: RequestMessage(id="request1", at=at, kind=RequestKind.EXPORT),
    lambda at: ReplyMessage(id="reply001", at=at, kind=ReplyKind.FINE),
    lambda at: AuditMessage(id="audit001", at=at, by="ana", kind=AuditKind.VIEWED_PERSON, agent="k1"),
    silence,
]  # fmt: skip
STATES = [
    lambda at: StatusMessage(source="pc", run="run00001", online=True, at=at),
    lambda at: ContextMessage(at=at, state=ContextState.ON_CALL),
]


@pytest.mark.parametrize("make", ACTS)
def test_what_a_person_does_counts_from_the_erasure_on(make) -> None:
    book, stones = ConsentBook(), Tombstones([stone()])
    assert stones.refuses("k1", make(T), book)
    assert not stones.refuses("k1", make(T + SECOND), book)
    assert not Tombstones([stone("k2")]).refuses("k1", make(T), book)


@pytest.mark.parametrize("kind", [RequestKind.HELP_NOW, RequestKind.BREAK_PLEASE])
def test_a_clock_a_little_behind_keeps_nobody_from_asking_for_help(kind: RequestKind) -> None:
    def refused(at: datetime) -> bool:
        asked = RequestMessage(id="request1", at=at, kind=kind)
        return Tombstones([stone()]).refuses("k1", asked, ConsentBook())

    assert not refused(T - CLOCK_BEHIND + SECOND)
    assert refused(T - CLOCK_BEHIND)


@pytest.mark.parametrize("make", STATES)
def test_what_a_machine_says_waits_for_a_new_consent(make) -> None:
    book, stones = ConsentBook(), Tombstones([stone()])
    assert stones.refuses("k1", make(T + HOUR), book)
    book.record("k1", consent(T + SECOND, Channel.HEART))
    assert not stones.refuses("k1", make(T + HOUR), book)
    assert stones.refuses("k1", make(T), book)


def test_a_reading_begins_after_the_new_consent_by_both_of_its_clocks() -> None:
    book, stones = ConsentBook(), Tombstones([stone()])
    given = T + HOUR

    def refused(after_s: float, **more: float) -> bool:
        window = reading(0, window_end_at=given + timedelta(seconds=after_s), **more)
        return stones.refuses("k1", window, book)

    assert refused(3600.0)
    book.record("k1", consent(given, Channel.HEART))
    assert refused(-60.0)
    assert refused(4.9), "it began before"
    assert not refused(5.0)
    # A clock that was an hour ahead: what it dates after the consent was measured before.
    assert refused(1800.0, clock_offset_ms=-3_600_000.0)
    assert refused(-1800.0, clock_offset_ms=3_600_000.0)


def test_only_a_consent_newer_than_all_that_was_known_is_a_new_one() -> None:
    # The edge's clock was two hours ahead when the agent consented, long before the erasure.
    stones = Tombstones([stone(after=T + 2 * HOUR)])
    assert stones.refuses("k1", consent(T + 2 * HOUR, Channel.HEART), ConsentBook())
    assert not stones.refuses("k1", consent(T + 2 * HOUR + SECOND, Channel.HEART), ConsentBook())


def test_a_second_erasure_counts_although_the_clock_was_set_back(tmp_path: Path) -> None:
    db = open_state(tmp_path)
    path = tmp_path / FILE_NAME
    parts = cast("ServerParts", SimpleNamespace(db=db, path=path, journal=Journal(db, path)))
    with transaction(db):
        rights_erasure.keep(db, [stone()])
    between = consent(T + SECOND, Channel.HEART)
    parts.journal.consents.record("k1", between)
    second = rights_erasure.stone_for(parts, "k1", "fedcba9876543210", T - HOUR)
    known, consents = Tombstones([stone()]), ConsentBook()
    assert known.add([second]) == [second]
    assert known.refuses("k1", between, consents)
    db.close()


def test_withdrawing_is_no_consent() -> None:
    book, stones = ConsentBook(), Tombstones([stone()])
    assert stones.refuses("k1", consent(T + SECOND), book)
    book.record("k1", consent(T + SECOND, Channel.HEART))
    assert not stones.refuses("k1", consent(T + HOUR), book), "they may withdraw what they gave"


def test_nothing_is_kept_of_what_is_refused(tmp_path: Path) -> None:
    teams = load_teams(write_teams(tmp_path))
    intake = Intake(teams, ConsentBook(), tombstones=Tombstones([stone(), stone("left")]))
    payload = codec.encode(reading(7, window_end_at=T))
    for agent in ("k1", "left"):  # also of somebody who is in no team any more
        for body in (payload, b"{broken"):
            refused = intake.judge(topics.reading(SITE, agent), body, T)
            assert isinstance(refused, Refused)
            assert refused.refusal is Refusal.ERASED
            assert refused.payload is None
    window = refused = intake.judge(topics.reading(SITE, "k1"), payload, T)
    assert isinstance(window, Refused)
    assert window.window is not None, "its edge is told that it may let go"
    assert isinstance(intake.judge(topics.reading(SITE, "k2"), payload, T), Accepted)


def test_merging_keeps_the_newest_and_drops_none(tmp_path: Path) -> None:
    path = tmp_path / tombstones.FILE_NAME
    assert tombstones.read_file(path) == []
    tombstones.merge_into(path, [stone("k1", T), stone("k2", T)])
    tombstones.merge_into(path, [stone("k1", T + HOUR), stone("k2", T - HOUR), stone("k3")])
    assert tombstones.read_file(path) == [stone("k1", T + HOUR), stone("k2", T), stone("k3")]
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StateError, match="what was erased could come back"):
        tombstones.merge_into(path, [stone("k4")])


def test_everybody_elses_state_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    teams = load_teams(write_teams(tmp_path))

    def steps(pipeline: Pipeline, first: int, last: int, agents: tuple[str, ...]) -> list[Outputs]:
        found = []
        for seq in range(first, last):
            at = T + timedelta(seconds=5 * seq)
            arrivals = [
                Arrival(
                    seq * 9 + n, at, agent, reading(seq, run="run" + agent * 3, window_end_at=at)
                )
                for n, agent in enumerate(agents)
            ]
            found.append(pipeline.step(arrivals, at))
        return found

    whole, without = Pipeline(SITE, teams), Pipeline(SITE, teams)
    steps(whole, 0, 40, ("k1", "k2", "k3"))
    asked = RequestMessage(id="request1", at=T, kind=RequestKind.HELP_NOW)
    context = ContextMessage(at=T + HOUR, state=ContextState.ON_CALL)
    at = T + timedelta(seconds=200)
    whole.step([Arrival(999, at, "k2", asked), Arrival(1000, at, "k2", context)], at)
    [alert] = whole.open_alerts()
    taken = DecisionMessage(
        id="taken001", at=at, alert_id=alert.alert_id, by="ana", action=Action.TAKE
    )
    whole.step([Arrival(1001, at, None, taken)], at)
    before = whole.snapshot()
    data, found = rights_state.forget(before, "k2")
    assert (found.rows, found.alert_ids, found.shown) == (1, {alert.alert_id}, {alert.alert_id})
    assert b'"k2"' not in data
    assert alert.alert_id.encode() in before
    assert alert.alert_id.encode() not in data
    assert rights_state.forget(data, "k2") == (data, rights_state.Forgotten())
    old, new = snapshot.unpack(before)[0], snapshot.unpack(data)[0]
    for name in old:
        others = [..., (0, 2)] if name.startswith("detector.") else [(0, 2)]
        if not name.partition(".")[2].startswith("site"):
            assert old[name][tuple(others)].tobytes() == new[name][tuple(others)].tobytes(), name
    without.restore(data)
    assert without.snapshot() == data, "what a restart reads is what was written"
    going_on = [
        [p for p in out.points if p.tags.get("agent") != "k2"]
        for out in steps(whole, 41, 60, ("k1", "k3"))
    ]
    assert [out.points for out in steps(without, 41, 60, ("k1", "k3"))] == going_on
    # A backup of another build, whose arrays this one does not know, is emptied as well.
    arrays, values = snapshot.unpack(before)
    count = len(arrays["floor.active"])
    arrays |= {"windows.bygone": np.ones((count, 3)), "detector.mean": np.ones((2, count))}
    other = snapshot.unpack(rights_state.forget(snapshot.pack(arrays, values), "k2")[0])[0]
    assert other["windows.bygone"][:3].sum(axis=1).tolist() == [3.0, 0.0, 3.0]
    assert other["detector.mean"][:, :3].tolist() == [[1.0, 0.0, 1.0]] * 2
    # A new consent begins from nothing, on a row of its own.
    steps(without, 60, 62, ("k1", "k2", "k3"))
    assert without.floor.known_row("k2") == 3
