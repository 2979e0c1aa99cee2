"""TRUST T1 and T2: neither sound nor a key is anywhere but in the moment in which it is measured."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sensors import codec
from sensors.messages import Keyboard, Voice
from tests.rig.clocks import RealClock
from tests.rig.waiting import wait_until
from tests.sensors.edge.standin import StandIn
from tests.sensors.voice.conftest import sound_server
from tests.sensors.voice.sound_desk import listeners, playing
from tests.sensors.voice.synthesis import RATE, voice

ROOT = Path(__file__).parents[2]
_SIXTEEN_BIT_SECOND = 2 * 16_000
MICROPHONE = ("--collector", "voice", "--consent", "voice")
VIRTUAL = ("--option", "voice.allow_monitor=true")

__all__ = ["sound_server"]  # a fixture


class Edge:
    """A real edge in a process of its own, and everything it leaves behind."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.state = folder / "state"
        self._notes, self._log = folder / "opened", folder / "edge.log"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def written(self) -> set[str]:
        """What Python opened for writing, without bytecode, device nodes and open descriptors."""
        paths = set(self._notes.read_text().splitlines())
        named = {p for p in paths if not p.isdecimal() and not p.startswith("/dev/")}
        return {p for p in named if "__pycache__" not in p}

    @property
    def held_open(self) -> set[str]:
        """Regular files that it and its microphone hold open for writing, whoever opened them."""
        found = set()
        for pid in (self.process.pid, *listeners(self.process.pid)):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    target, flags = str(link.readlink()), _flags(pid, link.name)
                except OSError:
                    continue  # closed meanwhile
                if target.startswith("/") and Path(target).is_file() and flags & os.O_ACCMODE:
                    found.add(target)
        return found


def _flags(pid: int, number: str) -> int:
    text = Path(f"/proc/{pid}/fdinfo/{number}").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("flags")), 8)


@contextmanager
def running_edge(
    folder: Path, port: int, environ: dict[str, str], *arguments: str
) -> Iterator[Edge]:
    folder.mkdir()
    home = {"HOME": str(folder), "TMPDIR": str(folder), "NUMBA_CACHE_DIR": str(folder / "numba")}
    command = [sys.executable, "-m", "tests.trust.watched", str(folder / "opened"), "edge"]
    command += ["--agent", "k7", "--source", "pc", "--state-dir", str(folder / "state")]
    command += ["--broker", f"127.0.0.1:{port}", *arguments]
    with (folder / "edge.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**environ, **home}, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield Edge(folder, process)
    finally:
        process.kill()
        process.wait()


@pytest.mark.needs("mosquitto", "pulseaudio", "paplay")
def test_a_run_with_a_microphone_writes_and_sends_no_sound(mosquitto, sound_server, tmp_path):
    """T1 under a watch over every file: real driver, real edge, real broker."""
    played = tmp_path / "voice.wav"
    soundfile.write(played, np.tile(voice(180, jitter=0.01).samples, 30), RATE)
    folder = tmp_path / "edge"
    with (
        playing(sound_server, played),
        StandIn(mosquitto.port) as server,
        running_edge(folder, mosquitto.port, sound_server, *MICROPHONE, *VIRTUAL) as edge,
    ):
        wait_until(lambda: any(_has_voice(w) for w in server.windows), timeout=90)
        (listener,) = listeners(edge.process.pid)
        written, heard = _bytes_written(listener), len(server.windows)
        wait_until(lambda: sum(_has_voice(w) for w in server.windows) >= 3, timeout=90)
        held = edge.held_open
        # The sound is in that process: all that it writes, to anywhere, is counted. Of a window
        # on its way at either end, too.
        windows = len(server.windows) - heard + 2
        assert _bytes_written(listener) - written < windows * _SIXTEEN_BIT_SECOND / 32
        edge.process.send_signal(signal.SIGINT)
        assert edge.process.wait(60) == 0, edge.log
        payloads = list(server.payloads)
    allowed = (str(edge.state), str(folder / "numba"), str(folder / "opened"))
    strangers = {p for p in {*edge.written, *held} if not p.startswith(allowed)}
    assert strangers <= {str(folder / "edge.log")}, strangers
    assert {p.name for p in edge.state.rglob("*") if p.is_file()} <= {
        "consent.json", "outbox-pc.sqlite", "outbox-pc.sqlite-wal", "outbox-pc.sqlite-shm",
        "own-pc.sqlite", "own-pc.sqlite-wal", "key", "key.lock", "consent.lock",
    }  # fmt: skip
    # Some fifteen seconds were heard; what is kept and sent is far smaller than one second.
    for path in edge.state.rglob("*"):
        assert not path.is_file() or path.stat().st_size < 8 * _SIXTEEN_BIT_SECOND, path
    names = {f.name for f in fields(Voice)}
    for topic, payload in payloads:
        assert len(payload) < _SIXTEEN_BIT_SECOND / 16, topic
        section = codec.load_json(payload).get("voice")
        if section:
            assert set(section) <= names
            assert all(isinstance(value, float | int) for value in section.values() if value)


def _bytes_written(pid: int) -> int:
    text = Path(f"/proc/{pid}/io").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("wchar")))


