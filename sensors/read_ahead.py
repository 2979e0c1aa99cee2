"""A socket that is read in gulps, for whoever asks for a few bytes at a time."""

from __future__ import annotations

import socket
import ssl

GULP = 65_536
"""What is asked of the system at a time. [B]"""


class ReadAhead:
    """A non-blocking socket whose bytes are fetched before they are asked for.

    paho reads the head of each packet byte by byte. Each is a call of the system
    that also lets go of the interpreter, which other threads then hold on to.

    Parameters
    ----------
    sock : socket.socket
        Connected; it belongs to this object from here on.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held, self._at = b"", 0

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes; none if the other end has closed.

        Raises
        ------
        BlockingIOError, ssl.SSLWantReadError
            If there is nothing yet.
        """
        if self._at >= len(self._held):
            if size >= GULP:
                return self._sock.recv(size)
            self._held, self._at = self._sock.recv(GULP), 0
        found = self._held[self._at : self._at + size]
        self._at += len(found)
        return found

    def pending(self) -> int:
        """Return how many bytes can be had without asking the system."""
        held = len(self._held) - self._at
        return held + self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else held

    def send(self, data: bytes) -> int:
        """Send some of `data`; return how much."""
        return self._sock.send(data)

    def fileno(self) -> int:
        """Return the number by which the system knows the socket."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """Wait for the other end, or do not."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Close the socket; what is held is lost."""
        self._sock.close()
