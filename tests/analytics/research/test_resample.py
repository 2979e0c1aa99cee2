"""Figures of beats: unknown where there are too few, and of the source that heard most."""

from datetime import timedelta

import numpy as np
import pytest

from analytics.research.resample import beat_figures, fullest, grid_ns, onto_grid
from analytics.research.table import Tidy, empty, words
from sensors.errors import ConfigurationError

FIVE_MIN_NS = 300_000_000_000


def beats(n: int, rr_ms: float = 800.0, spread_ms: float = 20.0, begin_ns: int = 0) -> Tidy:
    rng = np.random.default_rng(n)
    rr = rr_ms + spread_ms * rng.standard_normal(n)
    at_ns = begin_ns + np.cumsum(rr * 1e6).astype(np.int64)
    return Tidy(
        agent=words("p", n), at_ns=at_ns, offset_min=np.zeros(n), signal=words("rr_ms", n),
        value=rr, n=np.ones(n, np.int64), quality=np.ones(n), context=words("ready", n),
    )  # fmt: skip


@pytest.mark.parametrize(("n", "found"), [(0, 0), (1, 0), (20, 0), (21, 1), (300, 1)])
def test_too_few_beats_have_no_figure(n, found):
    made = beat_figures(beats(n), ("rmssd_ms", "sdnn_ms"), FIVE_MIN_NS)
    assert len(made) == 2 * found
    assert np.isfinite(made.value).all()


def test_each_stretch_has_its_own_figure_and_says_how_full_it_is():
    both = [beats(300, spread_ms=10), beats(150, spread_ms=60, begin_ns=FIVE_MIN_NS)]
    whole = Tidy(*(np.concatenate([getattr(p, f) for p in both]) for f in Tidy.__slots__))
    made = beat_figures(whole, ("rmssd_ms",), FIVE_MIN_NS)
    assert made.at_ns.tolist() == [0, FIVE_MIN_NS]
    assert made.value == pytest.approx([10 * 2**0.5, 60 * 2**0.5], rel=0.2)
    assert made.quality == pytest.approx([0.8, 0.4], abs=0.02)
    assert made.n == pytest.approx([300, 150], abs=3)


def test_of_two_sources_the_one_that_heard_more_counts():
    little, much = beats(60, rr_ms=900), beats(300, rr_ms=700)
    parts = [beat_figures(part, ("mean_rr_ms", "pnn50"), FIVE_MIN_NS) for part in (little, much)]
    for order in (parts, parts[::-1]):
        made = fullest(order)
        assert made.signal.tolist() == ["mean_rr_ms", "pnn50"]
        assert made.value[0] == pytest.approx(700, rel=0.01)
    assert len(fullest([])) == 0


def test_what_is_unknown_is_no_zero_on_a_grid():
    table = beats(10)
    table.quality[:] = np.nan
    table.context[:] = None
    made = onto_grid(table, FIVE_MIN_NS)
    assert np.isnan(made.quality).all()
    assert made.context.tolist() == [None]
    assert len(onto_grid(empty(), FIVE_MIN_NS)) == 0


def test_a_grid_divides_a_day():
    assert grid_ns(timedelta(minutes=5)) == FIVE_MIN_NS
    for wrong in (timedelta(0), timedelta(minutes=7), timedelta(days=2), timedelta(milliseconds=1)):
        with pytest.raises(ConfigurationError, match="divides a day"):
            grid_ns(wrong)
