"""A virtual microphone on a sound server, and a sound driver that does what it is told."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sensors.errors import DeviceError
from tests.rig import wait_until
from tests.sensors.voice.synthesis import RATE

SENTENCE = (
    "Good morning, thank you for calling, how can I help you today?"
    " I will look into this for you right away, please stay on the line."
)


@contextmanager
def running_sound_server(folder: Path) -> Iterator[dict[str, str]]:
    """Run PulseAudio with a sink whose monitor is the microphone; yield the environment for it."""
    address, asound = folder / "pulse.sock", folder / "asound.conf"
    asound.write_text(
        "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n"
    )
    environ = os.environ | {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_SERVER": f"unix:{address}",
        "PULSE_SOURCE": "desk.monitor",
        "ALSA_CONFIG_PATH": str(asound),
    }
    server = subprocess.Popen(
        ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", "-n",
         "--log-target=stderr",
         f"--load=module-null-sink sink_name=desk rate={RATE} channels=1",
         # Last: who can connect finds the sink.
         f"--load=module-native-protocol-unix socket={address} auth-anonymous=1"],
        env={k: v for k, v in environ.items() if not k.startswith("PULSE_")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: _takes_calls(address), what="the sound server")
        yield environ
    finally:
        server.terminate()
        server.wait(60)


def _takes_calls(path: Path) -> bool:
    """Return whether a server listens there: its file is there a moment before."""
    with closing(socket.socket(socket.AF_UNIX)) as caller:
        return caller.connect_ex(str(path)) == 0


@contextmanager
def speaking(environ: dict[str, str], path: Path, words: str = SENTENCE) -> Iterator[None]:
    """Have a synthetic speaker say `words` into the sink again and again."""
    subprocess.run(["espeak-ng", "-v", "en+m3", "-w", str(path), words], check=True)
    with playing(environ, path):
        yield


@contextmanager
def playing(environ: dict[str, str], path: Path) -> Iterator[None]:
    """Play `path` into the sink again and again."""
    again = f"while paplay --device=desk '{path}'; do :; done"
    speaker = subprocess.Popen(["sh", "-c", again], env=environ, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(speaker.pid, 15)
        speaker.wait(60)


def listeners(parent: int | None = None) -> list[int]:
    """Return the process ids of the listening processes below `parent`, or below us."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,stat=,args=", "--ppid", str(parent or os.getpid())],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    found = [line.split(maxsplit=2) for line in listed]
    return [int(pid) for pid, stat, args in found if "voice.listener" in args and stat[0] != "Z"]


DRIVER = '''
"""A sound driver for tests: FAKE says what goes wrong."""
import os, sys, threading, time
import numpy as np

FAKE = os.environ["FAKE"]
RATE = int(os.environ.get("FAKE_RATE", "16000"))
if FAKE == "not installed":
    raise ModuleNotFoundError("No module named 'sounddevice'", name="sounddevice")
if FAKE == "no PortAudio":
    raise OSError("PortAudio library not found")

class PortAudioError(Exception):
    pass

class default:
    device = (0, -1)

class Status:
    input_overflow = FAKE == "loses"
    input_underflow = False

def query_hostapis():
    return [{"name": "ALSA"}]

def query_devices():
    if FAKE == "is slow to list":
        time.sleep(2)
    names = ["Desk Headset", "Monitor of Desk Headset", "Webcam"]
    return [
        {"name": n, "hostapi": 0, "max_input_channels": 2, "default_samplerate": float(RATE)}
        for n in names
    ] + [{"name": "Speaker", "hostapi": 0, "max_input_channels": 0, "default_samplerate": 48e3}]

def check_input_settings(device, channels, dtype, extra, rate):
    if rate != RATE:
        raise PortAudioError("Invalid sample rate")

class InputStream:
    def __init__(self, samplerate, blocksize, device, channels, dtype, latency, callback):
        self._run = True
        self._take = blocksize, channels, callback
        if FAKE == "taken":
            raise PortAudioError("Device unavailable")

    def start(self):
        threading.Thread(target=self._sing, daemon=True).start()

    def _sing(self):
        size, channels, callback = self._take
        hz = float(os.environ.get("FAKE_HZ", "7000"))
        at = 0
        while self._run:
            if FAKE == "aborts" and at > RATE:
                os.write(2, b"python: src/hostapi/alsa/pa_linux_alsa.c: Assertion failed.\\n")
                os.abort()
            if FAKE == "silent" and at > RATE:
                return
            if FAKE == "chatty":
                os.write(1, b"ALSA lib: hello from the driver\\n")
            seconds = (at + np.arange(size)) / RATE
            block = 0.3 * np.sin(2 * np.pi * hz * seconds) + 0.01 * np.sin(2 * np.pi * 200 * seconds)
            callback(np.repeat(block.astype("f4")[:, None], channels, axis=1), size, None, Status)
            at += size
            time.sleep(size / RATE / float(os.environ.get("FAKE_SPEED", "10")))

    def abort(self):
        self._run = False
        if FAKE == "hangs":
            time.sleep(3600)

    def close(self):
        pass
'''


def fake_driver(monkeypatch, folder: Path, kind: str, **more: str) -> None:
    """Have listening processes load a driver that fails as `kind` says."""
    (folder / "sounddevice.py").write_text(DRIVER)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    for name, value in {"FAKE": kind, **more}.items():
        monkeypatch.setenv(name, value)


__all__ = ["DeviceError", "listeners", "playing", "running_sound_server", "speaking"]
