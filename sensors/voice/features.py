"""Acoustic features of a voice: samples in, numbers out. Pure.

Usable by itself: :func:`extract` takes any mono sound. Nothing here keeps a
sample; no words, no speaker, no audio can be told from the result (TRUST T1).

References
----------
.. [1] F. Eyben et al., "GeMAPS", IEEE Transactions on Affective Computing,
   vol. 7, no. 2, pp. 190-202, 2016.
.. [2] N. H. de Jong, T. Wempe, "Praat script to detect syllable nuclei and
   measure speech rate automatically", Behavior Research Methods, vol. 41,
   no. 2, pp. 385-390, 2009.
.. [3] P. Boersma, "Accurate short-term analysis of the fundamental frequency
   and the harmonics-to-noise ratio of a sampled sound", IFA Proceedings,
   vol. 17, pp. 97-110, 1993.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.sections import VoiceValues
from sensors.signals import SIGNALS
from sensors.voice import cycles, pitch, spectrum
from sensors.voice.changes import Changes
from sensors.voice.lasting import lasting
from sensors.voice.pitch import HOP_S, Floats, Frames, PitchTrack

MIN_SAMPLE_RATE = 8_000
"""Slowest sound that is taken: the telephone's. [Hz]"""

MIN_SPEECH_S = 0.5
"""Less speech in a window says nothing about the voice. [s]"""

LARGEST = 1e6
"""Times full scale: no scale of sound reaches it, and squares stay finite."""

