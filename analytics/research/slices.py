"""One agent's one day at a time: rows of the store to the tidy table.

A study may be bigger than memory; a day of one agent never is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from analytics.research.catalogue import Cover, Kind, Variable
from analytics.research.pseudonyms import Pseudonyms
from analytics.research.resample import beat_figures, fullest, grid_ns, onto_grid
from analytics.research.study_file import Grant
from analytics.research.table import Floats, Tidy, Times, Words, joined, words
from analytics.store.base import Aggregate, Query, Row, Store
from analytics.store.points import Measurement, epoch_ns
from sensors.messages import WINDOW_S
from sensors.signals import Channel

_QUALITY = {channel: f"quality_{channel.value}" for channel in Channel}
_DAY = timedelta(days=1)
_WITHIN_NS = int(2 * WINDOW_S * 1e9)
"""A beat or an answer belongs to the window that ends no later than this after it. [ns]"""

BEATS_EVERY = timedelta(minutes=5)
"""Length of a stretch of beats where none is named: the Task Force's short-term recording."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One agent's stretch of at most a day."""

    grant: Grant
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for of every slice."""

    variables: tuple[Variable, ...]
    every: timedelta | None = None
    hours: tuple[float, float] | None = None
    """Local times of day. [h]"""

    def within(self, table: Tidy) -> Tidy:
        """Return what lies in the hours that are asked for."""
        return table if self.hours is None else table.between_hours(*self.hours)


@dataclass(slots=True)
class Timeline:
    """What is known of every window of a slice, by time."""

    at_ns: Times
    offset_min: Floats
    context: Words
    quality: dict[Channel | None, Floats]
    """Of each channel; under ``None`` of what was scored."""

    def place(self, at_ns: Times) -> tuple[NDArrayInt, NDArrayBool]:
        """Return the window that holds each moment, and whether there is one."""
        if not len(self.at_ns):
            return np.zeros(len(at_ns), np.intp), np.zeros(len(at_ns), bool)
        index = np.minimum(np.searchsorted(self.at_ns, at_ns), len(self.at_ns) - 1)
        ahead = self.at_ns[index] - at_ns
        return index, (ahead >= 0) & (ahead <= _WITHIN_NS)

    def offset(self, at_ns: Times) -> Floats:
        """Return local time minus UTC at each moment, from the nearest window that says it."""
        known = np.isfinite(self.offset_min)
        if not known.any():
            return np.full(len(at_ns), np.nan)
        times, offsets = self.at_ns[known], self.offset_min[known]
        right = np.minimum(np.searchsorted(times, at_ns), len(times) - 1)
        left = np.maximum(right - 1, 0)
        nearer_left = np.abs(at_ns - times[left]) < np.abs(times[right] - at_ns)
        return np.asarray(offsets[np.where(nearer_left, left, right)])


