"""``wellbeing edge microphones``: which inputs the voice could be measured at."""

from __future__ import annotations

import typer

from sensors import codec
from sensors.command_line import JsonOption
from sensors.spoken import say
from sensors.voice.microphone import known_inputs


def microphones(as_json: JsonOption = False) -> None:
    """List the microphones of this machine; opens none.

    Set [edge.options.voice] device to a name, or a part of one. An output's
    monitor is never listened to: it carries the other end of a call.
    """
    found = known_inputs()
    if as_json:
        typer.echo(codec.dump_json(found).decode())
        return
    if not found:
        typer.echo(say("this machine has no microphone"))
    for one in found:
        words = [f"{one['name']} ({one['host']})"]
        if one["is_default"]:
            words.append(say("used when none is named"))
        if one["is_monitor"]:
            words.append(say("never used: it hears the other end of a call"))
        typer.echo(", ".join(words))
