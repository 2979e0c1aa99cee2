"""Calls that may never come back."""

from __future__ import annotations

import asyncio

import pytest

from sensors.errors import DeviceError
from sensors.heart_rate import bounded
from sensors.heart_rate.bounded import Calls


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "GRACE_S", 0.01)


async def stubborn(released: asyncio.Event) -> str:
    while not released.is_set():
        try:
            await released.wait()
        except asyncio.CancelledError:
            continue
    raise ValueError("far too late")


async def test_a_result_and_an_error_come_through():
    async def answer() -> int:
        return 7

    async def fail() -> None:
        raise KeyError("x")

    assert await Calls().within(60.0, answer()) == 7
    with pytest.raises(KeyError):
        await Calls().within(60.0, fail())


async def test_a_call_that_ends_when_cancelled_does_not_count():
    calls = Calls()
    with pytest.raises(TimeoutError):
        await calls.within(0.01, asyncio.Event().wait())
    assert calls.hung == 0


async def test_calls_that_ignore_cancellation_are_left_and_counted_until_they_end():
    calls, released = Calls(most_left=2), asyncio.Event()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await calls.within(0.01, stubborn(released))
    with pytest.raises(DeviceError, match=r"2 calls hang\); switch it off and on"):
        await calls.within(60.0, stubborn(released))
    released.set()
    await asyncio.sleep(0.05)
    assert await calls.within(60.0, asyncio.sleep(0, "again")) == "again"
    assert calls.hung == 2


async def test_after_a_while_a_dead_stack_is_tried_again(monkeypatch):
    calls, released = Calls(most_left=1), asyncio.Event()
    with pytest.raises(TimeoutError):
        await calls.within(0.01, stubborn(released))
    with pytest.raises(DeviceError, match="tried again in 10 minutes"):
        await calls.within(60.0, asyncio.sleep(0))
    monkeypatch.setattr(bounded, "RETRY_S", 0.0)
    assert await calls.within(60.0, asyncio.sleep(0, "it works")) == "it works"
    released.set()


async def test_whoever_is_cancelled_meanwhile_is_let_go():
    calls, released = Calls(), asyncio.Event()
    waiting = asyncio.ensure_future(calls.within(60.0, stubborn(released)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    released.set()


async def test_nothing_is_waited_for_once_the_link_is_gone():
    gone = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(Calls().within(60.0, asyncio.Event().wait(), gone))
    await asyncio.sleep(0)
    gone.set_result(None)
    with pytest.raises(TimeoutError):
        await waiting
