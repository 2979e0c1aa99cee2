"""What was answered about an agent, until they have been calm for a while.

An episode that a person decided on, or of which the agent said *I'm fine*, is
answered. Evidence that flickers at the line, a clock that was set back or a
restart makes a new episode of it in a moment; it is the same matter, and asks
nobody twice (target R3). A matter ends once its evidence has been gone for
`ENDS_AFTER`; what begins later is news.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sensors.codec import convert

ENDS_AFTER = timedelta(minutes=10)
"""Without evidence for so long, somebody is calm again. (this project)

As long as an alert's evidence may be out of sight before it counts as gone.
"""


@dataclass(frozen=True, slots=True)
class _Matter:
    alert_id: str
    stood_at: datetime


class Matters:
    """The answered matters of a site, at most one per agent."""

    def __init__(self) -> None:
        self._of: dict[str, _Matter] = {}

    def answer(self, agent: str, alert_id: str, stood_at: datetime) -> None:
        """Take note that the matter of `agent` is answered.

        Parameters
        ----------
        agent : str
        alert_id : str
            The alert that was answered.
        stood_at : datetime
            When its evidence was last there. UTC.
        """
        self._of[agent] = _Matter(alert_id, stood_at)

    def of(self, agent: str) -> str | None:
        """Return the alert that was answered about what `agent` is in, if one was."""
        matter = self._of.get(agent)
        return matter.alert_id if matter is not None else None

    def step(self, stands: dict[str, bool], now: datetime) -> None:
        """Follow the evidence of everybody in a matter.

        Parameters
        ----------
        stands : dict
            For each agent of :meth:`agents`, whether there is evidence now.
        now : datetime
        """
        for agent, matter in tuple(self._of.items()):
            if stands[agent]:
                self._of[agent] = _Matter(matter.alert_id, now)
            elif now - matter.stood_at >= ENDS_AFTER:
                del self._of[agent]

    def agents(self) -> tuple[str, ...]:
        """Return who is in an answered matter."""
        return tuple(self._of)

    def to_plain(self) -> Any:
        """Return the state as plain values."""
        return self._of

    def restore(self, plain: Any) -> None:
        """Become the matters that :meth:`to_plain` described."""
        self._of = convert(plain, dict[str, _Matter])
