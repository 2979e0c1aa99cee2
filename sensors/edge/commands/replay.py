"""``wellbeing replay``: stream recordings through the broker at a chosen speed."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sensors import codec
from sensors.command_line import (
    BrokerOption,
    ConfigOption,
    JsonOption,
    broker_settings,
    parse_speed,
    plain_app,
    read_tables,
)
from sensors.config import section
from sensors.edge.recording.session import ReplaySession
from sensors.edge.settings import EdgeSettings
from sensors.errors import BrokerError, ConfigurationError, MessageError, WellbeingError
from sensors.messages import check_identity
from sensors.mqtt import require_tls
from sensors.recording import Recording, read_recording

app = plain_app()

_CONNECT_WITHIN_S = 10.0
_SAY_EVERY_S = 5.0
_LOOK_S = 0.05


@app.command()
def replay(  # noqa: PLR0917 - typer reads the options from the parameters
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Recordings, .csv or .csv.gz.")
    ],
    speed: Annotated[
        str, typer.Option(metavar="TIMES", help="How many times real time, 1 or more; or max.")
    ] = "1",
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="One pseudonym for each file; by default from the file's name."
        ),
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="Site; by default the one of [edge].", show_default=False)
    ] = None,
    source: Annotated[str, typer.Option(help="Name of the edge.")] = "replay",
    config: ConfigOption = None,
    broker: BrokerOption = None,
    wait: Annotated[
        bool, typer.Option(help="Wait until the server has stored every window.")
    ] = True,
    timeout: Annotated[
        float, typer.Option(help="Give up when nothing was stored for this long, in seconds.")
    ] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Send recordings as if they were measured until now, and wait for the server."""
    factor = parse_speed(speed)
    recordings = [read_recording(path) for path in files]
    agents = _agents(files, agent or [])
    _check("--source", source)
    tables = read_tables(config)
    edge = section(tables, "edge", EdgeSettings, site=site)
    settings = broker_settings(tables, broker)
    require_tls(settings)
    for recording in recordings:
        for name, count in recording.skipped.items():
            _line(f"{recording.name}: {count} values of {name} out of range, skipped")
        for name, count in recording.repeated.items():
            _line(f"{recording.name}: {count} repeated rows of {name}, counted once")
    with tempfile.TemporaryDirectory(prefix="wellbeing-replay-") as folder:
        report = asyncio.run(
            _replay(
                recordings,
                agents,
                wait_s=timeout if wait else None,
                build=lambda recording, name: ReplaySession(
                    recording,
                    settings,
                    site=edge.site,
                    agent=name,
                    source=source,
                    folder=Path(folder),
                    speed=factor,
                ),
            )
        )
    if as_json:
        typer.echo(codec.dump_json(report).decode())


def _agents(files: Sequence[Path], given: Sequence[str]) -> list[str]:
    """Return one agent for each file."""
    if not given:
        given = [
            re.sub(r"[^a-z0-9_-]+", "-", path.name.lower().split(".")[0]).strip("-_")[:32]
            for path in files
        ]
    if len(given) != len(files):
        raise ConfigurationError(f"--agent given {len(given)} times for {len(files)} files")
    for name in given:
        _check("--agent", name)
        if given.count(name) > 1:
            raise ConfigurationError(f"two files would be agent {name!r}; give each an --agent")
    return list(given)


def _check(option: str, value: str) -> None:
    try:
        check_identity(option, value)
    except MessageError as error:
        raise ConfigurationError(error.detail) from None


async def _replay(
    recordings: Sequence[Recording],
    agents: Sequence[str],
    *,
    wait_s: float | None,
    build: Any,
) -> dict[str, Any]:
    began_s = time.monotonic()
    sessions: list[ReplaySession] = [
        build(recording, name) for recording, name in zip(recordings, agents, strict=True)
    ]
    tasks = [asyncio.create_task(session.run(_CONNECT_WITHIN_S)) for session in sessions]
    try:
        await _watch(sessions, tasks, wait_s)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "agents": {
            session.agent: {
                "windows": session.progress.total,
                "sent": session.progress.sent,
                "stored": session.progress.stored,
                "skipped": recording.skipped,
                "repeated": recording.repeated,
            }
            for session, recording in zip(sessions, recordings, strict=True)
        },
        "elapsed_s": round(time.monotonic() - began_s, 3),
    }


async def _watch(
    sessions: Sequence[ReplaySession], tasks: Sequence[asyncio.Task[None]], wait_s: float | None
) -> None:
    """Return when everything was sent, and stored if asked; say how it goes."""
    total = sum(session.progress.total for session in sessions)
    said_s = advanced_s = time.monotonic()
    before = (-1, -1)
    while True:
        for task in tasks:
            if task.done():
                task.result()
        sent = sum(session.progress.sent for session in sessions)
        stored = sum(session.progress.stored for session in sessions)
        now_s = time.monotonic()
        if (sent, stored) != before:
            before, advanced_s = (sent, stored), now_s
        done = (sent if wait_s is None else stored) == total
        if done or now_s - said_s >= _SAY_EVERY_S:
            said_s = now_s
            _line(f"{sent} of {total} windows sent, {stored} stored by the server")
        if done:
            return
        if wait_s is not None and sent == total and now_s - advanced_s > wait_s:
            raise NotStoredError(
                f"the server has stored {stored} of {total} windows and nothing for {wait_s:g} s; "
                "is wellbeing detect running for this site?"
            )
        await asyncio.sleep(_LOOK_S)


class NotStoredError(WellbeingError, TimeoutError):
    """The server must be looked at: it did not confirm what was sent."""

    exit_code = BrokerError.exit_code


def _line(text: str) -> None:
    sys.stderr.write(f"wellbeing replay: {text}\n")
    sys.stderr.flush()
