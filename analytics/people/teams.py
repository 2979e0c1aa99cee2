"""Who works in which team, who leads it, and when: ``teams.toml`` and ``roster.toml``.

``teams.toml`` on the server holds pseudonyms only; names live in the roster,
which the dashboard alone loads. A shift is local wall time in the team's IANA
time zone: *09:00 to 17:30* stays that on both sides of a clock change, and a
shift that ends at or before its start ends on the next day.

A team that changes is told as several versions, ``[[billing]]`` instead of
``[billing]``, each with its `valid_from`; the newest one that has begun
counts. An agent moves by being listed in a newer version of another team.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from analytics.people.teams_file import parse_names, parse_versions
from sensors.errors import ConfigurationError

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shift:
    """A working time that repeats weekly, in local wall time.

    Parameters
    ----------
    days : frozenset of int
        Days on which it starts; 0 is Monday.
    start, end : time
        ``end <= start`` ends on the next day; ``00:00`` to ``00:00`` is a whole day.
    """

    days: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamVersion:
    """One team from `valid_from` (local midnight) on; ``None`` means since ever."""

    name: str
    supervisors: tuple[str, ...]
    zone: ZoneInfo
    agents: tuple[str, ...]
    shifts: tuple[Shift, ...] = ()
    valid_from: date | None = None

    @property
    def begins_at(self) -> datetime:
        """The instant from which this version counts. UTC."""
        if self.valid_from is None:
            return _EVER
        return instant(datetime.combine(self.valid_from, time.min), self.zone)

    def in_shift(self, at: datetime) -> bool:
        """Return whether `at` lies in a shift; a team without shifts always is."""
        if not self.shifts:
            return True
        today = at.astimezone(self.zone).date()
        # A shift that began yesterday may run past midnight.
        return any(
            begin <= at < end
            for day in (today - timedelta(days=1), today)
            for begin, end in _spans(self.shifts, self.zone, day)
        )


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when the clocks of `zone` show (or jump past) `wall`. UTC.

    A time that comes twice when clocks go back is the first of the two; one
    that is skipped when they go forward is the moment of the jump.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    # Skipped: with fold=1 zoneinfo answers from the other side of the jump.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after, old_offset = first, before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=1) // 2)
        if middle.astimezone(zone).utcoffset() == old_offset:
            before = middle
        else:
            after = middle
    return after


@lru_cache(maxsize=4096)
def _spans(
    shifts: tuple[Shift, ...], zone: ZoneInfo, day: date
) -> tuple[tuple[datetime, datetime], ...]:
    """Return the half-open spans, in UTC, of the shifts that start on `day`."""
    return tuple(
        (
            instant(datetime.combine(day, shift.start), zone),
            instant(
                datetime.combine(day + timedelta(days=shift.end <= shift.start), shift.end), zone
            ),
        )
        for shift in shifts
        if day.weekday() in shift.days
    )


@dataclass(frozen=True)
class Teams:
    """Every team of the installation; answers who, where and when.

    Parameters
    ----------
    versions : sequence of TeamVersion
        As the file lists them.
    """

    versions: Sequence[TeamVersion]
    _by_team: dict[str, list[tuple[datetime, TeamVersion]]] = field(init=False, repr=False)
    _by_agent: dict[str, tuple[list[datetime], list[str | None]]] = field(init=False, repr=False)
    # Those who never change team, for the question that is asked for every window.
    _settled: dict[str, str | None] = field(init=False, repr=False)
    _moments: list[datetime] = field(init=False, repr=False)
    _members: dict[tuple[str, int], tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_team: dict[str, list[tuple[datetime, TeamVersion]]] = {}
        for version in self.versions:
            by_team.setdefault(version.name, []).append((version.begins_at, version))
        for entries in by_team.values():
            entries.sort(key=lambda entry: entry[0])
        object.__setattr__(self, "_by_team", by_team)
        moments = sorted({begins for entries in by_team.values() for begins, _ in entries})
        object.__setattr__(self, "_moments", moments)
        object.__setattr__(self, "_by_agent", self._trace_agents())
        settled = {
            agent: where[0] for agent, (when, where) in self._by_agent.items() if when == [_EVER]
        }
        object.__setattr__(self, "_settled", settled)
        object.__setattr__(self, "_members", {})

    def _trace_agents(self) -> dict[str, tuple[list[datetime], list[str | None]]]:
        """Return for each agent when its team changes and to which."""
        traced: dict[str, tuple[list[datetime], list[str | None]]] = {}
        everyone = {agent for version in self.versions for agent in version.agents}
        for moment in self._moments:
            current = sorted(
                (
                    (version.begins_at, version)
                    for name in self.names
                    if (version := self._valid(name, moment)) is not None
                ),
                key=lambda entry: entry[0],
            )
            # Later versions overwrite: the newest one that lists the agent counts.
            now = {agent: version.name for _, version in current for agent in version.agents}
            for agent in everyone:
                when, where = traced.setdefault(agent, ([], []))
                if (where[-1] if where else None) != now.get(agent):
                    when.append(moment)
                    where.append(now.get(agent))
        return traced

    def _valid(self, team: str, at: datetime | None) -> TeamVersion | None:
        found: TeamVersion | None = None
        for begins, version in self._by_team.get(team, ()):
            if at is None or begins <= at:
                found = version
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the teams, sorted."""
        return tuple(sorted(self._by_team))

    def team_of(self, agent: str, at: datetime) -> str | None:
        """Return the team of `agent` at `at`; ``None`` if they are in none."""
        settled = self._settled.get(agent)
        if settled is not None:
            return settled
        traced = self._by_agent.get(agent)
        if traced is None:
            return None
        when, where = traced
        index = bisect_right(when, at)
        return where[index - 1] if index else None

    def agents(self, team: str, at: datetime | None = None) -> tuple[str, ...]:
        """Return who works in `team` at `at` (by its newest version if ``None``)."""
        index = len(self._moments) if at is None else bisect_right(self._moments, at)
        found = self._members.get((team, index))
        if found is None:
            # Nothing changes between two moments, so one answer serves for all of it.
            moment = self._moments[index - 1] if index else _EVER
            version = self._valid(team, moment)
            listed = version.agents if version is not None else ()
            found = tuple(agent for agent in listed if self.team_of(agent, moment) == team)
            self._members[team, index] = found
        return found

    def size(self, team: str, at: datetime | None = None) -> int:
        """Return how many agents `team` has at `at`."""
        return len(self.agents(team, at))

    def supervisors(self, team: str, at: datetime | None = None) -> tuple[str, ...]:
        """Return who leads `team`, in the order in which alerts escalate."""
        version = self._valid(team, at)
        return version.supervisors if version is not None else ()

    def in_shift(self, team: str, at: datetime) -> bool:
        """Return whether `team` works at `at`; no shifts means always, no team never."""
        version = self._valid(team, at)
        return version is not None and version.in_shift(at)


