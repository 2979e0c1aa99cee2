import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sensors.edge.consent.file import ConsentFile
from sensors.edge.settings import EdgeSettings, default_source
from sensors.edge.words import CONSENT_TEXT
from sensors.errors import ConfigurationError
from sensors.recording import write_recording
from sensors.signals import Channel
from tests.rig.command import one_line
from tests.rig.process import free_port
from tests.rig.waiting import wait_until
from tests.sensors.edge.standin import StandIn

ROOT = Path(__file__).parents[4]


def wellbeing(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wellbeing", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=90,
        check=False,
    )


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "Kim 1.csv"
    rows = [(t / 2, "hr_bpm", 70.0 + t % 5) for t in range(241)]
    write_recording(path, [*rows, (121.0, "eda_us", 0.0), (121.5, "eda_us", 0.5)])
    return path


def test_help_names_every_command():
    shown = wellbeing("edge", "--help")
    assert shown.returncode == 0
    for word in ("pause", "resume", "withdraw", "consent", "status", "ask", "--collector"):
        assert word in shown.stdout
    assert wellbeing("replay", "--help").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["edge"], 2, "agent is not set", id="no agent"),
        pytest.param(["edge", "--agent", "Kim"], 2, "agent is 'Kim'", id="agent"),
        pytest.param(
            ["edge", "--agent", "k7", "--collector", "hidd"], 2, "known: ", id="collector"
        ),
        pytest.param(
            ["edge", "--agent", "k7", "--consent", "hart"], 2, "'hart'; known", id="consent"
        ),
        pytest.param(["edge", "--agent", "k7", "--option", "x"], 2, "COLLECTOR.KEY", id="option"),
        pytest.param(["edge", "--agent", "k7", "--broker", "a:b"], 2, "HOST:PORT", id="broker"),
        pytest.param(
            ["edge", "--agent", "k7", "--broker", "broker.example"],
            2,
            "'broker.example' and tls is false",
            id="in the clear",
        ),
        pytest.param(["edge", "status"], 7, "no edge has run here", id="no edge"),
        pytest.param(["edge", "--agent", "k7", "ask", "tea"], 2, "known: help_now", id="request"),
        pytest.param(
            ["edge", "--agent", "k7", "ask", "help_now"], 7, "no edge is running", id="ask"
        ),
        pytest.param(["edge", "--agent", "k7", "consent"], 2, "no terminal", id="no terminal"),
        pytest.param(["edge", "--config", "none.toml"], 2, "cannot read none.toml", id="config"),
    ],
)
def test_wrong_use_ends_in_one_line(tmp_path, capfd, arguments, code, said):
    head, *tail = arguments
    found, line = one_line(capfd, head, "--state-dir", tmp_path, *tail)
    assert found == code, line
    assert said in line


def test_replay_errors_end_in_one_line(tmp_path, capfd, recording):
    nobody = f"127.0.0.1:{free_port()}"
    for arguments, code, said in (
        ([tmp_path / "none.csv"], 2, "cannot read"),
        ([recording, "--speed", "0.5"], 2, "--speed is '0.5'"),
        ([recording, "--agent", "a", "--agent", "b"], 2, "2 times for 1 files"),
        ([recording, recording], 2, "give each an --agent"),
        ([recording, "--site", "Main"], 2, "site is 'Main'"),
    ):
        found, line = one_line(capfd, "replay", *arguments, "--broker", nobody)
        assert found == code, line
        assert said in line


def test_choices_made_while_no_edge_runs_are_kept_for_the_next(tmp_path):
    def edge(*words: str) -> list[dict]:
        ended = wellbeing("edge", "--state-dir", tmp_path, *words, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    assert edge("--agent", "k7", "consent", "heart", "voice")[0]["consent"] == ["heart", "voice"]
    assert edge("withdraw", "voice")[0]["consent"] == ["heart"]  # found without naming the agent
    assert edge("pause")[0]["stopped_because"] == ["paused"]
    (report,) = edge("status")
    assert report == {
        "running": False,
        "site": "main",
        "agent": "k7",
        "consent": ["heart"],
        "stopped_because": ["paused"],
    }


@pytest.mark.needs("mosquitto")
def test_a_real_edge_is_paused_from_another_terminal_and_says_goodbye(mosquitto, tmp_path):
    command = [
        *(sys.executable, "-m", "wellbeing", "edge", "--agent", "k7", "--collector", "simulated"),
        *("--option", 'simulated.channels=["heart"]', "--consent", "heart"),
        *("--state-dir", str(tmp_path), "--broker", f"127.0.0.1:{mosquitto.port}"),
    ]
    with StandIn(mosquitto.port) as server:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: any(w.heart for w in server.windows))
            paused = wellbeing("edge", "--state-dir", tmp_path, "pause")
            assert paused.returncode == 0, paused.stderr
            assert "main/k7: running" in paused.stdout
            assert "stopped: paused" in paused.stdout
            wait_until(lambda: server.windows[-1].absent)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 0, said
        assert "Traceback" not in said
        wait_until(lambda: not server.statuses[-1].online)


