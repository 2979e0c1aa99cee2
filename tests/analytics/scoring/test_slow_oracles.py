"""Evidence and electrode against one agent at a time in plain arithmetic, as the page defines them."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from analytics.scoring import electrode, evidence
from analytics.scoring.baseline import LONGEST_STEP_S
from analytics.scoring.electrode import Electrode
from analytics.scoring.evidence import Evidence
from analytics.scoring.pace import Pace
from analytics.signals.features import PARTS, RESPONSE
from sensors.messages import WINDOW_S

N, ROUNDS = 30, 400
UNKNOWN = float("nan")


@dataclass
class PartSoFar:
    """One part of one agent: two averages, how sure they are, and how far the longer strays."""

    mean: tuple[float, ...] = (0.0, 0.0)
    sure: tuple[float, ...] = (0.0, 0.0)
    calm: float = 0.0
    calm_s: float = 0.0

    def own(self) -> float:
        prior_s = evidence.CALM_PRIOR_S
        return math.sqrt((self.calm_s * self.calm + prior_s) / (self.calm_s + prior_s))

    def then(self, step_s: float, value: float, certainty: float) -> PartSoFar:
        """Return what it is after one window that stands for `step_s`."""
        mean, sure = [], []
        for span_s, m, c in zip((60.0, 240.0), self.mean, self.sure, strict=True):
            stands_s = step_s if step_s <= 10.0 else WINDOW_S
            share = 1.0 - math.exp(-stands_s / span_s)
            left = c * math.exp((stands_s - step_s) / span_s)
            now = left + share * (certainty - left)
            mean.append(m + share * certainty / now * (value - m) if certainty else m)
            sure.append(now)
        new = replace(self, mean=tuple(mean), sure=tuple(sure))
        if certainty and mean[1] < 0:  # below the usual: no strain
            step_s, usual = min(step_s, 10.0), 100.0 / 340.0
            new.calm_s = self.calm_s * (1 - step_s / (8 * 3600.0)) + step_s
            strays = max(mean[1], -3.0 * math.sqrt(usual) * self.own())
            new.calm = self.calm + step_s / new.calm_s * (strays**2 / usual - self.calm)
        return new


@dataclass
class EvidenceSoFar:
    """One agent: the parts after the newest moment, and before it."""

    parts: list[PartSoFar] = field(default_factory=lambda: [PartSoFar() for _ in PARTS])
    before: list[PartSoFar] = field(default_factory=lambda: [PartSoFar() for _ in PARTS])
    times_s: tuple[float, float] = (-math.inf, -math.inf)  # of those two
    together: tuple[float, float] = (0.0, 0.0)  # what pairs said, and would say were they one
    together_before: tuple[float, float] = (0.0, 0.0)

    def tell(self, at_s: float, values: list[float], certainty: list[float]) -> float:
        newest_s, before_s = self.times_s
        if at_s < newest_s:
            return UNKNOWN
        if at_s > newest_s:
            self.before, before_s = self.parts, newest_s
            self.together_before = self.together
        self.times_s = at_s, before_s
        step_s = at_s - before_s if math.isfinite(before_s) else WINDOW_S
        own = [part.own() for part in self.before]
        told = zip(self.before, values, certainty, strict=True)
        self.parts = [part.then(step_s, value, sure) for part, value, sure in told]
        found, counted = [], self._counted()
        for span in (0, 1):
            said, shares, longer = 0.0, [], []
            for part, spread, sure, name in zip(self.parts, own, certainty, PARTS, strict=True):
                effect, chance = RESPONSE[name].effect, RESPONSE[name].chance
                c, z = part.sure[span] * (sure > 0), part.mean[span] / spread
                said += math.log(1 - chance + chance * math.exp(effect * c * z))
                shares.append(chance * effect * c**0.125)
                longer.append(max(-3.0, min(3.0, z * math.sqrt(340.0 / 100.0))))
            noise = (1 - counted) * sum(x**2 for x in shares) + counted * sum(shares) ** 2
            found.append(said / math.sqrt(noise) * math.sqrt(340.0 / 160.0) if noise else UNKNOWN)
        self._learn_together(min(step_s, 10.0), shares, longer)
        return min(found) if any(certainty) else UNKNOWN

    def falls(self, at_s: float, values: list[float], certainty: list[float]) -> list[float]:
        """Return how far what :meth:`tell` would say falls when it is not told each part."""
        whole = copy.copy(self).tell(at_s, values, certainty)
        falls = []
        for part, sure in enumerate(certainty):
            others = [0.0 if part == i else c for i, c in enumerate(certainty)]
            left = copy.copy(self).tell(at_s, values, others) if any(others) else 0.0
            falls.append(whole - left if sure and whole > 0 else UNKNOWN)
        return falls

    def _counted(self) -> float:
        slopes = [RESPONSE[name].effect * RESPONSE[name].chance for name in PARTS]
        of = sum(slopes) ** 2 - sum(x**2 for x in slopes)
        r = max(0.0, self.together_before[0] / (self.together_before[1] + 500.0 * of))
        return min(1.0, 2.0 * r) * min(1.0, 3.0 * r)

    def _learn_together(self, step_s: float, shares: list[float], longer: list[float]) -> None:
        """Learn from the longer average, cut, where all of it lies below the usual."""
        self.together = self.together_before
        said = [share * z for share, z in zip(shares, longer, strict=True)]
        squares = sum(x**2 for x in said)
        pairs = sum(shares) ** 2 - sum(x**2 for x in shares)
        if sum(said) < 0 and pairs > 1e-3:
            keep = 1.0 - step_s / (8 * 3600.0)
            most = pairs * squares / sum(x**2 for x in shares)
            found = sum(said) ** 2 - squares
            self.together = (
                keep * self.together_before[0] + step_s * found,
                keep * self.together_before[1] + step_s * most,
            )


def _moments(rng: np.random.Generator) -> list[np.ndarray]:
    """Return the times of each round: mostly the next window, at times late, again or much later."""
    newest, made = np.full(N, 1000.0), []
    for _ in range(ROUNDS):
        steps = rng.choice(
            [5.0, 7.5, 0.0, -20.0, 45.0, 900.0], N, p=[0.8, 0.05, 0.06, 0.05, 0.03, 0.01]
        )
        at_s = newest + (5.0 if rng.uniform() < 0.5 else steps)  # everybody alike, or not
        made.append(at_s)
        newest = np.maximum(newest, at_s)
    return made


def _nobody_known() -> Evidence:
    """Return the evidence of N agents before anything is known."""
    made = Evidence()
    for name in Evidence.ARRAYS:
        setattr(made, name, np.zeros((*getattr(made, name).shape[:-1], N), np.float32))
    return made


def test_evidence_and_what_it_rests_on_are_those_of_plain_arithmetic() -> None:
    rng = np.random.default_rng(3)
    fast, slow = _nobody_known(), [EvidenceSoFar() for _ in range(N)]
    last_s, before_s = np.full((2, N), -np.inf)
    needed = spared = 0
    level, worn = rng.normal(0.0, 0.7, (len(PARTS), N)), rng.uniform(size=(len(PARTS), N)) < 0.7
    for at_s in _moments(rng):
        worn ^= rng.uniform(size=worn.shape) < 0.02
        level += rng.normal(0.0, 0.1, level.shape) - 0.01 * level
        sure = (worn * rng.choice([0.05, 0.4, 1.0], worn.shape)).astype(np.float32)
        parts = (level * worn).astype(np.float32)
        told = list(zip(slow, at_s.tolist(), parts.T.tolist(), sure.T.tolist(), strict=True))
        falls = np.array([one.falls(*what) for one, *what in told]).T
        expected = [one.tell(*what) for one, *what in told]
        found = fast.gather(np.arange(N), Pace.of(at_s, last_s, before_s), parts, sure)
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)
        adds, _ = fast.rests_on(np.arange(N), sure > 0)
        ahead = np.isfinite(expected)
        np.testing.assert_allclose(adds[:, ahead], falls[:, ahead], rtol=2e-3, atol=2e-3)
        needed, spared = needed + int((adds > 0.1).sum()), spared + int((adds < -0.1).sum())
        before_s = np.where(at_s > last_s, last_s, before_s)
        last_s = np.maximum(last_s, at_s)
    assert np.ptp(fast.calm_s.max(axis=0)) > 60.0
    assert np.ptp(fast.together / (fast.together_of + 1.0)) > 0.2
    assert min(needed, spared) > 1000


@dataclass
class ElectrodeSoFar:
    """One agent's electrode."""

    skin: float = 0.0
    skin_s: float = -math.inf
    moved: float = 0.0
    unrest: float = 0.0
    jumps: float = 0.0

    def follow(self, at_s: float, skin: float, *, late: bool) -> tuple[float, bool]:
        """Return the conductance without what the electrode did, and whether to begin anew."""
        if late or math.isnan(skin):
            return skin - self.moved, False
        gap_s, fastest = at_s - self.skin_s, max(4.0 * self.unrest, 0.2)
        follows = gap_s <= LONGEST_STEP_S
        change = skin - self.skin if math.isfinite(gap_s) else 0.0
        far = follows and abs(change) > 2.0 * fastest
        self.jumps = self.jumps * math.exp(-gap_s / 60.0) + far
        loose = self.jumps >= 2.0
        if loose and far:
            self.jumps = 2.0 * math.e
        self.jumps = float(np.float32(self.jumps))  # after a minute it is 2, rounding tells
        back = not follows and (abs(change) > fastest or abs(self.moved) > fastest)
        if loose or back:
            self.moved = 0.0
        if follows and not loose:
            self.moved += change - min(max(change, -fastest), fastest)
        if 0 < gap_s <= LONGEST_STEP_S:
            self.unrest += (min(abs(change), fastest) - self.unrest) * 5.0 / 1800.0
        self.skin, self.skin_s = skin, at_s
        return (UNKNOWN if loose else skin - self.moved), loose or back


