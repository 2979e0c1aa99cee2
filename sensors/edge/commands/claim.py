"""``wellbeing edge claim``: which of the headsets near is mine."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from sensors import codec
from sensors.command_line import JsonOption
from sensors.edge.commands.giving import Given
from sensors.edge.consent.file import ConsentFile
from sensors.edge.settings import EdgeSettings
from sensors.errors import ConfigurationError, MissingExtraError
from sensors.heart_rate.claimed import Claimed, ClaimFile
from sensors.heart_rate.settings import TABLE, HeartRateSettings, from_options
from sensors.signals import Channel
from sensors.spoken import say


def claim(
    context: typer.Context,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Claim this one without taking it off.", show_default=False
        ),
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Claim none any more.")] = False,
    patience_s: Annotated[
        float,
        typer.Option(
            "--for", metavar="SECONDS", min=5.0, max=600.0, help="How long to wait for you."
        ),
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Find your headset at a hot desk.

    Take it off for three seconds when asked to.
    """
    given: Given = context.obj
    file = ClaimFile(given.edge.claim_path)
    if forget:
        file.forget()
        typer.echo(say("no headset is claimed any more"), err=as_json)
        return
    settings = from_options(given.edge.options_of("heart_rate"))
    _check(given.edge, settings)
    if address:
        claimed = Claimed(address=address.strip())
    else:
        claimed = asyncio.run(_listen(settings, patience_s))
    file.save(claimed)
    if as_json:
        typer.echo(codec.dump_json(claimed).decode())
        return
    shown = f"{claimed.name} ({claimed.address})" if claimed.name else claimed.address
    typer.echo(
        say("your headset is {headset}; it is kept until you claim another").format(headset=shown)
    )


def _check(edge: EdgeSettings, settings: HeartRateSettings) -> None:
    """Refuse before anything is listened to (TRUST T6), or what would have no effect."""
    if Channel.HEART not in ConsentFile(edge.consent_path).load().channels:
        raise ConfigurationError(
            "heart is not allowed, so no headset is listened to; run: wellbeing edge consent"
        )
    if settings.address:
        raise ConfigurationError(
            f"[{TABLE}] address is {settings.address!r} and wins over a claim; take it out first"
        )


async def _listen(settings: HeartRateSettings, patience_s: float) -> Claimed:
    try:
        from sensors.heart_rate.claiming import Claiming  # noqa: PLC0415 - needs the extra
        from sensors.heart_rate.radio import Radio  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; run: pip install 'agent-wellbeing[ble]'"
        ) from None
    return await Claiming(Radio(), settings, lambda line: typer.echo(line, err=True)).run(
        patience_s
    )
