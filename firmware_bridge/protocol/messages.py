"""Messages of the serial protocol, typed: payload bytes to values and back; pure.

Defined in hardware.md, *Messages*; the field names are the same there. Ticks
are the board's own, 32 bits, wrapping.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

MAX_STREAMS = 16
WHOLE_BOARD = 255
"""`Fault.stream` when it concerns the whole board."""
UNKNOWN = 255
"""`quality`, `percent` or `charging` when the board does not know."""
MAX_STR = 32
MAX_LOG = 200
MAX_FAULT_TEXT = 64


class ContentError(ValueError):
    """A payload that is shorter than its fields, or says something impossible."""


class Encoding(IntEnum):
    """How raw values are stored."""

    I16 = 1
    I32 = 2
    F32 = 3

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """NumPy's type for it."""
        return _DTYPES[self]


_DTYPES: dict[int, np.dtype[np.generic]] = {
    Encoding.I16: np.dtype("<i2"),
    Encoding.I32: np.dtype("<i4"),
    Encoding.F32: np.dtype("<f4"),
}
_MISSING = {Encoding.I16: -(2**15), Encoding.I32: -(2**31)}


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


class _Reader:
    """Takes fields off a payload, front to back."""

    __slots__ = ("_at", "_payload")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def take(self, layout: struct.Struct) -> tuple[int, ...]:
        try:
            values: tuple[int, ...] = layout.unpack_from(self._payload, self._at)
        except struct.error:
            raise ContentError(f"{len(self._payload)} bytes are too few") from None
        self._at += layout.size
        return values

    def raw(self, size: int) -> bytes:
        piece = self._payload[self._at : self._at + size]
        if len(piece) < size:
            raise ContentError(f"{len(self._payload)} bytes are too few")
        self._at += size
        return piece

    def text(self, limit: int = MAX_STR) -> str:
        (size,) = self.take(_U8)
        if size > limit:
            raise ContentError(f"a text has {size} bytes; expected up to {limit}")
        try:
            return self.raw(size).decode()
        except UnicodeDecodeError:
            raise ContentError("a text is not UTF-8") from None


def _text(text: str, limit: int = MAX_STR) -> bytes:
    encoded = text.encode()
    if len(encoded) > limit:
        raise ContentError(f"{text!r} has {len(encoded)} bytes; expected up to {limit}")
    return bytes((len(encoded),)) + encoded


def _expect(fine: bool, what: str) -> None:
    if not fine:
        raise ContentError(what)


_U8 = struct.Struct("<B")
_HELLO = struct.Struct("<IIIB")
_STREAM = struct.Struct("<BBIff")
_SAMPLES = struct.Struct("<BBII")
_BEAT = struct.Struct("<IHB")
_CONTACT = struct.Struct("<IBB")
_BATTERY = struct.Struct("<BBH")
_FAULT = struct.Struct("<IHBB")
_TIME = struct.Struct("<III")
_SETTING = struct.Struct("<HBBBB")
_TOKEN = struct.Struct("<I")
_SET = struct.Struct("<BBB")
_GET = struct.Struct("<BB")


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
        return head + b"".join(map(_text, texts))

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = _Reader(payload)
        boot, tick_hz, now, streams = reader.take(_HELLO)
        texts = [reader.text() for _ in range(4)]
        _expect(1_000 <= tick_hz <= 10_000_000, f"tick_hz is {tick_hz}")
        _expect(streams <= MAX_STREAMS, f"streams is {streams}")
        _expect(all(texts[:3]), "maker, model or firmware is empty")
        return cls(boot, tick_hz, now, streams, *texts)


@dataclass(frozen=True, slots=True)
class Stream:
    """What one stream measures; a value is ``raw * scale + offset``."""

    TYPE: ClassVar[int] = 0x02
    stream: int
    signal: str
    unit: str
    width: int
    encoding: Encoding
    rate_mhz: int
    scale: float
    offset: float

    def pack(self) -> bytes:
        """Return the payload."""
        names = _text(self.signal) + _text(self.unit)
        tail = _STREAM.pack(self.width, self.encoding, self.rate_mhz, self.scale, self.offset)
        return bytes((self.stream,)) + names + tail

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = _Reader(payload)
        (stream,) = reader.take(_U8)
        signal, unit = reader.text(), reader.text()
        width, encoding, rate_mhz, scale, offset = reader.take(_STREAM)
        _expect(stream < MAX_STREAMS, f"stream is {stream}")
        _expect(width >= 1, "width is 0")
        _expect(encoding in _DTYPES, f"encoding is {encoding}")
        _expect(1 <= rate_mhz <= 200_000, f"rate_mhz is {rate_mhz}")
        _expect(math.isfinite(scale) and scale != 0.0, f"scale is {scale}")
        _expect(math.isfinite(offset), f"offset is {offset}")
        return cls(stream, signal, unit, width, Encoding(encoding), rate_mhz, scale, offset)

    def values(self, samples: Samples) -> NDArray[np.float64]:
        """Return what `samples` measured.

        Returns
        -------
        ndarray, shape (count, width)
            In :attr:`unit`; NaN where it was not measured.

        Raises
        ------
        ContentError
            If there are fewer raw values than announced.
        """
        wanted = samples.count * self.width
        dtype = self.encoding.dtype
        if len(samples.raw) < wanted * dtype.itemsize:
            raise ContentError(f"stream {self.stream}: fewer values than {wanted}")
        raw = np.frombuffer(samples.raw, dtype, wanted)
        values = raw * float(self.scale) + self.offset
        missing = _MISSING.get(self.encoding)
        if missing is not None:
            values = np.where(raw == missing, np.nan, values)
        return values.reshape(samples.count, self.width)


