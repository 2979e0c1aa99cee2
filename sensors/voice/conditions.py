"""What is wrong with a window of sound, and what quality is left. Pure.

Clipping, music, silence, a muted microphone, a second speaker's bleed,
the telephone's band, noise: each from 0 (nothing) to 1, with a reason in
words. How well each is recognised, and what one microphone cannot tell, is
measured in ``CONDITIONS.md`` beside this file.

The rule: the features' own quality is multiplied by what each condition
leaves (:attr:`Conditions.factor`); a window of which nothing is usable
(:attr:`Conditions.is_usable`) gives no features at all.

References
----------
.. [1] K. Seyerlehner, T. Pohle, M. Schedl, G. Widmer, "Automatic music
   detection in television productions", DAFx 2007: partials that stand still.
.. [2] ITU-T G.712, 2001: the telephone's band ends at 3.4 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.voice import activity
from sensors.voice.activity import HOP_S, Activity, Flags, Floats
from sensors.voice.lasting import lasting

WIDE_RATE = 10_000
"""A slower sound holds no more than the telephone's band, as for the features. [Hz]"""

# Thresholds marked "by trial" were set on synthetic sounds only (CONDITIONS.md):
# between what clean synthetic speech reaches and what the condition reaches.
_MUTED = 1.5 / 32_768  # peak: not even the last of 16 bits moves
_FLAT = 1e-3  # of the peak: samples that differ by less, three in a row at the top, are cut off
_TOP = 0.97
_LEAST_SIDE = 0.05  # of the other: what is cut off so close to the middle is no sound at all
_CUT_OFF = 4.0  # times that flatness: how steeply a voice runs into the top where it is cut off
_FEWEST_SAMPLES = 3
_STEP_16_BITS = (
    4.5 / 32_768
)  # near the last bits a hum has flat tops, and a voice zeros, of its own
_MAX_CLIPPED = 0.01  # share of samples that makes a window useless
_FEW_SPEECH_S = 0.5  # as the features: less says nothing about a voice

_STILL_S = 0.2  # by trial; syllables last as long, but their pitch moves
_STILL_HZ = (150.0, 4000.0)
_HIGH_PARTIAL_HZ = 600.0  # pitch that moves by 1 Hz moves its fifth partial by 5
_ABOVE_NEIGHBOURS_DB = 9.0  # by trial
_NEIGHBOURHOOD_HZ = 125.0
_BELOW_LOUDEST_PARTIAL_DB = 50.0
_STILL_ENERGY = 0.8  # share of a frame's energy in partials that stand still
# By trial: share of still frames. Synthetic voices, more monotonous than people, reach 0.25
# (95 of 100: 0.17); music alone begins at 0.44.
_MUSIC = (0.20, 0.45)
_SURE = 0.5  # our choice: from here on it is music rather than a monotonous voice
_NOTHING_ELSE = 0.9  # our choice: here no more than music can be heard
_ONE_PITCH = 0.9  # periodicity of a held note or vowel; a chord has no common period

_BLEED_BELOW_DB = 12.0  # by trial, of the level that lasts: 14 of the largest; one person's
# phrases differ by 10
_PHRASE_S = 0.4  # a speaker's own loud syllable lies no farther than this from a weak one
_BLEED_FROM = 0.1  # by trial: share of the speech; less is one person's weak syllables
_LASTING = 5  # frames for which a level holds: a click fills four of 64 ms
_SINK_DB = 0.2  # a window: 2.4 dB a minute, so a microphone moved away is believed in minutes

_ABOVE_TELEPHONE_HZ = (4200.0, 7000.0)  # [2] with the filter's slope
_WITHIN_TELEPHONE_HZ = (1000.0, 3400.0)
_TELEPHONE_DB = (
    -32.0
)  # by trial: wide speech lies above -24, telephone with hiss 40 dB down below -38
_LEFT_BY_TELEPHONE = 0.8  # our choice: pitch and rhythm are whole, the spectrum's shape is dropped

