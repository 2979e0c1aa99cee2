"""What telephony said is believed for hours, not for ever."""

from datetime import timedelta

import pytest

from analytics.pipeline.pipeline import Pipeline
from analytics.signals.contexts import BELIEVED, Contexts
from analytics.store.points import Measurement
from sensors.messages import ContextMessage, ContextState
from tests.analytics.synthetic_floor import SITE, START, Floor, Person, teams

LAST = timedelta(seconds=5)


def on_call(at=START):
    return ContextMessage(at=at, state=ContextState.ON_CALL)


def test_a_call_of_which_telephony_says_no_more_ends_after_hours():
    f = Floor([Person("k0")], Pipeline(SITE, teams(1)))
    f.say("k0", on_call())
    f.t_s = BELIEVED.total_seconds() - 10
    f.run(5)
    assert f.of(Measurement.SCORE)[-1].fields["context"] == "on_call"
    f.run(5)
    assert "context" not in f.of(Measurement.SCORE)[-1].fields


def test_what_is_said_again_is_believed_anew():
    contexts = Contexts()
    contexts.hear("k0", on_call(), START)
    contexts.hear("k0", on_call(START + LAST), START + LAST)
    contexts.step(START + BELIEVED)
    assert contexts.states == {"k0": ContextState.ON_CALL}
    contexts.step(START + BELIEVED + LAST)
    assert contexts.states == {}


def test_what_a_broker_kept_from_yesterday_is_not_believed():
    contexts, now = Contexts(), START + timedelta(days=1)
    contexts.hear("k0", on_call(), now)
    contexts.step(now)
    assert contexts.states == {}


def test_a_clock_that_runs_ahead_is_believed_no_longer():
    contexts = Contexts()
    contexts.hear("k0", on_call(START + timedelta(days=3)), START)
    contexts.step(START + BELIEVED)
    assert contexts.states == {}


@pytest.mark.parametrize("left_s", [5.0, 0.0])
def test_a_restart_forgets_neither_what_was_said_nor_when(left_s):
    pipeline = Pipeline(SITE, teams(1))
    f = Floor([Person("k0")], pipeline)
    f.say("k0", on_call())
    again = Pipeline(SITE, teams(1))
    again.restore(pipeline.snapshot())
    assert again.snapshot() == pipeline.snapshot()
    f.pipeline = again
    f.t_s = BELIEVED.total_seconds() - left_s - 5.0
    f.run(5)
    assert ("context" in f.of(Measurement.SCORE)[-1].fields) == (left_s > 0)


def test_of_a_snapshot_from_before_there_were_times_nothing_is_known():
    contexts = Contexts()
    contexts.restore({"k0": "on_call"})
    assert contexts.states == {}
