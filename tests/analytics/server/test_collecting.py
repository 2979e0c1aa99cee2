"""How messages that wait become batches; no broker needed."""

from __future__ import annotations

import pytest

from analytics.server import subscriber
from analytics.server.subscriber import BATCH_SIZE, LINGER_S, Subscriber
from sensors.config import BrokerSettings
from sensors.mqtt import Inbound


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> tuple[Subscriber, list[float]]:
    """Return a subscriber that is not connected, and for how long it lingers; each brings one."""
    one, lingered = Subscriber(BrokerSettings(), "hq"), list[float]()

    def linger(seconds: float) -> None:
        lingered.append(seconds)
        one._received(_message(1000 + len(lingered)))

    monkeypatch.setattr(subscriber.time, "sleep", linger)
    return one, lingered


def _message(number: int) -> Inbound:
    return Inbound("wellbeing/v1/hq/agent/k7/reading", b"x", False, 1, number, 1)


def _numbers(batch: list[Inbound]) -> list[int]:
    return [inbound.packet_id for inbound in batch]


def test_a_batch_waits_once_for_company(waiting: tuple[Subscriber, list[float]]) -> None:
    one, lingered = waiting
    for number in range(3):
        one._received(_message(number))
    assert _numbers(one.collect(1.0)) == [0, 1, 2, 1001]
    assert lingered == [LINGER_S]


def test_nothing_is_no_batch_and_waits_for_nobody(
    waiting: tuple[Subscriber, list[float]],
) -> None:
    one, lingered = waiting
    assert one.collect(0.0) == []
    assert one.collect(0.001) == []
    assert not lingered


def test_what_is_many_already_goes_at_once(waiting: tuple[Subscriber, list[float]]) -> None:
    one, lingered = waiting
    for number in range(BATCH_SIZE + 2):
        one._received(_message(number))
    assert _numbers(one.collect(1.0)) == list(range(BATCH_SIZE))
    assert _numbers(one.collect(0.0)) == [BATCH_SIZE, BATCH_SIZE + 1]
    assert not lingered
