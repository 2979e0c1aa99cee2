"""A board to plug in."""

from collections.abc import Iterator

import pytest

from tests.firmware_bridge.board import Board


@pytest.fixture
def board() -> Iterator[Board]:
    plugged = Board()
    yield plugged
    plugged.unplug()
