"""A whole board in C, at times that the test gives: what it says, and when."""

import math
import struct
from itertools import pairwise

import pytest

from firmware_bridge.protocol import framing
from firmware_bridge.protocol import messages as m
from tests.firmware_bridge.firmware.building import Lines
from tests.firmware_bridge.firmware.spelling import hexed

HZ = 10_000
"""Ticks per second of this board."""

STREAM = {
    0: m.Stream(0, "ppg", "1", 1, m.Encoding.I16, 100_000, 1.0, 0.0),
    1: m.Stream(1, "skin_temp_c", "degC", 1, m.Encoding.F32, 4_000, 1.0, 0.0),
    2: m.Stream(2, "acc_g", "g", 3, m.Encoding.I32, 50_000, struct.unpack("<f", b"\x6f\x12\x83\x3a")[0], 0.0),
}  # fmt: skip
SENT, BAD_VALUE, NOT_WRITTEN = "0", "1", "2"


def is_result(line: str) -> bool:
    return len(line) == 1


class Bench:
    """The board, and everything it has sent with its counters."""

    def __init__(self, lines: Lines, *, now: int = 0, counter: int = 0) -> None:
        self._lines = lines
        self._deframer = framing.Deframer()
        self._asked = 0
        self.counters: list[int] = []
        self.returned = ""
        self.first = self.do(f"start {now} {counter}")

    def do(self, line: str) -> list[m.Message]:
        """Return what the board sends when it is told `line`."""
        *frames, self.returned = self._lines.ask(line, until=is_result)
        said = []
        for frame in self._deframer.feed(bytes.fromhex("".join(frames))):
            self.counters.append(frame.counter)
            message = m.unpack(frame.type, frame.payload)
            assert message is not None
            said.append(message)
        assert self._deframer.refused.total == 0
        return said

    def ask(self, now: int, *requests: m.FromHost, around: bytes = b"\0") -> list[m.Message]:
        """Return its answers to requests that arrive at `now`, with noise in between."""
        wire = b""
        for request in requests:
            self._asked += 1
            frame = framing.Frame(request.TYPE, self._asked, request.pack())
            wire += around + b"\0" + framing.encode(frame)
        return self.do(f"in {now} {hexed(wire)}")


def hello(now: int, device_id: str = "") -> m.Hello:
    return m.Hello(5, HZ, now, 3, "maker", "model", "1", device_id)


def description(now: int, *, pulse: bool = False, skin: bool = False) -> list[m.Message]:
    contacts = [m.Contact(now, m.Part.PULSE, pulse), m.Contact(now, m.Part.SKIN, skin)]
    return [hello(now), *STREAM.values(), *contacts]


def kinds(messages: list[m.Message]) -> list[type]:
    return [type(message) for message in messages]


# ---- describing, and keeping the line alive ----


def test_it_begins_with_a_zero_and_its_description(board_lines):
    first = board_lines.ask("start 7 65534", until=is_result)[0]
    assert first == "00"  # ends whatever a boot loader printed
    bench = Bench(board_lines, now=7, counter=65534)
    assert bench.first == description(7)
    assert bench.counters == [65534, 65535, 0, 1, 2, 3]


def test_it_describes_itself_every_ten_seconds_and_says_something_every_two(board_lines):
    bench = Bench(board_lines, now=2**32 - 3 * HZ)  # the ticks wrap on the way
    spoken = {0: bench.first}
    for step in range(1, 31 * 4):
        spoken[step] = bench.do(f"step {(2**32 - 3 * HZ + step * HZ // 4) % 2**32}")
    at_s = [step / 4 for step, said in spoken.items() if said]
    described_s = [step / 4 for step, said in spoken.items() if len(said) == 6]
    assert max(later - earlier for earlier, later in pairwise(at_s)) <= 2.0
    assert described_s == [0, 9, 18, 27]
    assert bench.counters == list(range(len(bench.counters)))


def test_what_is_said_by_others_counts_as_a_sign_of_life(board_lines):
    bench = Bench(board_lines)
    assert bench.do(f"step {HZ}") == []
    bench.do(f"touch {HZ} 0 1")
    assert bench.do(f"step {2 * HZ}") == []  # 1 s after the contact
    assert bench.do(f"step {2.2 * HZ:.0f}") == []
    assert bench.do(f"step {3.5 * HZ:.0f}") == [hello(35_000)]


