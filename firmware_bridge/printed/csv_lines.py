"""Comma-separated lines of a board, decoded: bytes in, values out; pure.

A line is read only if it is whole and says exactly what was announced; every
other one is counted by its fault and never guessed at. What comes before the
first line end is dropped, since it may be the tail of a line.

Columns are signals of the catalogue, or raw waveforms, which
:mod:`firmware_bridge.printed.raw_lines` turns into such.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sensors.errors import ConfigurationError
from sensors.signals import SIGNALS, Channel, readable_names

SKIP = "-"
"""Name of a column that is not to be read."""

MAX_LINE_BYTES = 512
"""A longer line is noise or a wrong speed; memory stays bounded. [byte]"""

PPG = "ppg"
"""Column of a raw optical pulse, in any unit."""

ACC = ("acc_g", "acc_x_g", "acc_y_g", "acc_z_g")
"""Columns of raw acceleration with gravity: its magnitude, or axes. [g]"""

RAW = (PPG, *ACC)
"""Columns with a raw waveform; what is made of it is :data:`RAW_BECOMES`."""

RAW_BECOMES = {PPG: "rr_ms"} | dict.fromkeys(ACC, "acc_rms_g")

ALIASES = {"acc": "acc_g"}
"""Shorter names that are taken for columns."""

_MOST_G = SIGNALS["acc_rms_g"].high  # of an axis, either way

_SHOWN_BYTES = 40

# What a board can have measured; keys, pointer and voice have their own collectors.
_CHANNELS = frozenset({Channel.HEART, Channel.MODULES})

# Not float(): that also reads "nan", "inf" and "1_000".
_NUMBER = re.compile(rb"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\s*")


def known_columns() -> tuple[str, ...]:
    """Return the names a column may have, besides :data:`SKIP`."""
    measured = (name for name in readable_names() if SIGNALS[name].channel in _CHANNELS)
    return (*measured, *RAW)


def channel_of(column: str) -> Channel | None:
    """Return the channel that a column belongs to; None for :data:`SKIP`."""
    return None if column == SKIP else SIGNALS[RAW_BECOMES.get(column, column)].channel


def unit_of(column: str) -> str:
    """Return the unit of a column's values."""
    if column in RAW:
        return "1" if column == PPG else "g"
    return SIGNALS[column].unit


def range_of(column: str) -> str:
    """Return in which range a column's values are believed, in words."""
    if column == PPG:
        return f"{column} (any number)"
    if column in ACC:
        return f"{column} ({-_MOST_G:g} to {_MOST_G:g} g)"
    signal = SIGNALS[column]
    unit = "" if signal.unit == "1" else f" {signal.unit}"
    return f"{column} ({signal.low:g} to {signal.high:g}{unit})"


def _accepts(column: str, value: float) -> bool:
    if column == PPG:
        return math.isfinite(value)
    return abs(value) <= _MOST_G if column in ACC else SIGNALS[column].accepts(value)


def check_columns(columns: Sequence[str], where: str) -> tuple[str, ...]:
    """Return `columns`, :data:`ALIASES` written out, if they can be the columns of a board.

    Parameters
    ----------
    columns : sequence of str
        In the order in which the board prints them.
    where : str
        How the person gave them, for the error: ``--csv``.

    Raises
    ------
    ConfigurationError
        If one is unknown, given twice, or none is to be read.
    """
    known = known_columns()
    columns = [ALIASES.get(column, column) for column in columns]
    for column in columns:
        if column != SKIP and column not in known:
            raise ConfigurationError(
                f"{where} has {column!r}; expected {SKIP} to skip a column, or one of: "
                + ", ".join(known)
            )
    wanted = [column for column in columns if column != SKIP]
    if not wanted:
        raise ConfigurationError(f"{where} names no signal; expected like eda_us,skin_temp_c")
    if len(set(wanted)) != len(wanted):
        raise ConfigurationError(f"{where} is {','.join(columns)!r}; each signal only once")
    return tuple(columns)


@dataclass(slots=True)
class Counts:
    """What became of the lines.

    Parameters
    ----------
    read : int
        Lines that gave values.
    unreadable : int
        Lines with other than the announced columns, or with something that is
        no number.
    too_long : int
        Lines beyond :data:`MAX_LINE_BYTES`.
    out_of_range : int
        Single values outside the catalogue's range; the rest of their line is kept.
    last_unreadable : str
        The newest unreadable line, shortened, so that its fault can be seen.
    """

    read: int = 0
    unreadable: int = 0
    too_long: int = 0
    out_of_range: int = 0
    last_unreadable: str = field(default="", compare=False)


@dataclass(slots=True)
class CsvLines:
    """Decodes the byte stream of one board.

    Parameters
    ----------
    columns : tuple of str
        As checked by :func:`check_columns`.
    """

    columns: tuple[str, ...]
    counts: Counts = field(default_factory=Counts)
    _pending: bytearray = field(default_factory=bytearray)
    _joined: bool = False
    _overlong: bool = False

    def feed(self, data: bytes) -> list[dict[str, float]]:
        """Return the values of every line that `data` completes, oldest first.

        However the stream is cut into pieces, the values are the same. Lines
        end in CR, LF or both; empty ones mean nothing.
        """
        samples = []
        *ended, rest = re.split(rb"[\r\n]", data)
        for piece in ended:
            self._take(piece)
            sample = self._end_line()
            if sample is not None:
                samples.append(sample)
        self._take(rest)
        return samples

    def reopened(self) -> None:
        """Take that the port was opened again: what comes next may begin within a line."""
        self._pending.clear()
        self._joined = self._overlong = False

    def _take(self, piece: bytes) -> None:
        if len(self._pending) + len(piece) > MAX_LINE_BYTES:
            self._overlong = True
            self._pending.clear()
        elif not self._overlong:
            self._pending += piece

    def _end_line(self) -> dict[str, float] | None:
        line, overlong = bytes(self._pending), self._overlong
        self._pending.clear()
        self._overlong = False
        if not self._joined:
            self._joined = True
            return None
        if overlong:
            self.counts.too_long += 1
            return None
        if not line.strip():
            return None
        return self._decode(line)

    def _decode(self, line: bytes) -> dict[str, float] | None:
        cells = line.split(b",")
        matches = [_NUMBER.fullmatch(cell) for cell in cells]
        # A skipped column may hold anything, but it must be there.
        readable = len(cells) == len(self.columns) and all(
            column == SKIP or match is not None
            for column, match in zip(self.columns, matches, strict=True)
        )
        if not readable:
            self.counts.unreadable += 1
            self.counts.last_unreadable = ascii(line[:_SHOWN_BYTES].decode("latin-1"))
            return None
        sample: dict[str, float] = {}
        for column, cell in zip(self.columns, cells, strict=True):
            if column == SKIP:
                continue
            value = float(cell)
            if _accepts(column, value):
                sample[column] = value
            else:
                self.counts.out_of_range += 1
        if not sample:
            return None
        self.counts.read += 1
        return sample
