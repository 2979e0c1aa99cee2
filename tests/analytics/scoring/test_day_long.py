"""A change that lasts all day reaches nobody; a sudden one on top is found (TRUST A5)."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.scoring.detector import Detector
from analytics.scoring.episodes import Episodes, threshold_for
from analytics.signals.features import FEATURE_INDEX, FEATURES
from analytics.signals.windows import CONTEXTS, FeatureBatch
from sensors.messages import ContextState
from sensors.signals import Channel

_N = 16
_ROWS = np.arange(_N)
_SHIFT = 3 * 720
_NIGHT_S = 20 * 3600.0
_IN_CALL = CONTEXTS.index(ContextState.ON_CALL)
# Level, and how far it wanders, of what is scored here.
_SIGNALS = {"heart_rate_bpm": (72.0, 2.5), "log_eda": (1.0, 0.12), "f0_st": (8.0, 0.4)}


class Floor:
    """Calm agents whose signals wander slowly, shift after shift."""

    def __init__(self, seed=1):
        self.rng = np.random.default_rng(seed)
        self.detector, self.episodes = Detector(), Episodes()
        for part in (self.detector, self.episodes):
            part.ensure(_N)
        self.at_s = 1_000_000.0
        self.wander = {name: self.rng.normal(size=_N) for name in _SIGNALS}
        self.threshold = threshold_for(1)  # the most sensitive there is

    def work(self, windows, *, offset=None, in_call=None, source=0):
        """Return how many episodes began; `offset` is added, in units of each signal."""
        began, keep = 0, np.exp(-5 / 120)
        for k in range(windows):
            self.at_s += 5.0
            values = np.full((_N, len(FEATURES)), np.nan)
            for name, (level, size) in _SIGNALS.items():
                kick = np.sqrt(1 - keep**2) * self.rng.normal(size=_N)
                self.wander[name] = keep * self.wander[name] + kick
                values[:, FEATURE_INDEX[name]] = level + size * self.wander[name]
                if offset is not None:
                    values[:, FEATURE_INDEX[name]] += offset.get(name, 0.0)
            talking = in_call is not None and in_call(k)
            if talking:
                values[:, FEATURE_INDEX["heart_rate_bpm"]] += 8.0
                values[:, FEATURE_INDEX["log_eda"]] += 0.15
            batch = FeatureBatch(
                at_s=np.full(_N, self.at_s),
                values=values,
                quality=np.isfinite(values).astype(float),
                moving=np.zeros(_N, bool),
                context=np.full(_N, _IN_CALL if talking else 0, np.int8),
                source=np.full((_N, len(Channel)), source, np.int64),
            )
            learn = ~self.episodes.firing(_ROWS)
            scores = self.detector.step(_ROWS, batch, learn=learn)
            found = self.episodes.step(
                _ROWS, batch.at_s, scores.evidence, self.threshold, ~scores.learning
            )
            began += int(found.began.sum())
        return began

    def sleep(self):
        self.at_s += _NIGHT_S


_COLD = {"heart_rate_bpm": 14.0, "log_eda": 0.5, "f0_st": -3.0}


@pytest.fixture(scope="module")
def seasoned():
    floor = Floor()
    for _ in range(2):
        floor.work(_SHIFT)
        floor.sleep()
    return floor.detector.to_arrays(), floor.at_s


def _again(seasoned, seed):
    floor = Floor(seed)
    floor.detector, floor.at_s = Detector.from_arrays(seasoned[0]), seasoned[1]
    return floor


def test_a_level_other_since_the_morning_alerts_no_more_than_any_day(seasoned):
    usual = _again(seasoned, 7).work(_SHIFT)
    ill = _again(seasoned, 7).work(_SHIFT, offset=_COLD)
    assert ill <= usual + 2


def test_a_sudden_change_on_top_of_it_is_found(seasoned):
    floor = _again(seasoned, 8)
    floor.work(2 * 720, offset=_COLD)
    sudden = {name: _COLD[name] + 3.5 * size for name, (_, size) in _SIGNALS.items()}
    assert floor.work(96, offset=sudden) >= 0.8 * _N


def test_what_begins_in_mid_shift_and_is_said_to_be_todays_is_followed(seasoned):
    told, silent = _again(seasoned, 9), _again(seasoned, 9)
    for floor in (told, silent):
        floor.work(720)
    told.detector.reopen(_ROWS)
    began = [floor.work(240, offset=_COLD) for floor in (told, silent)]
    assert began[1] >= 0.8 * _N
    assert began[0] <= 0.1 * _N


def test_a_new_edge_puts_its_channels_back_to_learning_and_alerts_nobody(seasoned):
    floor = _again(seasoned, 10)
    floor.work(720, source=1)
    assert floor.work(240, source=2, offset=_COLD) <= 0.1 * _N


def test_calls_are_compared_with_calls():
    def calling(k):
        return k % 60 < 40

    floor = Floor(11)
    floor.work(_SHIFT, in_call=calling)
    floor.sleep()
    second = floor.work(_SHIFT, in_call=calling)
    quiet = Floor(11)
    for _ in range(2):
        usual = quiet.work(_SHIFT)
        quiet.sleep()
    assert second <= usual + 2