_CLEAN_SNR_DB = 20.0  # from here on noise changes no feature that is kept
_NOISE_WEIGHT = 0.8  # our choice: at 0 dB a fifth is left
_GAP_S = 0.002  # the shortest packet of a headset's link is 3.75 ms
_GAP_EDGE = 0.2  # of the root mean square; a gate closes below a hundredth of it
_LOSS = 0.2  # our choice: each loss of the driver breaks a syllable

UNKNOWN_BY_TELEPHONE = frozenset(
    {"alpha_ratio_db", "f0_spread_st", "hammarberg_db", "slope_0_500_db_hz"}
)
"""Features that rest on sound below 300 Hz or above 3.4 kHz, and the spread of pitch: where the
fundamental is cut off, one voiced frame in seven slips by an octave (degradation.svg)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What is wrong with one window; 0 is nothing, 1 is as bad as it gets.

    Parameters
    ----------
    speech_s : float
        How long somebody speaks. [s] Less than 0.5 is *silence*.
    is_muted : bool
        The microphone gives nothing at all.
    clipping : float
        Share of samples that are cut off, over the share that spoils a window.
    music : float
        How sure it is that something plays whose partials stand still.
    is_polyphonic : bool
        That which plays has several pitches: it cannot be a held vowel.
    bleed : float
        Share of the speech that is much quieter than the agent's.
    is_telephone : bool
        Nothing above the telephone's band.
    noise : float
        0 at 20 dB between speech and pauses, 1 at 0 dB.
    losses : int
        How often sound was lost, by the driver or before it.
    """

    speech_s: float
    is_muted: bool = False
    clipping: float = 0.0
    music: float = 0.0
    is_polyphonic: bool = False
    bleed: float = 0.0
    is_telephone: bool = False
    noise: float = 0.0
    losses: int = 0

    @property
    def is_silent(self) -> bool:
        """Whether too little speech is there to say anything about a voice."""
        return self.speech_s < _FEW_SPEECH_S

    @property
    def factor(self) -> float:
        """What is left of the quality, 0-1."""
        return (
            min(1.0, self.speech_s / _FEW_SPEECH_S)
            * (1.0 - self.clipping)
            * (1.0 - self.music)
            * (1.0 - self.bleed)
            * (_LEFT_BY_TELEPHONE if self.is_telephone else 1.0)
            * (1.0 - _NOISE_WEIGHT * self.noise)
            * max(0.0, 1.0 - _LOSS * self.losses)
        )

    @property
    def is_usable(self) -> bool:
        """Whether anything can be said. Silence can: that the agent does not speak."""
        own_s = self.speech_s * (1.0 - self.bleed)
        only_bleed = self.bleed > 0.0 and own_s < _FEW_SPEECH_S <= self.speech_s
        only_music = self.music >= _NOTHING_ELSE and self.is_polyphonic
        return not (self.is_muted or self.clipping >= 1.0 or only_music or only_bleed)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What lowered the quality, in words."""
        said = {
            "the microphone is muted": self.is_muted,
            "nobody speaks": self.is_silent and not self.is_muted,
            "clipped: turn the microphone down": self.clipping > 0.0,
            "music or a tone": self.music > 0.0,
            "some of the speech is much quieter, as if from the other end": self.bleed > 0.0,
            "telephone band": self.is_telephone,
            "noise": self.noise > 0.0,
            "sound is lost on the way": self.losses > 0,
        }
        return tuple(words for words, holds in said.items() if holds)


class OwnLevel:
    """How loud the agent is at this microphone: one number, nothing of the voice.

    What is much quieter than the agent was before is taken for the other end.
    It rises at once and sinks slowly, so that a microphone moved away is
    believed after some minutes.
    """

    def __init__(self) -> None:
        self.level_db: float | None = None

    def learn(self, level_db: float) -> float:
        """Take the level of the loudest speech of one window and return the agent's. [dBFS]."""
        before = -np.inf if self.level_db is None else self.level_db - _SINK_DB
        self.level_db = max(level_db, before)
        return self.level_db


