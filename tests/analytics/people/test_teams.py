"""Teams: who, where and when; local wall time through clock changes and midnight."""

from __future__ import annotations

import itertools
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from analytics.people.teams import Teams, instant, load_roster, load_teams, parse_teams
from sensors.errors import ConfigurationError

BERLIN = ZoneInfo("Europe/Berlin")

BILLING = """
[billing]
supervisors = ["ana", "bo"]
time_zone = "Europe/Berlin"
valid_from = 2026-01-01
agents = ["k7", "k8"]
shifts = [ { days = ["mon", "tue"], start = "09:00", end = "17:30" } ]
"""


def teams(text: str) -> Teams:
    return parse_teams(tomllib.loads(text))


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


def test_a_team_knows_its_people() -> None:
    found = teams(BILLING)
    at = berlin("2026-03-02 10:00")
    assert found.names == ("billing",)
    assert found.team_of("k7", at) == "billing"
    assert found.team_of("k9", at) is None
    assert found.agents("billing") == ("k7", "k8")
    assert found.supervisors("billing") == ("ana", "bo")
    assert found.size("billing") == 2
    assert found.size("nobody") == 0
    assert found.supervisors("nobody") == ()


def test_before_valid_from_there_is_no_team() -> None:
    found = teams(BILLING)
    # 2026-01-01 00:00 in Berlin is 23:00 UTC the day before.
    assert found.team_of("k7", datetime(2025, 12, 31, 22, 59, tzinfo=UTC)) is None
    assert found.team_of("k7", datetime(2025, 12, 31, 23, 0, tzinfo=UTC)) == "billing"


def test_an_agent_moves_with_a_newer_version() -> None:
    found = teams(
        BILLING
        + """
[sales]
supervisors = ["cy"]
time_zone = "Europe/Berlin"
valid_from = 2026-06-01
agents = ["k8", "k9"]
"""
    )
    assert found.team_of("k8", berlin("2026-05-31 23:59")) == "billing"
    assert found.team_of("k8", berlin("2026-06-01 00:00")) == "sales"
    assert found.agents("billing", berlin("2026-05-31 12:00")) == ("k7", "k8")
    assert found.agents("billing", berlin("2026-06-01 12:00")) == ("k7",)
    assert found.agents("billing") == ("k7",)
    assert found.size("sales") == 2


def test_versions_of_one_team_follow_each_other_and_a_leaver_is_in_none() -> None:
    found = teams(
        """
[[billing]]
supervisors = ["ana"]
time_zone = "Europe/Berlin"
agents = ["k7", "k8"]

[[billing]]
supervisors = ["bo"]
time_zone = "Europe/Berlin"
valid_from = 2026-06-01
agents = ["k7"]
"""
    )
    before, after = berlin("2026-05-31 12:00"), berlin("2026-06-01 12:00")
    assert found.supervisors("billing", before) == ("ana",)
    assert found.supervisors("billing", after) == ("bo",)
    assert found.team_of("k8", before) == "billing"
    assert found.team_of("k8", after) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-03-02 08:59:59", False, id="a second before"),
        pytest.param("2026-03-02 09:00:00", True, id="start is inside"),
        pytest.param("2026-03-02 17:29:59", True, id="a second before the end"),
        pytest.param("2026-03-02 17:30:00", False, id="end is outside"),
        pytest.param("2026-03-04 10:00:00", False, id="wednesday is free"),
        pytest.param("2026-03-30 09:00:00", True, id="same wall time after the clock change"),
        pytest.param("2026-03-30 17:30:00", False, id="end after the clock change"),
    ],
)
def test_a_shift_is_local_wall_time(text: str, *, expected: bool) -> None:
    assert teams(BILLING).in_shift("billing", berlin(text)) is expected


def shift(days: str, start: str, end: str) -> Teams:
    return teams(
        f"""
[night]
supervisors = ["ana"]
time_zone = "Europe/Berlin"
agents = ["k7"]
shifts = [ {{ days = [{days}], start = "{start}", end = "{end}" }} ]
"""
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-06 21:59", False),
        ("2026-03-06 22:00", True),
        ("2026-03-06 23:59", True),
        ("2026-03-07 00:00", True),
        ("2026-03-07 05:59", True),
        ("2026-03-07 06:00", False),
        ("2026-03-06 03:00", False),  # thursday's night is not listed
    ],
)
def test_a_shift_over_midnight_belongs_to_the_day_it_starts(text: str, *, expected: bool) -> None:
    assert shift('"fri"', "22:00", "06:00").in_shift("night", berlin(text)) is expected


def length(found: Teams, start: datetime) -> timedelta:
    """Walk the shift minute by minute: it must be one piece."""
    minutes = [
        found.in_shift("night", start + timedelta(minutes=minute)) for minute in range(-120, 900)
    ]
    assert sum(a is not b for a, b in itertools.pairwise(minutes)) == 2
    return timedelta(minutes=sum(minutes))


