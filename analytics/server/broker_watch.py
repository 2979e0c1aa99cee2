"""The server's view of its broker: is it there, and what must it be told again."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from analytics.events import Publication
from analytics.journal.steps import Commit, Pending, StepLog
from analytics.pipeline.service_options import ScoringPipeline
from analytics.server.stored import StoredPublisher
from analytics.server.subscriber import Subscriber
from sensors import codec, topics
from sensors.topics import TopicKind

_PATIENCE_S = 2.0  # connecting takes a moment; that is no trouble yet

_log = logging.getLogger("wellbeing.detect")


class BrokerWatch:
    """Follows the connection, and publishes once there is one.

    Parameters
    ----------
    site : str
    subscriber : Subscriber
    pipeline : ScoringPipeline
        Whose open alerts stand on retained topics.
    steps : StepLog
        Where publications wait until they are confirmed.
    stored : StoredPublisher
    """

    def __init__(
        self,
        site: str,
        subscriber: Subscriber,
        pipeline: ScoringPipeline,
        steps: StepLog,
        stored: StoredPublisher,
    ) -> None:
        self._site, self._subscriber, self._pipeline = site, subscriber, pipeline
        self._steps, self._stored = steps, stored
        self._connections = 0
        self._told_trouble = ""
        self._quiet_until = time.monotonic() + _PATIENCE_S

    def send(self, pending: Sequence[Pending]) -> None:
        """Publish `pending`, if there is a broker that has been told what waited.

        Else they wait in the file, not in memory: `look` sends them.
        """
        if self._subscriber.is_connected and self._connections == self._subscriber.connections:
            for publication in pending:
                self._subscriber.publish(publication)

    def look(self) -> None:
        """Say what has changed, to people and to the broker."""
        trouble = self._subscriber.trouble
        if not trouble:
            self._quiet_until = time.monotonic() + _PATIENCE_S
            if self._told_trouble:
                _log.info("the broker answers again")
            self._told_trouble = ""
        elif trouble != self._told_trouble and time.monotonic() >= self._quiet_until:
            _log.warning("%s; retrying, edges keep their windows", trouble)
            self._told_trouble = trouble
        if not trouble and self._is_to_be_told_anew():
            self._tell_anew()
        self._clear_forgotten_alerts()

    def _is_to_be_told_anew(self) -> bool:
        is_new = self._subscriber.connections != self._connections
        return self._subscriber.take_room() or is_new

    def _tell_anew(self) -> None:
        """Say again what a broker may have lost, or never heard before we were restarted."""
        is_first = self._connections == 0
        self._connections = self._subscriber.connections
        if is_first:
            _log.info("connected to the broker")
        self._steps.commit(Commit(publications=self._contradictions()))
        sent = self._subscriber.unconfirmed()
        self.send([one for one in self._steps.pending() if one.id not in sent])
        self._say_open()
        self._stored.repeat_all()

    def set_right(self) -> None:
        """Show the alerts as they are known now: a step was told, and then done otherwise."""
        pending = self._steps.commit(Commit(publications=self._contradictions()))
        if self._subscriber.is_connected:
            self.send(pending)
            self._say_open()

    def _contradictions(self) -> list[Publication]:
        """Return what clears the alerts that were told of late, or will be, and nobody knows.

        Of a step that met a bug after it was told, or at its repetition: it was
        repeated without some message.
        """
        told = {one.topic: one.payload for one in self._steps.pending()}
        known = {topics.alert(self._site, a.alert_id) for a in self._pipeline.open_alerts()}
        return [
            Publication(topic, None)
            for topic, newest in told.items()
            if newest and topic not in known and topics.parse(topic).kind is TopicKind.ALERT
        ]

    def _say_open(self) -> None:
        for alert in self._pipeline.open_alerts():
            where = topics.alert(self._site, alert.alert_id)
            self._subscriber.publish(Pending(0, where, codec.encode(alert)))

    def _clear_forgotten_alerts(self) -> None:
        kept = self._subscriber.take_retained_alerts()
        if kept:
            known = {alert.alert_id for alert in self._pipeline.open_alerts()}
            for alert_id in set(kept) - known:
                where = topics.alert(self._site, alert_id)
                self._subscriber.publish(Pending(0, where, b""))
