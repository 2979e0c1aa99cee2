"""From deviations to one number: which parts differ, and what they say together.

Pure functions of arrays, features or parts by agents. Not everybody reacts in
every part: each is taken to react to strain with a chance of its own, by an
effect of about its own size, so a part that stays calm takes back only a
little of what another says. The parts' log-likelihood ratios add; a missing
part says nothing, in either direction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.baseline import SCORED, Reference, column
from analytics.features import FEATURES, PARTS, RESPONSE, UNKNOWN_LEVEL, Part
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
that never delivers beats is taken at its word.
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
_DISTURBED = np.array([[part in {Part.HEART, Part.SKIN}] for part in PART_OF])
_BEAT_RATE = NAMES.index("heart_rate_bpm")
_DEVICE_RATE = NAMES.index("device_rate_bpm")  # stands in for the other, never beside it
_FEATURES_OF = tuple(np.array([i for i, p in enumerate(PART_OF) if p is part]) for part in PARTS)
_LEAD_SIGN = np.array([[_SIGN[of[np.argmax(_WEIGHT[of, 0])], 0]] for of in _FEATURES_OF], np.int8)
_EFFECT = np.array([[RESPONSE[part].effect] for part in PARTS], dtype=np.float32)
_CHANCE = np.array([[RESPONSE[part].chance] for part in PARTS], dtype=np.float32)
SLOPE = _CHANCE * _EFFECT
"""What each part says per spread, near its usual; shape (P, 1)."""


def deviations(values: Singles, reference: Reference) -> Singles:
    """Return how many spreads each value lies towards strain, squashed."""
    off = values - reference.mean
    off *= _SIGN
    off /= reference.scale
    return np.clip(off, -SQUASH, SQUASH, out=off)


def refuse_miscounted(values: Singles, known: Mask, reference: Reference) -> None:
    """Take away from `known` the heart rates that are about twice or half the person's level."""
    for row in (_BEAT_RATE, _DEVICE_RATE):
        level = reference.mean[row]
        with np.errstate(invalid="ignore"):
            off = (values[row] > MISCOUNTED * level) | (values[row] * MISCOUNTED < level)
        known[row] &= ~(off & (reference.seconds[row] >= SETTLED_S))


def young(quality: Singles, reference: Reference, known: Mask) -> Mask:
    """Return which features are measured while their level has not seen enough to score them."""
    return known & (quality > 0) & ~_seen_enough(reference)


def _seen_enough(reference: Reference) -> Mask:
    return reference.seconds >= KNOWN_S - 2 * WINDOW_S


def weights(quality: Singles, reference: Reference, moving: Mask, known: Mask) -> Singles:
    """Return how much each feature counts: its share, quality, age and calm of body."""
    weight = quality * _WEIGHT
    weight *= known & _seen_enough(reference)
    if moving.any():
        weight *= np.where(moving & _DISTURBED, np.float32(MOVEMENT), np.float32(1.0))
    guessed = np.where(reference.seconds[_BEAT_RATE] > 0, np.float32(GUESS), np.float32(1.0))
    weight[_DEVICE_RATE] *= guessed * (weight[_BEAT_RATE] <= 0)
    return weight


def parts_of(squashed: Singles, weight: Singles) -> tuple[Singles, Singles]:
    """Return each part's deviation and certainty, both (P, n); NaN and 0 where unknown."""
    n = squashed.shape[1]
    parts = np.full((len(PARTS), n), np.nan, dtype=np.float32)
    certainty = np.zeros((len(PARTS), n), dtype=np.float32)
    for p, features in enumerate(_FEATURES_OF):
        w = weight[features]
        total = sum_down(w)
        spread = np.sqrt(sum_down(w * w))
        some = total > 0
        added = sum_down(w * squashed[features])
        parts[p] = np.where(some, added / np.where(some, spread, 1.0), np.nan)
        certainty[p] = np.where(some, np.max(w, axis=0) / _WEIGHT[features].max(), 0.0)
    return parts, certainty


def log_ratios(parts: Singles, certainty: Singles) -> Singles:
    """Return how much each part speaks for strain, shape (P, n).

    A part whose deviation is z makes strain more likely, against a part at its
    usual, by the factor 1 - q + q exp(d z): it reacts by the effect d with the
    chance q, else z says nothing. The result is the logarithm: 0 at the usual
    and for what is unknown; about d z far above, never below log(1 - q). A
    doubtful part (poor, moving, the device's own guess) has a smaller d, so
    that doubt says less either way.
    """
    z = np.where(certainty > 0, parts, np.float32(0.0))
    ratio = np.exp(_EFFECT * certainty * z)
    ratio *= _CHANCE
    ratio += 1.0 - _CHANCE
    found: Singles = np.log(ratio, out=ratio)
    return found


def sum_down(rows: Singles) -> Singles:
    """Return the sum down the columns, in the same order however many there are.

    NumPy's own sum goes another way for one column than for many, and an agent
    scored alone must get, bit for bit, the score of one scored among others.
    """
    total: Singles = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total


def mean_quality(quality: Singles, weight: Singles) -> Singles:
    """Return the mean quality of what was scored."""
    total = sum_down(weight)
    some = total > 0
    return np.where(some, sum_down(weight * quality) / np.where(some, total, 1.0), 0.0)


def levels(parts: Singles) -> NDArray[np.int8]:
    """Return -2 to 2 per part in the direction of its leading feature, (n, P)."""
    size = np.zeros(parts.shape, dtype=np.int8)
    for level in LEVELS:
        size += (np.abs(parts) >= level).astype(np.int8)
    signed = np.sign(np.nan_to_num(parts)).astype(np.int8) * size * _LEAD_SIGN
    return np.where(np.isfinite(parts), signed, UNKNOWN_LEVEL).astype(np.int8).T
