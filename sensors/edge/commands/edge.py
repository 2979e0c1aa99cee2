"""``wellbeing edge``: run the agent's process, and speak to it from another terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sensors import codec
from sensors.command_line import (
    BrokerOption,
    CollectorKeysOption,
    CollectorsOption,
    ConfigOption,
    ConsentOption,
    JsonOption,
    LanguageOption,
    SecondsOption,
    SiteOption,
    StateDirOption,
    broker_settings,
    plain_app,
    read_tables,
)
from sensors.config import section
from sensors.edge.commands.answers import app as answers_app
from sensors.edge.commands.claim import claim
from sensors.edge.commands.giving import Given, command
from sensors.edge.commands.microphones import microphones
from sensors.edge.commands.page import app as page_app
from sensors.edge.consent.permission import parse_channels
from sensors.edge.running.beside import companions
from sensors.edge.running.ending import LastResort, interruptible, stopping_on_signals
from sensors.edge.running.process import EdgeProcess
from sensors.edge.sealing.keyhold import load_cipher
from sensors.edge.settings import EdgeSettings
from sensors.edge.words import (
    ASKED_AGAIN,
    CONSENT_INTRODUCTION,
    CONSENT_TEXT,
    NO_COLLECTOR,
    NOT_ASKED,
    PRIVATE_INTRODUCTION,
    measured,
    names,
)
from sensors.errors import ConfigurationError, MissingExtraError
from sensors.mqtt import LOOPBACK, require_tls
from sensors.policy import PolicySettings
from sensors.signals import Channel
from sensors.spoken import say, speak, terminal_language

app = plain_app(
    "The agent's process: collectors, consent, outbox; pause, resume, withdraw.",
    invoke_without_command=True,
)


_KNOWN = ", ".join(Channel)

AgentOption = Annotated[str | None, typer.Option(metavar="NAME", help="The agent's pseudonym.")]
SourceOption = Annotated[str | None, typer.Option(metavar="NAME", help="Name of this edge.")]
PageOption = Annotated[
    bool | None, typer.Option(help="Serve the agent's own page on this machine.")
]
RecordOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Also write what is measured to a new recording, .csv or .csv.gz."
    ),
]


def parse_options(
    texts: list[str], before: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]] | None:
    """Return collector options with each ``NAME.KEY=VALUE`` of `texts` put over `before`.

    A value that is JSON (a number, true, a list) is taken as such, else as text.
    """
    if not texts:
        return None
    options = {name: dict(table) for name, table in before.items()}
    for text in texts:
        path, equals, value = text.partition("=")
        name, dot, key = path.partition(".")
        if not (equals and dot and name and key):
            raise ConfigurationError(f"--option is {text!r}; expected COLLECTOR.KEY=VALUE")
        try:
            parsed = codec.load_json(value)
        except ValueError:
            parsed = value
        options.setdefault(name, {})[key] = parsed
    return options


@app.callback()
def edge(  # noqa: PLR0917 - typer reads the options from the parameters
    context: typer.Context,
    config: ConfigOption = None,
    site: SiteOption = None,
    agent: AgentOption = None,
    source: SourceOption = None,
    broker: BrokerOption = None,
    state_dir: StateDirOption = None,
    collectors: CollectorsOption = None,
    options: CollectorKeysOption = None,
    consent: ConsentOption = None,
    page: PageOption = None,
    language: LanguageOption = None,
    record: RecordOption = None,
    seconds: SecondsOption = None,
) -> None:
    """Run the edge, unless a command follows."""
    tables = read_tables(config)
    keys = parse_options(options or [], section(tables, "edge", EdgeSettings).options)
    settings = section(
        tables,
        "edge",
        EdgeSettings,
        site=site,
        agent=agent,
        source=source,
        state_dir=state_dir,
        collectors=tuple(collectors) if collectors else None,
        options=keys,
        page=page,
        language=language,
    )
    _speak(settings.language or terminal_language(os.environ))
    given = Given(settings, broker_settings(tables, broker), source is not None)
    context.obj = given
    if context.invoked_subcommand is None:
        _check_reach(given, tables)
        chosen = None if consent is None else parse_channels([consent])
        with LastResort() as last:
            asyncio.run(_run(given, chosen, seconds, record, last))


def _check_reach(given: Given, tables: dict[str, Any]) -> None:
    """Refuse to send what the profile, or private mode, keeps on this machine, or in the clear."""
    if not given.edge.private:
        PolicySettings.check(tables)
        require_tls(given.broker)
    elif given.broker.host not in LOOPBACK:
        raise ConfigurationError(
            f"[edge] private is true and [broker] host is {given.broker.host!r};"
            " private mode sends nothing off this machine: run wellbeing me"
        )


async def _run(
    given: Given,
    consent: tuple[Channel, ...] | None,
    seconds: float | None,
    record: Path | None,
    last: LastResort,
) -> None:
    given.edge.require_agent()
    cipher = load_cipher(given.edge.folder, use_keyring=given.edge.keyring)
    beside = companions(given.edge, cipher, record)
    process = EdgeProcess(
        given.edge,
        given.broker,
        _line,
        companions=beside,
        cipher=cipher,
        ending=lambda: last.begin(lambda: _line(process.last_words())),
    )
    if consent is not None:
        process.consent(consent)
    elif not given.edge.collectors:
        _line(say(NO_COLLECTOR))
    elif not process.permission.is_asked and process.channels:
        if sys.stdin.isatty():
            with interruptible():
                chosen = _ask(process.channels, is_private=given.edge.private)
            process.consent(chosen)
        else:
            _line(say(ASKED_AGAIN if process.permission.is_asked_again else NOT_ASKED))
    with stopping_on_signals(process.stop):  # from before it says that it started
        _line(process.start_line())
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, process.stop)
        await process.run()
    _line(
        say("stopped")
        if given.edge.private
        else say("stopped; windows that were not sent yet are kept")
    )


def _speak(language: str) -> None:
    try:
        speak(language)
    except MissingExtraError as error:  # English is better than no edge
        _line(str(error))


def _line(text: str) -> None:
    with contextlib.suppress(OSError):  # whoever read us may be gone; measuring goes on
        sys.stderr.write(f"wellbeing edge: {text}\n")
        sys.stderr.flush()


def _ask(channels: tuple[Channel, ...], *, is_private: bool) -> list[Channel]:
    """Ask for consent, channel by channel, in plain lines a screen reader reads in order."""
    typer.echo(say(PRIVATE_INTRODUCTION if is_private else CONSENT_INTRODUCTION))
    chosen = []
    for channel in channels:
        typer.echo("")
        typer.echo(say(CONSENT_TEXT[channel]))
        typer.echo(measured(channel))
        if typer.confirm(say("  May this be measured?"), default=False):
            chosen.append(channel)
    typer.echo("")
    typer.echo(say("You allowed: {channels}.").format(channels=names(chosen)))
    return chosen


@app.command()
def pause(context: typer.Context, as_json: JsonOption = False) -> None:
    """Stop measuring for now, at once; stays until you resume."""
    command(context, "pause", (), as_json=as_json)


@app.command()
def resume(context: typer.Context, as_json: JsonOption = False) -> None:
    """Go on measuring what you allowed."""
    command(context, "resume", (), as_json=as_json)


@app.command()
def lock(context: typer.Context, as_json: JsonOption = False) -> None:
    """Stop measuring: for the screen saver, when it locks."""
    command(context, "lock", (), as_json=as_json)


@app.command()
def unlock(context: typer.Context, as_json: JsonOption = False) -> None:
    """Go on: for the screen saver, when it is unlocked."""
    command(context, "unlock", (), as_json=as_json)


@app.command()
def withdraw(
    context: typer.Context,
    channels: Annotated[
        list[str] | None,
        typer.Argument(metavar="CHANNEL", help=f"Which of {_KNOWN}; all when none is named."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take consent back, for all channels or some.

    What was measured before stays; wellbeing edge erase erases it here.
    """
    chosen = parse_channels(channels or [])
    command(context, "withdraw", tuple(chosen), as_json=as_json)


@app.command()
def consent(
    context: typer.Context,
    channels: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHANNEL",
            help=f"Which of {_KNOWN}, or none; asked one by one when none is named.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read what may be measured, and choose.

    From then on exactly that is allowed.
    """
    if channels:
        chosen = parse_channels(channels)
    elif sys.stdin.isatty():
        chosen = tuple(_ask(tuple(Channel), is_private=context.obj.edge.private))
    else:
        raise ConfigurationError("no terminal to ask on; name the channels, or none")
    command(context, "consent", tuple(chosen), as_json=as_json)


def _is_confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, default=False)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        return False  # no terminal: nobody was asked


@app.command()
def erase(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase what is kept about you on this machine.

    Your choices stay. Works whether the edge runs or not. What the server holds is asked for with
    wellbeing edge ask erase.
    """
    if not yes and not _is_confirmed(
        say("Erase what is kept about you on this machine? It cannot be brought back.")
    ):
        raise ConfigurationError(say("nothing was erased"))
    command(context, "forget", (), as_json=as_json)


app.command()(claim)
app.command()(microphones)


@app.command()
def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say what runs, what is allowed and what waits to be sent."""
    command(context, "status", (), as_json=as_json)


app.add_typer(answers_app)
app.add_typer(page_app)
