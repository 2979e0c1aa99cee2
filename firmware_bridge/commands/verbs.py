"""The verbs of `firmware-bridge`; each is imported only when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import typer

from sensors.command_line import plain_app


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: the function that serves it, and its first line of help."""

    target: str
    help: str

    def load(self) -> Callable[..., None]:
        """Return the function."""
        module, _, name = self.target.partition(":")
        found: Callable[..., None] = getattr(importlib.import_module(module), name)
        return found


_COMMANDS = "firmware_bridge.commands"
VERBS: dict[str, Verb] = {
    "ports": Verb(f"{_COMMANDS}.ports:ports_", "List the serial ports of this machine."),
    "scan": Verb(f"{_COMMANDS}.scan:scan", "Look for boards and headsets, and say what they are."),
    "inspect": Verb(f"{_COMMANDS}.inspect:inspect", "Say everything one board or headset says about itself."),
    "monitor": Verb(f"{_COMMANDS}.monitor:monitor", "Show what a board sends, live; Ctrl-C ends."),
    "record": Verb(f"{_COMMANDS}.record:record", "Write what a board measures, and its bytes, to files."),
    "replay": Verb(f"{_COMMANDS}.replay:replay", "Decode a capture again, or be the board it came from."),
    "provision": Verb(f"{_COMMANDS}.provision:provision_", "Give a board its device id and rates, and read them back."),
    "run": Verb(f"{_COMMANDS}.run:run", "Publish this board's values through the agent's edge."),
    "simulate": Verb("firmware_bridge.simulation.cli:simulate", "Be a headset: on a pseudo-terminal, a TCP port or Bluetooth."),
    "check": Verb("firmware_bridge.conformance.cli:check", "Check a board or headset against all that hardware.md requires."),
    "vectors": Verb(f"{_COMMANDS}.vectors:vectors_", "Print the protocol's test vectors, or verify what yours writes."),
}  # fmt: skip
"""In the order in which the list has them."""


def app_of(names: Iterable[str]) -> typer.Typer:
    """Return the command with the verbs called `names`, which are imported."""
    app = _empty()
    for name in names:
        app.command(name)(VERBS[name].load())
    return app


def app_for(arguments: Sequence[str], *, completes: bool = False) -> typer.Typer:
    """Return what `arguments` need: one verb, or the list of all.

    Parameters
    ----------
    arguments : sequence of str
    completes : bool
        Whether a shell asks how the line may go on, which needs them all.
    """
    if completes:
        return app_of(VERBS)
    verb = next((word for word in arguments if not word.startswith("-")), "")
    return app_of([verb]) if verb in VERBS else _list()


def _list() -> typer.Typer:
    app = _empty()
    for name, verb in VERBS.items():
        app.command(name, help=verb.help)(_nothing)
    return app


def _empty() -> typer.Typer:
    app = plain_app(
        "For people who build headsets and modules: see, check and record what a board sends.",
        completion=True,
    )
    app.callback()(_nothing)  # without it, an only verb could not be named
    return app


def _nothing() -> None: ...
