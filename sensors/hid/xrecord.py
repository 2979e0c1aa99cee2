"""Key, button and motion events of X's RECORD extension from their 32 bytes.

python-xlib reads each field of each event by name and takes a tenth of a
millisecond for it, which on a desk in use is a good part of what this whole
program costs. Nothing else of an event is kept than what pynput asks for.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Protocol

_EVENT = struct.Struct("=BB2xI12xhh4xH2x")
"""X11 protocol, section 11: type, detail, time, root x and y, state; in this machine's order."""

_SENT = 0x80  # set in the type of an event that a program made up
_KEY_PRESS, _MOTION = 2, 6


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
