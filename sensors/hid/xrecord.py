"""What X's RECORD extension sends, from its bytes: replies, and the events in them.

python-xlib reads every field of both by name; on a desk in use that is a third
of what listening costs, and listening most of what this whole program costs.
Nothing else is kept than what python-xlib and pynput ask for.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Protocol

_EVENT = struct.Struct("=BB2xI12xhh4xH2x")
"""X11 protocol, section 11: type, detail, time, root x and y, state; in this machine's order."""

_SENT = 0x80  # set in the type of an event that a program made up
_KEY_PRESS, _MOTION = 2, 6


_REPLY = struct.Struct("=xBHI24x")
"""Record protocol, RecordEnableContext: category, sequence number, length in 4 bytes."""


class Event(NamedTuple):
    """What pynput reads of an event, under python-xlib's names.

    Parameters
    ----------
    type : int
        2 to 6: key press and release, button press and release, motion.
    detail : int
        Key or button.
    time : int
        Of the X server. [ms]
    root_x, root_y : int
        [px]
    state : int
        Modifiers and buttons held.
    send_event : bool
        Whether a program made it up.
    """

    type: int
    detail: int
    time: int
    root_x: int
    root_y: int
    state: int
    send_event: bool


class Reply(NamedTuple):
    """A reply to RecordEnableContext: what python-xlib reads of it, and the events."""

    category: int
    sequence_number: int
    data: bytes


class ReplyParser:
    """Takes the place of python-xlib's ``EnableContext._reply``."""

    def parse_binary(
        self,
        data: bytes,
        display: object,  # noqa: ARG002 - python-xlib's signature
        rawdict: int = 0,  # noqa: ARG002
    ) -> tuple[Reply, bytes]:
        """Return the reply in `data` and the bytes after it."""
        category, number, words = _REPLY.unpack_from(data)
        end = _REPLY.size + 4 * words
        return Reply(category, number, data[_REPLY.size : end]), data[end:]


class Parser(Protocol):
    """The part of python-xlib's that pynput uses."""

    def parse_binary_value(
        self, data: bytes, display: Any, length: Any, form: Any
    ) -> tuple[Any, bytes]:
        """Return the first event and the bytes after it."""


class EventParser:
    """Reads the events above, and leaves all others to `other`."""

    def __init__(self, other: Parser) -> None:
        self._other = other

    def parse_binary_value(
        self, data: bytes, display: Any, length: Any, form: Any
    ) -> tuple[Any, bytes]:
        """Return the first event in `data` and the bytes after it."""
        kind = data[0] & ~_SENT
        if len(data) < _EVENT.size or not _KEY_PRESS <= kind <= _MOTION:
            return self._other.parse_binary_value(data, display, length, form)
        code, detail, at_ms, x_px, y_px, state = _EVENT.unpack_from(data)
        return Event(kind, detail, at_ms, x_px, y_px, state, bool(code & _SENT)), data[32:]
