"""Erasures that the store's writer is asked for by others, done between two of its writes."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from analytics.store.base import Store
from sensors.errors import StoreUnreachableError


@dataclass(frozen=True, slots=True)
class _Erasure:
    site: str
    agent: str
    before: datetime | None
    answer: Future[int]


class Erasures:
    """Those that wait; asked for on any thread, done on the writer's."""

    def __init__(self) -> None:
        self._waiting: deque[_Erasure] = deque()

    def ask(self, site: str, agent: str, before: datetime | None) -> Future[int]:
        """Note one; the answer is what the store's own ``erase`` returns or raises."""
        erasure = _Erasure(site, agent, before, Future())
        self._waiting.append(erasure)
        return erasure.answer

    def do(self, store: Store) -> None:
        """Erase whom it was asked for; what the store will not do keeps no points from it."""
        while self._waiting:
            erasure = self._waiting.popleft()
            try:
                count = store.erase(erasure.site, erasure.agent, erasure.before)
            except Exception as error:
                erasure.answer.set_exception(error)
                if isinstance(error, StoreUnreachableError):
                    raise
            else:
                erasure.answer.set_result(count)

    def refuse(self, why: Exception | None = None) -> None:
        """Say that those who were to be erased are not, so that it is asked for again."""
        why = why or StoreUnreachableError(
            "the writer has ended; what is left is done at its start"
        )
        while self._waiting:
            self._waiting.popleft().answer.set_exception(why)
