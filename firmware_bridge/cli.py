"""The `firmware-bridge` command: from a board on the desk to values on the screen."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from firmware_bridge.csv_lines import CsvLines, check_columns
from firmware_bridge.monitoring import Monitor
from firmware_bridge.serial_port import SerialPort, ports
from sensors import codec
from sensors.command_line import JsonOption, plain_app, run
from sensors.errors import ConfigurationError, WellbeingError
from sensors.recording import write_recording

app = plain_app(
    "For people who build headsets and modules: see, check and record what a board sends.",
)

_Port = Annotated[str, typer.Option(help="Serial port; `firmware-bridge ports` lists them.")]
_Csv = Annotated[
    str, typer.Option(help="Signals in the order the board prints them; - skips a column.")
]
_Baud = Annotated[int, typer.Option(min=50, help="Speed; without meaning on USB CDC.")]
_Seconds = Annotated[float | None, typer.Option(min=0.0, help="Stop after so long. [s]")]


@app.command("ports")
def ports_(as_json: JsonOption = False) -> None:
    """List the serial ports of this machine."""
    found = ports()
    if as_json:
        typer.echo(codec.dump_json([asdict(info) for info in found]).decode())
        return
    for info in found:
        words = (info.port, info.hardware, info.description, info.serial_number)
        typer.echo("  ".join(word for word in words if word))
    if not found:
        typer.echo("no serial port found; plug a board in, or check its cable (data, not charge)")


@app.command()
def monitor(  # noqa: PLR0917 - typer calls it by name
    port: _Port,
    csv: _Csv,
    baud: _Baud = 115_200,
    seconds: _Seconds = None,
    every: Annotated[float, typer.Option(min=0.05, help="A line this often. [s]")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Show what a board sends: newest values, rates, and lines that could not be read."""
    lines = CsvLines(_columns(csv))
    watching = Monitor(lines, time.monotonic())
    with SerialPort(port, baud) as opened:
        due_s = time.monotonic() + every
        for data in _until(opened, seconds):
            now_s = time.monotonic()
            watching.take(data)
            if now_s >= due_s:
                _show(watching, now_s, as_json=as_json)
                due_s = max(due_s + every, now_s)
    if not watching.is_shown:
        _show(watching, time.monotonic(), as_json=as_json)


def _show(watching: Monitor, now_s: float, *, as_json: bool) -> None:
    report = watching.report(now_s)
    typer.echo(codec.dump_json(asdict(report)).decode() if as_json else report.line())


@app.command()
def record(  # noqa: PLR0917 - typer calls it by name
    port: _Port,
    csv: _Csv,
    to: Annotated[Path, typer.Option(help="Recording to write: NAME.csv or NAME.csv.gz.")],
    baud: _Baud = 115_200,
    seconds: _Seconds = None,
    as_json: JsonOption = False,
) -> None:
    """Write what a board sends to a recording that `wellbeing replay` takes; Ctrl-C ends it."""
    lines = CsvLines(_columns(csv))
    if to.exists():
        raise ConfigurationError(f"--to is {to}, which exists; choose another name")
    lost: list[WellbeingError] = []
    with SerialPort(port, baud) as opened:
        typer.echo(f"recording to {to}; Ctrl-C ends it", err=True)
        try:
            count = write_recording(to, _rows(opened, lines, seconds, lost))
        except OSError as error:
            raise ConfigurationError(f"--to is {to}; {error.strerror or error}") from None
    counts = asdict(lines.counts)
    if as_json:
        typer.echo(codec.dump_json({"recording": str(to), "values": count, **counts}).decode())
    else:
        refused = lines.counts.unreadable + lines.counts.too_long
        typer.echo(
            f"{to}: {count} values of {lines.counts.read} lines; {refused} lines unreadable, "
            f"{lines.counts.out_of_range} values out of range"
        )
    if lost:
        raise lost[0]


def _rows(
    opened: SerialPort, lines: CsvLines, seconds: float | None, lost: list[WellbeingError]
) -> Iterator[tuple[float, str, float]]:
    """Yield rows of a recording; a lost board ends it, so that what came before is kept."""
    start_s = time.monotonic()
    try:
        for data in _until(opened, seconds):
            t_s = round(time.monotonic() - start_s, 3)
            for sample in lines.feed(data):
                for name, value in sample.items():
                    yield t_s, name, value
    except WellbeingError as error:
        lost.append(error)


def _until(opened: SerialPort, seconds: float | None) -> Iterator[bytes]:
    """Yield what arrives, also nothing, until the time is over or Ctrl-C."""
    end_s = None if seconds is None else time.monotonic() + seconds
    interrupted = threading.Event()
    # A flag, not an exception: it could strike while a row is being written.
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: interrupted.set()) for number in numbers]
    try:
        while not interrupted.is_set() and (end_s is None or time.monotonic() < end_s):
            yield opened.read()
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _columns(csv: str) -> tuple[str, ...]:
    return check_columns([column.strip() for column in csv.split(",")], "--csv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script; errors become one line on stderr."""
    return run(app, sys.argv[1:] if arguments is None else arguments, "firmware-bridge")
