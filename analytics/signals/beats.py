"""Beats of every agent, and what they say over one minute and over five.

The newest beats stand in a ring. Artefacts are judged anew among all of them
each time; what counts in a minute is what was measured, never an estimate. A
beat whose neighbours have long arrived is judged for good, and only its share
in the sums of five minutes is kept: five minutes then cost no more than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from analytics import hrv
from analytics.signals.features import FEATURE_INDEX
from analytics.signals.rings import Ring, Rings
from sensors.messages import WINDOW_S, ReadingMessage

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
Numbers = NDArray[np.int64]
Figure = tuple[Floats, Floats]

SPAN_S = 60.0
"""Hands, voice and the rhythm of the heart are summarised over the last minute. [s]

RMSSD needs no more: 10 s agree with 4 to 5 minutes at r = 0.85, 120 s at 0.99
(Munoz et al. 2015, PLoS ONE 10(9):e0138921).
"""

LONG_SPAN_S = 300.0
"""The standard span of short-term variability, and the least for a slow trend. [s]

Task Force 1996, Circulation 93(5):1043.
"""

SETTLE_BEATS_S = 10.0
"""A beat is judged for good once so much later ones arrived. [s]

Headsets hold beats back for 3 to 4 s, and a beat is judged among five neighbours
to either side, of which those before it and some after it are there by then.
"""

RATE_SPAN_S = 120.0
LEAST_BEATS = 8
MOST_BEATS = 40
"""The rate is that of the newest 8 to 40 good beats of the last two minutes.

Few beats that were really found tell more than the rate a device makes up
between them, even if they are a minute old; where all are found, 40 beats are
about half a minute. At most the newest 96 beats are looked at, 192 where a
minute holds more than 96: dense beats of which few are good shorten the span.
"""

LEAST_DIFFERENCES = 20
"""Successive differences in the last minute from which RMSSD and SDNN are given."""

LEAST_LONG_DIFFERENCES = 100
"""Successive differences in five minutes from which RMSSD and SDNN are given.

