"""A board behind a TCP port: a serial server, a simulated board, a module with Wi-Fi."""

from __future__ import annotations

import select
import socket
import time
from urllib.parse import urlsplit

from sensors.errors import ConfigurationError

SCHEME = "socket://"

CONNECT_WITHIN_S = 5.0
"""A server on a site's network that has not answered by then is not there. [s]"""


def address(port: str) -> tuple[str, int]:
    """Return host and number of ``socket://host:number``.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    try:
        parts = urlsplit(port)
        number = parts.port
    except ValueError:  # not a number, or out of range
        number = None
    if number is None or not parts.hostname or parts.path or parts.query or parts.username:
        raise ConfigurationError(f"port is {port!r}; expected like socket://192.168.1.20:7000")
    return parts.hostname, number


class TcpPort:
    """One connection, with the methods that `SerialPort` needs of a driver.

    Parameters
    ----------
    port : str
        ``socket://host:number``.
    read_within_s, write_within_s : float
        How long a read waits for the first byte, and a write for room. [s]

    Raises
    ------
    ConfigurationError
        If `port` is none.
    OSError
        If nobody answers there.
    """

    def __init__(self, port: str, read_within_s: float, write_within_s: float) -> None:
        self._read_within_s = read_within_s
        self._write_within_s = write_within_s
        self._socket = socket.create_connection(address(port), CONNECT_WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._woken, self._waking = socket.socketpair()

    def read(self, limit: int) -> bytes:
        """Return what has arrived; empty after the wait, or when cancelled."""
        ready, _, _ = select.select([self._socket, self._woken], [], [], self._read_within_s)
        if self._woken in ready:
            self._woken.recv(64)
            return b""
        if not ready:
            return b""
        data = self._socket.recv(limit)
        if not data:
            raise ConnectionResetError("the other end has closed")
        return data

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        end_s = time.monotonic() + self._write_within_s
        rest = memoryview(data)
        while rest:
            left_s = max(0.0, end_s - time.monotonic())
            _, ready, _ = select.select([], [self._socket], [], left_s)
            if not ready:
                raise TimeoutError("the other end takes nothing")
            rest = rest[self._socket.send(rest) :]

    def cancel_read(self) -> None:
        """End a read that another thread is waiting in."""
        self._waking.send(b"\0")

    def close(self) -> None:
        """End the connection."""
        for one in (self._socket, self._woken, self._waking):
            one.close()
