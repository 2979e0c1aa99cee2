"""The receipt of an erasure or an export: what was done where, and what could not be reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sensors import codec
from sensors.command_line import columns


class Done(StrEnum):
    """What became of one place."""

    ERASED = "erased"
    FOUND = "found"  # only counted: a dry run
    WAITING = "waiting"  # will be erased as soon as it answers
    FAILED = "not erased"
    ELSEWHERE = "out of reach"


OPEN = frozenset({Done.WAITING, Done.FAILED})
"""As long as one place is so, the erasure is not complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place that holds, or may hold, something about the agent.

    Parameters
    ----------
    name : str
    done : Done
    count : int or None
        How much was there, in rows, points or messages; ``None``: nobody can say.
    note : str
        What it held, or what a person must still do.
    """

    name: str
    done: Done
    count: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was done for one agent.

    Parameters
    ----------
    id : str
        Of the tombstone, too.
    site, agent : str
    at : datetime
        Everything measured before is refused from now on. UTC.
    by : str
        Who asked: ``agent`` or ``administrator``.
    places : tuple of Place
    """

    id: str
    site: str
    agent: str
    at: datetime
    by: str
    places: tuple[Place, ...]

    @property
    def is_complete(self) -> bool:
        """Whether everything within reach is gone."""
        return not any(place.done in OPEN for place in self.places)

    def with_place(self, *changed: Place) -> Receipt:
        """Return the receipt with `changed` in the place of those of the same name."""
        new = {place.name: place for place in changed}
        kept = [new.pop(place.name, place) for place in self.places]
        return replace(self, places=(*kept, *new.values()))

    def to_json(self) -> str:
        """Return the receipt as JSON."""
        return codec.dump_json(
            {**codec.load_json(codec.dump_json(self)), "complete": self.is_complete}
        ).decode()


def from_json(text: str) -> Receipt:
    """Return the receipt that :meth:`Receipt.to_json` wrote."""
    return codec.convert(codec.load_json(text), Receipt)


RESEARCH = "files of researchers"

OUT_OF_REACH = {
    "backups": "made before: `wellbeing restore` erases again what it restores, where it finds"
    " this tombstone; other copies of the files have to be deleted by whoever holds them",
    "copies of a store": "made with `wellbeing store copy` or by the database's own means: erase"
    " there, too, with that store's configuration",
    RESEARCH: "data frames and exports that have left this system: tell whoever"
    " holds them (the export ledger names them)",
    "the agent's own machine": "outbox and own record: the agent erases them on their own page,"
    " or with `wellbeing edge erase`; old windows from there are refused from now on",
}
"""What no erasure on the server reaches, and who can do what about it."""


def out_of_reach() -> tuple[Place, ...]:
    """Return what has to be named as out of reach in every receipt."""
    return tuple(
        Place(name=name, done=Done.ELSEWHERE, note=note) for name, note in OUT_OF_REACH.items()
    )


def with_exports(receipt: Receipt, files: Sequence[str]) -> Receipt:
    """Return `receipt` with the exports for research that the agent is in, each by name."""
    if not files:
        return receipt
    note = f"{', '.join(files)}: tell whoever holds them; they have left this system"
    named = Place(name=RESEARCH, done=Done.ELSEWHERE, count=len(files), note=note)
    return receipt.with_place(named)


def as_lines(receipt: Receipt, *, dry_run: bool = False) -> list[str]:
    """Return the receipt for people."""
    what = "what would be erased" if dry_run else "receipt of an erasure"
    at = receipt.at.isoformat(timespec="seconds")
    lines = [
        f"{what}: agent {receipt.agent} at site {receipt.site}",
        f"as of {at}" if dry_run else f"id {receipt.id}, {at}, asked for by {receipt.by}",
        "",
        *_table(place for place in receipt.places if place.done is not Done.ELSEWHERE),
        "",
        "out of reach from here:",
        *(f"  {p.name}: {p.note}" for p in receipt.places if p.done is Done.ELSEWHERE),
        "",
    ]
    if dry_run:
        return [*lines, "nothing was changed"]
    if not receipt.is_complete:
        return [*lines, "NOT COMPLETE: see what is waiting or not erased above"]
    return [*lines, _COMPLETE]


_COMPLETE = (
    "complete: whatever was measured before and comes later is refused; the agent can go on"
    " after consenting anew"
)


def _table(places: Iterable[Place]) -> list[str]:
    rows = [(p.name, p.done.value, "" if p.count is None else str(p.count), p.note) for p in places]
    return columns(("place", "done", "count", "note"), rows, left=4) if rows else []
