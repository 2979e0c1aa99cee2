"""``wellbeing me``: private mode, for one person on their own machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from sensors.command_line import ConfigOption, plain_app, read_tables
from sensors.config import section
from sensors.errors import ConfigurationError, MessageError
from sensors.messages import check_identity
from sensors.policy import PolicySettings
from sensors.signals import Channel

app = plain_app()

_SENSORS = ("heart_rate", "hid", "voice")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """What of ``[edge]`` is needed here, too; the rest only the edge reads."""

    agent: str = "me"
    state_dir: str = ""
    collectors: tuple[str, ...] = ()


@app.command()
def me(  # noqa: PLR0917 - options of the command line
    collector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="As of wellbeing edge; else of [edge], heart_rate, hid and voice. Repeat.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="COLLECTOR.KEY=VALUE", help="Option of a collector; repeat."),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What you are called in what is kept; else me."),
    ] = None,
    state_dir: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Where everything is kept; else the system's place."),
    ] = None,
    config: ConfigOption = None,
    consent: Annotated[
        str | None,
        typer.Option(
            metavar="CHANNELS",
            help="For unattended use: what you have consented to, with commas, or none.",
        ),
    ] = None,
    page: Annotated[bool, typer.Option(help="Serve your own page on this machine.")] = True,
    language: Annotated[
        str, typer.Option(metavar="LANGUAGE", help="en or zh_CN; else the system's.")
    ] = "",
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for", metavar="SECONDS", help="End by itself after so many seconds.", min=0.0
        ),
    ] = None,
) -> None:
    """Everything on this machine alone: sensors, pipeline, store and your own page.

    Nothing is sent, and nobody else sees anything. Of the configuration file
    only [edge] and [policy] count. To pause or withdraw from another terminal:
    wellbeing edge pause, wellbeing edge withdraw; to open your page: wellbeing
    edge page (each with --state-dir as here, where you gave one).
    """
    tables = read_tables(config)
    policy = _policy(tables)
    own = _own(tables, agent=agent, state_dir=state_dir, collectors=tuple(collector or ()) or None)
    options = [
        "--page" if page else "--no-page",
        *_repeated("--config", [config]),
        *_repeated("--language", [language or None]),
        *_repeated("--consent", [consent]),
        *_repeated("--collector", _sensors(own.collectors, policy)),
        *_repeated("--option", option or []),
    ]
    # SciPy and all: `--help` and a wrong option should be told at once.
    from analytics.one_machine.me import Wish, default_state_dir, live_alone  # noqa: PLC0415

    wish = Wish(
        agent=own.agent,
        state_dir=(
            Path(own.state_dir).expanduser().absolute() if own.state_dir else default_state_dir()
        ),
        edge_options=tuple(options),
        policy=policy,
        seconds=seconds,
    )
    typer.echo(f"Private: nothing leaves this machine; everything is kept in {wish.folder}.")
    typer.echo("There is no supervisor here; what one would be told, you are told. Ctrl-C ends it.")
    code = live_alone(wish)
    if code:
        raise typer.Exit(code)


def _policy(tables: Mapping[str, Any]) -> PolicySettings:
    if "policy" in tables:
        return section(tables, "policy", PolicySettings)
    return PolicySettings(profile="general")


def _repeated(name: str, values: Iterable[object]) -> list[str]:
    """Return ``name VALUE`` for each value that was given."""
    return [word for value in values if value is not None for word in (name, str(value))]


def _own(tables: Mapping[str, Any], **given: Any) -> _Own:
    known = {field.name for field in fields(_Own)}
    table = {key: value for key, value in tables.get("edge", {}).items() if key in known}
    own = section({"edge": table}, "edge", _Own, **given)
    try:
        check_identity("--agent" if given["agent"] else "[edge] agent", own.agent)
    except MessageError as error:
        raise ConfigurationError(error.detail) from None
    return own


def _sensors(chosen: tuple[str, ...], policy: PolicySettings) -> tuple[str, ...]:
    """Return which collectors run; what the profile forbids is not opened here either."""
    if Channel.VOICE in policy.forbidden:
        if "voice" in chosen:
            raise ConfigurationError(
                f"[policy] profile {policy.profile!r} forbids voice; leave that collector out"
            )
        return chosen or tuple(name for name in _SENSORS if name != "voice")
    return chosen or _SENSORS
