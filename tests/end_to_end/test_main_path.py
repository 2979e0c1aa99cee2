"""Recordings travel edge -> Mosquitto -> server -> InfluxDB: each window exactly once, and alert."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analytics.store.settings import StoreSettings
from sensors import topics
from sensors.config import BrokerSettings
from sensors.mqtt import Connection
from sensors.recording import read_recording, windows
from sensors.simulated import Episode
from tests.rig import Mosquitto
from tests.rig.influx import asked, environment
from tests.rig.installation import (
    SITE,
    Installation,
    shared_recordings,
    simulated_recording,
)
from tests.rig.waiting import wait_until

EPISODE = Episode(start_s=900, hold_s=540, ramp_s=30, strength=1.5)
"""Lasts to the end: at 150 times the speed a busy server may see ten minutes in one step."""


@pytest.fixture
def recordings(tmp_path: Path) -> dict[str, Path]:
    """Return agent -> recording: two of real people where present, and two synthetic ones."""
    found = {f"p{n}": path for n, path in enumerate(shared_recordings()[:2], start=1)}
    calm = simulated_recording(tmp_path / "calm.csv.gz", seed=11, minutes=20, episode=None)
    strained = simulated_recording(tmp_path / "strained.csv", seed=12, minutes=25, episode=EPISODE)
    return {**found, "calm": calm, "strained": strained}


@pytest.fixture
def installation(
    tmp_path: Path,
    mosquitto: Mosquitto,
    any_influx: StoreSettings,
    recordings: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Installation]:
    for name, value in environment(any_influx).items():
        monkeypatch.setenv(name, value)
    site = Installation(tmp_path, mosquitto.port, list(recordings), any_influx.url)
    yield site
    site.stop_all()


def test_every_window_arrives_exactly_once_and_the_strained_agent_alerts(
    installation: Installation,
    mosquitto: Mosquitto,
    any_influx: StoreSettings,
    recordings: dict[str, Path],
) -> None:
    alerts: list[bytes] = []
    listener = Connection(
        BrokerSettings(port=mosquitto.port),
        client_id="listener",
        subscriptions=topics.dashboard_subscriptions(SITE),
        on_message=lambda inbound: alerts.append(inbound.payload),
    )
    listener.start()
    listener.wait_connected(60)
    installation.run("store", "init")
    installation.start_server()
    agents = [word for agent in recordings for word in ("--agent", agent)]
    files = [str(path) for path in recordings.values()]
    report = installation.run(
        "replay", *files, *agents, "--site", SITE, "--speed", "150", "--json", timeout=200
    )
    assert json.loads(report)

    for agent, path in recordings.items():
        expected = _expected(path, agent)
        wait_until(
            lambda agent=agent, expected=expected: (
                _count(any_influx, "raw", "reading", agent)
                == _count(any_influx, "derived", "score", agent)
                == len(expected)
            ),
            what=f"all windows and scores of {agent}",
        )
        statement = f"SELECT seq, run, hr_bpm, eda_us FROM reading WHERE agent = '{agent}'"
        rows = asked(any_influx, "raw", statement)
        assert len({row["run"] for row in rows}) == 1
        assert [row["seq"] for row in rows] == list(range(len(expected)))
        for row, message in zip(rows, expected, strict=True):
            sent = None if message.heart is None else message.heart.hr_bpm
            assert row["hr_bpm"] == (None if sent is None else pytest.approx(sent))
        beats = sum(len(m.heart.rr_ms) for m in expected if m.heart is not None)
        wait_until(
            lambda agent=agent, beats=beats: _beats(any_influx, agent) == beats,
            what=f"all beats of {agent}",
        )

    def about_strained() -> list[dict[str, Any]]:
        told = [json.loads(payload) for payload in list(alerts) if payload]
        return [a for a in told if a.get("agent") == "strained" and a["kind"] == "personal"]

    strained = wait_until(about_strained, what="an alert about the strained agent")
    assert len({a["alert_id"] for a in strained}) == 1, "one episode is one alert"
    directions = {c["part"]: c["level"] for c in strained[-1]["contributions"]}
    assert directions.get("heart", 0) > 0 or directions.get("skin", 0) > 0
    listener.stop()
    status = installation.status()
    assert status, status


def _beats(settings: StoreSettings, agent: str) -> int:
    statement = f"SELECT count(rr_ms) AS n FROM beat WHERE agent = '{agent}'"
    rows = asked(settings, "raw", statement)
    return int(rows[0]["n"]) if rows else 0


def _count(settings: StoreSettings, policy: str, measurement: str, agent: str) -> int:
    statement = f"SELECT count(seq) AS n FROM {measurement} WHERE agent = '{agent}'"
    rows = asked(settings, policy, statement)
    return int(rows[0]["n"]) if rows else 0


def _expected(path: Path, agent: str) -> list[Any]:
    """Return the windows of the recording as the offline reader makes them."""
    return list(
        windows(
            read_recording(path),
            site=SITE,
            agent=agent,
            source="replay",
            run="expected1",
            start_at=datetime.now(UTC),
        )
    )
