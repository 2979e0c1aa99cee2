"""Voice from a sound file, in real time; the only file that imports soundfile.

For trials and tests: the same windows and features as from a microphone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from sensors.collector import Clock, Link, Reading
from sensors.config import section
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import WINDOW_S, Absence
from sensors.signals import Channel
from sensors.voice.features import MIN_SAMPLE_RATE
from sensors.voice.windows import WindowReader


@dataclass(frozen=True, slots=True, kw_only=True)
class WavSettings:
    """Which file.

    Parameters
    ----------
    path : str
        WAV, FLAC or whatever libsndfile reads; with `raw_rate`, 16-bit PCM.
    channel : int
        Which channel, from 0: the agent's own side of a recorded call.
    raw_rate : int
        Samples a second of a file without a header: mono, 16 bits, little
        endian. [Hz] 0 for a file with a header.
    repeat : bool
        Begin again at the end.
    """

    path: str
    channel: int = 0
    raw_rate: int = 0
    repeat: bool = False

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigurationError("[voice] path is empty; name a sound file")
        if self.raw_rate and self.raw_rate < MIN_SAMPLE_RATE:
            raise ConfigurationError(
                f"[voice] raw_rate is {self.raw_rate}; expected {MIN_SAMPLE_RATE} Hz or more"
            )


class WavCollector:
    """Features of every 5 s of a sound file, as fast as it was spoken.

    Parameters
    ----------
    settings : WavSettings
    """

    channels = frozenset({Channel.VOICE})

    def __init__(self, settings: WavSettings) -> None:
        self._settings = settings

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link, None]:
        """Yield the features of one window after the other, then say *disconnected* and wait.

        Raises
        ------
        DeviceError
            If the file cannot be read as sound.
        """
        with self._open() as file:
            window = round(WINDOW_S * file.samplerate)
            reader, link = WindowReader(file.samplerate), Link(Channel.VOICE, "ok")
            end_s = clock.monotonic_s()
            yield link
            while True:
                block = file.read(window, dtype="float32", always_2d=True)
                if block.shape[0] == window:
                    end_s += WINDOW_S
                    await clock.sleep_until(end_s)
                    taken = block[:, self._settings.channel].copy()
                    block[:] = 0.0
                    heard = await asyncio.to_thread(reader.read, taken)
                    if heard.link != link:
                        yield (link := heard.link)
                    for reading in heard.readings(end_s):
                        yield reading
                elif self._settings.repeat:
                    file.seek(0)
                else:
                    break
        # What is left is shorter than a window. The end is no fault to restart after.
        yield Link(Channel.VOICE, Absence.DISCONNECTED)
        await asyncio.Event().wait()

    def _open(self) -> Any:
        path, raw_rate = Path(self._settings.path), self._settings.raw_rate
        if not path.is_file():
            raise DeviceError(f"cannot read {path}: no such file")
        raw = {"samplerate": raw_rate, "channels": 1, "subtype": "PCM_16", "format": "RAW"}
        try:
            file = soundfile.SoundFile(path, **(raw if raw_rate else {}))
        except soundfile.LibsndfileError as error:
            raise DeviceError(f"cannot read {path}: {error.error_string}") from None
        problem = _problem(file, self._settings)
        if problem is not None:
            file.close()
            raise DeviceError(f"cannot use {path}: {problem}")
        return file


def _problem(file: Any, settings: WavSettings) -> str | None:
    if not 0 <= settings.channel < file.channels:
        return f"[voice] channel is {settings.channel}; it has {file.channels}, counted from 0"
    if file.samplerate < MIN_SAMPLE_RATE:
        return f"it has {file.samplerate} samples a second; expected {MIN_SAMPLE_RATE} or more"
    if file.frames < WINDOW_S * file.samplerate:
        return f"it is {file.frames / file.samplerate:.1f} s long; a window is {WINDOW_S:g} s"
    return None


def create(options: Mapping[str, Any]) -> WavCollector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Keys of :class:`WavSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return WavCollector(section({"voice": options}, "voice", WavSettings, environ={}))
