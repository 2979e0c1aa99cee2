"""Silences: a person mutes alerts about an agent or a team until a time, and says why.

As in Prometheus Alertmanager a silence has an end, an author and a comment,
and hides alerts without stopping them: they go on pending, every one is in the
record with the silence that hid it, and what still stands at the end is told.
Inhibition comes first; what a person asks for (a request) and what is broken
(a technical alert) is never silenced, and what a colleague has taken stays
with them. The newest silence about somebody counts; one that ends at once, by
the clock of whoever says so, lifts it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sensors.messages import AlertKind, AlertMessage, DecisionMessage

LONGEST = timedelta(hours=12)
"""One shift: who is silenced for longer is forgotten. (this project; Alertmanager has no limit)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """One silence: alerts about `agent`, or else all of `team`, are muted until `until_at`."""

    id: str
    by: str
    until_at: datetime
    reason: str
    agent: str | None = None
    team: str | None = None

    @property
    def subject(self) -> str:
        """What it is about; an agent and a team may share a name."""
        return _subject(self.agent, self.team)


def _subject(agent: str | None, team: str | None) -> str:
    return f"agent {agent}" if agent is not None else f"team {team}"


class Silences:
    """The silences of a site, one for each agent or team at most."""

    def __init__(self) -> None:
        self._of: dict[str, Silence] = {}

    def hear(
        self, message: DecisionMessage, team: str | None, leads: tuple[str, ...], now: datetime
    ) -> str:
        """Take in a silence and return what it did, for the record.

        Parameters
        ----------
        message : DecisionMessage
            With the action `silence`.
        team : str or None
            The team it is about, or that of its agent.
        leads : tuple of str
            Who leads that team; nobody else may silence it (TRUST T17).
        now : datetime

        Returns
        -------
        {"applied", "lifted", "over_already", "too_long", "not_their_team"}
        """
        if team is None or message.by not in leads:
            return "not_their_team"
        if message.until_at is not None and message.until_at <= message.at:
            # By its own clock: one that runs ahead of the server's must not silence by lifting.
            lifted = self._of.pop(_subject(message.agent, message.team), None)
            return "lifted" if lifted is not None else "over_already"
        if message.until_at is None or message.until_at - now > LONGEST:
            return "too_long"
        if message.until_at <= now:
            return "over_already"  # it came late; a newer one stands
        silence = Silence(
            id=message.id,
            by=message.by,
            until_at=message.until_at,
            reason=message.reason or "",
            agent=message.agent,
            team=message.team,
        )
        self._of[silence.subject] = silence
        return "applied"

    def of(self, alert: AlertMessage, now: datetime) -> str | None:
        """Return the silence that mutes `alert` at `now`, if one does."""
        subjects: tuple[str, ...] = ()
        if alert.kind is AlertKind.PERSONAL:
            subjects = (f"agent {alert.agent}", f"team {alert.team}")
        elif alert.kind is AlertKind.TEAM:
            subjects = (f"team {alert.team}",)
        for subject in subjects:
            silence = self._of.get(subject)
            if silence is not None and now < silence.until_at:
                return silence.id
        return None

    def forget(self, now: datetime) -> None:
        """Forget what has ended."""
        self._of = {k: silence for k, silence in self._of.items() if now < silence.until_at}

    def all(self) -> tuple[Silence, ...]:
        """Return every silence, oldest first."""
        return tuple(self._of.values())

    def restore(self, silences: Iterable[Silence]) -> None:
        """Hold `silences`, and no others."""
        self._of = {silence.subject: silence for silence in silences}
