"""Open alerts as they stand on the broker, and what people here answer.

`AlertBook` is the pure half: what was heard, what was sent and has not come
back. `Live` is the thin shell around one MQTT connection.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from analytics.alerts import budget
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import BrokerError, MessageError
from sensors.messages import (
    Action,
    AlertKind,
    AlertMessage,
    AuditKind,
    AuditMessage,
    DecisionMessage,
)
from sensors.mqtt import Connection, Inbound
from sensors.topics import TopicKind

SETTLE_S = 1.0
"""How long after connecting retained alerts may still be arriving. [s] MQTT marks no end."""

CONFIRM_S = 4.0
"""How long a decision may take to be confirmed by the broker. [s] A broker known to be away is
not waited for: this is for a machine that is busy."""

KEEP_MINE_S = 8 * 3600.0
"""How long a decided alert waits for its outcome before it leaves the screen: a shift. [s]"""


class LineState(StrEnum):
    """Whether what is shown can be believed."""

    LOADING = "loading"
    UP = "up"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Sent:
    """A decision that the broker has and the server's answer does not show yet."""

    message: DecisionMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """What was known at one moment.

    Parameters
    ----------
    line : LineState
    since : datetime
        When `line` became so.
    alerts : tuple of AlertMessage
        Open alerts, and those decided here that wait for their outcome.
    sent : dict
        By alert.
    told : tuple of AlertMessage
        Personal alerts of the last hour, open or not, for the alert budget.
    finished : frozenset of str
        Alerts whose outcome was recorded here; the store may not know it yet.
    came_through : frozenset of str
        Alerts whose answer was not confirmed in time and was recorded after all.
    unreadable : int
        Alerts that could not be decoded; never hidden.
    """

    line: LineState
    since: datetime
    alerts: tuple[AlertMessage, ...]
    sent: dict[str, Sent]
    told: tuple[AlertMessage, ...] = ()
    finished: frozenset[str] = frozenset()
    came_through: frozenset[str] = frozenset()
    unreadable: int = 0
    why: str = ""


class AlertBook:
    """Open alerts and what was answered, from messages in any order."""

    def __init__(self, now: datetime) -> None:
        self._alerts: dict[str, AlertMessage] = {}
        self._confirmed: set[str] = set()
        self._unreadable: set[str] = set()
        self._sent: dict[str, Sent] = {}
        self._mine: dict[str, tuple[AlertMessage, DecisionMessage]] = {}
        self._told: dict[str, AlertMessage] = {}
        self._finished: set[str] = set()
        self._unconfirmed: dict[str, tuple[AlertMessage | None, DecisionMessage]] = {}
        self._came_through: set[str] = set()
        self._connected = False
        self._ever = False
        self._since = now

    def heard(self, alert_id: str, alert: AlertMessage | None) -> None:
        """Take in an alert, or with ``None`` that it is gone."""
        self._confirmed.add(alert_id)
        self._unreadable.discard(alert_id)
        if alert is None:
            self._alerts.pop(alert_id, None)
            self._sent.pop(alert_id, None)
            self._unconfirmed.pop(alert_id, None)
            return
        self._alerts[alert_id] = alert
        if alert.kind is AlertKind.PERSONAL and alert.told_at is not None:
            self._told[alert_id] = alert
        sent = self._sent.get(alert_id)
        if sent is not None and _came_back(sent.message, alert):
            del self._sent[alert_id]
        answering, message = self._unconfirmed.get(alert_id, (None, None))
        if message is not None and _is_own(message, alert):
            self.answered(message, answering)
            self._came_through.add(alert_id)

    def could_not_read(self, alert_id: str) -> None:
        """Note an alert that is there and cannot be shown."""
        self._confirmed.add(alert_id)
        self._unreadable.add(alert_id)

    def line(self, *, connected: bool, now: datetime) -> None:
        """Note that the connection came or went."""
        if not connected and self._connected:
            # What is cleared while we are away is not told again: everything is in doubt.
            self._confirmed.clear()
        if connected != self._connected:
            self._since = now
        self._connected = connected
        self._ever = self._ever or connected

    def alert(self, alert_id: str) -> AlertMessage | None:
        """Return an open alert."""
        return self._alerts.get(alert_id)

    def unconfirmed(self, message: DecisionMessage, answering: AlertMessage | None) -> None:
        """Note a decision of which nobody knows yet whether the broker has it."""
        self._came_through.discard(message.alert_id)
        self._unconfirmed[message.alert_id] = (answering, message)

    def answered(self, message: DecisionMessage, answering: AlertMessage | None) -> None:
        """Note a decision that the broker took, about the alert as it was when it was sent.

        The server may have been quicker than the broker's confirmation: then
        the alert shows the decision already, or is closed and gone.
        """
        self._unconfirmed.pop(message.alert_id, None)
        if message.action is Action.OUTCOME:
            self._mine.pop(message.alert_id, None)
            self._finished.add(message.alert_id)
            return
        decided = message.action not in (Action.TAKE, Action.CANNOT_NOW)
        if decided and answering is not None:
            self._mine[message.alert_id] = (answering, message)
        alert = self._alerts.get(message.alert_id)
        if alert is None:
            return
        # While an answer before it is out, the alert cannot show this one yet.
        if message.alert_id in self._sent or not _came_back(message, alert):
            self._sent[message.alert_id] = Sent(message)

    def view(self, now: datetime) -> LiveView:
        """Return what is known at `now`; forgets what a reconnection did not confirm."""
        age_s = (now - self._since).total_seconds()
        settled = self._connected and age_s >= SETTLE_S
        if settled:
            for gone in self._alerts.keys() - self._confirmed:
                self.heard(gone, None)
            self._unreadable &= self._confirmed
        for alert_id, (_, message) in list(self._mine.items()):
            if (now - message.at).total_seconds() > KEEP_MINE_S:
                del self._mine[alert_id]
        for alert_id, alert in list(self._told.items()):
            if alert.told_at is None or now - alert.told_at > budget.SPAN:
                del self._told[alert_id]
        return LiveView(
            line=self._line(settled, age_s),
            since=self._since,
            alerts=tuple((self._alerts | self._decided_here()).values()),
            sent=dict(self._sent),
            told=tuple(self._told.values()),
            finished=frozenset(self._finished),
            came_through=frozenset(self._came_through),
            unreadable=len(self._unreadable),
        )

    def _line(self, settled: bool, age_s: float) -> LineState:
        if settled:
            return LineState.UP
        starting = not self._ever and age_s < 5 * SETTLE_S
        return LineState.LOADING if self._connected or starting else LineState.AWAY

    def _decided_here(self) -> dict[str, AlertMessage]:
        found = {}
        for alert_id, (answering, message) in self._mine.items():
            alert = self._alerts.get(alert_id, answering)
            found[alert_id] = replace(
                alert,
                taken_by=message.by,
                # Decided before the server's word of the taking came: the decision took it.
                taken_at=alert.taken_at or message.at,
                decision=message.action,
                follow_up_at=message.follow_up_at,
            )
        return found


