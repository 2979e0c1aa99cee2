"""Whose clocks a time is told on: its team's, and which those are where teams' clocks differ."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, tzinfo

from analytics.people.teams import Teams
from sensors.shown import clock


def team_zone(teams: Teams, team: str, now: datetime) -> tzinfo:
    """Return the time zone of `team`: times are told on its clocks, not the server's."""
    begun = [v for v in teams.versions if v.name == team and v.begins_at <= now]
    return max(begun, key=lambda v: v.begins_at).zone


def places(teams: Teams, names: Collection[str], now: datetime) -> dict[str, str]:
    """Return where the clocks of each team of `names` hang; nothing while all show the same."""
    zones = {name: team_zone(teams, name, now) for name in names}
    if len({zone.utcoffset(now) for zone in zones.values()}) < 2:
        return {}
    return {name: _place(zone) for name, zone in zones.items()}


def told(at: datetime, zone: tzinfo, place: str = "") -> str:
    """Return the time of day of `at`, with `place` if it has to be said."""
    return f"{clock(at, zone)} ({place})" if place else clock(at, zone)


def _place(zone: tzinfo) -> str:
    """Return the city of an IANA zone: what people call it."""
    return str(zone).rpartition("/")[2].replace("_", " ")
