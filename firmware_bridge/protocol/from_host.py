"""Messages that a host sends: payload bytes to values and back; pure.

Defined in hardware.md, *Messages*.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from firmware_bridge.protocol.fields import Reader

_TOKEN = struct.Struct("<I")
_SET = struct.Struct("<BBB")
_GET = struct.Struct("<BB")


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
        return cls(*Reader(payload).take(_TOKEN))


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
        reader = Reader(payload)
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
        return cls(*Reader(payload).take(_GET))
