"""The collector of keyboard and pointer timing, and the choice of where events come from."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sensors.collector import Clock, Link, Note, Reading
from sensors.config import section
from sensors.errors import ConfigurationError, MissingExtraError
from sensors.hid.backend import Backend, Waiting
from sensors.hid.pynput_events import PynputBackend, display_problem
from sensors.messages import Absence
from sensors.signals import Channel

BackendName = Literal["auto", "x11", "pynput", "evdev"]

_CHANNELS = (Channel.KEYBOARD, Channel.POINTER)
_FETCH_S = 0.2  # how often readings are fetched: one wake-up for many events, far below a window


def choose_backend(
    wanted: BackendName, platform: str, environ: Mapping[str, str]
) -> Literal["x11", "pynput", "evdev"]:
    """Return where events come from.

    Parameters
    ----------
    wanted : str
        ``auto`` takes the desktop's events where there are any, and else, on
        Linux, the input devices themselves (Wayland, console).
    platform : str
        As ``sys.platform``.
    environ : mapping
        Environment of the process.
    """
    if wanted != "auto":
        return wanted
    if display_problem(platform, environ) is not None:
        return "evdev"
    return "x11" if platform.startswith("linux") else "pynput"


def _build(
    wanted: BackendName, channels: frozenset[Channel], clock: Clock, waiting: Waiting
) -> Backend:
    chosen = choose_backend(wanted, sys.platform, os.environ)
    if chosen == "pynput":
        return PynputBackend(channels, clock, waiting)
    try:
        if chosen == "x11":
            from sensors.hid.x11_events import X11Backend  # noqa: PLC0415 - on Linux only

            return X11Backend(channels, clock, waiting)
        from sensors.hid.evdev_events import EvdevBackend  # noqa: PLC0415 - on Linux only
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; run: pip install 'agent-wellbeing[hid]' (Linux only)"
        ) from None
    why = display_problem(sys.platform, os.environ)
    return EvdevBackend(channels, clock, waiting, why_not_the_display=why)


class HidCollector:
    """Timing of the keyboard, the pointer, or both.

    Parameters
    ----------
    channels : iterable of Channel
        What to listen to. Nothing is read of the other one: not even its
        listener is started, its device not opened (TRUST T6).
    backend : str
        ``auto``, ``x11``, ``pynput`` or ``evdev``.
    """

    def __init__(
        self, channels: Iterable[Channel] = _CHANNELS, backend: BackendName = "auto"
    ) -> None:
        self.channels = frozenset(channels)
        self._backend = backend

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link | Note, None]:
        """Yield readings until closed.

        Raises
        ------
        DeviceError
            If neither keyboard nor pointer can be seen, or they went away.
        MissingExtraError
            If the library behind the backend is not installed.
        """
        waiting = Waiting()
        backend = _build(self._backend, self.channels, clock, waiting)
        told: dict[Channel, bool] = {}
        try:
            await backend.start()
            while True:
                seen = backend.settle(clock.monotonic_s())
                for channel in sorted(self.channels):
                    if told.get(channel) != (channel in seen):
                        told[channel] = channel in seen
                        yield Link(channel, "ok" if channel in seen else Absence.DISCONNECTED)
                for reading in waiting.take():
                    yield reading
                if lost := waiting.take_lost():
                    yield Note(lost=lost)
                await asyncio.sleep(_FETCH_S)
        finally:
            await backend.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class HidSettings:
    """Options of the collector.

    Parameters
    ----------
    channels : tuple of str
        ``keyboard``, ``pointer`` or both.
    backend : str
        ``x11`` has an X server record events (Linux), ``pynput`` listens to the
        desktop (Windows, macOS), ``evdev`` reads the input devices (Linux:
        Wayland, console); ``auto`` finds out.
    """

    channels: tuple[Channel, ...] = _CHANNELS
    backend: BackendName = "auto"

    def __post_init__(self) -> None:
        if not self.channels or not set(self.channels) <= set(_CHANNELS):
            words = ", ".join(self.channels) or "empty"
            raise ConfigurationError(
                f"[hid] channels is {words}; expected keyboard, pointer or both"
            )


def create(options: Mapping[str, Any]) -> HidCollector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Keys of :class:`HidSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    settings = section({"hid": options}, "hid", HidSettings, environ={})
    return HidCollector(settings.channels, settings.backend)
