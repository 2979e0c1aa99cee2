"""A board to plug in."""

from collections.abc import Callable, Iterator

import pytest

from firmware_bridge.simulation.board import Board as Simulated
from firmware_bridge.simulation.board import BoardSettings
from firmware_bridge.simulation.faults import ScriptedFault
from tests.firmware_bridge.board import Board
from tests.firmware_bridge.speaking import SpeakingBoard


@pytest.fixture
def board() -> Iterator[Board]:
    plugged = Board()
    yield plugged
    plugged.unplug()


@pytest.fixture
def headset() -> Iterator[SpeakingBoard]:
    """The simulated headset, which speaks the protocol; tests give it faults through `.board`."""
    plugged = SpeakingBoard()
    yield plugged
    plugged.unplug()


@pytest.fixture
def plugged() -> Iterator[Callable[..., SpeakingBoard]]:
    """Return a function that plugs in a simulated headset with faults."""
    boards = []

    def plug(*faults: str, **settings: object) -> SpeakingBoard:
        made = Simulated(BoardSettings(**settings), [ScriptedFault(name) for name in faults])
        boards.append(SpeakingBoard(made))
        return boards[-1]

    yield plug
    for board in boards:
        board.unplug()
