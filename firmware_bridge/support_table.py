"""The table of supported devices in hardware.md, written from captures of them.

One file of JSON per maker, model and firmware holds what the device sent. A
row says what decoding it yields, and nothing more: a device whose capture is
not read any longer fails the tests. Run in a checkout:

    python -m firmware_bridge.support_table            # print the table
    python -m firmware_bridge.support_table --write    # put it into hardware.md
    python -m firmware_bridge.support_table --add session.capture --driver serial ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from firmware_bridge.display.ld2410 import Ld2410, Report
from firmware_bridge.display.mapping import readings_of
from firmware_bridge.ports.capture import Capture
from firmware_bridge.printed.csv_lines import CsvLines, check_columns
from firmware_bridge.protocol.events import Beaten, Measured
from firmware_bridge.protocol.session import Session
from sensors import codec
from sensors.command_line import plain_app, run
from sensors.errors import ConfigurationError, DeviceError
from sensors.heart_rate.measurement import parse

BEGIN = "<!-- supported devices: written by `python -m firmware_bridge.support_table --write` -->\n"
END = "<!-- end of supported devices -->"

MOST_BYTES = 200_000
"""Longest capture of a fixture: a minute of the fastest board is a third of it. [byte]"""

_ROOT = Path(__file__).parents[1]
_FAR_M = 10.0

Chunks = Sequence[tuple[float, bytes]]


class Origin(StrEnum):
    """What a capture is."""

    SIMULATED = "simulated"
    DOCUMENTATION = "from its documentation"
    RECORDED = "recorded"


class Driver(StrEnum):
    """What decodes a device."""

    SERIAL = "serial"  # the serial protocol
    CSV = "csv"  # lines of numbers
    LD2410 = "ld2410"
    HEART_RATE = "heart_rate"  # each piece one notification of 0x2A37


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One fixture.

    Parameters
    ----------
    maker, model, firmware : str
        As the device says; unique together with `driver`.
    link : str
        How it is connected, in words.
    driver : Driver
    origin : Origin
    note : str
        What a reader of the table must know besides.
    columns : tuple of str
        Of a board that prints lines.
    capture : tuple of (second, hexadecimal digits)
        What it sent, in the pieces in which it arrived.
    """

    maker: str
    model: str
    firmware: str
    link: str
    driver: Driver
    origin: Origin
    note: str = ""
    columns: tuple[str, ...] = ()
    capture: tuple[tuple[float, str], ...] = ()

    def __post_init__(self) -> None:
        for key in ("maker", "model", "firmware", "link"):
            value = getattr(self, key)
            if not value or "|" in value or "\n" in value:
                raise ConfigurationError(f"{key} is {value!r}; expected one line without |")

    @property
    def name(self) -> str:
        """Name of its file, without the ending."""
        words = f"{self.maker} {self.model} {self.firmware} {self.driver}".casefold()
        return re.sub(r"[^a-z0-9.]+", "-", words).strip("-.")

    def chunks(self) -> Chunks:
        """Return what it sent, each piece with its time [s]."""
        return [(at_s, bytes.fromhex(digits)) for at_s, digits in self.capture]


def signals_of(device: Device) -> tuple[str, ...]:
    """Return the signals that decoding a device's capture yields, by name.

    Raises
    ------
    DeviceError
        If it yields none, or something in it could not be read.
    """
    try:
        found = _DECODERS[device.driver](device)
    except DeviceError as error:
        raise DeviceError(f"{device.name}: {error}") from None
    if not found:
        raise DeviceError(f"{device.name}: nothing in its capture could be read")
    return tuple(sorted(found))


def _serial(device: Device) -> set[str]:
    session = Session()
    found: set[str] = set()
    for at_s, data in device.chunks():
        for event in session.feed(data, at_s):
            if isinstance(event, Measured):
                found.add(event.stream.signal)
            elif isinstance(event, Beaten):
                found.add("rr_ms")
    said = session.hello
    if said is None:
        raise DeviceError("it never said who it is; the capture must hold a HELLO")
    wanted = (device.maker, device.model, device.firmware)
    if (said.maker, said.model, said.firmware) != wanted:
        raise DeviceError(f"it says {said.maker} {said.model} {said.firmware}")
    return found


def _csv(device: Device) -> set[str]:
    lines = CsvLines(check_columns(device.columns, "columns"))
    samples = [sample for _, data in device.chunks() for sample in lines.feed(data)]
    return {name for sample in samples for name in sample}


def _ld2410(device: Device) -> set[str]:
    decoder = Ld2410()
    found: set[str] = set()
    for _, data in device.chunks():
        for item in decoder.feed(data):
            if isinstance(item, Report):
                found |= readings_of(item, _FAR_M).keys()
    if decoder.counts.refused:
        raise DeviceError(f"frames refused: {dict(decoder.counts.refused)}")
    return found


def _heart_rate(device: Device) -> set[str]:
    found: set[str] = set()
    for _, data in device.chunks():
        said = parse(data)
        found |= {"hr_bpm"} if said.hr_bpm else set()
        found |= {"rr_ms"} if said.rr_ms else set()
        found |= {"contact"} if said.contact is not None else set()
    return found


_DECODERS: Mapping[Driver, Callable[[Device], set[str]]] = {
    Driver.SERIAL: _serial,
    Driver.CSV: _csv,
    Driver.LD2410: _ld2410,
    Driver.HEART_RATE: _heart_rate,
}


