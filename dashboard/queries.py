"""The only reader of the store: typed questions, plain answers.

What a supervisor may see is decided here (TRUST T12): every question names its
fields, and none names the index, the score, the evidence or a measured value.
A supervisor gets states, bands and words.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.alerts import budget
from analytics.store.base import Query, Row, Store
from analytics.store.points import Measurement
from dashboard import rates, records
from dashboard.cards import Decided
from dashboard.hour import BAND_FIELDS, Bands, bands, begin
from dashboard.live import KEEP_MINE_S
from dashboard.rates import Answer, Figures, Telling
from dashboard.records import APPLIED, Standing
from dashboard.records import row_time as _time
from sensors.errors import StoreError
from sensors.messages import DECISIONS, Action, ReplyKind
from sensors.shown import Shown

FRESH_S = 20.0
"""A state older than this is unknown, not fine: three windows and their way. [s] (TRUST T13)"""

LOOK_BACK = timedelta(hours=2)
"""How far back newest states are looked for: a replay begins that far in its own past."""

HOUR_KEEPS = timedelta(seconds=10)
BUSY_S = 3.0

STATE_FIELDS = ("state", "clock_offset_ms")

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
        self._scored: set[datetime] = set()

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
        tellings = self._tellings(me, now - budget.SPAN)
        return frozenset(telling.alert_id for telling in tellings if telling.personal)

    def _tellings(self, me: str, start_at: datetime) -> list[Telling]:
        rows = self._read(
            Query(
                measurement=Measurement.TRANSITION,
                site=self._site,
                fields=records.TELLING_FIELDS,
                start_at=start_at,
            )
        )
        return records.tellings(rows, me)

    def figures(
        self,
        me: str,
        agents: Sequence[str],
        on_duty: Callable[[datetime], bool],
        now: datetime,
    ) -> Figures:
        """Return how often alerts ask for `me`, and what `agents` answered about theirs.

        Parameters
        ----------
        me : str
            Login of the supervisor.
        agents : sequence of str
            Everybody in the teams of `me`.
        on_duty : callable
            Time to whether `me` led a team then; other time is not counted.
        now : datetime

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        bins = rates.bins(now)
        minutes = rates.minutes(now, self._scoring(bins), [at for at in bins if on_duty(at)])
        tellings = self._tellings(me, bins[0] - budget.SPAN)
        was_so, helped = (
            rates.share(self._answers(agents, kind, now))
            for kind in (ReplyKind.WAS_IT_SO, ReplyKind.DID_IT_HELP)
        )
        return Figures(now, rates.load(tellings, minutes), was_so, helped)

    def _scoring(self, bins: Sequence[datetime]) -> set[datetime]:
        """Return those of `bins` in which the server scored anybody at all."""
        self._scored &= set(bins)
        for start in set(bins) - self._scored:
            newest = self._read(
                Query(
                    measurement=Measurement.SCORE,
                    site=self._site,
                    fields=("state",),
                    start_at=start,
                    end_at=start + rates.BIN,
                    limit=1,
                )
            )
            if newest:
                self._scored.add(start)
        return self._scored

    def _answers(self, agents: Sequence[str], kind: ReplyKind, now: datetime) -> list[Answer]:
        if not agents:  # to the store no agents means all of them
            return []
        rows = self._read(
            Query(
                measurement=Measurement.DECISION,
                site=self._site,
                fields=records.ANSWER_FIELDS,
                agents=tuple(agents),
                start_at=rates.answers_since(now),
            )
        )
        return records.answers(rows, kind)

    def silences(
        self, teams: Sequence[tuple[str, Sequence[str]]], now: datetime
    ) -> tuple[Standing, ...]:
        """Return the silences that stand at `now` about `teams`, (name, agents) pairs.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        rows = self._read(
            Query(
                measurement=Measurement.DECISION,
                site=self._site,
                fields=records.SILENCE_FIELDS,
                start_at=now - records.SILENCES_BACK,
            )
        )
        return records.standing(rows, teams, now)

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
            elif action in _DECIDING and values.get("effect") == APPLIED:
                found[alert_id] = Decided(
                    alert_id=alert_id,
                    at=_time(row),
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
        start = begin(now)
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
        return bands(rows, start)

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


def _server_time(row: Row) -> datetime:
    """Return when the window ended by the server's clock: a replay's own runs in the past."""
    offset_ms = float(row.fields.get("clock_offset_ms", 0.0))
    return _time(row) + timedelta(milliseconds=offset_ms)


def _optional_time(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


def _state(row: Row | None, now: datetime) -> Shown:
    if row is None or (now - _server_time(row)).total_seconds() > FRESH_S:
        return Shown.NO_DATA
    # A state this version does not know is unknown, never fine.
    return _SHOWN.get(str(row.fields.get("state")), Shown.NO_DATA)
