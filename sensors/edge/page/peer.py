"""Whose connection it is, where the system tells: on Linux every socket is listed with its owner.

The one-time address stands in the list of processes until the browser has
opened it; on a machine that several people share, another one could be quicker.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

_TABLE = Path("/proc/net/tcp")
_LOCAL, _REMOTE, _OWNER = 1, 2, 7  # columns, see proc(5) and the kernel's proc_net_tcp.rst


def owner(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """Return the number of the person whose program opened the connection.

    Parameters
    ----------
    client, server : tuple of str and int
        IPv4 address and port of both ends, both on this machine.

    Returns
    -------
    int or None
        ``None`` where the system does not tell (Windows, macOS) or the
        connection is gone.
    """
    try:
        lines = _TABLE.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    ends = [_written(*client), _written(*server)]
    rows = (line.split() for line in lines)
    return next((int(row[_OWNER]) for row in rows if [row[_LOCAL], row[_REMOTE]] == ends), None)


def _written(address: str, port: int) -> str:
    """Return an end as the kernel writes it: the address in the machine's own byte order."""
    (number,) = struct.unpack("=I", socket.inet_aton(address))
    return f"{number:08X}:{port:04X}"
