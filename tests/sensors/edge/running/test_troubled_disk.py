"""An edge whose disk is full, cannot be read for a while, or takes its time."""

import asyncio
import threading
from itertools import pairwise

import pytest

from sensors.errors import StateError
from sensors.reduction import WINDOW
from sensors.signals import Channel
from tests.rig.waiting import wait_until_async as wait_until
from tests.sensors.edge.scripted import Scripted
from tests.sensors.edge.standin import StandIn, after

pytestmark = pytest.mark.needs("mosquitto")

BOTH = (Channel.HEART, Channel.KEYBOARD)


async def test_a_full_disk_is_said_once_and_leaves_no_gap(mosquitto, run_edge):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until(after(server, 2))
            database = edge.process._outbox._file.db
            pages = database.execute("PRAGMA page_count").fetchone()[0]
            database.execute("PRAGMA query_only = ON")  # refuses every write, as a bad disk does
            await wait_until(lambda: edge.process.report()["dropped"] >= 2)
            database.execute("PRAGMA query_only = OFF")
            assert pages
            await wait_until(after(server, 2))
            assert len([line for line in edge.lines if "outbox" in line]) == 1
        (numbers,) = server.runs.values()
        assert numbers == list(range(len(numbers)))


async def test_a_disk_that_cannot_be_read_for_a_while_delays_and_loses_nothing(mosquitto, run_edge):
    failed: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failed.append(context))
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until(after(server, 2))
            outbox = edge.process._outbox._file
            real, refusals = outbox.guard, []

            def refusing(work, damaged):
                if work.__name__ in {"select", "delete"}:  # of load and of release
                    refusals.append(work.__name__)
                    raise StateError("outbox: disk I/O error; free space or mend the disk")
                return real(work, damaged)

            outbox.guard = refusing
            await wait_until(lambda: len(refusals) >= 3)
            outbox.guard = real
            await wait_until(after(server, 4))
            await wait_until(lambda: edge.process.report()["held"] <= 1)
        (numbers,) = server.runs.values()
        assert numbers == list(range(len(numbers)))
    assert failed == []


async def test_a_disk_that_takes_its_time_keeps_no_pause_waiting(mosquitto, run_edge):
    """T6: capture stops at once, whatever the disk does; and nothing is lost by it."""
    goes_on, held_up = threading.Event(), threading.Event()
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until(after(server, 2))
            outbox = edge.process._outbox._file
            real = outbox.guard

            def slow(work, damaged):
                held_up.set()
                goes_on.wait()
                return real(work, damaged)

            outbox.guard = slow
            await wait_until(held_up.is_set)
            try:
                await edge.process.obey("pause")
                await wait_until(lambda: not any(one.is_open for one in Scripted.opened))
                # Longer than what would be taken for a sleep of the machine: three windows wait.
                await wait_until(lambda: edge.process._keeper.waiting >= 4)
            finally:
                outbox.guard = real
                goes_on.set()
            await edge.process.obey("resume")
            await wait_until(after(server, 4))
            await wait_until(lambda: edge.process.report()["held"] <= 1)
        (numbers,) = server.runs.values()
        assert numbers == list(range(len(numbers)))
        ends = [window.window_end_at for window in server.windows]
        assert {after - before for before, after in pairwise(ends)} == {WINDOW}
        assert not [line for line in edge.lines if "time jumped" in line]
