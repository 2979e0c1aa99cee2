"""What a board measures: its streams and their samples, payload bytes to values and back; pure.

Defined in hardware.md, *Messages*; the field names are the same there.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol.fields import U8, ContentError, Reader, expect, text_field

MAX_STREAMS = 16

_STREAM = struct.Struct("<BBIff")
_SAMPLES = struct.Struct("<BBII")


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
_MISSING_RAW = {
    Encoding.I16: struct.pack("<h", _MISSING[Encoding.I16]),
    Encoding.I32: struct.pack("<i", _MISSING[Encoding.I32]),
}


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
        names = text_field(self.signal) + text_field(self.unit)
        tail = _STREAM.pack(self.width, self.encoding, self.rate_mhz, self.scale, self.offset)
        return bytes((self.stream,)) + names + tail

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        reader = Reader(payload)
        (stream,) = reader.take(U8)
        signal, unit = reader.text(), reader.text()
        width, encoding, rate_mhz, scale, offset = reader.take(_STREAM)
        expect(stream < MAX_STREAMS, f"stream is {stream}")
        expect(width >= 1, "width is 0")
        expect(encoding in _DTYPES, f"encoding is {encoding}")
        expect(1 <= rate_mhz <= 200_000, f"rate_mhz is {rate_mhz}")
        expect(math.isfinite(scale) and scale != 0.0, f"scale is {scale}")
        expect(math.isfinite(offset), f"offset is {offset}")
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
        raw = samples.raw[: samples.count * self.sample_bytes]
        if len(raw) < samples.count * self.sample_bytes:
            wanted = samples.count * self.width
            raise ContentError(f"stream {self.stream}: fewer values than {wanted}")
        return self.decode(raw).reshape(samples.count, self.width)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample, all its values."""
        return self.width * self.encoding.dtype.itemsize

    def decode(self, raw: bytes) -> NDArray[np.float64]:
        """Return raw values, as many as there are, in :attr:`unit`; NaN where not measured."""
        encoding = self.encoding
        found = np.frombuffer(raw, _DTYPES[encoding])
        if encoding is Encoding.F32:
            with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
                values = found.astype(np.float64) * self.scale
        else:
            values = np.multiply(found, self.scale, dtype=np.float64)
            if _MISSING_RAW[encoding] in raw:
                values[found == _MISSING[encoding]] = np.nan
        values += self.offset
        return values


@dataclass(frozen=True, slots=True)
class Samples:
    """Raw values of one stream, evenly spaced in the board's time."""

    TYPE: ClassVar[int] = 0x03
    stream: int
    count: int
    first: int
    step: int
    raw: bytes
    HEAD_BYTES: ClassVar[int] = _SAMPLES.size

    def pack(self) -> bytes:
        """Return the payload."""
        return _SAMPLES.pack(self.stream, self.count, self.first, self.step) + self.raw

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Return what `payload` says, or raise ContentError."""
        # By far the most frequent message: no calls that a frame does not need.
        if len(payload) < _SAMPLES.size:
            raise ContentError(f"{len(payload)} bytes are too few")
        return cls(*cls.head(payload), payload[_SAMPLES.size :])

    @staticmethod
    def head(payload: bytes) -> tuple[int, int, int, int]:
        """Return `stream`, `count`, `first` and `step`, or raise ContentError."""
        # Once per frame: no calls that most frames do not need.
        if len(payload) < _SAMPLES.size:
            raise ContentError(f"{len(payload)} bytes are too few")
        head: tuple[int, int, int, int] = _SAMPLES.unpack_from(payload)
        stream, count, _, step = head
        if stream >= MAX_STREAMS or count < 1 or (step < 1 and count > 1):
            raise ContentError(f"stream is {stream}, count {count}, step {step}")
        return head
