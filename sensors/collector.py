"""What a collector is: one device in, typed readings out.

A collector knows no broker, no file and no other collector. The edge starts
it only with consent, closes it when consent or shift ends, and restarts it
with a back-off when it raises :class:`~sensors.errors.DeviceError`.

A third party's driver is a package that registers a collector class under the
entry-point group ``wellbeing.collectors``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from sensors.messages import Absence
from sensors.signals import Channel

ENTRY_POINT_GROUP = "wellbeing.collectors"


class Reading(NamedTuple):
    """One measured value.

    A named tuple: as immutable as a frozen dataclass, and made in half the
    time, of which the edge takes thousands per second in a replay.

    Parameters
    ----------
    signal : str
        Name from the catalogue. For a signal that is reduced from another
        (``dwell_iqr_ms``) deliver the other (``dwell_ms``).
    value : float
        In the catalogue's unit.
    at_monotonic_s : float
        When it was measured, on the clock the collector was given. [s]
        For ``rr_ms``, the beat that ends the interval.
    quality : float
        0 (useless) to 1.
    """

    signal: str
    value: float
    at_monotonic_s: float
    quality: float = 1.0


@dataclass(frozen=True, slots=True)
class Link:
    """The state of the device behind `channel` changed."""

    channel: Channel
    state: Literal["ok"] | Absence


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the agent at this machine; never sent, never kept.

    Parameters
    ----------
    text : str
        One line to say now; empty says nothing.
    device : str or None
        What the agent's status shows about the device from now on, such as
        its model and battery; None leaves that as it is.
    lost : int
        How much was lost since the last such note because this machine did not
        keep up: readings, packets, or gaps in the sound. It is added up and shown.
    unreadable : int
        How much of what the device said since the last such note made no sense:
        cut short, or a value that no body has. It is added up and shown.
    """

    text: str = ""
    device: str | None = None
    lost: int = 0
    unreadable: int = 0


class Clock(Protocol):
    """Where collectors take the time from; replay hands them a virtual one."""

    def monotonic_s(self) -> float:
        """Return a reading, in seconds, that never goes back."""

    async def sleep_until(self, at_monotonic_s: float) -> None:
        """Return once `monotonic_s` has reached `at_monotonic_s`."""


@runtime_checkable
class Collector(Protocol):
    """One device as an async iterator of readings, link changes and notes to the agent."""

    channels: frozenset[Channel]
    """Channels it can deliver; the edge starts it when one of them is consented to."""

    def readings(self, clock: Clock) -> AsyncIterator[Reading | Link | Note]:
        """Yield readings until closed.

        Closing the iterator (``aclose``) releases the device at once: within
        5 s of a withdrawal nothing is captured any more (TRUST T6).

        Raises
        ------
        DeviceError
            If the device is lost; the edge says so on the wire and tries again.
        """


class CollectorFactory(Protocol):
    """How the edge builds a collector from its table in the configuration."""

    def __call__(self, options: Mapping[str, Any]) -> Collector:
        """Return a collector, or raise ConfigurationError naming key, value and remedy."""
