"""What the agent allows, and whether it may be captured now (T6, T7, T8). Pure.

Nothing here ever says on the wire *why* something is withheld.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sensors.edge.words import CONSENT_VERSION
from sensors.errors import ConfigurationError
from sensors.messages import ConsentMessage, ContextState
from sensors.signals import Channel


class Event(StrEnum):
    """What may happen to capture without touching consent."""

    PAUSE = "pause"
    RESUME = "resume"
    LOCK = "lock"
    UNLOCK = "unlock"
    SHIFT_BEGINS = "shift_begins"
    SHIFT_ENDS = "shift_ends"
    BREAK_BEGINS = "break_begins"
    BREAK_ENDS = "break_ends"
    CALL_BEGINS = "call_begins"
    CALL_ENDS = "call_ends"


class Reason(StrEnum):
    """Why nothing is captured; stays on this machine."""

    PAUSED = "paused"
    LOCKED = "locked"
    OFF_SHIFT = "off_shift"
    ON_BREAK = "on_break"
    OFF_CALL = "off_call"  # concerns the microphone only


_TABLE: dict[Event, tuple[Reason, bool]] = {
    Event.PAUSE: (Reason.PAUSED, True),
    Event.RESUME: (Reason.PAUSED, False),
    Event.LOCK: (Reason.LOCKED, True),
    Event.UNLOCK: (Reason.LOCKED, False),
    Event.SHIFT_ENDS: (Reason.OFF_SHIFT, True),
    Event.SHIFT_BEGINS: (Reason.OFF_SHIFT, False),
    Event.BREAK_BEGINS: (Reason.ON_BREAK, True),
    Event.BREAK_ENDS: (Reason.ON_BREAK, False),
    Event.CALL_ENDS: (Reason.OFF_CALL, True),
    Event.CALL_BEGINS: (Reason.OFF_CALL, False),
}
"""Event -> the reason that begins (True) or ends (False) to hold."""


@dataclass(frozen=True, slots=True)
class Given:
    """One line of the history: what was allowed from `at` on, under which text."""

    version: str
    at: datetime
    channels: tuple[Channel, ...]


_NEXT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Permission:
    """What is allowed, and what stands against capturing it now."""

    given: Given | None = None
    reasons: frozenset[Reason] = frozenset()

    @property
    def channels(self) -> frozenset[Channel]:
        """Consented to, under the words of this version."""
        if self.given is None or self.given.version != CONSENT_VERSION:
            return frozenset()
        return frozenset(self.given.channels)

    @property
    def is_asked(self) -> bool:
        """Whether the agent has answered the present text, with yes or with no."""
        return self.given is not None and self.given.version == CONSENT_VERSION

    @property
    def is_asked_again(self) -> bool:
        """Whether the agent has answered an earlier text, and not the present one."""
        return self.given is not None and not self.is_asked

    def may_capture(self, channel: Channel) -> bool:
        """Return whether `channel` may be read at this moment."""
        against = self.reasons if channel is Channel.VOICE else self.reasons - {Reason.OFF_CALL}
        return not against and channel in self.channels

    def withheld(self, channels: Iterable[Channel]) -> frozenset[Channel]:
        """Return which of `channels` may not be read at this moment."""
        return frozenset(c for c in channels if not self.may_capture(c))

    def after(self, event: Event) -> Permission:
        """Return the state after `event`; reasons are independent of each other."""
        reason, holds = _TABLE[event]
        return replace(self, reasons=self.reasons | {reason} if holds else self.reasons - {reason})

    def consenting(self, channels: Iterable[Channel], at: datetime) -> Permission:
        """Return the state after the agent allowed exactly `channels`."""
        return replace(self, given=Given(CONSENT_VERSION, at, _ordered(channels)))

    def lapsing(self, at: datetime) -> Permission:
        """Return the state where the words have changed: what was allowed ends `at`.

        Not when it was given: what was captured until then was allowed, and may
        still wait in an outbox.
        """
        if self.given is None or self.is_asked or not self.given.channels:
            return self
        # A clock that went back must not let the end come before the beginning.
        end_at = max(at, self.given.at + _NEXT)
        return replace(self, given=Given(self.given.version, end_at, ()))

    def withdrawing(self, channels: Iterable[Channel], at: datetime) -> Permission:
        """Return the state after the agent took `channels` back; none named means all."""
        gone = frozenset(channels) or frozenset(Channel)
        return self.consenting(self.channels - gone, at)

    def following(self, kept: Permission) -> Permission:
        """Return the state after the agent said `kept` to another of their edges here."""
        reasons = self.reasons - {Reason.PAUSED} | kept.reasons
        return replace(self, given=kept.given, reasons=reasons)

    def narrowed_to(self, other: Permission) -> Permission:
        """Return the state that allows only what both allow."""
        both = self.channels & other.channels
        given = self.given
        if given is not None and both != self.channels:
            at = max(given.at, other.given.at) if other.given is not None else given.at
            given = Given(CONSENT_VERSION, at, _ordered(both))
        return replace(self, given=given, reasons=self.reasons | other.reasons)

    def message(self) -> ConsentMessage | None:
        """Return what is published; ``None`` before the agent was ever asked."""
        if self.given is None:
            return None
        return ConsentMessage(
            version=self.given.version, at=self.given.at, channels=_ordered(self.channels)
        )


def _ordered(channels: Iterable[Channel]) -> tuple[Channel, ...]:
    chosen = frozenset(channels)
    return tuple(channel for channel in Channel if channel in chosen)


IDLE, SCREEN = "idle", "screen"
"""Words after ``lock`` and ``unlock``: whose they are, when they are not the agent's own."""