def judge(samples: Floats, sample_rate: int, own: OwnLevel | None = None) -> Conditions:
    """Return what is wrong with one window.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono sound relative to full scale, 5 s are usual, 0.5 s are needed.
    sample_rate : int
        Samples a second, 8000 or more. [Hz]
    own : OwnLevel, optional
        What is known of the agent's level; learns from this window. Without,
        only a second level within this window is seen.
    """
    found = activity.find(samples, sample_rate)
    share, still = _still(found)
    low, full = _MUSIC
    music = float(np.clip((share - low) / (full - low), 0.0, 1.0))
    snr_db = found.snr_db
    quiet = 0.0 if snr_db is None else float(np.clip(1.0 - snr_db / _CLEAN_SNR_DB, 0.0, 1.0))
    return Conditions(
        speech_s=found.speech_s,
        is_muted=is_mute(samples),
        clipping=clipping_of(samples),
        music=music,
        is_polyphonic=bool(still.any()) and _median(found.periodicity[still]) < _ONE_PITCH,
        # Notes differ in level as speakers do: where music plays there is nothing to tell.
        bleed=0.0 if music >= _SURE else _bleed(found, own or OwnLevel()),
        is_telephone=sample_rate < WIDE_RATE or _is_telephone(found),
        noise=quiet,
        losses=gaps_of(samples, sample_rate),
    )


def is_mute(samples: Floats) -> bool:
    """Return whether not even the last of 16 bits moves."""
    return bool(np.ptp(samples) <= 2 * _MUTED)


def clipping_of(samples: Floats) -> float:
    """Return the share of samples at a flat top, over the share that spoils a window, 0-1.

    A headset may cut a voice off before its level is turned down: three equal
    samples in a row at the top of either side, run into steeply, are no voice.
    A low hum reaches its flat top gradually.
    """
    if samples.size < _FEWEST_SAMPLES:
        return 0.0
    # A microphone's direct current is no top: a room at rest would lie there.
    centred = samples - samples.mean()
    sides = float(centred.max()), -float(centred.min())
    peak = max(sides)
    if peak <= _MUTED:
        return 0.0
    # Beside direct current one side is cut off long before the other.
    is_top = np.zeros(centred.size, dtype=np.bool_)
    for side, size in zip((centred, -centred), sides, strict=True):
        if size >= _LEAST_SIDE * peak:
            is_top |= side >= _TOP * size
    steps = np.abs(np.diff(samples))
    flat = steps <= _FLAT * peak
    cut = flat[1:] & flat[:-1] & is_top[1:-1]
    begins, ends = np.flatnonzero(np.diff(cut, prepend=False, append=False)).reshape(-1, 2).T
    steep = np.pad(steps, 1)[[begins, ends + 2]].max(axis=0)
    lengths = (ends - begins)[steep > max(_CUT_OFF * _FLAT * peak, _STEP_16_BITS)]
    return min(1.0, float(lengths.sum()) / float(cut.size) / _MAX_CLIPPED)


def gaps_of(samples: Floats, sample_rate: int) -> int:
    """Return how often the sound is cut out: zeros for 2 ms and more, run into from a voice.

    As where a Bluetooth link loses packets, which no driver tells. What fades
    into zeros is a noise gate, or nobody speaking.
    """
    is_zero = samples == 0.0
    begins, ends = np.flatnonzero(np.diff(is_zero, prepend=False, append=False)).reshape(-1, 2).T
    kept = ends - begins >= _GAP_S * sample_rate
    size = np.pad(np.abs(samples), 1)
    edge = np.maximum(size[begins[kept]], size[ends[kept] + 1])
    heard = float(np.sqrt(np.mean(np.square(samples[~is_zero])))) if not is_zero.all() else 0.0
    return int((edge > max(_GAP_EDGE * heard, _STEP_16_BITS)).sum())


