"""Each scripted fault fails on exactly the requirement that it offends."""

import pytest

from firmware_bridge.conformance.analysis import Analysis
from firmware_bridge.conformance.requirements import NOT_TESTED, REQUIREMENTS
from firmware_bridge.conformance.trace import Trace
from firmware_bridge.conformance.verdict import Result, judge_all
from firmware_bridge.protocol.messages import Part
from firmware_bridge.simulation.board import Kept
from firmware_bridge.simulation.faults import FAULTS
from tests.firmware_bridge.conformance.examining import board, failures, judged

OFFENDED = {
    "crc": "framing",
    "truncate": "framing",
    "garbage": "framing",
    "wrong_baud": "framing",
    "loss": "counter",
    "duplicate": "counter",
    "reorder": "counter",
    "echo": "own-types",
    "silence@8+4": "alive",
    "no_setting_answer@2+2": "set-get",  # what is in force after these is not known
    "unplug@7": "alive",
    "late": "fresh",
    "clock_jump@9": "clock",
    "clock_drift": "clock",
    "no_hello": "hello",
    "no_hello_unasked": "hello-unasked",
    "hello_alone": "hello-unasked",
    "no_name": "identity",
    "missing_stream": "streams",
    "wrong_unit": "catalogue",
    "unknown_signal": "catalogue",
    "undescribed": "described-first",
    "restart@8": "stays-up",
    "wrong_rate": "rate",
    "wrong_step": "steps",
    "out_of_range": "values",
    "stuck": "not-repeated",
    "wrong_beats": "beats",
    "contact_missing@3": "contact",
    "bad_battery": "battery",
    "bad_utf8": "texts",
    "bad_fault": "faults",
    "fault_forgotten@3": "faults",
    "short_payload": "samples",
    "no_time_answer": "time-answer",
    "no_setting_answer": "set-get",
    "wrong_reply": "set-get",
    "forgets_settings": "in-force",
    "accepts_unknown": "unknown-key",
    "accepts_impossible": "refuses",
    "no_stream_anew": "rate-setting",
    "chokes": "ignores-garbage",
}
BEATS = {"signals": ("eda_us", "acc_g"), "finds_beats": True}


@pytest.mark.parametrize(("fault", "offended"), OFFENDED.items())
def test_a_fault_fails_on_exactly_what_it_offends(fault, offended):
    findings = judged(board(fault, **(BEATS if fault == "wrong_beats" else {})))
    assert failures(findings) == {offended}
    assert len(findings[offended].seen) > 10


def test_every_fault_is_tried_and_every_requirement_can_fail():
    assert {fault.partition("@")[0] for fault in OFFENDED} == set(FAULTS) - {"electrode_open"}
    assert {one.id for one in REQUIREMENTS} == set(OFFENDED.values())
    names = [one.id for one in REQUIREMENTS] + [name for name, _ in NOT_TESTED]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        BEATS,
        {"signals": ("skin_temp_c",), "parts": (), "has_battery": False},
        {"tick_hz": 1_000, "signals": ("eda_us", "skin_temp_c")},
        {"tick_hz": 32_768},
        {"tick_hz": 10_000_000, "drift_ppm": -9_000.0},
        {"signals": (), "parts": (Part.SKIN,), "seed": 5},
    ],
    ids=["all", "beats", "thermometer", "millis", "watch crystal", "slow and fine", "nothing"],
)
def test_a_board_that_does_what_is_asked_passes(settings):
    findings = judged(board(**settings))
    assert failures(findings) == set()
    assert findings["hello"].result is Result.PASS
    assert findings["set-get"].result is Result.PASS
    assert findings["clock"].result is Result.PASS


def test_a_fault_that_the_board_tells_is_no_fault_of_the_board():
    findings = judged(board("electrode_open@3+6"))
    assert failures(findings) == set()
    assert findings["faults"].result is Result.PASS


def test_a_slow_link_is_no_fault_of_the_board():
    assert failures(judged(board(), delay_s=0.3)) == set()


def test_one_way_wiring_passes_and_what_cannot_be_asked_is_not_applicable():
    findings = judged(board(), one_way=True, deaf=True)
    assert failures(findings) == set()
    for asked in ("hello", "time-answer", "set-get", "ignores-garbage"):
        assert findings[asked].result is Result.NOT_APPLICABLE
    assert findings["hello-unasked"].result is Result.PASS
    assert findings["fresh"].result is Result.PASS


def test_a_board_that_hears_nothing_fails_on_what_it_was_asked():
    findings = judged(board(), deaf=True)
    assert failures(findings) == {"hello", "time-answer", "set-get"}


def test_lines_of_text_are_recognised():
    for text, told in ((b"3.42,33.1\r\n", "monitor --csv"), (b"\x81\xf3\x02", "another speed")):
        trace = Trace()
        for second in range(20):
            trace.take(30 * text, float(second))
        findings = {one.id: one for one in judge_all(REQUIREMENTS, Analysis(trace))}
        assert failures(findings) == {"framing"}
        assert told in findings["framing"].seen


def test_several_faults_are_told_apart():
    findings = judged(board("crc", "wrong_unit", "no_time_answer"))
    assert failures(findings) == {"framing", "catalogue", "time-answer"}


def test_a_board_that_says_nothing_is_not_blamed_for_the_rest():
    findings = judged(board("silence"))
    assert failures(findings) == {"alive"}
    others = {one.result for one in findings.values() if one.id != "alive"}
    assert others <= {Result.NOT_APPLICABLE, Result.PASS}


def test_the_board_is_left_as_it_was_found():
    for kept in (Kept(), Kept("clip-7", {"eda_us": 4_000})):
        examined = board()
        examined.kept = kept
        assert failures(judged(examined)) == set()
        assert examined.kept.device_id == kept.device_id
        assert examined.kept.rates_mhz.get("eda_us") == kept.rates_mhz.get("eda_us")
