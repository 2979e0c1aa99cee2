"""The C receiver reads, and refuses by reason, exactly what the host's decoder does."""

import zlib
from dataclasses import astuple, dataclass

import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol import framing, vectors
from firmware_bridge.protocol import messages as m
from tests.firmware_bridge.firmware.building import Lines
from tests.firmware_bridge.firmware.spelling import FROM_BOARD, FROM_HOST, U16, hexed

REQUESTS = range(m.HelloRequest.TYPE, m.Get.TYPE + 1)


@dataclass
class Refused:
    too_long: int = 0
    stuffing: int = 0
    crc: int = 0
    version: int = 0
    type: int = 0
    content: int = 0


def expected(stream: bytes) -> tuple[list[str], Refused]:
    """Return what the host's own decoder makes of `stream`, in the program's words."""
    deframer, refused, lines = framing.Deframer(), Refused(), []
    joined = b"\0" in stream[:1]
    for byte in stream:
        for frame in deframer.feed(bytes((byte,))):
            try:
                request = m.unpack(frame.type, frame.payload) if frame.type in REQUESTS else None
            except m.ContentError:
                refused.content += joined
                continue
            if request is None:
                refused.type += joined
            else:
                lines.append(spelt(frame, request))
        joined = joined or byte == 0
    framed = deframer.refused
    refused.too_long, refused.stuffing = framed.too_long, framed.stuffing
    refused.crc, refused.version = framed.crc, framed.version
    return lines, refused


def spelt(frame: framing.Frame, request: m.Message) -> str:
    key = getattr(request, "key", 0)
    value = getattr(request, "value", b"")
    token, index = getattr(request, "token", 0), getattr(request, "index", 0)
    fields = f"{frame.type} {frame.counter} {token} {key} {index} {len(value)} {value.hex()}"
    return fields.strip()


def is_count(line: str) -> bool:
    return line.startswith("refused")


class Heard:
    """What the C receiver makes of bytes, counted from here on."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._before = Refused()
        self.hear(b"\0")  # whatever was heard before ends here

    def hear(self, stream: bytes) -> tuple[list[str], Refused]:
        *requests, last = self._lines.ask(f"bytes {hexed(stream)}", until=is_count)
        refused = Refused(*map(int, last.split()[1:]))
        pairs = zip(astuple(refused), astuple(self._before), strict=True)
        self._before = refused
        return requests, Refused(*(now - then for now, then in pairs))


def encode(message: m.Message, counter: int) -> bytes:
    return framing.encode(framing.Frame(message.TYPE, counter, message.pack()))


def spoilt(frame: bytes, how: int, at: int, byte: int) -> bytes:
    place = at % len(frame)
    kinds = (
        frame,
        frame[:place] + bytes((byte,)) + frame[place + 1 :],  # one byte is another
        frame[:place] + bytes((byte,)) + frame[place:],  # one too many
        frame[:place] + frame[place + 1 :],  # one too few
        frame[:place],  # cut off
        frame[:place] + frame,  # begun, and sent once more
        frame * 2,
        bytes((byte or 1,)) * (at % 600) + b"\0",  # noise
    )
    return kinds[how]


FRAME = st.one_of(
    st.builds(encode, FROM_HOST | FROM_BOARD, U16),
    st.builds(
        lambda kind, payload: framing.encode(framing.Frame(kind, 1, payload)),
        st.integers(0x40, 0x46),
        st.binary(max_size=6),
    ),
)
PIECE = st.builds(spoilt, FRAME, st.integers(0, 7), st.integers(0, 1000), st.integers(0, 255))


@settings(deadline=None, max_examples=400)
@given(pieces=st.lists(PIECE, max_size=6))
def test_any_stream_is_read_as_the_host_reads_it(message_lines, pieces):
    stream = b"\0" + b"".join(pieces)
    heard = Heard(message_lines)
    assert heard.hear(stream + b"\0") == expected(stream + b"\0")


@pytest.mark.parametrize("request_", [
    m.HelloRequest(), m.TimeRequest(0xFFFFFFFF), m.Set(1, 0, b"k7"), m.Set(2, 15, b""),
    m.Set(200, 255, b"\0" * 237), m.Get(2, 3),
], ids=lambda request: type(request).__name__)  # fmt: skip
def test_each_request(message_lines, request_):
    wire = encode(request_, 65535)
    frame = framing.Frame(request_.TYPE, 65535, request_.pack())
    assert Heard(message_lines).hear(wire) == ([spelt(frame, request_)], Refused())


def wrong(body: bytes) -> bytes:
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"


@pytest.mark.parametrize(
    ("stretch", "reason"),
    [
        pytest.param(b"\1" * 250 + b"\0", "too_long", id="250 bytes"),
        pytest.param(b"\1" * 5000 + b"\0", "too_long", id="5000 bytes"),
        pytest.param(b"\1" * 8 + b"\0", "stuffing", id="8 bytes"),
        pytest.param(b"\x0f" * 12 + b"\0", "stuffing", id="distance beyond the end"),
        pytest.param(b"\1" * 249 + b"\0", "crc", id="249 bytes, all zero"),
        pytest.param(wrong(b"\2\x41\0\0"), "version", id="version 2"),
        pytest.param(wrong(b"\1\x01\0\0"), "type", id="type of a board"),
        pytest.param(wrong(b"\1\x45\0\0"), "type", id="type of later"),
        pytest.param(wrong(b"\1\x42\0\0\1\2\3"), "content", id="token of three bytes"),
        pytest.param(wrong(b"\1\x43\0\0\1\0"), "content", id="SET of two bytes"),
        pytest.param(wrong(b"\1\x43\0\0\1\0\5abcd"), "content", id="value shorter than said"),
        pytest.param(wrong(b"\1\x44\0\0\1"), "content", id="GET of one byte"),
    ],
)
def test_each_reason_and_the_next_request_is_read(message_lines, stretch, reason):
    request = encode(m.TimeRequest(77), 3)
    answer = Heard(message_lines).hear(stretch + request)
    assert answer == ([f"{m.TimeRequest.TYPE} 3 77 0 0 0"], Refused(**{reason: 1}))


def test_what_comes_before_the_first_zero_is_tried_and_not_counted(built):
    program = built("checks/message_lines.c")
    request = encode(m.TimeRequest(77), 3)
    with Lines(program) as tail:
        *_, refused = tail.ask(f"bytes {hexed(request[5:])}", until=is_count)
        assert refused == "refused 0 0 0 0 0 0"
    with Lines(program) as whole:
        first, _ = whole.ask(f"bytes {hexed(request)}", until=is_count)
        assert first == f"{m.TimeRequest.TYPE} 3 77 0 0 0"


def test_a_payload_longer_than_its_fields_is_read(message_lines):
    stretch = framing.encode(framing.Frame(m.Get.TYPE, 4, b"\1\0later"))
    assert Heard(message_lines).hear(stretch) == ([f"{m.Get.TYPE} 4 0 1 0 0"], Refused())


VECTORS = vectors.load()


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS["refused"]])
def test_the_refused_test_vectors(message_lines, vector):
    wire = bytes.fromhex(vector["wire"])
    requests, refused = Heard(message_lines).hear(wire)
    assert (requests, refused) == expected(b"\0" + wire)
    if vector["reason"] != "content":  # of a board's message a board says: of no type for me
        assert refused == Refused(**{vector["reason"]: 1})


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS["streams"]])
def test_the_stream_test_vectors(message_lines, vector):
    stream = b"\0" + bytes.fromhex(vector["bytes"]) + b"\0"
    assert Heard(message_lines).hear(stream) == expected(stream)
