"""The state of the windows: batches, order of rows, restarts, memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analytics.scoring.floor import Floor
from analytics.signals.features import FEATURES
from analytics.signals.windows import FeatureWindows
from sensors.signals import Channel
from tests.analytics.made_windows import ALL, ROW, fed, window
from tests.analytics.synthetic_floor import teams


def marred(message, agent):
    """Return the window with beats missed or made up, of each agent at other times."""
    heart = message.heart
    if heart is None or message.seq % 4 != agent % 4:
        return message
    rr = [(2.0, 0.5, 3.0)[agent % 3] * heart.rr_ms[0], *heart.rr_ms[1:]]
    return replace(message, heart=replace(heart, rr_ms=tuple(rr)))


def test_a_batch_equals_one_by_one_and_inputs_stay_untouched():
    agents = 7
    together = FeatureWindows()
    together.ensure(agents)
    alone = [FeatureWindows() for _ in range(agents)]
    rows = np.arange(agents, dtype=np.intp)
    kept = rows.copy()
    for k in range(15):
        messages = [marred(window(k, seed=a, channels=ALL[: a % 6]), a) for a in range(agents)]
        batch = together.extract(rows, messages)
        for a, one in enumerate(alone):
            one.ensure(1)
            single = one.extract(ROW, [messages[a]])
            assert np.array_equal(single.values[0], batch.values[a], equal_nan=True)
            assert np.array_equal(single.quality[0], batch.quality[a])
    shared = together.to_arrays()
    for a, one in enumerate(alone):
        assert all(v.tobytes() == shared[n][a].tobytes() for n, v in one.to_arrays().items())
    assert np.array_equal(rows, kept)


def test_whoever_else_is_in_the_batch_changes_no_bit():
    agents, heart = 60, (Channel.HEART,)
    rows = np.arange(agents)
    together = FeatureWindows()
    together.ensure(agents)
    for k in range(15):
        # each has its own number of beats, and artefacts at its own times
        messages = [
            marred(window(k, seed=a, channels=heart, rr_ms=600.0 + 5.0 * a), a)
            for a in range(agents)
        ]
        alone = FeatureWindows.from_arrays(together.to_arrays())
        batch = together.extract(rows, messages)
    for a in range(agents):
        single = alone.extract(rows[a : a + 1], messages[a : a + 1])
        assert single.values.tobytes() == batch.values[a : a + 1].tobytes()
    kept = alone.to_arrays()
    assert all(v.tobytes() == kept[n].tobytes() for n, v in together.to_arrays().items())


def test_rows_may_come_in_any_order():
    forward, backward = FeatureWindows(), FeatureWindows()
    forward.ensure(3)
    backward.ensure(3)
    for k in range(14):
        messages = [window(k, seed=a) for a in range(3)]
        a = forward.extract(np.arange(3), messages)
        b = backward.extract(np.array([2, 0, 1]), [messages[2], messages[0], messages[1]])
    assert np.array_equal(a.values[[2, 0, 1]], b.values, equal_nan=True)


def test_a_restart_goes_on_bit_for_bit():
    windows, _ = fed(marred(window(k, seed=8), 0) for k in range(20))
    twin = FeatureWindows.from_arrays(windows.to_arrays())
    for k in range(20, 40):
        one = windows.extract(ROW, [marred(window(k, seed=8), 0)])
        two = twin.extract(ROW, [marred(window(k, seed=8), 0)])
        assert one.values.tobytes() == two.values.tobytes()
    assert {n: a.tobytes() for n, a in windows.to_arrays().items()} == {
        n: a.tobytes() for n, a in twin.to_arrays().items()
    }


def test_a_snapshot_from_before_these_rings_starts_afresh():
    floor = Floor(teams(1))
    floor.row("k0")
    arrays = floor.to_arrays()
    before = {n: a for n, a in arrays.items() if not n.startswith("windows.")}
    before["windows.raw"] = np.zeros((1, 16, 15), np.float32)
    twin = Floor(teams(1))
    twin.restore(before, ["k0"], list(twin.team_names), "the version before")
    kept = twin.to_arrays()
    assert {n: a.shape for n, a in kept.items()} == {n: a.shape for n, a in arrays.items()}


def test_memory_is_bounded_and_growing_keeps_what_is_known():
    windows, _ = fed(window(k) for k in range(13))
    before = sum(a.nbytes for a in windows.to_arrays().values())
    for k in range(13, 300):
        windows.extract(ROW, [window(k)])
    assert sum(a.nbytes for a in windows.to_arrays().values()) == before
    kept = windows.to_arrays()
    windows.ensure(50)
    assert all(np.array_equal(windows.to_arrays()[n][:1], kept[n], equal_nan=True) for n in kept)
    windows.ensure(2)
    assert len(windows.to_arrays()["head"]) == 50


def test_nothing_to_do_is_done():
    windows = FeatureWindows()
    windows.ensure(3)
    batch = windows.extract(np.empty(0, dtype=np.intp), [])
    assert batch.values.shape == (0, len(FEATURES))
