"""Everything that went over the wire during a check, with its times; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from firmware_bridge.protocol.framing import Deframer, Frame, encode
from firmware_bridge.protocol.messages import ContentError, FromHost, Message, unpack

LATER_TYPE = 0x7F
"""A type of a later version, which a board has to pass over."""

_BEGIN_BYTES = 200
_COUNTERS = 1 << 16


@dataclass(frozen=True, slots=True)
class Heard:
    """One whole frame of the board.

    Parameters
    ----------
    at_s : float
        When it arrived, since the check began. [s]
    frame : Frame
    message : Message or None
        What it says; None for a type of a later version, or with `error`.
    error : str
        Why its payload cannot be read; empty if it can.
    refused : int
        Pieces refused since the frame before.
    """

    at_s: float
    frame: Frame
    message: Message | None
    error: str = ""
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """One frame to the board, when [s], and what it is for."""

    at_s: float
    counter: int
    message: FromHost
    purpose: str = ""


@dataclass(slots=True)
class Trace:
    """What was heard and sent, oldest first; times count from the beginning of the check.

    Parameters
    ----------
    slack_s : float
        By how much every limit is widened: links and hosts take time, too. [s]
    is_one_way : bool
        Whether the board cannot be asked.
    """

    slack_s: float = 0.25
    is_one_way: bool = False
    heard: list[Heard] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    refusals: list[tuple[float, str]] = field(default_factory=list)
    arrivals_s: list[float] = field(default_factory=list)
    """When any bytes arrived. [s]"""
    garbage_s: float | None = None
    """When damaged frames were sent on purpose. [s]"""
    gone_s: float | None = None
    """When the port went away by itself. [s]"""
    end_s: float = 0.0
    bytes_heard: int = 0
    begin: bytes = b""
    """The first bytes that arrived, to tell what they may be."""
    _deframer: Deframer = field(default_factory=Deframer)
    _counter: int = 0
    _refused: int = 0

    def take(self, data: bytes, at_s: float) -> list[Heard]:
        """Note `data` that arrived at `at_s`; return the frames that it completes."""
        self.end_s = max(self.end_s, at_s)
        if data:
            self.arrivals_s.append(at_s)
            self.bytes_heard += len(data)
            self.begin = (self.begin + data)[:_BEGIN_BYTES]
        new: list[Heard] = []
        for piece in re.split(rb"(?<=\0)", data):
            new += self._take_piece(piece, at_s)
        self.heard += new
        return new

    def _take_piece(self, piece: bytes, at_s: float) -> Iterator[Heard]:
        before = asdict(self._deframer.refused)
        for frame in self._deframer.feed(piece):
            refused, self._refused = self._refused, 0
            try:
                message, error = unpack(frame.type, frame.payload), ""
            except ContentError as unreadable:
                message, error = None, str(unreadable)
            yield Heard(at_s, frame, message, error, refused)
        for reason, count in asdict(self._deframer.refused).items():
            if count > before[reason]:
                self._refused += 1
                self.refusals.append((at_s, reason.replace("_", " ")))

    def send(self, message: FromHost, at_s: float, purpose: str = "") -> bytes:
        """Note a message to the board and return its frame."""
        self._counter = (self._counter + 1) % _COUNTERS
        self.sent.append(Sent(at_s, self._counter, message, purpose))
        return encode(Frame(message.TYPE, self._counter, message.pack()))
