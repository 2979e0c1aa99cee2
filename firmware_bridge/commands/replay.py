"""``firmware-bridge replay``: a capture decoded again, or served as a board."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from firmware_bridge.bench.monitoring import Monitor
from firmware_bridge.bench.presenting import Lines, Screen, present
from firmware_bridge.bench.serving_capture import serve as serve_capture
from firmware_bridge.bench.tapping import replayed
from firmware_bridge.commands.feeds import feed_of
from firmware_bridge.commands.options import PlainOption, interruptible, is_plain, note, print_json
from firmware_bridge.commands.record import check_places, write_rows
from firmware_bridge.ports.capture import Capture, Chunk
from firmware_bridge.simulation.endpoints import Endpoint, Listener, Terminal
from sensors.command_line import JsonOption, parse_speed
from sensors.errors import ConfigurationError, DeviceError


def replay(  # noqa: PLR0917 - typer calls it by name
    file: Annotated[Path, typer.Argument(help="Capture, NAME.bin, as record --raw writes it.")],
    to: Annotated[
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
        str | None,
        typer.Option(
            help="How many times real time, 1 or more, or max. Decoded: max; served: 1.",
            show_default=False,
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Be that board, on a pseudo-terminal; Ctrl-C ends it.")
    ] = False,
    link: Annotated[
        Path | None,
        typer.Option(
            help="Serve with a symbolic link on the port, for a name that stays.",
            show_default=False,
        ),
    ] = None,
    tcp: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Serve here instead.", show_default=False),
    ] = None,
    every: Annotated[
        float, typer.Option(min=0.05, help="A line per so much of the capture. [s]")
    ] = 10.0,
    plain: PlainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decode a capture again, or be the board it came from.

    Decoding goes the way of a live port; served, other programs can open it.
    """
    capture = Capture(file)
    if serve or link is not None or tcp is not None:
        if to is not None or (link is not None and tcp is not None):
            raise ConfigurationError("--to, --link and --tcp do not go together")
        endpoint: Endpoint = Terminal(link) if tcp is None else Listener(tcp)
        _serve(capture, endpoint, parse_speed(speed or "1"), as_json=as_json)
        return
    factor = parse_speed(speed or "max")
    if to is not None:
        check_places(to, None)
    _decode(capture, to, csv, factor, every, plain=plain, as_json=as_json)


def _serve(capture: Capture, endpoint: Endpoint, speed: float, *, as_json: bool) -> None:
    with interruptible() as interrupted:
        if as_json:
            print_json({"event": "ready", "port": endpoint.port})
        else:
            typer.echo(f"{capture.path} on {endpoint.port}; Ctrl-C ends it")
        for served in serve_capture(capture, endpoint, speed, interrupted):
            if as_json:
                print_json(served)
            else:
                typer.echo(served.line())


def _decode(
    capture: Capture,
    to: Path | None,
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
            summary = write_rows(to, steps)
    if to is not None:
        note(f"{to}: {summary['values']} values")
    if capture.is_cut:
        note(f"{capture.path} ends within a record; what is whole was read")
    trouble = feed.trouble(name)
    if trouble and not interrupted.is_set():
        raise DeviceError(trouble)


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
