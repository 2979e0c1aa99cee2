"""What a process still holds of a window's sound once its features exist: nothing (TRUST T1)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.fft

from sensors.voice import cycles, pitch
from tests.sensors.voice.at_desk import REPOSITORY
from tests.sensors.voice.synthesis import RATE, voice

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads memory as Linux shows it")

# Like a listener: it reads one window, here from a file, and goes on living.
READER = """
import sys
import numpy as np
from sensors.voice.windows import WindowReader, warm
warm()
reader = WindowReader(16_000)
window = np.fromfile(sys.argv[1], dtype="f4")
if sys.argv[2] == "heard":
    window = reader.read(window)
print("ready", flush=True)
sys.stdin.read()
"""


def words(values: np.ndarray) -> np.ndarray:
    """Return the bytes of `values`, eight at a time, as the memory is searched."""
    whole = np.ascontiguousarray(values).view(np.uint8)
    return whole[: whole.size // 8 * 8].view(np.uint64)


def memory_of(pid: int) -> np.ndarray:
    """Return all that a process may write to: its heap, its arrays, its objects."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            (begin, end), rights = (
                (int(at, 16) for at in line.split()[0].split("-")),
                line.split()[1],
            )
            if rights.startswith("rw") and "[v" not in line:
                memory.seek(begin)
                here = words(np.frombuffer(memory.read(end - begin), dtype=np.uint8))
                found.append(here[here != 0])
    return np.concatenate(found)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return voice(150, jitter=0.01, shimmer=0.04, hnr_db=20).samples


@pytest.fixture(scope="module")
def remains(sound, tmp_path_factory):
    """Return what share of each form of the sound is found in a process's memory."""
    path = tmp_path_factory.mktemp("sound") / "window.f4"
    sound.tofile(path)
    free_of_mean = sound - sound.mean()
    spectrum = scipy.fft.rfft(free_of_mean)
    smooth, _ = cycles._low_passed(spectrum, sound.size, RATE)
    forms = {
        "the samples": sound,
        "without their mean": free_of_mean,
        "the spectrum of all": spectrum,
        "up to 2 kHz": smooth,
        "up to 2 kHz, as Python's numbers": smooth.astype(np.float64),
        "the same upside down": -smooth.astype(np.float64),
        "the spectra of the frames": pitch.cut(sound, RATE).power.ravel(),
    }

    def look(what: str) -> dict[str, float]:
        command = [sys.executable, "-c", READER, str(path), what]
        with subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout.readline() == "ready\n"
            memory = memory_of(process.pid)
            process.stdin.close()
        searched = {name: words(form) for name, form in forms.items()}
        is_there = np.isin(np.concatenate([*searched.values()]), memory)
        ends = np.cumsum([each.size for each in searched.values()])[:-1]
        return {
            name: float(part.mean())
            for name, part in zip(searched, np.split(is_there, ends), strict=True)
        }

    return look


def test_the_search_finds_sound_that_is_there(remains):
    assert remains("kept")["the samples"] > 0.9


def test_nothing_of_a_window_is_left_once_it_was_heard(remains):
    """Up to 0.15 s may lie about in crumbs: at the ends of pages that something else lives on."""
    assert {name: share for name, share in remains("heard").items() if share > 0.03} == {}
