"""Every byte the C code sends is the byte that the host's encoder sends."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol import framing, vectors
from firmware_bridge.protocol import messages as m
from tests.firmware_bridge.firmware.building import Lines
from tests.firmware_bridge.firmware.spelling import FROM_BOARD, FROM_HOST, U16, hexed, line_of


def wire(message: m.Message, counter: int) -> str:
    return framing.encode(framing.Frame(message.TYPE, counter, message.pack())).hex()


def sent(lines: Lines, counter: int, *spelt: str) -> list[str]:
    """Return what is sent for each of `spelt`; the first has `counter`."""
    return [lines.ask(f"counter {counter}\n{spelt[0]}")[0], *(lines.ask(s)[0] for s in spelt[1:])]


@settings(deadline=None, max_examples=600)
@given(message=FROM_BOARD | FROM_HOST, counter=U16)
def test_any_message_has_the_same_bytes(message_lines, message, counter):
    assert sent(message_lines, counter, line_of(message)) == [wire(message, counter)]


SENDABLE = [one for one in vectors.load()["messages"] if not one.get("longer")]


@pytest.mark.parametrize("vector", [pytest.param(one, id=one["name"]) for one in SENDABLE])
def test_the_test_vectors(message_lines, vector):
    message = m.unpack(vector["type"], bytes.fromhex(vector["payload"]))
    assert message is not None
    assert sent(message_lines, vector["counter"], line_of(message)) == [vector["wire"]]


def test_the_counter_goes_on_over_all_types_and_wraps(message_lines):
    spoken = [m.Contact(1, m.Part.PULSE, on=True), m.Time(1, 2, 3), m.Log(1, "x")]
    expected = [wire(x, (65534 + i) % 65536) for i, x in enumerate(spoken)]
    assert sent(message_lines, 65534, *map(line_of, spoken)) == expected


@pytest.mark.parametrize("size", [0, 1, 239, 240])
@pytest.mark.parametrize("byte", [0, 1, 255])
def test_frames_of_every_size_and_filling(message_lines, size, byte):
    payload = bytes([byte]) * size
    frame = framing.Frame(0x55, 7, payload)
    assert sent(message_lines, 7, f"send 85 {hexed(payload)}") == [framing.encode(frame).hex()]


@pytest.mark.parametrize(
    "spelt",
    [
        pytest.param("send 85 " + "00" * 241, id="payload of 241 bytes"),
        pytest.param("hello 1 999 0 0 61 61 61 -", id="ticks too slow"),
        pytest.param("hello 1 10000001 0 0 61 61 61 -", id="ticks too fast"),
        pytest.param("hello 1 1000 0 17 61 61 61 -", id="17 streams"),
        pytest.param("hello 1 1000 0 0 - 61 61 -", id="no maker"),
        pytest.param("hello 1 1000 0 0 61 - 61 -", id="no model"),
        pytest.param("hello 1 1000 0 0 61 61 - -", id="no firmware"),
        pytest.param(f"hello 1 1000 0 0 61 {'61' * 33} 61 -", id="model of 33 bytes"),
        pytest.param(f"hello 1 1000 0 0 61 61 61 {hexed('K7')}", id="device id in capitals"),
        pytest.param(f"hello 1 1000 0 0 61 61 61 {hexed('-k7')}", id="device id with a dash first"),
        pytest.param("stream 16 61 61 1 1 1000 1065353216 0", id="stream 16"),
        pytest.param("stream 0 61 61 0 1 1000 1065353216 0", id="width 0"),
        pytest.param("stream 0 61 61 1 0 1000 1065353216 0", id="encoding 0"),
        pytest.param("stream 0 61 61 1 4 1000 1065353216 0", id="encoding 4"),
        pytest.param("stream 0 61 61 1 1 0 1065353216 0", id="rate 0"),
        pytest.param("stream 0 61 61 1 1 200001 1065353216 0", id="rate over 200 Hz"),
        pytest.param("stream 0 61 61 1 1 1000 0 0", id="scale 0"),
        pytest.param("stream 0 61 61 1 1 1000 2147483648 0", id="scale -0"),
        pytest.param("stream 0 61 61 1 1 1000 2139095040 0", id="scale infinite"),
        pytest.param("stream 0 61 61 1 1 1000 1065353216 2143289344", id="offset NaN"),
        pytest.param("samples 16 1 0 1 0000", id="samples of stream 16"),
        pytest.param("samples 0 0 0 1 0000", id="no samples"),
        pytest.param("samples 0 2 0 0 00000000", id="step 0"),
        pytest.param(f"samples 0 1 0 1 {'00' * 231}", id="231 bytes of samples"),
        pytest.param("beats", id="no beats"),
        pytest.param("beats " + "1 1 1 " * 35, id="35 beats"),
        pytest.param("beats 1 1 101", id="quality 101"),
        pytest.param("contact 0 2 1", id="part 2"),
        pytest.param("battery 101 0 0", id="101 %"),
        pytest.param("battery 50 2 0", id="charging 2"),
        pytest.param("log 4 61", id="level 4"),
        pytest.param("fault 0 1 16 1 -", id="fault of stream 16"),
        pytest.param(f"fault 0 1 0 1 {'61' * 65}", id="fault's text of 65 bytes"),
        pytest.param("setting 0 1 0 6 -", id="status 6"),
        pytest.param(f"setting 0 1 0 0 {'00' * 235}", id="value of 235 bytes"),
    ],
)
def test_what_is_out_of_range_is_not_sent_and_uses_no_counter(message_lines, spelt):
    after = m.Time(1, 2, 3)
    assert sent(message_lines, 9, spelt, line_of(after)) == ["bad value", wire(after, 9)]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("x" * 201, "x" * 200, id="plain"),
        pytest.param("x" * 199 + "é", "x" * 199, id="within a character"),
        pytest.param("x" * 198 + "é!", "x" * 198 + "é", id="behind a character"),
        pytest.param("x" * 197 + "\U0001f9e0", "x" * 197, id="four bytes"),
    ],
)
def test_a_long_log_is_cut_between_characters(message_lines, text, kept):
    assert sent(message_lines, 0, f"log 1 {hexed(text)}") == [wire(m.Log(1, kept), 0)]


@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_check_sum(message_lines, data):
    assert message_lines.ask(f"crc {hexed(data)}") == [str(zlib.crc32(data))]


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_a_narrow_counter_becomes_ticks_of_32_bits(message_lines, bits):
    steps = [3, (1 << bits) - 1, 1, 1 << (bits - 1), (1 << bits) - 5, 0]
    true = [sum(steps[: i + 1]) for i in range(len(steps))]
    shown = " ".join(str(ticks % (1 << bits)) for ticks in true)
    expected = " ".join(str(ticks % (1 << 32)) for ticks in true)
    assert message_lines.ask(f"extend {bits} {shown}") == [expected]
