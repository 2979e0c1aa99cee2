"""What a tired person gets wrong, and what a machine lacks: one clear line, nothing lost."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensors.edge.outbox.outbox import Outbox
from sensors.edge.sealing.keyhold import load_cipher
from tests.rig import free_port, wait_until
from tests.rig.command import one_line
from tests.rig.installation import Installation
from tests.rig.process import children_of, lives
from wellbeing import VERBS, main

ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and pipes as POSIX has them")


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """An installation whose broker is not there."""
    return Installation(tmp_path, free_port(), ["k1"])


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        pytest.param("port =", "prt =", "[broker] unknown key 'prt'; did you mean 'port'?", id="key"),
        pytest.param("[store]", "[stroe]", "unknown table [stroe]; did you mean 'store'?", id="table"),
        pytest.param("[broker]\nport = {port}", "broker = 3", "[broker] is 3; expected a table", id="no table"),
        pytest.param("port = {port}", 'port = "x"', "[broker] port is 'x'; expected a whole number", id="type"),
        pytest.param("port = {port}", "port = true", "[broker] port is True; expected a whole number", id="bool"),
        pytest.param("port = {port}", "port = 99999", "[broker] port is 99999; expected 1 to 65535", id="value"),
        pytest.param("port = {port}", "port = ", "is not valid TOML", id="toml"),
        pytest.param('"embedded"', '"oracle"', "kind is 'oracle'; expected one of embedded, influxdb", id="choice"),
        pytest.param('site = "here"', 'site = "A B"', "site is 'A B'; expected lower-case letters", id="identity"),
        pytest.param("teams.toml", "gone.toml", "gone.toml: No such file", id="teams"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["detect", "dashboard"])
def test_a_wrong_configuration(
    site: Installation, capfd: pytest.CaptureFixture[str], verb: str, right: str, wrong: str, words: str
) -> None:  # fmt: skip
    text = site.config.read_text()
    port = text.partition("port = ")[2].partition("\n")[0]
    assert right.format(port=port) in text
    site.config.write_text(text.replace(right.format(port=port), wrong))
    code, line = one_line(capfd, verb, "--config", site.config)
    assert code == 2
    assert words in line


def test_a_wrong_environment(
    site: Installation, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WELLBEING_BROKER_PORT", "many")
    code, line = one_line(capfd, "detect", "--config", site.config)
    assert (code, "WELLBEING_BROKER_PORT is 'many'" in line) == (2, True)
    for verb in ("detect", "dashboard", "status", "replay", "edge"):
        monkeypatch.setenv("WELLBEING_CONFIG", "/nowhere.toml")
        recording = [str(_recording(site.directory, "0,hr_bpm,70\n"))] if verb == "replay" else []
        code, line = one_line(capfd, verb, *recording)
        assert (code, line) == (2, f"wellbeing {verb}: cannot read /nowhere.toml: No such file or directory")  # fmt: skip


HEADER = "t_s,signal,value\n"


def _recording(folder: Path, rows: str, header: str = HEADER, name: str = "given.csv") -> Path:
    path = folder / name
    path.write_text(header + rows)
    return path


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        pytest.param("time,signal,value\n", "0,hr_bpm,70\n", "line 1: the header is", id="header"),
        pytest.param("", "", "line 1: the file is empty", id="empty"),
        pytest.param(HEADER, "", "has no rows", id="no rows"),
        pytest.param(HEADER, "0,hr_bmp,70\n", "line 2: unknown signal 'hr_bmp'; known: ", id="signal"),
        pytest.param(HEADER, "5,hr_bpm,70\n0,hr_bpm,71\n", "line 3: t_s goes back", id="unsorted"),
        pytest.param(HEADER, "0,hr_bpm,nan\n", "line 2: value is 'nan'", id="nan"),
        pytest.param(HEADER, "nan,hr_bpm,70\n", "line 2: t_s is 'nan'", id="nan time"),
        pytest.param(HEADER, "-5,hr_bpm,70\n", "line 2: t_s is -5", id="negative"),
        pytest.param(HEADER, "1.7e12,hr_bpm,70\n", "line 2: t_s is 1.7e+12; expected seconds", id="epoch"),
        pytest.param(HEADER, "0,hr_bpm\n", "line 2: 2 columns", id="columns"),
        pytest.param(HEADER, "0,hr_bpm,7O\n", "line 2: value is '7O'", id="number"),
        pytest.param(HEADER, "0,label,7\n", "line 2: label is 7", id="label"),
    ],
)  # fmt: skip
def test_a_wrong_recording(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], header: str, rows: str, words: str
) -> None:
    path = _recording(tmp_path, rows, header)
    for command in (["replay", path], ["evaluate", path], ["up", "--replay", path]):
        code, line = one_line(capfd, *command)
        assert code == 2
        assert str(path) in line
        assert words in line


def test_a_file_that_is_no_recording(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "noise.csv").write_bytes(bytes(range(128, 256)))
    (tmp_path / "noise.csv.gz").write_bytes(bytes(range(128, 256)))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(HEADER.encode() * 99)[:30])
    (tmp_path / "folder.csv").mkdir()
    for name in ("noise.csv", "noise.csv.gz", "cut.csv.gz", "folder.csv", "gone.csv"):
        code, line = one_line(capfd, "replay", tmp_path / name)
        assert code == 2
        assert name in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["nonsense"], "unknown verb 'nonsense'; known: up, me, edge", id="verb"),
        pytest.param(["replay"], "Missing argument", id="argument"),
        pytest.param(["evaluate"], "nothing to judge; name recordings", id="nothing"),
        pytest.param(["evaluate", "--jsn"], "wellbeing evaluate --help", id="option"),
        pytest.param(["up", "--port", "99999"], "--port", id="port"),
        pytest.param(["up", "--speed", "fast"], "--speed is 'fast'", id="speed"),
        pytest.param(["up", "--language", "xx"], "--language is 'xx'; expected one of en", id="language"),
        pytest.param(["up", "--state-dir", __file__], "--state-dir is", id="state dir"),
        pytest.param(["detect", "--broker", "a:b"], "expected HOST or HOST:PORT", id="broker"),
        pytest.param(["dashboard", "--as", "ana", "--site", "x", "--broker", "a:b"], "HOST:PORT", id="dashboard"),
        pytest.param(["store"], "Missing command", id="command"),
        pytest.param(["store", "query", "mood", "--site", "x"], "'mood' is not one of", id="measurement"),
        pytest.param(["bench", "X9"], "unknown benchmark 'X9'", id="benchmark"),
    ],
)  # fmt: skip
def test_a_wrong_command_line(
    capfd: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, line = one_line(capfd, *arguments)
    assert code == 2
    assert words in line


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_plain(capfd: pytest.CaptureFixture[str], verb: str) -> None:
    assert main([verb, "--help"]) == 0
    shown = capfd.readouterr().out
    assert f"wellbeing {verb}" in shown
    assert not set("╭│─╰\x1b") & set(shown), "a screen reader spells boxes out"


def test_me_without_a_terminal_asks_nobody(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None if os.name == "nt" else open(os.devnull))  # noqa: PTH123, SIM115
    code, line = one_line(capfd, "up", "--me")
    assert (code, "--me asks for consent first" in line) == (2, True)
    sys.stdin.close()


def test_a_place_that_cannot_be_written(
    site: Installation, capfd: pytest.CaptureFixture[str]
) -> None:
    (site.directory / "server").write_text("a file where a folder should be")
    assert main(["detect", "--config", str(site.config)]) == 7
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith("wellbeing detect: ")
    assert "check [server] state_dir" in said
    (site.directory / "edges").write_text("another")
    code, line = one_line(
        capfd, "edge", "--config", site.config, "--agent", "k1", "--collector", "simulated"
    )
    assert (code, f"cannot keep a key in {site.edge_dir}" in line) == (7, True)
    assert "check [edge] state_dir" in line


def test_no_store_and_no_state_yet(site: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    code, line = one_line(capfd, "store", "check", "--config", site.config)
    assert (code, "start `wellbeing detect` first" in line) == (6, True)
    code, line = one_line(capfd, "status", "--config", site.config)
    assert (code, "has `wellbeing detect` run" in line) == (7, True)


def test_no_database(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    site = Installation(tmp_path, free_port(), ["k1"], influx_url=f"http://127.0.0.1:{free_port()}")
    code = main(["store", "check", "--config", str(site.config)])
    printed = capfd.readouterr()
    [finding] = printed.out.splitlines()
    assert (code, printed.err) == (6, "")
    assert "127.0.0.1" in finding
    assert "is it running" in finding


@contextlib.contextmanager
def running(*arguments: object, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """Start ``wellbeing ARGUMENTS``; its standard error can be read line by line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wellbeing", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def said_until(process: subprocess.Popen[str], words: str) -> str:
    """Return the standard error up to the line with `words`."""
    assert process.stderr is not None
    heard = ""
    for line in process.stderr:
        heard += line
        if words in line:
            return heard
    raise AssertionError(f"it never said {words!r}:\n{heard}")


