"""One agent's baseline, score and evidence, one number at a time: the detector's oracle."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from analytics.scoring import baseline as b
from analytics.scoring import electrode as el
from analytics.scoring import fusion as f
from analytics.scoring.detector import LEARNING_S
from analytics.scoring.electrode import FASTEST_SKIN
from analytics.scoring.evidence import (
    CALM_HORIZON_S,
    CALM_MOST,
    CALM_PRIOR_S,
    LASTING_S,
    NOISE_S,
    NOW_S,
)
from analytics.scoring.together import (
    TOGETHER_COUNTS,
    TOGETHER_HORIZON_S,
    TOGETHER_PRIOR_S,
    TOGETHER_SURE,
)
from analytics.signals.features import FEATURES, PARTS, RESPONSE, UNKNOWN_LEVEL, Feature, Part
from sensors.messages import WINDOW_S

SCORED = [feature for feature in FEATURES if feature.weight > 0]
_DISTURBED = {Part.HEART, Part.SKIN}
_USUAL = math.sqrt(NOISE_S / (NOISE_S + LASTING_S))
_SLOPE = {part: RESPONSE[part].chance * RESPONSE[part].effect for part in PARTS}


@dataclass
class Level:
    """What is usual of one feature."""

    feature: Feature
    mean: float = 0.0
    seconds: float = 0.0
    spread: float = 0.0
    spread_s: float = 0.0
    call: float = 0.0
    call_s: float = 0.0
    taught: bool = False

    def scale(self) -> float:
        own = self.spread * b.ABS_TO_SD * self.spread_s
        scale = (own + b.PRIOR_S * self.feature.scale) / (self.spread_s + b.PRIOR_S)
        scale = max(scale, self.feature.floor)
        return scale * math.sqrt(1 + b.WANDERS_S / max(self.seconds, WINDOW_S))

    def usual(self, *, in_call: bool) -> float:
        return self.mean + (self.call if in_call else 0.0)

    def age(self, elapsed_s: float) -> None:
        share = elapsed_s / self.feature.horizon_s
        self.seconds *= math.exp(-share) if elapsed_s > b.LONGEST_STEP_S else 1 - share

    def learn(self, value: float, step_s: float, *, in_call: bool) -> None:
        if step_s <= 0:
            return
        usual, scale = self.usual(in_call=in_call), self.scale()
        first = self.seconds <= 0
        off = value - usual
        if not first:
            off = max(-b.WINSOR * scale, min(b.WINSOR * scale, off))
        self.seconds += step_s
        if not first:
            self._learn_call(off, step_s, in_call=in_call)
        self.mean += step_s / self.seconds * off
        if not first:  # a level is no deviation from itself
            self.spread_s += step_s * (1 - self.spread_s / b.SPREAD_HORIZON_S)
            self.spread += step_s / self.spread_s * (abs(off) - self.spread)

    def _learn_call(self, off: float, step_s: float, *, in_call: bool) -> None:
        if in_call:
            self.call_s += step_s * (1 - self.call_s / b.SPREAD_HORIZON_S)
        if self.call_s > 0:
            gain = step_s / (self.call_s + b.CALL_PRIOR_S)
            self.call += (2 if in_call else -2) * gain * off


@dataclass
class Found:
    total: float | None  # log-likelihood ratio of this window; None: nothing known
    evidence: float | None
    learning: bool
    levels: dict[Part, int]
    contributions: dict[Part, float]


@dataclass
class Gathered:
    """What a part said over one time constant."""

    deviation: float = 0.0
    certainty: float = 0.0


@dataclass
class Calm:
    """How far a part's longer average strays below the usual."""

    square: float = 0.0
    seconds: float = 0.0

    def own(self) -> float:
        """Return its spread over what it usually is."""
        whole_s = CALM_PRIOR_S + self.seconds
        return math.sqrt((CALM_PRIOR_S + self.seconds * self.square) / whole_s)

    def learn(self, lasting: float, step_s: float) -> None:
        if lasting >= 0:
            return
        cut = CALM_MOST * self.own()
        self.seconds += step_s * (1 - self.seconds / CALM_HORIZON_S)
        square = min(-lasting / _USUAL, cut) ** 2
        self.square += step_s / self.seconds * (square - self.square)


@dataclass
class Together:
    """How far any two parts stray together, seen below the usual."""

    found: float = 0.0
    most: float = 0.0

    def counted(self) -> float:
        """Return for how much of one part any two count."""
        all_pairs = sum(_SLOPE[a] * _SLOPE[b] for a in PARTS for b in PARTS if a != b)
        r = max(0.0, self.found / (self.most + TOGETHER_PRIOR_S * all_pairs))
        return min(1.0, TOGETHER_COUNTS * r) * min(1.0, TOGETHER_SURE * r)

    def learn(self, said: dict[Part, float], share: dict[Part, float], step_s: float) -> None:
        pairs = [(a, b) for a in said for b in said if a != b]
        room = sum(share[a] * share[b] for a, b in pairs)
        if sum(said.values()) >= 0 or room <= 1e-3:
            return
        mean_square = sum(x**2 for x in said.values()) / sum(x**2 for x in share.values())
        keep = 1 - step_s / TOGETHER_HORIZON_S
        self.found = keep * self.found + step_s * sum(said[a] * said[b] for a, b in pairs)
        self.most = keep * self.most + step_s * mean_square * room


