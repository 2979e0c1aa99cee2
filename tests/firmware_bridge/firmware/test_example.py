"""The C program on one end of a real pseudo-terminal, the host's own code on the other."""

import asyncio
import secrets
import subprocess
import time
from itertools import pairwise

import numpy as np
import pytest

from firmware_bridge.collector import SerialCollector
from firmware_bridge.ports.serial_port import SerialPort
from firmware_bridge.protocol import messages as m
from firmware_bridge.protocol.session import Session
from sensors.collector import Reading
from sensors.edge.collecting.clock import SystemTime
from sensors.heart_rate.ppg import pulse_beats
from tests.firmware_bridge.firmware.example import Plugged, Said, all_said
from tests.rig import wait_until

HZ = 1_000_000
NAMES = ("ppg", "eda_us", "skin_temp_c", "acc_g")


@pytest.fixture
def program(built):
    return built("example_board.c")


def samples_of(said: Said, stream: int) -> list[m.Samples]:
    return [x for _, x in said if isinstance(x, m.Samples) and x.stream == stream]


def seconds(ticks: int, start: int = 0) -> float:
    return ((ticks - start) % 2**32) / HZ


# ---- by its made-up clock: a minute in no time ----


def test_it_describes_itself_first(program):
    said = [x for _, x in all_said(program, "--seconds", "1", "--boot", "7")]
    hello, *rest = said[:5]
    assert isinstance(hello, m.Hello)
    assert (hello.boot, hello.tick_hz, hello.streams) == (7, HZ, 4)
    assert tuple(x.signal for x in rest if isinstance(x, m.Stream)) == NAMES
    assert any(isinstance(x, m.Battery) for x in said)


def test_nothing_is_lost_and_the_counter_and_ticks_wrap(program):
    start = 2**32 - 20 * HZ
    said = all_said(program, "--seconds", "60", "--counter", "65500", "--ticks", str(start))
    counters = [counter for counter, _ in said]
    assert counters == [(65500 + i) % 65536 for i in range(len(said))]
    assert counters[-1] < 65500  # it has wrapped
    for stream in range(4):
        frames = samples_of(said, stream)
        for one, next_ in pairwise(frames):
            expected = seconds(one.first, start) + one.count * one.step / HZ
            assert seconds(next_.first, start) == pytest.approx(expected, abs=1e-3)
        assert seconds(frames[-1].first, start) > 55


def test_the_step_is_measured_not_copied(program):
    frames = samples_of(all_said(program, "--seconds", "20"), 0)
    assert {frame.step for frame in frames} == {10_020}  # nominal 10 000, the sensor is slow


def test_no_sample_waits_longer_than_a_second(program):
    now_s, waited_s = 0.0, []
    for _, message in all_said(program, "--seconds", "30"):
        if isinstance(message, m.Samples):
            first_s = seconds(message.first)
            waited_s.append(now_s - first_s)  # the pulse's frames keep `now_s` up to date
            now_s = max(now_s, first_s + (message.count - 1) * message.step / HZ)
    assert 0.3 < max(waited_s) <= 1.0


def test_with_its_sensors_off_it_still_speaks_every_two_seconds(program):
    said = [x for _, x in all_said(program, "--seconds", "60", "--off")]
    assert not any(isinstance(x, m.Samples) for x in said)
    at_s = [seconds(x.now) for x in said if isinstance(x, m.Hello)]
    assert max(later - earlier for earlier, later in pairwise(at_s)) <= 2.0
    described = [i for i, x in enumerate(said) if isinstance(x, m.Stream) and x.stream == 3]
    assert len(described) >= 6


def test_frames_ends_it(program):
    assert len(all_said(program, "--frames", "40")) == pytest.approx(40, abs=12)


def test_its_pulse_is_one(program):
    frames = samples_of(all_said(program, "--seconds", "60"), 0)
    wave = np.frombuffer(b"".join(frame.raw for frame in frames), "<i4").astype(float)
    beats = pulse_beats(wave, rate_hz=100_000 / 1002)
    rates = 60.0 / np.diff([beat.at_s for beat in beats])
    assert len(beats) > 55
    assert (rates > 60).all()
    assert (rates < 80).all()


def test_an_unknown_option_shows_how_it_is_used(program):
    with pytest.raises(AssertionError, match="--seconds S"):
        all_said(program, "--minutes", "1")


# ---- on a pseudo-terminal ----


def is_kind(kind):
    return lambda message: isinstance(message, kind)


@pytest.mark.parametrize("by_name", [True, False])
def test_it_is_asked_set_and_read_back(program, by_name):
    with Plugged(program, by_name=by_name) as board:
        board.wait_for(is_kind(m.Hello))
        token = secrets.randbits(32)
        board.tell(m.TimeRequest(token))
        answer = board.wait_for(is_kind(m.Time))
        assert answer.token == token
        assert board.answer(m.Set(1, 0, b"seat-7")).status is m.Status.UNTIL_POWER_OFF
        assert board.answer(m.Get(1, 0)).value == b"seat-7"
        assert board.answer(m.Get(99, 0)).status is m.Status.UNKNOWN
        so_far = len(board.said)
        board.tell(m.HelloRequest())
        assert board.wait_for(is_kind(m.Hello), so_far).device_id == "seat-7"


