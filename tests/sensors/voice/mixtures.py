"""Synthetic speakers, music and mixtures of them at known ratios."""

from __future__ import annotations

import subprocess
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tests.sensors.voice.synthesis import RATE

WINDOW = 5 * RATE
TEXTS = (
    "Thanks for waiting. Your refund was booked this morning, and it will reach your account.",
    "Could you read me the number on the back of the device, please? It begins with two letters.",
)
CHORDS = ((294, 370, 440), (247, 294, 370), (392, 494, 587), (220, 277, 330), (185, 233, 294))


def say(voice: str, words: str, folder: Path) -> np.ndarray:
    """Return what espeak-ng says, at 16 kHz."""
    path = folder / "said.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "155", "-w", str(path), words], check=True)
    sound, rate = soundfile.read(path, dtype="float32")
    return soxr.resample(sound, rate, RATE)


def chords(wave: str, beat_s: float, folder: Path) -> np.ndarray:
    """Return chords one after the other, one a beat, made by sox from a kind of wave or pluck."""
    parts = []
    for number, notes in enumerate(CHORDS):
        parts.append(str(folder / f"chord{number}.wav"))
        first, *others = [["synth", str(beat_s), wave, *mixed] for mixed in _mixed(notes)]
        command = ["sox", "-n", "-R", "-r", str(RATE), parts[-1], *first]
        for more in others:
            command += more
        subprocess.run([*command, "fade", "0.02", str(beat_s), "0.1", "gain", "-8"], check=True)
    path = str(folder / "music.wav")
    again = str(int(3 * WINDOW / (len(CHORDS) * beat_s * RATE)))
    subprocess.run(["sox", *parts, path, "repeat", again], check=True)
    return soundfile.read(path, dtype="float32")[0]


def _mixed(notes: tuple[int, ...]) -> list[list[str]]:
    return [[str(hz)] if at == 0 else ["mix", str(hz)] for at, hz in enumerate(notes)]


def organ(beat_s: float) -> np.ndarray:
    """Return chords of an organ with a bass and a drum on every beat."""
    rng, parts = np.random.default_rng(1), []
    at_s = np.arange(round(beat_s * RATE)) / RATE
    for notes, _ in zip(cycle(CHORDS), range(int(3 * WINDOW / at_s.size)), strict=False):
        tones = [(hz * n, 1.0 / n) for hz in (notes[0] / 2, *notes) for n in range(1, 7)]
        sound = sum(size * np.sin(2 * np.pi * hz * at_s) for hz, size in tones)
        drum = rng.standard_normal(at_s.size) * np.exp(-at_s * 30) * 3.0
        parts.append((sound + drum) * np.minimum(1.0, at_s * 100))
    return _scaled(np.concatenate(parts))


def melody(beat_s: float) -> np.ndarray:
    """Return a flute alone: one note at a time."""
    at_s = np.arange(round(beat_s * RATE)) / RATE
    notes = [hz for chord in CHORDS for hz in chord] * 3
    shape = np.minimum(1.0, at_s * 30) * np.minimum(1.0, (beat_s - at_s) * 30)
    parts = [
        shape * sum(np.sin(2 * np.pi * hz * n * at_s) / n**2 for n in (1, 2, 3)) for hz in notes
    ]
    return _scaled(np.concatenate(parts))


def _scaled(sound: np.ndarray, peak: float = 0.3) -> np.ndarray:
    return (peak * sound / np.abs(sound).max()).astype(np.float32)


def windows(sound: np.ndarray) -> list[np.ndarray]:
    """Return whole windows of 5 s that overlap by half."""
    starts = range(0, sound.size - WINDOW + 1, WINDOW // 2)
    return [np.array(sound[at : at + WINDOW], dtype=np.float32) for at in starts]


def telephone(sound: np.ndarray) -> np.ndarray:
    """Return `sound` after 300-3400 Hz at 8 kHz, again at 16 kHz."""
    narrow = soxr.resample(sound.astype(np.float32), RATE, 8_000)
    spectrum = np.fft.rfft(narrow)
    hz = np.fft.rfftfreq(narrow.size, 1 / 8_000)
    spectrum[(hz < 300) | (hz > 3400)] = 0.0
    back = soxr.resample(np.fft.irfft(spectrum, narrow.size).astype(np.float32), 8_000, RATE)
    return np.resize(back, sound.size).astype(np.float32)


def mix(sound: np.ndarray, other: np.ndarray, ratio_db: float) -> np.ndarray:
    """Return `sound` with `other` so many dB (of mean power) below it."""
    gain = np.std(sound) / np.std(other) / 10 ** (ratio_db / 20)
    return (sound + gain * np.resize(other, sound.size)).astype(np.float32)


def turns(agent: np.ndarray, far: np.ndarray, below_db: float) -> np.ndarray:
    """Return half a window of the agent, then half a window of the far end, so much quieter."""
    gain = np.std(agent) / np.std(far) / 10 ** (below_db / 20)
    half = agent.size // 2
    hiss = 1e-4 * np.random.default_rng(0).standard_normal(agent.size)
    both = np.concatenate([agent[:half], gain * telephone(far)[: agent.size - half]])
    return (both + hiss).astype(np.float32)


def clip(sound: np.ndarray, over_db: float, peak: float = 1.0) -> np.ndarray:
    """Return `sound` driven so far over full scale, and what is left turned down to `peak`."""
    driven = sound / np.abs(sound).max() * 10 ** (over_db / 20)
    return (peak * np.clip(driven, -1.0, 1.0)).astype(np.float32)


def noise(size: int, color: str = "white") -> np.ndarray:
    """Return noise of a voice's length."""
    white = np.random.default_rng(2).standard_normal(size)
    if color == "white":
        return white.astype(np.float32)
    spectrum = np.fft.rfft(white)
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 1.0))  # pink
    return np.fft.irfft(spectrum, size).astype(np.float32)
