"""``firmware-bridge replay``: a capture decoded again, or served as a board."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from firmware_bridge.capture import Capture, Chunk
from firmware_bridge.cli_options import (
    PlainOption,
    feed_of,
    interruptible,
    is_plain,
    note,
)
from firmware_bridge.cli_record import check_places, write_rows
from firmware_bridge.monitoring import Monitor
from firmware_bridge.presenting import Lines, Screen, present
from firmware_bridge.tapping import replayed
from sensors.command_line import JsonOption, parse_speed


def replay(  # noqa: PLR0917 - typer calls it by name
    file: Annotated[Path, typer.Argument(help="Capture, NAME.bin, as record --raw writes it.")],
    recording: Annotated[
        Path | None,
        typer.Option(help="Write what is measured to NAME.csv or .csv.gz.", show_default=False),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(
            help="Columns, if not those it was recorded with; '' for the protocol.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        str, typer.Option(help="How many times real time, 1 or more; or max.")
    ] = "max",
    every: Annotated[
        float, typer.Option(min=0.05, help="A line per so much of the capture. [s]")
    ] = 10.0,
    plain: PlainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decode a capture as if the board were there, or be that board for another program."""
    capture = Capture(file)
    factor = parse_speed(speed)
    if recording is not None:
        check_places(recording, None)
    _decode(capture, recording, csv, factor, every, plain=plain, as_json=as_json)


def _decode(
    capture: Capture,
    recording: Path | None,
    csv: str | None,
    speed: float,
    every: float,
    *,
    plain: bool,
    as_json: bool,
) -> None:
    chosen = capture.made.csv if csv is None else (csv or None)
    feed = feed_of(chosen, None if chosen is None else capture.made.rate_hz)
    watching = Monitor(0.0)
    name = f"{capture.path} ({capture.made.port})"
    if as_json or is_plain(plain) or speed == float("inf"):
        view: Lines | Screen = Lines(every, as_json=as_json)
    else:
        view = Screen(watching, name)
    with interruptible() as interrupted:
        chunks = paced(capture.chunks(), speed, interrupted)
        with view:
            steps = present(replayed(chunks, feed), feed, watching, view, name)
            summary = write_rows(recording, steps)
    if recording is not None:
        note(f"{recording}: {summary['values']} values")
    if capture.is_cut:
        note(f"{capture.path} ends within a record; what is whole was read")


def paced(chunks: Iterable[Chunk], speed: float, interrupted: threading.Event) -> Iterator[Chunk]:
    """Yield `chunks` in their time, `speed` times as fast, until `interrupted`."""
    start_s = time.monotonic()
    for chunk in chunks:
        early_s = chunk.at_ns / 1e9 / speed - (time.monotonic() - start_s)
        if early_s > 0.0:
            interrupted.wait(early_s)
        if interrupted.is_set():
            return
        yield chunk
