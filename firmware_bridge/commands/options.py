"""What the verbs of `firmware-bridge` share: their options, and how they speak to a terminal.

Plain means whole lines that are never drawn over, without colour and without
boxes: for screen readers, for files, and for whoever asks for it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import Annotated, Any, TypeVar

import typer

from firmware_bridge.bench.board_feed import BoardFeed
from firmware_bridge.bench.line_feed import LineFeed
from firmware_bridge.bench.watching import Feed
from firmware_bridge.printed.csv_lines import check_columns
from firmware_bridge.printed.raw_lines import check_rate
from sensors import codec
from sensors.errors import ConfigurationError

PortOption = Annotated[
    str,
    typer.Option(
        help="Serial port (`firmware-bridge ports` lists them), or socket://HOST:PORT.",
    ),
]
CsvOption = Annotated[
    str | None,
    typer.Option(
        help="For a board that prints comma-separated lines: the signals in their order; "
        "- skips a column.",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        help="Lines per second, for --csv with a raw waveform; found by itself without it. [1/s]",
        show_default=False,
    ),
]
BaudOption = Annotated[
    int, typer.Option(min=50, max=12_000_000, help="Speed; without meaning on USB CDC.")
]
SecondsOption = Annotated[float | None, typer.Option(min=0.0, help="Stop after so long. [s]")]
PlainOption = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="Whole lines, no colour, nothing drawn over: for screen readers. "
        "So it is, too, with NO_COLOR set or without a terminal.",
    ),
]

BAUD = 115_200

T = TypeVar("T")


def is_plain(asked: bool) -> bool:
    """Return whether to print whole lines only.

    Parameters
    ----------
    asked : bool
        Whether ``--plain`` was given.
    """
    return (
        asked
        or bool(os.environ.get("NO_COLOR"))
        or os.environ.get("TERM") == "dumb"
        or not sys.stdout.isatty()
    )


def print_json(value: Any) -> None:
    """Print a dataclass, or whatever JSON takes, as one line of JSON."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    typer.echo(codec.dump_json(plain).decode())


def note(text: str) -> None:
    """Say something about the work, beside what is reported."""
    typer.echo(text, err=True)


def feed_of(csv: str | None, rate_hz: float | None) -> Feed:
    """Return the decoder of a board: of lines where ``--csv`` is given, else of the protocol.

    Raises
    ------
    ConfigurationError
        If the columns or the rate cannot be those of a board, or do not go together.
    """
    columns = columns_of(csv, rate_hz)
    return BoardFeed() if columns is None else LineFeed(columns, rate_hz)


def columns_of(csv: str | None, rate_hz: float | None) -> tuple[str, ...] | None:
    """Return the columns of a board that prints lines; None for one that speaks the protocol.

    Raises
    ------
    ConfigurationError
        If the columns or the rate cannot be those of a board, or do not go together.
    """
    if csv is None:
        if rate_hz is not None:
            raise ConfigurationError("--rate goes with --csv; a board that speaks says its rates")
        return None
    if rate_hz is not None:
        check_rate(rate_hz, "--rate")
    return split_columns(csv)


def split_columns(csv: str) -> tuple[str, ...]:
    """Return the columns that ``--csv`` names.

    Raises
    ------
    ConfigurationError
        If they cannot be the columns of a board.
    """
    return check_columns([column.strip() for column in csv.split(",")], "--csv")


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yield a flag that Ctrl-C or a termination sets: a row being written is finished first."""
    interrupted = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: interrupted.set()) for number in numbers]
    try:
        yield interrupted
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def arriving(
    read: Callable[[], T], seconds: float | None, interrupted: threading.Event
) -> Iterator[T]:
    """Yield what `read` brings, also nothing, until the time is over or `interrupted`."""
    end_s = None if seconds is None else time.monotonic() + seconds
    while not interrupted.is_set() and (end_s is None or time.monotonic() < end_s):
        yield read()
