"""From deviations to one number: which parts differ, and what they say together.

Pure functions of arrays, features or parts by agents. Not everybody reacts in
every part: each is taken to react to strain with a chance of its own, by an
effect of about its own size, so a part that stays calm takes back only a
little of what another says. The parts' log-likelihood ratios add; a missing
part says nothing, in either direction.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.baseline import NEVER_ZERO, SCORED, Reference, column
from analytics.signals.features import FEATURES, PARTS, RESPONSE, UNKNOWN_LEVEL, Part
from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]

SQUASH = 2.0
"""No single feature counts for more than this many spreads: robust to one bad channel."""

KNOWN_S = 60.0
"""A feature is scored once its reference has seen this much. [s]"""

MOVEMENT = 0.5
"""Share of its weight a channel keeps that movement disturbs (TRUST A3)."""

GUESS = 0.4
"""Share of its weight a device's own rate keeps between the beats that it does find.

A device that finds beats at times and none now fills the gap with a guess; one
that never delivers beats, or gave none for `GUESSES_S`, is taken at its word.
"""

GUESSES_S = 3600.0
"""So long after its last beats a device's own rate counts as a guess. [s]

As long as the level of the beats is remembered; after that, or from another
edge, they say nothing about the device that is worn now.
"""

MISCOUNTED = 1.75
"""A heart rate this many times its level, or this part of it, is beats counted twice or lost.

Strain and even stairs stay below: from 70 to 122 beats a minute within a
minute is a sprint. A level that is wrong itself ages within hours.
"""

SETTLED_S = 300.0
"""Until a level has seen this much it cannot refuse a value. [s]"""

LEVELS = (0.8, 1.6)
"""A part is above (below) usual from the first, far above from the second. [spreads]"""

NAMES = [FEATURES[i].name for i in SCORED]
PART_OF = [FEATURES[i].part for i in SCORED]
_SIGN = column("sign")
_WEIGHT = column("weight")
_FEATURES_OF = tuple(np.array([i for i, p in enumerate(PART_OF) if p is part]) for part in PARTS)
_DISTURBED = [i for i, part in enumerate(PART_OF) if part in {Part.HEART, Part.SKIN}]
_BEAT_RATE = NAMES.index("heart_rate_bpm")
_DEVICE_RATE = NAMES.index("device_rate_bpm")  # stands in for the other, never beside it
_RATES: Any = [_BEAT_RATE, _DEVICE_RATE]
if _DEVICE_RATE == _BEAT_RATE + 1:  # neighbours are read where they lie
    _RATES = slice(_BEAT_RATE, _DEVICE_RATE + 1)
_FALLING = np.flatnonzero(_SIGN[:, 0] < 0).tolist()
_FIRST = np.array([of[0] for of in _FEATURES_OF], np.intp)


def _further(k: int) -> list[tuple[slice, slice]]:
    """Return which parts have more than k features, and the rows of these: evenly spaced ones."""
    pairs = [(p, int(of[k])) for p, of in enumerate(_FEATURES_OF) if len(of) > k]
    steps = {(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(pairs)} or {(1, 1)}
    if len(steps) > 1:
        return [(slice(p, p + 1), slice(row, row + 1)) for p, row in pairs]
    (parts, rows), (first, last) = steps.pop(), (pairs[0], pairs[-1])
    return [(slice(first[0], last[0] + 1, parts), slice(first[1], last[1] + 1, rows))]


_FURTHER = [pair for k in range(1, max(map(len, _FEATURES_OF))) for pair in _further(k)]
_NOTHING = np.float32(0.0)  # makes of -0 what a sum is that begins with 0
_SQUASH = np.float32(SQUASH)
# Reaching each adds one to the level, counted from -len(LEVELS) on; from below, above the line.
_LINES = np.array(
    [*(np.nextafter(np.float32(-x), np.float32(0)) for x in LEVELS), *LEVELS], np.float32
)[:, None, None]
_LEAD_SIGN = np.array([_SIGN[of][np.argmax(_WEIGHT[of])] for of in _FEATURES_OF], np.int8)
_EFFECT = np.array([[RESPONSE[part].effect] for part in PARTS], dtype=np.float32)
_CHANCE = np.array([[RESPONSE[part].chance] for part in PARTS], dtype=np.float32)
_NO_CHANCE = np.float32(1.0) - _CHANCE
_HEAVIEST = np.array([[_WEIGHT[of].max()] for of in _FEATURES_OF], dtype=np.float32)
SLOPE = _CHANCE * _EFFECT
"""What each part says per spread, near its usual; shape (P, 1)."""


def towards_strain(spreads: Singles) -> Singles:
    """Return deviations squashed, above 0 where they speak for strain."""
    squashed: Singles = spreads.clip(-_SQUASH, _SQUASH)
    for row in _FALLING:
        np.negative(squashed[row], out=squashed[row])
    return squashed


def refuse_miscounted(values: Singles, known: Mask, reference: Reference) -> None:
    """Take away from `known` the heart rates that are about twice or half the person's level."""
    level, found = reference.mean[_RATES], values[_RATES]
    off = found > MISCOUNTED * level
    off |= found * MISCOUNTED < level
    off &= reference.seconds[_RATES] >= SETTLED_S
    if np.count_nonzero(off):
        known[_RATES] &= ~off


def seen_enough(reference: Reference) -> Mask:
    """Return which features' levels have seen enough to be scored against."""
    return reference.seconds >= KNOWN_S - 2 * WINDOW_S


