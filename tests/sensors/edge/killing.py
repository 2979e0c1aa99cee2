"""Kill the edge again and again at random moments; say what became of what it had promised."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.rig.waiting import wait_until
from tests.sensors.edge.standin import StandIn

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Outcome:
    """Of all windows of all runs.

    Parameters
    ----------
    promised : int
        Windows whose commitment to the outbox the edge lived to tell.
    lost : int
        Of these, those that never reached the server.
    two_faced : int
        Numbers under which two different windows came: one would be taken for
        the other's repetition.
    stopped_in_start : int
        Kills before the run's first window.
    """

    kills: int
    promised: int
    lost: int
    two_faced: int
    stopped_in_start: int


def edge(port: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start a fast edge whose promises go into ``folder/promised``."""
    given = [str(port), str(folder / "state"), str(folder / "promised")]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sensors.edge.fast_edge", *given],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def promises(folder: Path) -> dict[tuple[str, int], str]:
    """Return the end of each promised window; a line that was cut short was no promise."""
    path = folder / "promised"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = [line.split() for line in lines if line.endswith("\n")]
    return {(run, int(seq)): end for run, seq, end in whole}


def kill_again_and_again(
    port: int, folder: Path, kills: int, luck: random.Random, *, patience_s: float = 60.0
) -> Outcome:
    """Start and kill `kills` times with a server listening, then let one edge finish the rest."""
    in_start = 0
    with StandIn(port) as server:
        # Moments are dealt over twice what a start takes here and now, however busy the machine.
        start_s = _start_s(port, folder, patience_s)
        for _ in range(kills):
            before = len(promises(folder))
            process = edge(port, folder)
            time.sleep(luck.uniform(0.0, 2 * start_s))
            process.send_signal(signal.SIGKILL)
            process.wait()
            in_start += len(promises(folder)) == before
        process = edge(port, folder)
        try:
            wait_until(lambda: not _missing(folder, server), timeout=patience_s)
        except AssertionError:
            pass  # what is missing is the result
        finally:
            process.terminate()
            process.wait(60)
        promised = promises(folder)
        ends: dict[tuple[str, int], set[str]] = {key: {end} for key, end in promised.items()}
        for window in list(server.every):
            ends.setdefault((window.run, window.seq), set()).add(window.window_end_at.isoformat())
        return Outcome(
            kills=kills,
            promised=len(promised),
            lost=len(_missing(folder, server)),
            two_faced=sum(len(found) > 1 for found in ends.values()),
            stopped_in_start=in_start,
        )


def _start_s(port: int, folder: Path, patience_s: float) -> float:
    """Return how long a start takes up to the first promise; that edge is killed, too. [s]"""
    began_s = time.monotonic()
    process = edge(port, folder)
    try:
        wait_until(lambda: bool(promises(folder)), timeout=patience_s)
        return time.monotonic() - began_s
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _missing(folder: Path, server: StandIn) -> list[tuple[str, int]]:
    return [(run, seq) for run, seq in promises(folder) if ("k7", run, seq) not in server.heard]
