"""Frames of the serial protocol: stuffed bytes with a check sum, in both directions; pure.

Consistent overhead byte stuffing after Cheshire & Baker 1999, IEEE/ACM
Transactions on Networking 7(2):159. A frame is so short that no stretch
without a zero reaches 254 bytes: stuffing is then a chain of distances, which
is decoded in place. Defined in hardware.md, *Frames*.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

VERSION = 1

MAX_PAYLOAD = 240
"""Longest payload of one frame. [byte]"""

MAX_STUFFED = 249
"""Longest frame between two zero bytes. [byte]"""

_HEAD = struct.Struct("<BBH")
_CRC = struct.Struct("<I")
_LEAST_STUFFED = 1 + _HEAD.size + _CRC.size
_COUNTERS = 1 << 16
_RESIDUE = 0x2144DF1C  # CRC-32 of anything followed by its own CRC-32
_BEFORE_ZERO = 0x0F6A7026  # from here a zero byte, the one in front, leads to where a CRC-32 begins
# By length: one call takes a frame apart, between the byte in front and the check sum.
_LAYOUTS = {
    _LEAST_STUFFED + size: struct.Struct(f"<xBBH{size}s") for size in range(MAX_PAYLOAD + 1)
}

_new = tuple.__new__  # a third of the time of a named tuple's own


class Frame(NamedTuple):
    """One whole frame, its check sum verified.

    Parameters
    ----------
    type : int
        0-255; see :mod:`firmware_bridge.protocol.messages`.
    counter : int
        0-65535, counted by its sender.
    payload : bytes
        Up to :data:`MAX_PAYLOAD` bytes.
    """

    type: int
    counter: int
    payload: bytes


@dataclass(slots=True)
class Refused:
    """Frames that could not be read, by reason."""

    too_long: int = 0
    stuffing: int = 0
    crc: int = 0
    version: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.too_long + self.stuffing + self.crc + self.version


def encode(frame: Frame) -> bytes:
    """Return `frame` as it goes over the wire, with the zero byte behind it.

    Raises
    ------
    ValueError
        If a field is out of range.
    """
    if len(frame.payload) > MAX_PAYLOAD:
        raise ValueError(f"payload has {len(frame.payload)} bytes; expected up to {MAX_PAYLOAD}")
    if not (0 <= frame.type <= 0xFF and 0 <= frame.counter < _COUNTERS):
        raise ValueError(f"type {frame.type} or counter {frame.counter} is out of range")
    return close(_HEAD.pack(VERSION, frame.type, frame.counter) + frame.payload)


def close(body: bytes) -> bytes:
    """Return `body` with its check sum, stuffed, and the zero byte behind it."""
    pieces = (body + _CRC.pack(crc32(body))).split(b"\0")
    return b"".join(bytes((len(piece) + 1,)) + piece for piece in pieces) + b"\0"


@dataclass(slots=True)
class Deframer:
    """Cuts the byte stream of one sender into frames.

    However the stream is cut into pieces, the frames are the same; at most
    one frame is held. What comes before the first zero byte may be the tail of
    a frame: it is tried, and not counted when it is none.
    """

    refused: Refused = field(default_factory=Refused)
    _pending: bytes = b""
    _joined: bool = False

    def rejoin(self) -> None:
        """Take that the stream was cut: what comes next may begin within a frame."""
        self._pending, self._joined = b"", False

    def feed(self, data: bytes) -> list[Frame]:
        """Return each frame that `data` completes, oldest first."""
        return [_new(Frame, fields) for fields in self.fields(data)]

    def fields(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Return type, counter and payload of each frame: :meth:`feed` in two thirds of the time."""
        pieces = data.split(b"\0")
        pieces[0] = self._pending + pieces[0]
        # One byte more than a frame has tells that it is too long; no more is kept.
        self._pending = pieces.pop()[: MAX_STUFFED + 1]
        frames: list[tuple[int, int, bytes]] = []
        if pieces and not self._joined:
            self._joined = True
            first = _decode(pieces.pop(0), Refused())
            frames = [] if first is None else [first]
        refused = self.refused
        for piece in pieces:
            if piece and (frame := _decode(piece, refused)) is not None:
                frames.append(frame)
        return frames


def _decode(stuffed: bytes, refused: Refused) -> tuple[int, int, bytes] | None:
    end = len(stuffed)
    if not _LEAST_STUFFED <= end <= MAX_STUFFED:
        if end > MAX_STUFFED:
            refused.too_long += 1
        else:
            refused.stuffing += 1
        return None
    body = bytearray(stuffed)
    at = 0
    while at < end:
        distance = stuffed[at]
        body[at] = 0
        at += distance
    if at != end:
        refused.stuffing += 1
        return None
    # With its own check sum behind it, whatever is whole has this one.
    if crc32(body, _BEFORE_ZERO) != _RESIDUE:
        refused.crc += 1
        return None
    version, kind, counter, payload = _LAYOUTS[end].unpack_from(body)
    if version != VERSION:
        refused.version += 1
        return None
    return kind, counter, payload