@pytest.mark.parametrize("in_one_span", [True, False])
def test_an_electrode_is_that_of_plain_arithmetic(in_one_span: bool) -> None:
    rng = np.random.default_rng(5)
    rows = slice(0, N) if in_one_span else np.arange(N)[::-1].copy()
    fast, slow = Electrode(), [ElectrodeSoFar() for _ in range(N)]
    for name in Electrode.ARRAYS:
        blank = -np.inf if name == "skin_s" else 0.0
        setattr(fast, name, np.full(N, blank, getattr(fast, name).dtype))
    newest, base, noise = np.full(N, -np.inf), rng.normal(1.0, 0.5, N), rng.uniform(0.0, 0.2, N)
    anew_ever = loose_ever = 0
    for at_s in _moments(rng):
        base += (rng.uniform(size=N) < 0.06) * rng.normal(0.0, 0.8, N)
        skin = (base + noise * rng.normal(size=N)).astype(np.float32)
        skin[rng.uniform(size=N) < 0.08] = np.nan
        found, late = skin.copy(), at_s < newest
        anew = fast.follow(rows, at_s, found, late)
        expected = [
            one.follow(float(at_s[a]), float(skin[a]), late=bool(late[a]))
            for a, one in enumerate(slow)
        ]
        np.testing.assert_allclose(found, [value for value, _ in expected], atol=2e-4)
        whose = np.arange(N)[rows]
        assert sorted(anew.tolist()) == sorted(whose[[again for _, again in expected]].tolist())
        anew_ever += len(anew)
        loose_ever += int((np.isnan(found) & np.isfinite(skin)).sum())
        newest = np.maximum(newest, at_s)
    assert loose_ever > 50
    assert anew_ever > loose_ever
    np.testing.assert_allclose(fast.unrest[rows], [one.unrest for one in slow], atol=1e-5)
    assert electrode.LOOSE_SKIN / electrode.FASTEST_SKIN == 2.0
