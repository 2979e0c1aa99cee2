"""Reading one port: what is amiss with writing to it does not end the reading."""

import threading
from dataclasses import replace

import pytest

from firmware_bridge.bench.board_feed import BoardFeed
from firmware_bridge.bench.conversation import Conversation
from firmware_bridge.bench.inspecting import board_lines, inspect_board
from firmware_bridge.bench.probing import probe
from firmware_bridge.bench.tapping import Tap
from firmware_bridge.protocol.framing import Deframer
from firmware_bridge.protocol.messages import Get, Key, Setting, Status
from sensors.errors import DeviceError
from tests.firmware_bridge.protocol.talking import EDA, Talking


class OneWay:
    """A port whose board sends and never reads: its buffer is full."""

    def __init__(self, *reads):
        self.reads = list(reads)
        self.refused = 0

    def write(self, data):
        self.refused += 1
        raise DeviceError("ttyACM0 takes nothing for 2 s")

    def read(self):
        return self.reads.pop(0) if self.reads else b""

    def __enter__(self):
        return self

    def __exit__(self, *details):
        pass


class Wired(OneWay):
    """A port whose board answers, until its buffer is full."""

    answer, is_full = None, False

    def write(self, data):
        if self.is_full:
            super().write(data)
        for frame in Deframer().feed(b"\0" + data):
            if frame.type == Get.TYPE:
                self.reads.append(self.answer(frame.counter))


@pytest.fixture
def port():
    talking = Talking()
    return OneWay(b"\0" + talking.hello(0, EDA), talking.values(EDA, 1, 3.0))


def test_a_board_that_takes_nothing_is_read_on_and_not_asked_again(port):
    tap = Tap(BoardFeed())
    first, second, third = (tap.step(port) for _ in range(3))
    assert first.heard.notices == ("ttyACM0 takes nothing for 2 s; it is asked no more",)
    assert [reading.value for reading in second.heard.readings] == [3.0]
    assert (third.heard.log, port.refused) == ((), 1)
    tap.opened()
    assert tap.step(port).heard.notices, "another opening, another try"


def test_it_can_be_introduced_and_does_not_answer(port):
    talking = Conversation(port, "ttyACM0")
    assert talking.introduced().maker == "Acme"
    assert talking.ask(Get(Key.RATE, 0)) is None
    assert port.refused == 1


def test_one_that_answered_and_then_takes_nothing_is_waited_for_no_more(monkeypatch):
    board, port = Talking(), Wired()
    port.reads = [b"\0" + board.hello(0, EDA)]
    talking = Conversation(port, "ttyACM0")
    talking.introduced()
    port.answer = lambda counter: board.frame(Setting(counter, Key.RATE, 0, Status.KEPT, b""))
    assert talking.ask(Get(Key.RATE, 0)) is not None
    port.is_full = True
    assert talking.ask(Get(Key.RATE, 0)) is None
    monkeypatch.setattr(talking, "listen", pytest.fail)
    assert talking.ask(Get(Key.DEVICE_ID, 0)) is None
    assert not talking.is_deaf


def test_streams_that_are_not_described_are_not_passed_over(monkeypatch):
    monkeypatch.setattr("firmware_bridge.bench.conversation.INTRODUCED_WITHIN_S", 0.2)
    port = OneWay(b"\0" + Talking().hello(0, replace(EDA, stream=1)))
    board = inspect_board(Conversation(port, "ttyACM0"), "ttyACM0", 0.0)
    (line,) = [one for one in board_lines(board) if one.startswith("trouble")]
    assert "describes 0 of the 1 streams it announces" in line


def test_it_is_recognised(port, monkeypatch):
    monkeypatch.setattr("firmware_bridge.bench.probing.SerialPort", lambda *_: port)
    found = probe("ttyACM0", 115_200, 60.0, threading.Event())
    assert (found.kind, found.signals) == ("board", ("eda_us",))


def test_two_conversations_do_not_take_each_others_answers():
    counters = {Conversation(OneWay(), "p").feed.session.request(Get(1, 0))[1] for _ in range(8)}
    assert len(counters) > 1
