"""Each fault of a Bluetooth headset fails on exactly the requirement that it offends."""

import asyncio
import json

import pytest

from firmware_bridge.cli import main
from firmware_bridge.conformance import heart_check
from firmware_bridge.conformance.heart_check import HeartExamination, report
from firmware_bridge.conformance.heart_requirements import HEART_NOT_TESTED, HEART_REQUIREMENTS
from firmware_bridge.conformance.heart_trace import HeartTrace, Notified
from firmware_bridge.conformance.page import page
from firmware_bridge.conformance.verdict import Result, judge_all
from firmware_bridge.simulation.faults import BLUETOOTH_FAULTS
from sensors.errors import DeviceError
from sensors.heart_rate.measurement import parse
from tests.firmware_bridge.conformance.examining import failures
from tests.firmware_bridge.conformance.test_page import outline
from tests.firmware_bridge.simulation.on_air import on_air, put_on_air
from tests.firmware_bridge.simulation.test_bluetooth import notified
from tests.sensors.heart_rate.virtual_radio import VirtualRadio

HEARD = {
    "malformed": "measurement",
    "no_rr": "rr-present",
    "missed_rr": "rr-complete",
    "coarse_rr": "rr-resolution",
    "some_contact_bits": "contact-bits",
    "seldom": "notifications",
}
"""Faults that notifications show."""

SERVICES = {
    "no_heart_rate": "service",
    "unadvertised": "advertised",
    "no_information": "information",
    "no_battery": "battery-level",
    "one_connection": "reconnect",
}
"""Faults that take a radio to be seen."""


def trace_of(*faults, seconds=40):
    """Return what a host notes of a headset that is right but for its notifications."""
    trace = HeartTrace(
        name="Clip",
        is_advertised=True,
        is_offered=True,
        pairing="",
        maker="Acme",
        model="Clip",
        firmware="1",
        battery=b"\x50",
        listening_s=(0.0, float(seconds)),
        is_reconnect_tried=True,
        found_again_s=0.5,
        connected_again_s=1.0,
        notified_again_s=2.0,
    )
    every_s = 4.0 if "seldom" in faults else 1.0
    for number, data in enumerate(notified(seconds, *faults)):
        trace.take(data, 1.0 + number * every_s)
    return trace


def findings_of(trace):
    return {finding.id: finding for finding in judge_all(HEART_REQUIREMENTS, trace)}


@pytest.mark.parametrize(("fault", "offended"), HEARD.items())
def test_a_fault_of_notifications_fails_on_exactly_what_it_offends(fault, offended):
    assert failures(findings_of(trace_of(fault))) == {offended}


def test_a_headset_that_is_right_passes():
    findings = findings_of(trace_of())
    assert {finding.result for finding in findings.values()} == {Result.PASS}


def test_one_that_cannot_tell_contact_is_told_what_that_costs():
    findings = findings_of(trace_of("no_contact_bits"))
    assert failures(findings) == set()
    assert findings["contact-bits"].result is Result.NOT_APPLICABLE
    assert "set bit 2 always if it can tell" in findings["contact-bits"].seen


def test_a_while_without_contact_leaves_no_beat_out():
    trace = trace_of()
    for number in range(10, 25):  # taken off, and said so: no rate, no intervals
        trace.notified[number] = Notified(number + 1.0, parse(bytes((0b100, 0))))
    assert failures(findings_of(trace)) == set()


def test_every_fault_is_tried_and_the_names_are_one_each():
    assert set(HEARD) | set(SERVICES) == set(BLUETOOTH_FAULTS) - {"no_contact_bits"}
    names = [one.id for one in HEART_REQUIREMENTS] + [name for name, _ in HEART_NOT_TESTED]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("changed", "offended"),
    [
        ({"pairing": "refused"}, "bonding"),
        ({"dropped_s": 12.0}, "stays-connected"),
        ({"battery": b"\xff"}, "battery-level"),
        ({"firmware": ""}, "information"),
        ({"connected_again_s": 25.0, "notified_again_s": 26.0}, "reconnect"),
        ({"notified_again_s": None}, "reconnect"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_the_simulation_does_not_get_wrong_is_seen_too(changed, offended):
    trace = trace_of()
    for name, value in changed.items():
        setattr(trace, name, value)
    assert failures(findings_of(trace)) == {offended}


def test_intervals_made_from_the_rate_or_in_milliseconds_are_seen():
    trace = HeartTrace(is_offered=True, listening_s=(0.0, 30.0))
    for second in range(30):
        trace.take(bytes([0b10110, 60 + second % 3]) + _rr(60_000 / (60 + second % 3)), second + 1)
    assert "rr-resolution" in failures(findings_of(trace))
    trace = HeartTrace(is_offered=True, listening_s=(0.0, 30.0))
    for second in range(30):
        trace.take(bytes([0b10110, 75]) + _rr(980 + second % 7), second + 1.0)
    assert "plausible" in failures(findings_of(trace))


def _rr(ms):
    return round(ms * 1.024).to_bytes(2, "little")


async def _examined(fault, seconds):
    async with on_air(*([fault] if fault else [])) as (radio, headset):
        trace = HeartTrace(slack_s=3.0)
        unpaired = fault is not None  # pairing is tried once
        examination = HeartExamination(
            radio.radio, headset.address, seconds, trace, lambda _at_s: False, unpaired
        )
        assert await examination.run()
        return findings_of(trace)


async def test_over_the_radio_each_fails_on_what_it_offends(monkeypatch):
    monkeypatch.setattr(heart_check, "RECONNECT_S", 1.0)
    faults = [None, *SERVICES, "no_rr", "some_contact_bits"]
    found = await asyncio.gather(*(_examined(fault, 9.0) for fault in faults))
    offended = {**HEARD, **SERVICES}
    for fault, findings in zip(faults, found, strict=True):
        assert failures(findings) == ({offended[fault]} if fault else set()), fault
    assert found[0]["bonding"].result is Result.PASS
    assert found[0]["rr-resolution"].result is Result.PASS


async def test_one_that_is_not_near_is_told(monkeypatch):
    monkeypatch.setattr(heart_check, "_SCAN_S", 0.5)
    radio = VirtualRadio()
    await radio.start()
    trace = HeartTrace()
    examination = HeartExamination(radio.radio, "C4:00:00:00:00:01", 5.0, trace, lambda _: False)
    with pytest.raises(DeviceError, match="is not near; switch it on"):
        await examination.run()
    await radio.stop()


def test_the_command_writes_lines_json_and_a_page(capsys, monkeypatch, tmp_path):
    running = []

    async def open_radio():
        radio = VirtualRadio()
        await radio.start()
        running.append((radio, *await put_on_air(radio)))
        return radio.radio

    monkeypatch.setattr("firmware_bridge.bench.headsets.open_radio", open_radio)
    path = tmp_path / "clip.html"
    where = ["--bluetooth", "C4:F2:17:00:0A:01", "--seconds", "5", "--slack", "5"]
    assert main(["check", *where, "--json", "--report", str(path)]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["result"] == "pass"
    assert plain["subject"]["model"] == "Simulated headset"
    text = "".join(outline(path.read_text("utf-8")).text)
    assert all(one.id in text for one in HEART_REQUIREMENTS)


def test_a_page_of_nothing_seen():
    outline(page(report("C4", HeartTrace())))
