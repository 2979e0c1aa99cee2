"""E1, E2, E3: what the edge costs an agent's machine, as a whole process tree.

The real ``wellbeing edge`` with its production collectors, its outbox on disk
and a real Mosquitto, on a desk that is in use: keys and pointer on a virtual X
server (Xvfb, xdotool; read through X RECORD), speech from espeak-ng
on a virtual microphone (PulseAudio, PortAudio), a heartbeat once a second from
a stand-in for the operating system's Bluetooth (`_edge_with_headset.py`).

CPU is user and system time of the edge and all its child processes over the
time it ran, in per cent of one core; memory is their proportional set size
(PSS), the largest sample. Beside them: an idle Python with the modules no
such program can do without, and for E2 openSMILE's features of the same speech.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from sensors.messages import ReadingMessage  # noqa: E402
from tests.rig import Mosquitto, wait_until  # noqa: E402
from tests.rig.display import virtual_display  # noqa: E402
from tests.sensors.edge.standin import StandIn  # noqa: E402
from tests.sensors.voice.sound_desk import running_sound_server  # noqa: E402

IDS = ("E1.cpu", "E1.memory", "E2.cpu", "E2.memory", "E3")

EDGE = (sys.executable, str(ROOT / "benchmarks" / "_edge_with_headset.py"))
IDLE = "import asyncio, json, sqlite3, ssl; asyncio.run(asyncio.sleep(600))"
RATE = 16_000
SPEECH = (
    "Thank you for calling. I have found your order, and I can see what happened. "
    "Let me put that right for you now; it will take a minute, please stay with me."
)
SETTLE_S = 15.0  # imports, the first window, the voice process's start
_SAMPLE_S = 2.0
_MEGA = 1e6


@dataclass
class Cost:
    """Of one run."""

    cpu_percent: float
    pss_mb: float
    rss_mb: float
    processes: int
    window: ReadingMessage


def tree(root: psutil.Process) -> list[psutil.Process]:
    """Return `root` and everything it started that still runs."""
    return [root, *root.children(recursive=True)]


def cpu_s(root: psutil.Process) -> float:
    """Return the CPU time of the tree, ended children included. [s]."""
    total = 0.0
    for process in tree(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
            total += times.children_user + times.children_system
    return total


def memory_mb(root: psutil.Process) -> tuple[float, float, int]:
    """Return PSS and RSS of the tree and the number of its processes. [MB]."""
    pss = rss = 0.0
    found = tree(root)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            pss += memory.pss
            rss += memory.rss
    return pss / _MEGA, rss / _MEGA, len(found)


@contextlib.contextmanager
def repeating(commands: list[list[str]], environ: dict[str, str]) -> Iterator[None]:
    """Run `commands` one after the other, again and again, while inside."""
    ended = threading.Event()

    def run() -> None:
        for command in itertools.cycle(commands):
            if ended.is_set():
                return
            subprocess.run(command, env=environ, check=False, stderr=subprocess.DEVNULL)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)


def hands() -> list[list[str]]:
    """Return what a busy pair of hands does: eight keys a second, then the pointer at 50 Hz."""
    moves: list[str] = []
    for n in range(120):
        moves += ["mousemove", str(200 + 5 * n), str(300 + (n * 7) % 200), "sleep", "0.02"]
    return [
        ["xdotool", "type", "--delay", "125", "the customer would like to change the address"],
        ["xdotool", *moves, "click", "1"],
    ]


@contextlib.contextmanager
def edge(
    port: int, folder: Path, environ: dict[str, str], *, voice: bool
) -> Iterator[psutil.Process]:
    """Run the edge with its channels on."""
    config = folder / "edge.toml"
    config.write_text(
        f'[broker]\nport = {port}\n[policy]\nprofile = "general"\n'
        "[edge.options.heart_rate]\nallow_unencrypted = true\n"
        "[edge.options.voice]\nallow_monitor = true\n"
    )
    collectors = ["heart_rate", "hid", *(["voice"] if voice else [])]
    channels = "heart,keyboard,pointer" + (",voice" if voice else "")
    given = [f"--collector={name}" for name in collectors]
    process = subprocess.Popen(
        [*EDGE, "edge", "--config", str(config), "--agent", "k7", "--source", "pc",
         "--state-dir", str(folder / "state"), "--consent", channels, *given],
        env=os.environ | environ,
    )  # fmt: skip
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def measured(server: StandIn, root: psutil.Process, seconds: float, *, voice: bool) -> Cost:
    """Return what the tree of `root` cost over `seconds`, once every channel delivers."""

    def delivers() -> bool:
        window = server.windows[-1] if server.windows else None
        wanted = ("heart", "keyboard", "pointer", *(("voice",) if voice else ()))
        return window is not None and all(getattr(window, name) for name in wanted)

    wait_until(delivers, timeout=60)
    time.sleep(SETTLE_S)
    began_s, used_s = time.monotonic(), cpu_s(root)
    samples = []
    while time.monotonic() - began_s < seconds:
        time.sleep(_SAMPLE_S)
        samples.append(memory_mb(root))
    share = (cpu_s(root) - used_s) / (time.monotonic() - began_s)
    pss, rss, processes = max(samples)
    return Cost(100 * share, pss, rss, processes, server.windows[-1])


def idle() -> tuple[float, float]:
    """Return CPU and memory of a Python that does nothing. [%, MB]."""
    with subprocess.Popen([sys.executable, "-c", IDLE]) as process:
        root = psutil.Process(process.pid)
        time.sleep(2)
        began_s, used_s = time.monotonic(), cpu_s(root)
        time.sleep(3)
        share = 100 * (cpu_s(root) - used_s) / (time.monotonic() - began_s)
        pss, _, _ = memory_mb(root)
        process.kill()
    return share, pss


def opensmile_percent(speech: Path) -> float | None:
    """Return the share of a core that openSMILE's eGeMAPS takes on `speech`. [%]."""
    try:
        opensmile = importlib.import_module("opensmile")
    except ImportError:
        return None
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    signal, rate = importlib.import_module("soundfile").read(speech)
    smile.process_signal(signal[: 5 * rate], rate)
    began_s = time.process_time()
    smile.process_signal(signal, rate)
    return 100 * (time.process_time() - began_s) / (len(signal) / rate)