NDArrayInt = np.ndarray[tuple[int, ...], np.dtype[np.intp]]
NDArrayBool = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a question will read: slice by slice, so that progress can be shown."""

    wanted: Wanted
    slices: tuple[Slice, ...]
    start_at: datetime
    end_at: datetime
    agents: tuple[str, ...]
    """At the site; those who have something in it."""


class SliceReader:
    """Reads slices of one site for one study.

    Parameters
    ----------
    store : Store
    site : str
    pseudonyms : Pseudonyms
    """

    def __init__(self, store: Store, site: str, pseudonyms: Pseudonyms) -> None:
        self._store = store
        self._site = site
        self._pseudonyms = pseudonyms

    def _rows(self, measurement: Measurement, piece: Slice, fields: Sequence[str]) -> list[Row]:
        return self._store.read(
            Query(
                measurement=measurement,
                site=self._site,
                fields=tuple(fields),
                agents=(piece.grant.agent,),
                start_at=piece.start_at,
                end_at=piece.end_at,
            )
        )

    def plan(
        self, grant: Grant, variables: Sequence[Variable], start_at: datetime, end_at: datetime
    ) -> list[Slice]:
        """Return the slices of `grant` that hold something, oldest first."""
        start_at, end_at = max(start_at, grant.start_at), min(end_at, grant.end_at)
        if start_at >= end_at:
            return []
        days: set[int] = set()
        for measurement, fields in _by_measurement(variables, grant).items():
            counted = Query(
                measurement=measurement,
                site=self._site,
                fields=fields,
                agents=(grant.agent,),
                start_at=start_at,
                end_at=end_at,
                aggregates=(Aggregate.COUNT,),
                every=_DAY,
            )
            days |= {row.time_ns // 1_000_000_000 for row in self._store.read(counted)}
        found = []
        for begin_s in sorted(days):
            begin = datetime.fromtimestamp(begin_s, UTC)
            found.append(Slice(grant, max(begin, start_at), min(begin + _DAY, end_at)))
        return found

    def read(self, piece: Slice, wanted: Wanted) -> Tidy:
        """Return the values of one slice."""
        by_measurement = _by_measurement(wanted.variables, piece.grant)
        channels = {v.channel for v in wanted.variables if v.cover in piece.grant.covers}
        timeline = self.timeline(piece, channels)
        parts: list[Tidy] = []
        for measurement, fields in by_measurement.items():
            rows = self._rows(measurement, piece, fields)
            own = [
                v for v in wanted.variables
                if v.measurement is measurement and v.cover in piece.grant.covers
            ]  # fmt: skip
            plain = [v for v in own if v.kind is not Kind.BEATS]
            # First the hours, then means: a stretch may lie across the hours' begin or end.
            values = wanted.within(joined([self._values(v, piece, rows, timeline) for v in plain]))
            if wanted.every is not None:
                values = onto_grid(values, grid_ns(wanted.every))
            parts.append(values)
            names = tuple(v.name for v in own if v.kind is Kind.BEATS)
            if names:
                parts.append(self._figures(names, piece, rows, timeline, wanted))
        return joined(parts)

    def _values(
        self, variable: Variable, piece: Slice, rows: Sequence[Row], timeline: Timeline
    ) -> Tidy:
        begin_ns = epoch_ns(piece.grant.begins(variable.look_back))
        has = [row for row in rows if variable.field in row.fields and row.time_ns >= begin_ns]
        at_ns = np.array([row.time_ns for row in has], dtype=np.int64)
        n = len(has)
        index, inside = timeline.place(at_ns)
        context, quality = words(None, n), np.full(n, np.nan)
        if inside.any():
            context[inside] = timeline.context[index[inside]]
            if variable.kind is not Kind.ASKED:
                quality[inside] = timeline.quality[variable.channel][index[inside]]
        return Tidy(
            agent=words(self._pseudonyms.of(piece.grant.agent), n),
            at_ns=at_ns,
            offset_min=timeline.offset(at_ns),
            signal=words(variable.name, n),
            value=np.array([float(row.fields[variable.field]) for row in has]),
            n=np.ones(n, np.int64),
            quality=quality,
            context=context,
        )

    def _figures(
        self,
        names: tuple[str, ...],
        piece: Slice,
        rows: Sequence[Row],
        timeline: Timeline,
        wanted: Wanted,
    ) -> Tidy:
        """Return figures of beats: of each source by itself, then the one that heard most."""
        beats = next(v for v in wanted.variables if v.kind is Kind.BEATS)
        sources: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            sources[row.tags.get("source", "")].append(row)
        step_ns = grid_ns(wanted.every or BEATS_EVERY)
        return fullest(
            [
                beat_figures(
                    wanted.within(self._values(beats, piece, own, timeline)), names, step_ns
                )
                for own in sources.values()
            ]
        )

    def timeline(self, piece: Slice, channels: Collection[Channel | None] = ()) -> Timeline:
        """Return local time, context and quality of `channels` of every window of a slice.

        Context only where the person's form covers it: it says when they worked.
        """
        said = ("context",) if Cover.CONTEXT in piece.grant.covers else ()
        wanted = {channel: _QUALITY[channel] for channel in Channel if channel in channels}
        readings = self._rows(Measurement.READING, piece, ("utc_offset_min", *wanted.values()))
        scores = self._rows(Measurement.SCORE, piece, ("utc_offset_min", *said, "quality"))
        at_ns = np.unique(np.array([r.time_ns for r in (*readings, *scores)], dtype=np.int64))
        n = len(at_ns)
        line = Timeline(
            at_ns, np.full(n, np.nan), words(None, n),
            {channel: np.full(n, np.nan) for channel in (None, *wanted)},
        )  # fmt: skip
        for row, place in _placed(scores, at_ns):
            line.context[place] = row.fields.get("context")
            line.quality[None][place] = row.fields.get("quality", np.nan)
            line.offset_min[place] = row.fields.get("utc_offset_min", np.nan)
        for channel in wanted:  # where the reading is gone already
            line.quality[channel][:] = line.quality[None]
        for row, place in _placed(readings, at_ns):
            line.offset_min[place] = row.fields.get("utc_offset_min", np.nan)
            for channel, field in wanted.items():
                line.quality[channel][place] = row.fields.get(field, np.nan)
        return line


def _placed(rows: Sequence[Row], at_ns: Times) -> Iterator[tuple[Row, int]]:
    times = np.array([row.time_ns for row in rows], dtype=np.int64)
    return zip(rows, np.searchsorted(at_ns, times).tolist(), strict=True)


def _by_measurement(
    variables: Sequence[Variable], grant: Grant
) -> dict[Measurement, tuple[str, ...]]:
    """Return the fields to read of each measurement: only what the person's form covers."""
    fields: dict[Measurement, dict[str, None]] = defaultdict(dict)
    for one in variables:
        if one.cover in grant.covers:
            fields[one.measurement][one.field] = None
    return {measurement: tuple(names) for measurement, names in fields.items()}
