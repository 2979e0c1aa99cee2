"""V1, V2: cost of the voice features, and of the first ones in a fresh process.

Synthetic sentences, 16 kHz mono, 5-s windows, one thread; the peers compute
the same windows in the same run. V2 starts a new Python for every value, with
no compiled numba cache to be found, and takes the median.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

# ruff: noqa: E402 - threads are counted when NumPy is imported
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import _voice_peers as peers
from benchmarks._voices import RATE, sentence
from sensors.voice.features import extract

IDS = ("V1", "V2.time", "V2.memory")
WINDOW_S = 5.0
Work = Callable[[NDArray[np.float32], int], object]

FRESH = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
at = np.arange(80_000) / 16_000
noise = np.random.default_rng(1).standard_normal(80_000)
sound = (0.1 * np.sin(2 * np.pi * 150 * at) + 0.05 * np.sin(2 * np.pi * 450 * at)).astype("f4")
sound += (0.001 * noise).astype("f4")
{work}
import os
# The peak of this program alone: getrusage also counts the parent it was forked from.
status = "/proc/self/status"
if os.path.exists(status):
    print(next(l.split()[1] for l in open(status) if l.startswith("VmHWM")))
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / 1024 if sys.platform == "darwin" else peak)
"""
FIRST = {
    "ours": "from sensors.voice.features import extract; extract(sound, 16_000)",
    "openSMILE eGeMAPSv02": "from benchmarks._voice_peers import opensmile; opensmile(sound, 16_000)",
    "Praat": "from benchmarks._voice_peers import praat_whole; praat_whole(sound, 16_000)",
    "librosa.yin": "from benchmarks._voice_peers import librosa_yin; librosa_yin(sound, 16_000)",
}
MODULES = {
    "openSMILE eGeMAPSv02": "opensmile",
    "Praat": "parselmouth",
    "librosa.yin": "librosa",
}


def factor(work: Work, windows: list[NDArray[np.float32]], rounds: int) -> float:
    """Return CPU time over sound time, the best of `rounds`."""
    work(windows[0], RATE)
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for window in windows:
            work(window, RATE)
        best = min(best, time.process_time() - start)
    return best / (WINDOW_S * len(windows))


def first(work: str, times: int) -> tuple[float, float]:
    """Return seconds and MB until a fresh process has its first features."""
    seconds, megabytes = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as empty:
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", FRESH.format(root=str(ROOT), work=work)],
                env={**os.environ, "NUMBA_CACHE_DIR": empty},
                check=True,
                capture_output=True,
                text=True,
            )
            seconds.append(time.perf_counter() - start)
        megabytes.append(float(done.stdout.split()[-1]) / 1024)
    return statistics.median(seconds), statistics.median(megabytes)


def say(figure: str, unit: str, value: float, peer: tuple[str, float], n: int) -> None:
    """Print one result."""
    line = {
        "id": figure,
        "value": round(value, 5),
        "unit": unit,
        "peer": {"name": peer[0], "value": round(peer[1], 5)},
        "ratio": round(peer[1] / value, 2),
        "n": n,
    }
    print(json.dumps(line), flush=True)


def main() -> int:
    """Print one JSON object per figure and peer; a ratio above 1 is in our favour."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    n, rounds, starts = (4, 3, 2) if quick else (20, 5, 5)
    windows = [sentence(seed, WINDOW_S) for seed in range(n)]
    works: dict[str, Work] = {
        "openSMILE eGeMAPSv02": peers.opensmile,
        "Praat": peers.praat_whole,
        "librosa.yin": peers.librosa_yin,
    }
    present = [name for name, module in MODULES.items() if peers.installed(module)]
    for name in present:
        ours, theirs = factor(extract, windows, rounds), factor(works[name], windows, rounds)
        say("V1", "s/s", ours, (name, theirs), n)
    ours_s, ours_mb = first(FIRST["ours"], starts)
    for name in present:
        if quick and name == "librosa.yin":
            continue  # it compiles for half a minute
        seconds, megabytes = first(FIRST[name], 1 if name == "librosa.yin" else starts)
        say("V2.time", "s", ours_s, (name, seconds), starts)
        say("V2.memory", "MB", ours_mb, (name, megabytes), starts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
