"""What the agent says while the disk is slow: it is not lost, nor is what another edge heard."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sensors.edge.consent import choices
from sensors.edge.consent.choices import Choices
from sensors.edge.consent.file import ConsentFile
from sensors.edge.consent.permission import Event, Permission, Reason
from sensors.errors import StateError
from sensors.signals import Channel
from tests.rig.waiting import wait_until_async as wait_until

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def pause(permission: Permission) -> Permission:
    return permission.after(Event.PAUSE)


def resume(permission: Permission) -> Permission:
    return permission.after(Event.RESUME)


def withdraw_voice(permission: Permission) -> Permission:
    return permission.withdrawing([Channel.VOICE], NOW)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(choices, "_LOOK_WITHIN_S", 0.05)
    path = tmp_path / "consent.json"
    ConsentFile(path).change(lambda p: p.consenting([Channel.HEART, Channel.VOICE], NOW))
    return path


def chosen(path: Path) -> Choices:
    return Choices(ConsentFile(path), lambda _changed: None, lambda _line: None)


@contextmanager
def hanging(
    edge: Choices, call: str, patch: pytest.MonkeyPatch
) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let `call` of the edge's file hang; give what says that it does, and what ends it."""
    reached, back, real = threading.Event(), threading.Event(), getattr(edge._file, call)

    def slow(*given: object) -> object:
        reached.set()
        back.wait()
        return real(*given)

    patch.setattr(edge._file, call, slow)
    try:
        yield reached, back
    finally:
        back.set()


async def test_what_was_withdrawn_at_another_edge_stays_so_though_the_disk_hung_here(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T6: to be written down late must not bring back what was allowed before."""
    here, there = chosen(path), chosen(path)
    with hanging(here, "news", monkeypatch) as (reached, back):
        await here.follow()
        assert await asyncio.to_thread(reached.wait, 60)
        await there.heed(withdraw_voice)
        with monkeypatch.context() as hurried:
            hurried.setattr(choices, "_WRITTEN_WITHIN_S", 0.05)
            with pytest.raises(StateError, match="not written down yet"):
                await here.heed(pause)
        assert Reason.PAUSED in here.permission.reasons
        back.set()
        await here.written()
    kept = ConsentFile(path).load()
    assert kept.channels == {Channel.HEART}
    assert kept.reasons == {Reason.PAUSED}
    for edge in (here, there):
        await edge.follow()
        await wait_until(lambda edge=edge: edge.permission == kept)


async def test_an_old_answer_of_the_disk_does_not_undo_a_pause(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk answers look and write in one breath: the look's answer is older than the word."""
    here, there = chosen(path), chosen(path)
    await there.heed(withdraw_voice)
    with hanging(here, "news", monkeypatch) as (_, back):
        await here.follow()
        saying = asyncio.create_task(here.heed(pause))
        await wait_until(lambda: Reason.PAUSED in here.permission.reasons)
        back.set()
        wrote = threading.Event()
        assert here._disk.do(wrote.set) is not None
        wrote.wait(60)  # the loop has heard of neither until here
        await saying
    await wait_until(lambda: here._look is not None and here._look.done())
    assert Reason.PAUSED in here.permission.reasons
    assert here.permission.channels == {Channel.HEART}


async def test_what_is_said_in_a_row_holds_in_this_order_though_the_disk_hangs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = chosen(path)
    held = []
    monkeypatch.setattr(here, "_obey", lambda _changed: held.append(set(here.permission.reasons)))
    with hanging(here, "news", monkeypatch) as (_, back):
        said = [pause, resume] * 5
        saying = [asyncio.create_task(here.heed(change)) for change in said]
        await wait_until(lambda: len(held) == len(said))
        back.set()
        await asyncio.gather(*saying)
    assert held == [{Reason.PAUSED}, set()] * 5
    assert not ConsentFile(path).load().reasons


async def test_the_end_waits_until_the_last_word_is_written_down(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paused by a key and logged off at once, on a slow disk: it is a pause at the next start."""
    here = chosen(path)
    with hanging(here, "change", monkeypatch) as (reached, back):
        saying = asyncio.create_task(here.heed(pause))
        await asyncio.to_thread(reached.wait, 60)
        saying.cancel()  # who said it is gone
        await here.end()
        asyncio.get_running_loop().call_later(0.2, back.set)
        await here.written()
    assert Reason.PAUSED in ConsentFile(path).load().reasons


async def test_who_stops_looking_stops_no_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = chosen(path)
    with hanging(here, "news", monkeypatch) as (_, back):
        await here.follow()
        saying = asyncio.create_task(here.heed(pause))
        await wait_until(lambda: Reason.PAUSED in here.permission.reasons)
        await here.end()
        back.set()
        await saying
    assert Reason.PAUSED in ConsentFile(path).load().reasons


@contextmanager
def refusing(edge: Choices, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the disk take nothing from `edge`, as when it is full."""

    def refuse(_change: object) -> Permission:
        raise StateError("cannot write: No space left on device; free space")

    with patch.context() as full:
        full.setattr(edge._file, "change", refuse)
        yield


async def test_what_a_full_disk_refused_is_not_undone_by_another_edge_and_written_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = chosen(path), chosen(path)
    with refusing(here, monkeypatch):
        with pytest.raises(StateError, match="free space"):
            await here.heed(withdraw_voice)
        await there.heed(pause)
        await here.follow()
        await wait_until(lambda: Reason.PAUSED in here.permission.reasons)
        assert here.permission.channels == {Channel.HEART}
    await here.follow()  # it waits a second for the disk, and the disk takes as long as it takes
    await wait_until(lambda: ConsentFile(path).load().channels == {Channel.HEART})
    assert ConsentFile(path).load().reasons == {Reason.PAUSED}


async def test_what_a_full_disk_refused_does_not_undo_what_another_edge_was_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = chosen(path), chosen(path)
    await here.heed(pause)
    with refusing(here, monkeypatch), pytest.raises(StateError, match="free space"):
        await here.heed(resume)
    assert not here.permission.reasons
    await there.heed(withdraw_voice)  # which still knows of the pause
    await here.follow()
    await wait_until(lambda: here.permission.channels == {Channel.HEART})
    assert here.permission.reasons == {Reason.PAUSED}
    await here.heed(resume)
    assert not ConsentFile(path).load().reasons
