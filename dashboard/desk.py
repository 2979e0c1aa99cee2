"""One look at the screen: who sees, in which words, at what time, and what they can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dashboard import actions
from dashboard.cards import Card
from dashboard.live import new_id
from dashboard.records import Standing
from dashboard.resources import Desk
from dashboard.session import tab, typed
from sensors.errors import BrokerError, MessageError
from sensors.messages import Action, DecisionMessage, Outcome
from sensors.words import Words

ONE_PRESS = timedelta(seconds=10)
"""The same answer to the same alert within so long is one press that came twice.

On a busy machine the browser sends a press both by itself and with a refresh that falls due in
the same moment (Streamlit 1.67). The first answer is drawn in far less, and nobody is offered
it again.
"""


@dataclass(frozen=True, slots=True)
class Screen:
    """What every component is given."""

    desk: Desk
    words: Words
    now: datetime

    @property
    def me(self) -> str:
        """Login of the supervisor."""
        return self.desk.settings.supervisor

    def take(self, card: Card) -> None:
        """Take `card`."""
        self._send(card, lambda: actions.take(card, by=self.me, at=self._at(), identity=new_id()))

    def decide(self, card: Card, action: Action) -> None:
        """Record `action` with the reason and note that stand on the card."""
        self._send(
            card,
            lambda: actions.decide(
                card,
                action,
                by=self.me,
                at=self._at(),
                identity=new_id(),
                to=self.hand_to(card) or None,
                reason=typed(f"reason-{card.alert_id}"),
                note=typed(f"note-{card.alert_id}"),
            ),
        )

    def outcome(self, card: Card, found: Outcome) -> None:
        """Record what followed."""
        self._send(
            card,
            lambda: actions.outcome(card, found, by=self.me, at=self._at(), identity=new_id()),
        )

    def lift(self, silence: Standing) -> None:
        """End `silence` now."""
        self._publish(
            silence.id,
            lambda: actions.lift(silence, by=self.me, at=self._at(), identity=new_id()),
        )
        memory = tab()
        if silence.id not in memory.errors:
            memory.lifted[silence.id] = self.now

    def hand_to(self, card: Card) -> str:
        """Return who would take `card` instead: as chosen, else the next in line."""
        logins = [login for login, _ in card.hand_to]
        chosen = typed(f"to-{card.alert_id}")
        return chosen if chosen in logins else (logins[0] if logins else "")

    def look(self, agent: str, place: str) -> None:
        """Open a person's detail, once the agent is sure to be told (TRUST T10)."""
        memory = tab()
        if memory.open == place:
            return  # one press that came twice is one look
        try:
            self.desk.live.looked(agent, self.me, self._at())
        except BrokerError:
            memory.errors[place] = self.words.say(
                "Not opened: the message broker is away, so nobody could be told that you looked."
            )
            return
        memory.errors.pop(place, None)
        memory.asked, memory.open = "", place

    def _at(self) -> datetime:
        return self.desk.clock()

    def _send(self, card: Card, message: Callable[[], DecisionMessage]) -> None:
        self._publish(card.alert_id, message)

    def _publish(self, place: str, message: Callable[[], DecisionMessage]) -> None:
        memory = tab()
        try:
            made = message()
            if _is_again(memory.pressed.get(place), made) and not self._is_handed_back(made):
                return
            self.desk.live.decide(made)
        except (BrokerError, MessageError) as error:
            memory.errors[place] = self._explain(error)
        else:
            memory.errors.pop(place, None)
            memory.pressed[place] = replace(made, at=self._at())

    def _is_handed_back(self, made: DecisionMessage) -> bool:
        """Return whether `made` takes an alert that was taken and came back meanwhile."""
        live = self.desk.live.view(self.now)
        is_free = any(one.alert_id == made.alert_id and not one.taken_by for one in live.alerts)
        return made.action is Action.TAKE and is_free and made.alert_id not in live.sent

    def _explain(self, error: BrokerError | MessageError) -> str:
        if isinstance(error, MessageError):
            return self.words.say("Not recorded: {why}.", why=error.detail)
        return self.words.say(
            "Not recorded: the message broker is away. What you wrote is still here; press again "
            "when it is back."
        )


def _is_again(before: DecisionMessage | None, made: DecisionMessage) -> bool:
    """Return whether `made` says what was sent `before` it, a moment ago."""
    if before is None or made.at - before.at > ONE_PRESS:
        return False
    return (before.action, before.outcome, before.to) == (made.action, made.outcome, made.to)
