"""What the page remembers between two starts: language, what was asked, what was answered."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sensors import codec
from sensors.messages import RequestKind
from sensors.replacing import replace_durably
from sensors.words import LANGUAGES

_MOST_ANSWERS = 200
"""Answers kept, newest last; a question is shown for a day only."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the agent asked for last, when, and since when they ask for the same (UTC)."""

    kind: RequestKind
    at: datetime
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Small things that a person would not want to be asked twice.

    Parameters
    ----------
    language : str
        The agent's own choice on the page; empty while the browser's holds.
    asked : Asked or None
    answers : dict
        ``"KIND ALERT_ID"`` to the agent's yes or no.
    """

    language: str = ""
    asked: Asked | None = None
    answers: dict[str, bool] = field(default_factory=dict)

    def after(self, command: str, words: tuple[str, ...], at: datetime) -> Remembered:
        """Return what is remembered once `command` was done."""
        if command == "ask" and words[0] == RequestKind.CANCEL:
            return replace(self, asked=None)
        if command == "ask" and words[0] in {RequestKind.HELP_NOW, RequestKind.BREAK_PLEASE}:
            kind, last = RequestKind(words[0]), self.asked
            since = last.since or last.at if last is not None and last.kind is kind else at
            return replace(self, asked=Asked(kind, at, since))
        if command == "reply" and len(words) == 3 and words[0] in {"was_it_so", "did_it_help"}:
            kept = dict(list(self.answers.items())[-_MOST_ANSWERS:])
            return replace(self, answers={**kept, f"{words[0]} {words[1]}": words[2] == "yes"})
        return self

    def answer(self, kind: str, alert_id: str) -> bool | None:
        """Return what was answered, ``None`` when nothing was yet."""
        return self.answers.get(f"{kind} {alert_id}")


def load(path: Path) -> Remembered:
    """Return what the file holds; nothing when there is none or it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        found = codec.convert(codec.load_json(path.read_bytes()), Remembered)
        return found if found.language in {"", *LANGUAGES} else replace(found, language="")
    return Remembered()


def save(path: Path, remembered: Remembered) -> None:
    """Keep `remembered`, readable by its owner only.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_durably(path, codec.dump_json(remembered))
