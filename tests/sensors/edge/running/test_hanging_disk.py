"""A disk that hangs, as a network home folder does: nobody waits for it but what must."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sensors.edge.control.control import ask
from sensors.errors import StateError
from tests.rig.waiting import wait_until
from tests.sensors.edge.running.test_faults import assert_gap_free
from tests.sensors.edge.standin import StandIn

ROOT = Path(__file__).parents[4]

HURRIED = """
import sys
from sensors.edge.outbox import keeping
from sensors.edge.running import ending
# The goodbye and the look for the last word take 5 s at most before it.
ending.END_WITHIN_S, keeping._LAST_WITHIN_S = 8.0, 0.5
from wellbeing import main
sys.argv = ["wellbeing", "edge", *sys.argv[1:]]
raise SystemExit(main())
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shim") / "hang.so"
    source = Path(__file__).with_name("hang.c")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", made, source, "-ldl"],
        check=True,
    )
    return made


class Edge:
    """An edge as it is started in earnest, on a disk that hangs while `hangs` is there."""

    def __init__(self, port: int, folder: Path, shim: Path, *program: str) -> None:
        self.state, self.hangs, self.log = folder / "state", folder / "hangs", folder / "log"
        self.control = self.state / "main" / "k7" / "control-pc.json"
        environ = {
            **os.environ,
            "LD_PRELOAD": str(shim),
            "HANG_UNDER": str(self.state),
            "HANG_WHILE": str(self.hangs),
        }
        command = [
            sys.executable, *program, "--agent", "k7", "--source", "pc",
            "--broker", f"127.0.0.1:{port}", "--state-dir", str(self.state),
            "--collector", "simulated", "--consent", "heart", "--record", str(self.state / "own.csv"),
        ]  # fmt: skip
        self.state.mkdir(exist_ok=True)
        (self.state / "own.csv").unlink(missing_ok=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def report(self) -> dict | None:
        return ask(self.control, "status")


@contextmanager
def running(port: int, folder: Path, shim: Path, *program: str) -> Iterator[Edge]:
    edge = Edge(port, folder, shim, *program)
    try:
        yield edge
    finally:
        edge.hangs.unlink(missing_ok=True)
        edge.process.kill()
        edge.process.wait(60)


@pytest.mark.needs("mosquitto", "gcc")
@pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")
def test_a_disk_that_hangs_keeps_neither_the_microphone_open_nor_the_program_alive(
    mosquitto, tmp_path: Path, shim: Path
) -> None:
    """T6 and Ctrl-C: the agent's word is obeyed, the end comes, what was promised is there."""
    with StandIn(mosquitto.port) as server:
        with running(mosquitto.port, tmp_path, shim, "-c", HURRIED) as edge:
            wait_until(lambda: len(server.windows) >= 2)
            edge.hangs.touch()
            with pytest.raises(StateError, match="not written down yet: the disk does not answer"):
                ask(edge.control, "pause")
            # It answers all the same, and says that nothing is measured.
            assert edge.report()["stopped_because"] == ["paused"]
            windows = edge.report()["windows"]
            edge.process.send_signal(signal.SIGINT)
            assert edge.process.wait(60) == StateError.exit_code
            assert edge.report() is None
            assert "the disk does not answer, so this ends without it" in edge.said
            assert "Traceback" not in edge.said
            wait_until(lambda: not server.statuses[-1].online)
            assert server.statuses[-1].goodbye
        with running(mosquitto.port, tmp_path, shim, "-m", "wellbeing", "edge") as again:
            wait_until(lambda: len(server.runs) == 2)
            wait_until(lambda: again.report()["held"] <= 1)
            wait_until(lambda: len(server.runs[next(iter(server.runs))]) >= windows)
            again.process.send_signal(signal.SIGINT)
            assert again.process.wait(60) == 0
            assert "does not answer" not in again.said
        assert_gap_free(server)