def _came_back(message: DecisionMessage, alert: AlertMessage) -> bool:
    """Return whether the server's `alert` shows what `message` did."""
    if message.action is Action.TAKE:
        return alert.taken_by is not None
    if message.action is Action.CANNOT_NOW:
        return alert.taken_by != message.by
    return alert.decision is not None


def _is_own(message: DecisionMessage, alert: AlertMessage) -> bool:
    """Return whether the server's `alert` shows `message` itself, not what somebody else did."""
    if message.action is Action.TAKE:
        return alert.taken_by == message.by
    return alert.decision == message.action and alert.taken_by == message.by


class Live:
    """One dashboard's line to the broker; safe to call from any thread.

    Parameters
    ----------
    settings : BrokerSettings
    site : str
    clock : callable
        Returns the time, aware, in UTC.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        site: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._site = site
        self._clock = clock
        self._lock = threading.Lock()
        self._book = AlertBook(clock())
        self._connection = Connection(
            settings,
            client_id=f"dashboard-{site}-{secrets.token_hex(4)}",
            subscriptions=topics.dashboard_subscriptions(site),
            on_message=self._heard,
            on_change=self._changed,
        )

    def start(self) -> None:
        """Begin connecting in the background; retries for ever."""
        self._connection.start()

    def stop(self) -> None:
        """Disconnect."""
        self._connection.stop()

    def view(self, now: datetime) -> LiveView:
        """Return what is known at `now`."""
        with self._lock:
            view = self._book.view(now)
        return replace(view, why=self._connection.refusal)

    def decide(self, message: DecisionMessage) -> None:
        """Publish a decision and return once the broker has it.

        Raises
        ------
        BrokerError
            If the broker is away (nothing was recorded) or did not confirm.
        """
        with self._lock:
            answering = self._book.alert(message.alert_id)
            self._book.unconfirmed(message, answering)
        self._publish(topics.decision(self._site), message)
        with self._lock:
            self._book.answered(message, answering)

    def looked(self, agent: str, by: str, now: datetime) -> None:
        """Tell the server, and through it the agent, that `by` opened their page (TRUST T10).

        Raises
        ------
        BrokerError
            If it cannot be told; then nothing must be shown.
        """
        message = AuditMessage(
            id=new_id(), at=now, by=by, kind=AuditKind.VIEWED_PERSON, agent=agent
        )
        self._publish(topics.audit(self._site), message)

    def _publish(self, topic: str, message: DecisionMessage | AuditMessage) -> None:
        if not self._connection.is_connected:
            raise BrokerError("the broker is away; nothing was recorded")
        self._connection.publish_and_wait(
            topic, codec.encode(message), retain=False, timeout_s=CONFIRM_S
        )

    def _heard(self, inbound: Inbound) -> None:
        try:
            topic = topics.parse(inbound.topic)
        except MessageError:
            return
        if topic.kind is not TopicKind.ALERT or topic.alert_id is None:
            return
        with self._lock:
            try:
                alert = codec.decode(inbound.payload, AlertMessage) if inbound.payload else None
            except MessageError:
                self._book.could_not_read(topic.alert_id)
            else:
                self._book.heard(topic.alert_id, alert)

    def _changed(self, connected: bool) -> None:
        with self._lock:
            self._book.line(connected=connected, now=self._clock())


def new_id() -> str:
    """Return an identity for a message, so that a retelling counts once."""
    return secrets.token_hex(8)
