"""The virtual headset does what hardware.md says."""

from dataclasses import replace

import numpy as np
import pytest

from firmware_bridge.protocol.framing import Frame, encode
from firmware_bridge.protocol.messages import (
    Battery,
    Beats,
    Contact,
    Get,
    Hello,
    HelloRequest,
    Key,
    Part,
    Samples,
    Set,
    Setting,
    Status,
    Stream,
    Time,
    TimeRequest,
)
from firmware_bridge.simulation.board import Board, BoardSettings, Kept
from firmware_bridge.simulation.faults import parse_fault
from firmware_bridge.simulation.physiology import OFF, REST, STRAIN
from sensors.errors import ConfigurationError
from sensors.heart_rate.ppg import pulse_beats
from tests.firmware_bridge.simulation.hearing import Host

WRAP = 1 << 32


def values(host, signal):
    """Return ticks, since the first, and values of one stream."""
    stream = next(s for s in host.all(Stream) if s.signal == signal)
    ticks, found = [], []
    for samples in host.all(Samples):
        if samples.stream == stream.stream:
            ticks += [samples.first + k * samples.step for k in range(samples.count)]
            found.append(stream.values(samples))
    ticks = np.array(ticks)
    return (ticks - ticks[0]) % WRAP, np.concatenate(found)


def test_it_begins_with_a_zero_and_says_who_it_is_what_it_measures_and_what_touches():
    host = Host(Board()).listen(0.1)
    assert host.raw[0] == 0
    kinds = [type(message) for _, message in host.heard[:7]]
    assert kinds == [Hello, Stream, Stream, Stream, Stream, Contact, Contact]
    assert [s.signal for s in host.all(Stream)] == ["ppg", "eda_us", "skin_temp_c", "acc_g"]


def test_the_same_seed_gives_the_same_bytes():
    def said(seed):
        board = Board(BoardSettings(seed=seed))
        return b"".join(board.step(k / 10) for k in range(200))

    assert said(1) == said(1)
    assert said(1) != said(2)


def test_ticks_wrap_and_samples_go_on_evenly_with_the_measured_step():
    host = Host(Board()).listen(40)
    firsts = [s.first for s in host.all(Samples)]
    assert max(firsts) > WRAP - 21_000_000
    assert min(firsts) < 20_100_000
    ticks, found = values(host, "ppg")
    assert len(found) == pytest.approx(4_000, abs=60)
    steps = np.diff(ticks)
    assert steps.min() > 9_900
    assert steps.max() < 10_000  # its oscillator is 0.4 % fast


def test_beats_of_the_optical_signal_are_the_wearers():
    board = Board()
    host = Host(board)
    known = []
    for _ in range(40):
        host.listen(1)
        known += board.wearer.beats(host.now_s - 1_001, host.now_s - 1_000)
    _, found = values(host, "ppg")
    beats = pulse_beats(found[:, 0], rate_hz=100.4)
    known = np.array(known)
    known = known[(known > 2) & (known < 35)]
    times = np.array([beat.at_s for beat in beats])
    nearest = np.abs(times[:, np.newaxis] - known).min(axis=0)
    assert np.quantile(nearest, 0.95) < 0.25  # the wave peaks 0.15 s after its beat


def test_each_signal_stays_in_its_range_and_strain_shows():
    stages = (replace(REST, seconds=30.0), STRAIN)
    host = Host(Board(BoardSettings(stages=stages))).listen(80)
    ticks, eda = values(host, "eda_us")
    rest, strain = eda[ticks < 28e6], eda[ticks > 45e6]
    assert 3 < rest.mean() < 5
    assert strain.mean() > 1.25 * rest.mean()
    _, temperature = values(host, "skin_temp_c")
    assert 32 < temperature.min() < temperature.max() < 34
    _, acceleration = values(host, "acc_g")
    assert np.linalg.norm(acceleration, axis=1).mean() == pytest.approx(1.0, abs=0.02)


def test_a_board_that_finds_beats_sends_them_and_no_waveform():
    board = Board(BoardSettings(signals=("eda_us",), finds_beats=True))
    host = Host(board).listen(30)
    beats = [beat for message in host.all(Beats) for beat in message.beats]
    assert beats[0].interval == 0
    apart = np.diff([b.at for b in beats]) % WRAP / 100  # 1 MHz to tenths of a millisecond
    assert np.abs(apart - [b.interval for b in beats[1:]]).max() <= 1
    assert 60_000 / np.mean([b.interval / 10 for b in beats[1:]]) == pytest.approx(68, abs=4)


def test_requests_are_answered():
    host = Host(Board()).listen(3)
    hello, *rest = host.ask(HelloRequest())
    assert (hello.streams, len(rest)) == (4, 6)
    (time,) = host.ask(TimeRequest(99))
    assert time.token == 99
    assert time.received == time.sent == hello.now
    (unknown,) = host.ask(Get(77, 0))
    assert (unknown.status, unknown.value, unknown.reply_to) == (Status.UNKNOWN, b"", host.counter)


