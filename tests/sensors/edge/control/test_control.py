"""Commands to a running edge on a disk that takes its time."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sensors.edge.control import control
from sensors.edge.control.control import ControlServer, Handler, ask
from sensors.errors import StateError
from tests.rig.waiting import wait_until_async as wait_until


@asynccontextmanager
async def serving(path: Path, handler: Handler) -> AsyncIterator[ControlServer]:
    server = ControlServer(path, handler)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def test_what_takes_longer_than_the_answer_may_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T11: erasing in several steps must not end between two of them."""
    monkeypatch.setattr(control, "_ANSWER_S", 0.05)
    goes_on, erased = asyncio.Event(), []

    async def forget(command: str, _words: tuple[str, ...]) -> dict[str, Any]:
        erased.append("outbox")
        await goes_on.wait()
        erased.append("own record")
        return {"text": command}

    async with serving(tmp_path / "control.json", forget):
        with pytest.raises(StateError, match="not done yet: the disk does not answer"):
            await asyncio.to_thread(ask, tmp_path / "control.json", "forget")
        goes_on.set()
        await wait_until(lambda: erased == ["outbox", "own record"])


async def test_what_is_not_done_by_then_ends_with_the_edge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_ANSWER_S", 0.05)
    ended = asyncio.Event()

    async def hangs(_command: str, _words: tuple[str, ...]) -> dict[str, Any]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with serving(tmp_path / "control.json", hangs):
        with pytest.raises(StateError, match="not done yet"):
            await asyncio.to_thread(ask, tmp_path / "control.json", "forget")
        assert not ended.is_set()
    assert ended.is_set()


async def test_what_fails_when_nobody_waits_any_more_prints_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(control, "_ANSWER_S", 0.05)
    goes_on, failed = asyncio.Event(), []

    async def fails(_command: str, _words: tuple[str, ...]) -> dict[str, Any]:
        await goes_on.wait()
        failed.append(True)
        raise StateError("no space")

    async with serving(tmp_path / "control.json", fails):
        with pytest.raises(StateError, match="not done yet"):
            await asyncio.to_thread(ask, tmp_path / "control.json", "forget")
        goes_on.set()
        await wait_until(lambda: failed)
    gc.collect()
    assert not caplog.records


async def test_an_error_is_answered_in_its_own_words(tmp_path: Path) -> None:
    async def refuses(_command: str, _words: tuple[str, ...]) -> dict[str, Any]:
        raise StateError("no space")

    async with serving(tmp_path / "control.json", refuses):
        with pytest.raises(StateError, match="says: no space"):
            await asyncio.to_thread(ask, tmp_path / "control.json", "pause")
