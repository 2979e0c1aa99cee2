"""The strain score of every agent, and the evidence that builds up from it.

Each feature's signed deviation from the agent's own reference is squashed and
weighted by quality; features become parts, and what the parts say together is
a log-likelihood ratio of strain against calm. Missing is not calm: a missing
part says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.memory import keep_memory
from analytics.scoring import fusion
from analytics.scoring.baseline import LONGEST_STEP_S, SCORED, Baseline
from analytics.scoring.choice import blank, first_of_span, keep, words
from analytics.scoring.electrode import Electrode
from analytics.scoring.evidence import Evidence
from analytics.scoring.pace import Pace
from analytics.signals.features import FEATURES, PART_CHANNEL, PARTS, UNKNOWN_LEVEL
from analytics.signals.windows import CONTEXTS, FeatureBatch
from sensors.messages import WINDOW_S, ContextState
from sensors.signals import Channel

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

DETECTOR_VERSION = "7"
"""Changes whenever the same readings would give another score."""

LEARNING_S = 300.0
"""Until some part's reference has seen this much, the agent's baseline is learning. [s]"""

_CHUNK = 8192
"""Most agents worked on at a time, so that the temporaries stay in the processor's caches."""

keep_memory()

_BEATS = fusion.NAMES.index("heart_rate_bpm")
_SKIN = fusion.NAMES.index("log_eda")
_IS_SKIN = np.arange(len(SCORED))[:, None] == _SKIN
_CHANNEL_OF = np.array([tuple(Channel).index(PART_CHANNEL[p]) for p in fusion.PART_OF], np.intp)
_UNKNOWN = np.float32(np.nan)
_IN_CALL = CONTEXTS.index(ContextState.ON_CALL)


@dataclass(slots=True)
class ScoreBatch:
    """Scores of n agents, one entry per row; NaN is unknown.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        How much more likely this window is under strain than in calm: the
        logarithm of the ratio where that is well above 1, and never below 0.
    strain_index : ndarray of float64, shape (n,)
        0 to 100: the chance of strain given this window, had strain and calm
        been equally likely before it. 50 speaks for neither; it is no
        probability of strain, which is rarer than calm.
    evidence : ndarray of float64, shape (n,)
        >= 0; what the last minutes say, compared with the threshold.
    learning : ndarray of bool, shape (n,)
        No part has a reference to speak of yet.
    quality : ndarray of float64, shape (n,)
        0 to 1.
    part_level : ndarray of int8, shape (n, P)
        -2 to 2: below or above the agent's usual; `UNKNOWN_LEVEL`.
    part_contribution : ndarray of float64, shape (n, P)
        What each part adds to the log-likelihood ratio of this window.
    young : ndarray of bool, shape (n,), optional
        Something is measured whose level is too young to score it; where that
        is all, nothing is known and yet this is no lack of data.
    """

    score: Floats
    strain_index: Floats
    evidence: Floats
    learning: Mask
    quality: Floats
    part_level: NDArray[np.int8]
    part_contribution: Floats
    young: Mask = field(default_factory=lambda: np.zeros(0, bool))

    def __post_init__(self) -> None:
        if len(self.young) != len(self.score):
            self.young = np.zeros(len(self.score), bool)


