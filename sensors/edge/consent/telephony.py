"""What telephony says the agent is doing, and for how long a call is believed. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sensors.messages import ContextMessage, ContextState
from sensors.vocabulary import CONTEXT_BELIEVED


class Telephony:
    """Ends a call that nobody ended: telephony that died in one says nothing any more.

    Without it every notice would wait for a wrap-up that never comes, idle time
    would never count, and the microphone stay open (TRUST A6, T8). A break is
    believed until its end is told: that nothing is measured harms nobody.
    """

    def __init__(self) -> None:
        self._call: ContextMessage | None = None
        self._until_at: datetime | None = None

    def hear(self, message: ContextMessage, now: datetime) -> ContextMessage:
        """Return `message`, or, where it tells of a call too long ago, that there is none.

        It counts from when it was said: what a broker retains is told again at
        every start, however old. A clock that runs ahead is not believed.
        """
        self._call = self._until_at = None
        if message.state is ContextState.ON_CALL:
            self._call = message
            self._until_at = min(message.at, now) + CONTEXT_BELIEVED
        return self.step(now) or message

    def step(self, now: datetime) -> ContextMessage | None:
        """Return that the call is over, once, when it is not believed any more."""
        if self._call is None or self._until_at is None or now < self._until_at:
            return None
        call, self._call = self._call, None
        return replace(call, state=ContextState.READY)