def test_a_request_is_answered_with_the_whole_description(board_lines):
    bench = Bench(board_lines)
    bench.do("touch 50 1 1")
    assert bench.ask(99, m.HelloRequest()) == description(99, skin=True)


def test_contact_is_said_once_per_change(board_lines):
    bench = Bench(board_lines)
    assert bench.do("touch 5 0 1") == [m.Contact(5, m.Part.PULSE, on=True)]
    assert bench.do("touch 6 0 1") == []
    assert bench.do("touch 7 0 0") == [m.Contact(7, m.Part.PULSE, on=False)]
    assert (bench.do("touch 8 2 1"), bench.returned) == ([], BAD_VALUE)


def fault(at: int, code: int, stream: int, *, active: bool) -> m.Fault:
    return m.Fault(at, code, stream, active, "loose")


def test_a_fault_that_lasts_is_said_with_each_description(board_lines):
    bench = Bench(board_lines)
    assert bench.do("fault 5 3 1 1") == [fault(5, 3, 1, active=True)]
    bench.do("fault 6 5 255 1")
    bench.do("fault 7 3 2 1")
    bench.do("fault 8 5 255 0")
    bench.do("fault 9 3 1 1")  # said twice is one
    again = [fault(99, 3, stream, active=True) for stream in (1, 2)]
    said = bench.ask(99, m.HelloRequest())
    assert said[:6] == description(99)
    assert sorted(said[6:], key=lambda x: x.stream) == again
    bench.do("fault 100 3 1 0")
    bench.do("fault 101 3 2 0")
    assert bench.ask(199, m.HelloRequest()) == description(199)


def test_a_fault_that_cannot_be_is_not_remembered(board_lines):
    bench = Bench(board_lines)
    assert (bench.do("fault 1 1 16 1"), bench.returned) == ([], BAD_VALUE)
    assert bench.ask(99, m.HelloRequest()) == description(99)
    assert bench.ask(199, m.HelloRequest()) == description(199)


def test_more_faults_than_are_remembered_are_all_said_once(board_lines):
    bench = Bench(board_lines)
    for code in range(1, 7):
        assert bench.do(f"fault {code} {code} 0 1") == [fault(code, code, 0, active=True)]
    assert len(bench.ask(99, m.HelloRequest())) == 6 + 4


@pytest.mark.parametrize(
    "first",
    [
        pytest.param("1 100000", id="room for half a sample"),
        pytest.param("40 0", id="rate 0"),
        pytest.param("40 200001", id="rate over 200 Hz"),
    ],
)
def test_a_board_that_is_set_up_wrongly_says_so_and_has_no_streams(board_lines, first):
    board_lines.ask(f"first {first}", until=is_result)
    bench = Bench(board_lines)
    assert bench.returned == BAD_VALUE
    assert (bench.do("push 0 0 1"), bench.returned) == ([], BAD_VALUE)
    assert m.Stream not in kinds(bench.ask(5, m.HelloRequest()))


# ---- samples ----


def pushed(bench: Bench, ats: list[int], stream: int = 0) -> list[m.Samples]:
    said = [bench.do(f"push {stream} {at % 2**32} {i}") for i, at in enumerate(ats)]
    return [message for messages in said for message in messages if isinstance(message, m.Samples)]


def test_a_frame_goes_when_there_is_room_for_no_more(board_lines):
    bench = Bench(board_lines)
    sent = pushed(bench, [100 * i for i in range(40)])
    assert [(x.first, x.step, x.count) for x in sent] == [(0, 100, 20), (2000, 100, 20)]
    assert STREAM[0].values(sent[0]).ravel().tolist() == list(range(20))


def test_the_step_is_measured_and_wraps(board_lines):
    start = 2**32 - 950  # ten samples before the ticks wrap; the sensor is 4 % slow
    bench = Bench(board_lines, now=start)
    (sent,) = pushed(bench, [start + 104 * i + i % 3 for i in range(20)])
    assert (sent.first, sent.step) == (start, 104)


def test_an_old_sample_does_not_wait_for_others(board_lines):
    bench = Bench(board_lines)
    assert pushed(bench, [0, 2500], stream=1) == []
    assert bench.do("step 6999") == []
    (sent,) = bench.do("step 7000")
    assert isinstance(sent, m.Samples)
    assert (sent.stream, sent.first, sent.step, sent.count) == (1, 0, 2500, 2)
    assert STREAM[1].values(sent).ravel().tolist() == [0.0, 1.0]


