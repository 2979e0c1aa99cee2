"""Whether a message from the broker is accepted, and why not: no socket, no file, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import cast

from analytics.events import Input, is_late
from analytics.people.consent_book import ConsentBook
from analytics.people.teams import Teams
from analytics.people.tombstones import Tombstones
from sensors import codec, topics
from sensors.errors import MessageError, Refusal
from sensors.messages import (
    ConsentMessage,
    ReadingMessage,
    StatusMessage,
    StoredMessage,
    check_identity,
)
from sensors.signals import Channel
from sensors.topics import DELIVERY, TopicKind

LIVE, BACKLOG = 0, 1

INPUTS = frozenset(
    {
        TopicKind.READING,
        TopicKind.STATUS,
        TopicKind.CONSENT,
        TopicKind.REPLY,
        TopicKind.REQUEST,
        TopicKind.CONTEXT,
        TopicKind.DECISION,
        TopicKind.AUDIT,
    }
)
"""What the server takes in; `time` is answered at the door."""

_MAX_KEPT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message for the journal.

    Parameters
    ----------
    lane : int
        `LIVE` or `BACKLOG`.
    key : str or None
        Identity of a message that counts once; readings have their number,
        retained messages are compared with the last on their topic.
    digest : bytes or None
        Of a retained message's payload.
    """

    topic: str
    payload: bytes
    agent: str | None
    message: Input
    lane: int = LIVE
    key: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A message to be set aside; `payload` is ``None`` where keeping it would be wrong.

    `window` is set for a reading of `agent` whose number can still be told:
    it counts as accounted for, or the edge would hold it for ever. `is_left` says
    that it may stand on a retained topic, where nothing of an erased agent may.
    """

    topic: str
    payload: bytes | None
    refusal: Refusal
    detail: str
    agent: str | None = None
    window: codec.WindowKey | None = None
    is_left: bool = False


@dataclass(frozen=True, slots=True)
class Cleared:
    """An empty payload: somebody cleared a retained topic."""

    topic: str


Judged = Accepted | Refused | Cleared

parse_topic = cast("Callable[[str], topics.Topic]", lru_cache(maxsize=131_072)(topics.parse))
"""`topics.parse`, remembered: a floor has few topics and many messages."""


def decode(topic: str, payload: bytes) -> tuple[str | None, Input]:
    """Return agent and message of an accepted topic and payload.

    Raises
    ------
    MessageError
        If it is not one of `INPUTS` or does not decode.
    """
    parsed = parse_topic(topic)
    if parsed.kind not in INPUTS:
        raise MessageError(Refusal.UNKNOWN_TOPIC, f"topic {topic[:200]!r} is not for the server")
    message = cast("Input", codec.decode(payload, DELIVERY[parsed.kind].message))
    if isinstance(message, StatusMessage) and message.source != parsed.source:
        raise MessageError(
            Refusal.MALFORMED, f"source is {message.source!r}; the topic says {parsed.source!r}"
        )
    return parsed.agent, message


class Intake:
    """Judges what arrives.

    Parameters
    ----------
    teams : Teams
        Who is known.
    consents : ConsentBook
        Kept up to date by the caller with what was accepted.
    forbidden : frozenset of Channel
        Channels that the profile of the installation forbids.
    tombstones : Tombstones or None
        Who was erased; kept up to date by the caller.
    """

    def __init__(
        self,
        teams: Teams,
        consents: ConsentBook,
        forbidden: frozenset[Channel] = frozenset(),
        tombstones: Tombstones | None = None,
    ) -> None:
        self._teams = teams
        self._consents = consents
        self._forbidden = forbidden
        self._tombstones = tombstones if tombstones is not None else Tombstones()

    def judge(self, topic: str, payload: bytes, received_at: datetime) -> Judged:
        """Return what to do with one message; never raises for what a sender did."""
        if not payload:
            return Cleared(topic)
        try:
            agent, message = decode(topic, payload)
            if self._tombstones.refuses(agent, message, self._consents):
                error = MessageError(Refusal.ERASED, "from before the erasure")
                left = self._tombstones.is_left(agent, message)
                return replace(_refused(topic, payload, error), is_left=left)
            self._refuse_unknown(agent, received_at)
            if isinstance(message, ReadingMessage):
                self._refuse_without_consent(cast("str", agent), message)
        except MessageError as error:
            return self._without_erased(_refused(topic, payload, error))
        if isinstance(message, ReadingMessage):
            late = is_late(message.window_end_at, message.clock_offset_ms, received_at)
            return Accepted(topic, payload, agent, message, BACKLOG if late else LIVE)
        if DELIVERY[parse_topic(topic).kind].retained:
            digest = blake2b(payload, digest_size=16).digest()
            return Accepted(topic, payload, agent, message, digest=digest)
        return Accepted(topic, payload, agent, message, key=f"{topic} {message.id}")  # type: ignore[union-attr]

    def remember(self, judged: Judged) -> None:
        """Take note of a consent; to be called before the next message is judged."""
        match judged:
            case Accepted(agent=str(agent), message=ConsentMessage() as consent):
                self._consents.record(agent, consent)

    def _without_erased(self, refused: Refused) -> Refused:
        """Keep nothing of what cannot be read or is in no team, where its sender was erased."""
        gone = refused.agent is not None and self._tombstones.of(refused.agent) is not None
        if not gone or refused.refusal is Refusal.ERASED:
            return refused
        anew = self._tombstones.consented_at(cast("str", refused.agent), self._consents)
        return refused if anew else replace(refused, refusal=Refusal.ERASED, payload=None)

    def _refuse_unknown(self, agent: str | None, at: datetime) -> None:
        if agent is not None and self._teams.team_of(agent, at) is None:
            raise MessageError(
                Refusal.UNKNOWN_AGENT, f"agent {agent!r} is in no team now; add it to teams.toml"
            )

    def _refuse_without_consent(self, agent: str, message: ReadingMessage) -> None:
        for channel in self._forbidden:
            if message.section(channel) is not None:
                raise MessageError(
                    Refusal.NOT_CONSENTED, f"[policy] profile forbids channel {channel.value}"
                )
        if self._consents.refused_channel(agent, message) is not None:
            # Which one is not said: who refused what is nobody else's business (T7).
            raise MessageError(
                Refusal.NOT_CONSENTED, "carries a channel without the agent's consent"
            )


def _refused(topic: str, payload: bytes, error: MessageError) -> Refused:
    # What was sent without consent is not kept either, not even set aside (T6).
    keep = error.refusal not in {Refusal.NOT_CONSENTED, Refusal.ERASED}
    kept = payload[:_MAX_KEPT_BYTES] if keep else None
    try:
        parsed = parse_topic(topic)
    except MessageError:
        return Refused(topic, kept, error.refusal, error.detail)
    window = _window(payload) if parsed.kind is TopicKind.READING else None
    return Refused(topic, kept, error.refusal, error.detail, parsed.agent, window)


def _window(payload: bytes) -> codec.WindowKey | None:
    found = codec.window_key(payload)
    if found is None:
        return None
    try:
        check_identity("source", found.source)
        # The same checks that `stored` will have to pass.
        StoredMessage(run=found.run, seq=found.seq, at=_ANY_TIME)
    except MessageError:
        return None
    return found if 0 <= found.seq <= 2**53 else None


_ANY_TIME = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
