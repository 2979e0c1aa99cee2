"""Voice from raw samples on the standard input or a named pipe.

For softphones, sound servers and ``ffmpeg`` that can write the agent's own
side of a call: 16 bits, little endian, at a declared rate. Unlike a
microphone's, this sound does pass through the edge's memory, where it is
silenced as soon as its features exist (TRUST T1).
"""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensors.collector import Clock, Link, Reading
from sensors.config import section
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import WINDOW_S, Absence
from sensors.signals import Channel
from sensors.voice.features import MIN_SAMPLE_RATE
from sensors.voice.pitch import Floats
from sensors.voice.windows import WindowReader

_LOOK_S = 0.2  # how long one look at the pipe takes at most; a withdrawal waits no longer
_SAMPLE_BYTES = 2
_FAST = 0.998  # a sender's clock may run this much fast before it has to wait for ours


@dataclass(frozen=True, slots=True, kw_only=True)
class PcmSettings:
    """Which stream.

    Parameters
    ----------
    path : str
        ``-`` for the standard input, or the path of a named pipe.
    raw_rate : int
        Samples a second of each channel. [Hz]
    raw_channels : int
        How many channels take turns.
    channel : int
        Which of them, from 0: the agent's own side.
    """

    path: str
    raw_rate: int = 0
    raw_channels: int = 1
    channel: int = 0

    def __post_init__(self) -> None:
        if self.raw_rate < MIN_SAMPLE_RATE:
            raise ConfigurationError(
                f"[voice] raw_rate is {self.raw_rate}; a stream has no header,"
                f" so say its rate: {MIN_SAMPLE_RATE} Hz or more"
            )
        if not 1 <= self.raw_channels <= 64:
            raise ConfigurationError(
                f"[voice] raw_channels is {self.raw_channels}; expected 1 to 64"
            )
        if not 0 <= self.channel < self.raw_channels:
            raise ConfigurationError(
                f"[voice] channel is {self.channel}; the stream has"
                f" {self.raw_channels}, counted from 0"
            )


class PcmCollector:
    """Features of every 5 s of a stream of samples.

    Parameters
    ----------
    settings : PcmSettings
    """

    channels = frozenset({Channel.VOICE})

    def __init__(self, settings: PcmSettings) -> None:
        self._settings = settings

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link, None]:
        """Yield the features of one window after the other until closed.

        At the end of a named pipe the next sender is waited for; the end of
        the standard input is the end.

        Raises
        ------
        DeviceError
            If it cannot be read.
        """
        descriptor, is_ours = _open(self._settings.path)
        try:
            state: str = Absence.DISCONNECTED
            reader, end_s = WindowReader(self._settings.raw_rate), float("-inf")
            while True:
                window = await self._window(descriptor)
                if window is None and not is_ours:
                    break
                if window is None:  # a named pipe's next sender may come
                    if state != Absence.DISCONNECTED:
                        state = Absence.DISCONNECTED
                        yield Link(Channel.VOICE, Absence.DISCONNECTED)
                    await asyncio.sleep(_LOOK_S)
                    continue
                end_s = max(clock.monotonic_s(), end_s + WINDOW_S * _FAST)
                try:
                    await clock.sleep_until(end_s)
                except BaseException:  # the channel was withdrawn while the sound waited
                    window[:] = 0.0
                    raise
                heard = await asyncio.to_thread(reader.read, window)
                if heard.link.state != state:
                    state = heard.link.state
                    yield heard.link
                for reading in heard.readings(end_s):
                    yield reading
        finally:
            if is_ours:
                os.close(descriptor)
        yield Link(Channel.VOICE, Absence.DISCONNECTED)
        await asyncio.Event().wait()

    async def _window(self, descriptor: int) -> Floats | None:
        """Return the next whole window of the agent's channel; ``None`` where the sender ends.

        Half a window of one sender is not continued with the next one's.
        """
        s = self._settings
        held = bytearray(round(WINDOW_S * s.raw_rate) * s.raw_channels * _SAMPLE_BYTES)
        filled = 0
        try:
            while filled < len(held):
                with memoryview(held) as whole, whole[filled:] as rest:
                    count = await asyncio.to_thread(_read, descriptor, rest)
                if count == 0:
                    return None
                filled += max(0, count)
            samples = np.frombuffer(held, dtype="<i2").reshape(-1, s.raw_channels)[:, s.channel]
            return np.asarray(samples / np.float32(32_768), dtype=np.float32)
        finally:
            held[:] = bytes(len(held))


def _open(path: str) -> tuple[int, bool]:
    """Return a descriptor of the stream, and whether it is ours to close."""
    if sys.platform == "win32":
        raise DeviceError("cannot read a stream of samples on Windows; use the microphone")
    if path == "-":
        return 0, False
    try:
        # Not waiting for a sender: a withdrawal could not interrupt it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise DeviceError(f"cannot read {path}: {error.strerror}; make it with mkfifo") from None
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DeviceError(f"cannot read {path}: it is no named pipe; make one with mkfifo")
    return descriptor, True


def _read(descriptor: int, into: memoryview) -> int:
    """Read what is there within `_LOOK_S`; return how much, 0 at the end, -1 for nothing yet."""
    ready, _, _ = select.select([descriptor], [], [], _LOOK_S)
    if not ready:
        return -1
    try:
        return os.readv(descriptor, [into])
    except BlockingIOError:
        return -1


def create(options: Mapping[str, Any]) -> PcmCollector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Keys of :class:`PcmSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return PcmCollector(section({"voice": options}, "voice", PcmSettings, environ={}))
