"""``wellbeing silence``: mute alerts about an agent or a team until a time, and say why."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from analytics.alerts.silences import LONGEST
from analytics.people.teams import Teams, load_teams
from dashboard import settings as settings_module
from dashboard.live import CONFIRM_S
from sensors import codec, topics
from sensors.command_line import BrokerOption, ConfigOption, SiteOption, plain_app
from sensors.config import BrokerSettings
from sensors.errors import ConfigurationError
from sensors.messages import Action, DecisionMessage
from sensors.mqtt import Connection

app = plain_app()

_CONNECT_WITHIN_S = 10.0
_LONGEST_REASON = 64  # what the message holds


@app.command()
def silence(  # noqa: PLR0917 - typer reads the options from the parameters
    agent: Annotated[str | None, typer.Option(help="Pseudonym.", show_default=False)] = None,
    team: Annotated[str | None, typer.Option(help="A whole team.", show_default=False)] = None,
    until: Annotated[
        str | None,
        typer.Option(help="HH:MM on this machine's clock, at most 12 h ahead.", show_default=False),
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="End one instead.")] = False,
    why: Annotated[
        str | None, typer.Option(help="Up to 64 characters; the record keeps it.")
    ] = None,
    supervisor: Annotated[
        str | None, typer.Option("--as", help="Your login, as in teams.toml.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    site: SiteOption = None,
    broker: BrokerOption = None,
    teams: Annotated[str | None, typer.Option(help="teams.toml", show_default=False)] = None,
) -> None:
    """Mute alerts about an agent or a team until a time: a drill, a planned outage.

    Muted alerts are in the record, and what still stands at the end is told.
    Requests for help and technical faults are never muted. The agent is told
    who silenced.
    """
    chosen = settings_module.load(config, broker, site=site, supervisor=supervisor, teams=teams)
    own = chosen.dashboard
    now = datetime.now(UTC)
    _refuse_strangers(load_teams(Path(own.teams)), own.supervisor, agent, team, now)
    if lift == (until is not None):
        raise ConfigurationError("give --until HH:MM to silence, or --lift to end it")
    reason = _reason(why, lift=lift)
    identity = secrets.token_hex(8)
    message = DecisionMessage(
        id=identity,
        at=now,
        alert_id=identity,
        by=own.supervisor,
        action=Action.SILENCE,
        agent=agent,
        team=team,
        until_at=now if until is None else parse_until(until, now),
        reason=reason,
    )
    _send(chosen.broker, own.site, message)
    about = f"agent {agent}" if agent else f"team {team}"
    said = "is no longer silenced" if lift else f"is silenced until {until}"
    typer.echo(f"{about} {said}; requests for help come through as ever")


def _reason(why: str | None, *, lift: bool) -> str:
    """Return what the record keeps as the reason."""
    reason = (why or "").strip() or ("lifted" if lift else "")
    if not reason:
        raise ConfigurationError("--why is missing; say in a few words why, for the record")
    if len(reason) > _LONGEST_REASON:
        raise ConfigurationError(
            f"--why has {len(reason)} characters; shorten it to {_LONGEST_REASON}"
        )
    return reason


def _refuse_strangers(
    teams: Teams, supervisor: str, agent: str | None, team: str | None, now: datetime
) -> None:
    """Say at once what the server would only record: that it is not theirs to silence."""
    if (agent is None) == (team is None):
        raise ConfigurationError("give --agent or --team, one of them")
    theirs = team if team is not None else teams.team_of(agent or "", now)
    if theirs is None or supervisor not in teams.supervisors(theirs, now):
        about = f"team {team!r}" if team is not None else f"agent {agent!r}"
        raise ConfigurationError(
            f"{about} is led by others, or in no team; {supervisor!r} can silence only their own"
            " (see teams.toml, and --as)"
        )


def parse_until(text: str, now: datetime) -> datetime:
    """Return the next time that this machine's clock shows `text`. UTC.

    Parameters
    ----------
    text : str
        ``HH:MM``.
    now : datetime

    Raises
    ------
    ConfigurationError
        If it is no time of day, or further away than a silence may last.
    """
    here = now.astimezone()
    try:
        wall = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day
    except ValueError:
        raise ConfigurationError(f"--until is {text!r}; expected HH:MM such as 14:30") from None
    # A wall time without an offset first: clocks may change between now and then.
    day = datetime.combine(here.date(), wall)
    at = day.astimezone(UTC)
    at = at if at > now else (day + timedelta(days=1)).astimezone(UTC)
    if at - now > LONGEST:
        hours = LONGEST // timedelta(hours=1)
        raise ConfigurationError(f"--until is {text!r}; expected at most {hours} h from now")
    return at


def _send(settings: BrokerSettings, site: str, message: DecisionMessage) -> None:
    connection = Connection(settings, client_id=f"silence-{site}-{secrets.token_hex(4)}")
    connection.start()
    try:
        connection.wait_connected(_CONNECT_WITHIN_S)
        payload = codec.encode(message)
        topic = topics.decision(site)
        connection.publish_and_wait(topic, payload, retain=False, timeout_s=CONFIRM_S)
    finally:
        connection.stop()
