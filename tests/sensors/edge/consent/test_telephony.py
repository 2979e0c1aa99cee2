"""A call that nobody ended ends."""

from datetime import UTC, datetime, timedelta

import pytest

from sensors.edge.consent.telephony import Telephony
from sensors.messages import ContextMessage, ContextState

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
CALL = ContextMessage(at=NOW, state=ContextState.ON_CALL)
OVER = ContextMessage(at=NOW, state=ContextState.READY)


def test_a_call_is_believed_for_four_hours_and_then_it_is_over_once():
    telephony = Telephony()
    assert telephony.hear(CALL, NOW) == CALL
    assert telephony.step(NOW + 3.9 * HOUR) is None
    assert telephony.step(NOW + 4 * HOUR) == OVER
    assert telephony.step(NOW + 5 * HOUR) is None


def test_what_a_broker_retained_from_yesterday_is_no_call():
    assert Telephony().hear(CALL, NOW + 20 * HOUR) == OVER


def test_a_sender_whose_clock_runs_ahead_is_believed_no_longer():
    telephony = Telephony()
    assert telephony.hear(CALL, NOW - 9 * HOUR) == CALL
    assert telephony.step(NOW - 5 * HOUR) == OVER


def test_telephony_that_goes_on_speaking_is_believed_anew():
    telephony = Telephony()
    telephony.hear(CALL, NOW)
    again = ContextMessage(at=NOW + 3 * HOUR, state=ContextState.ON_CALL)
    assert telephony.hear(again, NOW + 3 * HOUR) == again
    assert telephony.step(NOW + 6 * HOUR) is None


@pytest.mark.parametrize("state", [s for s in ContextState if s is not ContextState.ON_CALL])
def test_every_other_state_lasts(state):
    telephony = Telephony()
    telephony.hear(CALL, NOW)
    said = ContextMessage(at=NOW, state=state)
    assert telephony.hear(said, NOW + 30 * HOUR) == said
    assert telephony.step(NOW + 60 * HOUR) is None
