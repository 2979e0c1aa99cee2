"""What is said beside an edge, and what of it outlives the process."""

import asyncio
import contextlib
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from sensors.edge.consent.permission import Given, Permission, Reason
from sensors.edge.telling import teller
from sensors.edge.telling.teller import Teller
from sensors.edge.words import CONSENT_VERSION
from sensors.messages import ContextMessage, ContextState, NoticeKind, NoticeMessage
from sensors.signals import Channel

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ALLOWED = Given(CONSENT_VERSION, NOW, (Channel.HEART,))


@dataclass
class FakeEdge:
    """An edge whose clock goes on by a minute at every look."""

    permission: Permission = field(default_factory=Permission)
    channels: tuple[Channel, ...] = ()
    lines: list[str] = field(default_factory=list)
    minutes: int = 0

    def now_at(self) -> datetime:
        self.minutes += 1
        return NOW + timedelta(minutes=self.minutes / 2)  # the teller looks twice a round

    def say(self, text: str) -> None:
        self.lines.append(text)

    def report(self) -> dict:
        return {}

    async def obey(self, command: str, words: tuple[str, ...] = ()) -> dict:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def hurry(monkeypatch) -> None:
    monkeypatch.setattr(teller, "LOOK_S", 0.0)


async def run(one: Teller, edge: FakeEdge, minutes: int) -> None:
    until = edge.minutes + 2 * minutes
    task = asyncio.create_task(one.run(edge))
    while edge.minutes < until:  # noqa: ASYNC110 - the fake's clock has no event
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def notice(number: int) -> NoticeMessage:
    return NoticeMessage(
        id=f"notice{number:04d}",
        at=NOW,
        kind=NoticeKind.ALERT_TOLD,
        alert_id=f"alert{number:04d}",
    )


async def test_the_reminder_needs_nothing_but_the_clock(tmp_path):
    edge = FakeEdge()
    await run(Teller(tmp_path / "told.json", 60.0), edge, 65)
    (line,) = edge.lines
    assert line.startswith("You have worked for 60 minutes")


@pytest.mark.parametrize(
    ("reason", "count"),
    [
        (Reason.LOCKED, 0),
        (Reason.ON_BREAK, 0),
        (Reason.OFF_SHIFT, 0),
        (Reason.PAUSED, 1),
        (Reason.OFF_CALL, 1),
    ],
)
async def test_being_away_is_a_break_and_a_private_pause_is_none(tmp_path, reason, count):
    edge = FakeEdge(Permission(ALLOWED, frozenset({reason})))
    await run(Teller(tmp_path / "told.json", 60.0), edge, 90)
    assert len(edge.lines) == count


async def test_a_screen_locked_for_a_moment_is_no_break_and_takes_no_reminder_back(tmp_path):
    edge, one = FakeEdge(), Teller(tmp_path / "told.json", 60.0)
    one.take_told(ContextMessage(at=NOW, state=ContextState.ON_CALL))
    await run(one, edge, 65)
    edge.permission = Permission(None, frozenset({Reason.LOCKED}))
    await run(one, edge, 2)
    edge.permission = Permission()
    assert not edge.lines, "never during a call"
    one.take_told(ContextMessage(at=NOW, state=ContextState.WRAP_UP))
    await run(one, edge, 1)
    assert len(edge.lines) == 1


async def test_a_restart_remembers_how_often_somebody_was_interrupted(tmp_path):
    path = tmp_path / "agent" / "told.json"
    for number in range(3):
        edge, one = FakeEdge(Permission(ALLOWED)), Teller(path, 0.0)
        await run(one, edge, 1)
        one.take_told(notice(number))
        await one._disk.within(60.0, lambda: None)
        assert len(edge.lines) == (1 if number < 2 else 0)
        assert one.on_page == (0 if number < 2 else 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "alert" not in path.read_text(), "times, and nothing of what it was about"


async def test_who_is_measured_keeps_one_interruption_free_of_reminders(tmp_path):
    edge, one = FakeEdge(Permission(ALLOWED)), Teller(tmp_path / "told.json", 60.0)
    await run(one, edge, 190)
    assert len(edge.lines) == 1
    one.take_told(notice(1))
    assert len(edge.lines) == 2
    nothing_allowed = FakeEdge()
    await run(Teller(tmp_path / "other.json", 60.0), nothing_allowed, 190)
    assert len(nothing_allowed.lines) == 2


async def test_what_comes_before_it_runs_or_in_a_call_is_said_when_it_may_be(tmp_path):
    edge, one = FakeEdge(), Teller(tmp_path / "told.json", 0.0)
    one.take_told(ContextMessage(at=NOW, state=ContextState.ON_CALL))
    one.take_told(notice(1))
    await run(one, edge, 2)
    assert edge.lines == []
    one.take_told(ContextMessage(at=NOW, state=ContextState.WRAP_UP))
    assert len(edge.lines) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"told_at": ["yesterday"]}',
        b'{"told_at": ["2026-03-02T08:00:00", "2026-03-02T08:00:00Z"]}',
        b"[" * 9999,
        b"\xff",
    ],
)
async def test_a_damaged_file_counts_as_none_and_is_written_anew(tmp_path, content):
    path = tmp_path / "told.json"
    path.write_bytes(content)
    edge, one = FakeEdge(), Teller(path, 0.0)
    one.take_told(notice(1))
    await run(one, edge, 1)
    assert len(edge.lines) == 1
    assert Teller(path, 0.0)._telling.told_at


async def test_a_disk_that_refuses_is_said_and_silences_nobody(tmp_path):
    (tmp_path / "file").write_text("")
    edge, one = FakeEdge(), Teller(tmp_path / "file" / "told.json", 0.0)
    one.take_told(notice(1))
    await run(one, edge, 1)
    assert "differ from your own usual" in edge.lines[0]
    assert "cannot write" in edge.lines[1]