_FULL_SPEECH_S = 1.5  # from here on the amount of speech lowers the quality no more
_FLOOR_DBFS = -90.0  # 16 bits end at -101, A-weighted; quieter is silence whatever else is there
_BELOW_LOUDEST_DB = 27.0  # speech lies within this of the loudest that lasts; [2] use 25
_LASTING = 6  # frames for which that level holds: a click fills four or five of 40 ms
_ABOVE_NOISE_DB = 4.0  # steady noise varies by less from frame to frame
_NOISE_SHARE = 0.05  # of the frames: the quietest are taken for the noise of the room
_NEVER_NOISE_DB = 5.0  # below the loudest: what is louder is speech though nobody pauses
_NEAR_VOICE_S = 0.2  # a consonant lies no farther from a vowel; what does is noise
_DIP_DB = 2.0  # [2] two syllables are parted by a dip
_SMOOTHING = np.hanning(7) / np.hanning(7).sum()  # 40 ms wide: single cycles are no syllables
_MIN_SLOPE_FRAMES = 5  # shorter voiced stretches have no slope to speak of


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceFeatures(VoiceValues):
    """Features of one window; ``None`` is unknown, never zero.

    Units and ranges are those of the catalogue (:mod:`sensors.signals`);
    definitions and sources stand in ``README.md`` beside this file.

    Parameters
    ----------
    quality : float
        0 to 1, lowered by less than 1.5 s of speech; what else is wrong is
        judged by :mod:`sensors.voice.conditions`.
    speech_ratio, pause_ratio, voiced_ratio : float
        Shares: of speech in the window, of pauses between the first and the
        last speech, of voice in the speech. [0-1]
    speech_rate_hz : float
        Syllables per second of speech. [1/s]
    f0_hz, f0_spread_st, f0_slope_st_s : float
        Pitch: median [Hz], 20th to 80th percentile [semitone], slope within
        voiced stretches [semitone/s].
    jitter_local, shimmer_local : float
        Mean change from cycle to cycle over the mean, of period and of
        amplitude. [ratio: 0.01 is what Praat shows as 1 %]
    hnr_db : float
        Harmonic over noise energy. [dB]
    loudness_db : float
        Median A-weighted level of the speech. [dB of full scale]
    alpha_ratio_db, hammarberg_db : float
        Low over high band: energy of 50-1000 Hz over 1-5 kHz, strongest peak
        of 0-2 over that of 2-5 kHz. [dB]
    slope_0_500_db_hz, slope_500_1500_db_hz : float
        Slope of the spectrum. [dB/Hz]
    """

    speech_ratio: float

    def known(self) -> dict[str, float]:
        """Return the features that are known and within the catalogue's range, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "quality"}
        return {
            name: float(value)
            for name, value in values.items()
            if value is not None and SIGNALS[name].accepts(value)
        }


def extract(samples: ArrayLike, sample_rate: int) -> VoiceFeatures:
    """Return the features of one window of sound.

    Parameters
    ----------
    samples : array_like of float, shape (n,)
        Mono sound, relative to full scale (-1 to 1); 5 s are usual, at least
        40 ms are needed. Left as it is.
    sample_rate : int
        Samples a second, 8000 or more. [Hz] Below 10 kHz, ``alpha_ratio_db``
        and ``hammarberg_db`` are unknown. More than 16 kHz costs more and
        tells nothing else: 5 kHz is the highest that is looked at.

    Returns
    -------
    VoiceFeatures
        With less than 0.5 s of speech, only ``speech_ratio`` and ``quality``
        are known.

    Raises
    ------
    TypeError
        If `samples` are no floats: whole numbers have another full scale. If
        `sample_rate` is no whole number.
    ValueError
        If `samples` is not one-dimensional, too short, not finite or a million
        times full scale, or `sample_rate` too low.

    Notes
    -----
    Jitter and shimmer are unknown where noise alone might look like them
    (:mod:`sensors.voice.changes`). Noise that is louder than speech, clipping,
    music and a second speaker are not recognised here but by
    :mod:`sensors.voice.conditions`.

    Examples
    --------
    >>> extract([0.0] * 16_000, 16_000).known()
    {'speech_ratio': 0.0}
    """
    sound = _checked(samples, sample_rate)
    frames = pitch.cut(sound, sample_rate)
    track = pitch.track(frames)
    level_db = spectrum.loudness_db(frames)
    speech = _speech(level_db, track.f0_hz > 0)
    speech_s = float(speech.sum()) * HOP_S
    quality = min(1.0, speech_s / _FULL_SPEECH_S)
    voiced = speech & (track.f0_hz > 0)
    if speech_s < MIN_SPEECH_S:
        return VoiceFeatures(quality=quality, speech_ratio=float(speech.mean()))
    shape = spectrum.shape(frames, voiced, spectrum.between(frames, level_db, speech))
    # A hum in the pauses has a pitch, too, and no jitter.
    spoken_f0_hz = np.where(voiced, track.f0_hz, 0.0)
    cycle = cycles.measure(sound, frames, PitchTrack(spoken_f0_hz, track.periodicity))
    spoken = np.flatnonzero(speech)
    return VoiceFeatures(
        quality=quality,
        speech_ratio=float(speech.mean()),
        pause_ratio=float(1.0 - speech[spoken[0] : spoken[-1] + 1].mean()),
        speech_rate_hz=_syllables(level_db, voiced) / speech_s,
        f0_hz=float(np.median(track.f0_hz[voiced])),
        f0_spread_st=_spread(track, voiced),
        f0_slope_st_s=_slope(track, voiced),
        voiced_ratio=float(voiced.sum() / speech.sum()),
        jitter_local=cycle.jitter_local if cycle else None,
        shimmer_local=cycle.shimmer_local if cycle else None,
        hnr_db=_harmonicity(frames, track, voiced, cycle),
        loudness_db=min(0.0, float(np.median(level_db[speech]))),
        alpha_ratio_db=shape.alpha_ratio_db,
        hammarberg_db=shape.hammarberg_db,
        slope_0_500_db_hz=shape.slope_0_500_db_hz,
        slope_500_1500_db_hz=shape.slope_500_1500_db_hz,
    )


def _checked(samples: ArrayLike, sample_rate: int) -> Floats:
    try:
        operator.index(sample_rate)
    except TypeError:
        kind = type(sample_rate).__name__
        raise TypeError(
            f"sample_rate has type {kind}; expected int: extract(samples, sample_rate)"
        ) from None
    given = np.asarray(samples)
    if given.dtype.kind != "f":
        raise TypeError(
            f"samples has dtype {given.dtype}; expected floats from -1 to 1: divide 16-bit"
            " samples by 32768.0"
        )
    if sample_rate < MIN_SAMPLE_RATE:
        raise ValueError(f"sample_rate is {sample_rate}; expected {MIN_SAMPLE_RATE} Hz or more")
    shortest = round(pitch.FRAME_S * sample_rate)
    if given.ndim != 1 or given.size < shortest:
        raise ValueError(
            f"samples has shape {given.shape}; expected ({shortest} or more,): one channel, 40 ms"
        )
    if not np.isfinite(given).all():
        raise ValueError("samples holds values that are not finite")
    peak = max(float(given.max()), -float(given.min()))
    if peak > LARGEST:
        raise ValueError(f"samples reach {peak:.3g}; expected -1 to 1")
    return given.astype(np.float32, copy=False)


def _speech(level_db: NDArray[np.float64], voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which frames are speech: audible, near something voiced, and no noise.

    What is voiced is speech however noisy; the rest has to stand out of the room.
    """
    loudest = float(lasting(level_db, _LASTING).max())
    noise = float(np.quantile(level_db, _NOISE_SHARE))
    stands_out = level_db > min(noise + _ABOVE_NOISE_DB, loudest - _NEVER_NOISE_DB)
    audible = level_db > max(_FLOOR_DBFS, loudest - _BELOW_LOUDEST_DB)
    # A lone voiced frame is chance; three in a row are the shortest vowel.
    steady = np.convolve(voiced & audible, np.ones(3), mode="full")[1:-1] > 2.5
    vowel = np.convolve(steady, np.ones(3), mode="full")[1:-1] > 0.5
    reach = round(_NEAR_VOICE_S / HOP_S)
    near = np.convolve(steady, np.ones(2 * reach + 1), mode="full")[reach:-reach] > 0.5
    return np.asarray(audible & near & (vowel | stands_out))


