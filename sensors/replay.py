"""The replay collector: a recording as if its devices were worn now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from sensors.collector import Clock, Link, Reading
from sensors.errors import ConfigurationError
from sensors.messages import Absence
from sensors.recording import Recording, read_recording
from sensors.signals import SIGNALS, Channel


class ReplayCollector:
    """Yields the rows of a recording, each at its own time after the start.

    Parameters
    ----------
    options : mapping
        ``file`` (required): the recording. ``loop`` (default false): begin
        again at the end instead of saying disconnected. ``channels``: only these.

    Raises
    ------
    ConfigurationError
        Naming the option, or as :class:`~sensors.errors.RecordingError` the
        file, line and remedy.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        known = ("file", "loop", "channels")
        unknown = set(options) - set(known)
        if unknown:
            raise ConfigurationError(
                f"replay: unknown option {min(unknown)!r}; known: {', '.join(known)}"
            )
        if "file" not in options:
            raise ConfigurationError("replay needs the option file, the recording to replay")
        self._loop = options.get("loop", False) in (True, "true", "1")
        self.recording: Recording = read_recording(str(options["file"]))
        self.channels = self.recording.channels & frozenset(options.get("channels", Channel))

    async def readings(self, clock: Clock) -> AsyncIterator[Reading | Link]:
        """Yield the readings from `clock`'s now on."""
        rows = sorted(
            (t_s, name, value)
            for name, series in self.recording.series.items()
            if SIGNALS[name].channel in self.channels
            for t_s, value in zip(series.t_s.tolist(), series.values.tolist(), strict=True)
        )
        start_s = clock.monotonic_s()
        for channel in sorted(self.channels):
            yield Link(channel, "ok")
        while True:
            for t_s, name, value in rows:
                await clock.sleep_until(start_s + t_s)
                yield Reading(name, value, start_s + t_s)
            if not self._loop:
                break
            start_s += max(self.recording.duration_s, 1.0)
        for channel in sorted(self.channels):
            yield Link(channel, Absence.DISCONNECTED)
        while True:  # the recording is over; the edge runs on
            await clock.sleep_until(clock.monotonic_s() + 3600.0)