@pytest.mark.parametrize("now", [5000, 2**32 - 3])
def test_what_happened_after_the_loop_looked_at_its_clock_is_not_old(board_lines, now):
    """An interrupt puts its own time on a sample; the loop then goes on with an earlier one."""
    bench = Bench(board_lines, now=now)
    assert pushed(bench, [now + 4]) == []
    assert bench.do(f"step {now}") == []
    assert bench.ask((now + 9) % 2**32, m.HelloRequest()) == description((now + 9) % 2**32)
    assert bench.do(f"step {(now + 8) % 2**32}") == []
    (sent,) = bench.do(f"step {(now + 7004) % 2**32}")
    assert (sent.stream, sent.count) == (0, 1)


@pytest.mark.parametrize("gap", [49, 151, 5000, 2**31])
def test_a_gap_is_never_smoothed_over(board_lines, gap):
    bench = Bench(board_lines)
    before = [0, 100, 200]
    sent = pushed(bench, [*before, 200 + gap])
    assert [(x.first, x.step, x.count) for x in sent] == [(0, 100, 3)]


@pytest.mark.parametrize("gap", [50, 100, 150])
def test_jitter_is_no_gap(board_lines, gap):
    assert pushed(Bench(board_lines), [0, 100, 200, 200 + gap]) == []


def test_several_axes_and_a_full_frame(board_lines):
    bench = Bench(board_lines)
    (sent,) = pushed(bench, [200 * i for i in range(19)], stream=2)
    values = STREAM[2].values(sent)
    assert values.shape == (19, 3)
    assert values[7].tolist() == pytest.approx([0.007, 0.0, -0.007], rel=1e-6)


@pytest.mark.parametrize(("stream", "step"), [(0, 100), (1, 2500), (2, 200)])
def test_not_measured_is_told_in_each_encoding(board_lines, stream, step):
    bench = Bench(board_lines)
    bench.do(f"push {stream} 0 3")
    bench.do(f"missing {stream} {step}")
    (sent,) = bench.do("step 9000")
    assert isinstance(sent, m.Samples)
    values = STREAM[stream].values(sent)
    assert math.isfinite(values[0, 0])
    assert all(map(math.isnan, values[1]))


def test_no_such_stream(board_lines):
    bench = Bench(board_lines)
    assert (bench.do("push 3 0 0"), bench.returned) == ([], BAD_VALUE)
    assert (bench.do("missing 3 0"), bench.returned) == ([], BAD_VALUE)


# ---- no room ----


def test_samples_without_room_are_lost_and_the_host_sees_it(board_lines):
    bench = Bench(board_lines)
    bench.do("room 0")
    assert pushed(bench, [100 * i for i in range(20)]) == []
    assert bench.returned == NOT_WRITTEN
    bench.do("room -1")
    bench.do("touch 9 0 1")
    assert bench.counters[-2:] == [5, 7]


def test_a_description_without_room_goes_on_later_and_nothing_counts_as_lost(board_lines):
    bench = Bench(board_lines)
    bench.do("room 2")
    assert kinds(bench.ask(10, m.HelloRequest())) == [m.Hello, m.Stream]
    bench.do("step 20")
    bench.do("room 3")
    assert kinds(bench.do("step 30")) == [m.Stream, m.Stream, m.Contact]
    bench.do("room -1")
    assert kinds(bench.do("step 40")) == [m.Contact]
    assert bench.counters == list(range(12))


# ---- answers ----


def test_time_is_answered_with_the_token(board_lines):
    bench = Bench(board_lines)
    assert bench.ask(4321, m.TimeRequest(0xDEADBEEF)) == [m.Time(0xDEADBEEF, 4321, 4321)]


@pytest.mark.parametrize("keeps", [True, False])
def test_a_device_id_is_set_read_back_and_said_in_hello(board_lines, keeps):
    bench = Bench(board_lines)
    bench.do(f"keep {int(keeps)}")
    status = m.Status.KEPT if keeps else m.Status.UNTIL_POWER_OFF
    assert bench.ask(1, m.Set(1, 0, b"seat-7")) == [m.Setting(1, 1, 0, status, b"seat-7")]
    assert bench.ask(1, m.Get(1, 0)) == [m.Setting(2, 1, 0, m.Status.KEPT, b"seat-7")]
    assert bench.ask(1, m.HelloRequest())[0] == hello(1, "seat-7")
    assert bench.ask(1, m.Set(1, 0, b"x")) == [m.Setting(4, 1, 0, status, b"x")]
    assert bench.ask(1, m.Set(1, 0, b"")) == [m.Setting(5, 1, 0, status, b"")]
    assert bench.ask(1, m.HelloRequest())[0] == hello(1)


