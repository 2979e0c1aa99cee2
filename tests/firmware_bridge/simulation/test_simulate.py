"""`firmware-bridge simulate` as a person starts it: on a terminal, on TCP, with faults."""

import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from firmware_bridge.cli import main
from firmware_bridge.ports.serial_port import SerialPort
from firmware_bridge.protocol.messages import Key, Set, Setting, Status
from firmware_bridge.protocol.session import Session
from firmware_bridge.simulation.board import Board
from firmware_bridge.simulation.endpoints import Terminal
from firmware_bridge.simulation.faults import BLUETOOTH_FAULTS, FAULTS, ScriptedFault
from firmware_bridge.simulation.serving import Server
from sensors.errors import ConfigurationError, DeviceError
from tests.rig import wait_until


@contextmanager
def simulated(*arguments):
    """Run the command; yield the process and its first happening."""
    command = [sys.executable, "-m", "firmware_bridge", "simulate", "--json", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        try:
            yield ran, json.loads(ran.stdout.readline())
        finally:
            ran.kill()


def ended(process):
    """End it by Ctrl-C and return its further happenings."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


class Talk:
    """A host on a port, with the production session."""

    def __init__(self, port):
        self.port, self.session, self.now_s, self.events = port, Session(), 0.0, []

    def until(self, predicate, what):
        def turn():
            self.now_s += 0.05
            due = self.session.due(self.now_s)
            if due:
                self.port.write(due)
            self.events += self.session.feed(self.port.read(), self.now_s)
            return predicate()

        return wait_until(turn, what=what)


def test_on_a_terminal_it_answers_keeps_and_cleans_up(tmp_path):
    link, state = tmp_path / "headset", tmp_path / "state.json"
    arguments = ["--link", link, "--state", state, "--script", "rest:1,strain:5", "--seed", "3"]
    with simulated(*arguments) as (process, ready):
        assert ready["port"] == str(link)
        with SerialPort(str(link), 115_200) as port:
            talk = Talk(port)
            talk.until(lambda: len(talk.session.streams) == 4, "four streams described")
            data, counter = talk.session.request(Set(Key.DEVICE_ID, 0, b"desk-4"))
            port.write(data)
            answers = talk.until(
                lambda: [e for e in talk.events if type(e).__name__ == "Answered"], "an answer"
            )
        assert answers[0].setting == Setting(counter, 1, 0, Status.KEPT, b"desk-4")
        wait_until(state.exists)
        happened = {h["event"] for h in ended(process)}
        assert {"stage", "opened", "kept", "ended"} <= happened
    assert not link.is_symlink()
    with simulated("--state", state) as (process, ready), SerialPort(ready["port"], 9_600) as port:
        talk = Talk(port)
        talk.until(lambda: talk.session.hello is not None, "HELLO")
        assert talk.session.hello.device_id == "desk-4"
        ended(process)


def test_what_a_host_sends_last_arrives_although_it_closes_at_once():
    terminal = Terminal()
    with SerialPort(terminal.port, 115_200) as port:
        port.write(b"the last word")
    assert not terminal.is_open
    assert terminal.receive(30.0) == b"the last word"
    assert terminal.receive(0.0) == b""
    terminal.unplug()
    assert terminal.receive(0.0) == b""


def test_a_link_that_another_board_took_over_stays_its_own(tmp_path):
    link = tmp_path / "headset"
    first = Terminal(link)
    first.unplug()
    second = Terminal(link)
    with pytest.raises(ConfigurationError, match="another board is served there; end that one"):
        first.plug()
    first.unplug()
    assert link.is_symlink()
    second.unplug()
    assert not link.is_symlink()


def test_a_link_on_which_another_board_is_served_is_refused(capsys, tmp_path):
    link = tmp_path / "headset"
    link.symlink_to("/dev/pts/none")  # of one that was killed: nobody's
    served = Terminal(link)
    before = link.readlink()
    assert main(["simulate", "--link", str(link), "--seconds", "0"]) == 2
    err = capsys.readouterr().err
    assert f"--link is {link}, which leads to {before}" in err
    assert err.count("\n") == 1
    assert link.readlink() == before
    served.unplug()
    assert main(["simulate", "--link", str(link), "--seconds", "0"]) == 0


def test_unplugged_it_is_gone_and_comes_back_under_its_link(tmp_path):
    link, faults, happened = tmp_path / "headset", [], []
    server, over = Server(Board(faults=faults), Terminal(link)), threading.Event()
    thread = threading.Thread(
        target=lambda: happened.extend(server.run(lambda _at_s: over.is_set()))
    )
    thread.start()
    try:
        with SerialPort(str(link), 115_200) as port:
            Talk(port).until(lambda: server.bytes_sent > 0, "something said")
            faults.append(ScriptedFault("unplug"))
            with pytest.raises(DeviceError, match="is gone"):
                wait_until(lambda: port.read() and None, what="the port to go")
        assert not link.is_symlink()
        faults.clear()
        wait_until(link.is_symlink, what="the link to come back")
        with SerialPort(str(link), 115_200) as port:
            talk = Talk(port)
            talk.until(lambda: talk.session.hello is not None, "HELLO after plugging in again")
    finally:
        over.set()
        thread.join()
    events = [one.event for one in happened]
    assert events.index("unplugged") < events.index("plugged")
    assert not link.is_symlink()


def test_on_tcp_it_serves_one_host_after_the_other():
    with simulated("--tcp", "127.0.0.1:0", "--beats") as (process, ready):
        assert ready["port"].startswith("socket://127.0.0.1:")
        for _ in range(2):
            with SerialPort(ready["port"], 115_200) as port:
                talk = Talk(port)
                talk.until(
                    lambda: {"Measured", "Beaten"} <= {type(e).__name__ for e in talk.events},  # noqa: B023
                    "values and beats",
                )
        # Not before it has noticed that the last one left: on a busy machine that takes a while.
        assert any(json.loads(line)["event"] == "closed" for line in process.stdout)
        assert ended(process)[-1]["event"] == "ended"


def test_it_ends_by_itself_and_tells_in_plain_lines(capsys):
    assert main(["simulate", "--seconds", "0.3", "--fault", "crc@0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "simulated headset on /dev/" in lines[0]
    assert any("fault crc begins" in line for line in lines)
    assert "ended; 0 bytes sent" in lines[-1]


def test_every_fault_is_listed(capsys):
    assert main(["simulate", "--list-faults"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in (*FAULTS, *BLUETOOTH_FAULTS))
    assert main(["simulate", "--list-faults", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["serial"] == dict(FAULTS)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--fault", "nonsense"], "--list-faults"),
        (["--fault", "seldom"], "only with --bluetooth"),
        (["--bluetooth", "usb:0", "--fault", "crc"], "only without --bluetooth"),
        (["--bluetooth", "nonsense"], "cannot be opened"),
        (["--bluetooth", "usb:0", "--tcp", "x:1"], "goes without --tcp"),
        (["--script", "sleep"], "--script has 'sleep'"),
        (["--signals", "eeg"], "'eeg' is not simulated; expected some of: ppg"),
        (["--tcp", "nowhere"], "--tcp is 'nowhere'; expected HOST:PORT"),
        (["--tcp", "127.0.0.1:0", "--link", "x"], "--tcp goes without --link"),
        (["--state", "/"], "--state is /"),
        (["--tick-hz", "5"], "tick_hz is 5"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(capsys, arguments, told):
    assert main(["simulate", *arguments]) in {2, 3}
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.err.count("\n") == 1


def test_a_taken_port_and_a_link_that_is_something_else_are_told(capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["simulate", "--tcp", address]) == 3
    assert "cannot be opened" in capsys.readouterr().err
    file = tmp_path / "precious"
    file.write_text("data")
    assert main(["simulate", "--link", str(file)]) == 2
    assert "which exists" in capsys.readouterr().err
    assert file.read_text() == "data"
