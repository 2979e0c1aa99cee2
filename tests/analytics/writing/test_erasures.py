"""The queue of erasures between whoever asks and the writer, and the errands that ask."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from analytics.store.base import Eraser
from analytics.writing import errands
from analytics.writing.erasures import Erasures
from analytics.writing.errands import Errand, Errands
from sensors.errors import StoreError, StoreUnreachableError
from tests.rig import wait_until

BEFORE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Store:
    """Counts whom it erases; fails as it is told to."""

    def __init__(self, **fails: Exception) -> None:
        self.erased: list[tuple[str, str, datetime | None]] = []
        self.fails = fails

    def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
        self.erased.append((site, agent, before))
        if agent in self.fails:
            raise self.fails[agent]
        return len(self.erased)


def test_they_are_done_in_order_and_each_answered_with_what_it_erased() -> None:
    waiting, store = Erasures(), Store()
    first, second = waiting.ask("hq", "k7", BEFORE), waiting.ask("hq", "k8", None)
    assert not first.done()
    waiting.do(store)  # type: ignore[arg-type]
    assert (first.result(0), second.result(0)) == (1, 2)
    assert store.erased == [("hq", "k7", BEFORE), ("hq", "k8", None)]
    waiting.do(store)  # type: ignore[arg-type]
    assert len(store.erased) == 2


def test_what_the_store_refuses_keeps_nobody_else_waiting() -> None:
    waiting, store = Erasures(), Store(k7=StoreError("no permission"))
    refused, done = waiting.ask("hq", "k7", None), waiting.ask("hq", "k8", None)
    waiting.do(store)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="no permission"):
        refused.result(0)
    assert done.result(0) == 2


def test_a_store_that_is_away_is_told_to_the_writer_and_the_others_still_wait() -> None:
    waiting, away = Erasures(), Store(k7=StoreUnreachableError("away"))
    lost, waits = waiting.ask("hq", "k7", None), waiting.ask("hq", "k8", None)
    with pytest.raises(StoreUnreachableError):
        waiting.do(away)  # type: ignore[arg-type]
    with pytest.raises(StoreUnreachableError, match="away"):
        lost.result(0)
    assert not waits.done()
    waiting.do(Store())  # type: ignore[arg-type]
    assert waits.result(0) == 1


def test_a_writer_that_ends_answers_all_who_wait() -> None:
    waiting = Erasures()
    answers = [waiting.ask("hq", agent, None) for agent in ("k7", "k8")]
    waiting.refuse()
    for answer in answers:
        with pytest.raises(StoreUnreachableError, match="what is left is done at its start"):
            answer.result(0)
    waiting.refuse(StoreError("never raised: nobody waits"))
    why = waiting.ask("hq", "k9", None)
    waiting.refuse(StoreError("of this kind"))
    with pytest.raises(StoreError, match="of this kind"):
        why.result(0)


class Writer:
    """Answers at once with what it is told to."""

    def __init__(self, *outcomes: Exception | int) -> None:
        self.outcomes, self.asked = list(outcomes), []

    def erase(self, *whom: object) -> Future[int]:
        self.asked.append(whom)
        answer: Future[int] = Future()
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
        return answer


@contextmanager
def _doing(writer: Writer) -> Iterator[Errands]:
    doing = Errands(writer.erase)
    doing.start()
    try:
        yield doing
    finally:
        doing.stop()


def _errand(done: list[int], agent: str) -> Errand:
    def errand(eraser: Eraser) -> None:
        done.append(eraser.erase("hq", agent, BEFORE))

    return errand


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "patience_s", lambda *_: 0.001)


@pytest.mark.usefixtures("hurried")
def test_an_errand_is_repeated_until_it_is_done_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    full = StoreError("disk full")
    writer, done = Writer(full, StoreUnreachableError("away"), full, 12, 3), []
    with caplog.at_level(logging.WARNING), _doing(writer) as doing:
        doing.ask(_errand(done, "k7"))
        doing.ask(_errand(done, "k8"))
        wait_until(lambda: len(done) == 2)
    assert done == [12, 3]
    assert writer.asked == [("hq", "k7", BEFORE)] * 4 + [("hq", "k8", BEFORE)]
    assert [record.getMessage() for record in caplog.records] == [
        "an erasure waits for the store: disk full"
    ]


def test_an_errand_that_waits_for_the_store_holds_no_end_up() -> None:
    writer, done = Writer(StoreUnreachableError("away")), []
    before = set(threading.enumerate())
    with _doing(writer) as doing:
        doing.ask(_errand(done, "k7"))
        wait_until(lambda: writer.asked)
    assert not done
    assert set(threading.enumerate()) <= before
