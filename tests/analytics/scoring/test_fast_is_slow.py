"""What is fast gives what is slow and obvious, bit for bit: shares of a floor, sums of parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.scoring import detector, fusion
from analytics.scoring.detector import Detector
from analytics.signals.features import FEATURES, PARTS
from analytics.signals.windows import FeatureBatch


def _rounds(n: int, count: int) -> list[FeatureBatch]:
    """Return restless windows with gaps, calls and movement."""
    rng = np.random.default_rng(n)
    made = []
    for k in range(1, count + 1):
        values = rng.normal(10.0, 1.0, (n, len(FEATURES)))
        values[rng.uniform(size=values.shape) < 0.2] = np.nan
        made.append(
            FeatureBatch(
                at_s=np.full(n, 5.0 * k),
                values=values,
                quality=np.where(np.isfinite(values), rng.uniform(0.4, 1.0, values.shape), 0.0),
                moving=rng.uniform(size=n) < 0.1,
                context=rng.integers(0, 3, n).astype(np.int8),
            )
        )
    return made


@pytest.mark.parametrize("share", [1, 7, 8, 22, 23])
@pytest.mark.parametrize("in_one_span", [True, False])
def test_shares_of_the_floor_change_nothing(
    monkeypatch: pytest.MonkeyPatch, share: int, in_one_span: bool
) -> None:
    n = 23
    rows = np.arange(n, dtype=np.intp) if in_one_span else np.arange(0, 2 * n, 2, dtype=np.intp)
    whole, shared = Detector(), Detector()
    for one in (whole, shared):
        one.ensure(2 * n)
    learn = np.arange(n) % 5 > 0
    for batch in _rounds(n, 30):
        expected = whole.step(rows, batch, learn=learn)
        with monkeypatch.context() as patch:
            patch.setattr(detector, "_CHUNK", share)
            found = shared.step(rows, batch, learn=learn)
        for name in ("score", "evidence", "learning", "quality", "part_level", "young"):
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name
        assert np.array_equal(found.part_contribution, expected.part_contribution, equal_nan=True)
    assert (whole.to_arrays()["seconds"] > 0).any()
    for name, array in whole.to_arrays().items():
        assert shared.to_arrays()[name].tobytes() == array.tobytes(), name


def test_nobody_is_no_share() -> None:
    nobody = np.zeros(0, np.intp)
    found = Detector().step(nobody, _rounds(1, 1)[0].take(nobody), learn=np.zeros(0, bool))
    assert len(found.score) == 0


@given(st.integers(1, 40), st.integers(0, 1000))
def test_parts_are_sums_of_their_features(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = len(fusion.PART_OF), n
    squashed = rng.uniform(-2, 2, shape).astype(np.float32)
    weight = (rng.uniform(0, 1, shape) * (rng.uniform(size=shape) < 0.6)).astype(np.float32)
    parts, certainty = fusion.parts_of(squashed, weight)
    heaviest = {p: max(f.weight for f in FEATURES if f.part is p) for p in PARTS}
    for row, part in enumerate(PARTS):
        for agent in range(n):
            total = square = best = np.float32(0.0)
            for feature, of in enumerate(fusion.PART_OF):
                if of is part:
                    w = weight[feature, agent]
                    total += w * squashed[feature, agent]
                    square += w * w
                    best = max(best, w)
            expected = total / np.sqrt(square) if square else np.float32(0.0)
            assert parts[row, agent] == expected
            assert not np.signbit(parts[row, agent]) or parts[row, agent] < 0
            assert certainty[row, agent] == best / np.float32(heaviest[part])
