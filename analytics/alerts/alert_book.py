"""Every alert of a site: opens, moves and closes them, and says so everywhere.

Each event goes through the table in :mod:`analytics.alerts.alerting` and leaves a
transition in the store, a retained alert for the dashboards and a notice to
the agent concerned. What is published is collected and told once per step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2s
from typing import Any

from analytics.alerts import notices, points_out
from analytics.alerts.alerting import (
    ASK_AGAIN_AFTER,
    ASK_AGAIN_FOR,
    ESCALATE_AFTER,
    OUTCOME_WITHIN,
    Alert,
    Event,
    advance,
    allows,
    event_of,
    expires_at,
    hand_on_order,
    not_told,
    turn_again,
)
from analytics.alerts.silences import Silence, Silences
from analytics.events import Outputs, Publication
from sensors import topics
from sensors.codec import convert, encode
from sensors.messages import AlertKind, AlertMessage, AlertState, DecisionMessage

ASK_AFTER = timedelta(minutes=30)
"""If nobody recorded what followed, the agent is asked so long after the decision."""

REMEMBERED = timedelta(hours=24)
"""A retelling of a decision, reply or request is recognised so long; the journal keeps less."""

_APART = timedelta(milliseconds=1)  # more than what identity adds to the time of a point
_TIDY_EVERY = timedelta(minutes=1)
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_ASKED = frozenset({AlertKind.PERSONAL, AlertKind.REQUEST})


@dataclass(slots=True)
class _Kept:
    """What a snapshot keeps of the book."""

    alerts: list[Alert]
    closed: list[Alert]
    retired: dict[str, datetime]
    seen: dict[str, datetime]
    shown: list[str]
    unasked: list[str]
    tidied_at: datetime | None
    silences: list[Silence] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)


class AlertBook:
    """The alerts of one site.

    Parameters
    ----------
    site : str
    supervisors : callable
        Team and time to the supervisors on duty, in order of escalation.
    """

    def __init__(self, site: str, supervisors: Callable[[str, datetime], tuple[str, ...]]) -> None:
        self.site = site
        self.out = Outputs()
        self.silences = Silences()
        self._supervisors = supervisors
        self._open: dict[str, Alert] = {}
        self._closed: dict[str, Alert] = {}
        self._retired: dict[str, datetime] = {}
        self._seen: dict[str, datetime] = {}
        self._shown: dict[str, None] = {}  # an ordered set: what stands on a retained topic
        self._unasked: dict[str, None] = {}
        self._dirty: dict[str, None] = {}
        # Digest of what was last done about an alert, unless something happened to it since.
        self._answers: dict[str, str] = {}
        self._tidied_at: datetime | None = None

    def __iter__(self) -> Iterator[Alert]:
        """Iterate over the open alerts, oldest first."""
        return iter(tuple(self._open.values()))

    def get(self, alert_id: str) -> Alert | None:
        """Return the open alert `alert_id`, if there is one."""
        return self._open.get(alert_id)

    def of_kind(self, kind: AlertKind) -> list[Alert]:
        """Return the open alerts of `kind`, oldest first."""
        return [a for a in self._open.values() if a.message.kind is kind]

    def first_time(self, message_id: str, now: datetime) -> bool:
        """Return whether `message_id` is heard for the first time, and remember it."""
        if message_id in self._seen:
            return False
        self._seen[message_id] = now
        return True

    def supervisors(self, team: str, at: datetime) -> tuple[str, ...]:
        """Return who leads `team` at `at`, in order of escalation."""
        return self._supervisors(team, at)

    def open(self, alert: Alert, now: datetime) -> bool:
        """Take in a new, pending alert; return ``False`` if this episode had its alert."""
        identity = alert.message.alert_id
        if identity in self._open or identity in self._closed or identity in self._retired:
            return False
        self._open[identity] = replace(alert, opened_at=now)
        self._dirty[identity] = None
        self._retired[identity] = now
        return True

    def apply(
        self, alert_id: str, event: Event, now: datetime, *, by: str | None = None, **changes: Any
    ) -> Alert:
        """Move an alert along the table and tell everybody concerned.

        Raises
        ------
        UndefinedTransitionError
            If the table does not know `event` in the alert's state.
        """
        before = self._closed[alert_id] if event is Event.OUTCOME else self._open[alert_id]
        if event is not Event.UPDATE:
            self._answers.pop(alert_id, None)
        after = advance(before, event, now, **changes)
        self._file(after)
        if event is not Event.UPDATE:
            self.out.points.append(points_out.transition(self.site, after, event, now))
        told = notices.of_event(self.site, before, after, event, now, by=by)
        if told is not None:
            self.out.publications.append(told)
        return after

    def _file(self, alert: Alert) -> None:
        identity = alert.message.alert_id
        if alert.open:
            self._open[identity] = alert
        else:
            self._open.pop(identity, None)
            if not alert.gone:
                if identity not in self._closed and alert.message.kind in _ASKED:
                    self._unasked[identity] = None
                self._closed[identity] = alert
        self._dirty[identity] = None

    def decide(self, message: DecisionMessage, now: datetime) -> Alert | None:
        """Apply what a supervisor did; one that fits nothing is recorded and harmless.

        Returns
        -------
        Alert or None
            The alert that it closed, if it closed one.
        """
        if not self.first_time(message.id, now):
            return None
        closed = self._closed.get(message.alert_id)
        alert = self._open.get(message.alert_id, closed)
        event = event_of(message.action)
        if alert is None:
            effect = "unknown_alert"
        elif not allows(alert.state, event):
            taken = event is Event.TAKE and alert.state is AlertState.ACKNOWLEDGED
            effect = "already_taken" if taken else "not_open"
        elif self._answers.get(message.alert_id) == _digest(message):
            effect = "repeated"
        else:
            effect = "applied"
            self._apply_decision(alert, event, message, now)
            self._answers[message.alert_id] = _digest(message)
        found = alert.message if alert is not None else None
        self.out.points.append(points_out.decision(self.site, message, found, effect))
        closes = effect == "applied" and event is Event.DECIDE
        return self._closed[message.alert_id] if closes else None

    def _apply_decision(
        self, alert: Alert, event: Event, message: DecisionMessage, now: datetime
    ) -> None:
        known = alert.message
        if event is Event.TAKE:
            self.apply(known.alert_id, event, now, by=message.by, taken_by=message.by)
        elif event is Event.HAND_ON and message.to is not None:
            told_to = hand_on_order(known.told_to, message.to)
            # A request tells its agent who comes now; an alert, who could not.
            by = message.to if known.kind is AlertKind.REQUEST else message.by
            self.apply(known.alert_id, event, now, by=by, told_to=told_to)
        elif event is Event.DECIDE:
            changes: dict[str, Any] = {
                "decision": message.action,
                "reason": message.reason,
                "follow_up_at": message.follow_up_at,
                "taken_by": known.taken_by or message.by,
                "taken_at": known.taken_at or now,
            }
            self.apply(known.alert_id, event, now, by=message.by, **changes)
        elif event is Event.OUTCOME:
            self.apply(known.alert_id, event, now, by=message.by)
            self._ask(known.alert_id, now)

    def silence(self, message: DecisionMessage, team: str | None, now: datetime) -> None:
        """Take in that a person mutes an agent or team; what may not be is recorded, too.

        Parameters
        ----------
        message : DecisionMessage
            With the action `silence`.
        team : str or None
            The team it is about, or that of its agent.
        now : datetime
        """
        if not self.first_time(message.id, now):
            return
        leads = self._supervisors(team, now) if team is not None else ()
        effect = self.silences.hear(message, team, leads, now)
        # In order of arrival, which decides which is newest, also within a step.
        heard_at = now + _APART * sum(p.fields.get("kind") == "silence" for p in self.out.points)
        self.out.points.append(points_out.silence(self.site, message, team, effect, heard_at))
        told = notices.silenced(self.site, message, effect)
        if told is not None:
            self.out.publications.append(told)

    def tick(self, now: datetime) -> None:
        """Do what time alone brings: escalation, expiry, the question afterwards."""
        for alert in self:
            self._escalate(alert, now)
            expiry = expires_at(alert)
            if expiry is not None and now >= expiry:
                self.apply(alert.message.alert_id, Event.EXPIRE, now)
        for identity in tuple(self._unasked):
            closed_at = self._closed[identity].message.closed_at
            if closed_at is not None and now - closed_at >= ASK_AFTER:
                self._ask(identity, now)
        if self._tidied_at is None or now - self._tidied_at >= _TIDY_EVERY:
            self._tidy(now)

    def _escalate(self, alert: Alert, now: datetime) -> None:
        """Pass on a request that nobody answers, then tell it again, longest ago first.

        Personal alerts are passed on within their budget, elsewhere.
        """
        message = alert.message
        if message.kind is not AlertKind.REQUEST or alert.state is not AlertState.FIRING:
            return
        if alert.passed_at is None or now - alert.passed_at < ESCALATE_AFTER[message.kind]:
            return
        on_duty, event = self._supervisors(message.team, now), Event.ESCALATE
        line = not_told(message.told_to, on_duty)
        if not line and now - alert.passed_at >= ASK_AGAIN_AFTER:
            lately = alert.opened_at is not None and now - alert.opened_at <= ASK_AGAIN_FOR
            line, event = turn_again(message.told_to, on_duty) if lately else (), Event.REPEAT
        for following in line[:1]:
            told_to = hand_on_order(message.told_to, following)
            self.apply(message.alert_id, event, now, by=following, told_to=told_to)

    def _ask(self, alert_id: str, now: datetime) -> None:
        if alert_id not in self._unasked:
            return
        del self._unasked[alert_id]
        alert = self._closed[alert_id] = replace(self._closed[alert_id], asked_at=now)
        question = notices.was_it_so(self.site, alert, now)
        if question is not None:
            self.out.publications.append(question)

    def _tidy(self, now: datetime) -> None:
        self._tidied_at = now
        self.silences.forget(now)
        self._seen = {k: at for k, at in self._seen.items() if now - at < REMEMBERED}
        self._retired = {
            k: at for k, at in self._retired.items() if k in self._open or now - at < REMEMBERED
        }
        self._closed = {
            k: a
            for k, a in self._closed.items()
            if a.message.closed_at is None or now - a.message.closed_at < OUTCOME_WITHIN
        }
        self._answers = {
            k: said for k, said in self._answers.items() if k in self._open or k in self._closed
        }

    def collect(self) -> Outputs:
        """Return what happened since the last call, alerts last and once each."""
        out, self.out = self.out, Outputs()
        for identity in self._dirty:
            topic = topics.alert(self.site, identity)
            closed = self._closed.get(identity)
            message = self._message(self._open.get(identity))
            if message is not None:
                self._shown[identity] = None
                out.publications.append(Publication(topic, message))
            elif identity in self._shown:
                del self._shown[identity]
                if closed is not None:
                    out.publications.append(Publication(topic, closed.message))
                out.publications.append(Publication(topic, None))
        self._dirty.clear()
        return out

    @staticmethod
    def _message(alert: Alert | None) -> AlertMessage | None:
        """Return what stands on the dashboards, ``None`` if nothing does."""
        if alert is None or alert.muted:
            return None
        if alert.state is AlertState.PENDING:
            # Counted on the screen, not shown: nobody was told about this person.
            return replace(alert.message, contributions=(), unknown=(), quality=None)
        return alert.message

    def messages(self) -> list[AlertMessage]:
        """Return what stands on the dashboards now, oldest first."""
        found = (self._message(alert) for alert in self._open.values())
        return [message for message in found if message is not None]

    def to_plain(self) -> Any:
        """Return the whole book as plain values."""
        return _Kept(
            alerts=list(self._open.values()),
            closed=list(self._closed.values()),
            retired=self._retired,
            seen=self._seen,
            shown=list(self._shown),
            unasked=list(self._unasked),
            tidied_at=self._tidied_at,
            silences=list(self.silences.all()),
            answers=self._answers,
        )

    def restore(self, plain: Any) -> None:
        """Become the book that :meth:`to_plain` described."""
        kept = convert(plain, _Kept)
        self._open = {a.message.alert_id: a for a in kept.alerts}
        self._closed = {a.message.alert_id: a for a in kept.closed}
        self._retired = kept.retired
        self._seen = kept.seen
        self._shown = dict.fromkeys(kept.shown)
        self._unasked = dict.fromkeys(kept.unasked)
        self._tidied_at = kept.tidied_at
        self.silences.restore(kept.silences)
        self._answers = kept.answers
        self._dirty, self.out = {}, Outputs()


def _digest(message: DecisionMessage) -> str:
    """Return the same for the same decision of the same person, whenever and however often sent."""
    said = replace(message, id="00000000", at=_ALWAYS)
    return blake2s(encode(said), digest_size=16).hexdigest()
