"""How one Ctrl-C ends all parts: each has the time it needs, and impatience is heard."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sensors import processes
from sensors.edge.running import ending
from sensors.processes import Children, Stop, StoppedError, stopping
from tests.rig.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(600)"


def test_whoever_started_an_edge_waits_longer_than_the_edge_takes_to_end_itself() -> None:
    """Killed before its own last resort it could not say goodbye, or what was lost."""
    assert processes._END_WITHIN_S > ending.END_WITHIN_S + ending._WORDS_WITHIN_S


def deaf(folder: Path, stop: Stop) -> tuple[Children, "subprocess.Popen[bytes]"]:
    children = Children(folder, stop)
    child = children.start("deaf", ["-c", DEAF], {})
    wait_until(lambda: child.log.stat().st_size, what="the part")
    return children, child.process


def test_a_second_ctrl_c_ends_a_part_that_hangs_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "_END_WITHIN_S", 3600.0)
    monkeypatch.setattr(processes, "_SAID_AFTER_S", 0.1)
    stop = Stop()
    children, process = deaf(tmp_path, stop)
    stop.ask(signal.SIGINT)
    ending_it = threading.Thread(target=children.end, daemon=True)
    ending_it.start()
    said = ""

    def is_said() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "still ending: deaf" in said

    wait_until(is_said, what="what is slow")
    assert process.poll() is None
    stop.ask(signal.SIGINT)
    ending_it.join(PATIENCE_S)
    assert not ending_it.is_alive()
    assert process.poll() == -signal.SIGKILL


def test_a_part_that_does_not_end_in_time_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_END_WITHIN_S", 0.2)
    children, process = deaf(tmp_path, Stop())
    children.end()
    assert process.poll() == -signal.SIGKILL


def test_a_closed_terminal_sends_two_signals_and_that_is_no_impatience() -> None:
    with stopping() as stop:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        assert not stop.is_urgent
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_urgent
        with pytest.raises(StoppedError) as stopped:
            stop.check()
    assert stopped.value.number == signal.SIGTERM


def test_the_third_ctrl_c_ends_everything_without_a_traceback() -> None:
    script = (
        "import signal\nfrom sensors.processes import stopping\nwith stopping():\n"
        "    for _ in range(3):\n        signal.raise_signal(signal.SIGINT)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (ended.returncode, ended.stderr) == (130, b"")
