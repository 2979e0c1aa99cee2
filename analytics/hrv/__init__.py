"""Heart-rate variability over many windows at once; see README.md beside this file."""

from analytics.hrv.arrays import row_median
from analytics.hrv.artefacts import Corrected, correct
from analytics.hrv.beats import normal_beats, successive
from analytics.hrv.time_domain import TimeDomain, pnn50, rmssd, sdnn, time_domain

__all__ = [
    "Corrected",
    "TimeDomain",
    "correct",
    "normal_beats",
    "pnn50",
    "rmssd",
    "row_median",
    "sdnn",
    "successive",
    "time_domain",
]
