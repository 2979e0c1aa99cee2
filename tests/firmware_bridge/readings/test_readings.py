"""What the edge is handed of a board: believed only while worn and sound, and never a waveform."""

from dataclasses import replace

import numpy as np
import pytest

from firmware_bridge.protocol.messages import (
    UNKNOWN,
    WHOLE_BOARD,
    Battery,
    Beat,
    Beats,
    Contact,
    Encoding,
    Fault,
    Log,
    Part,
    Stream,
)
from firmware_bridge.protocol.session import Session
from firmware_bridge.readings.board import Readings, channel_of
from sensors.collector import Link, Note, Reading
from sensors.heart_rate.ppg_synthetic import PulseScene, synthetic_pulse
from sensors.messages import Absence
from sensors.signals import SIGNALS, Channel
from tests.firmware_bridge.protocol.talking import (
    ACC,
    EDA,
    PPG,
    TEMPERATURE,
    Talking,
    numbered,
)

HOST_S = 500.0
HR = Stream(0, "hr_bpm", "1/min", 1, Encoding.F32, 1_000, 1.0, 0.0)


class Worn:
    """A board, its session, and what was made of it."""

    def __init__(self, *streams, channels=(Channel.HEART, Channel.MODULES)):
        self.streams = numbered(*streams)
        self.board, self.session = Talking(), Session()
        self.readings = Readings(channels, "/dev/ttyACM0")
        self.first = self.hear(b"\0" + self.board.hello(0, *self.streams), 0.0)

    def hear(self, data, now_s):
        events = self.session.feed(data, HOST_S + now_s)
        return [item for event in events for item in self.readings.take(event)]

    def say(self, message, now_s=1.0):
        return self.hear(self.board.frame(message), now_s)

    def measure(self, number, now_s, *values):
        return self.hear(self.board.values(self.streams[number], now_s, *values), now_s)

    def contact(self, part, on, now_s=1.0):
        return self.say(Contact(self.board.ticks(now_s), part, on), now_s)

    def fault(self, stream, active, code=1, now_s=1.0):
        return self.say(Fault(self.board.ticks(now_s), code, stream, active), now_s)


def of(items, kind):
    return [item for item in items if isinstance(item, kind)]


def values(items):
    return [(item.signal, round(item.value, 3)) for item in of(items, Reading)]


def links(items):
    return [(item.channel, item.state) for item in of(items, Link)]


@pytest.mark.parametrize(
    ("stream", "channel"),
    [
        pytest.param(EDA, Channel.MODULES, id="a module"),
        pytest.param(HR, Channel.HEART, id="heart rate"),
        pytest.param(PPG, Channel.HEART, id="raw pulse"),
        pytest.param(ACC, Channel.MODULES, id="three axes"),
        pytest.param(replace(ACC, width=1), Channel.MODULES, id="magnitude"),
        pytest.param(replace(ACC, width=2), None, id="two axes"),
        pytest.param(replace(EDA, unit="nS"), None, id="another unit"),
        pytest.param(replace(EDA, width=2), None, id="two values"),
        pytest.param(replace(EDA, signal="pulse"), None, id="unknown"),
        pytest.param(replace(EDA, signal="key_presses", unit="1"), None, id="keys"),
        pytest.param(replace(EDA, signal="f0_hz", unit="Hz"), None, id="voice"),
        pytest.param(replace(EDA, signal="rr_ms", unit="ms"), None, id="intervals are BEATS"),
    ],
)
def test_only_what_the_catalogue_knows_is_read(stream, channel):
    assert channel_of(stream) == channel
    worn = Worn(stream)
    notes = [note.text for note in of(worn.first, Note) if note.text]
    assert len(notes) == (channel is None)
    found = worn.measure(0, 1.0, *[70.0] * stream.width)
    assert bool(found) == (channel is not None)
    assert len(worn.readings.unsuited) == (channel is None)


def test_values_have_their_names_and_times():
    worn = Worn(EDA, TEMPERATURE, HR)
    assert links(worn.measure(0, 1.0, 3.5, 3.6)) == [("modules", "ok")]
    found = worn.measure(0, 2.0, 3.5, float("nan"), 3.7)
    assert values(found) == [("eda_us", 3.5), ("eda_us", 3.7)]
    assert [r.at_monotonic_s for r in found] == pytest.approx([HOST_S + 1.5, HOST_S + 2], abs=0.01)
    assert values(worn.measure(1, 2.0, 33.0)) == [("skin_temp_c", 33.0)]
    first = worn.measure(2, 2.0, 71.0)
    assert (links(first), values(first)) == ([("heart", "ok")], [("hr_bpm", 71.0)])


def test_values_outside_the_catalogue_are_refused_and_counted():
    worn = Worn(EDA)
    assert values(worn.measure(0, 1.0, -1.0, 5.0, 1e9)) == [("eda_us", 5.0)]
    assert worn.readings.out_of_range == 2


