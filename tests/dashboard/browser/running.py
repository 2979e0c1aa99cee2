"""The dashboard as a process of its own, with a real broker and a real store behind it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from analytics.store.embedded import EmbeddedStore
from sensors import codec, topics
from sensors.messages import DecisionMessage
from tests.dashboard.floors import (
    SITE,
    Server,
    answer,
    keep_alive,
    strained_hour,
    utc_now,
    write_files,
)
from tests.rig import Mosquitto, free_port
from tests.rig.process import answers_http
from tests.rig.waiting import wait_until

STATES = {
    "k1": "different",
    "k2": "as_usual",
    "k3": "as_usual",
    "k4": "learning",
    "k6": "as_usual",
    "k7": "as_usual",
}


@dataclass
class Floor:
    """A running dashboard with everything behind it."""

    url: str
    server: Server
    mosquitto: Mosquitto
    store: EmbeddedStore
    process: subprocess.Popen[str]

    def decisions(self, count: int) -> list[DecisionMessage]:
        """Return what the server heard once there are `count`; what came twice counts once."""

        def heard() -> list[DecisionMessage]:
            payloads = self.server.wait_for(topics.decision(SITE))
            found = [codec.decode(payload, DecisionMessage) for payload in payloads]
            return list({message.id: message for message in found}.values())

        return wait_until(lambda: len(heard()) >= count and heard(), what=f"{count} decisions")


class Heartbeat:
    """Writes fresh scores as a server would, until stopped."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(1.0):
            keep_alive(self._store, STATES, utc_now())

    def stop(self) -> None:
        """End."""
        self._end.set()
        self._thread.join()


@contextmanager
def running_floor(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Floor]:
    """Run a dashboard of a small floor; the caller stands in for the server."""
    write_files(tmp_path)
    store = EmbeddedStore(tmp_path / "store.sqlite")
    store.write(strained_hour("k1", utc_now()))
    store.write([answer(f"k{n}", utc_now(), yes=n > 1) for n in range(1, 6)])
    keep_alive(store, STATES, utc_now())
    heartbeat = Heartbeat(store)
    port = free_port()
    (tmp_path / "wellbeing.toml").write_text(
        f'[broker]\nport = {mosquitto.port}\n[store]\npath = "{tmp_path}/store.sqlite"\n'
        f'[dashboard]\nsite = "{SITE}"\nsupervisor = "ana"\nport = {port}\n'
        f'teams = "{tmp_path}/teams.toml"\nroster = "{tmp_path}/roster.toml"\n'
    )
    command = [sys.executable, "-m", "wellbeing", "dashboard", "--config"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "wellbeing.toml")],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONWARNINGS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    server = Server(mosquitto.port)
    try:
        wait_until(lambda: answers_http(port, "/_stcore/health"), what="the dashboard")
        yield Floor(f"http://127.0.0.1:{port}/", server, mosquitto, store, process)
    finally:
        server.stop()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()
            process.stdout.close()
            heartbeat.stop()
            store.close()