@POSIX
def test_without_any_device_or_broker_the_edge_goes_on_and_says_what_is_missing(
    site: Installation, capfd: pytest.CaptureFixture[str]
) -> None:
    devices = [f"--collector={name}" for name in ("heart_rate", "hid", "voice")]
    bare = {
        "DISPLAY": "",
        "WAYLAND_DISPLAY": "",
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere",
        "PULSE_SERVER": "unix:/nowhere",
    }
    head = ("edge", "--config", site.config, "--agent", "k1", "--source", "pc")
    missing = {
        "collector heart_rate: Bluetooth cannot be used",
        "collector hid: keyboard and pointer cannot be seen",
        "collector voice: no microphone can be opened",
        "; windows are kept here",  # after "no broker", with the reason if it is known by then
    }
    with running(*head, *devices, "--consent=heart,keyboard,voice", **bare) as edge:
        assert edge.stderr is not None
        heard: list[str] = []
        reader = threading.Thread(target=heard.extend, args=(edge.stderr,), daemon=True)
        reader.start()
        with contextlib.suppress(AssertionError):  # what it said instead tells more, below
            wait_until(lambda: all(w in "".join(heard) for w in missing))
        assert not {words for words in missing if words not in "".join(heard)}, heard
        wait_until(lambda: _held(site, capfd) > 0, what="an empty window is kept")
        edge.send_signal(signal.SIGTERM)
        assert edge.wait(timeout=60) == 0
        reader.join(timeout=60)
    assert all(line.startswith("wellbeing edge: ") for line in heard), heard
    assert "windows that were not sent yet are kept" in heard[-1]
    folder = site.edge_dir / "here" / "k1"
    outbox = Outbox(folder / "outbox-pc.sqlite", load_cipher(folder))
    assert outbox.keys()
    outbox.close()


