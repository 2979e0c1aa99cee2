"""The autostart files parse, restart after a failure, and their command runs without a terminal."""

import os
import plistlib
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.rig.process import free_port
from tests.rig.waiting import wait_until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "autostart"
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def unit() -> dict[str, str]:
    lines = (FOLDER / "wellbeing-edge.service").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#[")
    return {key: value for key, _, value in pairs}


def task() -> ET.Element:
    return ET.fromstring((FOLDER / "wellbeing-edge.xml").read_text())


def launch_agent() -> dict[str, object]:
    return plistlib.loads((FOLDER / "wellbeing.edge.plist").read_bytes())


def words_of_unit() -> list[str]:
    return shlex.split(unit()["ExecStart"])[1:]


def words_of_task() -> list[str]:
    arguments = task().findtext(f"{TASK}Actions/{TASK}Exec/{TASK}Arguments")
    assert arguments is not None
    module, name, *words = (word.strip('"') for word in shlex.split(arguments, posix=False))
    assert (module, name) == ("-m", "wellbeing")
    return words


def words_of_launch_agent() -> list[str]:
    shell, flag, script = launch_agent()["ProgramArguments"]
    assert (shell, flag) == ("/bin/sh", "-c")
    program, *words = shlex.split(script.split(" 2>>")[0].removeprefix("exec "))
    assert program.endswith("/wellbeing")
    return words


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "its own folder" / "edge.toml"
    path.parent.mkdir()
    path.write_text(
        f'[broker]\nport = {free_port()}\n[edge]\nagent = "k7"\ncollectors = ["simulated"]\n'
        f'state_dir = "{tmp_path / "state"}"\n'
    )
    return path


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(words_of_unit, id="systemd"),
        pytest.param(words_of_task, id="windows"),
        pytest.param(words_of_launch_agent, id="launchd"),
    ],
)
def test_its_command_runs_without_a_terminal(words, config):
    verb, option, where = words()
    assert (verb, option) == ("edge", "--config")
    assert where.replace("\\", "/").endswith("agent-wellbeing/edge.toml")
    command = [sys.executable, "-m", "wellbeing", verb, option, str(config), "--for", "1"]
    # pythonw has no standard streams at all; here they are closed before it starts.
    closed = f"exec {shlex.join(command)} 0<&- 1>&- 2>&-"
    ended = subprocess.run(["/bin/sh", "-c", closed], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == 0
    assert list((config.parents[1] / "state").glob("main/k7/outbox-*.sqlite"))


def test_the_launch_agents_shell_line_becomes_the_edge(tmp_path):
    """Run as it stands, with another home and the program where it is here."""
    (tmp_path / "Library/Logs").mkdir(parents=True)
    folder = tmp_path / "Library/Application Support/agent-wellbeing"
    folder.mkdir(parents=True)
    (folder / "edge.toml").write_text(f'[edge]\nagent = "k7"\nstate_dir = "{tmp_path}/state"\n')
    script = launch_agent()["ProgramArguments"][2]
    here = shlex.join([sys.executable, "-m", "wellbeing"])
    script = script.replace("/usr/local/lib/wellbeing/bin/wellbeing", here)
    edge = subprocess.Popen(
        ["/bin/sh", "-c", script], cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)}
    )
    log = tmp_path / "Library/Logs/agent-wellbeing.log"
    try:
        wait_until(
            lambda: log.exists() and "edge of k7" in log.read_text(), timeout=60, what="it starts"
        )
    finally:
        edge.terminate()
        assert edge.wait(60) == 0


@pytest.mark.needs("systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path):
    program = tmp_path / "wellbeing"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = (FOLDER / "wellbeing-edge.service").read_text()
    there = tmp_path / "wellbeing-edge.service"
    there.write_text(text.replace("/usr/local/lib/wellbeing/bin/wellbeing", str(program)))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(there)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "wellbeing" not in checked.stderr
    assert "\nLimitCORE=0\n" in text  # T2: a core dump is what its memory holds


def test_each_starts_it_again_after_a_failure_only():
    assert unit()["Restart"] == "on-failure"
    assert unit()["StartLimitIntervalSec"] == "0"
    settings = task().find(f"{TASK}Settings")
    assert settings is not None
    assert settings.findtext(f"{TASK}RestartOnFailure/{TASK}Interval") == "PT1M"
    assert launch_agent()["KeepAlive"] == {"SuccessfulExit": False}


def test_each_runs_in_the_agents_own_session_without_raised_rights():
    assert unit()["PartOf"] == "graphical-session.target"
    principal = task().find(f"{TASK}Principals/{TASK}Principal")
    assert principal is not None
    assert principal.findtext(f"{TASK}RunLevel") == "LeastPrivilege"
    actions = task().find(f"{TASK}Actions")
    assert actions is not None
    assert actions.get("Context") == principal.get("id")
    assert task().find(f"{TASK}Triggers/{TASK}LogonTrigger") is not None
    assert launch_agent()["LimitLoadToSessionType"] == "Aqua"


def test_the_task_runs_on_battery_and_without_an_end():
    """Its defaults would stop a laptop's edge when unplugged, and every edge after three days."""
    settings = task().find(f"{TASK}Settings")
    assert settings is not None
    assert settings.findtext(f"{TASK}DisallowStartIfOnBatteries") == "false"
    assert settings.findtext(f"{TASK}StopIfGoingOnBatteries") == "false"
    assert settings.findtext(f"{TASK}ExecutionTimeLimit") == "PT0S"
