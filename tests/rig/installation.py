"""A whole installation in a directory: its files, and its processes as a person starts them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analytics.store.base import Query, Row
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement
from analytics.watching.status import read_status
from sensors.edge.control.control import ask
from sensors.errors import StateError, StoreError
from sensors.recording import write_recording
from sensors.simulated import Episode, Simulation
from tests.rig.waiting import wait_until

SITE = "here"


class Installation:
    """Configuration, teams and the commands of one site.

    Parameters
    ----------
    directory : Path
        Empty; everything is kept below it.
    broker_port : int
    agents : sequence of str
        All in one team, `billing`.
    influx_url : str, optional
        Of an InfluxDB; else the embedded store is used.
    """

    def __init__(
        self, directory: Path, broker_port: int, agents: Sequence[str], influx_url: str = ""
    ) -> None:
        self.directory = directory
        self.config = directory / "wellbeing.toml"
        self.teams = directory / "teams.toml"
        self.server_dir = directory / "server"
        self.edge_dir = directory / "edges"
        self.store_path = directory / "store.sqlite"
        self._running: list[subprocess.Popen[bytes]] = []
        listed = ", ".join(f'"{agent}"' for agent in agents)
        self.teams.write_text(
            f'[billing]\nsupervisors = ["ana"]\ntime_zone = "UTC"\n'
            f"valid_from = 2020-01-01\nagents = [{listed}]\n"
        )
        store = (
            f'kind = "influxdb"\nurl = "{influx_url}"'
            if influx_url
            else f'kind = "embedded"\npath = "{self.store_path}"'
        )
        self.config.write_text(
            f'[broker]\nport = {broker_port}\n[store]\n{store}\n[policy]\nprofile = "general"\n'
            f'[server]\nsite = "{SITE}"\nstate_dir = "{self.server_dir}"\nteams = "{self.teams}"\n'
            f'[edge]\nsite = "{SITE}"\nstate_dir = "{self.edge_dir}"\n'
            f'[dashboard]\nsite = "{SITE}"\nsupervisor = "ana"\nteams = "{self.teams}"\n'
        )

    def start(self, verb: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start ``wellbeing VERB --config ... ARGUMENTS``; its output goes to ``VERB.log``."""
        log = (self.directory / f"{verb}.log").open("ab")
        process = subprocess.Popen(
            self._command(verb, arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        self._running.append(process)
        return process

    def run(self, verb: str, *arguments: str, timeout: float = 120.0) -> str:
        """Run it to its end, which must be a good one, and return what it printed."""
        done = subprocess.run(
            self._command(verb, arguments),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"wellbeing {verb}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def start_server(self) -> subprocess.Popen[bytes]:
        """Start ``wellbeing detect`` and return once it has subscribed."""
        process = self.start("detect")
        wait_until(
            lambda: process.poll() is not None or self._is_served_by(process.pid),
            timeout=60,
            what="the server connects",
        )
        assert process.poll() is None, (self.directory / "detect.log").read_text()
        return process

    def _is_served_by(self, pid: int) -> bool:
        """Return whether the server says so; asked here, not by a process for every look."""
        try:
            service = read_status(self.server_dir, datetime.now(UTC)).service
        except StateError:  # nothing there yet, or half of it
            return False
        return service.get("pid") == pid and service.get("broker") == "connected"

    def status(self) -> dict[str, object]:
        """Return ``wellbeing status --json``."""
        found = json.loads(self.run("status", "--json"))
        assert isinstance(found, dict)
        return found

    def report(self, agent: str) -> dict[str, Any]:
        """Return what the running edge of `agent` says at its own door; nothing until it answers."""
        for door in (self.edge_dir / SITE / agent).glob("control-*.json"):
            with contextlib.suppress(StateError):
                return ask(door, "status") or {}
        return {}

    def rows(self, measurement: Measurement) -> list[Row]:
        """Return what the embedded store has; nothing while it is still being made."""
        try:
            store = EmbeddedStore(self.store_path, read_only=True)
        except StoreError:
            return []
        try:
            return list(store.read(Query(measurement=measurement, site=SITE)))
        finally:
            store.close()

    def stop_all(self) -> None:
        """End whatever still runs, politely first."""
        for process in reversed(self._running):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._running:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _command(self, verb: str, arguments: Sequence[str]) -> list[str]:
        config = ("--config", str(self.config))
        # `edge` takes it before its subcommands, the others after theirs.
        words = (*config, *arguments) if verb == "edge" else (*arguments, *config)
        return [sys.executable, "-m", "wellbeing", verb, *words]


def simulated_recording(path: Path, seed: int, minutes: int, episode: Episode | None) -> Path:
    """Write a labelled recording of a person who does not exist; return its path."""
    tracks = Simulation(seed, (episode,) if episode else ()).advance(60 * minutes)
    rows = [
        (float(t_s), name, float(value))
        for name, (times, values) in tracks.items()
        for t_s, value in zip(times, values, strict=True)
    ]
    rows.append((0.0, "label", 0.0))
    if episode:
        start_s = episode.start_s
        rows.append((start_s, "label", 1.0))
        rows.append((start_s + episode.hold_s + 2 * episode.ramp_s, "label", 0.0))
    write_recording(path, sorted(rows, key=lambda row: row[0]))
    return path


def shared_recordings() -> list[Path]:
    """Return recordings of real people beside the checkout, where there are any."""
    folder = Path(__file__).parents[3] / "shared" / "data" / "strain"
    return sorted(folder.glob("*.csv.gz")) if os.access(folder, os.R_OK) else []
