"""Samples that arrive together give what they give one by one, and what a plain loop gives."""

import math
import struct

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol.messages import Encoding, Hello, Samples, Stream
from firmware_bridge.protocol.session import Session
from tests.firmware_bridge.protocol.talking import Talking

TICK_HZ = 10_000
STREAMS = (
    Stream(0, "ppg", "1", 1, Encoding.I16, 64_000, 1.0, 0.0),
    Stream(1, "acc_g", "g", 3, Encoding.I16, 50_000, 1 / 2048, -0.25),
    Stream(2, "eda_us", "uS", 1, Encoding.F32, 4_000, 0.5, 1.5),
    Stream(3, "skin_temp_c", "degC", 1, Encoding.I32, 1_000, 1 / 1024, 20.0),
)
LETTERS = {Encoding.I16: "h", Encoding.I32: "i", Encoding.F32: "f"}
MISSING = {Encoding.I16: -(2**15), Encoding.I32: -(2**31)}


@st.composite
def frames(draw):
    """Return a stream, its raw numbers, the tick of the last sample since HELLO, and a step."""
    stream = STREAMS[draw(st.integers(0, len(STREAMS) - 1))]
    count = draw(st.integers(1, 4)) * stream.width
    if stream.encoding is Encoding.F32:
        numbers = st.floats(width=32)
    else:
        low = MISSING[stream.encoding]
        # Two neighbours, too, whose bytes together look like one that is missing.
        numbers = st.sampled_from([low, low + 1, 0, 128, 0x0080, -32_640, 7]) | st.integers(
            low, -low - 1
        )
    raw = draw(st.lists(numbers, min_size=count, max_size=count))
    return stream, raw, draw(st.integers(1, 20_000)), draw(st.integers(1, 90))


def said(made):
    """Return the bytes of a board that says who it is, and of each of its frames."""
    board = Talking(tick_hz=TICK_HZ, first_tick=0xFFFF_F000)
    begin = b"\0" + board.hello(0, *STREAMS)
    wires = []
    for stream, raw, last, step in made:
        count = len(raw) // stream.width
        first = 0xFFFF_F000 + last - (count - 1) * step & 0xFFFF_FFFF
        data = struct.pack(f"<{len(raw)}{LETTERS[stream.encoding]}", *raw)
        wires.append(board.frame(Samples(stream.stream, count, first, step, data)))
    return begin, wires


def by_hand(stream, raw, last, step):
    """Return values and board times of one frame as hardware.md says, number by number."""
    count = len(raw) // stream.width
    missing = MISSING.get(stream.encoding)
    values = [
        [
            math.nan if number == missing else number * stream.scale + stream.offset
            for number in raw[at * stream.width : (at + 1) * stream.width]
        ]
        for at in range(count)
    ]
    return values, [(last - (count - 1 - at) * step) / TICK_HZ for at in range(count)]


@settings(deadline=None, max_examples=60)
@given(st.lists(frames(), min_size=1, max_size=12))
@example([(STREAMS[0], [0x0100, 0x0080, MISSING[Encoding.I16]], 100, 10)])
def test_together_as_one_by_one_and_by_hand(made):
    begin, wires = said(made)
    together, alone = Session(), Session()
    together.feed(begin, 100.0)
    alone.feed(begin, 100.0)
    one_by_one = [event for wire in wires for event in alone.feed(wire, 105.0)]
    at_once = together.feed(b"".join(wires), 105.0)
    assert len(at_once) == len(one_by_one) == len(made)
    for event, other, frame in zip(at_once, one_by_one, made, strict=True):
        values, board_s = by_hand(*frame)
        assert event.stream == frame[0]
        np.testing.assert_array_equal(event.values, np.array(values))
        np.testing.assert_array_equal(event.board_s, board_s)
        for name in ("values", "board_s", "at_s"):
            ours, theirs = getattr(event, name), getattr(other, name)
            assert ours.tobytes() == theirs.tobytes()
            assert ours.shape == theirs.shape


def test_what_is_described_anew_between_two_frames_of_a_read():
    board = Talking(tick_hz=TICK_HZ)
    one = Stream(0, "eda_us", "uS", 1, Encoding.F32, 4_000, 1.0, 0.0)
    other = Stream(0, "eda_us", "uS", 1, Encoding.F32, 4_000, 10.0, 0.0)
    session = Session()
    session.feed(b"\0" + board.hello(0, one), 50.0)
    data = board.values(one, 1.0, 2.0) + board.frame(other) + board.values(other, 1.25, 2.0)
    first, _, second = session.feed(data, 51.25)
    assert (first.values.item(), second.values.item()) == (2.0, 20.0)
    assert (first.stream, second.stream) == (one, other)


def test_what_came_before_a_restart_in_the_same_read_keeps_its_time():
    board, session = Talking(tick_hz=TICK_HZ), Session()
    stream = STREAMS[2]
    only = Stream(0, stream.signal, stream.unit, 1, Encoding.F32, 4_000, 1.0, 0.0)
    session.feed(b"\0" + board.hello(0, only), 50.0)
    before = board.values(only, 1.0, 2.0)
    board.restart()
    again = Hello(board.boot, 1_000, 5, 1, "Acme", "Clip", "1.0")
    data = before + board.frame(again) + board.frame(only)
    data += board.frame(Samples(0, 1, 5, 1, struct.pack("<f", 3.0)))
    old, _, _, new = session.feed(data, 51.0)
    assert (old.board_s.item(), new.board_s.item()) == (1.0, 0.0)
    assert abs(old.at_s.item() - 51.0) < 0.01
    assert abs(new.at_s.item() - 51.0) < 0.01