def test_a_rate_changes_and_its_stream_is_described_anew(program):
    with Plugged(program) as board:
        board.wait_for(is_kind(m.Samples))
        answer = board.answer(m.Set(2, 0, (30_000).to_bytes(4, "little")))
        assert (answer.status, answer.value) == (
            m.Status.UNTIL_POWER_OFF,
            (25_000).to_bytes(4, "little"),
        )
        # Before the answer it may have described all of them, as it does every ten seconds.
        answered = next(i for i, (_, x) in enumerate(board.said) if x is answer)
        stream = board.wait_for(is_kind(m.Stream), answered)
        assert (stream.signal, stream.rate_mhz) == ("ppg", 25_000)
        after = next(i for i, (_, x) in enumerate(board.said) if x is stream)
        assert samples_of(board.said[answered:after], 0) == []

        def is_slower(message: m.Message) -> bool:
            return isinstance(message, m.Samples) and message.stream == 0 and message.count > 1

        assert board.wait_for(is_slower, after).step == pytest.approx(40_080, abs=1)
        assert board.answer(m.Set(2, 1, answer.value)).status is m.Status.FIXED


def test_requests_are_found_behind_garbage(program):
    with Plugged(program) as board:
        for before in (b"AT\r\n\0", b"\xff" * 600 + b"\0", b"\0\0", b"\x09\x01\x43\0"):
            assert board.answer(m.Get(1, 0), before=before).status is m.Status.KEPT
        assert board.refused == 0


def test_a_device_id_survives_power_off(program, tmp_path):
    settings = tmp_path / "settings"
    with Plugged(program, "--settings", str(settings)) as board:
        assert board.answer(m.Set(1, 0, b"k7")).status is m.Status.KEPT
    with Plugged(program, "--settings", str(settings)) as board:
        assert board.wait_for(is_kind(m.Hello)).device_id == "k7"


def test_nobody_reads_for_a_while_and_the_loss_is_seen(program):
    with Plugged(program) as board:
        board.wait_for(is_kind(m.Hello))

        def gaps_after_silence() -> int:
            end_s = time.monotonic() + 1.2  # longer than samples wait for their frame
            while time.monotonic() < end_s:
                board.tell(m.HelloRequest())  # answers fill what the terminal keeps
                time.sleep(0.002)
            return gaps([counter for counter, _ in board.listen()])

        assert wait_until(gaps_after_silence)
        board.answer(m.Get(1, 0))  # and it goes on
        assert board.refused == 0  # whole frames, or none of them


def gaps(counters: list[int]) -> int:
    return sum((later - earlier) % 65536 != 1 for earlier, later in pairwise(counters))


def test_it_makes_a_port_by_itself_and_hosts_may_come_and_go(program):
    with subprocess.Popen([program, "--pty"], stderr=subprocess.PIPE, text=True) as board:
        port = board.stderr.readline().split()[-1]
        for _ in range(2):
            with SerialPort(port, 115_200) as host:
                session = Session(start=secrets.randbits(32))

                def is_understood(host=host, session=session) -> bool:
                    host.write(session.due(time.monotonic()))
                    session.feed(host.read(), time.monotonic())
                    return len(session.streams) == 4

                wait_until(is_understood)
        board.terminate()


def test_it_ends_when_it_is_unplugged(program):
    with Plugged(program, by_name=True) as board:
        board.wait_for(is_kind(m.Hello))
        board.unplug()
        assert board.ended() == 0


# ---- with what the host runs ----


def test_a_session_understands_it(program):
    session = Session(start=secrets.randbits(32))
    with Plugged(program) as board:

        def is_understood() -> bool:
            now_s = time.monotonic()
            due = session.due(now_s)
            if due:
                board.write(due)
            session.feed(board.read(), time.monotonic())
            return len(session.streams) == 4 and session.counts.frames > 16

        wait_until(is_understood)
    counts = session.counts
    assert (counts.lost, counts.repeated, counts.content, counts.refused.total) == (0, 0, 0, 0)
    assert {stream.signal for stream in session.streams.values()} == set(NAMES)


async def test_the_collector_reads_it(program):
    with Plugged(program) as board:
        wanted = {"eda_us", "skin_temp_c", "acc_rms_g", "rr_ms"}
        readings = SerialCollector({"port": board.port}).readings(SystemTime())

        async def collect() -> dict[str, list[float]]:
            found: dict[str, list[float]] = {}
            async for item in readings:
                if isinstance(item, Reading):
                    found.setdefault(item.signal, []).append(item.value)
                if wanted <= found.keys():
                    return found
            return found

        found = await asyncio.wait_for(collect(), 120)
        await readings.aclose()
    assert all(3.5 < value < 6.0 for value in found["eda_us"])
    assert all(750 < value < 950 for value in found["rr_ms"])
