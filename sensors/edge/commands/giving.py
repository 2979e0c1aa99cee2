"""One command of the agent's, given to their edges, and the answer in plain lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from sensors import codec
from sensors.config import BrokerSettings
from sensors.edge.control.offline import command_everywhere
from sensors.edge.settings import EdgeSettings
from sensors.edge.words import losses
from sensors.messages import Absence
from sensors.shown import FAULT_WORDS
from sensors.spoken import say, spoken
from sensors.words import N_

REASON_WORDS = {
    "paused": N_("paused"),
    "locked": N_("the screen is locked, or nobody is at the desk"),
    "off_shift": N_("outside your shift"),
    "on_break": N_("on a break"),
    "off_call": N_("no call is open (microphone only)"),
}
LINK_WORDS: dict[str, str] = {
    "ok": N_("being read now"),
    Absence.WITHHELD: N_("not read now"),
    **FAULT_WORDS,
}


@dataclass(frozen=True, slots=True)
class Given:
    """The options that stand before a subcommand."""

    edge: EdgeSettings
    broker: BrokerSettings
    source_given: bool


def command(context: typer.Context, name: str, words: tuple[str, ...], *, as_json: bool) -> None:
    """Give command `name` to the edges that `context` names, and print what they answer."""
    given: Given = context.obj
    source = given.edge.source if given.source_given else None
    reports = command_everywhere(given.edge, source, name, words)
    if as_json:
        typer.echo(codec.dump_json(reports).decode())
        return
    for report in reports:
        for line in told(report):
            typer.echo(line)


def told(report: dict[str, Any]) -> list[str]:
    """Return a report in plain lines: what was answered, or else the edge's state."""
    if "text" in report:
        return [f"{report['site']}/{report['agent']}: {report['text']}"]
    running = say("running") if report["running"] else say("not running")
    because = [say(REASON_WORDS.get(reason, reason)) for reason in report["stopped_because"]]
    lines = [
        # A person may have several edges here, and each answers.
        f"{report['site']}/{report['agent']}: {running}"
        + (f" ({report['source']})" if "source" in report else ""),
        say("  allowed: {channels}").format(channels=", ".join(report["consent"]) or say("none")),
        say("  stopped: {because}").format(because=spoken().listed(because) or say("no")),
    ]
    for channel, state in report.get("channels", {}).items():
        # Named as in a command: wellbeing edge withdraw CHANNEL.
        lines.append(f"  {channel}: {say(LINK_WORDS.get(state, state))}")
        about = (report.get(key, {}).get(channel) for key in ("device_of", "troubles"))
        lines += [f"    {note}" for note in about if note]
    lines += [f"  {line}" for line in losses(spoken(), report)]
    if report["running"]:
        why = f" ({report['refusal']})" if report["refusal"] else ""
        broker = say("connected") if report["connected"] else say("not connected") + why
        lines.append(
            say(
                "  broker: {broker}; windows kept until the server has them: {held}; dropped: {dropped}",
                broker=broker,
                held=report["held"],
                dropped=report["dropped"],
            )
        )
    if report.get("on_page"):
        lines.append(say("  told on your page only: {count}", count=report["on_page"]))
    return lines
