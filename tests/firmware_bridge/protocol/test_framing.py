"""Frames against the cobs package and zlib, whatever is in them."""

import zlib

import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol import framing
from firmware_bridge.protocol.framing import MAX_PAYLOAD, Deframer, Frame, encode

frames = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 0xFFFF), st.binary(max_size=MAX_PAYLOAD)
)


@settings(deadline=None)
@given(frames)
def test_frames_are_stuffed_and_checked_as_others_do(frame):
    body = bytes((1, frame.type)) + frame.counter.to_bytes(2, "little") + frame.payload
    body += zlib.crc32(body).to_bytes(4, "little")
    assert encode(frame) == cobs.encode(body) + b"\0"
    deframer = Deframer()
    assert deframer.feed(b"\0" + encode(frame)) == [frame]
    assert deframer.refused.total == 0


@settings(deadline=None)
@given(st.lists(frames, max_size=6), st.lists(st.integers(1, 300), max_size=20))
def test_several_frames_in_any_pieces(sent, cuts):
    rest = b"\0" + b"".join(map(encode, sent))
    deframer, found = Deframer(), []
    for cut in [*cuts, len(rest)]:
        found += deframer.feed(rest[:cut])
        rest = rest[cut:]
    assert found == sent


@settings(deadline=None)
@given(frames, st.data())
def test_no_two_flipped_bits_go_unseen(frame, data):
    wire = bytearray(encode(frame))
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, 8 * (len(wire) - 1) - 1))
        wire[at // 8] ^= 1 << at % 8
    if bytes(wire) != encode(frame):
        assert frame not in Deframer().feed(b"\0" + wire)


def test_the_zero_in_front_counts_for_nothing():
    assert zlib.crc32(b"\0", framing._BEFORE_ZERO) == 0
    data = b"123456789"
    whole = data + zlib.crc32(data).to_bytes(4, "little")
    assert zlib.crc32(whole) == framing._RESIDUE
    assert zlib.crc32(data) == 0xCBF43926


def test_the_longest_and_one_more():
    longest = Frame(3, 7, b"\x01" * MAX_PAYLOAD)
    assert len(encode(longest)) == 250
    assert Deframer().feed(b"\0" + encode(longest)) == [longest]
    with pytest.raises(ValueError, match="payload has 241 bytes; expected up to 240"):
        encode(Frame(3, 7, bytes(MAX_PAYLOAD + 1)))


@pytest.mark.parametrize("frame", [Frame(256, 0, b""), Frame(-1, 0, b""), Frame(1, 65_536, b"")])
def test_fields_out_of_range(frame):
    with pytest.raises(ValueError, match="is out of range"):
        encode(frame)


def test_noise_without_a_zero_is_not_kept():
    deframer = Deframer()
    for _ in range(1_000):
        assert deframer.feed(b"\xa5" * 1_000) == []
    assert len(deframer._pending) <= 250
    assert deframer.feed(b"\0") == []
    assert deframer.refused.total == 0, "the tail of something, perhaps"
    deframer.feed(b"\xa5" * 1_000 + b"\0")
    assert deframer.refused.too_long == 1
