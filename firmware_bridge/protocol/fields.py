"""How fields stand in a payload: numbers little-endian, texts with their length; pure."""

from __future__ import annotations

import struct

MAX_STR = 32
MAX_LOG = 200
MAX_FAULT_TEXT = 64

U8 = struct.Struct("<B")


class ContentError(ValueError):
    """A payload that is shorter than its fields, or says something impossible."""


class Reader:
    """Takes fields off a payload, front to back."""

    __slots__ = ("_at", "_payload")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def take(self, layout: struct.Struct) -> tuple[int, ...]:
        """Return the next fields, as `layout` says."""
        try:
            values: tuple[int, ...] = layout.unpack_from(self._payload, self._at)
        except struct.error:
            raise ContentError(f"{len(self._payload)} bytes are too few") from None
        self._at += layout.size
        return values

    def raw(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        piece = self._payload[self._at : self._at + size]
        if len(piece) < size:
            raise ContentError(f"{len(self._payload)} bytes are too few")
        self._at += size
        return piece

    def text(self, limit: int = MAX_STR) -> str:
        """Return the next text, of up to `limit` bytes."""
        (size,) = self.take(U8)
        if size > limit:
            raise ContentError(f"a text has {size} bytes; expected up to {limit}")
        try:
            return self.raw(size).decode()
        except UnicodeDecodeError:
            raise ContentError("a text is not UTF-8") from None


def expect(fine: bool, what: str) -> None:
    """Refuse a payload that is not `fine`."""
    if not fine:
        raise ContentError(what)


def text_field(text: str, limit: int = MAX_STR) -> bytes:
    """Return `text` as a field, or raise ContentError if it is too long."""
    encoded = text.encode()
    if len(encoded) > limit:
        raise ContentError(f"{text!r} has {len(encoded)} bytes; expected up to {limit}")
    return bytes((len(encoded),)) + encoded
