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
from sensors.spoken import say, spoken


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
    because = ", ".join(report["stopped_because"]) or say("no")
    lines = [
        f"{report['site']}/{report['agent']}: {running}",
        say("  allowed: {channels}").format(channels=", ".join(report["consent"]) or say("none")),
        say("  stopped: {because}").format(because=because),
    ]
    for channel, state in report.get("channels", {}).items():
        lines.append(f"  {channel}: {state}")
    lines += [f"  {name}: {device}" for name, device in report.get("devices", {}).items()]
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
