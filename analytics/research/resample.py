"""Values onto a grid of time, and beats into figures of each stretch of it; pure."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from analytics.hrv import correct, time_domain
from analytics.research.table import Floats, Tidy, Times, Words, empty, joined
from sensors.errors import ConfigurationError

FEWEST_BEATS = 20
"""Successive differences below which a stretch has no figure: as for the features of a minute."""

_DAY = timedelta(days=1)


def grid_ns(every: timedelta) -> int:
    """Return the length of the grid's stretches.

    Raises
    ------
    ConfigurationError
        Unless it divides a day and is a second or more: days are read one by one.
    """
    if every < timedelta(seconds=1) or every > _DAY or _DAY % every:
        raise ConfigurationError(
            f"every is {every}; expected what divides a day, like 10s, 5min, 1h or 1d"
        )
    return every // timedelta(microseconds=1) * 1_000


def onto_grid(table: Tidy, step_ns: int) -> Tidy:
    """Return the means of each signal of one agent over each stretch.

    Parameters
    ----------
    table : Tidy
        Of one agent.
    step_ns : int
        From :func:`grid_ns`.
    """
    if not len(table):
        return table
    begin = table.at_ns // step_ns * step_ns
    names, code = np.unique(table.signal.astype(str), return_inverse=True)
    order = np.lexsort((begin, code))
    table, begin, code = table.take(order), begin[order], code[order]
    first = np.flatnonzero(np.r_[True, (np.diff(begin) != 0) | (np.diff(code) != 0)])
    counts = np.add.reduceat(table.n, first)
    return Tidy(
        agent=table.agent[first],
        at_ns=begin[first],
        offset_min=table.offset_min[first],
        signal=names[code[first]].astype(object),
        value=np.add.reduceat(table.value * table.n, first) / counts,
        n=counts,
        quality=_mean(table.quality, first),
        context=_most(table.context, first),
    )


def _mean(values: Floats, first: Times) -> Floats:
    """Return the mean of what is known of each stretch; NaN where nothing is."""
    known = np.isfinite(values)
    total = np.add.reduceat(np.where(known, values, 0.0), first)
    count = np.add.reduceat(known.astype(float), first)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count)


def _most(values: Words, first: Times) -> Words:
    """Return the word that most of each stretch holds; ``None`` where none is known."""
    found = np.full(len(first), None, dtype=object)
    best = np.zeros(len(first))
    for word in sorted({v for v in values if v is not None}):
        count = np.add.reduceat((values == word).astype(float), first)
        better = count > best
        found[better], best[better] = word, count[better]
    return found


def beat_figures(beats: Tidy, names: tuple[str, ...], step_ns: int) -> Tidy:
    """Return figures of heart-rate variability of each stretch.

    Parameters
    ----------
    beats : Tidy
        RR intervals of one agent and one source, by time.
    names : tuple of str
        Attributes of :class:`~analytics.hrv.TimeDomain`.
    step_ns : int
        Length of a stretch; compare stretches of one length only.

    Returns
    -------
    Tidy
        Nothing for a stretch with fewer than 20 pairs of successive beats.
        `quality` is the share of the stretch that used beats fill.
    """
    if not len(beats):
        return empty()
    order = np.argsort(beats.at_ns, kind="stable")
    beats = beats.take(order)
    begin = beats.at_ns // step_ns * step_ns
    first = np.flatnonzero(np.r_[True, np.diff(begin) != 0])
    length = np.diff(np.r_[first, len(beats)])
    place = np.arange(len(beats)) - np.repeat(first, length)
    row = np.repeat(np.arange(len(first)), length)
    shape = (len(first), int(length.max()))
    rr, at_s = np.full(shape, np.nan), np.full(shape, np.nan)
    rr[row, place] = beats.value
    at_s[row, place] = (beats.at_ns - begin) / 1e9
    found = correct(rr, np.isfinite(rr), at_s)
    figures = time_domain(found.rr_ms, found.measured, found.follows)
    used_ms = np.where(found.measured, np.nan_to_num(found.rr_ms), 0.0).sum(axis=1)
    share = np.minimum(used_ms * 1e6 / step_ns, 1.0)
    context = _most(beats.context, first)
    enough = figures.n_differences >= FEWEST_BEATS
    parts = []
    for name in names:
        value: Floats = getattr(figures, name)
        keep = enough & np.isfinite(value)
        whole = Tidy(
            agent=beats.agent[first],
            at_ns=begin[first],
            offset_min=beats.offset_min[first],
            signal=np.full(len(first), name, dtype=object),
            value=value,
            n=figures.n_beats.astype(np.int64),
            quality=share,
            context=context,
        )
        parts.append(whole.take(keep))
    return joined(parts)


def fullest(parts: list[Tidy]) -> Tidy:
    """Return, of several sources' figures of one agent, the one of most beats in each stretch."""
    whole = joined(parts)
    if len(parts) < 2 or not len(whole):
        return whole
    order = np.lexsort((-whole.n, whole.at_ns, whole.signal.astype(str)))
    whole = whole.take(order)
    same = (np.diff(whole.at_ns) == 0) & (whole.signal[1:] == whole.signal[:-1])
    return whole.take(np.r_[True, ~same.astype(bool)])
