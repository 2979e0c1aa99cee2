"""What a board measures during a fault is not believed, and a lost end does no harm."""

import pytest

from firmware_bridge.protocol.messages import WHOLE_BOARD
from firmware_bridge.readings.wearing import FAULT_S, Wearing
from sensors.signals import Channel


@pytest.fixture
def wearing():
    followed = Wearing()
    followed.add(0, "eda_us", Channel.MODULES)
    followed.add(1, "skin_temp_c", Channel.MODULES)
    return followed


@pytest.mark.parametrize("stream", [0, WHOLE_BOARD])
def test_a_fault_that_is_said_again_lasts(wearing, stream):
    for at_s in (0.0, 9.0, 18.0, 27.0, 36.0):
        wearing.fault(3, stream, at_s, active=True)
        wearing.look(at_s + 9.0)
        assert not wearing.believes(0)
        assert wearing.believes(1) is (stream == 0)
    wearing.fault(3, stream, 45.0, active=False)
    assert wearing.believes(0)


def test_a_fault_whose_end_was_lost_is_over_when_it_is_said_no_more(wearing):
    wearing.fault(3, 0, 100.0, active=True)
    wearing.look(100.0 + FAULT_S)
    assert not wearing.believes(0)
    wearing.look(100.1 + FAULT_S)
    assert wearing.believes(0)
