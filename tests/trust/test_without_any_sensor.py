"""TRUST T9: refusing costs nothing. No channel at all, a real broker and a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.store.points import Measurement
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.messages import Action, DecisionMessage
from sensors.mqtt import Connection, Inbound
from tests.rig.installation import SITE, Installation
from tests.rig.waiting import wait_until

pytestmark = pytest.mark.needs("mosquitto")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installation(tmp_path: Path, mosquitto) -> Iterator[Installation]:
    site = Installation(tmp_path, mosquitto.port, ["k1"])
    site.start_server()
    yield site
    site.stop_all()


class Edge:
    """An edge with no collector, its clock in a hurry, and what it said."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._log = installation.directory / "edge.log"
        command = [sys.executable, "-m", "tests.trust.hurried", "edge"]
        command += ["--config", str(installation.config), "--agent", "k1", "--no-page"]
        hurried = {"WELLBEING_EDGE_BREAK_REMINDER_MIN": "5"}  # seven seconds of ours
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **hurried},
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def do(self, *words: str) -> str:
        return self._installation.run("edge", "--agent", "k1", *words)


@pytest.fixture
def edge(installation: Installation) -> Iterator[Edge]:
    found = Edge(installation)
    wait_until(lambda: "connected to the broker" in found.said)
    yield found
    found.process.send_signal(signal.SIGINT)
    assert found.process.wait(60) == 0, found.said


class Supervisor:
    """A dashboard's eyes and hands."""

    def __init__(self, port: int) -> None:
        self.cards: dict[str, dict[str, object]] = {}
        self._line = Connection(
            BrokerSettings(port=port),
            client_id="supervisor",
            subscriptions=topics.dashboard_subscriptions(SITE),
            on_message=self._hear,
        )
        self._line.start()
        self._line.wait_connected(60)

    def _hear(self, inbound: Inbound) -> None:
        if inbound.payload:
            card = json.loads(inbound.payload)
            self.cards[str(card["request"])] = card

    def take(self, request: str) -> None:
        identity = str(self.cards[request]["alert_id"])
        message = DecisionMessage(
            id="decision1", at=datetime.now(UTC), alert_id=identity, by="ana", action=Action.TAKE
        )
        self._line.publish_and_wait(
            topics.decision(SITE), codec.encode(message), retain=False, timeout_s=60
        )

    def close(self) -> None:
        self._line.stop()


@pytest.fixture
def supervisor(mosquitto) -> Iterator[Supervisor]:
    found = Supervisor(mosquitto.port)
    yield found
    found.close()


def test_reminder_self_report_help_and_break_work_with_no_channel_at_all(
    installation: Installation, edge: Edge, supervisor: Supervisor
) -> None:
    # The break reminder: from the clock alone, in a sentence, with what happens if it is ignored.
    # A pause of the sensors is private and no break: it must not cost the reminder.
    edge.do("pause")
    wait_until(lambda: "minutes without a break" in edge.said)
    assert "If you go on, nothing happens, and nobody is told." in edge.said

    # Help now and Break please: asked, shown to a supervisor, and answered.
    assert "You are told who is coming" in edge.do("ask", "help_now")
    wait_until(lambda: "Your supervisor was told that you asked." in edge.said)
    wait_until(lambda: "help_now" in supervisor.cards)
    supervisor.take("help_now")
    wait_until(lambda: "ana answers you." in edge.said)
    edge.do("ask", "break_please")
    wait_until(lambda: "break_please" in supervisor.cards)
    assert {card["agent"] for card in supervisor.cards.values()} == {"k1"}

    # What one says of oneself is kept, and who said that erasure is there would be wrong.
    edge.do("report", "--demanding", "7", "--recovered", "3")
    edge.do("fine")
    edge.do("different-today")
    assert "You are told here what becomes of it" in edge.do("ask", "erase")
    kept = wait_until(lambda: _kept(installation, 6))
    assert kept["self_report"]["demanding"] == 7
    assert kept["self_report"]["recovered"] == 3
    assert kept["erase"]["effect"] == "recorded"
    assert kept["different_today"]["effect"] == "applied"
    assert kept["fine"]["kind"] == "reply"

    # And of somebody who has no sensor, nothing was measured meanwhile.
    (report,) = json.loads(edge.do("status", "--json"))
    assert report["channels"] == {}
    assert report["consent"] == []
    assert report["windows"] > 0


def _kept(installation: Installation, count: int) -> dict[str, dict[str, object]]:
    """Return what the agent said, as the store has it, by what it was; empty while incomplete."""
    rows = installation.rows(Measurement.DECISION)
    own = [row.fields for row in rows if row.fields["kind"] in {"reply", "request"}]
    return {str(fields["action"]): dict(fields) for fields in own} if len(own) >= count else {}