@pytest.mark.parametrize("value", [b"K7", b"-k", b"a b", b"a\0b", b"a" * 33, b"\xff", b"a" * 237])
def test_what_is_no_device_id_is_refused_and_changes_nothing(board_lines, value):
    bench = Bench(board_lines)
    bench.ask(1, m.Set(1, 0, b"k7"))
    assert bench.ask(1, m.Set(1, 0, value)) == [m.Setting(2, 1, 0, m.Status.REFUSED, b"k7")]


def test_a_longest_device_id_fits(board_lines):
    (answer,) = Bench(board_lines).ask(1, m.Set(1, 0, b"a" * 32))
    assert isinstance(answer, m.Setting)
    assert answer.value == b"a" * 32


def rate(mhz: int) -> bytes:
    return mhz.to_bytes(4, "little")


def test_a_rate_becomes_the_nearest_and_the_stream_is_described_anew(board_lines):
    bench = Bench(board_lines)
    bench.do("push 0 0 1")  # waits, and was measured at the old rate
    said = bench.ask(5, m.Set(2, 0, rate(40_000)))
    now = m.Stream(0, "ppg", "1", 1, m.Encoding.I16, 50_000, 1.0, 0.0)
    assert kinds(said) == [m.Samples, m.Setting, m.Stream]
    assert said[1:] == [m.Setting(1, 2, 0, m.Status.KEPT, rate(50_000)), now]
    assert bench.ask(6, m.Get(2, 0)) == [m.Setting(2, 2, 0, m.Status.KEPT, rate(50_000))]
    assert bench.ask(7, m.HelloRequest())[1] == now
    assert pushed(bench, [200 * i for i in range(19)]) == []  # no gaps at the new rate


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(m.Set(2, 0, rate(0)), (m.Status.REFUSED, rate(100_000)), id="rate 0"),
        pytest.param(m.Set(2, 0, rate(200_001)), (m.Status.REFUSED, rate(100_000)), id="too fast"),
        pytest.param(m.Set(2, 0, b"\1\0\0"), (m.Status.REFUSED, rate(100_000)), id="three bytes"),
        pytest.param(m.Set(2, 1, rate(1000)), (m.Status.BUSY, rate(4_000)), id="busy"),
        pytest.param(m.Set(2, 2, rate(1000)), (m.Status.FIXED, rate(50_000)), id="fixed"),
        pytest.param(m.Set(2, 3, rate(1000)), (m.Status.UNKNOWN, b""), id="no such stream"),
        pytest.param(m.Get(2, 255), (m.Status.UNKNOWN, b""), id="rate of no stream"),
        pytest.param(m.Set(1, 1, b"k7"), (m.Status.UNKNOWN, b""), id="device id, index 1"),
        pytest.param(m.Get(1, 1), (m.Status.UNKNOWN, b""), id="device id, index 1 read"),
        pytest.param(m.Get(0, 0), (m.Status.UNKNOWN, b""), id="key 0"),
        pytest.param(m.Set(3, 0, b"x"), (m.Status.UNKNOWN, b""), id="key 3"),
        pytest.param(m.Get(200, 9), (m.Status.KEPT, b"\x09"), id="the maker's own"),
        pytest.param(m.Get(201, 9), (m.Status.UNKNOWN, b""), id="no key of the maker"),
    ],
)
def test_what_cannot_be_set_is_said_so(board_lines, request_, answer):
    status, value = answer
    expected = m.Setting(1, request_.key, request_.index, status, value)
    assert Bench(board_lines).ask(1, request_) == [expected]


@pytest.mark.parametrize("around", [b"\xff" * 300, b"login: \r\n", b"\x05\x01\x02", b"\0\0\0"])
def test_requests_are_found_among_garbage(board_lines, around):
    bench = Bench(board_lines)
    said = bench.ask(1, m.Get(1, 0), m.TimeRequest(2), m.HelloRequest(), around=around)
    assert kinds(said)[:2] == [m.Setting, m.Time]
    assert said[2:] == description(1)
