"""Packets of MQTT 3.1.1, against what paho writes and reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from sensors.wire.packets import Published, confirmations, end_of, parse, size_of


def _written_by_paho(topic: str, payload: bytes, *, qos: int, retain: bool) -> bytes:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client._sock = object()
    client._thread = object()  # else it would write at once
    client.publish(topic, payload, qos=qos, retain=retain)
    (packet,) = client._out_packet
    client._sock = client._thread = None
    return bytes(packet["packet"])


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 70_000, 2_100_000])
def test_what_paho_writes_is_read_wherever_it_stands(size: int, retain: bool, qos: int) -> None:
    packet = _written_by_paho("wellbeing/v1/hq/ä", b"x" * size, qos=qos, retain=retain)
    before, after = b"\xd0\x00", b"\x30"
    data = before + packet + after
    assert end_of(data, 0) == len(before)
    end = end_of(data, len(before))
    assert end == len(before + packet)
    expected = Published("wellbeing/v1/hq/ä", b"x" * size, retain, qos, 1 if qos else 0)
    assert parse(data, len(before), end) == expected
    assert parse(data, 0, len(before)) is None


@given(st.integers(0, 300).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size + 6))))
def test_a_packet_that_is_not_all_there_is_none(case: tuple[int, int]) -> None:
    size, cut = case
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    packet = b"\x30" + length + bytes(size)
    cut = min(cut, len(packet) - 1)
    assert cut < size_of(b"##" + packet[:cut], 2) <= len(packet)
    assert end_of(b"##" + packet[:cut], 2) == 0
    assert end_of(b"##" + packet, 2) == 2 + len(packet)


def test_a_length_that_is_none_makes_everything_one_packet_for_paho_to_refuse() -> None:
    data = b"\x30\xff\xff\xff\xff"
    assert end_of(data, 0) == 0
    assert end_of(data + b"\x01more", 0) == len(data) + 5


@pytest.mark.parametrize("rest", [b"\x01\0\x01tx", b"\xff\xff\xff\xff", b"\x80"])
def test_a_length_that_is_none_is_no_message(rest: bytes) -> None:
    data = b"#\x30\xff\xff\xff\xff" + rest
    assert parse(data, 1, end_of(data, 1)) is None


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x34\x06\0\x01t\0\x07x", id="QoS 2"),
        pytest.param(b"\x36\x06\0\x01t\0\x07x", id="QoS 3"),
        pytest.param(b"\x30\x00", id="nothing in it"),
        pytest.param(b"\x30\x01\0", id="half a length of a topic"),
        pytest.param(b"\x30\x03\0\x09t", id="topic longer than the packet"),
        pytest.param(b"\x32\x04\0\x01t\0", id="half a number"),
        pytest.param(b"\x30\x02\0\0", id="no topic"),
        pytest.param(b"\x30\x03\0\x01\xff", id="topic that is no UTF-8"),
        pytest.param(b"\x40\x03\0\x01\0", id="confirmation of MQTT 5"),
        pytest.param(b"\x90\x03\0\x01\x01", id="SUBACK"),
        pytest.param(b"\xd0\x00", id="PINGRESP"),
    ],
)
def test_everything_else_is_for_paho(packet: bytes) -> None:
    data = b"#" + packet + b"\x30\x04\0\x01ab"
    assert end_of(data, 1) == 1 + len(packet)
    assert parse(data, 1, 1 + len(packet)) is None


def test_confirmations_are_what_a_broker_sends_too() -> None:
    packets = confirmations([1, 0x1234, 65_535])
    assert packets == b"\x40\x02\0\x01\x40\x02\x12\x34\x40\x02\xff\xff"
    assert [parse(packets, at, end_of(packets, at)) for at in (0, 4, 8)] == [1, 0x1234, 65_535]
    assert confirmations([]) == b""


@given(
    st.one_of(st.binary(max_size=40), st.binary(max_size=9).map(b"\x30\xff\xff\xff\xff".__add__))
)
def test_no_bytes_raise(data: bytes) -> None:
    end = end_of(data, 0)
    assert 0 <= end <= len(data)
    if end:
        parse(data, 0, end)