def test_without_contact_nothing_is_believed():
    worn = Worn(EDA, HR)
    worn.measure(0, 0.5, 3.0)
    worn.measure(1, 0.5, 70.0)
    off = worn.contact(Part.PULSE, on=False)
    assert links(off) == [("heart", Absence.NOT_WORN)]
    assert values(off) == [("contact", 0.0)]
    assert worn.measure(1, 2.0, 70.0) == []
    assert values(worn.measure(0, 2.0, 3.0)) == [("eda_us", 3.0)]
    assert links(worn.contact(Part.SKIN, on=False)) == [("modules", Absence.NOT_WORN)]
    assert worn.measure(0, 3.0, 3.0) == []
    on = [*worn.contact(Part.SKIN, on=True), *worn.contact(Part.PULSE, on=True)]
    assert links(on) == [("modules", "ok"), ("heart", "ok")]
    assert values(worn.measure(1, 4.0, 72.0)) == [("hr_bpm", 72.0)]
    assert worn.readings.withheld == 2


def test_loose_electrodes_on_a_worn_headset_silence_only_themselves():
    worn = Worn(EDA, replace(ACC, width=1))
    worn.contact(Part.PULSE, on=True)
    worn.contact(Part.SKIN, on=False)
    assert of(worn.measure(0, 2.0, 3.0), Reading) == []
    for second in range(2, 5):
        found = worn.measure(1, second, *[1.0] * 50)
    assert values(found) == [("acc_rms_g", 0.0)]


def test_a_fault_silences_its_stream_and_the_boards_all():
    worn = Worn(EDA, TEMPERATURE)
    worn.measure(0, 0.5, 3.0)
    assert worn.fault(0, active=True) == []  # the channel still has the thermometer
    assert worn.measure(0, 1.0, 3.0) == []
    assert values(worn.measure(1, 1.0, 33.0)) == [("skin_temp_c", 33.0)]
    assert links(worn.fault(1, active=True)) == [("modules", Absence.FAULT)]
    assert links(worn.fault(0, active=False)) == [("modules", "ok")]
    whole = worn.fault(WHOLE_BOARD, active=True, code=5)
    assert set(links(whole)) == {("modules", Absence.FAULT), ("heart", Absence.FAULT)}
    assert worn.measure(0, 1.0, 3.0) == []
    assert ("modules", "ok") in links(worn.fault(WHOLE_BOARD, active=False, code=5))


def test_two_faults_of_one_stream_end_one_by_one():
    worn = Worn(EDA)
    worn.measure(0, 0.5, 3.0)
    worn.fault(0, active=True, code=2)
    worn.fault(0, active=True, code=3)
    assert worn.fault(0, active=False, code=2) == []
    assert links(worn.fault(0, active=False, code=3)) == [("modules", "ok")]


def test_a_fault_whose_end_was_lost_ends_when_it_is_not_said_again():
    worn = Worn(EDA)
    worn.measure(0, 0.5, 3.0)
    worn.fault(0, active=True, now_s=1.0)
    assert links(worn.fault(0, active=True, now_s=11.0)) == []
    assert links(worn.readings.quiet(HOST_S + 35.9)) == []
    worn.measure(0, 36.0, 3.0)
    assert links(worn.readings.quiet(HOST_S + 36.1)) == [("modules", "ok")]
    assert values(worn.measure(0, 37.0, 3.0)) == [("eda_us", 3.0)]


def test_faults_without_end_fill_no_memory():
    worn = Worn(EDA)
    for code in range(2_000):
        worn.fault(0, active=True, code=code)
    assert len(worn.readings._wearing._faults) <= 256


def test_a_channel_that_falls_silent_is_told_and_told_again_when_it_is_back():
    worn = Worn(EDA, HR)
    worn.measure(0, 1.0, 3.0)
    worn.measure(1, 1.0, 70.0)
    assert worn.readings.quiet(HOST_S + 10) == []
    worn.measure(0, 10.0, 3.0)
    assert links(worn.readings.quiet(HOST_S + 12)) == [("heart", Absence.DISCONNECTED)]
    assert worn.readings.quiet(HOST_S + 13) == []
    assert links(worn.measure(1, 14.0, 70.0)) == [("heart", "ok")]


def test_beats_that_the_board_finds():
    worn = Worn(EDA)
    beats = Beats((Beat(worn.board.ticks(1), 0, UNKNOWN), Beat(worn.board.ticks(2), 8_705, 80)))
    found = worn.say(beats, 2.1)
    assert links(found) == [("heart", "ok")]
    (beat,) = of(found, Reading)
    assert (beat.signal, beat.value, beat.quality) == ("rr_ms", 870.5, 0.8)
    assert beat.at_monotonic_s == pytest.approx(HOST_S + 2, abs=0.01)
    worn.contact(Part.PULSE, on=False)
    assert worn.say(beats, 2.1) == []


def test_intervals_that_no_heart_gives_are_not_worn():
    worn = Worn()
    found = []
    for second in range(1, 60):
        found += worn.say(Beats((Beat(worn.board.ticks(second), 8_000, 90),)), second)
    assert links(found) == [("heart", "ok"), ("heart", Absence.NOT_WORN)]
    assert len(values(found)) == 39


