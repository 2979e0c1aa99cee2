"""The heart's numbers as one would do them by hand: slow, one beat after the other."""

from __future__ import annotations

import cmath
import math
import statistics

from analytics.hrv import artefacts as rule
from analytics.hrv import single_long

NAN = math.nan


def _at(values, k):
    return values[k] if 0 <= k < len(values) else None


def _usual(rr, k, wide):
    """Return the median of five neighbours on either side of `wide` intervals; None of too few."""
    near = rr[max(k - 5, 0) : k] + rr[k + wide : k + wide + 5]
    return statistics.median(near) if len(near) >= 3 else None


def correct(rr_ms, gaps_before=()):
    """Return (rr, measured, normal, follows, counts) of one window; `gaps_before`: places of gaps."""
    rr = list(rr_ms)
    joined = [k > 0 and k not in gaps_before for k in range(len(rr))]
    measured = [True] * len(rr)
    counts = {"extra": 0, "missed": 0, "ectopic": 0, "irregular": 0, "long": 0}
    for _ in range(3):
        joins = _halves(rr, joined)
        counts["extra"] += len(joins)
        for k in reversed(joins):
            rr[k : k + 2] = [rr[k] + rr[k + 1]]
            del joined[k + 1]  # it follows what its first part followed
            del measured[k]
    rr, joined, measured = _divide_long(rr, joined, measured, counts)
    natural = _natural(rr, joined, measured)
    _put_back(rr, joined, measured, natural, counts)
    _set_aside(rr, joined, measured, natural, counts)
    measured = [m and 300.0 <= x <= 2000.0 for m, x in zip(measured, rr, strict=True)]
    follows = [joined[k] and measured[k] and measured[k - 1] for k in range(len(rr))]
    normal = _without_long(rr, joined, measured, natural, counts)
    return rr, measured, normal, follows, counts


def _around(rr, joined, k):
    """Return the intervals directly before and after, where nothing was lost between."""
    before = rr[k - 1] if joined[k] else None
    after = rr[k + 1] if k + 1 < len(rr) and joined[k + 1] else None
    return before, after


def _halves(rr, joined):
    joins = []
    for k, here in enumerate(rr):
        usual = _usual(rr, k, 1)
        beside = [x for x in (_at(rr, k - 1), _at(rr, k + 1)) if x is not None]
        before, after = _around(rr, joined, k)
        near = [x for x in (before, after) if x is not None]
        if usual is None or not near or not here < 0.8 * max(beside):
            continue
        if not (here < rule.SHORT * usual and here + min(near) < rule.ONE_OR_TWO * usual):
            continue
        if len(near) == 2:
            one = abs(here + min(near) - usual) + abs(max(near) - usual)
            if one > abs(here + max(near) - 2 * usual):
                continue
        elif abs(here + near[0] - usual) > abs(near[0] - usual):
            continue
        left = before is not None and (after is None or before < after)
        joins.append(k - 1 if left else k)
    found = set(joins)
    return sorted(k for k in found if k - 1 not in found)


def _divide_long(rr, joined, measured, counts):
    new = ([], [], [])
    for k, here in enumerate(rr):
        times, good = _times(rr, joined, k)
        counts["missed"] += times - 1
        counts["irregular"] += not good
        for part in range(times):
            new[0].append(here / times)
            new[1].append(joined[k] if part == 0 else True)
            new[2].append(measured[k] and good and times == 1)
    return new


def _times(rr, joined, k):
    """Return how many intervals one is, and whether it can be told."""
    here, usual = rr[k], _usual(rr, k, 1)
    beside = [x for x in (_at(rr, k - 1), _at(rr, k + 1)) if x is not None]
    if not beside or not here > 1.3 * min(beside):
        return 1, True
    before, after = _around(rr, joined, k)
    options = [usual, 0.5 * (before + after) if before and after else None]
    options = [x for x in options if x is not None]
    if not options or here / max(options) < rule.MISSED:
        return 1, True
    earlier = rr[k - 2] if joined[k] and joined[k - 1] else None
    later = rr[k + 2] if k + 2 < len(rr) and joined[k + 1] and joined[k + 2] else None
    for beside_it, beyond, opposite in ((before, earlier, after), (after, later, before)):
        level = 0.5 * (beyond + opposite) if beyond and opposite else usual
        if beside_it is None or level is None:
            continue
        moved = abs(beside_it + here - 2 * level)
        if moved < abs(beside_it - level) + abs(here - 2 * level) - 0.3 * level:
            return 1, True
    ratio = here / max(options)
    times = round(ratio)
    return (times, True) if times <= 3 else (1, False)


def _natural(rr, joined, measured):
    good = [joined[k] and measured[k] and measured[k - 1] for k in range(len(rr))]
    steps = [abs(rr[k] - rr[k - 1]) for k in range(1, len(rr)) if good[k]]
    place = [
        abs(3 * (rr[k - 2] - rr[k - 1]) + rr[k] - rr[k - 3]) / 6
        for k in range(3, len(rr))
        if good[k] and good[k - 1] and good[k - 2]
    ]
    step, out = (1.4826 * statistics.median(x) if x else 0.0 for x in (steps, place))
    return min(rule.STEP_SIGMA * step, rule.PLACE_SIGMA * out)


def _limit(natural, largest, usual):
    most = max(largest * usual, natural)
    return min(max(rule.CERTAIN * natural, rule.SMALLEST_SHIFT * usual), most)


