"""``wellbeing me``: private mode, for one person on their own machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from sensors.command_line import (
    CollectorKeysOption,
    CollectorsOption,
    ConfigOption,
    ConsentOption,
    LanguageOption,
    SecondsOption,
    StateDirOption,
    plain_app,
    read_tables,
)
from sensors.config import section
from sensors.errors import ConfigurationError, MessageError, MissingExtraError
from sensors.messages import check_identity
from sensors.policy import PolicySettings
from sensors.signals import Channel
from sensors.spoken import say, speak, terminal_language

app = plain_app()

_SENSORS = ("heart_rate", "hid", "voice")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """What of ``[edge]`` is needed here, too; the rest only the edge reads."""

    agent: str = "me"
    state_dir: str = ""
    collectors: tuple[str, ...] = ()
    language: str = ""


AgentOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What you are called in what is kept; else me."),
]


@app.command()
def me(  # noqa: PLR0917 - options of the command line
    collectors: CollectorsOption = None,
    options: CollectorKeysOption = None,
    agent: AgentOption = None,
    state_dir: StateDirOption = None,
    config: ConfigOption = None,
    consent: ConsentOption = None,
    page: Annotated[bool, typer.Option(help="Serve your own page on this machine.")] = True,
    language: LanguageOption = None,
    seconds: SecondsOption = None,
) -> None:
    """Everything on this machine alone: sensors, pipeline, store and your own page.

    Nothing is sent, and nobody else sees anything. Without --collector or
    [edge] collectors it reads heart_rate, hid and voice; of the configuration
    file only [edge] and [policy] count. To pause or withdraw from another
    terminal: wellbeing edge pause, wellbeing edge withdraw; to open your page:
    wellbeing edge page (each with --state-dir as here, where you gave one).
    """
    tables = read_tables(config)
    policy = _policy(tables)
    own = _own(
        tables,
        agent=agent,
        state_dir=state_dir,
        collectors=tuple(collectors or ()) or None,
        language=language,
    )
    _speak(own.language or terminal_language(os.environ))
    edge_options = [
        "--page" if page else "--no-page",
        *_repeated("--config", [config]),
        *_repeated("--language", [language]),
        *_repeated("--consent", [consent]),
        *_repeated("--collector", _sensors(own.collectors, policy)),
        *_repeated("--option", options or []),
    ]
    code = _live(own, edge_options, policy, seconds)
    if code:
        raise typer.Exit(code)


def _live(own: _Own, edge_options: list[str], policy: PolicySettings, seconds: float | None) -> int:
    # SciPy and all: `--help` and a wrong option should be told at once.
    from analytics.one_machine.me import Wish, default_state_dir, live_alone  # noqa: PLC0415

    given = Path(own.state_dir).expanduser().absolute() if own.state_dir else default_state_dir()
    wish = Wish(
        agent=own.agent,
        state_dir=given,
        edge_options=tuple(edge_options),
        policy=policy,
        seconds=seconds,
    )
    typer.echo(
        say(
            "Private: nothing leaves this machine; everything is kept in {folder}.",
            folder=wish.folder,
        )
    )
    typer.echo(
        say("There is no supervisor here; what one would be told, you are told. Ctrl-C ends it.")
    )
    return live_alone(wish)


def _speak(language: str) -> None:
    with suppress(MissingExtraError):  # English is better than nothing; the edge says why
        speak(language)


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
