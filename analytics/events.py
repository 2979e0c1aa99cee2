"""What goes into the pipeline and what comes out of it: plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from analytics.store.gathered import Gathered
from sensors.messages import (
    AuditMessage,
    ConsentMessage,
    ContextMessage,
    DecisionMessage,
    Message,
    ReadingMessage,
    ReplyMessage,
    RequestMessage,
    StatusMessage,
)

LIVE_WITHIN_S = 15.0
"""A window that arrives later than this is stored and raises no live alert. [s] (DESIGN)"""

Input = (
    ReadingMessage
    | StatusMessage
    | ConsentMessage
    | ReplyMessage
    | RequestMessage
    | ContextMessage
    | DecisionMessage
    | AuditMessage
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as the journal holds it.

    Parameters
    ----------
    position : int
        Its number in the journal; strictly increasing.
    received_at : datetime
        Server clock when it was appended. UTC.
    agent : str or None
        From the topic; ``None`` for what dashboards send.
    message : Input
        Decoded and checked.
    """

    position: int
    received_at: datetime
    agent: str | None
    message: Input


@dataclass(frozen=True, slots=True)
class Publication:
    """A message to be published; ``None`` clears a retained topic."""

    topic: str
    message: Message | None


@dataclass(slots=True)
class Outputs:
    """What one step produced, in order.

    `mirrors` are for the agents themselves and true for a moment only: they
    are sent if there is a broker, and kept nowhere.
    """

    points: Gathered = field(default_factory=Gathered)
    publications: list[Publication] = field(default_factory=list)
    mirrors: list[Publication] = field(default_factory=list)

    def extend(self, other: Outputs) -> None:
        """Append what another part of the step produced."""
        self.points.extend(other.points)
        self.publications.extend(other.publications)
        self.mirrors.extend(other.mirrors)


def is_late(window_end_at: datetime, offset_ms: float | None, received_at: datetime) -> bool:
    """Return whether a window came too late to raise a live alert.

    The edge's clock offset is added first, where known: a replay runs on a
    virtual clock, and a PC may run on a wrong one.
    """
    age_s = (received_at - window_end_at).total_seconds() - (offset_ms or 0.0) / 1000.0
    return age_s > LIVE_WITHIN_S


def newest_position(arrivals: Sequence[Arrival], before: int) -> int:
    """Return the journal position after `arrivals`, or `before` if there are none."""
    return arrivals[-1].position if arrivals else before
