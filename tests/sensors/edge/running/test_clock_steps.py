"""The system's clock is set by hours, back and forth, while windows are kept and sent."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from sensors import codec
from sensors.config import BrokerSettings
from sensors.edge.outbox.outbox import Outbox
from sensors.edge.sealing.cipher import Cipher, new_key
from sensors.edge.sending.identity import Identity
from sensors.edge.sending.publisher import Publisher
from sensors.messages import ReadingMessage, StatusMessage, TimeMessage
from sensors.mqtt import Connection, Inbound
from sensors.signals import Channel
from sensors.topics import time_echo
from tests.rig.waiting import wait_until_async
from tests.sensors.edge.conftest import FastTime
from tests.sensors.edge.standin import StandIn

BOTH = (Channel.HEART, Channel.KEYBOARD)
HOUR = timedelta(hours=1)


@pytest.mark.needs("mosquitto")
async def test_windows_go_on_and_their_offset_says_how_far_the_clock_is_off(mosquitto, run_edge):
    times = FastTime()
    server = StandIn(mosquitto.port, now=times.true_at)

    def is_right(window: ReadingMessage) -> bool:
        corrected_at = window.window_end_at + timedelta(milliseconds=window.clock_offset_ms)
        return abs((corrected_at - times.true_at()).total_seconds()) < 60

    def corrected(count: int) -> bool:
        """Whether the last `count` windows that say an offset say the right one."""
        last = [w for w in list(server.windows) if w.clock_offset_ms is not None][-count:]
        return len(last) == count and all(is_right(window) for window in last)

    with server:
        async with run_edge(mosquitto.port, BOTH, times=times) as edge:
            await wait_until_async(lambda: corrected(2))
            for hours in (3, -5, 4, -2):
                times.set_by += hours * HOUR
                before = edge.process.report()["windows"]
                await wait_until_async(lambda b=before: edge.process.report()["windows"] >= b + 3)
                await wait_until_async(lambda: corrected(2))
            await wait_until_async(lambda: edge.process.report()["held"] <= 1)
            assert edge.process.report()["dropped"] == 0
    (numbers,) = server.runs.values()
    assert numbers == list(range(len(numbers)))
    ends = [w.window_end_at for w in sorted(server.windows, key=lambda w: w.seq)]
    assert all(before < after for before, after in pairwise(ends))


class _Clock:
    at = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return 100.0

    def now_at(self) -> datetime:
        return self.at


@pytest.fixture
async def publisher(tmp_path, monkeypatch):
    """A publisher whose broker is this test: `publisher.said` is what it published."""
    said: list[tuple[str, bytes]] = []

    def publish(_self, topic, payload, **_how):
        said.append((topic, payload))
        return len(said)

    monkeypatch.setattr(Connection, "is_connected", property(lambda _self: True))
    monkeypatch.setattr(Connection, "publish", publish)
    clock = _Clock()
    outbox = Outbox(tmp_path / "outbox.sqlite", Cipher(new_key()))
    made = Publisher(
        BrokerSettings(),
        Identity(site="main", agent="k7", source="pc", run="run00001"),
        outbox,
        clock,
        status=lambda online: StatusMessage(
            source="pc", run="run00001", online=online, at=clock.at
        ),
        consent=lambda: None,
    )
    made.said, made.clock = said, clock
    yield made
    outbox.close()


def ask(publisher) -> TimeMessage:
    publisher._next_ask_s = 0.0
    publisher._ask_time()
    return codec.decode(publisher.said[-1][1], TimeMessage)


def answer(publisher, question: TimeMessage, ahead: timedelta) -> None:
    echo = TimeMessage(
        id=question.id, edge_sent_at=question.edge_sent_at, server_at=question.edge_sent_at + ahead
    )
    payload = codec.encode(echo)
    publisher._received_now(Inbound(time_echo("main", "k7"), payload, False, 0, 1, 1))


def window(seq: int, run: str = "run00001") -> ReadingMessage:
    return ReadingMessage(source="pc", run=run, seq=seq, window_end_at=_Clock.at)


async def test_a_window_keeps_the_offset_of_the_clock_that_dated_it(publisher):
    assert publisher.with_offset(window(0)).clock_offset_ms is None  # nobody answered yet
    answer(publisher, ask(publisher), 4 * HOUR)
    before = publisher.with_offset(window(1))
    assert before.clock_offset_ms == 4 * 3600e3
    publisher.clock.at += 4 * HOUR  # the clock was put right
    publisher.anchored_anew(2)
    answer(publisher, ask(publisher), timedelta())
    assert publisher.with_offset(before) == before
    assert publisher.with_offset(window(0)).clock_offset_ms is None  # the old clock's: unknown
    assert publisher.with_offset(window(2)).clock_offset_ms == 0.0
    assert publisher.with_offset(window(9, "run00000")).clock_offset_ms is None  # an earlier run's


async def test_an_answer_that_spans_two_clocks_is_not_believed(publisher):
    question = ask(publisher)
    publisher.clock.at += 4 * HOUR
    publisher.anchored_anew(1)
    answer(publisher, question, timedelta())
    assert publisher.with_offset(window(1)).clock_offset_ms is None
    question = ask(publisher)
    answer(publisher, question, timedelta())
    answer(publisher, question, HOUR)  # told twice: the second says nothing
    assert publisher.with_offset(window(1)).clock_offset_ms == 0.0
