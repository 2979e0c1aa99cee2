"""Captures: every byte that passed a port, with its time, so that it can be decoded again.

A file is one line of text, ``firmware-bridge capture 1``; one line of JSON
that says how it was read (``port``, ``baud``, ``csv`` and ``rate_hz`` or null, ``began_at``);
then records without anything between them. All numbers are little-endian:

======  =========  ====================================================
bytes   field
======  =========  ====================================================
8       at_ns      since the start, not decreasing [ns]
1       direction  0 from the board, 1 to the board
4       size       of what follows
size    data       as read or written in one go
======  =========  ====================================================

A file that ends within a record was cut off there; what is whole is read.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from firmware_bridge.ports.closing import Closing
from sensors import codec
from sensors.errors import ConfigurationError

MAGIC = b"firmware-bridge capture 1\n"

MAX_CHUNK = 1 << 20
"""A longer piece is no record of ours; memory stays bounded. [byte]"""

_MAX_HEAD = 4_096
_RECORD = struct.Struct("<QBI")
_FROM_BOARD, _TO_BOARD = 0, 1
# Windows would write other line ends.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Made:
    """How a capture was made.

    Parameters
    ----------
    port : str
    baud : int
        Speed. [1/s]
    csv : str or None
        The columns, of a board that prints lines.
    rate_hz : float or None
        Its lines per second, where they were told. [1/s]
    began_at : str
        Start, ISO 8601 in UTC.
    """

    port: str
    baud: int
    csv: str | None = None
    rate_hz: float | None = None
    began_at: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that passed in one go.

    Parameters
    ----------
    at_ns : int
        Since the start of the capture. [ns]
    from_board : bool
        False for what was sent to the board.
    data : bytes
    """

    at_ns: int
    from_board: bool
    data: bytes


class CaptureWriter(Closing):
    """Writes one capture; each record is whole in the file before the next begins.

    Parameters
    ----------
    path : Path
        Must not exist.
    made : Made

    Raises
    ------
    ConfigurationError
        If the file exists or cannot be written.
    """

    def __init__(self, path: Path, made: Made) -> None:
        self.path = path
        self.chunks = self.bytes = 0
        try:
            # Only its owner may read it: it may hold a person's pulse.
            self._file: BinaryIO = os.fdopen(os.open(path, _NEW, 0o600), "wb")
        except FileExistsError:
            raise ConfigurationError(
                f"--raw is {path}, which exists; choose another name"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"--raw is {path}; {error.strerror or error}") from None
        self._put(MAGIC + codec.dump_json(asdict(made)) + b"\n")

    def write(self, chunk: Chunk) -> None:
        """Add `chunk`; nothing for one without bytes.

        Raises
        ------
        ConfigurationError
            If the disk takes no more.
        """
        if not chunk.data:
            return
        direction = _FROM_BOARD if chunk.from_board else _TO_BOARD
        self._put(_RECORD.pack(chunk.at_ns, direction, len(chunk.data)) + chunk.data)
        self.chunks += 1
        self.bytes += len(chunk.data)

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()  # what kills this program takes one record, not the last minutes
        except OSError as error:
            raise ConfigurationError(f"--raw is {self.path}; {error.strerror or error}") from None

    def close(self) -> None:
        """Write out what is left."""
        self._file.close()


class Capture:
    """A capture, read from the front.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path : Path
    made : Made
    is_cut : bool
        Whether the file ended within a record; known after the last one.

    Raises
    ------
    ConfigurationError
        If it is not there or no capture.
    """

    def __init__(self, path: Path) -> None:
        self.is_cut = False
        self.path = path
        try:
            with path.open("rb") as file:
                self.made = self._head(file)
                self._start = file.tell()
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror or error}") from None

    def _head(self, file: BinaryIO) -> Made:
        if file.readline(len(MAGIC)) != MAGIC:
            raise ConfigurationError(
                f"{self.path} is no capture; expected a file of `firmware-bridge record --raw`"
            )
        try:
            return codec.convert(codec.load_json(file.readline(_MAX_HEAD)), Made)
        except ValueError as error:
            raise ConfigurationError(f"{self.path}, line 2: {error}") from None

    def chunks(self) -> Iterator[Chunk]:
        """Yield the records, oldest first.

        Raises
        ------
        ConfigurationError
            If a record cannot be one of ours.
        """
        newest_ns = 0
        with self.path.open("rb") as file:
            file.seek(self._start)
            while head := file.read(_RECORD.size):
                if len(head) < _RECORD.size:
                    self.is_cut = True
                    return
                at_ns, direction, size = _RECORD.unpack(head)
                if direction > _TO_BOARD or size > MAX_CHUNK or at_ns < newest_ns:
                    where = file.tell() - _RECORD.size
                    raise ConfigurationError(
                        f"{self.path}, byte {where}: no record of a capture; the file is damaged"
                    )
                newest_ns = at_ns
                data = file.read(size)
                if len(data) < size:
                    self.is_cut = True
                    return
                yield Chunk(at_ns, direction == _FROM_BOARD, data)