class Lockers:
    """Who wants the lock: it ends when nobody does any more.

    A touch ends an idle time, but never the lock of a screen locker that was
    told of by a command: the touch is the password for it (T8).
    """

    def __init__(self) -> None:
        self._wanting: set[str] = set()

    def after(self, event: Event, words: Sequence[str]) -> Event:
        """Return what holds once `event` was said: UNLOCK becomes LOCK while somebody wants it.

        The agent's own word, with no other after it, ends every lock; an
        unlocked screen ends every one but that of an idle desk.
        """
        if event not in {Event.LOCK, Event.UNLOCK}:
            return event
        who = words[0] if words else ""
        if event is Event.LOCK:
            self._wanting.add(who)
        elif who == IDLE:
            self._wanting.discard(IDLE)
        else:
            self._wanting &= {IDLE} if who == SCREEN else set()
        return Event.LOCK if self._wanting else Event.UNLOCK


_CONTEXT: dict[ContextState, tuple[Event, Event]] = {
    ContextState.ON_CALL: (Event.BREAK_ENDS, Event.CALL_BEGINS),
    ContextState.WRAP_UP: (Event.BREAK_ENDS, Event.CALL_ENDS),
    ContextState.READY: (Event.BREAK_ENDS, Event.CALL_ENDS),
    ContextState.BREAK: (Event.BREAK_BEGINS, Event.CALL_ENDS),
    ContextState.OFF: (Event.BREAK_BEGINS, Event.CALL_ENDS),
}


def events_of(state: ContextState) -> tuple[Event, ...]:
    """Return what a telephony state means for capture (T8)."""
    return _CONTEXT[state]


def parse_channels(texts: Iterable[str]) -> tuple[Channel, ...]:
    """Return the channels named in `texts`, each a name or several with commas; ``none`` is none.

    Raises
    ------
    ConfigurationError
        If one is unknown; lists the known ones.
    """
    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    try:
        return _ordered(Channel(word) for word in words if word != "none")
    except ValueError:
        wrong = next(w for w in words if w != "none" and w not in Channel.__members__.values())
        raise ConfigurationError(
            f"unknown channel {wrong!r}; known: {', '.join(Channel)}"
        ) from None
