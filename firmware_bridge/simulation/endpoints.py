"""Where a simulated board is plugged in: a pseudo-terminal, or a TCP port."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from pathlib import Path
from typing import Protocol

from firmware_bridge.ports import tcp_port
from sensors.errors import ConfigurationError, DeviceError

_CHUNK_BYTES = 4_096


class Endpoint(Protocol):
    """One end of a cable, with the simulated board on it."""

    @property
    def port(self) -> str:
        """What to give as ``--port``."""

    @property
    def is_open(self) -> bool:
        """Whether somebody listens at the other end."""

    def receive(self, within_s: float) -> bytes:
        """Return what the host sent, waiting up to `within_s` [s]; may be empty."""

    def send(self, data: bytes) -> int:
        """Send what fits; return how many bytes did not, as on a board whose buffer is full."""

    def unplug(self) -> None:
        """Take the cable out."""

    def plug(self) -> None:
        """Put the cable in (again)."""


class Terminal:
    """A pseudo-terminal, which looks like a serial port; another name each time it is plugged.

    Parameters
    ----------
    link : Path or None
        A symbolic link that is kept on it, for a name that stays.
    """

    def __init__(self, link: Path | None = None) -> None:
        if not hasattr(os, "openpty"):
            raise ConfigurationError(
                "this system has no pseudo-terminals; give --tcp 127.0.0.1:7000 instead"
            )
        if link is not None and link.exists() and not link.is_symlink():
            raise ConfigurationError(f"--link is {link}, which exists; choose another name")
        self._link = link
        self._master = -1
        self._name = ""
        self.plug()

    def _check_link(self) -> None:
        """Refuse a link that leads to a terminal there is; an old one leads nowhere."""
        link = self._link
        if link is not None and link.is_symlink() and link.exists():
            raise ConfigurationError(
                f"--link is {link}, which leads to {link.readlink()}: another board is served "
                "there; end that one, remove the link, or choose another name"
            )

    @property
    def port(self) -> str:
        """The link, where there is one."""
        return str(self._link) if self._link is not None else self._name

    def plug(self) -> None:
        """Open a new terminal."""
        import tty  # noqa: PLC0415 - Windows has none

        if self._master >= 0:
            return
        self._check_link()
        self._master, slave = os.openpty()
        tty.setraw(slave)  # else the terminal would change what passes
        self._name = os.ttyname(slave)
        # The host alone holds its end: so it is seen whether anybody is there.
        os.close(slave)
        os.set_blocking(self._master, False)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self._name)

    def unplug(self) -> None:
        """Close it; who reads it sees that it is gone."""
        if self._master < 0:
            return
        # Another one may have taken the link over meanwhile: then it is not ours to take away.
        link = self._link
        if link is not None and link.is_symlink() and str(link.readlink()) == self._name:
            link.unlink(missing_ok=True)
        os.close(self._master)
        self._master = -1

    @property
    def is_open(self) -> bool:
        """Whether somebody has opened the port."""
        if self._master < 0:
            return False
        looking = select.poll()
        looking.register(self._master, select.POLLIN)
        return not any(event & select.POLLHUP for _, event in looking.poll(0))

    def receive(self, within_s: float) -> bytes:
        """Return what was written to the port; also what was written just before it was closed."""
        if self._master < 0:
            return b""
        with contextlib.suppress(OSError):  # nobody there, and nothing left
            if select.select([self._master], [], [], within_s)[0]:
                return os.read(self._master, _CHUNK_BYTES)
        return b""

    def send(self, data: bytes) -> int:
        """Write what the terminal's buffer takes."""
        if not self.is_open:
            return 0
        left = data
        with contextlib.suppress(BlockingIOError, OSError):
            while left:
                left = left[os.write(self._master, left) :]
        return len(left)


class Listener:
    """A TCP port for one host at a time.

    Parameters
    ----------
    address : str
        ``HOST:PORT``; port 0 takes a free one.
    """

    def __init__(self, address: str) -> None:
        try:
            host, number = tcp_port.address(tcp_port.SCHEME + address)
        except ConfigurationError:
            raise ConfigurationError(
                f"--tcp is {address!r}; expected HOST:PORT, like 127.0.0.1:7000"
            ) from None
        self._address = host, number
        self._listening: socket.socket | None = None
        self._host: socket.socket | None = None
        self.plug()

    @property
    def port(self) -> str:
        """As the production code takes it."""
        return f"{tcp_port.SCHEME}{self._address[0]}:{self._address[1]}"

    def plug(self) -> None:
        """Listen."""
        if self._listening is not None:
            return
        try:
            self._listening = socket.create_server(self._address, backlog=1)
        except OSError as error:
            raise DeviceError(f"{self.port} cannot be opened: {error.strerror or error}") from None
        self._listening.setblocking(False)
        self._address = self._address[0], self._listening.getsockname()[1]

    def unplug(self) -> None:
        """Let the host go, and listen no longer."""
        for opened in (self._host, self._listening):
            if opened is not None:
                opened.close()
        self._host = self._listening = None

    @property
    def is_open(self) -> bool:
        """Whether a host is connected."""
        if self._host is None and self._listening is not None:
            with contextlib.suppress(BlockingIOError):
                self._host, _ = self._listening.accept()
                self._host.setblocking(False)
                self._host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._host is not None

    def receive(self, within_s: float) -> bytes:
        """Return what the host sent."""
        if not self.is_open or self._host is None:
            return b""
        try:
            if not select.select([self._host], [], [], within_s)[0]:
                return b""
            data = self._host.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def send(self, data: bytes) -> int:
        """Send what the connection takes."""
        left = data
        while left and self.is_open and self._host is not None:
            try:
                left = left[self._host.send(left) :]
            except BlockingIOError:
                return len(left)
            except OSError:
                self._hang_up()
                return 0
        return len(left) if self._host is not None else 0

    def _hang_up(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None
