"""What the test vectors show, written out: messages, what is refused, whole streams; pure.

`vectors.json` is made of this: ``python -m firmware_bridge.protocol.vectors``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from firmware_bridge.protocol.framing import MAX_PAYLOAD, Frame, close, encode
from firmware_bridge.protocol.messages import (
    UNKNOWN,
    WHOLE_BOARD,
    Battery,
    Beat,
    Beats,
    Contact,
    Encoding,
    Fault,
    FaultCode,
    Get,
    Hello,
    HelloRequest,
    Key,
    Log,
    Message,
    Part,
    Samples,
    Set,
    Setting,
    Status,
    Stream,
    Time,
    TimeRequest,
)

_U32 = 0xFFFF_FFFF
_ROOM = MAX_PAYLOAD - 10  # of raw values in one SAMPLES

HELLO = Hello(0x1234_5678, 1_000_000, 2_000_000, 2, "Acme", "Ear clip 2", "1.4.0", "clip-07")
EDA = Stream(0, "eda_us", "uS", 1, Encoding.I16, 4_000, 0.0078125, 0.0)
ACC = Stream(1, "acc_g", "g", 3, Encoding.I16, 50_000, 0.00048828125, 0.0)


def f32(value: float) -> float:
    """Return the single nearest to `value`."""
    single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return single


MESSAGES: tuple[tuple[str, int, Message], ...] = (
    ("hello, least", 0, Hello(0, 1_000, 0, 0, "a", "b", "c")),
    ("hello, typical", 1, HELLO),
    ("hello, most", 0xFFFF, Hello(_U32, 10_000_000, _U32, 16, "ä" * 16, "m" * 32, "日" * 10 + "x", "d" * 32)),
    ("stream, least", 0, Stream(0, "ppg", "1", 1, Encoding.I16, 1, f32(1e-45), 0.0)),
    ("stream, typical", 2, Stream(0, "skin_temp_c", "degC", 1, Encoding.I16, 1_000, f32(0.01), 25.0)),
    ("stream, three axes", 3, ACC),
    ("stream, most", 0xFFFF, Stream(15, "s" * 32, "µ" * 16, 255, Encoding.F32, 200_000, f32(-3.4028234e38), f32(3.4028234e38))),
    ("samples, one", 0, Samples(0, 1, 0, 0, b"\x00\x00")),
    ("samples, typical", 4, Samples(0, 4, 2_100_000, 250_000, struct.pack("<4h", 421, 422, -32_768, 424))),
    ("samples, three axes", 5, Samples(1, 2, 2_100_100, 20_000, struct.pack("<6h", -12, 7, 2_047, -13, 8, 2_049))),
    ("samples, f32, one not measured", 6, Samples(2, 3, _U32, 15_625, struct.pack("<3f", 1.5, float("nan"), -0.25))),
    ("samples, i32", 7, Samples(3, 3, _U32 - 1, 1, struct.pack("<3i", 2**31 - 1, -(2**31), -1))),
    ("samples, longest payload, all zeros", 0, Samples(0, 115, 0, 1, bytes(_ROOM))),
    ("samples, longest payload, few zeros", 0x0101, Samples(15, 115, _U32, 0x7F7F_7F7F, b"\xff" * _ROOM)),
    ("beats, one, interval and quality not known", 0, Beats((Beat(0, 0, UNKNOWN),))),
    ("beats, typical", 8, Beats((Beat(2_400_000, 8_731, 97), Beat(3_265_000, 8_650, 100)))),
    ("beats, most", 0xFFFF, Beats(tuple(Beat(_U32 - n, 0xFFFF, n % 101) for n in range(34)))),
    ("contact, off", 0, Contact(0, Part.PULSE, on=False)),
    ("contact, on", 9, Contact(2_500_000, Part.SKIN, on=True)),
    ("battery, nothing known", 0, Battery(UNKNOWN, UNKNOWN, 0)),
    ("battery, typical", 10, Battery(87, 0, 3_912)),
    ("battery, full, on the charger", 0xFFFF, Battery(100, 1, 0xFFFF)),
    ("log, empty", 0, Log(0, "")),
    ("log, typical", 11, Log(1, "sensor found at 0x57")),
    ("log, longest", 0xFFFF, Log(3, "é" * 100)),
    ("fault, ends", 0, Fault(0, FaultCode.NO_ANSWER, 0, active=False)),
    ("fault, typical", 12, Fault(2_600_000, FaultCode.ELECTRODE, 0, active=True, text="electrode open")),
    ("fault, the maker's own, whole board", 0xFFFF, Fault(_U32, 0xFFFF, WHOLE_BOARD, active=True, text="x" * 64)),
    ("time, zeros", 0, Time(0, 0, 0)),
    ("time, typical", 13, Time(0xCAFE_0001, 2_700_000, 2_700_160)),
    ("time, most", 0xFFFF, Time(_U32, _U32, _U32)),
    ("setting, nothing in force", 0, Setting(0, 0, 0, Status.UNKNOWN, b"")),
    ("setting, rate", 14, Setting(7, Key.RATE, 0, Status.UNTIL_POWER_OFF, struct.pack("<I", 8_000))),
    ("setting, device id", 15, Setting(8, Key.DEVICE_ID, 0, Status.KEPT, b"clip-07")),
    ("setting, longest", 0xFFFF, Setting(0xFFFF, 255, 255, Status.BUSY, b"\xff" * 234)),
    ("hello request", 0, HelloRequest()),
    ("time request", 1, TimeRequest(0xCAFE_0001)),
    ("time request, zero", 0xFFFF, TimeRequest(0)),
    ("set, device id", 2, Set(Key.DEVICE_ID, 0, b"clip-07")),
    ("set, no device id", 3, Set(Key.DEVICE_ID, 0, b"")),
    ("set, rate", 4, Set(Key.RATE, 15, struct.pack("<I", 200_000))),
    ("set, longest", 0xFFFF, Set(255, 255, bytes(237))),
    ("get", 5, Get(Key.RATE, 1)),
    ("get, zeros", 0, Get(0, 0)),
)  # fmt: skip
"""Every message: name, counter, message."""

LONGER: tuple[tuple[str, Message, bytes], ...] = (
    ("contact of a later version, two bytes longer", Contact(1, Part.PULSE, on=True), b"\x07\x00"),
    ("time request with more behind it", TimeRequest(9), b"later"),
    ("log with more behind its text", Log(2, "low light"), b"\xff"),
)
"""Payloads that are longer than their fields: read, the rest ignored."""

VALUES: tuple[tuple[str, Stream, Samples], ...] = (
    ("i16, one not measured", EDA, Samples(0, 4, 0, 1, struct.pack("<4h", 421, 0, -32_768, -1))),
    ("i16, three axes, one of them not measured", ACC, Samples(1, 2, 0, 1, struct.pack("<6h", -12, 7, 2_047, -13, -32_768, 2_049))),
    ("i32, offset", Stream(2, "distance_m", "m", 1, Encoding.I32, 1_000, 0.0009765625, 0.5), Samples(2, 2, 0, 1, struct.pack("<2i", -(2**31), 1_024))),
    ("f32", Stream(3, "skin_temp_c", "degC", 1, Encoding.F32, 1_000, 2.0, -1.0), Samples(3, 2, 0, 1, struct.pack("<2f", 17.0, float("nan")))),
)  # fmt: skip
"""From raw values to values."""


def impossible() -> list[tuple[str, int, bytes]]:
    """Return payloads that say something impossible: name, type, payload."""
    hello, stream = HELLO.pack(), EDA.pack()
    beat = struct.pack("<BIHB", 1, 5, 8_000, 101)
    return [
        ("hello, cut off", Hello.TYPE, hello[:-1]),
        ("hello, ticks too slow", Hello.TYPE, hello[:4] + struct.pack("<I", 999) + hello[8:]),
        ("hello, ticks too fast", Hello.TYPE, hello[:4] + struct.pack("<I", 10_000_001) + hello[8:]),
        ("hello, 17 streams", Hello.TYPE, hello[:12] + b"\x11" + hello[13:]),
        ("hello, no maker", Hello.TYPE, hello[:13] + b"\x00\x01m\x01f\x00"),
        ("hello, a text of 33 bytes", Hello.TYPE, hello[:13] + b"\x21" + b"a" * 33 + b"\x01m\x01f\x00"),
        ("hello, no UTF-8", Hello.TYPE, hello[:13] + b"\x02\xc3\x28\x01m\x01f\x00"),
        ("stream, number 16", Stream.TYPE, b"\x10" + stream[1:]),
        ("stream, no width", Stream.TYPE, stream[:-14] + b"\x00" + stream[-13:]),
        ("stream, encoding 4", Stream.TYPE, stream[:-13] + b"\x04" + stream[-12:]),
        ("stream, no rate", Stream.TYPE, stream[:-12] + bytes(4) + stream[-8:]),
        ("stream, rate of 200.001 Hz", Stream.TYPE, stream[:-12] + struct.pack("<I", 200_001) + stream[-8:]),
        ("stream, scale 0", Stream.TYPE, stream[:-8] + bytes(4) + stream[-4:]),
        ("stream, scale not finite", Stream.TYPE, stream[:-8] + struct.pack("<f", float("inf")) + stream[-4:]),
        ("stream, offset not a number", Stream.TYPE, stream[:-4] + struct.pack("<f", float("nan"))),
        ("samples, cut off", Samples.TYPE, bytes(9)),
        ("samples, none", Samples.TYPE, struct.pack("<BBII", 0, 0, 1, 1)),
        ("samples, all at once", Samples.TYPE, struct.pack("<BBIIhh", 0, 2, 1, 0, 1, 2)),
        ("samples, stream 16", Samples.TYPE, struct.pack("<BBIIh", 16, 1, 1, 1, 1)),
        ("beats, none", Beats.TYPE, b"\x00"),
        ("beats, fewer than announced", Beats.TYPE, b"\x02" + beat[1:-1] + b"\x64"),
        ("beats, quality 101", Beats.TYPE, beat),
        ("contact, part 2", Contact.TYPE, struct.pack("<IBB", 1, 2, 1)),
        ("contact, neither on nor off", Contact.TYPE, struct.pack("<IBB", 1, 0, 2)),
        ("battery, 101 %", Battery.TYPE, struct.pack("<BBH", 101, 0, 0)),
        ("battery, charging 2", Battery.TYPE, struct.pack("<BBH", 50, 2, 0)),
        ("log, level 4", Log.TYPE, b"\x04\x00"),
        ("log, a text of 201 bytes", Log.TYPE, b"\x00\xc9" + b"a" * 201),
        ("fault, stream 16", Fault.TYPE, struct.pack("<IHBBB", 1, 1, 16, 1, 0)),
        ("fault, neither active nor not", Fault.TYPE, struct.pack("<IHBBB", 1, 1, 0, 2, 0)),
        ("time, cut off", Time.TYPE, bytes(11)),
        ("setting, status 6", Setting.TYPE, struct.pack("<HBBBB", 0, 1, 0, 6, 0)),
        ("setting, shorter than its value", Setting.TYPE, struct.pack("<HBBBB", 0, 1, 0, 0, 2) + b"x"),
        ("set, shorter than its value", Set.TYPE, b"\x01\x00\x02x"),
        ("get, cut off", Get.TYPE, b"\x01"),
        ("time request, cut off", TimeRequest.TYPE, bytes(3)),
    ]  # fmt: skip


def refused() -> list[tuple[str, str, bytes]]:
    """Return what a receiver refuses: name, reason, bytes with the zero behind them."""
    whole = encode(Frame(HELLO.TYPE, 3, HELLO.pack()))
    flipped = whole[:22] + bytes((whole[22] ^ 0x40,)) + whole[23:]
    cases = [
        ("eight bytes", "stuffing", b"\x08" + b"\x01" * 7 + b"\x00"),
        ("one byte", "stuffing", b"\x01\x00"),
        ("a distance beyond the end", "stuffing", b"\x20" + whole[1:]),
        ("a frame cut off", "stuffing", whole[:-6] + b"\x00"),
        ("250 bytes", "too_long", b"\xff" * 250 + b"\x00"),
        ("three frames whose zeros were lost", "too_long", encode(Frame(3, 1, bytes(200)))[:-1] * 3 + b"\x00"),
        ("one bit flipped", "crc", flipped),
        ("a check sum of zeros", "crc", b"\x05\x01\x05\x01\x01\x01\x01\x01\x01\x00"),
        ("version 2", "version", close(struct.pack("<BBH", 2, Hello.TYPE, 3) + HELLO.pack())),
        ("type 0x7F", "type", encode(Frame(0x7F, 4, b"later"))),
        ("type 0", "type", encode(Frame(0, 4, b""))),
    ]  # fmt: skip
    payloads = [
        (name, "content", encode(Frame(kind, 5, payload))) for name, kind, payload in impossible()
    ]
    return cases + payloads


@dataclass(frozen=True, slots=True)
class Case:
    """A stream of bytes and what must come out of it.

    Parameters
    ----------
    name : str
    data : bytes
        However it is cut into pieces.
    taken : tuple of (type, counter)
        Frames that are taken, in this order.
    refused : dict
        Reason to how many.
    lost, repeated, late : int
    """

    name: str
    data: bytes
    taken: tuple[tuple[int, int], ...]
    refused: dict[str, int]
    lost: int = 0
    repeated: int = 0
    late: int = 0


def _samples(counter: int) -> bytes:
    ticks = 2_100_000 + 1_000 * (counter & 0xFF)
    raw = struct.pack("<2h", counter & 0xFF, -1)
    return encode(Frame(Samples.TYPE, counter, Samples(0, 2, ticks, 250_000, raw).pack()))


def streams() -> list[Case]:
    """Return whole streams, with what goes wrong on a wire."""
    one = {n: _samples(n) for n in (*range(100, 180), 65_534, 65_535, 0, 1, 2)}
    s = Samples.TYPE
    hello = encode(Frame(Hello.TYPE, 99, HELLO.pack()))
    flipped = one[102][:7] + bytes((one[102][7] ^ 0x10,)) + one[102][8:]
    return [
        Case("a boot loader prints, then all is well", b"boot v1.2\r\n\x00" + hello + one[100] + one[101], ((1, 99), (s, 100), (s, 101)), {}),
        Case("listened to from the middle of a frame", one[100][5:] + one[101] + one[102], ((s, 101), (s, 102)), {}),
        Case("zeros between frames mean nothing", b"\x00\x00" + one[100] + b"\x00\x00\x00" + one[101], ((s, 100), (s, 101)), {}),
        Case("the counter wraps", b"\x00" + b"".join(one[n] for n in (65_534, 65_535, 0, 1)), ((s, 65_534), (s, 65_535), (s, 0), (s, 1)), {}),
        Case("a frame is lost where the counter wraps", b"\x00" + one[65_535] + one[1], ((s, 65_535), (s, 1)), {}, lost=1),
        Case("a bit flips", b"\x00" + one[101] + flipped + one[103], ((s, 101), (s, 103)), {"crc": 1}, lost=1),
        Case("a frame is cut off and the next one runs on", b"\x00" + one[101] + one[102][:9] + one[103] + one[104], ((s, 101), (s, 104)), {"crc": 1}, lost=2),
        Case("a zero falls into a frame", b"\x00" + one[101] + one[102][:12] + b"\x00" + one[102][12:] + one[103], ((s, 101), (s, 103)), {"stuffing": 2}, lost=1),
        Case("noise without zeros, then a frame", b"\x00" + one[101] + b"\xa5" * 700 + b"\x00" + one[102], ((s, 101), (s, 102)), {"too_long": 1}),
        Case("a frame comes twice", b"\x00" + one[101] + one[102] + one[102] + one[101] + one[103], ((s, 101), (s, 102), (s, 103)), {}, repeated=2),
        Case("two frames change places", b"\x00" + one[101] + one[103] + one[102] + one[104], ((s, 101), (s, 103), (s, 102), (s, 104)), {}, late=1),
        Case("64 behind the newest is taken, once", b"\x00" + one[101] + one[166] + one[102] + one[102], ((s, 101), (s, 166), (s, 102)), {}, lost=63, repeated=1, late=1),
        Case("a type of a later version", b"\x00" + one[101] + encode(Frame(0x7F, 102, b"later")) + one[103], ((s, 101), (s, 103)), {"type": 1}),
        Case("a payload that says something impossible", b"\x00" + one[101] + encode(Frame(Contact.TYPE, 102, struct.pack("<IBB", 1, 9, 1))) + one[103], ((s, 101), (s, 103)), {"content": 1}),
    ]  # fmt: skip
