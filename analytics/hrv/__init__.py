"""Heart-rate variability over many windows at once; see README.md beside this file."""

from analytics.hrv.arrays import row_median
from analytics.hrv.artefacts import correct
from analytics.hrv.beats import normal_beats, successive
from analytics.hrv.corrected import Corrected
from analytics.hrv.frequency import (
    HF_HZ,
    LF_HZ,
    VLF_HZ,
    Spectra,
    lomb_scargle,
    welch,
    welch_density,
)
from analytics.hrv.full import FullSet, Powers, full_set
from analytics.hrv.nonlinear import baevsky_index, sample_entropy
from analytics.hrv.time_domain import TimeDomain, pnn50, rmssd, sdnn, time_domain
from analytics.hrv.undisturbed import undisturbed

__all__ = [
    "HF_HZ",
    "LF_HZ",
    "VLF_HZ",
    "Corrected",
    "FullSet",
    "Powers",
    "Spectra",
    "TimeDomain",
    "baevsky_index",
    "correct",
    "full_set",
    "lomb_scargle",
    "normal_beats",
    "pnn50",
    "rmssd",
    "row_median",
    "sample_entropy",
    "sdnn",
    "successive",
    "time_domain",
    "undisturbed",
    "welch",
    "welch_density",
]
