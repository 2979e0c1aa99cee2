"""Waking a thread that waits for sockets, once for however many reasons."""

from __future__ import annotations

import socket


class Bell:
    """Both ends of a pair of sockets: who waits for it to be readable is woken by `send`.

    paho writes a byte for each packet that it is given, and so wakes its network
    thread for each, which then lacks the interpreter to whoever gives.

    Parameters
    ----------
    inner, outer : socket.socket
        Non-blocking, the two ends; they belong to this object from here on.
    """

    def __init__(self, inner: socket.socket, outer: socket.socket) -> None:
        self._inner, self._outer = inner, outer
        self._has_rung = False

    def send(self, data: bytes) -> int:
        """Ring, unless it has rung and nobody came yet: who comes sees to everything."""
        if self._has_rung:
            return len(data)
        self._has_rung = True
        try:
            return self._outer.send(data)
        except OSError:
            if self._outer.fileno() < 0:  # closed as we were about to ring
                return len(data)
            raise

    def recv(self, size: int) -> bytes:
        """Take note; what is given from here on rings again."""
        try:
            return self._inner.recv(size)
        finally:
            self._has_rung = False  # not before: who rings in between would be taken for heard

    def fileno(self) -> int:
        """Return the number by which the system knows the end that is waited for."""
        return self._inner.fileno()

    def close(self) -> None:
        """Close both ends; nobody is woken any more."""
        self._has_rung = True
        self._inner.close()
        self._outer.close()