@dataclass
class OneAgent:
    """One source, windows in order, at most one of each moment."""

    levels: dict[str, Level] = field(default_factory=lambda: {x.name: Level(x) for x in SCORED})
    gathered: dict[tuple[float, Part], Gathered] = field(
        default_factory=lambda: {(t, p): Gathered() for t in (NOW_S, LASTING_S) for p in PARTS}
    )
    calm: dict[Part, Calm] = field(default_factory=lambda: {p: Calm() for p in PARTS})
    together: Together = field(default_factory=Together)
    last_s: float | None = None
    skin: float | None = None
    skin_age_s: float = 0.0
    moved: float = 0.0
    jumps: float = 0.0
    unrest: float = 0.0
    beat_age_s: float = math.inf

    def step(
        self,
        at_s: float,
        values: dict[str, float],
        quality: dict[str, float],
        *,
        moving: bool,
        in_call: bool,
        learn: bool,
    ) -> Found:
        """Score one window and learn from it; `values` holds what is known."""
        elapsed_s = 0.0 if self.last_s is None else at_s - self.last_s
        values = self._without_electrode(values, elapsed_s)
        for level in self.levels.values():
            level.age(elapsed_s)
        values = {name: x for name, x in values.items() if not self._miscounted(name, x, in_call)}
        self.beat_age_s = 0.0 if "heart_rate_bpm" in values else self.beat_age_s + elapsed_s
        weight = self._weights(values, quality, moving=moving)
        deviation, certainty = self._parts(values, weight, in_call=in_call)
        ratios = {p: log_ratio(p, z, certainty[p]) for p, z in deviation.items()}
        settled = [self.levels[name].seconds >= LEARNING_S - 2 * WINDOW_S for name in weight]
        found = Found(
            total=sum(ratios.values()) if ratios else None,
            evidence=self._gather(deviation, certainty, elapsed_s),
            learning=not any(settled),
            levels={p: self._level(p, deviation.get(p)) for p in PARTS},
            contributions=ratios,
        )
        step_s = WINDOW_S if self.last_s is None else min(elapsed_s, b.LONGEST_STEP_S)
        for name, value in values.items():
            if learn:
                self.levels[name].learn(value, step_s, in_call=in_call)
        self.last_s = at_s
        return found

    def usual(self, name: str) -> tuple[float, float, float]:
        """Return from where to where a feature is as usual outside calls, and hours that rest on it."""
        level = self.levels[name]
        if level.seconds < f.KNOWN_S - 2 * WINDOW_S:
            return math.nan, math.nan, 0.0
        middle = level.usual(in_call=False) + (self.moved if name == "log_eda" else 0.0)
        half = f.LEVELS[0] * level.scale()
        return middle - half, middle + half, level.spread_s / 3600

    def _without_electrode(self, values: dict[str, float], elapsed_s: float) -> dict[str, float]:
        now, before = values.get("log_eda"), self.skin
        self.skin_age_s += elapsed_s
        if now is None:
            return values
        age_s, self.skin, self.skin_age_s = self.skin_age_s, now, 0.0
        self.jumps *= math.exp(-age_s / el.LOOSE_S)
        step = 0.0 if before is None else now - before
        follows = before is not None and age_s <= b.LONGEST_STEP_S
        fastest = max(FASTEST_SKIN, el.UNREST * self.unrest)
        if follows:
            change = min(abs(step), fastest)
            self.unrest += WINDOW_S / el.UNREST_S * (change - self.unrest)
        far = follows and abs(step) > el.LOOSE_SKIN * fastest / FASTEST_SKIN
        self.jumps += far
        if self.jumps >= el.LOOSE_JUMPS:  # loose: says nothing, and is learnt anew
            if far:
                self.jumps = math.e * el.LOOSE_JUMPS
            self.moved = self.levels["log_eda"].seconds = 0.0
            return {name: x for name, x in values.items() if name != "log_eda"}
        if follows:
            self.moved += step - max(-fastest, min(fastest, step))
        elif max(abs(self.moved), abs(step)) > fastest:  # put back, or not: learnt anew
            self.moved = self.levels["log_eda"].seconds = 0.0
        return {**values, "log_eda": now - self.moved}

    def _miscounted(self, name: str, value: float, in_call: bool) -> bool:
        level = self.levels[name]
        if level.feature.part is not Part.HEART or level.seconds < f.SETTLED_S:
            return False
        usual = level.usual(in_call=in_call)
        return value > f.MISCOUNTED * usual or value * f.MISCOUNTED < usual

    def _weights(
        self, values: dict[str, float], quality: dict[str, float], *, moving: bool
    ) -> dict[str, float]:
        """Return the features that count, with how much."""
        weight = {}
        for feature in SCORED:
            name = feature.name
            if name not in values or self.levels[name].seconds < f.KNOWN_S - 2 * WINDOW_S:
                continue
            w = feature.weight * quality[name]
            if moving and feature.part in _DISTURBED:
                w *= f.MOVEMENT
            if w > 0:
                weight[name] = w
        if "heart_rate_bpm" in weight:
            weight.pop("device_rate_bpm", None)
        elif "device_rate_bpm" in weight and self._guesses():
            weight["device_rate_bpm"] *= f.GUESS
        return weight

    def _guesses(self) -> bool:
        return self.beat_age_s <= f.GUESSES_S and self.levels["heart_rate_bpm"].seconds > 0

    def _parts(
        self, values: dict[str, float], weight: dict[str, float], *, in_call: bool
    ) -> tuple[dict[Part, float], dict[Part, float]]:
        deviation, certainty = {}, {}
        for part in PARTS:
            of = [x for x in SCORED if x.part is part]
            used = [x for x in of if x.name in weight]
            if not used:
                continue
            total = 0.0
            for feature in used:
                level = self.levels[feature.name]
                off = values[feature.name] - level.usual(in_call=in_call)
                z = feature.sign * off / level.scale()
                total += weight[feature.name] * max(-f.SQUASH, min(f.SQUASH, z))
            deviation[part] = total / math.sqrt(sum(weight[x.name] ** 2 for x in used))
            certainty[part] = max(weight[x.name] for x in used) / max(x.weight for x in of)
        return deviation, certainty

    def _gather(
        self, deviation: dict[Part, float], certainty: dict[Part, float], elapsed_s: float
    ) -> float | None:
        step_s = WINDOW_S if self.last_s is None else elapsed_s
        own = {part: self.calm[part].own() for part in PARTS}
        for part in PARTS:
            for time_s in (NOW_S, LASTING_S):
                self._average(time_s, part, deviation.get(part), certainty.get(part, 0.0), step_s)
        each = [self._says(time_s, own, list(deviation)) for time_s in (NOW_S, LASTING_S)]
        taught_s = min(step_s, b.LONGEST_STEP_S)
        lasting = {part: self.gathered[LASTING_S, part] for part in deviation}
        share = {part: _SLOPE[part] * kept.certainty**0.125 for part, kept in lasting.items()}
        said = {
            part: share[part] * max(-CALM_MOST, min(CALM_MOST, kept.deviation / own[part] / _USUAL))
            for part, kept in lasting.items()
        }
        self.together.learn(said, share, taught_s)
        for part, kept in lasting.items():
            self.calm[part].learn(kept.deviation, taught_s)
        scale = math.sqrt((NOISE_S + LASTING_S) / (NOISE_S + NOW_S))
        return max(0.0, scale * min(each)) if deviation else None

    def _average(
        self, time_s: float, part: Part, value: float | None, sure: float, step_s: float
    ) -> None:
        stands_s = step_s if step_s <= b.LONGEST_STEP_S else WINDOW_S  # the rest is a gap
        kept, share = self.gathered[time_s, part], 1 - math.exp(-stands_s / time_s)
        kept.certainty *= math.exp(-(step_s - stands_s) / time_s)
        kept.certainty += share * (sure - kept.certainty)
        if value is not None:
            kept.deviation += share * sure / kept.certainty * (value - kept.deviation)

    def _says(self, time_s: float, own: dict[Part, float], known: list[Part]) -> float:
        """Return what one average says of the parts that are measured now, over its spread."""
        total = square = 0.0
        counted = self.together.counted()
        for part in known:
            kept = self.gathered[time_s, part]
            total += log_ratio(part, kept.deviation / own[part], kept.certainty)
            for other in known:
                both = kept.certainty**0.125 * self.gathered[time_s, other].certainty ** 0.125
                both *= _SLOPE[part] * _SLOPE[other]
                square += both if other is part else counted * both
        return total / math.sqrt(square or 1.0)

    @staticmethod
    def _level(part: Part, deviation: float | None) -> int:
        if deviation is None:
            return UNKNOWN_LEVEL
        lead = max((x for x in SCORED if x.part is part), key=lambda x: x.weight)
        size = sum(abs(deviation) >= line for line in f.LEVELS)
        return lead.sign * size * (1 if deviation >= 0 else -1)


def log_ratio(part: Part, deviation: float, certainty: float) -> float:
    """Return how much a part speaks for strain."""
    if certainty <= 0:
        return 0.0
    response = RESPONSE[part]
    effect = response.effect * certainty * deviation
    return math.log(1 - response.chance + response.chance * math.exp(effect))
