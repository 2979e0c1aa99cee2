"""What the agent asks for and answers, brought to the broker before they are told so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from secrets import token_hex

from sensors.edge.asking.replies import after_reply, after_request, parse_reply, parse_request
from sensors.edge.sending.publisher import Publisher
from sensors.messages import RequestKind, RequestMessage
from sensors.topics import TopicKind

_WITHIN_S = 5.0


class Asking:
    """One edge's line to people.

    Parameters
    ----------
    publisher : Publisher
    now_at : callable
        Returns the run's own wall time. UTC.
    asked : callable
        Returns the alert that the agent was asked about last, if any.
    is_private : bool
        Nothing leaves this machine.
    said : callable
        Given ``ask`` or ``reply`` and its words, once they arrived.
    """

    def __init__(
        self,
        publisher: Publisher,
        now_at: Callable[[], datetime],
        asked: Callable[[], str | None],
        *,
        is_private: bool,
        said: Callable[[str, tuple[str, ...]], None],
    ) -> None:
        self._publisher = publisher
        self._now_at = now_at
        self._asked = asked
        self._is_private = is_private
        self._said = said

    async def ask(self, words: tuple[str, ...]) -> str:
        """Send what `words` ask for; return what the agent is told.

        Raises
        ------
        ConfigurationError
            If `words` are no request.
        BrokerError
            If the broker did not take it in time.
        """
        kind = parse_request(words, is_private=self._is_private)
        await self.request(kind)
        self._said("ask", words)
        return after_request(kind)

    async def request(self, kind: RequestKind) -> None:
        """Send a request; return once the broker has it.

        Raises
        ------
        BrokerError
            If it did not take it in time.
        """
        message = RequestMessage(id=token_hex(8), at=self._now_at(), kind=kind)
        await self._publisher.deliver(TopicKind.REQUEST, message, _WITHIN_S)

    async def reply(self, words: tuple[str, ...]) -> str:
        """Send what the agent answers in `words`; return what they are told.

        Raises
        ------
        ConfigurationError
            If `words` are no answer.
        BrokerError
            If the broker did not take it in time.
        """
        reply = parse_reply(words, token_hex(8), self._now_at(), self._asked())
        await self._publisher.deliver(TopicKind.REPLY, reply, _WITHIN_S)
        self._said("reply", words)
        return after_reply(reply.kind, is_private=self._is_private)