def _held(site: Installation, capfd: pytest.CaptureFixture[str]) -> int:
    """Ask the edge from another terminal how many windows it keeps."""
    if main(["edge", "--config", str(site.config), "status", "--json"]) != 0:
        return 0
    [report] = json.loads(capfd.readouterr().out)
    return int(report.get("held", 0))


@POSIX
def test_without_broker_and_database_the_server_goes_on_even_unread(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    site = Installation(tmp_path, free_port(), ["k1"], influx_url=url)
    with running("detect", "--config", site.config, "--json") as server:
        assert server.stdout is not None
        first = json.loads(server.stdout.readline())
        assert first["level"] == "info"
        server.stdout.close()  # `| head -1`
        wait_until((site.server_dir / "server.sqlite").exists)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(2)  # long enough to speak into the closed pipe: no broker, no database
        assert server.poll() is None
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        assert server.stderr is not None
        assert server.stderr.read() == ""
        server.stdout = None


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ending_the_trial_while_it_simulates_the_past(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running("up", TMPDIR=str(tmp_path)) as up:
        assert up.stdout is not None
        assert "Simulating" in up.stdout.readline()
        assert [p for p in tmp_path.iterdir() if p.name.startswith("wellbeing-up-")]
        up.send_signal(number)
        out, err = up.communicate(timeout=60)
    assert up.returncode == 128 + number
    assert (out, err) == ("Ending.\n", "")
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_a_taken_port_is_told_and_an_outright_kill_leaves_no_process(tmp_path: Path) -> None:
    recording = _recording(tmp_path, "0,hr_bpm,70\n3000,hr_bpm,71\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("up", "--replay", recording, "--port", port, "--state-dir", tmp_path) as up:
            assert up.stdout is not None
            assert f"Port {port} is taken; using " in up.stdout.readline()
            for line in up.stdout:
                if "Ctrl-C ends everything" in line:
                    break
            children = children_of(up.pid)
            assert len(children) == 3  # server, dashboard, replay
            up.kill()
            up.wait()
            wait_until(lambda: not any(map(lives, children)), what="the children end by themselves")


@POSIX
def test_a_reader_who_has_seen_enough(site: Installation) -> None:
    for verb in ("edge", "detect"):
        with running(verb, "--help") as process:
            assert process.stdout is not None
            process.stdout.close()
            process.wait(60)
            assert process.stderr is not None
            assert process.stderr.read() == ""
            process.stdout = None


@POSIX
def test_a_replay_that_is_ended_leaves_nothing_and_does_not_wait(tmp_path: Path) -> None:
    recording = _recording(tmp_path, "0,hr_bpm,70\n60,hr_bpm,71\n")
    held = tmp_path / "held"
    held.mkdir()
    nobody = f"127.0.0.1:{free_port()}"
    with running("replay", recording, "--broker", nobody, TMPDIR=str(held)) as replay:
        wait_until(lambda: any(held.glob("wellbeing-replay-*")), what="it works")
        replay.send_signal(signal.SIGTERM)
        assert replay.wait(60) == 143
    assert list(held.iterdir()) == []