def _has_voice(window) -> bool:
    return window.voice is not None and window.voice.f0_hz is not None


SECRET = "Zebra7Quartz!xQ"


@pytest.mark.needs("mosquitto", "Xvfb", "xdotool")
def test_a_typed_secret_is_in_no_file_log_message_or_crash_report(mosquitto, xvfb, tmp_path):
    """T2 for the whole edge: it is typed, sent as timing, and then the process crashes."""
    session = {"WAYLAND_DISPLAY", "XDG_SESSION_TYPE"}
    environ = {k: v for k, v in xvfb.environ.items() if k not in session}
    folder = tmp_path / "edge"
    with (
        StandIn(mosquitto.port, stores=False) as server,  # so that the outbox keeps everything
        running_edge(
            folder, mosquitto.port, environ, "--collector", "hid", "--consent", "keyboard,pointer"
        ) as edge,
    ):
        wait_until(lambda: any(w.keyboard for w in server.windows))
        subprocess.run(["xdotool", "type", "--delay", "30", SECRET], env=environ, check=True)
        wait_until(lambda: _presses(server) >= len(SECRET))
        subprocess.run(["xdotool", "type", "--delay", "30", SECRET], env=environ, check=True)
        edge.process.send_signal(signal.SIGSEGV)
        assert edge.process.wait(60) == -signal.SIGSEGV
        said = edge.log
    assert "Fatal Python error: Segmentation fault" in said, "there was a crash report"
    kept = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert any("outbox" in p.name for p in kept)
    everything = {**{str(p): data for p, data in kept.items()}, **dict(_numbered(server.payloads))}
    letters = ["".join(c for c in SECRET if c.isalpha()), SECRET]
    spelled = ", ".join(f"'{c}'" for c in SECRET[:6])
    for place, data in everything.items():
        for trace in (*letters, SECRET[::-1], SECRET[:6], spelled):
            assert trace.encode() not in data, place
            assert trace.encode("utf-16-le") not in data, place
    names = {f.name for f in fields(Keyboard)}
    for _, payload in server.payloads:
        section = codec.load_json(payload).get("keyboard")
        assert section is None or (
            set(section) <= names and all(isinstance(v, float | int) for v in section.values())
        )


def _presses(server: StandIn) -> float:
    return sum(w.keyboard.key_presses for w in server.windows if w.keyboard)


def _numbered(payloads) -> Iterator[tuple[str, bytes]]:
    for number, (topic, payload) in enumerate(payloads):
        yield f"{number} {topic}", payload


@pytest.mark.needs("Xvfb", "xdotool")
@pytest.mark.parametrize("backend", ["x11", "pynput"])
async def test_a_bug_in_the_callback_says_nothing_about_the_key(
    xvfb, monkeypatch, caplog, capfd, backend
):
    """A driver's traceback is a log line, too."""
    from sensors.hid import keys  # noqa: PLC0415 - pynput wants the display first

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    monkeypatch.setattr(keys.KeyDropper, "press", broken)
    caplog.set_level(logging.DEBUG)
    from sensors.errors import DeviceError  # noqa: PLC0415
    from sensors.hid.listener import create  # noqa: PLC0415
    from tests.sensors.hid.x11 import xdotool  # noqa: PLC0415

    found = create({"channels": ["keyboard"], "backend": backend}).readings(RealClock())
    await anext(found)
    await xdotool(xvfb, "key", "Q")
    with pytest.raises((DeviceError, RuntimeError)) as error:
        await anext(found)
    said = (
        "".join(traceback.format_exception(error.value)) + caplog.text + "".join(capfd.readouterr())
    )
    for trace in ("'Q'", "'q'", "KeyCode", "keysym"):
        assert trace not in said
