"""`wellbeing silence`: what the server hears, and one line for every mistake."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.silence_cli import parse_until
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import ConfigurationError
from sensors.messages import Action, DecisionMessage
from sensors.mqtt import Connection, Inbound
from tests.dashboard.floors import write_files
from tests.rig import Mosquitto, wait_until
from wellbeing import run_verb


def in_minutes(minutes: int) -> str:
    return f"{datetime.now().astimezone() + timedelta(minutes=minutes):%H:%M}"


@pytest.mark.needs("mosquitto")
def test_the_server_hears_who_until_when_and_why_and_that_it_is_lifted(
    tmp_path: Path, mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)
    heard: list[DecisionMessage] = []

    def hear(inbound: Inbound) -> None:
        heard.append(codec.decode(inbound.payload, DecisionMessage))

    server = Connection(
        BrokerSettings(port=mosquitto.port),
        client_id="listener",
        subscriptions=(topics.decision("berlin"),),
        on_message=hear,
    )
    server.start()
    try:
        server.wait_connected(60.0)
        common = ["--site", "berlin", "--as", "ana", "--teams", str(tmp_path / "teams.toml")]
        common += ["--broker", f"127.0.0.1:{mosquitto.port}"]
        about = ["--team", "billing"]
        ends_at = (datetime.now(UTC) + timedelta(minutes=90)).replace(second=0, microsecond=0)
        until = f"{ends_at.astimezone():%H:%M}"
        assert run_verb("silence", [*about, "--until", until, "--why", "drill", *common]) == 0
        assert run_verb("silence", [*about, "--lift", *common]) == 0
        wait_until(lambda: len(heard) == 2)
    finally:
        server.stop()
    begun, lifted = heard
    assert (begun.action, begun.by, begun.team, begun.reason) == (
        Action.SILENCE, "ana", "billing", "drill",
    )  # fmt: skip
    assert begun.until_at == ends_at
    assert lifted.until_at == lifted.at
    assert f"team billing is silenced until {until}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--until", "14:00"], "--agent or --team", id="nobody"),
        pytest.param(["--team", "billing"], "--until HH:MM", id="no end"),
        pytest.param(["--team", "billing", "--lift", "--until", "14:00"], "--lift", id="both"),
        pytest.param(["--team", "sales", "--lift"], "led by others", id="not theirs"),
        pytest.param(["--agent", "stray", "--lift"], "in no team", id="a stranger"),
        pytest.param(
            ["--team", "billing", "--until", "two", "--why", "a"],
            "'two'; expected HH:MM",
            id="time",
        ),
        pytest.param(
            ["--team", "billing", "--until", in_minutes(60)], "--why is missing", id="why"
        ),
        pytest.param(
            ["--team", "billing", "--until", in_minutes(60), "--why", " "],
            "--why is missing",
            id="a blank why",
        ),
        pytest.param(
            ["--team", "billing", "--until", in_minutes(60), "--why", "x" * 65],
            "--why has 65 characters; shorten it to 64",
            id="a long why",
        ),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)
    common = ["--site", "berlin", "--as", "ana", "--teams", str(tmp_path / "teams.toml")]
    assert run_verb("silence", [*arguments, *common]) == ConfigurationError.exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_until_is_the_next_time_the_clock_shows_it_and_a_shift_away_at_most() -> None:
    now = datetime(2026, 11, 2, 22, 30, tzinfo=UTC)
    here = now.astimezone()
    soon, earlier = here + timedelta(minutes=45), here - timedelta(minutes=1)
    assert parse_until(f"{soon:%H:%M}", now) == now + timedelta(minutes=45)
    with pytest.raises(ConfigurationError, match="at most 12 h from now"):
        parse_until(f"{earlier:%H:%M}", now)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-10-24T22:00", "2026-10-25T05:00", id="clocks go back"),
        pytest.param("2026-03-28T22:30", "2026-03-29T04:00", id="clocks go forward"),
    ],
)
def test_until_holds_over_a_night_in_which_the_clocks_change(
    now: str, until: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        found = parse_until("06:00", datetime.fromisoformat(now).replace(tzinfo=UTC))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == datetime.fromisoformat(until).replace(tzinfo=UTC)
