"""The header line and the banners below it: what is known, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from dashboard import clocks
from dashboard.cards import Card
from dashboard.live import LineState, LiveView
from dashboard.queries import PersonState
from dashboard.records import Standing
from dashboard.watch import FloorView
from sensors.shown import Shown, duration
from sensors.words import N_, Words

STALE_S = 30.0
"""Without a new score for this long the server is taken to be down. [s] Six windows."""

COUNT_WORDS: dict[Shown, str] = {
    Shown.DIFFERENT: N_("{n} different"),
    Shown.AS_USUAL: N_("{n} as usual"),
    Shown.LEARNING: N_("{n} learning"),
    Shown.NO_DATA: N_("{n} no data"),
    Shown.FAULT: N_("{n} with a fault"),
}


class Trouble(StrEnum):
    """Why what is shown may not be what is so."""

    NO_TEAM = "no_team"
    LOADING = "loading"
    BROKER_AWAY = "broker_away"
    STORE_AWAY = "store_away"
    SERVER_SILENT = "server_silent"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Headline:
    """`told` is read out when it changes; `updated` changes every second and is not."""

    lead: str
    told: tuple[str, ...]
    updated: str
    calm: bool


def troubles(
    live: LiveView, floor: FloorView, *, teams: Sequence[str], now: datetime
) -> list[Trouble]:
    """Return everything that stands between the screen and the truth, worst first."""
    if not teams:
        return [Trouble.NO_TEAM]
    found: list[Trouble] = []
    if live.line is LineState.AWAY:
        found.append(Trouble.BROKER_AWAY)
    if floor.away_since is not None:
        found.append(Trouble.STORE_AWAY)
    if live.line is LineState.LOADING or (floor.people is None and floor.away_since is None):
        found.append(Trouble.LOADING)
    elif floor.away_since is None and _silent_s(floor, now) > STALE_S:
        found.append(Trouble.SERVER_SILENT)
    if live.unreadable:
        found.append(Trouble.UNREADABLE)
    return found


def _silent_s(floor: FloorView, now: datetime) -> float:
    newest = floor.people.newest_at if floor.people is not None else None
    return float("inf") if newest is None else (now - newest).total_seconds()


def silences(floor: FloorView, now: datetime) -> tuple[Standing, ...]:
    """Return the silences that stand at `now`, as far as the store last said."""
    return tuple(silence for silence in floor.silences if silence.until_at > now)


def headline(
    words: Words,
    floor: FloorView,
    cards: Sequence[Card],
    others: Sequence[PersonState],
    *,
    problems: Sequence[Trouble],
    told: int,
    held_back: int,
    budget: int,
    now: datetime,
) -> Headline:
    """Return the header line.

    Parameters
    ----------
    cards : sequence of Card
        What `me` sees, technical ones left out.
    others : sequence of PersonState
        Everybody without a card.
    problems : sequence of Trouble
        From :func:`troubles`.
    told, held_back : int
        Personal alerts told in the last hour; those that wait for room.
    budget : int
        Personal alerts per supervisor-hour.
    """
    needing = sum(card.needs_somebody for card in cards)
    counts = Counter(person.shown for person in others)
    parts = [
        words.say(text, n=counts[shown]) for shown, text in COUNT_WORDS.items() if counts[shown]
    ]
    parts.append(words.say("{n} of {budget} alerts this hour", n=told, budget=budget))
    if held_back:
        parts.append(words.say("{n} kept back", n=held_back))
    muted = len(silences(floor, now))
    if muted:
        parts.append(words.say_n("{n} silence", "{n} silences", muted))
    newest = floor.people.newest_at if floor.people is not None else None
    if newest is None:
        updated = words.say("no data yet")
    else:
        ago = duration(words, (now - newest).total_seconds())
        updated = words.say("updated {time} ago", time=ago)
    lead = _lead(words, needing, problems, counts)
    return Headline(lead, tuple(parts), updated, calm=not needing and not problems)


def _lead(words: Words, needing: int, problems: Sequence[Trouble], counts: Counter[Shown]) -> str:
    if needing:
        return words.say_n("{n} needs you", "{n} need you", needing)
    if Trouble.NO_TEAM in problems:
        return words.say("You lead no team")
    if Trouble.LOADING in problems:
        return words.say("Loading…")
    if problems:
        return words.say("Unknown whether anybody needs you")
    known = counts.total() - counts[Shown.NO_DATA] - counts[Shown.FAULT]
    if counts.total() and not known:
        return words.say("Nobody can be seen right now")
    return words.say("Nobody needs you")


def explain(  # noqa: PLR0911, PLR0917 - one case per trouble; what each may need
    words: Words,
    trouble: Trouble,
    live: LiveView,
    floor: FloorView,
    zone: tzinfo,
    place: str = "",
) -> str:
    """Return what `trouble` means for the person who reads, and what to do; `place` names `zone`."""
    match trouble:
        case Trouble.NO_TEAM:
            return words.say("No team names you as its supervisor. Ask whoever keeps teams.toml.")
        case Trouble.LOADING:
            return words.say("Waiting for the first answer of broker and database.")
        case Trouble.BROKER_AWAY:
            since = clocks.told(live.since, zone, place)
            return words.say(
                "The message broker is away since {time}. New alerts cannot reach this page; "
                "what you see is from before.",
                time=since,
            )
        case Trouble.STORE_AWAY:
            since = clocks.told(floor.away_since, zone, place) if floor.away_since else ""
            return words.say(
                "The database is away since {time}. Alerts still arrive; everybody's state is "
                "unknown.",
                time=since,
            )
        case Trouble.SERVER_SILENT:
            newest = floor.people.newest_at if floor.people is not None else None
            if newest is None:
                return words.say("Nothing has been scored in the last minutes.")
            return words.say(
                "Nothing has been scored since {time}. The server may be down.",
                time=clocks.told(newest, zone, place),
            )
        case Trouble.UNREADABLE:
            return words.say_n(
                "{n} alert cannot be shown: this page is older than the server.",
                "{n} alerts cannot be shown: this page is older than the server.",
                live.unreadable,
            )