def test_a_restart_forgets_contact_and_faults():
    worn = Worn(EDA)
    worn.measure(0, 0.5, 3.0)
    worn.contact(Part.SKIN, on=False)
    worn.fault(0, active=True)
    worn.board.restart()
    worn.hear(worn.board.hello(20, *worn.streams), 20.0)
    assert values(worn.measure(0, 21.0, 3.0)) == [("eda_us", 3.0)]


def test_a_channel_without_consent_is_not_looked_at():
    worn = Worn(EDA, HR, PPG, channels=[Channel.MODULES])
    assert worn.measure(1, 1.0, 70.0) == []
    assert worn.contact(Part.PULSE, on=False) == []
    assert worn.say(Beats((Beat(1, 8_000, 80),))) == []
    assert values(worn.measure(0, 1.0, 3.0)) == [("eda_us", 3.0)]
    assert worn.readings._pulses == {}


def test_the_agent_is_told_which_board_it_is_and_once_that_it_runs_low():
    worn = Worn(EDA)
    (note,) = of(worn.first, Note)
    assert note == Note(device="unnamed (/dev/ttyACM0), Acme Clip, firmware 1.0")
    texts = []
    for percent in (80, 14, 13, UNKNOWN, 40, 12):
        texts += [n.text for n in of(worn.say(Battery(percent, 0, 0)), Note) if n.text]
    assert texts == ["headset battery is low: 14 %", "headset battery is low: 12 %"]


def test_a_battery_that_is_low_on_the_charger_is_told_when_it_comes_off():
    worn = Worn(EDA)
    (note,) = worn.say(Battery(9, 1, 0))
    assert (note.text, note.device[-11:]) == ("", "battery 9 %")
    assert worn.say(Battery(9, 1, 0)) == []
    (note,) = worn.say(Battery(9, 0, 0))
    assert note.text == "headset battery is low: 9 %"


def test_a_stream_that_becomes_another_one_waits_for_the_whole_description():
    worn = Worn(EDA)
    worn.hear(worn.board.hello(1, *numbered(PPG, TEMPERATURE)).rsplit(b"\0", 2)[0] + b"\0", 1.0)
    worn.streams = [PPG]
    assert worn.measure(0, 2.0, 5.0) == []
    worn.say(numbered(PPG, TEMPERATURE)[1])
    assert links(worn.measure(0, 3.0, 5.0)) == [("heart", "ok")]


def test_what_is_for_the_bench_goes_nowhere():
    assert Worn(EDA).say(Log(3, "secret")) == []


def test_no_waveform_gets_out(monkeypatch):
    """Of raw pulse and acceleration only beats and one figure per second leave (TRUST T1, T3)."""
    scene = synthetic_pulse(PulseScene(hr_bpm=66, duration_s=40), seed=3)
    worn = Worn(PPG, ACC)
    random = np.random.default_rng(1)
    found, waveform = [], set()
    for at in range(0, len(scene.samples) - 16, 16):
        now_s = (at + 16) / 64
        pulse = scene.samples[at : at + 16]
        moved = random.normal([0, 0, 1], 0.01, (12, 3))
        waveform |= {*pulse.tolist(), *moved.ravel().tolist()}
        found += worn.measure(0, now_s, *pulse) + worn.measure(1, now_s, *moved.ravel())
    readings = of(found, Reading)
    counts = {name: sum(r.signal == name for r in readings) for name in ("rr_ms", "acc_rms_g")}
    assert counts["rr_ms"] > 30
    assert counts["acc_rms_g"] > 35
    assert len(readings) == sum(counts.values()), "nothing but these two"
    single = {float(np.float32(value)) for value in waveform}
    assert not {r.value for r in readings} & (waveform | single)
    assert all(SIGNALS[r.signal].accepts(r.value) for r in readings)
    assert "ppg" not in SIGNALS
    assert "acc_g" not in SIGNALS


def test_movement_makes_beats_less_believed():
    scene = synthetic_pulse(PulseScene(hr_bpm=66, duration_s=40), seed=3)

    def mean_quality(shake_g):
        worn, found = Worn(PPG, replace(ACC, width=1)), []
        for at in range(0, len(scene.samples) - 16, 16):
            now_s = (at + 16) / 64
            moved = 1 + shake_g * np.array([1, -1] * 6)
            found += worn.measure(1, now_s, *moved)
            found += worn.measure(0, now_s, *scene.samples[at : at + 16])
        return np.mean([r.quality for r in of(found, Reading) if r.signal == "rr_ms"] or [0.0])

    assert mean_quality(0.0) > 0.9
    assert mean_quality(0.3) < 0.5


def test_a_fault_counts_from_when_it_was_heard_whatever_time_it_names():
    """A board may say since when; it lasts while it is said again."""
    worn = Worn(EDA)
    worn.measure(0, 100.0, 3.0)
    begun = Fault(worn.board.ticks(40.0), 3, 0, active=True)
    assert links(worn.say(begun, 100.0)) == [("modules", Absence.FAULT)]
    assert links(worn.readings.quiet(HOST_S + 101.0)) == []
    assert values(worn.measure(0, 101.0, 3.0)) == []
