"""Keeps collectors running: finds, starts, watches, restarts and stops them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from random import Random
from typing import Any

from sensors.collector import (
    ENTRY_POINT_GROUP,
    Clock,
    Collector,
    CollectorFactory,
    Link,
    Note,
    Reading,
)
from sensors.errors import ConfigurationError, DeviceError, MissingExtraError
from sensors.messages import Absence
from sensors.signals import Channel


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """Where one of our own collectors is; its channels are known without importing it."""

    target: str
    channels: frozenset[Channel] = frozenset()
    extra: str = ""


BUILT_IN: dict[str, BuiltIn] = {
    "simulated": BuiltIn("sensors.simulated:SimulatedCollector"),
    "replay": BuiltIn("sensors.replay:ReplayCollector"),
    "heart_rate": BuiltIn("sensors.heart_rate.bluetooth:create", frozenset({Channel.HEART}), "ble"),
    "hid": BuiltIn(
        "sensors.hid.listener:create", frozenset({Channel.KEYBOARD, Channel.POINTER}), "hid"
    ),
    "voice": BuiltIn("sensors.voice.collector:create", frozenset({Channel.VOICE}), "voice"),
}

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0
"""A collector that ran this long begins its pauses anew. [s]"""

CLOSE_WITHIN_S = 4.0
"""A withdrawn device must be released within 5 s (T6); later we stop waiting for it. [s]"""


def find_factory(name: str) -> CollectorFactory:
    """Return the collector called `name`: ours, or one of the entry points.

    Raises
    ------
    ConfigurationError
        If there is none; lists the known ones.
    MissingExtraError
        If its driver is not installed; holds the pip command.
    """
    if name in BUILT_IN:
        built_in = BUILT_IN[name]
        module, _, attribute = built_in.target.partition(":")
        try:
            factory: CollectorFactory = getattr(import_module(module), attribute)
        except MissingExtraError:
            raise
        except ImportError as error:
            raise MissingExtraError(
                f"collector {name}: {error.name} is not installed; "
                f"run: pip install 'agent-wellbeing[{built_in.extra or 'edge'}]'"
            ) from None
        return factory
    found = entry_points(group=ENTRY_POINT_GROUP)
    if name not in found.names:
        known = ", ".join(sorted({*BUILT_IN, *found.names}))
        raise ConfigurationError(f"[edge] collectors: unknown collector {name!r}; known: {known}")
    try:
        third_party: CollectorFactory = found[name].load()
    except ImportError as error:
        raise MissingExtraError(
            f"collector {name}: {error}; install what its package needs"
        ) from None
    return third_party


@dataclass(frozen=True, slots=True)
class Sink:
    """Where a collector's output goes."""

    reading: Callable[[Reading], None]
    link: Callable[[Link], None]
    say: Callable[[str], None]


