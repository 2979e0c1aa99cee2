"""`firmware-bridge check` as an integrator runs it, on a real pseudo-terminal."""

import json
import os
import signal
import subprocess
import sys
import threading
import tty
from pathlib import Path

import pytest

from firmware_bridge.cli import main
from firmware_bridge.conformance.requirements import REQUIREMENTS
from firmware_bridge.conformance.serial_check import Ending, examine
from firmware_bridge.conformance.trace import Trace
from firmware_bridge.ports.serial_port import SerialPort
from firmware_bridge.protocol.messages import Set
from firmware_bridge.simulation.board import Board
from firmware_bridge.simulation.endpoints import Terminal
from firmware_bridge.simulation.faults import ScriptedFault
from firmware_bridge.simulation.serving import Server
from firmware_bridge.simulation.settings import Kept
from tests.firmware_bridge.conformance.examining import board
from tests.firmware_bridge.firmware.building import LIBRARY, compile_c
from tests.firmware_bridge.simulation.test_simulate import ended, simulated
from tests.rig import wait_until
from tests.rig.waiting import PATIENCE_S

SECOND_BOARD = Path(__file__).resolve().parents[2] / "fixtures" / "second_board.pl"
SLACK = ["--slack", "8"]  # this machine may be busy; the board is not to blame


@pytest.fixture
def servers():
    return []


@pytest.fixture
def plug(servers):
    """Plug boards in at pseudo-terminals, and take them out in the end."""
    unplugged, threads = threading.Event(), []

    def plugged(made):
        server = Server(made, Terminal())
        servers.append(server)
        port = server.endpoint.port
        thread = threading.Thread(target=lambda: list(server.run(lambda _at_s: unplugged.is_set())))
        thread.start()
        threads.append(thread)
        return port

    yield plugged
    unplugged.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def run_program():
    """Run boards that are programs, each at the other end of a pseudo-terminal; return its name."""
    running = []

    def run_at_port(*command):
        board, named = os.openpty()
        tty.setraw(named)
        running.append((subprocess.Popen(command, stdin=board, stdout=board), named))
        os.close(board)
        return os.ttyname(named)

    yield run_at_port
    for process, named in running:
        process.terminate()
        process.wait()
        os.close(named)


def check(port, *arguments):
    """Start the command."""
    command = [sys.executable, "-m", "firmware_bridge", "check", "--port", port, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def results_of(process, said=""):
    """Return what was seen by id, for each result; wait for the check to end."""
    out, err = process.communicate(timeout=240)
    assert said in err
    assert out, err
    plain = json.loads(out)
    assert process.returncode == (0 if plain["result"] == "pass" else 1)
    assert len(plain["requirements"]) == len(REQUIREMENTS)
    results = {"pass": {}, "fail": {}, "not applicable": {}}
    for one in plain["requirements"]:
        results[one["result"]][one["id"]] = one["seen"]
    return results


@pytest.mark.needs("gcc", "perl")
def test_boards_pass_or_fail_by_what_they_do(plug, run_program, servers, tmp_path):
    """All at once: a check takes half a minute, however many there are."""
    page = tmp_path / "board.html"
    in_c = compile_c(tmp_path / "board", "example_board.c", *LIBRARY)
    independent = {
        name: check(run_program(*command), *SLACK, "--seconds", "20", "--json")
        for name, command in {
            "in C": [in_c],
            "in Perl, from the text alone": ["perl", SECOND_BOARD],
        }.items()
    }
    fine = check(plug(board()), *SLACK, "--seconds", "20", "--report", str(page))
    found = {
        fault: check(plug(board(fault)), *SLACK, "--seconds", "20", "--json")
        for fault in ("wrong_unit", "crc", "no_setting_answer")
    }
    faults: list[ScriptedFault] = []
    leaving = check(plug(Board(faults=faults)), *SLACK, "--seconds", "20")
    wait_until(lambda: servers[-1].bytes_sent > 8_000, what="the check that will lose its port")
    faults.append(ScriptedFault("unplug"))
    out, err = fine.communicate(timeout=240)
    assert (fine.returncode, err) == (0, f"report: {page}\n"), out
    assert out.splitlines()[-1].startswith("passed: ")
    assert "<h1>Check of /dev/pts/" in page.read_text("utf-8")
    results = {name: results_of(process) for name, process in independent.items()}
    assert {name: one["fail"] for name, one in results.items() if one["fail"]} == {}
    assert {"beats", "in-force"} <= results["in Perl, from the text alone"]["pass"].keys()
    owed = {"no_setting_answer": "--device-id ''"}
    failed = {
        fault: set(results_of(process, owed.get(fault, ""))["fail"])
        for fault, process in found.items()
    }
    assert failed == {
        "wrong_unit": {"catalogue"},
        "crc": {"framing"},
        "no_setting_answer": {"set-get"},
    }
    out, _ = leaving.communicate(timeout=240)
    assert leaving.returncode == 1
    assert "FAIL  alive" in out
    assert "the port went away after" in out


@pytest.mark.parametrize(
    ("fault", "owed"), [([], None), (["no_setting_answer"], "clip-7")], ids=["answered", "not"]
)
def test_interrupted_before_the_answer_it_puts_the_id_back(plug, servers, monkeypatch, fault, owed):
    """The id on trial is on its way: whether the board has it is not known yet."""
    if owed is None:  # this machine may be busy; a board that never answers is not waited for
        monkeypatch.setattr(
            "firmware_bridge.conformance.serial_check.RESTORED_WITHIN_S", PATIENCE_S
        )
    made = board(*fault)
    made.kept = Kept(device_id="clip-7")
    trace, tried = Trace(), []

    def tick(_at_s):
        trials = [s for s in trace.sent if isinstance(s.message, Set)]
        tried.extend(s.message.value for s in trials[:1])
        return bool(trials)

    with SerialPort(plug(made), 115_200) as port:
        assert examine(port, 60.0, trace, tick) == Ending(is_whole=False, owed_id=owed)
    assert tried[0].startswith(b"check-")
    wait_until(lambda: servers[0].board.kept.device_id == "clip-7", what="the board's own id")


def test_interrupted_it_puts_the_id_back(tmp_path):
    state = tmp_path / "state.json"
    state.write_text('{"device_id":"clip-7","rates_mhz":{}}')
    with simulated("--state", state) as (process, ready):
        checking = check(ready["port"], *SLACK)
        wait_until(lambda: "check-" in state.read_text(), what="an id on trial")
        checking.send_signal(signal.SIGINT)
        out, _ = checking.communicate(timeout=60)
        assert checking.returncode == 130
        assert out.splitlines()[-1].startswith("interrupted: ")
        wait_until(lambda: "clip-7" in state.read_text(), what="the board's own id")
        ended(process)


def test_it_can_be_run_while_nothing_is_there(capsys):
    for arguments, told, code in (
        (["--port", "/dev/nowhere"], "is not there", 3),
        ([], "takes one of --port and --bluetooth", 2),
        (["--port", "x", "--bluetooth", "y"], "takes one of", 2),
        (["--port", "x", "--seconds", "3"], "seconds", 2),
        (["--port", "x", "--report", "page.pdf"], "ends in .html", 2),
    ):
        assert main(["check", *arguments]) == code
        assert told in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told_before_the_check(capsys, tmp_path):
    where = tmp_path / "missing" / "page.html"
    assert main(["check", "--port", "/dev/nowhere", "--report", str(where)]) == 2
    assert f"--report is {where}" in capsys.readouterr().err
