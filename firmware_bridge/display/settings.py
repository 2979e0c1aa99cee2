"""``[edge.options.display]``: which radar, where, and what is known of its light."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from firmware_bridge.display import ld2410, mr60bha2
from firmware_bridge.ports.serial_port import check_port
from sensors.errors import ConfigurationError

_RESOLUTIONS_M = (0.0, 0.2, 0.75)


class Kind(StrEnum):
    """Which radar it is; the two have nothing in common but their purpose."""

    LD2410 = "ld2410"  # LD2410, LD2410B, LD2410C
    MR60BHA2 = "mr60bha2"


_BAUD = {Kind.LD2410: ld2410.BAUD, Kind.MR60BHA2: mr60bha2.BAUD}


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplaySettings:
    """Options of the collector ``display``.

    Parameters
    ----------
    port : str
        As ``firmware-bridge ports`` lists it, or ``socket://host:port``.
    radar : Kind
    baud : int
        Speed of the radar; 0 is the one it is delivered with. [1/s]
    max_distance_m : float
        Farther targets are not at this display; LD2410. [m]
    engineering : bool
        Switch engineering mode on: more to see whether the radar is stuck, and
        light; LD2410. It lasts until the radar loses power.
    resolution_m : float
        Width of a distance gate to set, 0.2 or 0.75; 0 leaves it; LD2410. It
        lasts. [m]
    light_lux : tuple of (raw, lux)
        Calibration of an LD2410B's photodiode; empty publishes no light.
    stuck_s : float
        The same report for so long is a fault; 0 never; LD2410. [s]
    silence_s : float
        Without a readable report for so long, the radar counts as lost. [s]
    """

    port: str = ""
    radar: Kind = Kind.LD2410
    baud: int = 0
    max_distance_m: float = 1.5
    engineering: bool = True
    resolution_m: float = 0.0
    light_lux: tuple[tuple[float, float], ...] = ()
    stuck_s: float = 120.0
    silence_s: float = 10.0

    def __post_init__(self) -> None:
        check_port(self.port, "[display] port")
        if self.resolution_m not in _RESOLUTIONS_M:
            raise ConfigurationError(
                f"[display] resolution_m is {self.resolution_m}; expected 0.2, 0.75, or 0 to leave it"
            )
        if self.baud:
            _check("baud", self.baud, 50, 12_000_000)
        _check("max_distance_m", self.max_distance_m, 0.1, 10)
        _check("stuck_s", self.stuck_s, 0, 86_400)
        if not 0.0 < self.silence_s <= 600.0:
            raise ConfigurationError(f"[display] silence_s is {self.silence_s}; expected 0 to 600")
        _check_light(self.light_lux)

    @property
    def speed(self) -> int:
        """The speed to open the port with. [1/s]."""
        return self.baud or _BAUD[self.radar]


def _check(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"[display] {key} is {value}; expected {low:g} to {high:g}")


def _check_light(points: tuple[tuple[float, float], ...]) -> None:
    rising = all(0 <= before[0] < after[0] <= 255 for before, after in pairwise(points))
    if points and (len(points) < 2 or not rising or min(lux for _, lux in points) < 0):
        raise ConfigurationError(
            f"[display] light_lux is {[list(p) for p in points]}; expected at least two points, "
            "such as [[0, 5], [128, 300], [255, 900]]: raw 0 to 255 rising, and the lux beside it"
        )