def _put_back(rr, joined, measured, natural, counts):
    whole = statistics.median(rr) if rr else 0.0
    strength, shifts = [0.0] * (len(rr) + 1), [0.0] * len(rr)
    for k in range(len(rr) - 1):
        a, b, usual = rr[k], rr[k + 1], _usual(rr, k, 2)
        if not joined[k + 1] or usual is None:
            continue
        if abs(b - a) <= 1.2 * _limit(natural, rule.LARGEST_EARLY, whole):
            continue
        p = rr[k - 1] if joined[k] else usual
        q = rr[k + 2] if k + 2 < len(rr) and joined[k + 2] else usual
        way = math.copysign(1, b - a)
        shifts[k] = (3 * (a - b) + q - p) / 6
        steps = min(way * (p - a), way * (b - q), abs(b - a) / 2)
        off = min(abs(a + b - 2 * usual), abs(a + b - p - q))
        evidence = 0.5 * (steps - way * shifts[k]) if steps > 0 and off < 0.45 * abs(b - a) else 0.0
        largest = rule.LARGEST_EARLY if shifts[k] < 0 else rule.LARGEST_LATE
        strength[k] = evidence if evidence > _limit(natural, largest, usual) else 0.0
    for k in range(len(rr) - 1):
        before = strength[k - 1] if k else 0.0
        if strength[k] > before and strength[k] >= strength[k + 1]:
            rr[k] -= shifts[k]
            rr[k + 1] += shifts[k]
            measured[k] = measured[k + 1] = False
            counts["ectopic"] += 1


def _set_aside(rr, joined, measured, natural, counts):
    found = []
    for k, here in enumerate(rr):
        usual = _usual(rr, k, 1)
        beside = [x for x in (_at(rr, k - 1), _at(rr, k + 1)) if x is not None]
        if usual is None or not measured[k] or not here < 0.95 * min(beside):
            continue
        near = [x for x in (*_around(rr, joined, k), usual) if x is not None]
        limit = _limit(rule.DEPTH_SIGMA * natural, rule.LARGEST_DEPTH, usual)
        if min(near) - here > limit:
            found.append((k, statistics.median(near)))
    for k, value in found:
        rr[k], measured[k] = value, False
        counts["irregular"] += 1


def _without_long(rr, joined, measured, natural, counts):
    """Return which beats variability is taken from, and count single long ones."""
    usual = [_usual(rr, k, 1) for k in range(len(rr))]
    known = [m and u is not None for m, u in zip(measured, usual, strict=True)]
    far = sorted(abs(x - u) for x, u, k in zip(rr, usual, known, strict=True) if k)
    quartile = far[math.ceil(0.75 * len(far)) - 1] if far else NAN
    normal = list(measured)
    for k, here in enumerate(rr):
        beside = [x for x in (_at(rr, k - 1), _at(rr, k + 1)) if x is not None]
        if not known[k] or not beside:
            continue
        least = max(single_long.SMALLEST_EXCESS * max(beside), single_long.LEAST_SHIFTS * natural)
        excess = here - max(x for x in (*_around(rr, joined, k), usual[k]) if x is not None)
        if not here - max(beside) > least or not excess > single_long.SMALLEST_EXCESS * usual[k]:
            continue
        if excess > single_long.LONG_DOUBTED * quartile:
            counts["long"] += 1
            normal[k] = not excess > single_long.LONG_LEFT_OUT * max(quartile, natural)
    return normal


def sample_entropy(rr, joined):
    """Return SampEn(2, 0.2 SD) of one window, or NaN."""
    r = 0.2 * statistics.stdev(rr)
    begins = [k for k in range(len(rr) - 2) if joined[k + 1] and joined[k + 2]]
    two = three = 0
    for i in begins:
        for j in begins:
            if i != j and all(abs(rr[i + m] - rr[j + m]) <= r for m in (0, 1)):
                two += 1
                three += abs(rr[i + 2] - rr[j + 2]) <= r
    return -math.log(three / two) if two and three else NAN


def baevsky_index(rr):
    """Return AMo / (2 Mo MxDMn) of one window."""
    bins = {}
    for x in rr:
        bins[int(x // 50)] = bins.get(int(x // 50), 0) + 1
    fullest = max(sorted(bins), key=lambda b: bins[b])
    span = (max(rr) - min(rr)) / 1000
    return 100 * bins[fullest] / len(rr) / (2 * (fullest + 0.5) * 0.05 * span) if span else NAN


def lomb_scargle(rr, at_s, frequency_hz):
    """Return the density at one frequency."""
    mean = statistics.fmean(rr)
    w = 2 * math.pi * frequency_hz
    t = [x - at_s[0] for x in at_s]
    tau = math.atan2(sum(math.sin(2 * w * x) for x in t), sum(math.cos(2 * w * x) for x in t))
    tau /= 2 * w
    cosines, sines = [math.cos(w * (x - tau)) for x in t], [math.sin(w * (x - tau)) for x in t]
    yc = sum((y - mean) * c for y, c in zip(rr, cosines, strict=True))
    ys = sum((y - mean) * s for y, s in zip(rr, sines, strict=True))
    power = 0.5 * (yc**2 / sum(c * c for c in cosines) + ys**2 / sum(s * s for s in sines))
    return power * 2 * t[-1] / (len(rr) - 1)


def welch_density(values, rate_hz, size):
    """Return the density of one evenly sampled series at every frequency."""
    taper = [0.5 - 0.5 * math.cos(2 * math.pi * k / size) for k in range(size)]
    energy = rate_hz * sum(w * w for w in taper)
    found = []
    for f in range(size // 2 + 1):
        total = []
        for start in range(0, len(values) - size + 1, size - size // 2):
            wave = sum(
                values[start + k] * taper[k] * cmath.exp(-2j * math.pi * f * k / size)
                for k in range(size)
            )
            total.append(abs(wave) ** 2)
        twice = 1 if f in (0, size / 2) else 2
        found.append(twice * statistics.fmean(total) / energy)
    return found
