"""What was measured of whom: per person only what there is, never why it is not (TRUST T7)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analytics.research.catalogue import Variable
from analytics.research.grouping import Pinned
from analytics.research.source import Source
from analytics.research.study_file import Grant
from analytics.store.base import Aggregate, Query
from analytics.store.groups import Blocks
from analytics.store.points import Measurement, epoch_ns
from sensors.messages import WINDOW_S
from sensors.signals import Channel

_COUNT = (Aggregate.COUNT,)
_DAY = timedelta(days=1)

Columns = dict[str, Any]


def signals(source: Source, variables: Sequence[Variable]) -> Columns:
    """Return the catalogue, with how many people have each signal."""
    people: Counter[tuple[Measurement, str]] = Counter()
    for _, grant in source.by_pseudonym():
        for measurement in {v.measurement for v in variables}:
            own = {
                v.field for v in variables
                if v.measurement is measurement and v.cover in grant.covers
            }  # fmt: skip
            if own:
                for field, n in source.counts(grant, measurement, sorted(own)).items():
                    people[measurement, field] += n > 0
    return {
        "signal": _words(v.name for v in variables),
        "kind": _words(v.kind.value for v in variables),
        "unit": _words(v.unit for v in variables),
        "low": _numbers(v.low for v in variables),
        "high": _numbers(v.high for v in variables),
        "agents": np.array([people[v.measurement, v.field] for v in variables], dtype=np.int64),
        "meaning": _words(v.meaning for v in variables),
        "source": _words(v.source for v in variables),
    }


def agents(source: Source) -> Columns:
    """Return who takes part, since when, and the hours measured of each channel."""
    rows = source.by_pseudonym()
    covered = [c for c in Channel if any(c.value in grant.covers for _, grant in rows)]
    hours: dict[Channel, list[float]] = {channel: [] for channel in covered}
    for _, grant in rows:
        wanted = [c for c in covered if c.value in grant.covers]
        fields = [f"quality_{c.value}" for c in wanted]
        found = source.counts(grant, Measurement.READING, fields) if fields else Counter()
        for channel in covered:
            hours[channel].append(found[f"quality_{channel.value}"] * WINDOW_S / 3600.0)
    return {
        "agent": _words(name for name, _ in rows),
        "form": _words(grant.version for _, grant in rows),
        "start": _times(grant.start_at for _, grant in rows),
        "end": _times(grant.end_at for _, grant in rows),
        **{f"hours_{channel.value}": np.array(hours[channel]) for channel in covered},
    }


def gaps(source: Source, one: Variable, longer_than: timedelta) -> Columns:
    """Return the stretches without a value between two values."""
    found: list[tuple[str, int, int]] = []
    least_ns = longer_than // timedelta(microseconds=1) * 1_000
    for name, grant in source.by_pseudonym():
        if one.cover not in grant.covers:
            continue
        last: int | None = None
        for begin_ns, end_ns in _stretches(source, grant, one, longer_than):
            if last is not None and begin_ns - last >= least_ns:
                found.append((name, last, begin_ns))
            last = end_ns
    return {
        "agent": _words(name for name, _, _ in found),
        "signal": _words(one.name for _ in found),
        "start": np.array([b // 1_000_000 for _, b, _ in found], dtype="datetime64[ms]"),
        "end": np.array([e // 1_000_000 for _, _, e in found], dtype="datetime64[ms]"),
    }


def _stretches(
    source: Source, grant: Grant, one: Variable, longer_than: timedelta
) -> list[tuple[int, int]]:
    """Return where values lie, to a tenth of `longer_than` and no finer than a window."""
    step = max(longer_than / 10, timedelta(seconds=WINDOW_S))
    step = timedelta(seconds=round(step.total_seconds()))
    counted = Query(
        measurement=one.measurement, site=source.site, fields=(one.field,),
        agents=(grant.agent,), start_at=grant.begins(one.look_back), end_at=grant.end_at,
        aggregates=_COUNT, every=step,
    )  # fmt: skip
    step_ns = step // timedelta(microseconds=1) * 1_000
    return [(row.time_ns, row.time_ns + step_ns) for row in source.store.read(counted)]


def absences(source: Source, pinned: Pinned, today: datetime) -> Columns:
    """Return the share of windows of each channel that were measured, or why not.

    Whole percent, over all people of the groups that are big enough, of the
    days before `today` on which enough of them sent anything: `withheld` of one
    person is nobody's to know, and a figure that moves with every window tells it.
    """
    found = [
        one
        for channel in Channel
        if (one := _reasons(source, pinned.blocks, channel, today)) is not None
    ]
    rows = [(one, reason, n) for one in found for reason, n in one.total.most_common()]
    return {
        "channel": _words(one.channel.value for one, _, _ in rows),
        "reason": _words(reason for _, reason, _ in rows),
        "share": np.array([round(100 * n / one.windows) / 100 for one, _, n in rows], dtype=float),
        "windows": np.array([one.windows for one, _, _ in rows], dtype=np.int64),
        "start": _times(one.days[0] for one, _, _ in rows),
        "end": _times(one.days[-1] + _DAY for one, _, _ in rows),
    }


@dataclass(frozen=True, slots=True)
class _Reasons:
    """How often a channel was measured or why not, and on which days."""

    channel: Channel
    total: Counter[str]
    days: tuple[datetime, ...]

    @property
    def windows(self) -> int:
        return sum(self.total.values())


def _reasons(source: Source, blocks: Blocks, channel: Channel, today: datetime) -> _Reasons | None:
    members = frozenset().union(*(blocks.members[name] for name in blocks.askable))
    by_day: dict[datetime, list[Counter[str]]] = defaultdict(list)
    for grant in source.grants:
        if grant.agent not in members or channel.value not in grant.covers:
            continue
        begin = grant.start_at
        while begin < min(grant.end_at, today):
            day = begin.replace(hour=0, minute=0, second=0, microsecond=0)
            end = min(day + _DAY, grant.end_at)
            own = _day(source, grant, channel, begin, end)
            if own:
                by_day[day].append(own)
            begin = end
    enough = {day: of for day, of in by_day.items() if len(of) >= blocks.smallest}
    if not enough:
        return None
    total = sum((own for of in enough.values() for own in of), Counter[str]())
    return _Reasons(channel, total, tuple(sorted(enough)))


def _day(
    source: Source, grant: Grant, channel: Channel, begin: datetime, end: datetime
) -> Counter[str]:
    measured, absent = f"quality_{channel.value}", f"absent_{channel.value}"
    query = Query(
        measurement=Measurement.READING, site=source.site, fields=(measured, absent),
        agents=(grant.agent,), start_at=begin, end_at=end,
    )  # fmt: skip
    return Counter(
        "measured" if measured in row.fields else str(row.fields[absent])
        for row in source.store.read(query)
    )


def _words(values: Any) -> Any:
    found = list(values)
    column = np.full(len(found), None, dtype=object)
    column[:] = found
    return column


def _numbers(values: Any) -> Any:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _times(values: Any) -> Any:
    return np.array([epoch_ns(at) // 1_000_000 for at in values], dtype="datetime64[ms]")
