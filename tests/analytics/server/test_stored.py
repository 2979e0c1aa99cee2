"""Edges hear what is stored, as fast on a slow server, and those who asked first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from analytics.journal.journal import Appended
from analytics.journal.streams import StreamKey, Streams
from analytics.server.stored import AT_LEAST, AT_MOST, PER_S, StoredPublisher
from sensors.messages import StoredMessage

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MANY = 3 * AT_MOST


class Edges:
    """Whoever listens."""

    def __init__(self) -> None:
        self.is_connected = True
        self.heard: list[tuple[str, str, int]] = []

    def publish_stored(self, agent: str, source: str, message: StoredMessage) -> None:
        self.heard.append((agent, source, message.seq))


def _key(number: int) -> StreamKey:
    return (f"k{number:05d}", "pc", "run00001")


def _publisher(edges: Edges, high: int = 7) -> StoredPublisher:
    return StoredPublisher(cast("Streams", SimpleNamespace(high=lambda _key: high)), edges)


def _touched(*numbers: int, repeated: tuple[int, ...] = ()) -> Appended:
    keys = {_key(n) for n in numbers}
    return Appended(touched=keys, repeated={_key(n) for n in repeated})


def test_as_many_are_told_as_the_time_since_the_last_allows() -> None:
    edges = Edges()
    publisher = _publisher(edges)
    publisher.touch(_touched(*range(MANY)))
    told = []
    for at_s in (0.0, 0.25, 0.85, 9.0, 9.25 - 3600):
        before = len(edges.heard)
        publisher.publish(NOW + timedelta(seconds=at_s))
        told.append(len(edges.heard) - before)
    assert told == [AT_LEAST, PER_S // 4, int(PER_S * 0.6), AT_MOST, AT_LEAST]
    assert len({agent for agent, _, _ in edges.heard}) == sum(told)


def test_who_asked_is_told_first_and_nobody_twice() -> None:
    edges = Edges()
    publisher = _publisher(edges)
    publisher.touch(_touched(*range(AT_LEAST + 10), repeated=(AT_LEAST + 9,)))
    publisher.publish(NOW)
    assert edges.heard[0] == ("k00509", "pc", 7)
    publisher.publish(NOW)
    publisher.publish(NOW)
    assert len(edges.heard) == len(set(edges.heard)) == AT_LEAST + 10


def test_nothing_is_told_twice_nor_while_nobody_hears() -> None:
    edges = Edges()
    publisher = _publisher(edges)
    edges.is_connected = False
    publisher.touch(_touched(1))
    publisher.publish(NOW)
    assert edges.heard == []
    edges.is_connected = True
    publisher.publish(NOW)
    publisher.touch(_touched(1))
    publisher.publish(NOW)
    assert edges.heard == [("k00001", "pc", 7)]
    publisher.repeat_all()
    publisher.publish(NOW)
    assert len(edges.heard) == 2


def test_of_a_run_whose_first_window_has_not_come_there_is_nothing_to_tell() -> None:
    edges = Edges()
    publisher = _publisher(edges, high=-1)
    publisher.touch(_touched(1))
    publisher.publish(NOW)
    assert edges.heard == []
