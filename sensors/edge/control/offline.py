"""A command to every edge of this person on this machine, running or not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sensors.edge.consent.file import Change, ConsentFile
from sensors.edge.consent.permission import Event, parse_channels
from sensors.edge.control.control import ask
from sensors.edge.control.forgetting import forget_folder
from sensors.edge.settings import EdgeSettings
from sensors.errors import StateError

_SAID = frozenset({"ask", "reply", "page"})
"""Commands for one running edge: they speak for the person, or open what it serves."""


def command_everywhere(
    settings: EdgeSettings, source: str | None, command: str, words: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Give `command` to the running edges, or record it for the next start.

    What speaks for the person (`ask`, `reply`) goes through one edge only.

    With an agent in `settings`, only to that agent's edges (and only to
    `source`, when given); without one, to all that ever ran here.

    Returns
    -------
    list of dict
        One report each.

    Raises
    ------
    StateError
        If there is none, the command needs a running edge and none runs, or
        one does not obey; those that do have been told all the same.
    """
    folders = _folders(settings)
    if folders and command in _SAID:
        return [_said_once(folders, source, command, words)]
    reports: list[dict[str, Any]] = []
    failed: list[StateError] = []
    for folder in folders:
        answers = _answers(folder, source, command, words, failed)
        reports += answers or [_alone(folder, command, words)]
    if failed:
        raise failed[0]
    if not reports:
        raise StateError(
            f"no edge has run here ({settings.root}); start one: wellbeing edge --agent PSEUDONYM"
        )
    return reports


def _answers(
    folder: Path, source: str | None, command: str, words: tuple[str, ...], failed: list[StateError]
) -> list[dict[str, Any]]:
    """Return what each running edge answers: one that hangs keeps no pause from the others."""
    answers = []
    for path in _controls(folder, source):
        try:
            answer = ask(path, command, words)
        except StateError as error:
            failed.append(error)
        else:
            answers += [] if answer is None else [answer]
    return answers


def _said_once(
    folders: list[Path], source: str | None, command: str, words: tuple[str, ...]
) -> dict[str, Any]:
    """Say it through the first edge that runs: a person says a thing once."""
    for path in (path for folder in folders for path in _controls(folder, source)):
        answer = ask(path, command, words)
        if answer is not None:
            return answer
    raise StateError(f"no edge is running, and {command} needs one; start: wellbeing edge")


def _controls(folder: Path, source: str | None) -> list[Path]:
    return sorted(folder.glob(f"control-{source or '*'}.json"))


def _folders(settings: EdgeSettings) -> list[Path]:
    if settings.agent:
        return [settings.folder]
    # An edge whose agent was never asked has no consent file, and hears its agent all the same.
    kept = [*settings.root.glob("*/*/consent.json"), *settings.root.glob("*/*/outbox-*.sqlite")]
    running = settings.root.glob("*/*/control-*.json")
    return sorted({path.parent for path in (*kept, *running)})


def _alone(folder: Path, command: str, words: tuple[str, ...]) -> dict[str, Any]:
    """Do `command` where no edge runs."""
    return forget_folder(folder) if command == "forget" else _record(folder, command, words)


def _record(folder: Path, command: str, words: tuple[str, ...]) -> dict[str, Any]:
    """Keep `command` in the consent file; the next start honours it."""
    file = ConsentFile(folder / "consent.json")
    change = _change(command, words)
    after = file.load() if change is None else file.change(change)
    return {
        "running": False,
        "site": folder.parent.name,
        "agent": folder.name,
        "consent": [channel.value for channel in sorted(after.channels)],
        "stopped_because": sorted(after.reasons),
    }


def _change(command: str, words: tuple[str, ...]) -> Change | None:
    """Return what `command` makes of what is allowed; ``None`` where it only asks."""
    now = datetime.now(UTC)
    match command:
        case "pause" | "resume" | "lock" | "unlock":
            event = Event(command)
            return lambda allowed: allowed.after(event)
        case "withdraw":
            channels = parse_channels(words)
            return lambda allowed: allowed.withdrawing(channels, now)
        case "consent":
            channels = parse_channels(words)
            return lambda allowed: allowed.consenting(channels, now)
        case _:  # status
            return None
