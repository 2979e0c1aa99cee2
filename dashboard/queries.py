"""The only reader of the store: typed questions, plain answers.

What a supervisor may see is decided here (TRUST T12): every question names its
fields, and none names the index, the score, the evidence or a measured value.
A supervisor gets states, bands and words.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from analytics.features import PARTS, UNKNOWN_LEVEL, Part
from analytics.store.base import Query, Row, Store
from analytics.store.points import Measurement
from dashboard.cards import Decided
from dashboard.live import BUDGET_SPAN, KEEP_MINE_S
from sensors.errors import StoreError
from sensors.messages import DECISIONS, Action, AlertKind, AlertState
from sensors.shown import Shown

FRESH_S = 20.0
"""A state older than this is unknown, not fine: three windows and their way. [s] (TRUST T13)"""

LOOK_BACK = timedelta(hours=2)
"""How far back newest states are looked for: a replay begins that far in its own past."""

BANDS_MINUTES = 60
HOUR_KEEPS = timedelta(seconds=10)
MINUTE_BEGUN = timedelta(seconds=15)
BUSY_S = 3.0

LEVEL_FIELDS: tuple[str, ...] = tuple(f"level_{part}" for part in PARTS)
STATE_FIELDS = ("state", "clock_offset_ms")
BAND_FIELDS = (*LEVEL_FIELDS, "quality")

_APPLIED = "applied"  # the server's word for a decision that counted
_TELLS = frozenset({"fire", "return", "escalate", "repeat", "hand_on"})
_DECIDING = DECISIONS - {Action.CANNOT_NOW}

_SHOWN = {
    "as_usual": Shown.AS_USUAL,
    "learning": Shown.LEARNING,
    "different": Shown.DIFFERENT,
    "no_data": Shown.NO_DATA,
    "fault": Shown.FAULT,
}


@dataclass(frozen=True, slots=True)
class PersonState:
    """One person's state in one word."""

    agent: str
    team: str
    shown: Shown


@dataclass(frozen=True, slots=True)
class People:
    """Everybody of some teams; `newest_at` is when the server last scored anybody."""

    states: tuple[PersonState, ...]
    newest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One minute of one part: a band from -2 to 2, or ``None`` for unknown."""

    level: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive minutes in the same band."""

    start_at: datetime
    end_at: datetime
    level: int | None


