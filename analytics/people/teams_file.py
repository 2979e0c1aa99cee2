"""The checks on ``teams.toml`` and ``roster.toml``: every error names place, value and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sensors.errors import ConfigurationError, MessageError
from sensors.messages import check_identity

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_KEYS = ("supervisors", "time_zone", "agents", "valid_from", "shifts")
_SHIFT_KEYS = ("days", "start", "end")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEntry:
    """One team table of the file, checked; shifts are (days, start, end)."""

    team: str
    supervisors: tuple[str, ...]
    zone: ZoneInfo
    agents: tuple[str, ...]
    shifts: tuple[tuple[frozenset[int], time, time], ...]
    valid_from: date | None


def parse_versions(tables: Mapping[str, Any], where: str) -> list[VersionEntry]:
    """Return every version of every team.

    Raises
    ------
    ConfigurationError
        If a value is not what was expected.
    """
    entries = [
        _version(name, table, f"{where}: [{name}]")
        for name, tables_of_team in tables.items()
        for table in _versions_of(name, tables_of_team, where)
    ]
    if not entries:
        raise ConfigurationError(f"{where}: no team; add a table such as [billing] with agents")
    _refuse_contradictions(entries, where)
    return entries


def parse_names(tables: Mapping[str, Any], where: str) -> dict[str, dict[str, str]]:
    """Return the names of a roster: ``{"agents": {…}, "supervisors": {…}}``.

    Raises
    ------
    ConfigurationError
        If a table, pseudonym or name is not what was expected.
    """
    _refuse_unknown(tables, ("agents", "supervisors"), where, "table")
    found: dict[str, dict[str, str]] = {"agents": {}, "supervisors": {}}
    for table, names in tables.items():
        if not isinstance(names, dict):
            raise ConfigurationError(f"{where}: {table} is {names!r}; expected a table [{table}]")
        for key, name in names.items():
            _identity(key, f"{where}: [{table}]", "the key")
            if not isinstance(name, str) or not name.strip():
                raise ConfigurationError(
                    f'{where}: [{table}] {key} is {name!r}; expected a name such as "Kim Sato"'
                )
            found[table][key] = name.strip()
    return found


def _versions_of(name: str, value: Any, where: str) -> list[dict[str, Any]]:
    tables = value if isinstance(value, list) else [value]
    for table in tables:
        if not isinstance(table, dict):
            raise ConfigurationError(f"{where}: {name} is {table!r}; expected a table [{name}]")
    return tables


def _version(name: str, table: Mapping[str, Any], place: str) -> VersionEntry:
    _identity(name, place, "the team's name")
    _refuse_unknown(table, _KEYS, place, "key")
    for key in ("supervisors", "time_zone", "agents"):
        if key not in table:
            raise ConfigurationError(f"{place} {key} is missing; add it")
    valid_from = table.get("valid_from")
    if valid_from is not None and (
        not isinstance(valid_from, date) or isinstance(valid_from, datetime)
    ):
        raise ConfigurationError(
            f"{place} valid_from is {valid_from!r}; expected a date without quotes: 2026-01-31"
        )
    supervisors = _identities(table["supervisors"], place, "supervisors")
    if not supervisors:
        raise ConfigurationError(f"{place} supervisors is empty; name at least one")
    shifts = table.get("shifts", [])
    if not isinstance(shifts, list):
        raise ConfigurationError(f"{place} shifts is {shifts!r}; expected a list of tables")
    return VersionEntry(
        team=name,
        supervisors=supervisors,
        zone=_zone(table["time_zone"], place),
        agents=_identities(table["agents"], place, "agents"),
        shifts=tuple(_shift(shift, f"{place} shift {n}:") for n, shift in enumerate(shifts, 1)),
        valid_from=valid_from,
    )


def _zone(value: Any, place: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ValueError, TypeError, OSError, KeyError):
        # ZoneInfoNotFoundError is a KeyError: also where the machine has no tz database.
        raise ConfigurationError(
            f"{place} time_zone is {value!r}; expected an IANA name such as 'Europe/Berlin'"
            " (where every name is refused, run: pip install tzdata)"
        ) from None


def _shift(value: Any, place: str) -> tuple[frozenset[int], time, time]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{place} {value!r}; expected a table with days, start, end")
    _refuse_unknown(value, _SHIFT_KEYS, place, "key")
    for key in _SHIFT_KEYS:
        if key not in value:
            raise ConfigurationError(f"{place} {key} is missing; add it")
    days = value["days"]
    if not isinstance(days, list) or not days or any(day not in DAYS for day in days):
        raise ConfigurationError(f"{place} days is {days!r}; expected a list of {', '.join(DAYS)}")
    if value["start"] == value["end"]:
        raise ConfigurationError(
            f"{place} start and end are both {value['start']!r};"
            ' a whole day is start = "00:00", end = "24:00"'
        )
    if value["start"] == "24:00":
        raise ConfigurationError(f'{place} start is "24:00"; write "00:00" and the next day')
    return (
        frozenset(map(DAYS.index, days)),
        _clock(value["start"], place, "start"),
        _clock(value["end"], place, "end"),
    )


def _clock(value: Any, place: str, key: str) -> time:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ConfigurationError(f'{place} {key} is {value!r}; expected "HH:MM" in quotes')
    hour, minute = map(int, value.split(":"))
    return time(hour % 24, minute)  # 24:00 is midnight of the next day: end <= start


def _identity(value: Any, place: str, what: str) -> str:
    try:
        return check_identity(what, value)
    except (MessageError, TypeError):
        raise ConfigurationError(
            f"{place} {what} is {value!r}; expected lower-case letters, digits, - and _, up to 32"
        ) from None


def _identities(value: Any, place: str, key: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigurationError(f'{place} {key} is {value!r}; expected a list such as ["k7"]')
    found: list[str] = []
    for item in value:
        _identity(item, place, f"{key} entry")
        if item in found:
            raise ConfigurationError(f"{place} {key} lists {item!r} twice; remove one")
        found.append(item)
    return tuple(found)


def _refuse_unknown(table: Mapping[str, Any], known: Sequence[str], place: str, what: str) -> None:
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise ConfigurationError(f"{place} unknown {what} {key!r}; {hint}")


def _refuse_contradictions(entries: Sequence[VersionEntry], where: str) -> None:
    """Two tables that begin together must not both claim a team or an agent."""
    versions: set[tuple[str, date | None]] = set()
    team_of: dict[tuple[str, date | None], str] = {}
    for entry in entries:
        if (entry.team, entry.valid_from) in versions:
            raise ConfigurationError(
                f"{where}: [{entry.team}] two versions have valid_from {entry.valid_from};"
                " give the newer one its own date"
            )
        versions.add((entry.team, entry.valid_from))
        for agent in entry.agents:
            other = team_of.setdefault((agent, entry.valid_from), entry.team)
            if other != entry.team:
                raise ConfigurationError(
                    f"{where}: agent {agent!r} is in [{other}] and [{entry.team}] from the same"
                    " day; remove one, or give the newer table a later valid_from"
                )
