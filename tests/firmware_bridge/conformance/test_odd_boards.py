"""Boards that are right and unlike ours pass; what resembles a freedom and is none fails."""

import math
from dataclasses import replace

import pytest

from firmware_bridge.conformance.analysis import Analysis
from firmware_bridge.conformance.verdict import Result
from firmware_bridge.protocol.messages import Beat, Beats, Encoding, Part, Samples, Status, Time
from sensors.signals import SIGNALS, Channel
from tests.firmware_bridge.conformance.examining import examine, failures, judged
from tests.firmware_bridge.conformance.odd_board import WRAP, OddBoard, Source


def eda(rate_hz=4.0, **more):
    return Source("eda_us", "uS", rate_hz, **more)


def temperature(rate_hz=1.0, **more):
    return Source("skin_temp_c", "degC", rate_hz, value=lambda t: 33 + math.sin(t / 10), **more)


def acceleration(rate_hz=200.0):
    return Source(
        "acc_g", "g", rate_hz, Encoding.I16, 3, 0.001, value=lambda t: 0.5 + 0.1 * math.sin(9 * t)
    )


def pulse():
    return Source("ppg", "1", 200.0, Encoding.I32, scale=0.0001)


def everything():
    """Return as many streams as there are signals."""
    modules = [signal for signal in SIGNALS.values() if signal.channel is Channel.MODULES]
    middle = [
        Source(s.name, s.unit, 4.0, value=lambda t, s=s: s.low + (s.high - s.low) * _wave(t))
        for s in modules
    ]
    heart = Source("hr_bpm", "1/min", 1.0, value=lambda t: 70 + math.sin(t))
    return [*middle, heart, pulse(), acceleration()]


def _wave(at_s):
    return 0.4 + 0.1 * math.sin(at_s)


