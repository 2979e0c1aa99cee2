"""Short versions of two benchmarks: no fault is an alert, and no episode is two."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks import _faults, one_episode, technical_faults
from benchmarks.technical_faults import Injected, Shown, Size, Tally
from sensors.messages import AlertKind, AlertMessage, AlertState


def test_hundreds_of_technical_faults_raise_no_wellbeing_alert() -> None:
    tally: Tally = technical_faults.count(150, Size(5, 3, 0.6), every_s=200.0)
    assert sum(tally.injected.values()) >= 150
    assert len(tally.injected) >= len(_faults.FAULTS) - 2
    assert tally.raised == Counter()


def test_every_fault_changes_what_is_heard_and_says_so() -> None:
    messages = technical_faults.calm(0, "a0", 0.2)
    rng = np.random.default_rng(5)
    right = _faults.told(messages)
    for fault in _faults.FAULTS:
        assert any(fault(messages[20:60], rng) != right[20:60] for _ in range(5)), fault.__name__


def test_an_alert_is_blamed_on_the_fault_before_it() -> None:
    def shown(at_s: float, agent: str) -> Shown:
        message = AlertMessage(
            alert_id="0" * 16,
            kind=AlertKind.PERSONAL,
            state=AlertState.FIRING,
            team="t",
            agent=agent,
            started_at=technical_faults.START,
        )
        return Shown(at_s, message)

    faults = [Injected("a", "stale", 100, 150), Injected("b", "spikes", 180, 200)]
    faulty = [shown(190.0, "a"), shown(2000.0, "b"), shown(50.0, "a")]
    assert technical_faults.blame(faulty, [], faults) == ["stale", "spikes", "none before"]
    assert technical_faults.blame(faulty, [shown(1990.0, "b")], faults) == ["stale", "none before"]


def test_an_episode_is_one_alert_whatever_happens_in_between() -> None:
    tally = one_episode.count(20, n_agents=20, n_slots=2)
    assert tally.episodes >= 40
    assert tally.twice == 0
    assert tally.bare_twice > 0, "the same evidence crosses a bare threshold again and again"


@pytest.mark.parametrize("name", one_episode._WILL)
def test_everything_that_could_make_two_of_one_happens(name: str) -> None:
    rng = np.random.default_rng(1)
    assert any(name in one_episode.draw(k, rng).what for k in range(20))
