"""A made-up wearer: beats, skin conductance, temperature and movement by script; pure.

Plain on purpose: it exercises the path from a sensor to a value with signals
that move as a person's do. It is no evidence of what can be detected in
people. The same script and seed give the same wearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from sensors.errors import ConfigurationError
from sensors.heart_rate.ppg_synthetic import pulse_waves

Floats = NDArray[np.float64]

_AHEAD_S = 2.0  # beats and responses are drawn so far beyond what is asked for
_BEATS_KEPT_S, _RESPONSES_KEPT_S = 5.0, 40.0  # until nothing of them is left
_RISE_S, _DECAY_S = 0.75, 4.0  # of a skin-conductance response: Boucsein et al. 2012
_LONGEST_GLIDE_S = 10.0
_SLOW_WAVE_HZ = 0.1  # Mayer waves
_BREATHING_HZ = 0.24


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stretch of the script; values glide to the next stage's within 10 s.

    Parameters
    ----------
    name : str
        For people.
    seconds : float
        How long it lasts; the last stage goes on for ever. [s]
    hr_bpm : float
        Mean heart rate, 35-190. [1/min]
    rr_spread_ms : float
        Amplitude by which breathing varies the RR interval, 0-150. [ms]
    eda_us : float
        Skin-conductance level, 0.05-40. [uS]
    responses_per_min : float
        Skin-conductance responses, 0-30. [1/min]
    skin_temp_c : float
        Skin temperature, 15-42. [degC]
    movement_g : float
        Root mean square of the acceleration without gravity, 0-2. [g]
    worn : bool
        Whether it touches skin; without, nothing but movement is measured.
    """

    name: str
    seconds: float
    hr_bpm: float = 68.0
    rr_spread_ms: float = 40.0
    eda_us: float = 4.0
    responses_per_min: float = 2.0
    skin_temp_c: float = 33.2
    movement_g: float = 0.02
    worn: bool = True

    def __post_init__(self) -> None:
        for key, (low, high) in _LIMITS.items():
            value = getattr(self, key)
            if not low <= value <= high:
                raise ConfigurationError(
                    f"stage {self.name!r}: {key} is {value:g}; expected {low:g} to {high:g}"
                )


_LIMITS = {
    "seconds": (1.0, 86_400.0),
    "hr_bpm": (35.0, 190.0),
    "rr_spread_ms": (0.0, 150.0),
    "eda_us": (0.05, 40.0),
    "responses_per_min": (0.0, 30.0),
    "skin_temp_c": (15.0, 42.0),
    "movement_g": (0.0, 2.0),
}

REST = Stage(name="rest", seconds=60.0)
STRAIN = Stage(
    name="strain",
    seconds=120.0,
    hr_bpm=84.0,
    rr_spread_ms=18.0,
    eda_us=5.8,
    responses_per_min=10.0,
    skin_temp_c=32.6,
    movement_g=0.04,
)
RECOVERY = Stage(
    name="recovery", seconds=60.0, hr_bpm=70.0, rr_spread_ms=45.0, eda_us=4.6, skin_temp_c=33.0
)
OFF = Stage(name="off", seconds=20.0, worn=False)
STAGES = {stage.name: stage for stage in (REST, STRAIN, RECOVERY, OFF)}
"""Stages that can be asked for by name."""