def _spread(track: PitchTrack, voiced: NDArray[np.bool_]) -> float:
    low, high = np.percentile(spectrum.semitones(track.f0_hz[voiced]), [20, 80])
    return float(high - low)


def _slope(track: PitchTrack, voiced: NDArray[np.bool_]) -> float | None:
    """Return the slope of pitch within voiced stretches, weighted by their length."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced, [0]]))).reshape(-1, 2)
    total, frames = 0.0, 0
    for first, last in edges[np.diff(edges, axis=1)[:, 0] >= _MIN_SLOPE_FRAMES]:
        pitch_st = spectrum.semitones(track.f0_hz[first:last])
        at_s = HOP_S * (np.arange(last - first) - 0.5 * (last - first - 1))
        total += float(at_s @ pitch_st / (at_s @ at_s)) * int(last - first)
        frames += int(last - first)
    return total / frames if frames else None


def _harmonicity(
    frames: Frames, track: PitchTrack, voiced: NDArray[np.bool_], cycle: Changes | None
) -> float:
    """Return harmonic over noise energy of the voiced speech.

    The pitch track's periodicity counts jitter as noise [3]_. Comparing cycles
    that were laid over one another does not, but finds likeness in noise as
    well. So the latter counts as far as the change of period is no work of noise.
    """
    # A product with ones: several times as fast as a sum of rows.
    energy = (frames.power @ np.ones(frames.power.shape[1], dtype=np.float32))[voiced]
    share = float(energy @ track.periodicity[voiced] / max(float(energy.sum()), 1e-30))
    found = _over_rest_db(share)
    if cycle is None:
        return found
    return found + cycle.certainty * max(0.0, _over_rest_db(cycle.periodicity) - found)


def _over_rest_db(share: float) -> float:
    # A share of 1 would be a sound without any noise; the catalogue ends at 60 dB.
    share = min(max(share, 1e-3), 1.0 - 1e-6)
    return 10.0 * math.log10(share / (1.0 - share))


def _syllables(level_db: NDArray[np.float64], voiced: NDArray[np.bool_]) -> int:
    """Return the number of voiced loudness peaks parted by dips [2]_."""
    # Beyond its ends the window goes on as it is: zeros would be full scale, in decibels a crest.
    smooth = np.convolve(np.pad(level_db, 3, mode="edge"), _SMOOTHING, mode="valid")
    count, low, high, high_at = 0, np.inf, -np.inf, -1
    rising = True
    for at, level in enumerate(smooth.tolist()):
        if rising:
            if level > high:
                high, high_at = level, at
            elif high - level > _DIP_DB:
                count += bool(voiced[high_at])
                rising, low = False, level
        elif level < low:
            low = level
        elif level - low > _DIP_DB:
            rising, high, high_at = True, level, at
    return count + bool(rising and high_at >= 0 and voiced[high_at])


__all__ = ["LARGEST", "MIN_SAMPLE_RATE", "MIN_SPEECH_S", "Frames", "VoiceFeatures", "extract"]
