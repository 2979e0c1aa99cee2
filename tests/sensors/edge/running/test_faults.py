"""Every window of every run, counted by (run, seq), whatever is killed or lies."""

import asyncio
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.edge.outbox.outbox import Key
from sensors.edge.sending.plan import SendPlan
from sensors.messages import StatusMessage
from sensors.mqtt import Connection, Inbound
from sensors.signals import Channel
from tests.rig.waiting import wait_until, wait_until_async
from tests.sensors.edge.conftest import RESEND_AFTER_S
from tests.sensors.edge.standin import StandIn

pytestmark = pytest.mark.needs("mosquitto")

ROOT = Path(__file__).parents[4]
BOTH = (Channel.HEART, Channel.KEYBOARD)


@contextmanager
def edge_process(port: int, state_dir: Path) -> Iterator[subprocess.Popen]:
    """Start an edge of its own; killed at the end if it still runs."""
    command = [sys.executable, "-m", "tests.sensors.edge.fast_edge", str(port), str(state_dir)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def gaps(server: StandIn) -> dict[str, list[int]]:
    """Return the numbers heard of each run of which one is missing below another."""
    return {run: found for run, found in server.runs.items() if found != list(range(len(found)))}


def assert_gap_free(server: StandIn) -> None:
    assert gaps(server) == {}


def test_killed_again_and_again_every_window_of_every_run_arrives(mosquitto, tmp_path):
    kept: dict[str, int] = {}
    with StandIn(mosquitto.port, stores=False) as server:
        for n in range(1, 4):
            with edge_process(mosquitto.port, tmp_path / "state") as process:
                wait_until(lambda n=n: sum(1 for r in server.runs.values() if len(r) >= 3) == n)
                process.send_signal(signal.SIGKILL)
                assert process.wait() == -signal.SIGKILL
        kept = {run: len(numbers) for run, numbers in server.runs.items()}
        assert len(kept) == 3
        server.heard.clear()  # a server that lost everything it was told so far
        server.stores = True
        with edge_process(mosquitto.port, tmp_path / "state") as process:
            wait_until(lambda: all(len(server.runs.get(r, ())) >= c for r, c in kept.items()))
            # What waited for the connection comes after what is live.
            wait_until(lambda: len(server.runs) == 4 and not gaps(server))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        assert_gap_free(server)
        wait_until(lambda: not server.statuses[-1].online)


def test_the_last_will_says_offline_when_the_edge_is_killed(mosquitto, tmp_path):
    heard: list[Inbound] = []
    where = topics.status("main", "k7", "pc")
    listener = Connection(
        BrokerSettings(port=mosquitto.port),
        client_id="listener",
        subscriptions=(where,),
        on_message=heard.append,
    )
    listener.start()
    listener.wait_connected(60)
    with edge_process(mosquitto.port, tmp_path / "state"):
        wait_until(lambda: heard and codec.decode(heard[-1].payload, StatusMessage).online)
    wait_until(lambda: not codec.decode(heard[-1].payload, StatusMessage).online)
    listener.stop()


async def test_a_server_absent_before_its_first_subscription(mosquitto, run_edge):
    """The broker confirms every window and keeps none: nobody has subscribed yet."""
    async with run_edge(mosquitto.port, BOTH) as edge:
        await wait_until_async(lambda: edge.process.report()["windows"] >= 6)
        await wait_until_async(lambda: edge.process.report()["unsent"] == 0)
        assert edge.process.report()["held"] >= 6  # confirmed is not delivered
        with StandIn(mosquitto.port) as server:
            await wait_until_async(
                lambda: edge.process.report()["held"] <= 1 and len(server.windows) >= 6
            )
            assert_gap_free(server)


async def test_a_broker_killed_with_what_it_had_queued(mosquitto, run_edge):
    server = StandIn(mosquitto.port).start()
    try:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until_async(lambda: len(server.windows) >= 2)
            server.stop()  # the session stays: the broker queues for it
            before = edge.process.report()["windows"]
            await wait_until_async(lambda: edge.process.report()["windows"] >= before + 4)
            mosquitto.kill()
            await asyncio.to_thread(mosquitto.start)
            server.start()
            await wait_until_async(
                lambda: edge.process.report()["connected"] and edge.process.report()["held"] <= 1,
            )
            total = edge.process.report()["windows"]
        (numbers,) = server.runs.values()
        assert numbers[: total - 1] == list(range(total - 1))
    finally:
        server.stop()


async def test_a_frozen_broker_delays_and_loses_nothing(mosquitto, run_edge):
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until_async(lambda: len(server.windows) >= 2)
            mosquitto.pause()
            before = edge.process.report()["windows"]
            await wait_until_async(lambda: edge.process.report()["windows"] >= before + 4)
            mosquitto.resume()
            await wait_until_async(lambda: edge.process.report()["held"] <= 1)
        assert_gap_free(server)


async def test_a_server_that_forgets_to_store_is_told_again(mosquitto, run_edge, monkeypatch):
    sent_s: defaultdict[int, list[float]] = defaultdict(list)
    send = SendPlan.sent

    def noted(plan: SendPlan, key: Key, now_s: float) -> None:
        sent_s[key.seq].append(now_s)
        send(plan, key, now_s)

    monkeypatch.setattr(SendPlan, "sent", noted)
    with StandIn(mosquitto.port, stores=False) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until_async(lambda: len(server.windows) >= 3)
            server.heard.clear()
            server.stores = True
            await wait_until_async(lambda: edge.process.report()["held"] <= 1)
        # Not a flood either: once in `resend_after_s`, by the edge's own clock.
        pauses_s = [b - a for times in sent_s.values() for a, b in pairwise(times)]
        assert pauses_s
        assert min(pauses_s) >= RESEND_AFTER_S
        assert all(count <= len(sent_s[seq]) for (_, _, seq), count in server.heard.items())
        assert_gap_free(server)
