"""A board examined in virtual time."""

from firmware_bridge.conformance.analysis import Analysis
from firmware_bridge.conformance.examination import Examination
from firmware_bridge.conformance.requirements import REQUIREMENTS
from firmware_bridge.conformance.trace import Trace
from firmware_bridge.conformance.verdict import Result, judge_all
from firmware_bridge.simulation.board import Board

STEP_S = 0.05
START_S = 500.0


def examine(board, seconds=20.0, *, one_way=False, deaf=False, delay_s=0.0, slack_s=0.25):
    """Return the trace of a check; `delay_s` holds back what the board says."""
    examination = Examination(seconds, Trace(slack_s, is_one_way=one_way))
    at_s, on_the_way = 0.0, []
    while not examination.is_over(at_s):
        said = board.step(START_S + at_s)
        asked = examination.due(at_s)
        if asked and not deaf:
            said += board.take(asked, START_S + at_s)
        on_the_way.append((at_s + delay_s, said))
        while on_the_way and on_the_way[0][0] <= at_s:
            examination.take(on_the_way.pop(0)[1], at_s)
        at_s += STEP_S
    return examination.trace


def judged(board, *args, **kwargs):
    """Return the findings of a check, by id."""
    findings = judge_all(REQUIREMENTS, Analysis(examine(board, *args, **kwargs)))
    return {finding.id: finding for finding in findings}


def failures(findings):
    return {one.id for one in findings.values() if one.result is Result.FAIL}


def board(*faults, **settings):
    from firmware_bridge.simulation.board import BoardSettings  # noqa: PLC0415
    from firmware_bridge.simulation.faults import parse_fault  # noqa: PLC0415

    return Board(BoardSettings(**settings), [parse_fault(fault) for fault in faults])
