"""Other people's voice analysis, each as its manual says: Praat, openSMILE, librosa.

Nothing here is imported until it is asked for; what is not installed is left out.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HOP_S = 0.01
F0_RANGE_HZ = (75.0, 600.0)


def installed(module: str) -> bool:
    """Return whether `module` can be imported."""
    return importlib.util.find_spec(module) is not None


def _praat_sound(samples: NDArray[np.float32], rate: int) -> Any:
    return importlib.import_module("parselmouth").Sound(samples.astype(np.float64), rate)


def praat_f0(samples: NDArray[np.float32], rate: int) -> tuple[Floats, Floats]:
    """Return time and pitch (0 where unvoiced) of each frame by autocorrelation."""
    low, high = F0_RANGE_HZ
    found = _praat_sound(samples, rate).to_pitch_ac(
        time_step=HOP_S, pitch_floor=low, pitch_ceiling=high
    )
    return found.xs(), found.selected_array["frequency"]


def praat(samples: NDArray[np.float32], rate: int) -> dict[str, float]:
    """Return f0, jitter, shimmer and HNR as the Praat manual says to measure them."""
    call = importlib.import_module("parselmouth.praat").call
    sound, (low, high) = _praat_sound(samples, rate), F0_RANGE_HZ
    pitch = sound.to_pitch_ac(time_step=HOP_S, pitch_floor=low, pitch_ceiling=high)
    points = call([sound, pitch], "To PointProcess (cc)")
    harmonicity = sound.to_harmonicity_cc(time_step=HOP_S, minimum_pitch=low).values
    voiced = pitch.selected_array["frequency"]
    known = harmonicity[harmonicity > -199]
    return {
        "f0": float(np.median(voiced[voiced > 0])) if (voiced > 0).any() else np.nan,
        "jitter": call(points, "Get jitter (local)", 0, 0, 1e-4, 0.02, 1.3),
        "shimmer": call([sound, points], "Get shimmer (local)", 0, 0, 1e-4, 0.02, 1.3, 1.6),
        "hnr": float(known.mean()) if known.size else np.nan,
    }


def praat_whole(samples: NDArray[np.float32], rate: int) -> None:
    """Compute what V1 compares with: f0, jitter, shimmer, HNR and intensity."""
    praat(samples, rate)
    _praat_sound(samples, rate).to_intensity(time_step=HOP_S)


@lru_cache(maxsize=2)
def _smile(level: str) -> Any:
    opensmile = importlib.import_module("opensmile")
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=getattr(opensmile.FeatureLevel, level),
    )


def opensmile_f0(samples: NDArray[np.float32], rate: int) -> tuple[Floats, Floats]:
    """Return time and pitch of each frame of eGeMAPS; its pitch frames are 60 ms long."""
    found = _smile("LowLevelDescriptors").process_signal(samples, rate)
    semitones = found["F0semitoneFrom27.5Hz_sma3nz"].to_numpy(dtype=np.float64)
    at = HOP_S * np.arange(semitones.size) + 0.03
    return at, np.where(semitones > 0, 27.5 * 2 ** (semitones / 12), 0.0)


def opensmile(samples: NDArray[np.float32], rate: int) -> dict[str, float]:
    """Return f0, jitter, shimmer and HNR of eGeMAPSv02; its shimmer is in dB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = _smile("Functionals").process_signal(samples, rate).iloc[0]
    return {
        "f0": 27.5 * 2 ** (float(one["F0semitoneFrom27.5Hz_sma3nz_percentile50.0"]) / 12),
        "jitter": float(one["jitterLocal_sma3nz_amean"]),
        "shimmer": float(one["shimmerLocaldB_sma3nz_amean"]) * np.log(10) / 20,
        "hnr": float(one["HNRdBACF_sma3nz_amean"]),
    }


def librosa_yin(samples: NDArray[np.float32], rate: int) -> tuple[Floats, Floats]:
    """Return time and pitch of each frame by YIN, which calls everything voiced."""
    librosa = importlib.import_module("librosa")
    low, high = F0_RANGE_HZ
    frame = 1024  # 64 ms: of its default of 2048 both errors are twice as large at this rate
    found = librosa.yin(
        samples, fmin=low, fmax=high, sr=rate, frame_length=frame, hop_length=int(HOP_S * rate)
    )
    return HOP_S * np.arange(found.size), found
