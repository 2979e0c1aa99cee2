"""Messages that a board sends: payload bytes to values and back; pure.

Defined in hardware.md, *Messages*; the field names are the same there. Ticks
are the board's own, 32 bits, wrapping.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

from firmware_bridge.protocol.fields import (
    MAX_FAULT_TEXT,
    MAX_LOG,
    U8,
    ContentError,
    Reader,
    expect,
    text_field,
)
from firmware_bridge.protocol.streams import MAX_STREAMS

WHOLE_BOARD = 255
"""`Fault.stream` when it concerns the whole board."""
UNKNOWN = 255
"""`quality`, `percent` or `charging` when the board does not know."""

_HELLO = struct.Struct("<IIIB")
_BEAT = struct.Struct("<IHB")
_CONTACT = struct.Struct("<IBB")
_BATTERY = struct.Struct("<BBH")
_FAULT = struct.Struct("<IHBB")
_TIME = struct.Struct("<III")
_SETTING = struct.Struct("<HBBBB")


class Part(IntEnum):
    """What touches skin, or does not."""

    PULSE = 0
    SKIN = 1


class Key(IntEnum):
    """What can be set."""

    DEVICE_ID = 1
    RATE = 2


class Status(IntEnum):
    """What became of a SET or GET."""

    KEPT = 0
    UNTIL_POWER_OFF = 1
    UNKNOWN = 2
    REFUSED = 3
    FIXED = 4
    BUSY = 5


class FaultCode(IntEnum):
    """Faults every maker has; 0x8000 and above are the maker's own."""

    NO_ANSWER = 1
    SATURATED = 2
    ELECTRODE = 3
    OVERRUN = 4
    SUPPLY = 5
    SETTINGS_LOST = 6


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is there; see hardware.md for each field."""

    TYPE: ClassVar[int] = 0x01
    boot: int
    tick_hz: int
    now: int
    streams: int
    maker: str
    model: str
    firmware: str
    device_id: str = ""

    def pack(self) -> bytes:
        """Return the payload."""
        texts = (self.maker, self.model, self.firmware, self.device_id)
        head = _HELLO.pack(self.boot, self.tick_hz, self.now, self.streams)
        return head + b"".join(map(text_field, texts))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = Reader(payload)
        boot, tick_hz, now, streams = reader.take(_HELLO)
        texts = [reader.text() for _ in range(4)]
        expect(1_000 <= tick_hz <= 10_000_000, f"tick_hz is {tick_hz}")
        expect(streams <= MAX_STREAMS, f"streams is {streams}")
        expect(all(texts[:3]), "maker, model or firmware is empty")
        return cls(boot, tick_hz, now, streams, *texts)


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat: when, and since the one before [0.1 ms], 0 if not known."""

    at: int
    interval: int
    quality: int


@dataclass(frozen=True, slots=True)
class Beats:
    """Heartbeats that the board found itself."""

    TYPE: ClassVar[int] = 0x04
    beats: tuple[Beat, ...]

    def pack(self) -> bytes:
        """Return the payload."""
        packed = (_BEAT.pack(beat.at, beat.interval, beat.quality) for beat in self.beats)
        return bytes((len(self.beats),)) + b"".join(packed)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        (count,) = Reader(payload).take(U8)
        expect(count >= 1, "count is 0")
        packed = payload[1 : 1 + count * _BEAT.size]
        if len(packed) < count * _BEAT.size:
            raise ContentError(f"{len(payload)} bytes are too few")
        beats = tuple(Beat(*fields) for fields in _BEAT.iter_unpack(packed))
        expect(all(b.quality <= 100 or b.quality == UNKNOWN for b in beats), "quality over 100")
        return cls(beats)


@dataclass(frozen=True, slots=True)
class Contact:
    """Whether a part touches skin."""

    TYPE: ClassVar[int] = 0x05
    at: int
    part: Part
    on: bool

    def pack(self) -> bytes:
        """Return the payload."""
        return _CONTACT.pack(self.at, self.part, self.on)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        at, part, on = Reader(payload).take(_CONTACT)
        expect(part <= Part.SKIN, f"part is {part}")
        expect(on <= 1, f"on is {on}")
        return cls(at, Part(part), bool(on))


@dataclass(frozen=True, slots=True)
class Battery:
    """State of the board's battery."""

    TYPE: ClassVar[int] = 0x06
    percent: int
    charging: int
    millivolts: int

    def pack(self) -> bytes:
        """Return the payload."""
        return _BATTERY.pack(self.percent, self.charging, self.millivolts)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        percent, charging, millivolts = Reader(payload).take(_BATTERY)
        expect(percent <= 100 or percent == UNKNOWN, f"percent is {percent}")
        expect(charging <= 1 or charging == UNKNOWN, f"charging is {charging}")
        return cls(percent, charging, millivolts)


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the bench; 0 debug to 3 error."""

    TYPE: ClassVar[int] = 0x07
    level: int
    text: str

    def pack(self) -> bytes:
        """Return the payload."""
        return bytes((self.level,)) + text_field(self.text, MAX_LOG)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = Reader(payload)
        (level,) = reader.take(U8)
        expect(level <= 3, f"level is {level}")
        return cls(level, reader.text(MAX_LOG))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something begins or ends to be wrong with one stream, or the whole board."""

    TYPE: ClassVar[int] = 0x08
    at: int
    code: int
    stream: int
    active: bool
    text: str = ""

    def pack(self) -> bytes:
        """Return the payload."""
        head = _FAULT.pack(self.at, self.code, self.stream, self.active)
        return head + text_field(self.text, MAX_FAULT_TEXT)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = Reader(payload)
        at, code, stream, active = reader.take(_FAULT)
        expect(stream < MAX_STREAMS or stream == WHOLE_BOARD, f"stream is {stream}")
        expect(active <= 1, f"active is {active}")
        return cls(at, code, stream, bool(active), reader.text(MAX_FAULT_TEXT))


@dataclass(frozen=True, slots=True)
class Time:
    """Answer to TIME_REQUEST."""

    TYPE: ClassVar[int] = 0x09
    token: int
    received: int
    sent: int

    def pack(self) -> bytes:
        """Return the payload."""
        return _TIME.pack(self.token, self.received, self.sent)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        return cls(*Reader(payload).take(_TIME))


@dataclass(frozen=True, slots=True)
class Setting:
    """Answer to SET and GET: what is in force now."""

    TYPE: ClassVar[int] = 0x0A
    reply_to: int
    key: int
    index: int
    status: Status
    value: bytes

    def pack(self) -> bytes:
        """Return the payload."""
        size = len(self.value)
        return _SETTING.pack(self.reply_to, self.key, self.index, self.status, size) + self.value

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = Reader(payload)
        reply_to, key, index, status, size = reader.take(_SETTING)
        expect(status <= Status.BUSY, f"status is {status}")
        return cls(reply_to, key, index, Status(status), reader.raw(size))
