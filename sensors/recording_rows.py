"""The rows of a recording's file: text in, checked numbers out. Errors name file, line and remedy."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensors.errors import RecordingError
from sensors.messages import WINDOW_S
from sensors.signals import HEADER

ENDINGS = (".csv.gz", ".csv")
"""What the name of a recording ends in, in capitals or not."""

# A month: longer than any session, and what a time in another unit (ms, epoch) would be.
_MAX_S = 31 * 86_400.0
# Beyond a day, fewer windows than this hold a row only if times are in another unit or a row is
# astray: an hour in ms fills one in fifty, an edge left on over a holiday still one in ten.
_SPARSE_S, _SPARSE_SHARE = 86_400.0, 0.05


@dataclass(frozen=True, slots=True)
class Rows:
    """Everything below the header, in the order of the file.

    Parameters
    ----------
    t_s : ndarray of float64, shape (n,)
        From 0 on, not decreasing. [s]
    names : ndarray of str, shape (n,)
        As they stand there; not checked yet.
    values : ndarray of float64, shape (n,)
        Finite.
    lines : ndarray of intp, shape (n,)
        The line of the file that each stands in.
    """

    t_s: NDArray[np.float64]
    names: NDArray[np.str_]
    values: NDArray[np.float64]
    lines: NDArray[np.intp]


def read_rows(path: Path) -> Rows:
    """Return the rows of the file at `path`, of which there is at least one.

    Raises
    ------
    RecordingError
        If it cannot be read, has another header, a row that is not a time, a
        name and a finite number, times that go back, or hardly any window of
        more than a day with a row in it.
    """
    cells, lines = _cells(path)
    times = _numbers(path, [row[0] for row in cells], lines, "t_s")
    values = _numbers(path, [row[2] for row in cells], lines, "value")
    _check_times(path, times, lines)
    return Rows(times, np.array([row[1].strip() for row in cells], dtype=np.str_), values, lines)


def _text(path: Path) -> str:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise RecordingError(f"{path} is no file on a disk; save the recording as one first")
        data = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise RecordingError(f"cannot read {path}: {why}") from None
    except UnicodeDecodeError:
        raise RecordingError(f"{path} is not text in UTF-8; expected a CSV file") from None


def _cells(path: Path) -> tuple[list[list[str]], NDArray[np.intp]]:
    """Return the rows below the header and the line each stands in."""
    reader = csv.reader(io.StringIO(_text(path), newline=""))
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = tuple(cell.strip() for cell in next(reader, []))
        if header[: len(HEADER)] != HEADER:
            raise RecordingError(f"{path}, line 1: {_about(header)}")
        for row in reader:
            if not row:
                continue
            if len(row) < len(HEADER):
                raise RecordingError(
                    f"{path}, line {reader.line_num}: {len(row)} columns; "
                    f"expected {','.join(HEADER)}"
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise RecordingError(f"{path}, line {reader.line_num}: not CSV: {error}") from None
    if not rows:
        raise RecordingError(f"{path} has no rows below its header")
    return rows, np.array(lines, dtype=np.intp)


def _about(header: tuple[str, ...]) -> str:
    """Return what is wrong with `header`, and what was expected."""
    expected = f"expected {','.join(HEADER)}"
    shown = ",".join(header)[:60]
    if not shown:
        return f"the file is empty or begins with an empty line; {expected}"
    for separator, word in ((";", "a semicolon"), ("\t", "a tab")):
        if separator in shown:
            return (
                f"columns are separated by {word}; {expected}: separator ',' and decimal point '.'"
            )
    return f"the header is {shown!r}; {expected}"


def _numbers(
    path: Path, cells: list[str], lines: NDArray[np.intp], column: str
) -> NDArray[np.float64]:
    try:
        numbers = np.array([_number(cell) for cell in cells], dtype=np.float64)
    except ValueError:
        at = next(i for i, cell in enumerate(cells) if not _is_number(cell))
        expected = "a number with a decimal point '.'" if "," in cells[at] else "a number"
        raise RecordingError(
            f"{path}, line {lines[at]}: {column} is {cells[at][:40]!r}; expected {expected}"
        ) from None
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        raise RecordingError(
            f"{path}, line {lines[bad[0]]}: {column} is {cells[bad[0]].strip()!r}; "
            "leave the row out where nothing was measured"
        )
    return numbers


def _number(cell: str) -> float:
    if "_" in cell:
        raise ValueError(cell)  # Python reads 1_0 as 10; nobody else does
    return float(cell)


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _check_times(path: Path, times: NDArray[np.float64], lines: NDArray[np.intp]) -> None:
    if times[0] < 0:
        raise RecordingError(
            f"{path}, line {lines[0]}: t_s is {times[0]:g}; expected seconds from the start, 0 or more"
        )
    back = np.flatnonzero(np.diff(times) < 0)
    if back.size:
        at = int(back[0]) + 1
        raise RecordingError(
            f"{path}, line {lines[at]}: t_s goes back from {times[at - 1]:g} to {times[at]:g}; "
            "sort the rows by t_s"
        )
    if times[-1] > _MAX_S:
        raise RecordingError(
            f"{path}, line {lines[-1]}: t_s is {times[-1]:g}; expected seconds from the start of "
            f"the recording, {_MAX_S:.0f} (31 days) at most; not ms, not a date"
        )
    _check_density(path, times, lines)


def _check_density(path: Path, times: NDArray[np.float64], lines: NDArray[np.intp]) -> None:
    """Refuse what would be hundreds of thousands of empty windows."""
    duration_s = float(times[-1])
    filled = np.unique(window_of(times)).size
    if duration_s > _SPARSE_S and filled * WINDOW_S < _SPARSE_SHARE * duration_s:
        jump = np.diff(times, prepend=0.0)
        at = int(np.argmax(jump))
        raise RecordingError(
            f"{path}, line {lines[at]}: t_s jumps by {jump[at]:.10g} to {times[at]:.10g}, "
            f"and rows fill {filled} windows of {WINDOW_S:g} s in {duration_s:.10g} s; expected "
            "seconds, not ms, and no stray row; a longer pause needs a recording of its own"
        )


def window_of(t_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the number of the window that holds each recording time `t_s` (seconds)."""
    found: NDArray[np.intp] = np.maximum(0, np.ceil(t_s / WINDOW_S) - 1).astype(np.intp)
    return found
