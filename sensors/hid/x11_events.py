"""Events of an X server, fetched some times a second; no thread, no callback.

X dates every event, so nothing is lost by coming later to look at it. What
waits until then, waits with the server and the kernel, not in this process.
The identity of a key is dropped (:mod:`sensors.hid.keys`) and positions become
speeds (:mod:`sensors.hid.timing`) as they are read.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import sys
from contextlib import suppress

from sensors.aside import Aside
from sensors.collector import Clock, Reading
from sensors.desk import xserver
from sensors.errors import DeviceError
from sensors.hid.backend import Backend, Waiting
from sensors.hid.keys import KeyDropper
from sensors.hid.pynput_events import display_problem
from sensors.hid.timing import PointerTiming
from sensors.hid.xrecord import (
    BUTTON_PRESS,
    KEY_PRESS,
    KEY_RELEASE,
    MOTION,
    Event,
    Stream,
)
from sensors.signals import Channel

_READY_S = 5.0
_MOST_READS = 16  # 1 MB, 16,000 events: a program that makes up more must not stop the edge
_CORRECTIONS = ("BackSpace", "Delete")
_SCROLLING = range(4, 8)  # buttons: up, down, left, right
_KINDS = {
    frozenset({Channel.KEYBOARD}): (KEY_PRESS, KEY_RELEASE),
    frozenset({Channel.POINTER}): (BUTTON_PRESS, MOTION),
    frozenset({Channel.KEYBOARD, Channel.POINTER}): (KEY_PRESS, MOTION),
}

_LONGEST_AGE_S = 10.0
"""No event takes so long to reach us. [s]"""


class Dates:
    """When events happened, on our clock; the server dates them to the millisecond on its own.

    The two run alike and differ by a constant; what an event takes to reach us
    only adds to it. So the least difference seen is the constant, and a busy
    moment of ours stretches no dwell and swallows no double letter.
    """

    def __init__(self) -> None:
        self._offset_s = math.inf

    def at_s(self, event_ms: int, now_s: float) -> float:
        """Return when what the server dates `event_ms`, and we see at `now_s`, happened."""
        event_s = event_ms / 1e3
        offset_s = now_s - event_s
        # Far more: the server's 32 bits began anew, or one of the clocks was set.
        if offset_s < self._offset_s or offset_s > self._offset_s + _LONGEST_AGE_S:
            self._offset_s = offset_s
        return event_s + self._offset_s


class X11Backend(Backend):
    """Any X server with the RECORD extension, which all have."""

    def __init__(self, channels: frozenset[Channel], clock: Clock, waiting: Waiting) -> None:
        super().__init__(channels, clock, waiting)
        self._keys = KeyDropper(renamed=False)  # a code stays, whatever Shift does meanwhile
        self._pointer = PointerTiming()
        self._dates = Dates()
        self._stream = Stream()
        self._corrections: frozenset[int] = frozenset()
        self._socket: socket.socket | None = None
        self._aside = Aside("X11")
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See :meth:`Backend.start`."""
        why_not = display_problem(sys.platform, os.environ)
        if why_not is None:
            try:
                self._socket = await self._aside.within(_READY_S, self._open, socket.socket.close)
            except TimeoutError:
                why_not = "the display does not answer"
            except DeviceError as error:
                why_not = str(error)
        if why_not is not None:
            raise DeviceError(f"keyboard and pointer cannot be seen: {why_not}")

    def _open(self) -> socket.socket:
        """Return the connection once the server records; may block."""
        self._corrections = xserver.key_codes(_CORRECTIONS)
        connection = xserver.record(*_KINDS[self.channels])
        try:
            connection.settimeout(_READY_S)
            while self._stream.began_ms is None:
                self._read(connection)
            # Now, that the answer is fresh: from here on we may come late.
            self._dates.at_s(self._stream.began_ms, self.clock.monotonic_s())
            connection.setblocking(False)
        except BaseException:
            connection.close()
            raise
        return connection

    def _read(self, connection: socket.socket) -> None:
        """Take in one gulp.

        Raises
        ------
        BlockingIOError, TimeoutError
            If there is nothing.
        DeviceError
            If the display is gone.
        """
        try:
            number = connection.recv_into(self._stream.room)
        except (BlockingIOError, TimeoutError):
            raise
        except OSError:
            number = 0
        if not number:
            raise DeviceError("the display went away")
        now_s = self.clock.monotonic_s()
        for event in self._stream.took(number):
            self.waiting.put(self._readings(event, self._dates.at_s(event.at_ms, now_s)))

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(_MOST_READS):
                if self._socket is not None:
                    self._read(self._socket)

    def _readings(self, event: Event, at_s: float) -> list[Reading]:
        kind, detail, _, x_px, y_px = event
        if kind == MOTION:
            return self._pointer.move(x_px, y_px, at_s)
        if kind == KEY_PRESS:
            is_correction = detail in self._corrections
            return self._keys.press(str(detail), at_s, correction=is_correction)
        if kind == KEY_RELEASE:
            return self._keys.release(str(detail), at_s)
        if detail in _SCROLLING:
            return self._pointer.scroll(1.0, at_s) if kind == BUTTON_PRESS else []
        return self._pointer.click(at_s, pressed=kind == BUTTON_PRESS)

    def settle(self, now_s: float) -> frozenset[Channel]:
        """See :meth:`Backend.settle`; what has gathered is fetched here."""
        try:
            self._drain()
        except DeviceError as error:
            raise DeviceError(f"{error}; keyboard and pointer are not seen") from None
        except Exception as error:  # noqa: BLE001 - its frames hold the key (TRUST T2)
            raise RuntimeError(f"{type(error).__name__} while reading an event") from None
        self.waiting.put(self._keys.settle(now_s))
        self.waiting.put(self._pointer.rest(now_s))
        if self._stream.is_remapped and (self._looking is None or self._looking.done()):
            self._stream.is_remapped = False
            self._looking = asyncio.create_task(self._look())
        return self.channels

    async def _look(self) -> None:
        """Look anew which keys correct; if the display does not say, the old ones do."""
        with suppress(TimeoutError, DeviceError):
            self._corrections = await self._aside.within(
                _READY_S, lambda: xserver.key_codes(_CORRECTIONS)
            )

    async def stop(self) -> None:
        """See :meth:`Backend.stop`: the server ends a recording with its connection."""
        if self._looking is not None:
            self._looking.cancel()
        if self._socket is not None:
            self._socket.close()
