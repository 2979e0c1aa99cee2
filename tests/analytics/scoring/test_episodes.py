"""One episode is one alert: delays, hysteresis, gaps, spent episodes, restarts."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.scoring.episodes import (
    LONGEST_EPISODE_S,
    ON_DELAY_S,
    REFRACTORY_S,
    Episodes,
    threshold_for,
)

_ROW = np.zeros(1, dtype=np.intp)
_LIVE = np.ones(1, dtype=bool)


def run(evidence, *, threshold=1.0, step_s=5.0, live=None):
    """Return what each step of one agent found, with its time."""
    episodes = Episodes()
    episodes.ensure(1)
    out = []
    for k, value in enumerate(evidence):
        at_s = np.array([1000.0 + step_s * k])
        now = _LIVE if live is None else np.array([live[k]])
        found = episodes.step(_ROW, at_s, np.array([float(value)]), threshold, now)
        out.append((float(at_s[0]), found))
    return out


def begins(evidence, **how):
    return [at_s for at_s, found in run(evidence, **how) if found.began[0]]


def ends(evidence, **how):
    return [at_s for at_s, found in run(evidence, **how) if found.ended[0]]


def test_it_begins_after_thirty_seconds_and_says_when_it_started():
    found = run([0, 0, *[2] * 20])
    began = [(at_s, f.started_at_s[0]) for at_s, f in found if f.began[0]]
    assert began == [(1010 + ON_DELAY_S, 1010.0)]
    assert [bool(f.pending[0]) for _, f in found[:9]] == [False] * 2 + [True] * 6 + [False]
    assert all(f.active[0] for _, f in found[8:])


def test_a_short_rise_is_nothing():
    assert begins([0, *[2] * 6, 0, 0, *[2] * 6, 0]) == []


def test_noise_at_the_line_is_one_episode():
    evidence = [2] * 8 + [0.9, 1.1] * 50
    assert len(begins(evidence)) == 1
    assert ends(evidence) == []


def test_it_ends_once_after_thirty_calm_seconds():
    evidence = [2] * 10 + [0] * 20
    assert ends(evidence) == [1000 + 50 + 30]
    assert len(begins(evidence)) == 1


def test_the_next_begins_only_after_the_refractory_time():
    evidence = [2] * 7 + [0] * 7 + [2] * 40
    first, second = begins(evidence)
    assert second - first == REFRACTORY_S


def test_unknown_neither_starts_nor_keeps_anything():
    nan = float("nan")
    assert begins([2, 2, 2, nan, 2, 2, 2, nan] * 5) == []
    evidence = [2] * 10 + [nan] * 10
    assert len(ends(evidence)) == 1


def test_learning_late_or_off_shift_cannot_begin():
    assert begins([2] * 30, live=[False] * 30) == []
    assert begins([2] * 30, live=[True] * 4 + [False] * 10 + [True] * 16) == [1000 + 14 * 5 + 30]


def test_a_silence_breaks_the_run_and_a_second_source_changes_nothing():
    assert begins([2] * 4, step_s=60.0) == []
    episodes = Episodes()
    episodes.ensure(1)
    began = 0
    for k in range(10):
        for value in (2.0, 2.0):
            found = episodes.step(_ROW, np.array([5.0 * k]), np.array([value]), 1.0, _LIVE)
            began += int(found.began[0])
    assert began == 1


def test_an_episode_of_an_agent_with_two_sources_ends_like_any_other():
    evidence = [2.0] * 10 + [0.0] * 20
    alone = [at_s for at_s, found in run(evidence) if found.ended[0]]
    episodes = Episodes()
    episodes.ensure(1)
    ended = []
    for k, value in enumerate(evidence):
        at_s = np.array([1000.0 + 5.0 * k])
        for _source in range(2):
            found = episodes.step(_ROW, at_s, np.array([value]), 1.0, _LIVE)
            ended += [float(at_s[0])] * int(found.ended[0])
    assert ended == alone == [1000 + 50 + 30]


def test_what_lasts_for_ever_is_spent_and_can_come_again_after_a_calm():
    steps = int(LONGEST_EPISODE_S / 5) + 50
    evidence = [2] * (2 * steps) + [0] * 10 + [2] * 10
    assert len(ends(evidence)) == 1
    first, second = begins(evidence)
    assert second > first + 2 * LONGEST_EPISODE_S


def test_what_falls_well_below_its_highest_teaches_again():
    episodes = Episodes()
    episodes.ensure(1)
    held = []
    for k, value in enumerate([0, *[5] * 8, 10, 7.1, 6.9, 6.9, 8, np.nan, 11, 7.6, *[0] * 8]):
        at_s, evidence = np.array([1000.0 + 5 * k]), np.array([float(value)])
        episodes.step(_ROW, at_s, evidence, 1.0, _LIVE)
        held.append(bool(episodes.firing(_ROW)[0]))
    began = 7
    assert held[: began + 4] == [False] * began + [True] * 4
    assert held[began + 4 : began + 10] == [False, False, True, True, True, False]
    assert not any(held[began + 10 :]), "nor does it once it is over"


def test_an_older_window_does_not_say_whether_it_recovers():
    episodes = Episodes()
    episodes.ensure(1)
    for k in range(10):
        episodes.step(_ROW, np.array([1000.0 + 5 * k]), np.array([10.0]), 1.0, _LIVE)
    for at_s, evidence in ((1045.0, 2.0), (1000.0, 50.0)):
        episodes.step(_ROW, np.array([at_s]), np.array([evidence]), 1.0, _LIVE)
        assert episodes.firing(_ROW)[0]
    episodes.step(_ROW, np.array([1050.0]), np.array([9.0]), 1.0, _LIVE)
    assert episodes.firing(_ROW)[0], "50 was never its highest"


def test_every_began_has_one_ended_and_agents_do_not_mix():
    rng = np.random.default_rng(11)
    n = 40
    together = Episodes()
    together.ensure(n)
    alone = [Episodes() for _ in range(n)]
    for one in alone:
        one.ensure(1)
    level = np.zeros(n)
    open_episodes = np.zeros(n, int)
    for k in range(600):
        level += 0.3 * (1.0 - level) + rng.normal(0, 0.6, n)
        at_s = np.full(n, 5.0 * k)
        found = together.step(np.arange(n), at_s, np.maximum(level, 0), 1.3, np.ones(n, bool))
        for a, one in enumerate(alone):
            single = one.step(_ROW, at_s[:1], np.maximum(level[a : a + 1], 0), 1.3, _LIVE)
            assert bool(single.began[0]) == bool(found.began[a])
        open_episodes += found.began.astype(int) - found.ended.astype(int)
        assert ((open_episodes == 0) | (open_episodes == 1)).all()
        assert np.array_equal(found.active, open_episodes == 1)
        assert np.array_equal(together.active(np.arange(n)), found.active)


def test_a_restart_goes_on_bit_for_bit():
    rng = np.random.default_rng(12)
    one = Episodes()
    one.ensure(4)
    rows, live = np.arange(4), np.ones(4, bool)
    for k in range(100):
        one.step(rows, np.full(4, 5.0 * k), rng.uniform(0, 2.5, 4), 1.0, live)
    two = Episodes.from_arrays(one.to_arrays())
    for k in range(100, 200):
        evidence = rng.uniform(0, 2.5, 4)
        a = one.step(rows, np.full(4, 5.0 * k), evidence, 1.0, live)
        b = two.step(rows, np.full(4, 5.0 * k), evidence, 1.0, live)
        assert a.began.tobytes() == b.began.tobytes()
    assert {n: a.tobytes() for n, a in one.to_arrays().items()} == {
        n: a.tobytes() for n, a in two.to_arrays().items()
    }


def test_bigger_teams_get_a_stricter_test():
    thresholds = [threshold_for(size) for size in (1, 5, 10, 20, 50, 200)]
    assert thresholds == sorted(thresholds)
    assert thresholds[-1] > thresholds[0]
    with pytest.raises(ValueError, match="team_size is 0"):
        threshold_for(0)