@dataclass(frozen=True, slots=True)
class Samples:
    """Raw values of one stream, evenly spaced in the board's time."""

    TYPE: ClassVar[int] = 0x03
    stream: int
    count: int
    first: int
    step: int
    raw: bytes

    def pack(self) -> bytes:
        """Return the payload."""
        return _SAMPLES.pack(self.stream, self.count, self.first, self.step) + self.raw

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = _Reader(payload)
        stream, count, first, step = reader.take(_SAMPLES)
        _expect(stream < MAX_STREAMS, f"stream is {stream}")
        _expect(count >= 1, "count is 0")
        _expect(step >= 1 or count == 1, "step is 0")
        return cls(stream, count, first, step, payload[_SAMPLES.size :])


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
        reader = _Reader(payload)
        (count,) = reader.take(_U8)
        _expect(count >= 1, "count is 0")
        beats = tuple(Beat(*reader.take(_BEAT)) for _ in range(count))
        _expect(all(b.quality <= 100 or b.quality == UNKNOWN for b in beats), "quality over 100")
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
        at, part, on = _Reader(payload).take(_CONTACT)
        _expect(part <= Part.SKIN, f"part is {part}")
        _expect(on <= 1, f"on is {on}")
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
        percent, charging, millivolts = _Reader(payload).take(_BATTERY)
        _expect(percent <= 100 or percent == UNKNOWN, f"percent is {percent}")
        _expect(charging <= 1 or charging == UNKNOWN, f"charging is {charging}")
        return cls(percent, charging, millivolts)


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the bench; 0 debug to 3 error."""

    TYPE: ClassVar[int] = 0x07
    level: int
    text: str

    def pack(self) -> bytes:
        """Return the payload."""
        return bytes((self.level,)) + _text(self.text, MAX_LOG)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = _Reader(payload)
        (level,) = reader.take(_U8)
        _expect(level <= 3, f"level is {level}")
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
        return head + _text(self.text, MAX_FAULT_TEXT)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = _Reader(payload)
        at, code, stream, active = reader.take(_FAULT)
        _expect(stream < MAX_STREAMS or stream == WHOLE_BOARD, f"stream is {stream}")
        _expect(active <= 1, f"active is {active}")
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
        return cls(*_Reader(payload).take(_TIME))


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
        reader = _Reader(payload)
        reply_to, key, index, status, size = reader.take(_SETTING)
        _expect(status <= Status.BUSY, f"status is {status}")
        return cls(reply_to, key, index, Status(status), reader.raw(size))


@dataclass(frozen=True, slots=True)
class HelloRequest:
    """Asks the board who it is."""

    TYPE: ClassVar[int] = 0x41

    def pack(self) -> bytes:
        """Return the payload, which is empty."""
        return b""

    @classmethod
    def unpack(cls, payload: bytes) -> Self:  # noqa: ARG003 - one shape for all messages
        """Return the request."""
        return cls()


@dataclass(frozen=True, slots=True)
class TimeRequest:
    """Asks for the board's clock."""

    TYPE: ClassVar[int] = 0x42
    token: int

    def pack(self) -> bytes:
        """Return the payload."""
        return _TOKEN.pack(self.token)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        return cls(*_Reader(payload).take(_TOKEN))


@dataclass(frozen=True, slots=True)
class Set:
    """Changes a setting."""

    TYPE: ClassVar[int] = 0x43
    key: int
    index: int
    value: bytes

    def pack(self) -> bytes:
        """Return the payload."""
        return _SET.pack(self.key, self.index, len(self.value)) + self.value

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = _Reader(payload)
        key, index, size = reader.take(_SET)
        return cls(key, index, reader.raw(size))


@dataclass(frozen=True, slots=True)
class Get:
    """Asks for a setting."""

    TYPE: ClassVar[int] = 0x44
    key: int
    index: int

    def pack(self) -> bytes:
        """Return the payload."""
        return _GET.pack(self.key, self.index)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        return cls(*_Reader(payload).take(_GET))


FromBoard = Hello | Stream | Samples | Beats | Contact | Battery | Log | Fault | Time | Setting
FromHost = HelloRequest | TimeRequest | Set | Get
Message = FromBoard | FromHost

_UNPACK: dict[int, Callable[[bytes], Message]] = {
    kind.TYPE: kind.unpack
    for kind in (
        Hello, Stream, Samples, Beats, Contact, Battery, Log, Fault, Time, Setting,
        HelloRequest, TimeRequest, Set, Get,
    )
}  # fmt: skip


def unpack(kind: int, payload: bytes) -> Message | None:
    """Return the message of type `kind`; None for a type of a later version.

    Raises
    ------
    ContentError
        If the payload is shorter than its fields or says something impossible.
    """
    known = _UNPACK.get(kind)
    return None if known is None else known(payload)