def _still(found: Activity) -> tuple[float, Flags]:
    """Return the share of frames with sound whose partials stand still [1]_, and which they are."""
    band = (found.hz >= _STILL_HZ[0]) & (found.hz <= _STILL_HZ[1])
    power, hz = found.power[:, band], found.hz[band]
    peaks = _peaks(power, float(hz[1] - hz[0]))
    length = round(_STILL_S / HOP_S)
    runs = np.cumsum(_widened(peaks, 1), axis=0, dtype=np.int32)
    runs = np.concatenate([np.zeros_like(runs[:1]), runs])
    # One frame may be missing: a beat between two partials.
    lasting = (runs[length:] - runs[:-length]) >= length - 1
    frames = slice(length // 2, length // 2 + lasting.shape[0])
    partials = peaks[frames] & lasting
    held = np.where(_widened(partials, 2), power[frames], 0.0).sum(axis=1)
    energy = held / np.maximum(power[frames].sum(axis=1), 1e-20)
    several = partials[:, hz > _HIGH_PARTIAL_HZ].sum(axis=1) >= 2
    loud = found.level_db > max(activity.SILENT_DBFS, float(found.level_db.max()) - 30.0)
    still = np.zeros(loud.size, dtype=np.bool_)
    still[frames] = loud[frames] & (several | (energy >= _STILL_ENERGY))
    return float(still.sum() / max(1, loud[frames].sum())), still


def _peaks(power: Floats, bin_hz: float) -> Flags:
    """Return which bins are partials: above their neighbours, and not far below the loudest."""
    level_db = 10.0 * np.log10(power + 1e-14)
    around = 2 * round(_NEIGHBOURHOOD_HZ / bin_hz) + 1
    padded = np.pad(level_db, ((0, 0), (around // 2 + 1, around // 2)), mode="edge")
    summed = np.cumsum(padded, axis=1, dtype=np.float64)
    usual_db = (summed[:, around:] - summed[:, :-around]) / around
    least_db = np.maximum(
        usual_db + _ABOVE_NEIGHBOURS_DB, level_db.max() - _BELOW_LOUDEST_PARTIAL_DB
    )
    peaks = level_db > least_db
    peaks[:, 1:] &= level_db[:, 1:] > level_db[:, :-1]
    peaks[:, :-1] &= level_db[:, :-1] >= level_db[:, 1:]
    return np.asarray(peaks)


def _widened(flags: Flags, by: int) -> Flags:
    """Return `flags` with as many bins on either side."""
    wide = flags.copy()
    for distance in range(1, by + 1):
        wide[:, distance:] |= flags[:, :-distance]
        wide[:, :-distance] |= flags[:, distance:]
    return wide


def _bleed(found: Activity, own: OwnLevel) -> float:
    """Return the share of the speech that is much quieter than the agent's."""
    speech = found.speech
    if speech.sum() * HOP_S < _FEW_SPEECH_S:
        return 0.0
    reach = round(_PHRASE_S / HOP_S)
    # A key struck while the agent speaks is not how loud the agent is: for minutes all else
    # would be taken for somebody far away.
    lasting_db, phrase_db = (
        np.lib.stride_tricks.sliding_window_view(
            np.pad(np.where(speech, level_db, -np.inf), reach, constant_values=-np.inf),
            2 * reach + 1,
        ).max(axis=1)
        for level_db in (lasting(found.level_db, _LASTING), found.level_db)
    )
    own_db = own.learn(float(np.percentile(lasting_db[speech], 90)))
    share = float((phrase_db[speech] < own_db - _BLEED_BELOW_DB).mean())
    return share if share > _BLEED_FROM else 0.0


def _is_telephone(found: Activity) -> bool:
    """Return whether the speech's loudest frames have nothing above the telephone's band [2]_."""
    power = found.power[found.speech]
    if not power.shape[0]:
        return False
    above, within = (
        np.percentile(power[:, (found.hz >= low) & (found.hz <= high)].mean(axis=1), 90)
        for low, high in (_ABOVE_TELEPHONE_HZ, _WITHIN_TELEPHONE_HZ)
    )
    return bool(10.0 * np.log10((above + 1e-20) / (within + 1e-20)) < _TELEPHONE_DB)


def _median(values: NDArray[np.float32]) -> float:
    return float(np.median(values))