def read_devices(folder: Path) -> list[Device]:
    """Return the fixtures of `folder`, by maker, model and firmware.

    Raises
    ------
    ConfigurationError
        If one cannot be read, or its file is not named after it.
    """
    devices = []
    for path in sorted(folder.glob("*.json")):
        try:
            device = codec.convert(codec.load_json(path.read_bytes()), Device)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path}: {error}") from None
        if path.stem != device.name:
            raise ConfigurationError(f"{path.name} should be called {device.name}.json")
        devices.append(device)
    return sorted(devices, key=lambda one: (one.maker.casefold(), one.model, one.firmware))


def table(devices: Iterable[Device]) -> str:
    """Return the table, in Markdown."""
    lines = [
        "| maker | model | firmware | link | gives | rests on |",
        "|---|---|---|---|---|---|",
    ]
    for one in devices:
        gives = ", ".join(f"`{name}`" for name in signals_of(one))
        rests = f"{one.origin}{'; ' if one.note else ''}{one.note}"
        cells = (one.maker, one.model, one.firmware, one.link, gives, rests)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def put_into(page: str, found: str) -> str:
    """Return `page` with the table `found` between its two marks.

    Raises
    ------
    ConfigurationError
        If the marks are not there.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigurationError(f"the page lacks {BEGIN.strip()} or {END}; put them back")
    return before + begin + found + end + after


def device_of(path: Path, device: Device) -> Device:
    """Return `device` with what it sent, from the file at `path`.

    A capture of ``firmware-bridge record --raw``; of a Bluetooth headset a
    text with one notification per line, as tools for phones show them:
    ``16 48 00 04`` or ``(0x) 16-48-00-04``. Such lines are a second apart.

    Raises
    ------
    ConfigurationError
        If it cannot be read as such, or is too long.
    """
    pieces = _notifications(path) if device.driver is Driver.HEART_RATE else _captured(path)
    size = sum(len(digits) // 2 for _, digits in pieces)
    if size > MOST_BYTES:
        raise ConfigurationError(f"{path} has {size} bytes; 20 to 60 s of it will do")
    return replace(device, capture=pieces)


def _captured(path: Path) -> tuple[tuple[float, str], ...]:
    sent = (chunk for chunk in Capture(path).chunks() if chunk.from_board)
    return tuple((round(chunk.at_ns / 1e9, 4), chunk.data.hex()) for chunk in sent)


def _notifications(path: Path) -> tuple[tuple[float, str], ...]:
    found: list[tuple[float, str]] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in filter(str.strip, lines):
            digits = re.sub(r"\(0x\)|0x|[\s:-]", "", line)
            found.append((float(len(found)), bytes.fromhex(digits).hex()))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}") from None
    except ValueError:
        raise ConfigurationError(
            f"{path}, line {len(found) + 1}: expected one notification in hexadecimal digits"
        ) from None
    return tuple(found)


def write_device(folder: Path, device: Device) -> Path:
    """Write a fixture that can be read back, and return where it is.

    Raises
    ------
    ConfigurationError
        If it is there already.
    DeviceError
        If nothing in it can be read.
    """
    signals_of(device)
    path = folder / f"{device.name}.json"
    if path.exists():
        raise ConfigurationError(f"{path} exists; a new firmware is a new fixture")
    fields = asdict(device)
    capture = ",\n".join(f"    {codec.dump_json(piece).decode()}" for piece in device.capture)
    rest = codec.dump_json({k: v for k, v in fields.items() if k != "capture"}).decode()
    path.write_text(f'{rest[:-1]},\n  "capture": [\n{capture}\n  ]\n}}\n', encoding="utf-8")
    return path


app = plain_app("Write the table of supported devices in hardware.md from captures of them.")


@app.command()
def main_(  # noqa: PLR0917 - typer calls it by name
    write: Annotated[bool, typer.Option("--write", help="Put the table into the page.")] = False,
    add: Annotated[
        Path | None, typer.Option(help="Capture of a device to add, or notifications as text.")
    ] = None,
    driver: Annotated[Driver, typer.Option(help="What reads it.")] = Driver.SERIAL,
    maker: Annotated[str, typer.Option(help="Its maker.")] = "",
    model: Annotated[str, typer.Option(help="Its model.")] = "",
    firmware: Annotated[str, typer.Option(help="Its firmware.")] = "",
    link: Annotated[str, typer.Option(help="How it is connected, such as USB.")] = "USB",
    note: Annotated[str, typer.Option(help="What a reader must know besides.")] = "",
    csv: Annotated[str, typer.Option(help="Its columns, where it prints lines.")] = "",
    devices: Annotated[Path, typer.Option(help="Folder of the fixtures.")] = (
        _ROOT / "tests/fixtures/devices"
    ),
    page: Annotated[Path, typer.Option(help="The page.")] = _ROOT / "hardware.md",
) -> None:
    """Print the table; with --write put it into the page; with --add add a device first."""
    if add is not None:
        made = Device(
            maker=maker,
            model=model,
            firmware=firmware,
            link=link,
            driver=driver,
            origin=Origin.RECORDED,
            note=note,
            columns=tuple(column.strip() for column in csv.split(",") if column.strip()),
        )
        typer.echo(f"written: {write_device(devices, device_of(add, made))}", err=True)
    found = table(read_devices(devices))
    if write:
        page.write_text(put_into(page.read_text(encoding="utf-8"), found), encoding="utf-8")
    else:
        typer.echo(found, nl=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; errors become one line."""
    return run(app, arguments or [], "support_table")


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