@dataclass(frozen=True, slots=True)
class Bands:
    """One person's last hour.

    `cells` has for each part one cell per minute, oldest first; `quality` one
    value from 0 to 1 per minute, ``None`` where nothing arrived.
    """

    start_at: datetime
    cells: dict[Part, tuple[Cell, ...]]
    quality: tuple[float | None, ...]

    def runs(self, part: Part) -> list[Run]:
        """Return the same hour as stretches, for words instead of a picture."""
        found: list[Run] = []
        minute = 0
        for level, group in groupby(self.cells[part], key=lambda cell: cell.level):
            length = len(list(group))
            begin = self.start_at + timedelta(minutes=minute)
            found.append(Run(begin, begin + timedelta(minutes=length), level))
            minute += length
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all arrived in the hour."""
        return all(value is None for value in self.quality)


class Reader:
    """Asks the store, one question at a time.

    Parameters
    ----------
    open_store : callable
        Opens the store; called when it is first needed, and again until it
        succeeds: a dashboard may be started before the server made its file.
    site : str
    """

    def __init__(self, open_store: Callable[[], Store], site: str) -> None:
        self._open_store = open_store
        self._opened: Store | None = None
        self._site = site
        self._lock = threading.Lock()
        self._hours: dict[str, tuple[datetime, Bands]] = {}

    def people(self, teams: Sequence[tuple[str, Sequence[str]]], now: datetime) -> People:
        """Return the state of every agent of `teams`, (name, agents) pairs.

        Who has no fresh state has no data; nobody is left out.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        agents = tuple(agent for _, members in teams for agent in members)
        if not agents:
            return People((), None)
        rows = self._read(
            Query(
                measurement=Measurement.SCORE,
                site=self._site,
                fields=STATE_FIELDS,
                agents=agents,
                start_at=now - LOOK_BACK,
                latest=True,
            )
        )
        newest = {row.tags["agent"]: row for row in rows}
        states = tuple(
            PersonState(agent, team, _state(newest.get(agent), now))
            for team, members in teams
            for agent in members
        )
        return People(states, max(map(_server_time, rows), default=None))

    def told(self, me: str, now: datetime) -> frozenset[str]:
        """Return the personal alerts that asked for `me` in the last hour, by the server's count.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        rows = self._read(
            Query(
                measurement=Measurement.TRANSITION,
                site=self._site,
                fields=("alert_id", "kind", "event", "state", "told_to"),
                start_at=now - BUDGET_SPAN,
            )
        )
        return frozenset(
            str(row.fields["alert_id"])
            for row in rows
            if row.fields.get("event") in _TELLS
            and row.fields.get("state") == AlertState.FIRING
            and row.fields.get("kind") == AlertKind.PERSONAL
            and me == str(row.fields.get("told_to", "")).split(",", maxsplit=1)[0]
        )

    def decided(self, me: str, now: datetime) -> tuple[Decided, ...]:
        """Return what `me` decided in this shift and has not said the outcome of.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        rows = self._read(
            Query(
                measurement=Measurement.DECISION,
                site=self._site,
                fields=("kind", "alert_id", "by", "action", "effect", "team", "follow_up_at"),
                start_at=now - timedelta(seconds=KEEP_MINE_S),
            )
        )
        found: dict[str, Decided] = {}
        for row in rows:
            values = row.fields
            if values.get("kind") != "decision" or values.get("by") != me:
                continue
            alert_id, action = str(values["alert_id"]), str(values["action"])
            if action == Action.OUTCOME:
                found.pop(alert_id, None)
            elif action in _DECIDING and values.get("effect") == _APPLIED:
                found[alert_id] = Decided(
                    alert_id=alert_id,
                    at=_time(row.time_ns),
                    action=Action(action),
                    agent=row.tags.get("agent"),
                    team=str(values.get("team", "")),
                    follow_up_at=_optional_time(values.get("follow_up_at")),
                )
        return tuple(found.values())

    def bands(self, agent: str, now: datetime) -> Bands:
        """Return the bands of `agent` over the last hour, one cell per minute.

        An hour that was read a moment ago is given again: an open detail is
        drawn every second and changes every minute.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        known = self._hours.get(agent)
        if known is not None and timedelta(0) <= now - known[0] < HOUR_KEEPS:
            return known[1]
        hour = self._read_bands(agent, now)
        self._hours = {agent: (now, hour)}  # one detail is open at a time
        return hour

    def _read_bands(self, agent: str, now: datetime) -> Bands:
        # A minute that has only just begun is not shown: it would look like a gap.
        last = (now - MINUTE_BEGUN).replace(second=0, microsecond=0)
        start = last - timedelta(minutes=BANDS_MINUTES - 1)
        rows = self._read(
            Query(
                measurement=Measurement.SCORE,
                site=self._site,
                fields=BAND_FIELDS,
                agents=(agent,),
                start_at=start,
                end_at=now + timedelta(seconds=1),
            )
        )
        minutes: list[list[Row]] = [[] for _ in range(BANDS_MINUTES)]
        for row in rows:
            minute = int((_time(row.time_ns) - start).total_seconds() // 60)
            if 0 <= minute < BANDS_MINUTES:
                minutes[minute].append(row)
        return Bands(
            start,
            {part: tuple(Cell(_band(rows, part)) for rows in minutes) for part in PARTS},
            tuple(_quality(rows) for rows in minutes),
        )

    def check(self) -> str:
        """Return what the store says about itself.

        Raises
        ------
        StoreError
            If it does not answer.
        """
        with self._turn():
            return self._store().check()

    def close(self) -> None:
        """Release the store."""
        if self._opened is not None:
            self._opened.close()

    def _store(self) -> Store:
        if self._opened is None:
            self._opened = self._open_store()
        return self._opened

    def _read(self, query: Query) -> list[Row]:
        with self._turn():
            return self._store().read(query)

    def _turn(self) -> _Turn:
        return _Turn(self._lock)


class _Turn:
    """One reader at a time; a store that hangs must not hang every page."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=BUSY_S):
            raise StoreError("the database has not answered the question before")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _time(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)


def _server_time(row: Row) -> datetime:
    """Return when the window ended by the server's clock: a replay's own runs in the past."""
    offset_ms = float(row.fields.get("clock_offset_ms", 0.0))
    return _time(row.time_ns) + timedelta(milliseconds=offset_ms)


def _optional_time(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


def _state(row: Row | None, now: datetime) -> Shown:
    if row is None or (now - _server_time(row)).total_seconds() > FRESH_S:
        return Shown.NO_DATA
    # A state this version does not know is unknown, never fine.
    return _SHOWN.get(str(row.fields.get("state")), Shown.NO_DATA)


def _band(rows: Sequence[Row], part: Part) -> int | None:
    """Return the middle band of one minute; unknown when most of it is."""
    levels = sorted(
        int(value)
        for row in rows
        if (value := row.fields.get(f"level_{part}")) is not None and value != UNKNOWN_LEVEL
    )
    return levels[len(levels) // 2] if levels and 2 * len(levels) >= len(rows) else None


def _quality(rows: Sequence[Row]) -> float | None:
    values = [float(value) for row in rows if (value := row.fields.get("quality")) is not None]
    return sum(values) / len(values) if values else None
