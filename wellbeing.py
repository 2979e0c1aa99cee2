"""The `wellbeing` command: names the verbs, imports each part only when its verb is used."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sensors.errors import MissingExtraError
from sensors.parent import end_with_parent


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: the typer app that serves it, its one line, and the extra it needs."""

    target: str
    help: str
    extra: str = ""


VERBS: dict[str, Verb] = {
    "up": Verb("dashboard.up:app", "Try it: broker, pipeline, store, dashboard and a simulated floor.", "server,dashboard"),
    "me": Verb("analytics.commands.me:app", "Private: sensors, pipeline and your own page on this machine; nothing is sent.", "server,edge"),
    "edge": Verb("sensors.edge.commands.edge:app", "The agent's process: collectors, consent, outbox; pause, resume, withdraw.", "edge"),
    "detect": Verb("analytics.commands.detect:app", "The server: journal, pipeline, alerts, store.", "server"),
    "dashboard": Verb("dashboard.cli:app", "The supervisor's screen.", "server,dashboard"),
    "silence": Verb("dashboard.silence_cli:app", "Mute alerts about an agent or a team until a time, and say why.", "server,dashboard"),
    "replay": Verb("sensors.edge.commands.replay:app", "Stream recordings through the broker at a chosen speed."),
    "evaluate": Verb("analytics.commands.evaluate:app", "Score labelled recordings offline and say how good it was.", "server"),
    "store": Verb("analytics.commands.store:app", "Look at the store: what is in it, whether it answers.", "server"),
    "agent": Verb("analytics.commands.agent:app", "Everything held about one agent: hand it out, erase it, with a receipt.", "server"),
    "research": Verb("analytics.research.cli:app", "For researchers: signals, frames, exports and figures of those who consented.", "server,research"),
    "backup": Verb("analytics.commands.backup:backup_app", "Write the server's state, erasures and the embedded store to one archive.", "server"),
    "restore": Verb("analytics.commands.backup:restore_app", "Put a backup in place, with every erasure since then done again.", "server"),
    "status": Verb("analytics.commands.status:app", "What the server is doing, in figures for people.", "server"),
    "bench": Verb("analytics.commands.bench:app", "Run the benchmarks of TARGETS and print a table or JSON.", "server"),
}  # fmt: skip


def _usage() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {verb.help}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: wellbeing VERB [OPTIONS]",
            "",
            "Real-time wellbeing monitoring for contact-centre agents.",
            "",
            *lines,
            "",
            "wellbeing VERB --help says more about one verb.",
        ]
    )


def run_verb(name: str, arguments: Sequence[str]) -> int:
    """Run one verb and return its exit code; errors become one line on stderr."""
    verb = VERBS[name]
    module_name, _, attribute = verb.target.partition(":")
    shown = f"wellbeing {name}"
    try:
        from sensors import command_line  # noqa: PLC0415 - `wellbeing --help` answers without it

        app = getattr(importlib.import_module(module_name), attribute)
        return command_line.run(app, arguments, shown)
    except ImportError as error:
        if not verb.extra or (error.name or "").split(".")[0] in _OURS:
            raise
        remedy = f"{error.name} is not installed; run: pip install 'agent-wellbeing[{verb.extra}]'"
        sys.stderr.write(f"{shown}: {remedy}\n")
        return MissingExtraError.exit_code
    except KeyboardInterrupt:  # while it was still importing
        return 130


_OURS = frozenset({"sensors", "analytics", "dashboard", "firmware_bridge"})


def _give_streams() -> None:
    """Stand in for the streams that a start without a terminal lacks (pythonw, a service)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for good


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    _give_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_usage() + "\n")
        return 0
    end_with_parent()
    if given[0] == "--version":
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(version("agent-wellbeing") + "\n")
        return 0
    if given[0] not in VERBS:
        known = f"known: {', '.join(VERBS)}"
        sys.stderr.write(f"wellbeing: unknown verb {given[0]!r}; {known}\n")
        return 2
    return run_verb(given[0], given[1:])


if __name__ == "__main__":
    raise SystemExit(main())