A third of what a heart at rest has: five minutes of a third of the beats tell
more than one full minute.
"""

LONG_SLOTS = 64
"""Windows of the five-minute rings: 60, and room for late ones."""

_BEATS = 192  # a minute at 190 beats a minute; beyond that the span shortens
_USUALLY = 96  # beats that a minute of most people fits into: half the work
_BURST = 64  # intervals taken from one message; a 5 s window holds about 25 at most
_CHUNK = 512  # agents worked on at a time: the temporaries stay in a core's cache
_NEAR_MS = 800.0  # intervals are summed as distances from here: fewer digits are lost
_N_BEATS, _N_DIFFERENCES, _SUM, _SQUARES, _STEPS = range(5)

RINGS = {
    "rr": Ring((_BEATS,), "<f4", np.nan),
    "beat_s": Ring((_BEATS,), "<f8", -np.inf),
    "head": Ring((), "<i4", 0),  # where the next beat goes
    "newest_s": Ring((), "<f8", -np.inf),
    "settled_s": Ring((), "<f8", -np.inf),  # newest beat that is in the sums
    "sums": Ring((LONG_SLOTS, 5), "<f4", 0),
}


def take(
    rings: Rings, rows: Rows, windows: Sequence[ReadingMessage], at_s: Floats, heard: Mask
) -> None:
    """Append the beats that are newer than the last of each agent.

    Parameters
    ----------
    rings : Rings
    rows : ndarray of intp, shape (n,)
        Unique.
    windows : sequence of ReadingMessage, length n
    at_s : ndarray of float64, shape (n,)
        Their ends. [s since the epoch]
    heard : ndarray of bool, shape (n,)
        Whether the heart section comes from the agent's own headset.
    """
    found = [
        (i, heart.rr_ms[-_BURST:], heart.beat_offset_ms[-_BURST:])
        for i, (window, ours) in enumerate(zip(windows, heard.tolist(), strict=True))
        if ours and (heart := window.heart) is not None and heart.rr_ms
    ]
    if not found:
        return
    window_of = np.repeat([one[0] for one in found], [len(one[1]) for one in found])
    rr = np.fromiter(chain.from_iterable(one[1] for one in found), np.float64)
    offset = np.fromiter(chain.from_iterable(one[2] for one in found), np.float64)
    beat_s = at_s[window_of] + offset / 1000.0
    newer = beat_s > rings["newest_s"][rows[window_of]]
    if not newer.all():
        window_of, rr, beat_s = window_of[newer], rr[newer], beat_s[newer]
    count = np.bincount(window_of, minlength=len(rows))
    some = np.flatnonzero(count)
    if not some.size:
        return
    count = count[some]
    end = np.cumsum(count)
    nth = np.arange(len(rr)) - np.repeat(end - count, count)
    r, owner = rows[some], rows[window_of]
    place = (rings["head"][owner] + nth) % _BEATS
    rings["rr"][owner, place] = rr
    rings["beat_s"][owner, place] = beat_s
    rings["head"][r] = (rings["head"][r] + count) % _BEATS
    rings["newest_s"][r] = beat_s[end - 1]


def clear(rings: Rings, rows: Rows) -> None:
    """Forget the beats of `rows`: another headset takes over."""
    for name, ring in RINGS.items():
        rings[name][rows] = ring.blank


def minute(  # noqa: PLR0917 - whose and when, then what is filled in
    rings: Rings,
    rows: Rows,
    at_s: Floats,
    number: Numbers,
    in_ring: Mask,
    values: Floats,
    coverage: Floats,
) -> None:
    """Fill in the figures of the last minute; add what has settled to the long sums.

    Parameters
    ----------
    rings : Rings
    rows : ndarray of intp, shape (n,)
    at_s : ndarray of float64, shape (n,)
    number : ndarray of int64, shape (n,)
        Number of each window.
    in_ring : ndarray of bool, shape (n,)
        Whether the long rings still hold that window; older ones add nothing.
    values, coverage : ndarray of float64, shape (n, d)
        Changed where there are beats; see :mod:`analytics.signals.windows`.
    """
    for some, newest in _alike(rings, rows, at_s):
        r, end_s = rows[some], at_s[some, None]
        place = (rings["head"][r, None] + np.arange(-newest, 0)) % _BEATS
        beat_s = rings["beat_s"][r[:, None], place]
        rr = rings["rr"][r[:, None], place].astype(np.float64)
        recent = (beat_s > end_s - RATE_SPAN_S) & (beat_s <= end_s + WINDOW_S)
        ripe = recent & (beat_s <= end_s - SETTLE_BEATS_S) & in_ring[some, None]
        until_s = np.where(ripe, beat_s, -np.inf).max(axis=1)
        good = _good(rr, recent, beat_s)
        _rate(some, good, values, coverage)
        good.keep(good.beat_s > end_s - SPAN_S)
        _variability(some, _sums(good), values, coverage)
        _settle(rings, r, number[some] % LONG_SLOTS, good, until_s)


@dataclass(slots=True)
class _Good:
    """The beats of each agent that were measured: the newest in the last column.

    One that `follows` does so upon the one in the column before.
    """

    rr: Floats
    beat_s: Floats
    normal: Mask
    follows: Mask

    def keep(self, which: Mask) -> None:
        """Go on with some of them; a difference belongs to its later beat."""
        self.normal &= which
        self.follows &= which

    def put(self, rows: Rows, found: hrv.Corrected) -> None:
        """Have what was measured of `rows` as `found` by correction, moved up to the right.

        There is always room: correction makes estimates more, never measured beats.
        How wide `found` is depends on who else is in the batch, and sums over another
        width round otherwise.
        """
        width, measured = self.rr.shape[1], found.measured
        normal = np.arange(width) >= width - measured.sum(axis=1)[:, None]
        for array, blank, values in (
            (self.rr, np.nan, found.rr_ms),
            (self.beat_s, -np.inf, found.beat_s),
            (self.follows, False, found.follows),
        ):
            moved = np.full(normal.shape, blank, array.dtype)
            moved[normal] = values[measured]
            array[rows] = moved
        self.normal[rows] = normal


def _good(rr: Floats, recent: Mask, beat_s: Floats) -> _Good:
    """Return what was measured of the `recent` beats; may take over the arrays."""
    calm, follows = hrv.undisturbed(rr, recent, beat_s)
    good = _Good(rr, beat_s, recent, follows)
    others = np.flatnonzero(~calm)
    if others.size:
        found = hrv.correct(rr[others], recent[others], beat_s[others])
        good.put(others, found)
    return good


def _alike(rings: Rings, rows: Rows, at_s: Floats) -> Iterator[tuple[Rows, int]]:
    """Yield places in `rows` that have beats, and how many of the newest to look at.

    It depends on the agent's own beats alone, so that whoever else is in the
    batch changes no digit.
    """
    some = np.flatnonzero(at_s - rings["newest_s"][rows] < SPAN_S)  # older ones say nothing of now
    r = rows[some]
    oldest_s = rings["beat_s"][r, (rings["head"][r] - _USUALLY - 1) % _BEATS]
    few = oldest_s <= at_s[some] - SPAN_S
    for which, newest in ((some[few], _USUALLY), (some[~few], _BEATS)):
        for start in range(0, len(which), _CHUNK):
            yield which[start : start + _CHUNK], newest


def _sums(good: _Good) -> Floats:
    """Return what RMSSD and SDNN are made of, and no more: shape (n, 5)."""
    rr, follows = good.rr, good.follows[:, 1:]
    near = np.where(good.normal, rr - _NEAR_MS, 0.0)
    steps = np.where(follows, rr[:, 1:] - rr[:, :-1], 0.0)
    n, m = good.normal.sum(axis=1), follows.sum(axis=1)
    squares, step_squares = np.vecdot(near, near), np.vecdot(steps, steps)
    return np.stack((n, m, near.sum(axis=1), squares, step_squares), axis=1)


def _figures(sums: Floats, span_s: float, least: int) -> tuple[Mask, tuple[Figure, Figure]]:
    """Return where both are known, then logarithm and coverage of RMSSD and of SDNN."""
    n, m = sums[:, _N_BEATS], sums[:, _N_DIFFERENCES]
    # identical intervals are a stuck sensor, not a calm agent
    known = (m >= least) & (sums[:, _STEPS] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        off_ms = sums[:, _SUM] / n
        variance = (sums[:, _SQUARES] - off_ms * sums[:, _SUM]) / (n - 1)
        expected = 1000.0 * span_s / (off_ms + _NEAR_MS)
        rmssd, sdnn = 0.5 * np.log(sums[:, _STEPS] / m), 0.5 * np.log(variance)
        return known, ((rmssd, m / expected), (sdnn, n / expected))


def _variability(some: Rows, sums: Floats, values: Floats, coverage: Floats) -> None:
    known, figures = _figures(sums, SPAN_S, LEAST_DIFFERENCES)
    for name, (value, covered) in zip(("log_rmssd", "log_sdnn"), figures, strict=True):
        column = FEATURE_INDEX[name]
        values[some, column] = np.where(known, value, np.nan)
        coverage[some, column] = covered


def _rate(some: Rows, good: _Good, values: Floats, coverage: Floats) -> None:
    used = good.normal[:, -MOST_BEATS:]
    count = used.sum(axis=1)
    middle_ms = hrv.row_median(good.rr[:, -MOST_BEATS:], used)
    column = FEATURE_INDEX["heart_rate_bpm"]
    values[some, column] = np.where(count >= LEAST_BEATS, 60_000.0 / middle_ms, np.nan)
    expected = np.fmin(MOST_BEATS, 1000.0 * SPAN_S / middle_ms)
    coverage[some, column] = count / expected


def _settle(rings: Rings, r: Rows, slot: Numbers, good: _Good, until_s: Floats) -> None:
    """Add what is due to the sums of the window in which it settled; `until_s` is its newest."""
    settled_s = rings["settled_s"][r]
    rings["settled_s"][r] = np.maximum(settled_s, until_s)
    due = (good.beat_s > settled_s[:, None]) & (good.beat_s <= until_s[:, None])
    row, at = np.nonzero(good.normal & due)
    if not row.size:
        return
    n, rr = len(r), good.rr
    near = rr[row, at] - _NEAR_MS
    # the first column never follows
    pair = good.follows[row, at]
    step = np.where(pair, rr[row, at] - rr[row, at - 1], 0.0)
    sums = (
        np.bincount(row, minlength=n),
        np.bincount(row, pair, minlength=n),
        np.bincount(row, near, minlength=n),
        np.bincount(row, near * near, minlength=n),
        np.bincount(row, step * step, minlength=n),
    )
    rings["sums"][r, slot] += np.stack(sums, axis=1)


def five_minutes(sums: NDArray[np.float32], recent: Mask, values: Floats, coverage: Floats) -> None:
    """Fill in the figures of the last five minutes.

    Parameters
    ----------
    sums : ndarray of float32, shape (n, 5)
        Of the windows of the span.
    recent : ndarray of bool, shape (n,)
        Whether there was a beat in the last minute.
    values, coverage : ndarray of float64, shape (n, d)
        Changed.
    """
    known, figures = _figures(sums.astype(np.float64), LONG_SPAN_S, LEAST_LONG_DIFFERENCES)
    names = ("log_rmssd_5min", "log_sdnn_5min")
    for name, (value, covered) in zip(names, figures, strict=True):
        column = FEATURE_INDEX[name]
        values[:, column] = np.where(known & recent, value, np.nan)
        coverage[:, column] = covered
