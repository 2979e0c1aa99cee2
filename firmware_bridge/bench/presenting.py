"""Shows a board while it is read: lines, JSON, or a screen that is drawn over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Self

import typer

from firmware_bridge.bench.monitor_view import Style, plain_lines, screen
from firmware_bridge.bench.monitoring import Monitor, Report
from firmware_bridge.bench.tapping import Step
from firmware_bridge.bench.watching import Feed
from firmware_bridge.commands.options import note, print_json

DRAWN_EVERY_S = 0.25
"""Between two drawings. [s] A reader's eye takes no more, and a plot moves smoothly enough."""

HINT_AFTER_S = 3.0
"""Without anything readable for so long, say what may be wrong. [s]"""

_STYLES: dict[Style, str] = {"plain": "", "strong": "bold", "weak": "dim", "bad": "red"}


class Lines:
    """A line per look, as text or JSON; nothing is ever drawn over.

    Parameters
    ----------
    every_s : float
        Between two looks. [s]
    as_json : bool
    """

    def __init__(self, every_s: float, *, as_json: bool) -> None:
        self.every_s = every_s
        self._as_json = as_json
        self._told = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing to put back."""

    def show(self, report: Report, trouble: str) -> None:
        """Print one look; `trouble` says why there is nothing, empty if there is something."""
        if trouble and trouble != self._told and report.elapsed_s >= HINT_AFTER_S:
            note(trouble)
            self._told = trouble
        if self._as_json:
            print_json(report)
            return
        for line in plain_lines(report):
            typer.echo(line)


class Screen:
    """A screen of its own, drawn over; the shell's comes back at the end.

    Parameters
    ----------
    watching : Monitor
    port : str
        Its name, for the head.
    """

    def __init__(self, watching: Monitor, port: str) -> None:
        from rich.console import Console  # noqa: PLC0415 - lines do without
        from rich.live import Live  # noqa: PLC0415

        self.every_s = DRAWN_EVERY_S
        self._watching = watching
        self._port = port
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._last: list[str] = []

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._live.__exit__(None, None, None)
        for line in self._last:  # what was seen last stays in the shell
            typer.echo(line)

    def show(self, report: Report, trouble: str) -> None:
        """Draw one look."""
        from rich.text import Text  # noqa: PLC0415

        size = self._console.size
        told = trouble if report.elapsed_s >= HINT_AFTER_S else ""
        watched = self._watching
        lines = screen(
            report,
            watched.traces,
            list(watched.log),
            self._port,
            (size.width, size.height),
            trouble=told,
        )
        drawn = Text("\n").join(
            Text(line.text, _STYLES[line.style], no_wrap=True) for line in lines
        )
        self._live.update(drawn, refresh=True)
        self._last = plain_lines(report)[-1:]


def present(
    steps: Iterable[Step], feed: Feed, watching: Monitor, view: Lines | Screen, name: str
) -> Iterator[Step]:
    """Show `steps` while they pass, and yield them.

    Parameters
    ----------
    steps : iterable of Step
    feed : Feed
        What decoded them.
    watching : Monitor
    view : Lines or Screen
    name : str
        Of the port, for people.
    """
    due_s = view.every_s
    at_s = 0.0
    try:
        for step in steps:
            at_s = step.at_s
            watching.take(step.heard, at_s)
            if at_s >= due_s:
                view.show(watching.report(at_s, feed.health()), feed.trouble(name))
                due_s += view.every_s * math.ceil((at_s - due_s) / view.every_s or 1)
            yield step
    finally:
        if not watching.is_shown:
            view.show(watching.report(at_s, feed.health()), "")
