"""What waits for a broker that is away: how much of it, and what may go; pure.

A server makes little without its broker, but over days it adds up. What the
broker is told anew on every connection, or was told better later, goes first
and loses nothing. What is left is said once, to one person: of that the oldest
go, and are counted. What clears a retained topic after an erasure never goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.journal.intake import parse_topic
from sensors.topics import DELIVERY, TopicKind

UNSENT_KEPT = 20_000
"""At most so many publications wait."""


@dataclass(frozen=True, slots=True)
class Excess:
    """Numbers of publications that go: those that lose nothing, and those that nobody will hear."""

    told_anyway: list[int]
    lost: list[int]


def excess(waiting: Sequence[tuple[int, str]], at_most: int) -> Excess:
    """Return which of `waiting`, as number and topic in order, are too many."""
    too_many = len(waiting) - at_most
    if too_many <= 0:
        return Excess([], [])
    newest = {topic: number for number, topic in waiting}
    told_anyway, once = [], []
    for number, topic in waiting:
        kind = parse_topic(topic).kind
        is_retained = DELIVERY[kind].retained
        # Open alerts are told, and forgotten ones cleared, on every connection.
        if kind is TopicKind.ALERT or (is_retained and newest[topic] != number):
            told_anyway.append(number)
        elif not is_retained:
            once.append(number)
    return Excess(told_anyway[:too_many], once[: max(0, too_many - len(told_anyway))])
