"""How the alerts do: how often they ask for this supervisor, and what agents answered (TRUST A1, A4).

Pure. No figure is about an agent: the load is that of the supervisor at the
screen alone, and answers are published in blocks of at least `SMALLEST_GROUP`
people, so that no single one can be told by subtracting (TRUST T16).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.alerts import budget
from analytics.alerts.alerting import SMALLEST_GROUP

SPAN = timedelta(hours=8)
"""What the rate is taken over: a shift."""

BIN = timedelta(minutes=10)
"""How finely it is known when the server was scoring."""

LEAST = timedelta(hours=1)
"""With less counted, a rate per hour is unknown."""

FLOOD_OVER, FLOOD_SPAN = 10, timedelta(minutes=10)
"""More than so many tellings within so long are a flood. (EEMUA 191; ISA-18.2; TRUST A1)"""

FLOOD_TARGET = 0.01
"""Floods are to stay under this share of the time. (TRUST A1)"""

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Telling:
    """One time that an alert asked for the supervisor at the screen."""

    at: datetime
    alert_id: str
    personal: bool


@dataclass(frozen=True, slots=True)
class Load:
    """What asked for one supervisor.

    Parameters
    ----------
    since : datetime or None
        Start of the first counted minute; ``None`` if nothing was counted.
    told : int
        Personal alerts told; the same again within the hour counts once, as in
        the budget.
    in_hour : tuple of int
        For each counted minute, how many different personal alerts had asked
        within the hour before it.
    flooded : int
        Counted minutes within a flood.
    """

    since: datetime | None = None
    told: int = 0
    in_hour: tuple[int, ...] = ()
    flooded: int = 0

    @property
    def counted(self) -> timedelta:
        """How long the supervisor was on duty and the server was scoring."""
        return len(self.in_hour) * _MINUTE

    @property
    def per_hour(self) -> float | None:
        """Personal alerts per counted hour [1/h]; ``None`` with less than `LEAST` counted."""
        return None if self.counted < LEAST else self.told * budget.SPAN / self.counted

    def share_above(self, ceiling: int) -> float | None:
        """Return in which share (0 to 1) of the hours more than `ceiling` asked, if known."""
        if self.counted < LEAST:
            return None
        return sum(count > ceiling for count in self.in_hour) / len(self.in_hour)

    @property
    def share_flooded(self) -> float | None:
        """Share (0 to 1) of the counted time within a flood; ``None`` if not known."""
        return None if self.counted < LEAST else self.flooded / len(self.in_hour)


def load(tellings: Sequence[Telling], minutes: Sequence[datetime]) -> Load:
    """Return the load of one supervisor.

    Parameters
    ----------
    tellings : sequence of Telling
        Oldest first, from an hour before the first of `minutes` on.
    minutes : sequence of datetime
        Start of each minute in which the server was scoring and the supervisor
        on duty, oldest first.
    """
    if not minutes:
        return Load()
    personal = [telling for telling in tellings if telling.personal]
    within = [_within(personal, minute + _MINUTE, budget.SPAN) for minute in minutes]
    flooded = sum(
        len(_within(tellings, minute + _MINUTE, FLOOD_SPAN)) > FLOOD_OVER for minute in minutes
    )
    return Load(
        since=minutes[0],
        told=_took_room(personal, minutes[0]),
        in_hour=tuple(len({telling.alert_id for telling in asked}) for asked in within),
        flooded=flooded,
    )


def _within(tellings: Sequence[Telling], end: datetime, span: timedelta) -> list[Telling]:
    return [telling for telling in tellings if end - span < telling.at <= end]


def _took_room(personal: Iterable[Telling], since: datetime) -> int:
    """Return how many tellings took room in the budget: not the same alert again in its hour."""
    last: dict[str, datetime] = {}
    told = 0
    for telling in personal:
        before = last.get(telling.alert_id)
        took = before is None or telling.at - before >= budget.SPAN
        told += took and telling.at >= since
        last[telling.alert_id] = telling.at
    return told


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent said of one alert."""

    agent: str
    alert_id: str
    yes: bool


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the published answers were yes; `of` is 0 while there are too few people."""

    yes: int = 0
    of: int = 0

    @property
    def known(self) -> bool:
        """Whether there is anything to show."""
        return self.of > 0


def share(answers: Iterable[Answer]) -> Share:
    """Return what was answered, in whole blocks of at least `SMALLEST_GROUP` people.

    Parameters
    ----------
    answers : iterable of Answer
        Oldest first. Only an agent's first answer to an alert counts: one that
        could change what was published would show itself by the change.
    """
    total, block, seen = Share(), list[Answer](), set[tuple[str, str]]()
    for answer in answers:
        if (answer.agent, answer.alert_id) in seen:
            continue
        seen.add((answer.agent, answer.alert_id))
        block.append(answer)
        if len({one.agent for one in block}) >= SMALLEST_GROUP:
            total = Share(total.yes + sum(one.yes for one in block), total.of + len(block))
            block = []
    return total


@dataclass(frozen=True, slots=True)
class Figures:
    """What is shown under *How it does*, as of `at`."""

    at: datetime
    load: Load
    was_so: Share
    helped: Share


def minutes(
    now: datetime, scoring: Collection[datetime], on_duty: Collection[datetime]
) -> list[datetime]:
    """Return the whole minutes up to `now` in bins that are in `scoring` and in `on_duty`."""
    return [
        start + number * _MINUTE
        for start in sorted(set(scoring) & set(on_duty))
        for number in range(BIN // _MINUTE)
        if start + (number + 1) * _MINUTE <= now
    ]


def bins(now: datetime) -> list[datetime]:
    """Return the starts of the bins that make up the last `SPAN`, oldest first."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    last = day + (now - day) // BIN * BIN
    return [last - number * BIN for number in reversed(range(SPAN // BIN))]


def answers_since(now: datetime) -> datetime:
    """Return from when on answers count: the first of the last month, in UTC.

    A bound that moves with `now` would let answers leave one by one, and each
    could be told by the change.
    """
    return (now.replace(day=1) - timedelta(days=1)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
