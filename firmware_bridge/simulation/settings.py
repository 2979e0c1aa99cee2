"""What board is simulated, and what it keeps without power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from firmware_bridge.protocol.messages import Part
from firmware_bridge.simulation.physiology import RECOVERY, REST, STRAIN, Stage
from firmware_bridge.simulation.sources import SOURCES, source
from sensors.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Kept:
    """What a board keeps without power.

    Parameters
    ----------
    device_id : str
        Empty until somebody gave it one.
    rates_mhz : mapping
        Rates that were set, by signal; never changed in place. [1/1000 s]
    """

    device_id: str = ""
    rates_mhz: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSettings:
    """What board it is, and who wears it.

    Parameters
    ----------
    seed : int
        The same seed gives the same bytes.
    stages : sequence of Stage
        What happens to the wearer.
    signals : tuple of str
        Streams, of :data:`~firmware_bridge.simulation.sources.SOURCES`.
    finds_beats : bool
        Whether it sends BEATS; then it may have no `ppg`.
    tick_hz : int
        Speed of its clock. [1/s]
    drift_ppm : float
        By how much its clock is fast. [1e-6]
    first_tick : int or None
        Where its clock starts; ``None`` lets it wrap after 20 s.
    parts : tuple of Part
        What it can tell to be in contact.
    has_battery : bool
    maker, model, firmware : str
        As in HELLO.
    """

    seed: int = 1
    stages: Sequence[Stage] = (REST, STRAIN, RECOVERY)
    signals: tuple[str, ...] = tuple(SOURCES)
    finds_beats: bool = False
    tick_hz: int = 1_000_000
    drift_ppm: float = 40.0
    first_tick: int | None = None
    parts: tuple[Part, ...] = (Part.PULSE, Part.SKIN)
    has_battery: bool = True
    maker: str = "Agent Wellbeing"
    model: str = "Simulated headset"
    firmware: str = "1.0"

    def __post_init__(self) -> None:
        for signal in self.signals:
            source(signal)
        if self.finds_beats and "ppg" in self.signals:
            raise ConfigurationError("a board that finds beats has no ppg stream; leave one away")
        if not (1_000 <= self.tick_hz <= 10_000_000 and abs(self.drift_ppm) <= 100_000):
            raise ConfigurationError(
                f"tick_hz is {self.tick_hz}, drift_ppm {self.drift_ppm:g}; expected 1000 to "
                "10000000, and up to 100000"
            )
