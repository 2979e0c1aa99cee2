"""From a radar's reports to readings of the catalogue: pure.

What a radar cannot know is absent, never zero. *Present* means at this
display: a target beyond the configured distance is somebody else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from firmware_bridge.display.ld2410 import Report
from firmware_bridge.display.mr60bha2 import Breathing, Person
from sensors.signals import SIGNALS


class Interpreter(Protocol):
    """From what one kind of radar reports to readings of the catalogue."""

    def take(self, report: Any, now_s: float) -> Mapping[str, float] | None:
        """Return what a report says, by name; ``None`` if the radar is at fault."""


_MIN_REPEATS = 50
"""Fewer equal reports are no proof, however long they took; 5 s at ten a second."""


def lux_of(raw: int, points: Sequence[tuple[float, float]]) -> float | None:
    """Return the light at a photodiode that was calibrated, ``None`` beyond its calibration.

    Parameters
    ----------
    raw : int
        What the radar reports, 0 to 255.
    points : sequence of (raw, lux)
        Measured beside a lux meter, raw values rising; at least two, or none.

    Examples
    --------
    >>> lux_of(100, [(0, 0.0), (200, 500.0)])
    250.0
    >>> lux_of(100, []) is None
    True
    """
    if not points or not points[0][0] <= raw <= points[-1][0]:
        return None
    at = max(1, bisect_left([x for x, _ in points], raw))
    (x0, y0), (x1, y1) = points[at - 1], points[at]
    return y0 + (y1 - y0) * (raw - x0) / (x1 - x0)


def readings_of(
    report: Report, max_distance_m: float, light: Sequence[tuple[float, float]] = ()
) -> Mapping[str, float]:
    """Return what one report of an LD2410 says, by name of the catalogue.

    Parameters
    ----------
    report : Report
    max_distance_m : float
        Farther targets are not at this display. [m]
    light : sequence of (raw, lux)
        See :func:`lux_of`; without it the photodiode is not read, since its
        0 to 255 have no unit.

    Returns
    -------
    mapping
        ``presence`` 0 or 1; ``distance_m`` of the nearest target, if somebody
        is present and the radar says where; ``ambient_light_lux`` where it
        was calibrated. Empty while the radar measures its background.

    Notes
    -----
    A target without a distance is nearer than the radar can tell, so it is
    present, and its distance is absent.
    """
    if report.measuring_background:
        return {}
    found = {"presence": 0.0}
    if report.moving or report.stationary:
        near_m = _nearest_m(report)
        if near_m is None or near_m <= max_distance_m:
            found["presence"] = 1.0
        if near_m is not None and near_m <= max_distance_m:
            found["distance_m"] = near_m
    raw = report.engineering.light if report.engineering else None
    lux = None if raw is None else lux_of(raw, light)
    if lux is not None:
        found["ambient_light_lux"] = lux
    return {name: value for name, value in found.items() if SIGNALS[name].accepts(value)}


def _nearest_m(report: Report) -> float | None:
    told = [
        cm
        for is_there, cm in (
            (report.moving, report.moving_cm),
            (report.stationary, report.stationary_cm),
        )
        if is_there and cm > 0
    ]
    if not told and report.detection_cm > 0:
        told = [report.detection_cm]
    return min(told) / 100.0 if told else None


@dataclass(slots=True)
class Repetition:
    """Tells a radar that is stuck from one that looks at an empty desk.

    The echoes of a room change from report to report, at least in engineering
    mode. The same report again and again for long is a radar that measures
    nothing any more. One without any echo proves nothing: an empty room may
    look so, and no conclusion is drawn from it.

    Parameters
    ----------
    after_s : float
        The same report for so long is a fault. [s]
    """

    after_s: float
    _data: bytes = b""
    _since_s: float = 0.0
    _count: int = 0

    def is_stuck(self, report: Report, now_s: float) -> bool:
        """Take a report; return whether the radar only repeats itself."""
        if report.data != self._data or not _has_echo(report):
            self._data, self._since_s, self._count = report.data, now_s, 0
        self._count += 1
        return self._count >= _MIN_REPEATS and now_s - self._since_s >= self.after_s


def _has_echo(report: Report) -> bool:
    gates = report.engineering
    return bool(
        report.moving_energy
        or report.stationary_energy
        or (gates is not None and (any(gates.moving) or any(gates.stationary)))
    )


class Presence:
    """Follows an LD2410.

    Parameters
    ----------
    max_distance_m, light
        As in :func:`readings_of`.
    stuck_s : float
        As in :class:`Repetition`; 0 never. [s]
    """

    def __init__(
        self, max_distance_m: float, light: Sequence[tuple[float, float]], stuck_s: float
    ) -> None:
        self._max_distance_m = max_distance_m
        self._light = light
        self._repetition = Repetition(stuck_s) if stuck_s > 0 else None

    def take(self, report: Report, now_s: float) -> Mapping[str, float] | None:
        """Return what a report says, by name; ``None`` if the radar repeats itself."""
        if self._repetition is not None and self._repetition.is_stuck(report, now_s):
            return None
        return readings_of(report, self._max_distance_m, self._light)


class Breather:
    """Follows an MR60BHA2: a rate is believed only while somebody is seen."""

    def __init__(self) -> None:
        self._is_there = False

    def take(self, report: Person | Breathing, now_s: float) -> Mapping[str, float]:  # noqa: ARG002
        """Return what a report says, by name."""
        if isinstance(report, Person):
            self._is_there = report.is_there
            return {"presence": float(report.is_there)}
        name = "breathing_rate_per_min"
        if self._is_there and SIGNALS[name].accepts(report.per_min):
            return {name: report.per_min}
        return {}