def weights(
    quality: Singles, reference: Reference, moving: Mask, scored: Mask, beat_age_s: Floats
) -> Singles:
    """Return how much each of the `scored` counts: share, quality and calm of body.

    Parameters
    ----------
    quality : ndarray of float32, shape (s, n)
    reference : Reference
    moving : ndarray of bool, shape (n,)
    scored : ndarray of bool, shape (s, n)
    beat_age_s : ndarray of float64, shape (n,)
        Since there were beats; infinite if there never were. [s]
    """
    weight = quality * _WEIGHT
    weight *= scored
    if np.count_nonzero(moving):
        share = np.where(moving, np.float32(MOVEMENT), np.float32(1.0))
        for row in _DISTURBED:
            weight[row] *= share
    beats, device = weight[_BEAT_RATE], weight[_DEVICE_RATE]
    guessed = (reference.seconds[_BEAT_RATE] > 0) & (beat_age_s <= GUESSES_S)
    device *= np.where(guessed, np.float32(GUESS), np.float32(1.0))
    device *= beats <= 0
    return weight


def parts_of(squashed: Singles, weight: Singles) -> tuple[Singles, Singles]:
    """Return each part's deviation and certainty, both (P, n); both 0 where unknown."""
    room = np.empty((2, *weight.shape), dtype=np.float32)
    np.multiply(weight, squashed, out=room[0])
    np.multiply(weight, weight, out=room[1])
    sums, certainty = room.take(_FIRST, axis=1), weight.take(_FIRST, axis=0)
    for which, further in _FURTHER:
        more, most = sums[:, which], certainty[which]
        more += room[:, further]
        np.maximum(most, weight[further], out=most)
    certainty /= _HEAVIEST
    parts, square = sums
    # Unknown: nothing was added up, so nothing comes out.
    np.maximum(square, NEVER_ZERO, out=square)
    parts /= np.sqrt(square, out=square)
    parts += _NOTHING
    return parts, certainty


def log_ratios(parts: Singles, certainty: Singles) -> Singles:
    """Return how much each part speaks for strain, shape (..., P, n).

    A part whose deviation is z makes strain more likely, against a part at its
    usual, by the factor 1 - q + q exp(d z): it reacts by the effect d with the
    chance q, else z says nothing. The result is the logarithm: 0 at the usual
    and for what is unknown; about d z far above, never below log(1 - q). A
    doubtful part (poor, moving, the device's own guess) has a smaller d, so
    that doubt says less either way: of certainty 0, nothing.
    """
    ratio = _EFFECT * certainty
    ratio *= parts
    np.exp(ratio, out=ratio)
    ratio *= _CHANCE
    ratio += _NO_CHANCE
    found: Singles = np.log(ratio, out=ratio)
    return found


_BANDS = log_ratios(
    np.array([[[level]] * len(PARTS) for level in LEVELS], np.float32),
    np.ones((len(LEVELS), len(PARTS), 1), np.float32),
)[..., 0]


def band(said: Floats) -> NDArray[np.int8]:
    """Return how far a part must lie from its usual to say what it says for strain.

    Parameters
    ----------
    said : ndarray of float64, shape (P,)
        Log-likelihood ratio of each part, of what is sure; NaN is unknown.

    Returns
    -------
    ndarray of int8, shape (P,)
        In the direction of its leading feature: 1 or -1 up to the line of
        *well above*, 2 or -2 beyond; 0 for what does not speak for strain.
    """
    size = (said > 0).astype(np.int8) + (said >= _BANDS[-1])
    return np.asarray(size * _LEAD_SIGN[:, 0], np.int8)


def is_usual(said: Floats) -> Mask:
    """Return which parts say so little that they lie within the usual range, shape (P,)."""
    return np.asarray(~(said >= _BANDS[0]), bool)


def sum_down(rows: Singles) -> Singles:
    """Return the sum over the last axis but one, in the same order however many columns there are.

    NumPy's own sum goes another way for one column than for many, and an agent
    scored alone must get, bit for bit, the score of one scored among others.
    """
    if rows.shape[-1] > 1:
        return np.asarray(np.add.reduce(rows, axis=-2))
    total: Singles = rows[..., 0, :].copy()
    for k in range(1, rows.shape[-2]):
        total += rows[..., k, :]
    return total


def mean_quality(quality: Singles, weight: Singles) -> Singles:
    """Return the mean quality of what was scored."""
    found = sum_down(weight * quality)
    found /= np.maximum(sum_down(weight), NEVER_ZERO)
    return found


def score_and_index(total: Singles) -> tuple[Singles, Singles]:
    """Return ln(1 + exp(total)), and the logistic function of `total` as 0 to 100.

    What parts say together is bounded (`SQUASH`): far from any overflow.
    """
    odds = np.exp(total)
    score = np.log1p(odds)
    index = odds * np.float32(100.0)
    odds += np.float32(1.0)
    index /= odds
    return score, index


def levels(parts: Singles, certainty: Singles) -> NDArray[np.int8]:
    """Return -2 to 2 per part in the direction of its leading feature, (n, P)."""
    passed = parts >= _LINES
    found = np.add.reduce(passed.view(np.int8), axis=0, dtype=np.int8)
    found -= np.int8(len(LEVELS))
    found *= _LEAD_SIGN
    unknown = (certainty <= 0).view(np.int8)
    found += unknown * np.int8(UNKNOWN_LEVEL)  # at 0 before, as its deviation is
    return np.asarray(found.T)
