"""TRUST T6, T8, T9: capture ends when it must, and asking works with no sensor at all."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from analytics.store.points import Measurement
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.edge.consent.shift import Shift
from sensors.edge.control.control import ask
from sensors.messages import Absence, ContextMessage, ContextState, NoticeKind, NoticeMessage
from sensors.mqtt import Connection
from sensors.signals import Channel
from tests.rig.installation import SITE, Installation
from tests.rig.waiting import wait_until, wait_until_async
from tests.sensors.edge.conftest import FastTime
from tests.sensors.edge.running.test_faults import edge_process
from tests.sensors.edge.scripted import Scripted
from tests.sensors.edge.standin import StandIn

pytestmark = pytest.mark.needs("mosquitto")

BOTH = (Channel.HEART, Channel.KEYBOARD)


async def test_withdrawing_ends_capture_by_the_answer_and_deletes_nothing_sent(
    mosquitto, run_edge, tmp_path
):
    control = tmp_path / "state" / "main" / "k7" / "control-pc.json"
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until_async(lambda: server.windows and server.windows[-1].heart)
            report = await asyncio.to_thread(ask, control, "withdraw", ("heart",))
            # T6 asks for five seconds. By the time the command has answered nothing more is taken
            # in, so however slow the machine is, no window that begins after it holds any.
            withdrawn_at = edge.process.now_at()
            assert report is not None
            assert report["consent"] == ["keyboard"]
            assert report["channels"]["heart"] == "withheld"
            await wait_until_async(
                lambda: (
                    [one.channels for one in Scripted.opened if one.is_open] == [{Channel.KEYBOARD}]
                )
            )
            await wait_until_async(lambda: server.consents[-1].channels == (Channel.KEYBOARD,))
            await wait_until_async(lambda: len(server.since(withdrawn_at)) >= 3)
            for window in server.since(withdrawn_at):
                assert window.heart is None
                assert window.absent[Channel.HEART] is Absence.WITHHELD
            # Only what was named; the collector was opened anew without it.
            await wait_until_async(lambda: server.since(withdrawn_at)[-1].keyboard is not None)


async def test_the_end_of_the_shift_ends_capture_by_the_clock(mosquitto, run_edge):
    """T8: windows of half a second, clocks ten times as fast, and set forward to just before it."""
    times = FastTime()
    now = times.wall_at().astimezone()
    begin = now - timedelta(hours=2)
    end = (now + timedelta(minutes=15)).replace(second=0, microsecond=0)
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    shift = Shift(days=days, start=f"{begin:%H:%M}", end=f"{end:%H:%M}")
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH, times=times, shifts=(shift,)):
            await wait_until_async(lambda: server.windows and server.windows[-1].heart)
            assert Scripted.opened[-1].is_open
            times.set_by = end - timedelta(seconds=20) - times.true_at()
            await wait_until_async(lambda: not Scripted.opened[-1].is_open)
            assert times.wall_at() >= end
            count = len(server.windows)
            await wait_until_async(lambda: len(server.windows) >= count + 2)
        assert max(w.window_end_at for w in server.windows if w.heart is not None) <= end


async def test_a_notice_waits_for_the_end_of_the_call_and_comes_at_most_twice_a_shift(
    mosquitto, run_edge
):
    """TRUST A6: over a real broker, across a restart of the edge."""

    def tell(server, where, message) -> None:
        server.connection.publish(where, codec.encode(message))

    def notice(number: int, kind: NoticeKind = NoticeKind.ALERT_TOLD) -> NoticeMessage:
        at = FastTime().wall_at()
        return NoticeMessage(
            id=f"notice{number:04d}", at=at, kind=kind, alert_id=f"alert{number:04d}", by="ana"
        )

    def said(edge) -> list[str]:
        return [line for line in edge.lines if "differ from your own usual" in line]

    where, context = topics.notice("main", "k7"), topics.context("main", "k7")
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until_async(lambda: server.windows)
            at = edge.process.now_at()
            tell(server, context, ContextMessage(at=at, state=ContextState.ON_CALL))
            tell(server, where, notice(1))
            tell(server, where, notice(2, NoticeKind.LOOKED))
            # Looking needs no moment of its own: when it is counted, the first has arrived.
            await wait_until_async(lambda: edge.process.report()["on_page"] == 1)
            assert said(edge) == []
            tell(server, context, ContextMessage(at=at, state=ContextState.WRAP_UP))
            await wait_until_async(lambda: len(said(edge)) == 1)
            assert "If you do nothing" in said(edge)[0]
            tell(server, where, notice(1))  # told again by a broker that is not sure
            tell(server, where, notice(3))
            await wait_until_async(lambda: len(said(edge)) == 2)
        async with run_edge(mosquitto.port, BOTH) as edge:
            await wait_until_async(lambda: edge.process.report()["connected"])
            tell(server, where, notice(4))
            await wait_until_async(lambda: edge.process.report()["on_page"] == 1)
            assert said(edge) == []
            assert not [line for line in edge.lines if "looked" in line]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_logging_off_or_closing_the_terminal_is_a_goodbye(mosquitto, tmp_path, ending):
    """T8: it stops on log-off; and T7: what ends so is no fault."""
    with (
        StandIn(mosquitto.port) as server,
        edge_process(mosquitto.port, tmp_path / "state") as process,
    ):
        wait_until(lambda: server.windows)
        process.send_signal(ending)
        assert process.wait(60) == 0
        wait_until(lambda: not server.statuses[-1].online)
        assert server.statuses[-1].goodbye


@pytest.fixture
def installation(tmp_path: Path, mosquitto) -> Iterator[Installation]:
    site = Installation(tmp_path, mosquitto.port, ["k1", "k2"])
    yield site
    site.stop_all()


def test_help_now_and_break_please_work_without_any_sensor_and_come_first(
    installation: Installation, mosquitto
):
    """T9: an edge with no collector at all and an agent who refused everything, real processes."""
    alerts: dict[str, dict] = {}

    def heard(inbound) -> None:
        if inbound.payload:
            alerts[inbound.topic] = json.loads(inbound.payload)

    listener = Connection(
        BrokerSettings(port=mosquitto.port),
        client_id="listener",
        subscriptions=topics.dashboard_subscriptions(SITE),
        on_message=heard,
    )
    listener.start()
    installation.start_server()
    refused = ("--collector", "simulated", "--consent", "none")
    for agent, options in (("k1", ()), ("k2", refused)):
        installation.start("edge", "--agent", agent, *options)
    for agent, what in (("k1", "help_now"), ("k2", "break_please")):
        wait_until(lambda a=agent: installation.report(a).get("connected"))
        said = installation.run("edge", "--agent", agent, "ask", what)
        assert agent in said
    wait_until(
        lambda: [a["state"] for a in list(alerts.values())] == ["firing"] * 2, what="both are told"
    )
    listener.stop()
    found = {(a["agent"], a["kind"], a["request"], a["state"]) for a in alerts.values()}
    assert found == {
        ("k1", "request", "help_now", "firing"),
        ("k2", "request", "break_please", "firing"),
    }
    assert all(a["told_to"] == ["ana"] for a in alerts.values())
    # Of the one who refused, windows came, and not one byte was measured.
    rows = wait_until(lambda: installation.rows(Measurement.READING))
    values = {name for row in rows for name in row.fields}
    assert not {n for n in values if not n.startswith("absent_")} - {
        "run", "seq", "utc_offset_min", "late",
    }  # fmt: skip
