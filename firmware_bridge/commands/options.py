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

from sensors import codec
from sensors.errors import ConfigurationError
from sensors.interruption import Interruption

PortOption = Annotated[
    str,
    typer.Option(
        metavar="PORT",
        help="Serial port (`firmware-bridge ports` lists them), or socket://HOST:PORT.",
    ),
]
EitherPortOption = Annotated[
    str | None,
    typer.Option(
        "--port", metavar="PORT", help="Serial port, or socket://HOST:PORT.", show_default=False
    ),
]
BluetoothOption = Annotated[
    str | None,
    typer.Option(
        "--bluetooth",
        metavar="ADDRESS",
        help="Address of a headset, as scan shows it.",
        show_default=False,
    ),
]
UnpairedOption = Annotated[
    bool,
    typer.Option(
        "--unpaired", help="Listen to the headset without pairing: anybody near can read along."
    ),
]
CsvOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="For a board that prints comma-separated lines: the signals in their order; "
        "- skips a column.",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        metavar="HZ",
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


def check_one(verb: str, port: str | None, bluetooth: str | None) -> None:
    """Refuse both or neither of a board and a headset.

    Raises
    ------
    ConfigurationError
        Then.
    """
    if (port is None) == (bluetooth is None):
        raise ConfigurationError(
            f"{verb} takes one of --port and --bluetooth; run: firmware-bridge scan"
        )


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yield a flag that Ctrl-C or a termination sets: a row being written is finished first."""
    interrupted = Interruption()
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
