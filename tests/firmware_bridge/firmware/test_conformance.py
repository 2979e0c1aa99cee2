"""The board in C does what hardware.md asks, to the digit: by a made-up clock nothing is late."""

import math

from firmware_bridge.conformance.analysis import Analysis
from firmware_bridge.conformance.examination import Examination
from firmware_bridge.conformance.requirements import REQUIREMENTS
from firmware_bridge.conformance.trace import Trace
from firmware_bridge.conformance.verdict import Finding, Result, judge_all
from tests.firmware_bridge.firmware.building import Lines
from tests.firmware_bridge.firmware.spelling import hexed

HZ = 10_000
STEP_S = 0.05


class Driven:
    """The board that is driven by lines, with sensors."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._next_s = {0: 0.0, 1: 0.0, 2: 0.0}
        self._period_s = {0: 0.01, 1: 0.25, 2: 0.02}

    def do(self, line: str) -> bytes:
        *frames, _ = self._lines.ask(line, until=lambda answer: len(answer) == 1)
        return bytes.fromhex("".join(frames))

    def pass_to(self, now_s: float) -> bytes:
        said = b""
        for stream, period_s in self._period_s.items():
            while (at_s := self._next_s[stream]) <= now_s:
                value = (
                    round(1000 * math.sin(6.3 * 1.2 * at_s) + 5 * math.sin(91 * at_s))
                    if stream != 1
                    else 33
                )
                said += self.do(f"push {stream} {round(at_s * HZ)} {value}")
                self._next_s[stream] = at_s + period_s
        return said + self.do(f"step {round(now_s * HZ)}")


def examined(lines: Lines, *first: str) -> list[Finding]:
    """Return what a check of the board finds that is told `first` at its start."""
    board = Driven(lines)
    examination = Examination(30.0, Trace())
    at_s = 0.0
    said = b"".join(map(board.do, ("start 0 65500", "touch 0 0 1", "touch 0 1 1", *first)))
    while not examination.is_over(at_s):
        said += board.pass_to(at_s)
        asked = examination.due(at_s)
        if asked:
            said += board.do(f"in {round(at_s * HZ)} {hexed(asked)}")
        examination.take(said, at_s)
        said = b""
        at_s += STEP_S
    return judge_all(REQUIREMENTS, Analysis(examination.trace))


def those(findings: list[Finding], result: Result) -> dict[str, str]:
    return {finding.id: finding.seen for finding in findings if finding.result is result}


def test_the_board_in_c_meets_every_requirement(board_lines):
    findings = examined(board_lines, "fault 0 3 2 1")
    assert those(findings, Result.FAIL) == {}
    assert those(findings, Result.NOT_APPLICABLE).keys() <= {"battery", "beats"}


def test_a_fault_that_lasts_and_is_said_only_once_is_found(board_lines):
    more_than_it_remembers = [f"fault 0 {code} 1 1" for code in range(1, 6)]
    failed = those(examined(board_lines, *more_than_it_remembers), Result.FAIL)
    assert failed.keys() == {"faults"}
    assert "code 5 of stream 1 was not said again" in failed["faults"]