def speak(folder: Path) -> Path:
    """Return a file of espeak-ng's speech at the microphone's rate."""
    raw, path = folder / "espeak.wav", folder / "speech.wav"
    subprocess.run(["espeak-ng", "-w", str(raw), SPEECH], check=True)
    subprocess.run(["sox", str(raw), "-r", str(RATE), "-c", "1", str(path)], check=True)
    return path


def report(figure: str, value: float, unit: str, n: int, peer: Any = None, **more: Any) -> None:
    """Print one result."""
    line = {"id": figure, "value": round(value, 3), "unit": unit, "n": n, **more}
    if peer is not None and peer[1] is not None:
        line["peer"] = {"name": peer[0], "value": round(peer[1], 3)}
        line["ratio"] = round(value / peer[1], 2) if peer[1] else None
    print(json.dumps(line), flush=True)


def costs(port: int, folder: Path, environ: dict[str, str], seconds: float) -> None:
    """Print E1 and E2."""
    idle_cpu, idle_mb = idle()
    speech = speak(folder)
    heard: Any = contextlib.nullcontext()
    for figure, voice in (("E1", False), ("E2", True)):
        if voice:
            heard = repeating([["paplay", "--device=desk", str(speech)]], os.environ | environ)
        with (
            StandIn(port) as server,
            repeating(hands(), os.environ | environ),
            heard,
            edge(port, folder, environ, voice=voice) as root,
        ):
            cost = measured(server, root, seconds, voice=voice)
        smile = ("openSMILE eGeMAPSv02, features only", opensmile_percent(speech))
        peer = smile if voice else ("idle Python", idle_cpu)
        report(f"{figure}.cpu", cost.cpu_percent, "% of a core", round(seconds), peer)
        report(
            f"{figure}.memory",
            cost.pss_mb,
            "MB PSS",
            round(seconds),
            ("idle Python", idle_mb),
            rss_mb=round(cost.rss_mb, 1),
            processes=cost.processes,
        )


def starts(port: int, folder: Path, environ: dict[str, str], number: int) -> None:
    """Print E3: from the start of the process to its first window at a subscriber."""
    took_s = []
    for _ in range(number):
        with StandIn(port) as server:
            began_s = time.monotonic()
            with edge(port, folder, environ, voice=True):
                wait_until(lambda heard=server: bool(heard.windows), timeout=60)
                took_s.append(time.monotonic() - began_s)
    median = statistics.median(took_s)
    report("E3", max(took_s), "s, slowest", number, median_s=round(median, 2))


def main() -> int:
    """Print one JSON object per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="for less than a minute")
    parser.add_argument("--seconds", type=float, default=600.0, help="of E1 and of E2 each")
    given = parser.parse_args()
    seconds, number = (6.0, 1) if given.quick else (given.seconds, 10)
    global SETTLE_S  # noqa: PLW0603 - the one thing that --quick shortens besides
    SETTLE_S = 2.0 if given.quick else SETTLE_S
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = Mosquitto(folder / "mosquitto")
        broker.start()
        stack.callback(broker.stop)
        display = stack.enter_context(virtual_display())
        environ = stack.enter_context(running_sound_server(folder)) | {"DISPLAY": display.name}
        costs(broker.port, folder, environ, seconds)
        starts(broker.port, folder, environ, number)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
