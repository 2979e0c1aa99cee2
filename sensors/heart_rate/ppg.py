"""Beats and signal quality from a raw optical pulse (PPG), for headsets that stream it.

Pure and causal: samples go in as they come, beats come out 3-4 s later, in
the time of the samples. Cutting the stream differently changes nothing. Gain,
offset and polarity of the sensor do not matter and are never asked for.

Nothing is made up: where the sensor was stuck or absent, where the waveform
has no rhythm and no steady shape, or where movement drowns it, there are no
beats, and `PulseDetector.quality` says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.heart_rate import ppg_track as track
from sensors.heart_rate.ppg_quality import Judge

FloatArray = NDArray[np.float64]

MIN_RATE_HZ, MAX_RATE_HZ = 25.0, 200.0
"""Sampling rates taken. [1/s] 25 Hz is the least from which pulse rate variability has been
shown to agree (Choi & Shin 2017, Physiol. Meas. 38:586); above 200 Hz nothing is gained."""

WINDOW_S = 10.0
"""Looked at together. [s] Six beats at 40 beats/min, the fewest for a rhythm; at rest the rate
itself changes over longer times (breathing: 2-6 s and more)."""

HOP_S = 1.0
"""Between two looks. [s]"""

AHEAD_S = 3.0
"""Of every look, what the newest beats wait for. [s] Two to four beats; with `HOP_S` the delay
is at most 4 s, as that of headsets which buffer (DESIGN)."""

MIN_QUALITY = 0.02
"""Beats below are not told. On synthetic pulses under movement that leaves out 8 % of them, more
false than true ones; at rest, none. Ask for 0.2 where a wrong beat is worse than none: then a third
of those under movement go, and 99.8 % of those at rest stay."""

_FIRST_S = 8.0  # first look: five beats at 40 beats/min, so that polarity and rhythm are known
_RECENT = 8  # beats that `quality` speaks of: about the 5-second window and its neighbours
_TURN = 0.15  # share of the rises' skewness that must speak for the other polarity
_FORGET = 0.95  # per look: polarity is remembered for some 20 s
_QUIET_QUANTILE = 0.2  # of the local sizes: movement only ever adds to the pulse
_SIZE_DOWN, _SIZE_UP = (
    0.5,
    0.03,
)  # per look: a smaller pulse is a fact, a bigger one may be movement
_LOUD = 1.5  # times the quiet size, from where on a stretch counts less
_MOVING_G = 0.2  # [g] from where on a stretch counts half: walking is 0.1-0.3 g at the head (ours;
# Menz et al. 2003, Gait & Posture 18:35, measured it); a beat in it is believed half, too.
_MOST_G = 1e3  # [g] more is the same: nothing is believed there
_LEARN, _UNLEARN = 0.2, 0.03  # per look: how fast trust in the rhythm comes, and goes
_SURE = 0.2  # clarity in calm below which a period is a guess: noise reaches 0.3 in 1 of 20 looks


@dataclass(frozen=True, slots=True)
class PulseBeat:
    """One beat.

    Parameters
    ----------
    at_s : float
        The steepest rise of its wave, between the samples. [s]
    rr_ms : float or None
        Pulse interval since the beat before. [ms] None where that one is
        unknown, or where enough was lost between the two to hide a beat.
    quality : float
        0-1; see :mod:`sensors.heart_rate.ppg_quality`.
    """

    at_s: float
    rr_ms: float | None
    quality: float


@dataclass(frozen=True, slots=True)
class _View:
    """What one look sees, one value per sample."""

    rises: FloatArray
    strength: FloatArray
    weight: FloatArray  # 0-1: how far the sample is to be believed
    good: NDArray[np.bool_]


class PulseDetector:
    """Beats of one optical sensor, chunk by chunk.

    Parameters
    ----------
    rate_hz : float
        Samples per second, constant; 25-200. [1/s] Fill lost samples with NaN,
        so that time goes on.
    start_s : float
        Time of the first sample. [s]
    min_quality : float
        Beats below this quality (0-1) are left out.

    Raises
    ------
    ValueError
        If `rate_hz` or `min_quality` is out of range.

    Attributes
    ----------
    quality : float or None
        Mean quality of the newest beats, also of those left out, times the
        share of the newest window that was measured at all; None before the
        first look, 8 s after the start.

    Examples
    --------
    >>> detector = PulseDetector(64.0)
    >>> for chunk in stream:  # doctest: +SKIP
    ...     for beat in detector.feed(chunk.samples, chunk.movement_g):
    ...         print(beat.at_s, beat.rr_ms, beat.quality)
    """

    def __init__(
        self, rate_hz: float, *, start_s: float = 0.0, min_quality: float = MIN_QUALITY
    ) -> None:
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise ValueError(
                f"rate_hz is {rate_hz!r}; expected {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} samples/s"
            )
        if not 0.0 <= min_quality <= 1.0:
            raise ValueError(f"min_quality is {min_quality!r}; expected 0 to 1")
        self.quality: float | None = None
        self._rate = rate_hz
        self._start_s = start_s
        self._min_quality = min_quality
        self._samples = np.empty(0)
        self._movement_g = np.empty(0)
        self._origin = 0  # number of the oldest sample kept
        self._next = round(_FIRST_S * rate_hz)  # the look after this many samples
        self._judge = Judge(rate_hz)
        self._recent: list[float] = []
        self._size: float | None = None
        self._sign = 1.0
        self._skew = np.zeros(2)
        self._period_s: float | None = None
        self._trust: float | None = None
        self._anchor_s: float | None = None  # last beat found, told or not
        self._told_s: float | None = None  # the same, while it was told

    def feed(self, samples: ArrayLike, movement_g: ArrayLike | None = None) -> list[PulseBeat]:
        """Return the beats that have become certain.

        Parameters
        ----------
        samples : array_like of float, shape (n,)
            The waveform in any unit; NaN where nothing was measured.
        movement_g : array_like of float, shape (n,) or scalar, optional
            Root mean square of acceleration without gravity, of this sample
            or of the whole chunk. [g] NaN or None where unknown.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        new = np.atleast_1d(np.asarray(samples, dtype=np.float64))
        if new.ndim != 1:
            raise ValueError(f"samples have {new.ndim} dimensions; expected 1")
        moved = np.asarray(0.0 if movement_g is None else movement_g, np.float64)
        moved = np.nan_to_num(moved, posinf=_MOST_G, neginf=_MOST_G).clip(-_MOST_G, _MOST_G)
        if moved.ndim > 0 and moved.shape != new.shape:
            raise ValueError(
                f"movement_g has shape {moved.shape}; expected {new.shape} or one value"
            )
        self._samples = np.concatenate([self._samples, new])
        self._movement_g = np.concatenate([self._movement_g, np.broadcast_to(moved, new.shape)])
        beats: list[PulseBeat] = []
        while self._origin + len(self._samples) >= self._next:
            beats += self._look(self._next, self._next / self._rate - AHEAD_S)
            self._next += round(HOP_S * self._rate)
            gone = max(0, self._next - round(WINDOW_S * self._rate) - self._origin)
            self._samples, self._movement_g = self._samples[gone:], self._movement_g[gone:]
            self._origin += gone
        return beats

    def finish(self) -> list[PulseBeat]:
        """Return the beats of the last seconds; the stream ends here."""
        end = self._origin + len(self._samples)
        return self._look(end, end / self._rate)

    def _look(self, end: int, sure_s: float) -> list[PulseBeat]:
        """Look at the window that ends before sample `end`; tell beats up to `sure_s`."""
        samples = self._samples[: end - self._origin]
        if len(samples) < 2 * track.LONGEST_S * self._rate:
            return []
        good = track.usable(samples, self._rate)
        if not good.any():
            self._lost()
            return []
        view = self._view(samples, good, self._movement_g[: len(samples)])
        rhythm = self._rhythm(view)
        if rhythm is None:
            self._lost()
            return []
        position, strength = track.candidates(view.strength, view.rises)
        at_s = (self._origin + position) / self._rate
        weight = view.weight[np.round(position).astype(np.intp)]
        strength = strength * np.sqrt(weight)
        free = at_s > (-np.inf if self._anchor_s is None else self._anchor_s)
        position, strength, at_s, weight = position[free], strength[free], at_s[free], weight[free]
        path = track.best_path(at_s, strength, rhythm.period_s, self._anchor_s)
        if not path:
            self._lost()
            return []
        seen = self._judge.look(view.strength, view.good, position[path])
        quality = self._judge.quality(
            seen, strength[path], at_s[path], self._anchor_s, rhythm.period_s
        )
        moved_g = self._movement_g[np.round(position[path]).astype(np.intp)]
        quality /= 1.0 + (moved_g / _MOVING_G) ** 2
        known = np.flatnonzero(at_s[path] <= sure_s)
        beats = [self._tell(float(at_s[path[k]]), float(quality[k]), good) for k in known]
        self._judge.learn(seen, weight[path], known)
        if self._recent:
            self.quality = float(np.mean(self._recent) * good.mean())
        return [beat for beat in beats if beat is not None]

    def _lost(self) -> None:
        self.quality, self._recent, self._told_s = 0.0, [], None

    def _view(self, samples: FloatArray, good: NDArray[np.bool_], moved_g: FloatArray) -> _View:
        """Return the window turned upright, with what is to be believed of it."""
        rises = track.slope(samples, good, self._rate)
        strength, size = track.normalised(rises, good, self._rate)
        quiet = float(np.quantile(size[good], _QUIET_QUANTILE))
        if self._size is None:
            self._size = quiet
        rate = _SIZE_DOWN if quiet < self._size else _SIZE_UP
        self._size += rate * (quiet - self._size)
        weight = np.minimum(1.0, (_LOUD * self._size / size) ** 2) * good
        weight = weight / (1.0 + (moved_g / _MOVING_G) ** 2)
        self._skew = _FORGET * self._skew + track.skewness(strength, weight)
        if self._skew[0] * self._sign < -_TURN * self._skew[1]:
            self._sign = -self._sign
        return _View(rises * self._sign, strength * self._sign, weight, good)

    def _rhythm(self, view: _View) -> track.Rhythm | None:
        """Return the rhythm to expect; what was known before outweighs a window of movement.

        None where what is seen repeats faster than any heart.
        """
        trust = self._trust or 0.0
        positive = np.maximum(view.strength, 0.0)
        found = track.period(positive, view.weight, self._rate, self._period_s, trust)
        if found is None:
            return None
        calm = float(view.weight.mean())
        sure = calm * found.clarity
        if self._trust is None:
            self._trust = sure
        self._trust += (_LEARN if sure > self._trust else _UNLEARN) * (sure - self._trust)
        self._judge.hear(found.clarity, calm)
        if self._period_s is None or sure > _SURE:
            self._period_s = found.period_s
        return track.Rhythm(self._period_s, found.clarity)

    def _tell(self, at_s: float, quality: float, good: NDArray[np.bool_]) -> PulseBeat | None:
        self._anchor_s = at_s
        self._recent = [*self._recent[1 - _RECENT :], quality]
        before_s, self._told_s = self._told_s, None
        if quality < self._min_quality:
            return None
        self._told_s = at_s
        rr_ms = None
        if before_s is not None and at_s - before_s <= track.LONGEST_S:
            first, last = (round(t_s * self._rate) - self._origin for t_s in (before_s, at_s))
            lost_s = float((~good[max(first, 0) : last]).sum()) / self._rate
            rr_ms = 1000.0 * (at_s - before_s) if lost_s < track.SHORTEST_S else None
        return PulseBeat(self._start_s + at_s, rr_ms, quality)


def pulse_beats(
    samples: ArrayLike,
    rate_hz: float,
    movement_g: ArrayLike | None = None,
    *,
    start_s: float = 0.0,
    min_quality: float = MIN_QUALITY,
) -> list[PulseBeat]:
    """Return the beats of a whole recording: what `PulseDetector` says of it, all at once.

    Parameters, errors and meaning are those of :class:`PulseDetector` and its `feed`.

    Examples
    --------
    >>> from sensors.heart_rate.ppg_synthetic import PulseScene, synthetic_pulse
    >>> made = synthetic_pulse(PulseScene(hr_bpm=60, duration_s=60), seed=1)
    >>> beats = pulse_beats(-3 * made.samples + 500, 64.0)  # upside down, another gain
    >>> abs(len(beats) - len(made.beats_s)) <= 2
    True
    """
    detector = PulseDetector(rate_hz, start_s=start_s, min_quality=min_quality)
    return detector.feed(samples, movement_g) + detector.finish()
