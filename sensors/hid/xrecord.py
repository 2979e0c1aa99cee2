"""What X's RECORD extension sends, from its bytes: events in, and nothing of them stays.

The bytes are read in gulps, some times a second, into one buffer that is wiped
after each: a desk in constant use costs a few wake-ups and a loop over numbers,
where a callback for each event costs a thread, a lock and a Python object per
field; and no key that was typed is left in memory for a core dump to find.

References
----------
.. [1] X.Org, "X Record Extension Protocol", version 1.13, ``RecordEnableContext``.
.. [2] X.Org, "X Window System Protocol", appendix B, "Protocol Encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from sensors.errors import DeviceError

KEY_PRESS, KEY_RELEASE, BUTTON_PRESS, BUTTON_RELEASE, MOTION = range(2, 7)

_EVENT = struct.Struct("=BB2xI12xhh8x")
"""Type, detail, time, root x and y; in this machine's order."""

_LENGTH = struct.Struct("=4xI")
_SERVER_TIME = struct.Struct("=16xI")
_HEAD_BYTES = 32  # of everything a server sends
_ERROR, _REPLY, _MAPPING_NOTIFY, _GENERIC_EVENT = 0, 1, 34, 35
_FROM_SERVER, _START_OF_DATA, _END_OF_DATA = 0, 4, 5
_SENT = 0x80  # set in the type of an event that a program made up

_BUFFER_BYTES = 65_536
"""The server sends at most some 1 kB at once [1]; more is no such stream."""


class Event(NamedTuple):
    """A press, a release or a movement.

    Parameters
    ----------
    kind : int
        `KEY_PRESS` to `MOTION`.
    detail : int
        Code of the key, number of the button.
    at_ms : int
        On the server's clock; begins anew after 32 bits. [ms]
    x_px, y_px : int
        Of the pointer. [px]
    """

    kind: int
    detail: int
    at_ms: int
    x_px: int
    y_px: int


class Stream:
    """One recording connection's bytes.

    Attributes
    ----------
    began_ms : int or None
        The server's time when it began to record; ``None`` before. [ms]
    is_remapped : bool
        Keys have other meanings since this was last set to ``False``.
    """

    def __init__(self) -> None:
        self.began_ms: int | None = None
        self.is_remapped = False
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._filled = 0

    @property
    def room(self) -> memoryview:
        """Where the next bytes go."""
        return self._view[self._filled :]

    def took(self, number: int) -> Iterator[Event]:
        """Yield the events in what came, of which `number` bytes are new; then wipe it.

        Raises
        ------
        DeviceError
            If the server refuses, or ends recording.
        """
        self._filled += number
        start = 0
        try:
            while (end := self._end(start)) <= self._filled:
                head, start = start, end
                yield from self._packet(head, end)
        finally:
            rest = bytes(self._view[start : self._filled])
            self._view[: self._filled] = bytes(self._filled)
            self._view[: len(rest)] = rest
            self._filled = len(rest)

    def _end(self, start: int) -> int:
        """Return where the packet at `start` ends; beyond what is there if that is not known."""
        if self._filled - start < _HEAD_BYTES:
            return self._filled + 1
        words = 0
        if self._buffer[start] & ~_SENT in (_REPLY, _GENERIC_EVENT):
            (words,) = _LENGTH.unpack_from(self._buffer, start)
        if _HEAD_BYTES + 4 * words > _BUFFER_BYTES:
            raise DeviceError("the display sends what is no recording")
        return start + _HEAD_BYTES + 4 * int(words)

    def _packet(self, start: int, end: int) -> Iterator[Event]:
        kind = self._buffer[start] & ~_SENT
        if kind == _ERROR:
            raise DeviceError(f"the display refuses to tell (error {self._buffer[start + 1]})")
        if kind == _MAPPING_NOTIFY:
            self.is_remapped = True
        if kind != _REPLY:
            return
        category = self._buffer[start + 1]
        if category == _START_OF_DATA:
            (self.began_ms,) = _SERVER_TIME.unpack_from(self._buffer, start)
        elif category == _END_OF_DATA:
            raise DeviceError("the display ended the recording")
        elif category == _FROM_SERVER:
            data = self._view[start + _HEAD_BYTES : end]
            for code, *more in _EVENT.iter_unpack(data[: len(data) // 32 * 32]):
                if KEY_PRESS <= code & ~_SENT <= MOTION:
                    yield Event(code & ~_SENT, *more)
