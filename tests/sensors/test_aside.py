"""Blocking calls beside the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sensors.aside import Aside, InOrder
from sensors.errors import DeviceError
from tests.rig.waiting import wait_until_async as wait_until


async def test_a_call_answers_or_raises_as_it_would_here():
    aside = Aside("test")
    assert await aside.within(30.0, lambda: threading.current_thread().name) == "test"

    def fails() -> None:
        raise DeviceError("gone")

    with pytest.raises(DeviceError, match="gone"):
        await aside.within(30.0, fails)


async def test_a_call_that_hangs_is_left_behind_and_the_next_waits_for_it():
    aside, back, calls = Aside("hangs"), threading.Event(), []

    def hangs() -> None:
        calls.append(1)
        back.wait()

    try:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await aside.within(0.05, hangs)
        await wait_until(lambda: calls)
        assert len(calls) == 1
        assert [t.name for t in threading.enumerate()].count("hangs") == 1
        assert await asyncio.to_thread(lambda: 7) == 7
    finally:
        back.set()
    assert await aside.within(30.0, lambda: 8) == 8


def test_a_call_that_hangs_keeps_nobody_from_ending():
    back = threading.Event()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await Aside("test").within(0.05, back.wait)

    asyncio.run(ask())  # with a shared thread this would wait for it
    assert not back.is_set()
    back.set()


async def test_who_no_longer_waits_is_told_nothing():
    aside, back, late = Aside("late"), threading.Event(), []
    task = asyncio.create_task(aside.within(30.0, back.wait, late.append))
    await wait_until(lambda: any(t.name == "late" for t in threading.enumerate()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    back.set()
    assert await aside.within(30.0, lambda: 9) == 9
    await wait_until(lambda: late == [True])  # what was opened must be closed by somebody


async def test_what_came_as_nobody_waited_any_more_is_closed():
    """Cancelled in the moment between the answer and its being fetched."""
    late: list[str] = []
    task = asyncio.create_task(Aside("test").within(30.0, lambda: "opened", late.append))
    while not (task._fut_waiter and task._fut_waiter.done()):  # noqa: ASYNC110 - sets no event
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert late == ["opened"]


def test_what_a_late_call_opened_is_closed_though_the_loop_has_ended():
    back, late = threading.Event(), []

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await Aside("later").within(0.05, back.wait, late.append)

    asyncio.run(ask())
    (thread,) = [t for t in threading.enumerate() if t.name == "later"]
    back.set()
    thread.join(60)
    assert late == [True]


async def test_calls_are_made_in_order_and_their_errors_handed_on():
    in_order, made = InOrder("test", 100), []
    for number in range(50):
        assert in_order.do(lambda number=number: made.append(number)) is not None

    def fails() -> None:
        raise DeviceError("gone")

    with pytest.raises(DeviceError, match="gone"):
        await in_order.within(30.0, fails)
    assert await in_order.within(30.0, lambda: 7) == 7
    assert made == list(range(50))
    await wait_until(lambda: all(t.name != "test" for t in threading.enumerate()))


async def test_what_waits_for_a_call_that_hangs_is_bounded_and_made_when_it_comes_back():
    in_order, back, made = InOrder("test", 2), threading.Event(), []
    begun = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            await in_order.within(0.05, lambda: (begun.set(), back.wait()))
        await wait_until(begun.is_set)  # until its thread has begun, this one waits, too
        assert in_order.do(lambda: made.append(1)) is not None
        with pytest.raises(TimeoutError):
            await in_order.within(0.05, lambda: made.append(2))
        assert in_order.do(lambda: made.append(3)) is None
        with pytest.raises(TimeoutError):
            await in_order.within(30.0, lambda: made.append(4))
    finally:
        back.set()
    await wait_until(lambda: made == [1, 2])
    assert await in_order.within(30.0, lambda: 5) == 5
