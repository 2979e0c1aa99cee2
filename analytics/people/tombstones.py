"""Who was erased, when, and what of theirs is refused ever after (TRUST T11).

A tombstone holds a pseudonym and times, nothing else. What comes later and was
measured before (an old outbox, a spool, a restored backup, a recording played
again, a retained topic) is refused; the agent can go on only after consenting
anew, with at least one channel:

===================  =======================================================
message              accepted again if
===================  =======================================================
consent              given after the erasure, and after every consent that
                     was known then (a clock that was ahead proves nothing)
reading              it began after that consent, by its own clock and by the
                     corrected one
status, context      that consent is there
help, break          made after the erasure, or by a clock up to ten minutes
                     behind: asking for help needs no consent (T9)
other request,       made after the erasure
reply
silence, look        made after the erasure
===================  =======================================================

Tombstones stand in ``server.sqlite`` and, so that a restored state or store
cannot undo an erasure, in a small file beside each. Merging keeps the newest of
each agent and never drops one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from analytics.events import Input
from analytics.people.consent_book import ConsentBook
from sensors import codec
from sensors.errors import StateError
from sensors.messages import (
    WINDOW_S,
    AuditMessage,
    ConsentMessage,
    ContextMessage,
    DecisionMessage,
    ReadingMessage,
    ReplyMessage,
    RequestKind,
    RequestMessage,
    StatusMessage,
)

CLOCK_BEHIND = timedelta(minutes=10)
"""So far may the clock of a machine be behind that asks for help just after an erasure: a call for
help outranks that one from the last minutes before it might come back."""

FILE_NAME = "tombstones.json"
"""Beside ``server.sqlite``, and in every backup."""

VERSION = 1

_WINDOW = timedelta(seconds=WINDOW_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """One erasure.

    Parameters
    ----------
    id : str
        The receipt's.
    agent : str
    at : datetime
        When it was erased, by the server's clock. UTC.
    consent_after : datetime
        Only a consent given after this is a new one. UTC, never before `at`.
    """

    id: str
    agent: str
    at: datetime
    consent_after: datetime


class Tombstones:
    """The erasures of a site; answers what is refused."""

    def __init__(self, known: Iterable[Tombstone] = ()) -> None:
        self._of: dict[str, Tombstone] = {}
        self.add(known)

    def __iter__(self) -> Iterator[Tombstone]:
        """Iterate over the newest tombstone of each agent, by agent."""
        return iter([self._of[agent] for agent in sorted(self._of)])

    def __len__(self) -> int:
        """Return how many agents were erased."""
        return len(self._of)

    def of(self, agent: str) -> Tombstone | None:
        """Return the newest tombstone of `agent`, if there is one."""
        return self._of.get(agent)

    def add(self, stones: Iterable[Tombstone]) -> list[Tombstone]:
        """Take over `stones`; return those that are newer than what was known."""
        newer = []
        for stone in stones:
            known = self._of.get(stone.agent)
            if known is None or known.at < stone.at:
                self._of[stone.agent] = stone
                newer.append(stone)
        return newer

    def consented_at(self, agent: str, consents: ConsentBook) -> datetime | None:
        """Return when an erased agent first consented anew; ``None`` if they did not."""
        stone = self._of.get(agent)
        return consents.first_given(agent, stone.consent_after) if stone is not None else None

    def refuses(self, agent: str | None, message: Input, consents: ConsentBook) -> bool:
        """Return whether `message`, from or about `agent`, must not come back.

        Parameters
        ----------
        agent : str or None
            Of the topic; decisions and audits name theirs themselves.
        message : Input
        consents : ConsentBook
            What was accepted since the erasure.
        """
        match message:
            case DecisionMessage() | AuditMessage():
                agent = message.agent
        stone = self._of.get(agent) if agent is not None else None
        if stone is None:
            return False
        anew = consents.first_given(stone.agent, stone.consent_after)
        match message:
            case ConsentMessage():
                is_new = message.at > stone.consent_after
                return not is_new or (anew is None and not message.channels)
            case ReadingMessage():
                return anew is None or _begins_at(message) < anew
            case StatusMessage() | ContextMessage():
                return anew is None or message.at <= stone.at
            case RequestMessage(kind=RequestKind.HELP_NOW | RequestKind.BREAK_PLEASE):
                return message.at <= stone.at - CLOCK_BEHIND
            case RequestMessage() | ReplyMessage() | DecisionMessage() | AuditMessage():
                return message.at <= stone.at

    def is_left(self, agent: str | None, message: Input) -> bool:
        """Return whether a refused `message` must not stand on its retained topic either.

        No consent that does not count, and nothing from before the erasure. What an
        edge that goes on running says about itself goes when it ends.
        """
        stone = self._of.get(agent) if agent is not None else None
        match message:
            case ConsentMessage():
                return stone is not None
            case StatusMessage() | ContextMessage():
                return stone is not None and message.at <= stone.at
        return False


def _begins_at(message: ReadingMessage) -> datetime:
    """Return when the window began, by whichever of its two clocks says earlier."""
    end = message.window_end_at
    offset = timedelta(milliseconds=message.clock_offset_ms or 0.0)
    return min(end, end + offset) - _WINDOW


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    version: int
    tombstones: list[Tombstone]


def read_file(path: Path) -> list[Tombstone]:
    """Return the tombstones in `path`; none if there is no such file.

    Raises
    ------
    StateError
        If it is damaged or newer than this version: erasures must not be lost silently.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"cannot read {path} ({error.strerror}); check its owner") from None
    return parse(data, str(path))


def parse(data: bytes, where: str) -> list[Tombstone]:
    """Return the tombstones that :func:`dump` wrote; `where` names them in errors.

    Raises
    ------
    StateError
        If it is damaged or newer than this version.
    """
    try:
        found = codec.convert(codec.load_json(data), _File)
    except ValueError as error:
        raise StateError(
            f"{where} is damaged ({error}); restore it from a backup: without it, what was"
            " erased could come back"
        ) from None
    if found.version > VERSION:
        raise StateError(f"{where} was written by a newer version; install that version again")
    return found.tombstones


def dump(stones: Iterable[Tombstone]) -> bytes:
    """Return `stones` as the content of a file."""
    return codec.dump_json(_File(version=VERSION, tombstones=list(stones)))


def merge_into(path: Path, stones: Iterable[Tombstone]) -> None:
    """Add `stones` to the file `path`, whole or not at all; what it held stays.

    Raises
    ------
    StateError
        If it cannot be read or written.
    """
    both = Tombstones(read_file(path))
    if not both.add(stones):
        return
    part = path.with_name(f"{path.name}.part")
    try:
        part.touch(mode=0o600)
        with part.open("wb") as file:
            file.write(dump(both))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StateError(
            f"cannot write {path} ({error.strerror}); the erasure is not safe from a restored"
            " backup until it can be written"
        ) from None
