"""A wrong setting ends in one line that names key, value and remedy."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard import cli
from dashboard.settings import DashboardSettings, load
from dashboard.theme import STREAMLIT_OPTIONS
from sensors.errors import ConfigurationError
from tests.dashboard.floors import write_files
from wellbeing import run_verb


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"site": ""}, r"site is not set.*--site"),
        ({"supervisor": ""}, r"supervisor is not set.*--as"),
        ({"supervisor": "Ana Lopez"}, r"supervisor is 'Ana Lopez'"),
        (
            {"address": "0.0.0.0"},
            r"'0\.0\.0\.0'; only 127\.0\.0\.1 is served until there are roles",
        ),
        ({"address": "192.168.1.4"}, r"until there are roles"),
        ({"port": 0}, r"port is 0; expected 1 to 65535"),
        ({"language": "fr"}, r"language is 'fr'; expected one of en, zh_CN"),
    ],
)
def test_bad_setting(changes: dict, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        DashboardSettings(**({"site": "berlin", "supervisor": "ana"} | changes))


def test_file_and_command_line(tmp_path: Path) -> None:
    path = tmp_path / "wellbeing.toml"
    path.write_text('[dashboard]\nsite = "berlin"\nsupervisor = "bo"\nport = 9000\n')
    found = load(path, supervisor="ana", port=None).dashboard
    assert (found.site, found.supervisor, found.port) == ("berlin", "ana", 9000)


def test_the_ceiling_shown_is_the_one_the_server_keeps(tmp_path: Path) -> None:
    path = tmp_path / "wellbeing.toml"
    own = '[dashboard]\nsite = "berlin"\nsupervisor = "bo"\n'
    path.write_text(own)
    assert load(path).alerts_per_supervisor_hour == 2
    path.write_text(own + '[policy]\nprofile = "general"\nalerts_per_supervisor_hour = 4\n')
    assert load(path).alerts_per_supervisor_hour == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "site is not set"),
        (["--site", "berlin"], "supervisor is not set"),
        (["--site", "berlin", "--as", "ana", "--address", "0.0.0.0"], "until there are roles"),
        (["--site", "berlin", "--as", "ana", "--teams", "gone.toml"], "cannot read gone.toml"),
        (["--config", "gone.toml"], "cannot read gone.toml"),
    ],
)
def test_command_refuses_in_one_line(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_verb("dashboard", arguments) == ConfigurationError.exit_code
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_help_answers_without_streamlit() -> None:
    code = (
        "import sys, wellbeing\n"
        "wellbeing.run_verb('dashboard', ['--help'])\n"
        "sys.exit('streamlit' in sys.modules)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "--as" in found.stdout


def test_port_that_is_taken_is_replaced() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.free_port("127.0.0.1", port) != port


def test_address_that_this_machine_has_not() -> None:
    with pytest.raises(ConfigurationError, match="cannot listen there"):
        cli.free_port("203.0.113.7", 8501)


def test_url_of_both_families() -> None:
    assert cli.url("127.0.0.1", 8501) == "http://127.0.0.1:8501"
    assert cli.url("::1", 8501) == "http://[::1]:8501"


def test_streamlit_knows_every_option_and_reports_nothing_home() -> None:
    from streamlit import config  # noqa: PLC0415 - seconds to import

    assert STREAMLIT_OPTIONS["browser.gatherUsageStats"] is False
    for option in STREAMLIT_OPTIONS:
        config.get_option(option)


def test_files_of_the_other_tests_are_good(tmp_path: Path) -> None:
    write_files(tmp_path)
    cli.load_teams(tmp_path / "teams.toml")
    cli.load_roster(tmp_path / "roster.toml")
