"""Whose clocks times are told on, and when that has to be said."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from analytics.people.teams import parse_teams
from dashboard.clocks import places, team_zone, told

WINTER, SUMMER = datetime(2026, 1, 15, 9, tzinfo=UTC), datetime(2026, 7, 15, 9, tzinfo=UTC)


def floor(*zones: str):
    return parse_teams(
        {
            f"team{n}": {"supervisors": ["ana"], "time_zone": zone, "agents": [f"k{n}"]}
            for n, zone in enumerate(zones)
        }
    )


@pytest.mark.parametrize(
    ("zones", "now", "expected"),
    [
        (("Asia/Manila",), SUMMER, {}),
        (("Europe/Berlin", "Europe/Paris"), SUMMER, {}),
        (("Europe/London", "Africa/Abidjan"), WINTER, {}),
        (
            ("Europe/London", "Africa/Abidjan"),
            SUMMER,
            {"team0": "London", "team1": "Abidjan"},
        ),
        (
            ("America/Argentina/Buenos_Aires", "UTC"),
            SUMMER,
            {"team0": "Buenos Aires", "team1": "UTC"},
        ),
    ],
)
def test_a_place_is_named_only_where_clocks_differ(zones, now, expected):
    teams = floor(*zones)
    assert places(teams, teams.names, now) == expected


def test_times_are_told_on_the_clocks_of_the_team():
    zone = team_zone(floor("Asia/Manila"), "team0", SUMMER)
    assert told(SUMMER, zone) == "17:00"
    assert told(SUMMER, ZoneInfo("Europe/Berlin"), "Berlin") == "11:00 (Berlin)"
