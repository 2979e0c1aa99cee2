"""Every feature, its quality and its source against the slow oracle, however windows arrive."""

from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from analytics.signals.features import FEATURES
from analytics.signals.windows import FeatureWindows
from sensors.messages import Heart, Keyboard, Modules, Pointer, ReadingMessage, Voice
from tests.analytics.features_by_hand import ByHand

_START = datetime(2026, 3, 2, 9, 0, 3, tzinfo=UTC)
_NAMES = [feature.name for feature in FEATURES]


class Person:
    """Windows of one agent with one or two edges, as awkward as asked for."""

    def __init__(self, random, awkward):
        self.random, self.awkward = random, awkward
        self.rr_ms = random.uniform(450, 1100)
        self.device = Random(self.rr_ms)
        self.stuck = self.device.random() < 0.5 * awkward
        self.beat_s, self.eda_us, self.temp_c = 0.0, 2.0, 33.0

    def _maybe(self, value, chance=0.1):
        return None if self.random.random() < chance * self.awkward else value

    def _heart(self, end_s):
        random, beats = self.random, []
        while self.beat_s < end_s - 1.0:
            rr = self.rr_ms * random.uniform(0.93, 1.07)
            if random.random() < 0.04 * self.awkward:
                rr *= random.choice((0.5, 1.8, 3.0))
            self.beat_s += rr / 1000
            if random.random() > 0.04 * self.awkward:
                beats.append((self.beat_s, min(rr, 3000)))
        return Heart(
            quality=self._quality(),
            hr_bpm=self._maybe(60_000 / self.rr_ms + self._breath()),
            rr_ms=tuple(rr for _, rr in beats),
            beat_offset_ms=tuple((t - end_s) * 1000 for t, _ in beats),
        )

    def _breath(self):
        return 0.0 if self.stuck else self.device.choice((0.0, 0.3))

    def _quality(self):
        return self.random.choice((0.0, 0.5, 0.8)) if self.awkward > 0.5 else 1.0

    def _modules(self):
        random = self.random
        self.eda_us = max(0.01, self.eda_us + random.choice((-0.06, 0.0, 0.01, 0.09)))
        self.temp_c += random.uniform(-0.05, 0.04)
        values = {
            "eda_us": self._maybe(round(self.eda_us, 3)),
            "skin_temp_c": self._maybe(self.temp_c),
            "acc_rms_g": self._maybe(random.choice((0.01, 0.02, 0.3))),
        }
        return {name: value for name, value in values.items() if value is not None}

    def window(self, k, source):
        random, speaks = self.random, self.random.random() < 0.5
        typed = random.choice((0, 3, 12))
        broken = self.awkward and random.random() < 0.15
        if broken:
            typed = random.choice((12, 30, 75, 76, 150))
        sections = {
            "heart": self._heart(5.0 * k),
            "keyboard": Keyboard(
                quality=self._quality(), key_presses=typed,
                key_corrections=random.choice((typed, 1)) if broken else min(typed, 1), key_pauses=typed // 4,
                dwell_ms=self._maybe(random.choice((90, 4500)) if broken else random.uniform(60, 140))
                if typed else None,
                flight_ms=random.uniform(-50, 200) if typed else None,
            ),
            "pointer": Pointer(
                quality=self._quality(),
                pointer_speed_px_s=self._maybe(random.uniform(10, 45_000 if broken else 2000), 0.5),
                pointer_clicks=random.choice((4, 75, 76)) if broken else random.choice((0, 1, 4)),
            ),
            "voice": Voice(
                quality=self._quality(), f0_hz=self._maybe(random.uniform(90, 250)),
                loudness_db=random.uniform(-10, 0) if broken else -30.0 + random.random(), speech_rate_hz=4.0, jitter_local=self._maybe(0.01),
                pause_ratio=random.random(),
            ) if speaks else Voice(quality=0.0, speech_ratio=0.0),
            "modules": Modules(quality=self._quality(), values=self._modules()),
        }  # fmt: skip
        return ReadingMessage(
            source=source, run="abcdefgh", seq=k, window_end_at=_START + timedelta(seconds=5 * k),
            **{c: s for c, s in sections.items() if random.random() > 0.3 * self.awkward},
        )  # fmt: skip

    def arrivals(self, count):
        """Return windows in order of arrival: gaps, two edges, late ones, told twice."""
        random, k, found = self.random, 0, []
        while len(found) < count:
            k += 1
            if random.random() < 0.03 * self.awkward:
                k += random.choice((2, 5, 14, 70))
            source = "desk" if random.random() > 0.4 * self.awkward or k % 40 < 20 else "cloud"
            found.append(self.window(k, source))
            if random.random() < 0.2 * self.awkward:
                found.append(self.window(k, "cloud"))
        for i in range(1, len(found)):
            if random.random() < 0.1 * self.awkward:
                late = found.pop(i)
                found.insert(min(len(found), i + random.choice((1, 3, 20))), late)
        return found[:count]


def agree(batch, row, expected, moves, sources):
    values = [expected[name][0] for name in _NAMES]
    quality = [expected[name][1] for name in _NAMES]
    np.testing.assert_allclose(batch.values[row], values, rtol=2e-4, atol=1e-4)
    np.testing.assert_allclose(batch.quality[row], quality, rtol=1e-4, atol=1e-6)
    assert batch.moving[row] == moves
    assert batch.source[row].tolist() == sources


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([9, 40, 150]))
# A seed does not shrink, and the shortest failing run is found by drawing few windows.
@settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_features_are_those_of_the_oracle_at_every_window(seed, awkward, count):
    random = Random(seed)
    people = [Person(random, awkward) for _ in range(3)]
    lists = [person.arrivals(count) for person in people]
    by_hand = [ByHand() for _ in people]
    windows = FeatureWindows()
    windows.ensure(len(people))
    for _ in range(count):
        rows = np.array(random.sample(range(3), random.randint(1, 3)), dtype=np.intp)
        messages = [lists[row].pop(0) for row in rows]
        if random.random() < 0.1:
            windows = FeatureWindows.from_arrays(windows.to_arrays())
        kept = rows.copy(), list(messages)
        batch = windows.extract(rows, messages)
        assert (rows == kept[0]).all()
        assert messages == kept[1]
        for place, row in enumerate(rows):
            expected, moves = by_hand[row].take(messages[place])
            agree(batch, place, expected, moves, by_hand[row].sources)


@pytest.fixture(scope="module")
def worn():
    """Return the last batch of somebody who wears everything, and what the oracle says."""
    person, by_hand, windows = Person(Random(7), 0.0), ByHand(), FeatureWindows()
    windows.ensure(1)
    for message in person.arrivals(70):
        batch = windows.extract(np.zeros(1, np.intp), [message])
        expected, moves = by_hand.take(message)
    return batch, expected, moves, by_hand.sources


def test_everything_is_known_of_somebody_who_wears_everything(worn):
    _, expected, _, _ = worn
    assert all(np.isfinite(value) for value, _ in expected.values())
    assert all(quality > 0.5 for _, quality in expected.values())


@pytest.mark.parametrize("feature", _NAMES)
def test_the_comparison_would_see_a_wrong_feature(worn, feature):
    batch, expected, moves, sources = worn
    agree(batch, 0, expected, moves, sources)
    value, quality = expected[feature]
    for wrong in ((value * 1.01 + 0.001, quality), (value, quality * 0.99)):
        with pytest.raises(AssertionError):
            agree(batch, 0, {**expected, feature: wrong}, moves, sources)