@pytest.mark.parametrize(
    ("day", "evening", "start", "end", "hours"),
    [
        pytest.param('"sat"', "2026-03-28 22:00", "22:00", "06:00", 7, id="spring, an hour less"),
        pytest.param('"sat"', "2026-10-24 22:00", "22:00", "06:00", 9, id="autumn, an hour more"),
        pytest.param('"sat"', "2026-03-28 22:00", "22:00", "02:30", 4, id="ends in skipped hour"),
        pytest.param('"sun"', "2026-03-29 03:00", "02:30", "06:00", 3, id="starts in skipped hour"),
        pytest.param('"sat"', "2026-10-24 22:00", "22:00", "02:30", 4.5, id="ends in double hour"),
        pytest.param(
            '"sun"', "2026-10-25 02:30", "02:30", "06:00", 4.5, id="starts in double hour"
        ),
    ],
)
def test_clock_changes_leave_a_shift_in_one_piece(
    day: str, evening: str, start: str, end: str, hours: float
) -> None:
    assert length(shift(day, start, end), berlin(evening)) == timedelta(hours=hours)


def test_a_whole_day_and_no_shifts() -> None:
    whole = shift('"mon"', "00:00", "24:00")
    assert whole.in_shift("night", berlin("2026-03-02 00:00"))
    assert whole.in_shift("night", berlin("2026-03-02 23:59"))
    assert not whole.in_shift("night", berlin("2026-03-03 00:00"))
    always = teams(BILLING.replace("shifts = [", "# shifts = ["))
    assert always.in_shift("billing", berlin("2026-03-08 03:00"))
    assert not always.in_shift("unknown", berlin("2026-03-08 03:00"))


def test_a_skipped_time_is_the_moment_of_the_jump() -> None:
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    for minute in (0, 1, 30, 59):
        assert instant(datetime(2026, 3, 29, 2, minute), BERLIN) == jump  # noqa: DTZ001


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param('"Europe/Berlin"', '"Berlin"', ["time_zone", "Berlin", "IANA"], id="zone"),
        pytest.param('"Europe/Berlin"', '"../../etc"', ["time_zone", "IANA"], id="zone as path"),
        pytest.param('"Europe/Berlin"', "7", ["time_zone", "7"], id="zone as number"),
        pytest.param("supervisors", "supervisor", ["supervisor", "supervisors"], id="key"),
        pytest.param('["ana", "bo"]', "[]", ["supervisors", "at least one"], id="nobody leads"),
        pytest.param('["ana", "bo"]', '"ana"', ["supervisors", "list"], id="not a list"),
        pytest.param('"k8"', '"K 8"', ["agents", "'K 8'", "lower-case"], id="identity"),
        pytest.param('"k8"', "8", ["agents", "8", "lower-case"], id="identity as number"),
        pytest.param('"k8"', '"k7"', ["agents", "'k7'", "twice"], id="twice"),
        pytest.param("2026-01-01", '"2026-01-01"', ["valid_from", "quotes"], id="date as text"),
        pytest.param('"mon", "tue"', '"monday"', ["days", "monday", "mon, tue"], id="day"),
        pytest.param('"17:30"', '"9:00"', ["end", "'9:00'", "HH:MM"], id="clock"),
        pytest.param('"17:30"', '"25:00"', ["end", "'25:00'"], id="hour 25"),
        pytest.param('"17:30"', "17:30:00", ["end", "HH:MM"], id="clock without quotes"),
        pytest.param('"17:30"', '"09:00"', ["09:00", "24:00"], id="empty shift"),
        pytest.param('"09:00"', '"24:00"', ["start", "00:00"], id="starts at 24"),
        pytest.param(', end = "17:30"', "", ["shift 1", "end", "missing"], id="no end"),
        pytest.param("[billing]", '["Bill ing"]', ["team's name", "lower-case"], id="team name"),
        pytest.param("[billing]", "", ["supervisors", "expected a table"], id="no table"),
    ],
)
def test_errors_name_place_value_and_remedy(old: str, new: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        teams(BILLING.replace(old, new))
    for word in ["teams.toml", *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_contradictions_are_refused() -> None:
    both = BILLING + BILLING.replace("[billing]", "[sales]")
    with pytest.raises(ConfigurationError, match=r"'k7' is in \[billing\] and \[sales\]"):
        teams(both)
    twice = BILLING.replace("[billing]", "[[billing]]")
    with pytest.raises(ConfigurationError, match="two versions have valid_from 2026-01-01"):
        teams(twice + twice)
    with pytest.raises(ConfigurationError, match="no team; add a table"):
        teams("")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "teams.toml"
    path.write_text(BILLING)
    assert load_teams(path).versions[0].valid_from == date(2026, 1, 1)
    with pytest.raises(ConfigurationError, match=r"cannot read .*none\.toml"):
        load_teams(tmp_path / "none.toml")
    path.write_text("[billing")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load_teams(path)


def test_roster(tmp_path: Path) -> None:
    path = tmp_path / "roster.toml"
    path.write_text('[agents]\nk7 = "Kim Sato"\n[supervisors]\nana = "Ana Lopez"\n')
    roster = load_roster(path)
    assert roster.agent("k7") == "Kim Sato"
    assert roster.agent("k8") == "k8"
    assert roster.supervisor("ana") == "Ana Lopez"
    for text, words in [
        ('[agent]\nk7 = "Kim"', "did you mean 'agents'"),
        ("[agents]\nk7 = 7", "k7 is 7; expected a name"),
        ('[agents]\n"Kim Sato" = "k7"', "lower-case"),
        ("agents = 3", r"expected a table \[agents\]"),
    ]:
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=words):
            load_roster(path)
