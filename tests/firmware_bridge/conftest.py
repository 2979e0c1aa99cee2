"""A board to plug in."""

from collections.abc import Iterator

import pytest

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