class Detector:
    """Baseline, score and evidence of every agent."""

    def __init__(self) -> None:
        self._n = 0
        self._baseline = Baseline()
        self._evidence = Evidence()
        self._electrode = Electrode()
        self._last_s = np.zeros(0, dtype=np.float64)
        self._before_s = np.zeros(0, dtype=np.float64)
        self._taught = np.zeros((len(SCORED), 0), dtype=bool)
        self._source = np.zeros((len(Channel), 0), dtype=np.int64)
        self._beat_s = np.zeros(0, dtype=np.float64)

    def ensure(self, n_rows: int) -> None:
        """Make room for agents 0 to n_rows - 1; never shrinks."""
        have = len(self._last_s)
        if n_rows > have:
            room = max(n_rows, have + have // 4)
            for name, array in self._all().items():
                new = np.full((*array.shape[:-1], room), _blank_of(name), dtype=array.dtype)
                new[..., :have] = array
                self._set(name, new)
        self._n = max(self._n, n_rows)

    def forget_time(self, rows: Rows) -> None:
        """Begin again with the evidence of `rows`, whose clock was set back; keep baselines."""
        for name, array in self._all().items():
            if name in _PASSING:
                array[..., rows] = _blank_of(name)

    def usual(self, rows: Rows) -> tuple[Floats, Floats, Floats]:
        """Return every agent's usual range of every feature.

        It is the band in which a feature, known alone, keeps its part at level
        0 (*as usual*): the agent's own mean and `LEVELS[0]` spreads to either
        side. Seldom leaving it is not the point of it (of calm values spread
        normally, 58 % lie within); it is where the words *above* and *below*
        begin.

        Returns
        -------
        low, high : ndarray of float64, shape (n, d)
            Outside calls. Mean nothing where `hours` is 0. [unit of the feature]
        hours : ndarray of float64, shape (n, d)
            Effective observation of how far values stray; 0 while today's level
            is unknown, and for what is not scored. [h]
        """
        reference = self._baseline.reference(rows)
        reference.mean[_SKIN] += self._electrode.moved[rows]
        half = fusion.LEVELS[0] * reference.scale
        known = fusion.seen_enough(reference)  # what a night has left of a level is none of today's
        seen = np.where(known, self._baseline.spread_s[:, rows], 0.0)
        found = np.zeros((3, len(rows), len(FEATURES)))
        for of, part in zip(
            found, (reference.mean - half, reference.mean + half, seen), strict=True
        ):
            of[:, SCORED] = part.T
        return found[0], found[1], found[2] / 3600.0

    def reopen(self, rows: Rows) -> None:
        """Learn today's level of `rows` anew, for who says that today is different.

        What was carried over from before counts for nothing any more; how far
        values stray does, so that a sudden change on top is still found (TRUST A5).
        """
        self._baseline.reopen(rows)

    def follow_site(self) -> None:
        """Learn from the whole floor what new agents begin with (see `analytics.scoring.site_prior`).

        Not part of :meth:`step`, whose result must not depend on who is scored with whom.
        """
        self._baseline.follow_site(self._n)

    def rests_on(self, rows: Rows, level: NDArray[np.int8]) -> tuple[Floats, Floats]:
        """Return what each part adds to the newest evidence, and what it says by itself.

        Parameters
        ----------
        rows : ndarray of intp, shape (n,)
        level : ndarray of int8, shape (n, P)
            `part_level` of their newest window: unknown parts say nothing.

        Returns
        -------
        adds, says : ndarray of float64, shape (n, P)
            Fall of the evidence without the part [spreads], and the part's
            log-likelihood ratio; NaN of what was not seen, and without evidence
            (:meth:`analytics.scoring.evidence.Evidence.rests_on`).
        """
        adds, says = self._evidence.rests_on(rows, (level != UNKNOWN_LEVEL).T)
        return adds.T, says.T

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of the whole state."""
        own = {name: array[..., : self._n].copy() for name, array in self._all().items()}
        return {**own, _SITE: self._baseline.site.copy()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Detector:
        """Return a detector in the state of :meth:`to_arrays`, bit for bit."""
        made = cls()
        for name in made._all():
            made._set(name, arrays[name].copy())
        made._n = len(made._last_s)
        made._baseline.site = arrays[_SITE].astype(np.float32)
        return made

    def _all(self) -> dict[str, NDArray[np.generic]]:
        base = self._baseline
        return {
            **{name: getattr(base, name) for name in Baseline.ARRAYS},
            **{name: getattr(self._evidence, name) for name in Evidence.ARRAYS},
            **{name: getattr(self._electrode, name) for name in Electrode.ARRAYS},
            **{name: getattr(self, f"_{name}") for name in _OWN},
        }

    def _set(self, name: str, array: NDArray[np.generic]) -> None:
        if name in Baseline.ARRAYS:
            setattr(self._baseline, name, array)
        elif name in Evidence.ARRAYS:
            setattr(self._evidence, name, array)
        elif name in Electrode.ARRAYS:
            setattr(self._electrode, name, array)
        else:
            setattr(self, f"_{name}", array)

    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        """Score one window of each agent, then learn from it where `learn` says so.

        Parameters
        ----------
        rows : ndarray of intp, shape (n,)
            Unique.
        batch : FeatureBatch
            Of the same rows; not changed.
        learn : ndarray of bool, shape (n,)
            False for windows that are firing, poor or late.

        Returns
        -------
        ScoreBatch
        """
        n = len(rows)
        out = _blank(n)
        first = first_of_span(rows)
        share = -(-n // max(1, -(-n // _CHUNK)))  # equal ones: each costs its calls
        for start in range(0, n, max(1, share)):
            here = slice(start, min(start + share, n))
            these = rows[here] if first is None else slice(first + start, first + here.stop)
            self._step(these, batch, learn[here], here, out)
        return out

    def _step(
        self, rows: Rows | slice, batch: FeatureBatch, learn: Mask, here: slice, out: ScoreBatch
    ) -> None:
        at_s = batch.at_s[here]
        pace = Pace.of(at_s, self._last_s[rows], self._before_s[rows])
        values, quality = _columns(batch.values[here]), _columns(batch.quality[here])
        in_call = batch.context[here] == _IN_CALL
        self._follow_sources(rows, batch.source[here].T, pace.ahead)
        anew = self._electrode.follow(rows, at_s, values[_SKIN], ~pace.ahead)
        if anew.size:
            self._baseline.reopen(anew, _IS_SKIN)
        self._baseline.age(rows, pace.elapsed_s)
        reference = self._baseline.reference(rows, in_call)
        known = np.isfinite(values)
        fusion.refuse_miscounted(values, known, reference)
        keep(values, words(known))  # from here on NaN cannot spread
        apart = reference.apart(values)
        seen = fusion.seen_enough(reference)
        scored = known & seen
        fresh = known ^ scored
        if np.count_nonzero(fresh):
            out.young[here] = (fresh & (quality > 0)).any(axis=0)
        self._beat_s[rows] = np.where(known[_BEATS] & pace.ahead, at_s, self._beat_s[rows])
        beat_age_s = at_s - self._beat_s[rows]
        weight = fusion.weights(quality, reference, batch.moving[here], scored, beat_age_s)
        settled = (reference.seconds >= LEARNING_S - 2 * WINDOW_S) & (weight > 0)
        out.learning[here] = ~np.logical_or.reduce(settled, axis=0)
        out.quality[here] = fusion.mean_quality(quality, weight)
        parts, certainty = fusion.parts_of(fusion.towards_strain(apart.spreads), weight)
        _tell(out, here, parts, certainty)
        evidence = self._evidence.gather(rows, pace, parts, certainty)
        out.evidence[here] = np.maximum(evidence, 0.0)
        steps = self._follow_time(rows, at_s, pace, known & learn)
        self._baseline.learn(rows, apart, steps, reference, in_call)

    def _follow_sources(self, rows: Rows | slice, source: NDArray[np.int64], ahead: Mask) -> None:
        """Learn a channel's level anew that comes from another machine now."""
        before = self._source[:, rows]
        other = source != before
        if not np.count_nonzero(other):
            return
        other &= (source != 0) & ahead
        fresh = other & (before != 0)  # before it is written: of a span, `before` is the state
        self._source[:, rows] = np.where(other, source, before)
        if fresh.any():
            self._baseline.reopen(rows, fresh[_CHANNEL_OF])

    def _follow_time(self, rows: Rows | slice, at_s: Floats, pace: Pace, known: Mask) -> Singles:
        """Return how long each value stands for, shape (s, n); 0 where it must not teach.

        Once per feature and moment, however many sources there are. [s]
        """
        last_s = self._last_s[rows]
        steps = np.minimum(pace.step_s, LONGEST_STEP_S).astype(np.float32)
        taught, before_s = known & pace.ahead, last_s
        stands = (words(taught) & steps.view(np.int32)).view(np.float32)
        if not pace.even:
            already = self._taught[:, rows] & pace.again
            stands[already] = 0.0
            taught |= already | (self._taught[:, rows] & ~pace.ahead)
            before_s = np.where(pace.ahead & ~pace.again, last_s, self._before_s[rows])
            at_s = np.maximum(last_s, at_s)
        self._taught[:, rows] = taught
        self._before_s[rows] = before_s
        self._last_s[rows] = at_s
        return stands


def _columns(block: Floats) -> Singles:
    """Return the scored features of n agents, shape (s, n)."""
    return np.ascontiguousarray(block.T[SCORED], dtype=np.float32)


def _tell(out: ScoreBatch, here: slice, parts: Singles, certainty: Singles) -> None:
    """Fill in what one window says, from deviations and certainties of shape (P, n)."""
    ratios, known = fusion.log_ratios(parts, certainty), certainty > 0
    total = np.where(np.logical_or.reduce(known, axis=0), fusion.sum_down(ratios), _UNKNOWN)
    blank(ratios, words(known))
    out.score[here], out.strain_index[here] = fusion.score_and_index(total)
    out.part_level[here] = fusion.levels(parts, certainty)
    out.part_contribution.T[:, here] = ratios


_SITE = "site"
_OWN = ("last_s", "before_s", "taught", "source", "beat_s")
_PASSING = frozenset(
    {*Evidence.PASSING, *Electrode.PASSING, "last_s", "before_s", "taught", "beat_s"}
)
_BLANKS = {"last_s": -np.inf, "before_s": -np.inf, "skin_s": -np.inf, "beat_s": -np.inf}


def _blank_of(name: str) -> float:
    """Return what an array of the state holds before anything is known."""
    return _BLANKS.get(name, 0.0)


def _blank(n: int) -> ScoreBatch:
    """Return a batch whose every entry is still to be filled in."""
    return ScoreBatch(
        score=np.empty(n),
        strain_index=np.empty(n),
        evidence=np.empty(n),
        learning=np.empty(n, dtype=bool),
        quality=np.empty(n),
        # parts one after the other, as they are computed
        part_level=np.empty((len(PARTS), n), dtype=np.int8).T,
        part_contribution=np.empty((len(PARTS), n)).T,
    )
