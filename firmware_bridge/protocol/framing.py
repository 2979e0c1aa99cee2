"""Frames of the serial protocol: stuffed bytes with a check sum, in both directions; pure.

Consistent overhead byte stuffing after Cheshire & Baker 1999, IEEE/ACM
Transactions on Networking 7(2):159. A frame is so short that no stretch
without a zero reaches 254 bytes: stuffing is then a chain of distances, which
is decoded in place. Defined in hardware.md, *Frames*.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Frame:
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
    body = _HEAD.pack(VERSION, frame.type, frame.counter) + frame.payload
    return _stuff(body + _CRC.pack(crc32(body)))


def _stuff(body: bytes) -> bytes:
    pieces = body.split(b"\0")
    return b"".join(bytes((len(piece) + 1,)) + piece for piece in pieces) + b"\0"


def _unstuff(stuffed: bytearray) -> bool:
    """Undo the stuffing in place, but for the byte in front; False if it is none."""
    at, end = 0, len(stuffed)
    while at < end:
        distance = stuffed[at]
        stuffed[at] = 0
        at += distance
    return at == end


@dataclass(slots=True)
class Deframer:
    """Cuts the byte stream of one sender into frames.

    However the stream is cut into pieces, the frames are the same; at most
    one frame is held. What comes before the first zero byte may be the tail of
    a frame: it is tried, and not counted when it is none.
    """

    refused: Refused = field(default_factory=Refused)
    _pending: bytearray = field(default_factory=bytearray)
    _overlong: bool = False
    _joined: bool = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield each frame that `data` completes, oldest first."""
        *ended, rest = data.split(b"\0")
        for piece in ended:
            self._take(piece)
            frame = self._end()
            if frame is not None:
                yield frame
        self._take(rest)

    def _take(self, piece: bytes) -> None:
        if len(self._pending) + len(piece) > MAX_STUFFED:
            self._overlong = True
            self._pending.clear()
        elif not self._overlong:
            self._pending += piece

    def _end(self) -> Frame | None:
        stuffed, overlong, joined = self._pending, self._overlong, self._joined
        self._pending, self._overlong, self._joined = bytearray(), False, True
        if not stuffed and not overlong:
            return None
        refused = self.refused if joined else Refused()
        if overlong:
            refused.too_long += 1
            return None
        return _decode(stuffed, refused)


def _decode(stuffed: bytearray, refused: Refused) -> Frame | None:
    if len(stuffed) < _LEAST_STUFFED or not _unstuff(stuffed):
        refused.stuffing += 1
        return None
    body = bytes(stuffed[1 : -_CRC.size])
    if crc32(body) != _CRC.unpack_from(stuffed, len(stuffed) - _CRC.size)[0]:
        refused.crc += 1
        return None
    version, kind, counter = _HEAD.unpack_from(body)
    if version != VERSION:
        refused.version += 1
        return None
    return Frame(kind, counter, body[_HEAD.size :])