def test_what_is_set_is_kept_over_a_restart():
    host = Host(Board()).listen(1)
    (done,) = host.ask(Set(Key.DEVICE_ID, 0, b"clip-7"))
    assert done == Setting(host.counter, Key.DEVICE_ID, 0, Status.KEPT, b"clip-7")
    (refused,) = host.ask(Set(Key.RATE, 0, (500_000).to_bytes(4, "little")))
    assert (refused.status, refused.value) == (Status.REFUSED, (100_000).to_bytes(4, "little"))
    done, stream = host.ask(Set(Key.RATE, 1, (200_000).to_bytes(4, "little")))
    assert (done.value, stream.rate_mhz) == ((50_000).to_bytes(4, "little"), 50_000)
    done, stream = host.ask(Set(Key.RATE, 0, (50_000).to_bytes(4, "little")))
    assert (done.value, stream.rate_mhz) == ((50_000).to_bytes(4, "little"), 50_000)
    again = Host(Board(kept=host.board.kept)).listen(2)
    assert again.all(Hello)[0].device_id == "clip-7"
    assert again.all(Stream)[0].rate_mhz == 50_000
    assert sum(s.count for s in again.all(Samples) if s.stream == 0) == pytest.approx(100, abs=15)


def test_impossible_values_are_refused():
    host = Host(Board(kept=Kept("clip-7"))).listen(1)
    for value in (b"Clip 7", b"-x", "ü".encode(), b"x" * 33):
        (refused,) = host.ask(Set(Key.DEVICE_ID, 0, value))
        assert (refused.status, refused.value) == (Status.REFUSED, b"clip-7")
    (refused,) = host.ask(Set(Key.RATE, 1, b"\1"))
    assert refused.status is Status.REFUSED


def test_taken_off_it_says_so_and_measures_nothing_but_movement():
    host = Host(Board(BoardSettings(stages=(replace(REST, seconds=5.0), OFF)))).listen(10)
    assert [c.on for c in host.all(Contact)][-2:] == [False, False]
    _, eda = values(host, "eda_us")
    assert np.isnan(eda[-1])
    assert np.isfinite(values(host, "acc_g")[1]).all()
    assert {c.part for c in host.all(Contact)} == set(Part)


def test_garbage_is_ignored():
    host = Host(Board()).listen(1)
    damaged = bytearray(encode(Frame(0x41, 1, b"")))
    damaged[3] ^= 0x40
    for junk in (b"\0\1\2\3\0", bytes(damaged), b"\xff" * 400 + b"\0", encode(Frame(0x43, 1, b""))):
        host.board.step(host.now_s)
        assert host.board.take(junk, host.now_s) == b""
    assert host.ask(HelloRequest())


def test_it_always_says_something_and_repeats_who_it_is():
    host = Host(Board(BoardSettings(signals=()))).listen(30)
    assert len(host.all(Hello)) >= 4
    assert len(host.all(Battery)) == 3


def test_time_goes_by_its_own_clock():
    board = Board(BoardSettings(drift_ppm=500.0, first_tick=0))
    host = Host(board)
    host.listen(40)
    host.ask(TimeRequest(1))
    assert host.all(Time)[-1].received == pytest.approx(40.02e6, abs=3e4)


def test_faults_come_when_they_are_due_and_go():
    host = Host(Board(faults=[parse_fault("silence@5+4")])).listen(5.1)
    before = len(host.raw)
    host.listen(3.8)
    assert len(host.raw) == before
    host.listen(2)
    assert len(host.raw) > before


def test_a_silent_board_does_not_even_say_that_it_was_switched_on():
    board = Board(faults=[parse_fault("silence")])
    assert board.step(0.0) + board.step(3.0) + board.step(20.0) == b""


def test_a_restart_begins_another_boot():
    host = Host(Board(faults=[parse_fault("restart@3")])).listen(6)
    first, *_, last = host.all(Hello)
    assert first.boot != last.boot


@pytest.mark.parametrize("text", ["nonsense", "crc@x", "crc@-1", "crc@1+0", "@3"])
def test_an_impossible_fault_is_refused(text):
    with pytest.raises(ConfigurationError, match="fault"):
        parse_fault(text)


def test_an_impossible_board_is_refused():
    with pytest.raises(ConfigurationError, match="'pulse' is not simulated"):
        BoardSettings(signals=("pulse",))
    with pytest.raises(ConfigurationError, match="finds beats"):
        BoardSettings(finds_beats=True)
    with pytest.raises(ConfigurationError, match="tick_hz"):
        BoardSettings(tick_hz=10)