@pytest.mark.needs("mosquitto")
@pytest.mark.parametrize("speed", ["max", "100"])
def test_replay_sends_every_window_once_and_live(mosquitto, recording, speed):
    with StandIn(mosquitto.port) as server:
        where = f"127.0.0.1:{mosquitto.port}"
        ended = wellbeing("replay", recording, "--speed", speed, "--broker", where, "--json")
        assert ended.returncode == 0, ended.stderr
        report = json.loads(ended.stdout)
        assert report["agents"] == {
            "kim-1": {
                "windows": 24,
                "sent": 24,
                "stored": 24,
                "skipped": {"eda_us": 1},
                "repeated": {},
            }
        }
        assert "1 values of eda_us out of range" in ended.stderr
        (numbers,) = server.runs.values()
        assert numbers == list(range(24))
        for window in server.windows:
            assert window.clock_offset_ms is not None
            assert window.clock_offset_ms >= -5000
        ends = [w.window_end_at for w in server.windows]
        assert ends == sorted(ends)
        assert [set(c.channels) for c in server.consents] == [{"heart", "modules"}]


@pytest.mark.needs("mosquitto")
def test_replay_without_a_server_ends_honestly(mosquitto, recording):
    where = f"127.0.0.1:{mosquitto.port}"
    ended = wellbeing("replay", recording, "--speed", "max", "--broker", where, "--timeout", "1")
    assert ended.returncode == 5
    assert re.search(r"stored 0 of 24 windows.*wellbeing detect", ended.stderr)
    sent = wellbeing("replay", recording, "--speed", "max", "--broker", where, "--no-wait")
    assert sent.returncode == 0, sent.stderr


def test_replay_without_a_broker_says_where_it_looked(recording, monkeypatch):
    ended = wellbeing("replay", recording, "--speed", "max", "--broker", f"127.0.0.1:{free_port()}")
    assert ended.returncode == 5
    assert "no MQTT broker at 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"site": "Main"}, "site is 'Main'"),
        ({"max_windows": 0}, "max_windows is 0"),
        ({"max_age_s": 1e9}, "72 hours"),
        ({"resend_after_s": float("nan")}, "resend_after_s"),
    ],
)
def test_settings_name_key_and_value(values, said):
    with pytest.raises(ConfigurationError, match=said):
        EdgeSettings(**values)


def test_the_default_source_is_an_identity():
    assert EdgeSettings(source=default_source()).source


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
def test_on_a_terminal_each_channel_is_asked_in_plain_words(tmp_path):
    ours, theirs = os.openpty()
    command = [*(sys.executable, "-m", "wellbeing", "edge", "--state-dir", str(tmp_path))]
    command += ["--agent", "k7", "consent"]
    try:
        os.write(ours, b"y\nn\n\n\nn\n")  # an empty answer is a no
        ended = subprocess.run(
            command, cwd=ROOT, stdin=theirs, capture_output=True, text=True, timeout=60, check=True
        )
    finally:
        os.close(ours)
        os.close(theirs)
    for channel in Channel:
        assert CONSENT_TEXT[channel] in ended.stdout
    assert "Refusing costs nothing" in ended.stdout
    assert "You allowed: heart." in ended.stdout
    kept = ConsentFile(tmp_path / "main" / "k7" / "consent.json").load()
    assert kept.channels == {Channel.HEART}


def test_an_edge_without_a_collector_says_how_to_choose_one_and_is_found_again(tmp_path):
    given = ("--state-dir", tmp_path, "--broker", f"127.0.0.1:{free_port()}")
    ended = wellbeing("edge", "--agent", "k7", *given, "--for", "1")
    assert ended.returncode == 0, ended.stderr
    assert "no collector is chosen, so nothing is measured" in ended.stderr
    assert "--collector heart_rate" in ended.stderr
    # It ran here, though nobody was asked for consent: whoever says pause is heard.
    paused = wellbeing("edge", "--state-dir", tmp_path, "pause")
    assert paused.returncode == 0, paused.stderr
    assert "stopped: paused" in wellbeing("edge", "--state-dir", tmp_path, "status").stdout
    chosen = wellbeing("edge", "--agent", "k7", *given, "--collector", "simulated", "--for", "1")
    assert "no collector is chosen" not in chosen.stderr


def test_choices_that_cannot_be_written_name_the_folder_and_not_the_space(tmp_path):
    (tmp_path / "state").write_text("")
    ended = wellbeing("edge", "--agent", "k7", "--state-dir", tmp_path / "state", "pause")
    assert (ended.returncode, ended.stderr.count("\n")) == (7, 1)
    assert "check [edge] state_dir" in ended.stderr


def test_a_second_edge_of_one_name_is_told_what_to_do(mosquitto, tmp_path):
    given = ("--agent", "k7", "--source", "pc", "--state-dir", str(tmp_path), "--no-page",
             "--broker", f"127.0.0.1:{mosquitto.port}")  # fmt: skip
    command = [sys.executable, "-m", "wellbeing", "edge", *given]
    with StandIn(mosquitto.port) as server:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: server.statuses)
            ended = wellbeing("edge", *given)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert ended.returncode == 7
    assert "another edge runs for this agent and source" in ended.stderr
    assert "--source of its own" in ended.stderr
    assert process.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="a terminal to be had by a test is POSIX's")
def test_one_ctrl_c_ends_the_question_for_consent(tmp_path):
    """In a terminal of its own: whoever does not want to answer leaves at once."""
    shown, terminal = os.openpty()
    command = [sys.executable, "-m", "wellbeing", "edge", "--agent", "k7", "--collector",
               "simulated", "--state-dir", str(tmp_path)]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    said = bytearray()

    def asked() -> bool:
        said.extend(os.read(shown, 4096))
        return b"[y/N]" in said

    try:
        wait_until(asked)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
        os.close(shown)
    assert not ConsentFile(tmp_path / "main" / "k7" / "consent.json").load().is_asked