BOTH = {Part.PULSE: True, Part.SKIN: True}
RIGHT = {
    "every signal": lambda: OddBoard(everything(), tick_hz=100_000, contacts=BOTH),
    "once in 100 s": lambda: OddBoard([temperature(0.01)]),
    "once in 100 s, fine ticks": lambda: OddBoard([temperature(0.01)], tick_hz=10_000_000),
    "millis that wrap": lambda: OddBoard(
        [temperature(), eda(), acceleration()], tick_hz=1_000, first_tick=WRAP - 8_000
    ),
    "fine ticks that wrap": lambda: OddBoard(
        [temperature(), pulse()], tick_hz=10_000_000, first_tick=WRAP - 80_000_000
    ),
    "HELLO every 3 s": lambda: OddBoard([temperature(), eda()], hello_every_s=3.0),
    "HELLO alone twice a second": lambda: OddBoard(
        [temperature(0.01), eda(0.02)], alone_after_s=0.5
    ),
    "9600 baud": lambda: OddBoard([temperature(), eda(), acceleration(50.0)], baud=9_600),
    "nothing can be set": lambda: OddBoard([temperature(), eda()], fixed=True),
    "busy when it is set": lambda: OddBoard([temperature(), eda()], set_statuses=[Status.BUSY]),
    "never touched": lambda: OddBoard([temperature(), eda()], contacts=dict.fromkeys(BOTH, False)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_board_passes(name):
    findings = judged(RIGHT[name]())
    assert {one: findings[one].seen for one in failures(findings)} == {}
    assert findings["hello"].result is Result.PASS
    assert findings["set-get"].result is Result.PASS


@pytest.mark.parametrize("hello_every_s", [3.0, 9.0])
def test_samples_just_fresh_enough_pass_one_way_too(hello_every_s):
    """Only HELLO tells the time there, and it may have been on its way for a while."""
    board = OddBoard([temperature(50.0, held_s=0.999)], hello_every_s=hello_every_s)
    assert failures(judged(board, one_way=True, deaf=True, delay_s=0.1)) == set()
    board = OddBoard([temperature(20.0, held_s=2.5)], hello_every_s=hello_every_s)
    assert failures(judged(board, one_way=True, deaf=True)) == {"fresh"}


def test_a_slow_sensor_may_give_the_same_value_twice():
    board = OddBoard([eda(0.05, value=lambda t: 5.0 if t < 50 else 6.0)])
    assert failures(judged(board, 100.0)) == set()
    stuck = OddBoard([eda(0.2, value=lambda _t: 5.0)])
    assert failures(judged(stuck, 30.0)) == {"not-repeated"}


class Copying(OddBoard):
    """Says the nominal step, whatever is true."""

    def due(self, number, source):
        step = round(self.tick_hz / source.rate_hz)
        return [
            replace(one, step=step) if isinstance(one, Samples) else one
            for one in super().due(number, source)
        ]


def test_a_slow_stream_at_a_wrong_rate_is_no_row_of_pauses():
    findings = judged(Copying([temperature(0.5, real_hz=0.2)]), 40.0)
    assert failures(findings) == {"rate"}
    assert "0.2 Hz of 0.5" in findings["rate"].seen


def test_pauses_of_a_sensor_that_has_nothing_to_say_are_allowed():
    board = OddBoard([eda(), temperature()], drops=lambda at_s: 4 < at_s < 12)
    assert failures(judged(board)) == set()


def test_one_signal_in_two_streams_is_seen():
    findings = judged(OddBoard([temperature(), temperature()]))
    assert failures(findings) == {"catalogue"}
    assert "2 streams of skin_temp_c" in findings["catalogue"].seen


def beating(age_s):
    """Return what sends a beat each second, `age_s` after it was."""
    sent = [math.ceil(age_s)]

    def beats(board, now_s):
        if now_s < sent[0] + 1:
            return []
        sent[0] += 1
        return [Beats((Beat(board.tick(sent[0] - age_s), 10_000, 90),))]

    return beats


@pytest.mark.parametrize(
    ("age_s", "contacts", "told"),
    [
        (3.9, BOTH, ""),
        (0.3, {}, ""),
        (6.0, BOTH, "6.0"),
        (-2.0, BOTH, "-2.0"),
        (0.3, {Part.PULSE: False}, "not touched since"),
        (0.3, {Part.PULSE: True, Part.SKIN: False}, ""),
    ],
)
def test_beats_come_in_time_and_from_skin(age_s, contacts, told):
    findings = judged(OddBoard([temperature()], contacts=contacts, extra=beating(age_s)))
    assert failures(findings) == ({"beats"} if told else set())
    assert told in findings["beats"].seen


def test_frames_are_put_in_order_once_however_often_they_are_asked_for():
    """Each judgement asks for them, some for each frame: looked for anew, that took minutes."""
    analysis = Analysis(examine(OddBoard([eda()]), 2.0))
    assert analysis.of(Samples) is analysis.of(Samples)


def slow_line(baud):
    return OddBoard(
        [temperature(), eda(), pulse_rate(), pulse_rate("noise_level_db", "dB")], baud=baud
    )


def pulse_rate(signal="hr_bpm", unit="1/min"):
    return Source(signal, unit, 1.0, value=lambda _t: 70.0)


@pytest.mark.parametrize(("baud", "slack_s"), [(9_600, 0.25), (4_800, 0.25), (2_400, 3.0)])
def test_a_slow_line_takes_slack_and_nothing_else(baud, slack_s):
    assert failures(judged(slow_line(baud), slack_s=slack_s)) == set()


def test_a_late_answer_is_none_to_the_next_request():
    """What was confirmed was the trial before, not the impossible id."""
    findings = judged(slow_line(2_400), slack_s=0.25)
    assert "set-get" in failures(findings)
    assert findings["refuses"].result is not Result.FAIL


class Forgetful(OddBoard):
    """Refuses without saying what is in force."""

    def set(self, counter, asked):
        said = super().set(counter, asked)
        return [replace(one, value=b"") if getattr(one, "status", 0) == 3 else one for one in said]


def test_a_refusal_says_what_is_in_force():
    findings = judged(Forgetful([temperature()]))
    assert failures(findings) == {"refuses"}
    assert "in force is b'check-" in findings["refuses"].seen


class Early(OddBoard):
    """Says that requests were there long before they came."""

    def answer(self, counter, asked):
        said = super().answer(counter, asked)
        before = 5 * self.tick_hz
        return [
            replace(one, received=(one.received - before) % WRAP) if isinstance(one, Time) else one
            for one in said
        ]


def test_a_request_was_not_there_before_it_was_sent():
    findings = judged(Early([temperature()]))
    assert failures(findings) == {"time-answer"}
    assert "received 5.00 s before it was sent" in findings["time-answer"].seen
