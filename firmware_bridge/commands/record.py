"""``firmware-bridge record``: what a board measures, and every byte it sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from firmware_bridge.bench.recording_rows import InOrder, Row
from firmware_bridge.bench.tapping import Step, Tap
from firmware_bridge.commands.feeds import feed_of
from firmware_bridge.commands.options import (
    BAUD,
    BaudOption,
    CsvOption,
    PortOption,
    RateOption,
    SecondsOption,
    arriving,
    interruptible,
    note,
    print_json,
)
from firmware_bridge.ports.capture import CaptureWriter, Made
from firmware_bridge.ports.serial_port import SerialPort
from sensors.command_line import JsonOption
from sensors.errors import ConfigurationError, DeviceError, WellbeingError
from sensors.recording import write_recording


def record(  # noqa: PLR0917 - typer calls it by name
    port: PortOption,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Recording to write: NAME.csv or NAME.csv.gz. Without it, bytes only.",
            show_default=False,
        ),
    ] = None,
    raw: Annotated[
        Path | None,
        typer.Option(
            help="Also keep every byte with its time: NAME.bin, for replay.", show_default=False
        ),
    ] = None,
    csv: CsvOption = None,
    rate: RateOption = None,
    baud: BaudOption = BAUD,
    seconds: SecondsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what a board measures, and its bytes, to files.

    The recording is one that `wellbeing replay` takes; Ctrl-C ends it.
    """
    check_places(to, raw)
    feed = feed_of(csv, rate)
    made = Made(port, baud, csv, rate, datetime.now(UTC).isoformat(timespec="seconds"))
    lost: list[WellbeingError] = []
    with (
        SerialPort(port, baud) as opened,
        nullcontext() if raw is None else CaptureWriter(raw, made) as capture,
        interruptible() as interrupted,  # from before it says that Ctrl-C ends it
    ):
        tap = Tap(feed, capture)
        names = " and ".join(str(path) for path in (to, raw) if path is not None)
        note(f"recording to {names}; Ctrl-C ends it")
        found = arriving(lambda: tap.step(opened), seconds, interrupted)
        steps = _until_lost(found, lost)
        summary = write_rows(to, steps)
    summary |= {"raw": None if raw is None else str(raw), "counts": feed.health().counts}
    if capture is not None:
        summary["raw_bytes"] = capture.bytes
    report(summary, as_json=as_json)
    if lost:
        raise lost[0]
    trouble = feed.trouble(port)
    if trouble:
        raise DeviceError(trouble)


def check_places(to: Path | None, raw: Path | None) -> None:
    """Refuse what would overwrite a file, or write none.

    Raises
    ------
    ConfigurationError
        Naming the option.
    """
    if to is None and raw is None:
        raise ConfigurationError("record needs --to NAME.csv, --raw NAME.bin, or both")
    for option, path in (("--to", to), ("--raw", raw)):
        if path is not None and path.exists():
            raise ConfigurationError(f"{option} is {path}, which exists; choose another name")
        if path is not None and not path.parent.is_dir():
            raise ConfigurationError(f"{option} is {path}; there is no folder {path.parent}")
    if to is not None and not to.name.endswith((".csv", ".csv.gz")):
        raise ConfigurationError(f"--to is {to}; expected NAME.csv or NAME.csv.gz")
    if to is not None and raw is not None and to.resolve() == raw.resolve():
        raise ConfigurationError(f"--to and --raw are both {to}; each needs a file of its own")


def _until_lost(found: Iterator[Step], lost: list[WellbeingError]) -> Iterator[Step]:
    """Yield what arrives, and say what is amiss; a lost board ends it, what came before is kept."""
    try:
        for step in found:
            for line in step.heard.notices:
                note(line)
            yield step
    except DeviceError as error:
        lost.append(error)


def write_rows(to: Path | None, steps: Iterator[Step]) -> dict[str, object]:
    """Write what `steps` measured, and return how much that was.

    Raises
    ------
    ConfigurationError
        If the file cannot be written.
    """
    order = InOrder()
    if to is None:
        for _ in steps:
            pass
        return {"recording": None, "values": 0, "left_out": 0}
    try:
        # Only its owner may read it: it holds a person's heart.
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        count = write_recording(to, _rows(steps, order))
    except ConfigurationError:
        raise
    except OSError as error:
        raise ConfigurationError(f"--to is {to}; {error.strerror or error}") from None
    return {"recording": str(to), "values": count, "left_out": order.left_out}


def _rows(steps: Iterator[Step], order: InOrder) -> Iterator[Row]:
    for step in steps:
        yield from order.take(step.heard.readings, step.at_s)
    yield from order.rest()


def report(summary: dict[str, object], *, as_json: bool) -> None:
    """Say what was written."""
    if as_json:
        print_json(summary)
        return
    counts = summary["counts"]
    assert isinstance(counts, dict)  # noqa: S101 - for the type checker
    told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if count)
    if summary["recording"] is not None:
        late = f", {summary['left_out']} came too late" if summary["left_out"] else ""
        typer.echo(f"{summary['recording']}: {summary['values']} values{late} ({told})")
    if summary.get("raw") is not None:
        typer.echo(f"{summary['raw']}: {summary['raw_bytes']} bytes ({told})")
