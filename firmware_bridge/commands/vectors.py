"""``firmware-bridge vectors``: the protocol's test vectors, printed, or another's verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from firmware_bridge.bench import verifying
from firmware_bridge.bench.verifying import PARTS, Verified
from firmware_bridge.commands.options import print_json
from firmware_bridge.protocol import vectors
from sensors.command_line import JsonOption
from sensors.errors import ConfigurationError, DeviceError


def vectors_(
    verify: Annotated[
        Path | None,
        typer.Option(
            help="What your implementation writes: JSON like ours, or lines NAME: HEX.",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(help=f"Print only these: {', '.join(PARTS)}.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the protocol's test vectors, or verify what yours writes.

    Exit code 3 when something in the file differs.
    """
    if verify is not None:
        _verify(verify, as_json=as_json)
        return
    if part is not None and part not in PARTS:
        raise ConfigurationError(f"--part is {part!r}; expected one of: {', '.join(PARTS)}")
    found = vectors.load()
    chosen = PARTS if part is None else (part,)
    if as_json:
        print_json(found if part is None else {part: found[part]})
        return
    for name in chosen:
        for entry in found[name]:
            typer.echo(line(entry))


def line(entry: dict[str, Any]) -> str:
    """Return one vector as a line of text."""
    name = entry["name"]
    if "bytes" in entry:
        return f"{name}: {entry['bytes']} (takes {len(entry['taken'])} frames)"
    if "values" in entry:
        return f"{name}: {entry['samples']['raw']} (means {entry['values']})"
    if "reason" in entry:
        return f"{name}: {entry['wire']} (refused, {entry['reason']})"
    return f"{name}: {entry['wire']}"


def _verify(path: Path, *, as_json: bool) -> None:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigurationError(f"--verify is {path}; {reason}") from None
    done = verifying.verify(verifying.read(text, f"--verify {path}"))
    if as_json:
        print_json(done)
    else:
        _say(done)
    if done.findings:
        raise DeviceError(
            f"{len(done.findings)} of {done.checked} vectors in {path} differ; see hardware.md"
        )


def _say(done: Verified) -> None:
    for finding in done.findings:
        typer.echo(f"{finding.name}: {finding.problem}")
    typer.echo(
        f"{done.checked} vectors checked, {len(done.findings)} differ; "
        f"{done.absent} of our messages are not among them"
    )
