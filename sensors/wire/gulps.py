"""A socket that is read and written in gulps, for whoever wants a few bytes at a time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sensors.wire.packets import Confirmed, Published, end_of, parse, size_of

GULP = 65_536
"""What is asked of the system at a time. [B]"""

Code = TypeVar("Code", bound=int)

_FAREWELL_S = 2.0  # for the other end to hear our last words, and to close

_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Gulps:
    """A non-blocking socket to a broker, under paho.

    paho reads the head of each packet byte by byte, and sends each with a call of
    the system of its own; each such call also lets go of the interpreter, which
    other threads then hold on to. Here `take` parts what was read into packets:
    messages it returns, all else is lent to paho, which asks for it with `recv`.
    What paho writes waits for `flush`.

    One thread uses it, but for `post` and `gather_no_more`.

    Parameters
    ----------
    sock : socket.socket
        Connected; it belongs to this object from here on.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read, self._at, self._end = b"", 0, 0  # `_end` of the packet at `_at`, if it is whole
        self._more: list[bytes] = []  # of that packet, while it is not
        self._lacks = 0  # so much at least
        self._lent, self._lent_at = b"", 0
        self._has_ended = self._is_closed = self._has_heard = False
        self._error: OSError | None = None
        self._unsent, self._posted = bytearray(), bytearray()
        self._posting = threading.Lock()
        self._gathers = True

    def fill(self) -> None:
        """Read what is there, unless something waits; then lend the first packet, whatever it is.

        By what it is lent paho knows that the broker lives.
        """
        if self._end or self.is_lending:
            return
        try:
            found = self._sock.recv(GULP)
        except _NOT_NOW:
            return
        except OSError as error:
            self._error = error
            return
        self._has_ended = not found
        self._has_heard |= bool(found)
        # Joined only when it may be whole: copied with each gulp, 40 MB took half a minute.
        self._more.append(found)
        self._lacks -= len(found)
        if self._lacks > 0:
            return
        self._read, self._at = b"".join([self._read[self._at :], *self._more]), 0
        self._more.clear()
        self._end = end_of(self._read, 0)
        self._lacks = 0 if self._end else size_of(self._read, 0) - len(self._read)
        if self._end:
            self._next()
            self._lend(0)

    def hand_out(
        self,
        lend: Callable[[], Code],
        take: Callable[[Published | Confirmed], None],
        at_most_s: float,
    ) -> Code:
        """Read once, and give paho and `take` what there is, each in its turn.

        Parameters
        ----------
        lend : callable
            Has paho read; returns 0 unless the connection is lost.
        take : callable
        at_most_s : float
            After so long the rest is left for the next call. [s]

        Returns
        -------
        int
            What `lend` returned last.
        """
        end_s = time.monotonic() + at_most_s
        self._has_heard |= self.pending() > 0
        self.fill()
        while True:
            code = lend()
            if code or self._is_closed:
                return code
            while (what := self.take()) is not None:
                take(what)
                if time.monotonic() >= end_s:
                    return code
            if not self.is_lending or time.monotonic() >= end_s:
                return code

    def take(self) -> Published | Confirmed | None:
        """Return the next message; if there are packets of other kinds before it, lend these."""
        start = self._at
        while self._end and not self.is_lending:
            found = parse(self._read, self._at, self._end)
            if found is None:
                self._next()
            elif self._at > start:
                break
            else:
                self._next()
                return found
        if self._at > start:
            self._lend(start)
        return None

    def _next(self) -> None:
        self._at = self._end
        self._end = end_of(self._read, self._at)

    def _lend(self, start: int) -> None:
        self._lent, self._lent_at = self._read[start : self._at], 0

    def has_heard(self) -> bool:
        """Return whether anything came or was handed out since this was last asked."""
        has_heard, self._has_heard = self._has_heard, False
        return has_heard

    @property
    def is_lending(self) -> bool:
        """Whether paho has not asked yet for all that it was lent."""
        return self._lent_at < len(self._lent)

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes of what is lent; none if the other end has closed.

        Raises
        ------
        BlockingIOError
            If nothing is.
        OSError
            That reading or sending has met.
        """
        at = self._lent_at
        found = self._lent[at : at + size]
        if found:
            self._lent_at = at + len(found)
            return found
        if self._end or not (self._error or self._has_ended):
            raise BlockingIOError
        if self._error is not None:
            raise self._error
        return b""

    def pending(self) -> int:
        """Return how much is to be seen to without asking the system."""
        held = len(self._lent) - self._lent_at + bool(self._end or self._error)
        return held + self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else held

    def send(self, data: bytes) -> int:
        """Take all of `data`, to be sent with the next `flush`; return how much that is.

        Raises
        ------
        BlockingIOError
            If the other end does not take what waits already; then nothing was taken.
        """
        gathers = self._gathers  # looked at once: another thread ends it at any moment
        if gathers and len(self._unsent) < GULP:
            self._unsent += data
            return len(data)
        self._send()
        if len(self._unsent) >= (GULP if gathers else 1):
            raise BlockingIOError
        if gathers:
            self._unsent += data
            return len(data)
        return self._sock.send(data)

    def post(self, packets: bytes) -> None:
        """Have whole packets sent with the next `flush`; on any thread."""
        with self._posting:
            if self._gathers:
                self._posted += packets

    def gather_no_more(self) -> None:
        """Send each packet when it is written: the last one is followed by `close`."""
        with self._posting:
            self._gathers = False

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent or self._posted)

    def flush(self) -> bool:
        """Send what waits, as far as the other end takes it; an error is for the next `recv`.

        Returns
        -------
        bool
            Whether it took anything.
        """
        try:
            return self._send() > 0
        except OSError as error:
            self._error = error
            return False

    def _send(self) -> int:
        with self._posting:
            self._unsent += self._posted
            self._posted.clear()
        sent = 0
        with suppress(*_NOT_NOW):
            while self._unsent:
                taken = self._sock.send(self._unsent)
                del self._unsent[:taken]
                sent += taken
        return sent

    def fileno(self) -> int:
        """Return the number by which the system knows the socket."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """Wait for the other end, or do not."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Close the socket, after the last packet once that is heard; what is held is lost."""
        self._is_closed = True
        is_said = not (self._gathers or self.is_behind or self._error or self._has_ended)
        try:
            if is_said:
                self._hear_out()
        finally:
            self._sock.close()

    def _hear_out(self) -> None:
        """Wait for the other end to close, which it does on reading our last packet.

        Closed while more comes in, the system tells the other end at its next
        write that we are gone, and Mosquitto then looks at nothing that we had
        sent: messages are lost, and the will speaks for who took leave.
        """
        end_s = time.monotonic() + _FAREWELL_S
        with suppress(OSError):  # gone, or out of time: then it was not to be had
            self._sock.shutdown(socket.SHUT_WR)
            while (rest_s := end_s - time.monotonic()) > 0:
                self._sock.settimeout(rest_s)
                if not self._sock.recv(GULP):
                    return
