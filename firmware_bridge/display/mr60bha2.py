"""The serial protocol of Seeed's MR60BHA2 (60 GHz, breathing): pure.

A frame is ``01``, number, length and type (two bytes each, big-endian), a
check byte of these, the data, and a check byte of the data; a check byte is
the complement of all bytes XORed. Numbers in the data are little-endian.

Read are presence and breathing rate, on which the sources agree. Not read
are distance (its unit differs between firmwares), position, phases and the
radar's heart rate, which is none of a headset's.

References
----------
.. [1] Seeed Studio, library ``Seeed_Arduino_mmWave``: ``SEEED_MR60BHA2.cpp``
   and ``SeeedmmWave.cpp``, 2024.
.. [2] ESPHome, component ``seeed_mr60bha2``, contributed by Seeed.
.. [3] Seeed Studio, "Getting started with the 60 GHz mmWave breathing and
   heartbeat detection sensor kit": for sleeping people, not at a desk.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from operator import xor

from firmware_bridge.display.resync import Cut, cut

BAUD = 115_200
"""8N1. [1/s] [1]_"""

MAX_DATA_BYTES = 512
"""Longest data the maker's own library takes. [byte] [1]_"""

_START = 0x01
_HEAD_BYTES = 8  # start, number, length, type, check
_BREATHING, _PERSON = 0x0A14, 0x0F09
_MOST_PER_MIN = 200.0
"""A faster rate is no breathing, and makes the frame unbelievable. [1/min]"""


class Refusal(StrEnum):
    """Why a frame was refused."""

    HEAD = "head"  # its first check byte is wrong, or its length
    DATA = "data"  # its second check byte is wrong
    CONTENT = "content"  # numbers no radar measures


@dataclass(slots=True)
class Counts:
    """What became of the bytes.

    Parameters
    ----------
    reports : int
        Frames of a kind that is read.
    others : int
        Whole frames of other kinds.
    skipped_bytes : int
        Outside whole frames.
    refused : Counter
        Frames that were refused, by reason. Any byte 01 may look like a
        beginning, so *head* counts noise, too.
    """

    reports: int = 0
    others: int = 0
    skipped_bytes: int = 0
    refused: Counter[Refusal] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Person:
    """Whether the radar sees somebody."""

    is_there: bool


@dataclass(frozen=True, slots=True)
class Breathing:
    """The rate the radar works out; 0 while it has none. [1/min]."""

    per_min: float


@dataclass(slots=True)
class Mr60bha2:
    """Decodes the byte stream of one radar; holds at most one frame."""

    counts: Counts = field(default_factory=Counts)
    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Person | Breathing]:
        """Return what the frames completed by `data` say, oldest first.

        However the stream is cut into pieces, the result is the same.
        """
        self._pending += data
        found: Cut[Person | Breathing | None, Refusal] = cut(self._pending, _begin, _size, _read)
        said = [read for read in found.read if read is not None]
        self.counts.reports += len(said)
        self.counts.others += len(found.read) - len(said)
        self.counts.refused.update(found.refused)
        self.counts.skipped_bytes += found.skipped_bytes
        return said


def _begin(pending: bytearray, start: int) -> int:
    at = pending.find(_START, start)
    return len(pending) if at < 0 else at


def _check(data: bytes) -> int:
    return ~reduce(xor, data, 0) & 0xFF


def _size(pending: bytearray, at: int) -> int | Refusal | None:
    """Return the size of the frame at `at`; ``None`` is not known yet."""
    if len(pending) - at < _HEAD_BYTES:
        return None
    head = bytes(pending[at : at + _HEAD_BYTES])
    length = int.from_bytes(head[3:5])
    if length > MAX_DATA_BYTES or head[-1] != _check(head[:-1]):
        return Refusal.HEAD
    size = _HEAD_BYTES + length + 1
    return size if len(pending) - at >= size else None


def _read(frame: bytes) -> tuple[Person | Breathing | None] | Refusal:
    kind, data = int.from_bytes(frame[5:7]), frame[_HEAD_BYTES:-1]
    if frame[-1] != _check(data):
        return Refusal.DATA
    if kind == _PERSON:
        return (Person(bool(data[0])),) if data else Refusal.CONTENT
    if kind != _BREATHING:
        return (None,)
    if len(data) != struct.calcsize("<f"):
        return Refusal.CONTENT
    (per_min,) = struct.unpack("<f", data)
    if not math.isfinite(per_min) or not 0.0 <= per_min <= _MOST_PER_MIN:
        return Refusal.CONTENT
    return (Breathing(per_min),)
