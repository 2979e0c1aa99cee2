"""One look at everything, and what a tab remembers of it: no drawing here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from dashboard.cards import Card, Section, cards, my_teams
from dashboard.clocks import places, team_zone
from dashboard.headline import Headline, Trouble, explain, headline, silences, troubles
from dashboard.live import LineState, LiveView
from dashboard.ordering import arrange, settle
from dashboard.queries import FRESH_S, PersonState
from dashboard.rates import Figures
from dashboard.records import Standing
from dashboard.resources import Desk
from dashboard.session import Tab
from dashboard.watch import FloorView
from sensors.messages import AlertState
from sensors.shown import Shown
from sensors.words import Words

_SWITCHES = frozenset({"keys", "names", "find"})
"""Of what a tab remembers of its fields, that which belongs to no card."""

GONE_FOR = timedelta(seconds=20)
"""How long the place of a card that left says so, before the page closes up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What the supervisor's screen shows at one moment; `blind` when alerts cannot arrive.

    `figures` is ``None`` while they are not known; `ceiling` is the alert budget
    per hour, `zone` whose clocks times that belong to no team are told on; `place` and
    `places` say where those and each team's hang, if that has to be said; `came_through`
    names the alerts whose answer was recorded although its confirmation did not come in time.
    """

    headline: Headline
    problems: list[tuple[Trouble, str]]
    cards: list[Card]
    faults: list[Card]
    others: list[PersonState]
    silences: tuple[Standing, ...]
    figures: Figures | None
    ceiling: int
    zone: tzinfo
    place: str
    places: dict[str, str]
    blind: bool
    came_through: frozenset[str] = frozenset()


def look(desk: Desk, words: Words, now: datetime) -> Floor:
    """Return what is known at `now`, from memory: neither broker nor store is waited for."""
    me = desk.settings.supervisor
    teams = my_teams(desk.teams, me, now)
    live, floor = desk.live.view(now), desk.watch.view()
    found = cards(
        live.alerts,
        live.sent,
        [one for one in floor.decided if one.alert_id not in live.finished],
        me=me,
        teams=desk.teams,
        roster=desk.roster,
        now=now,
    )
    own = [card for card in found if card.section is not Section.TECHNICAL]
    others = without_cards(floor, own, now)
    problems = troubles(live, floor, teams=teams, now=now)
    zone: tzinfo = team_zone(desk.teams, teams[0], now) if teams else UTC
    where = places(desk.teams, teams, now)
    place = where.get(teams[0], "") if teams else ""
    line = headline(
        words,
        floor,
        own,
        others,
        problems=problems,
        told=len(told_ids(live, me) | floor.told),
        held_back=sum(a.state is AlertState.PENDING and a.team in teams for a in live.alerts),
        budget=desk.alerts_per_supervisor_hour,
        now=now,
    )
    return Floor(
        headline=line,
        problems=[
            (trouble, explain(words, trouble, live, floor, zone, place)) for trouble in problems
        ],
        cards=own,
        faults=[card for card in found if card.section is Section.TECHNICAL],
        others=others,
        silences=silences(floor, now),
        figures=None if floor.away_since is not None else floor.figures,
        ceiling=desk.alerts_per_supervisor_hour,
        zone=zone,
        place=place,
        places=where,
        blind=live.line is not LineState.UP,
        came_through=live.came_through,
    )


def told_ids(live: LiveView, me: str) -> frozenset[str]:
    """Return the personal alerts of the last hour that `me` was told."""
    return frozenset(a.alert_id for a in live.told if not a.told_to or me in a.told_to)


def without_cards(floor: FloorView, own: Sequence[Card], now: datetime) -> list[PersonState]:
    """Return everybody who has no card; while the store is away nobody's state is known."""
    if floor.people is None:
        return []
    shown = {card.agent for card in own if card.agent is not None and card.decision is None}
    rest = [person for person in floor.people.states if person.agent not in shown]
    old = floor.read_at is None or (now - floor.read_at).total_seconds() > FRESH_S
    if floor.away_since is not None or old:
        return [replace(person, shown=Shown.NO_DATA) for person in rest]
    return rest


def remember(memory: Tab, seen: Floor, now: datetime) -> None:
    """Bring `memory` up to date with what is `seen`: each card's section and place, and errors."""
    own = seen.cards
    sticky = {card.alert_id for card in own if card.taken_by_me and card.decision is None}
    homes = settle(memory.homes, {card.alert_id: card.section for card in own}, sticky)
    for alert_id, section in memory.homes.items():
        if homes.get(alert_id) != section:
            memory.gone[f"{section}/{alert_id}"] = now
    memory.gone = {k: at for k, at in memory.gone.items() if now - at < GONE_FOR}
    memory.homes = homes
    memory.seen |= {card.alert_id: card for card in own}
    for section in Section:
        present = [card.alert_id for card in own if homes[card.alert_id] == section]
        left = [
            place
            for place in memory.places.get(section, [])
            if place is not None and place not in present and f"{section}/{place}" in memory.gone
        ]
        memory.places[section] = arrange(memory.places.get(section, []), [*left, *present])
    keep = {p for places in memory.places.values() for p in places if p is not None}
    memory.seen = {k: card for k, card in memory.seen.items() if k in keep}
    known = keep | {silence.id for silence in seen.silences}
    memory.errors = {
        k: text
        for k, text in memory.errors.items()
        if (k in known and k not in seen.came_through) or k.startswith("agent-")
    }
    # What was written goes with the answer: a card that comes back asks anew.
    written = known - ({card.alert_id for card in own} - sticky)
    memory.drafts = {
        k: text
        for k, text in memory.drafts.items()
        if k in _SWITCHES or k.partition("-")[2] in written
    }
    memory.pressed = {k: sent for k, sent in memory.pressed.items() if k in known}
    memory.lifted = {k: at for k, at in memory.lifted.items() if k in known}