class Supervisor:
    """One collector, run while any of its channels may be captured.

    Parameters
    ----------
    name : str
    options : mapping
        Its table of the configuration. A collector of several channels is
        given ``channels`` besides, when only some of them may be read.
    clock : Clock
    sink : Sink
    random : Random
        Source of the jitter.

    Attributes
    ----------
    device : str
        What the collector says about its device, for the agent's own eyes.
    lost : int
        How much it lost because this machine did not keep up, since the start.
    unreadable : int
        How much of what its device said made no sense, since the start.
    trouble : str
        Why nothing comes from it now, for the agent's own eyes.
    is_stuck : bool
        Whether a device was not let go of.

    Raises
    ------
    ConfigurationError
        If there is no such collector, or it refuses its options.
    """

    def __init__(
        self, name: str, options: Mapping[str, Any], clock: Clock, sink: Sink, random: Random
    ) -> None:
        self.name = name
        self._options = options
        self._clock = clock
        self._sink = sink
        self._random = random
        self._wanted: frozenset[Channel] = frozenset()
        self._changed = asyncio.Event()
        self._last_words = ""
        self._unavailable = ""  # why it can never run here
        self._is_away = True
        self.device = ""
        self.lost = 0
        self.unreadable = 0
        self.trouble = ""
        self.is_stuck = False
        self._factory: CollectorFactory | None = None
        try:
            self._factory = find_factory(name)
            self.channels = self._made(self._factory).channels
        except MissingExtraError as error:
            self.channels = BUILT_IN[name].channels if name in BUILT_IN else frozenset()
            self._unavailable = self.trouble = str(error)
            self._say(str(error))

    def allow(self, channels: frozenset[Channel]) -> None:
        """Set which channels may be captured from now on."""
        wanted = channels & self.channels
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def run(self) -> None:
        """Run the collector whenever it may, until cancelled."""
        while True:
            self._changed.clear()
            if not self._wanted or self._factory is None:
                self.device, self.trouble = "", self._unavailable
                self._links(self._wanted, Absence.FAULT)
                await self._changed.wait()
                continue
            capture = asyncio.create_task(self._capture(self._factory, self._wanted))
            change = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait({capture, change}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()
                await self._end(capture)

    async def _end(self, capture: asyncio.Task[None]) -> None:
        if capture.done():
            capture.result()  # a ConfigurationError is the operator's to mend: pass it on
            return
        capture.cancel()
        _, pending = await asyncio.wait({capture}, timeout=CLOSE_WITHIN_S)
        if pending:
            self.is_stuck = True
            self._say(f"collector {self.name} does not let go of its device; it is not listened to")

    async def _capture(self, factory: CollectorFactory, wanted: frozenset[Channel]) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            started_s = self._clock.monotonic_s()
            try:
                await self._listen(self._build(factory, wanted))
                state, why, words = Absence.DISCONNECTED, "", f"collector {self.name} ended"
            except MissingExtraError as error:
                self.trouble = str(error)
                self._say(self.trouble)
                self._links(wanted, Absence.FAULT)
                await self._changed.wait()
                return
            except ConfigurationError:
                raise
            except DeviceError as error:
                state, why = Absence.DISCONNECTED, self._as_configured(str(error))
                words = f"collector {self.name}: {why}"
            except Exception as error:  # noqa: BLE001 - a driver's bug must not end the edge
                state, why = Absence.FAULT, f"{type(error).__name__}: {error}"
                words = f"collector {self.name} failed: {why}"
            self.trouble = why
            self._say(f"{words}; trying again")
            self._links(wanted, state)
            if self._clock.monotonic_s() - started_s >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.0))
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def _made(self, factory: CollectorFactory) -> Collector:
        try:
            return factory(self._options)
        except ConfigurationError as error:
            raise ConfigurationError(self._as_configured(str(error))) from None

    def _as_configured(self, text: str) -> str:
        """Return a collector's words with its table called as it is in the configuration."""
        return text.replace(f"[{self.name}]", f"[edge.options.{self.name}]")

    def _build(self, factory: CollectorFactory, wanted: frozenset[Channel]) -> Collector:
        if wanted == self.channels:
            return factory(self._options)
        try:
            return factory({**self._options, "channels": sorted(wanted)})
        except ConfigurationError:
            # It cannot be narrowed: what it reads beside is dropped at the gate.
            return factory(self._options)

    async def _listen(self, collector: Collector) -> None:
        self.device, self._is_away = "", True
        async with aclosing(collector.readings(self._clock)) as readings:  # type: ignore[type-var]
            async for item in readings:
                if isinstance(item, Link):
                    self._last_words = ""
                    self._is_away = item.state == Absence.DISCONNECTED
                    self.trouble = self.trouble if self._is_away else ""
                    self._sink.link(item)
                elif isinstance(item, Note):
                    self._take_note(item)
                else:
                    self._sink.reading(item)

    def _take_note(self, note: Note) -> None:
        if note.device is not None:
            self.device = note.device
        self.lost += note.lost
        self.unreadable += note.unreadable
        if note.text:
            self._sink.say(note.text)
            self.trouble = note.text if self._is_away else self.trouble

    def _links(self, channels: frozenset[Channel], state: Absence) -> None:
        for channel in channels:
            self._sink.link(Link(channel, state))

    def _say(self, words: str) -> None:
        """Say something once, not at every attempt."""
        if words != self._last_words:
            self._last_words = words
            self._sink.say(words)


async def run_all(supervisors: list[Supervisor]) -> None:
    """Run `supervisors` until cancelled; the first error ends them all."""
    try:
        async with asyncio.TaskGroup() as group:
            for supervisor in supervisors:
                group.create_task(supervisor.run())
            await asyncio.Event().wait()  # with no collector at all the edge runs on
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