@dataclass(frozen=True, slots=True)
class Roster:
    """Who the pseudonyms are; loaded by the dashboard alone, sent nowhere."""

    agents: Mapping[str, str] = field(default_factory=dict)
    supervisors: Mapping[str, str] = field(default_factory=dict)

    def agent(self, agent: str) -> str:
        """Return the name of `agent`, or the pseudonym where none is known."""
        return self.agents.get(agent, agent)

    def supervisor(self, login: str) -> str:
        """Return the name of a supervisor, or the login where none is known."""
        return self.supervisors.get(login, login)


def load_teams(path: Path) -> Teams:
    """Return the teams that `path`, a ``teams.toml``, describes.

    Raises
    ------
    ConfigurationError
        If it cannot be read or a value is not what was expected; names the
        file, the team, the key, the value and the remedy.
    """
    return parse_teams(_read(path), str(path))


def parse_teams(tables: Mapping[str, Any], where: str = "teams.toml") -> Teams:
    """Return the teams in `tables`, the parsed content of a ``teams.toml``.

    Raises
    ------
    ConfigurationError
        As :func:`load_teams`; `where` names the source.
    """
    return Teams(
        [
            TeamVersion(
                name=entry.team,
                supervisors=entry.supervisors,
                zone=entry.zone,
                agents=entry.agents,
                shifts=tuple(Shift(*shift) for shift in entry.shifts),
                valid_from=entry.valid_from,
            )
            for entry in parse_versions(tables, where)
        ]
    )


def load_roster(path: Path) -> Roster:
    """Return the names that `path`, a ``roster.toml``, gives to pseudonyms.

    Raises
    ------
    ConfigurationError
        As :func:`load_teams`.
    """
    names = parse_names(_read(path), str(path))
    return Roster(names["agents"], names["supervisors"])


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from None