@dataclass(slots=True)
class Wearer:
    """One wearer, drawn as far as somebody looked.

    Parameters
    ----------
    stages : sequence of Stage
        The script, at least one.
    seed : int
        The same seed gives the same wearer.
    """

    stages: Sequence[Stage]
    seed: int
    _drawn_s: float = 0.0
    _at_s: float = -2.0  # of the newest beat
    _beats: list[tuple[float, float]] = field(default_factory=list)
    _responses: list[tuple[float, float]] = field(default_factory=list)
    _corners_s: Floats = field(init=False)
    _levels: dict[str, Floats] = field(init=False)
    _hearts: np.random.Generator = field(init=False)
    _skins: np.random.Generator = field(init=False)
    _noises: dict[str, np.random.Generator] = field(init=False)

    def __post_init__(self) -> None:
        if not self.stages:
            raise ConfigurationError("the script has no stage; expected at least one")
        starts_s = np.concatenate([[0.0], np.cumsum([s.seconds for s in self.stages])])
        glides_s = [min(_LONGEST_GLIDE_S, stage.seconds / 2) for stage in self.stages]
        corners = zip(starts_s[:-1], starts_s[:-1] + glides_s, starts_s[1:], strict=True)
        self._corners_s = np.array([list(corner) for corner in corners]).ravel()
        self._levels = {key: self._level_corners(key) for key in _LIMITS if key != "seconds"}
        self._hearts = np.random.default_rng([self.seed, 1])
        self._skins = np.random.default_rng([self.seed, 2])
        names = ("ppg", "eda_us", "skin_temp_c", "acc_g")
        self._noises = {n: np.random.default_rng([self.seed, 3, k]) for k, n in enumerate(names)}

    def _level_corners(self, key: str) -> Floats:
        levels = [float(getattr(stage, key)) for stage in self.stages]
        before = [levels[0], *levels[:-1]]
        return np.array([[b, a, a] for b, a in zip(before, levels, strict=True)]).ravel()

    def level(self, key: str, t_s: Floats | float) -> Floats:
        """Return what the script says of `key` at `t_s`."""
        return np.asarray(np.interp(t_s, self._corners_s, self._levels[key]))

    def stage(self, at_s: float) -> Stage:
        """Return the stage at `at_s`."""
        ends_s = self._corners_s[2::3]
        at = int(np.searchsorted(ends_s, at_s, side="right"))
        return self.stages[min(at, len(self.stages) - 1)]

    def is_worn(self, at_s: float) -> bool:
        """Return whether it touches skin at `at_s`."""
        return self.stage(at_s).worn

    def beats(self, from_s: float, to_s: float) -> list[float]:
        """Return the times of the beats after `from_s` and up to `to_s`, in seconds."""
        self._draw(to_s)
        return [at_s for at_s, _ in self._beats if from_s < at_s <= to_s]

    def ppg(self, t_s: Floats) -> Floats:
        """Return the optical signal at `t_s`, rising, in units of about one pulse height."""
        self._draw(float(t_s[-1]))
        beats_s, heights = np.array(self._beats).T
        waves = pulse_waves(t_s, beats_s, heights, float(np.diff(beats_s[-2:])[0]))
        wander = 0.4 * np.sin(2 * np.pi * _BREATHING_HZ * t_s)
        return waves + wander + self._noises["ppg"].normal(0.0, 0.02, len(t_s))

    def eda_us(self, t_s: Floats) -> Floats:
        """Return the skin conductance at `t_s`, in uS."""
        self._draw(float(t_s[-1]))
        tonic = self.level("eda_us", t_s) * (1 + 0.02 * np.sin(2 * np.pi * t_s / 90.0))
        phasic = np.zeros_like(t_s)
        for at_s, size_us in self._responses:
            after_s = np.maximum(t_s - at_s, 0.0)
            phasic += size_us * 1.7 * (np.exp(-after_s / _DECAY_S) - np.exp(-after_s / _RISE_S))
        return tonic + phasic + self._noises["eda_us"].normal(0.0, 0.002, len(t_s))

    def skin_temp_c(self, t_s: Floats) -> Floats:
        """Return the skin temperature at `t_s`, in degC."""
        slow = 0.1 * np.sin(2 * np.pi * t_s / 240.0)
        noise = self._noises["skin_temp_c"].normal(0.0, 0.01, len(t_s))
        return self.level("skin_temp_c", t_s) + slow + noise

    def acc_g(self, t_s: Floats) -> Floats:
        """Return acceleration with gravity at `t_s`, shape (n, 3), in g."""
        moved = self._noises["acc_g"].normal(0.0, 1.0, (len(t_s), 3))
        moved *= self.level("movement_g", t_s)[:, np.newaxis] / np.sqrt(3)
        return np.asarray(moved + np.array([0.05, -0.12, 0.99]))

    def _draw(self, to_s: float) -> None:
        """Draw beats and responses until a little beyond `to_s`, and forget old ones."""
        while self._at_s < to_s + _AHEAD_S:
            self._draw_beat()
        while self._drawn_s < to_s + _AHEAD_S:
            self._draw_responses()
        self._beats = [b for b in self._beats if b[0] > to_s - _BEATS_KEPT_S]
        self._responses = [r for r in self._responses if r[0] > to_s - _RESPONSES_KEPT_S]

    def _draw_beat(self) -> None:
        at_s, rng = self._at_s, self._hearts
        breath = np.sin(2 * np.pi * _BREATHING_HZ * at_s)
        slow = np.sin(2 * np.pi * _SLOW_WAVE_HZ * at_s)
        spread_s = float(self.level("rr_spread_ms", at_s)) / 1000
        rr_s = 60.0 / float(self.level("hr_bpm", at_s))
        rr_s += spread_s * (breath + 0.5 * slow + 0.3 * rng.normal())
        self._at_s += min(max(rr_s, 0.3), 2.0)
        self._beats.append((self._at_s, 1 + 0.08 * breath + 0.04 * rng.normal()))

    def _draw_responses(self) -> None:
        """Draw the responses of one second: a Poisson process with the script's rate."""
        rate_hz = float(self.level("responses_per_min", self._drawn_s)) / 60
        tonic_us = float(self.level("eda_us", self._drawn_s))
        for _ in range(int(self._skins.poisson(rate_hz))):
            at_s = self._drawn_s + float(self._skins.random())
            self._responses.append((at_s, float(self._skins.exponential(0.06 * tonic_us))))
        self._drawn_s += 1.0


def stage_keys() -> tuple[str, ...]:
    """Return the keys a stage of a script may have."""
    return tuple(found.name for found in fields(Stage))
