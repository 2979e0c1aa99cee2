"""A simulated agent: a collector that needs no hardware. Shipped, not test-only.

The physiology is deliberately plain and every number below carries its unit.
It is made to exercise the whole path with signals that move as people's do
(slow drift, respiration in the heart rhythm, skin-conductance responses,
bursts of typing, calls and wrap-ups); it is *not* evidence of how well the
detector works on people. `wellbeing evaluate` on recordings is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensors import codec
from sensors.collector import Clock, Link, Reading
from sensors.errors import ConfigurationError
from sensors.messages import Absence
from sensors.signals import Channel, signal

Floats = NDArray[np.float64]
Track = tuple[Floats, Floats]
"""Times since the start of the simulation [s], and values."""

_BLOCK = 1024  # keeps the powers of a drift's decay far from underflow
_RATE_HZ = 4  # resolution of the latent state


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A stretch of strain: rises over `ramp_s`, stays for `hold_s`, falls over `ramp_s`.

    `strength` 1.0 is a clear response (about +14/min heart rate, +40 % skin
    conductance); people differ, so the same strength looks different in each.
    """

    start_s: float
    hold_s: float
    ramp_s: float = 30.0
    strength: float = 1.0

    def __post_init__(self) -> None:
        if self.hold_s < 0 or self.ramp_s <= 0 or not 0 <= self.strength <= 3:
            raise ConfigurationError(
                f"episode at {self.start_s:g} s: hold_s {self.hold_s:g}, ramp_s {self.ramp_s:g}, "
                f"strength {self.strength:g}; expected >= 0, > 0 and 0 to 3"
            )

    def level(self, t_s: Floats) -> Floats:
        """Return the intensity at `t_s`, 0 to `strength`."""
        corners = np.cumsum([self.start_s, self.ramp_s, self.hold_s, self.ramp_s])
        return np.interp(t_s, corners, [0.0, self.strength, self.strength, 0.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A stretch in which `channel` gives nothing, for `reason`."""

    channel: Channel
    start_s: float
    end_s: float
    reason: Absence = Absence.NOT_WORN


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One simulated agent's own normal."""

    heart_rate_bpm: float
    respiration_hz: float
    respiratory_rr_ms: float  # amplitude of respiratory sinus arrhythmia
    eda_us: float
    dwell_ms: float
    flight_ms: float
    pointer_px_s: float
    f0_hz: float
    loudness_db: float
    reactivity: float  # this person's factor on every response


def draw_person(seed: int) -> Person:
    """Return the person of `seed`; the spread is that of resting adults at a desk."""
    rng = np.random.default_rng([seed, 1])
    return Person(
        heart_rate_bpm=rng.normal(73, 7),
        respiration_hz=rng.uniform(0.2, 0.3),
        respiratory_rr_ms=rng.uniform(15, 40),
        eda_us=rng.lognormal(np.log(4), 0.5),
        dwell_ms=rng.normal(98, 12),
        flight_ms=rng.normal(140, 30),
        pointer_px_s=rng.lognormal(np.log(550), 0.25),
        f0_hz=rng.choice([rng.normal(118, 14), rng.normal(205, 20)]),
        loudness_db=rng.normal(-32, 4),
        reactivity=rng.uniform(0.8, 1.25),
    )


@dataclass(slots=True)
class _Drift:
    """An Ornstein-Uhlenbeck process: unit variance, correlation time `tau_s`."""

    tau_s: float
    value: float

    def advance(self, n: int, step_s: float, rng: np.random.Generator) -> Floats:
        keep = np.exp(-step_s / self.tau_s)
        path = np.empty(n)
        for start in range(0, n, _BLOCK):
            block = path[start : start + _BLOCK]
            kicks = rng.normal(0.0, np.sqrt(1 - keep**2), len(block))
            # y[k] = keep * y[k-1] + kicks[k], written as a weighted cumulative sum
            powers = keep ** np.arange(1, len(block) + 1)
            block[:] = powers * (self.value + np.cumsum(kicks / powers))
            self.value = float(block[-1])
        return path


@dataclass(slots=True)
class Simulation:
    """Signals of one person, advanced stretch by stretch; same seed and day, same signals.

    `day` draws other noise for the same person.
    """

    seed: int
    episodes: Sequence[Episode] = ()
    day: int = 0
    elapsed_s: float = 0.0
    person: Person = field(init=False)
    _rng: np.random.Generator = field(init=False)
    _slow: _Drift = field(init=False)
    _fast: _Drift = field(init=False)
    _skin: _Drift = field(init=False)
    _beats: float = field(init=False)
    _last_beat_s: float = field(init=False, default=float("nan"))
    _response_us: float = field(init=False, default=0.0)
    _call_phase_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.person = draw_person(self.seed)
        self._rng = np.random.default_rng([self.seed, 2, self.day])
        self._slow = _Drift(900.0, self._rng.normal())
        self._fast = _Drift(25.0, self._rng.normal())
        self._skin = _Drift(600.0, self._rng.normal())
        self._beats = self._rng.uniform()
        self._call_phase_s = self._rng.uniform(0, _CALL_CYCLE_S)

    def advance(self, seconds: int) -> dict[str, Track]:
        """Return every signal over the next `seconds`, each as (times, values)."""
        n = seconds * _RATE_HZ
        t_s = self.elapsed_s + np.arange(1, n + 1) / _RATE_HZ
        strain = np.zeros(n)
        for episode in self.episodes:
            strain += episode.level(t_s)
        strain *= self.person.reactivity
        on_call = (t_s + self._call_phase_s) % _CALL_CYCLE_S < _CALL_S
        tracks = {
            **self._heart(t_s, strain, on_call),
            **self._skin_conductance(t_s, strain),
            **self._keyboard(seconds, strain, on_call),
            **self._pointer(seconds, strain),
            **self._voice(t_s, strain, on_call),
        }
        self.elapsed_s += seconds
        return tracks

    def _heart(self, t_s: Floats, strain: Floats, on_call: NDArray[np.bool_]) -> dict[str, Track]:
        person, rng = self.person, self._rng
        step_s = 1 / _RATE_HZ
        rate = (
            person.heart_rate_bpm
            + 1.6 * self._slow.advance(len(t_s), step_s, rng)
            + 1.4 * self._fast.advance(len(t_s), step_s, rng)
            + 1.0 * on_call
            + 14.0 * strain
        )
        breathing = np.sin(2 * np.pi * person.respiration_hz * t_s)
        slow_wave = np.sin(2 * np.pi * 0.1 * t_s)  # Mayer waves
        swing_ms = person.respiratory_rr_ms * (breathing + 0.6 * slow_wave) / (1 + strain)
        interval_ms = np.clip(60_000 / np.clip(rate, 35, 190) + swing_ms, 320, 1800)
        # Integral pulse frequency modulation: a beat whenever the phase passes a whole number.
        phase = self._beats + np.cumsum(1000 * step_s / interval_ms)
        first, last = int(np.floor(self._beats)) + 1, int(np.floor(phase[-1]))
        grid_phase = np.concatenate([[self._beats], phase])
        grid_s = np.concatenate([[t_s[0] - step_s], t_s])
        beats_s = np.interp(np.arange(first, last + 1), grid_phase, grid_s)
        self._beats = float(phase[-1])
        before = np.concatenate([[self._last_beat_s], beats_s])
        rr_ms = 1000 * np.diff(before)
        known = np.isfinite(rr_ms) & (rr_ms >= 200) & (rr_ms <= 3000)
        if len(beats_s):
            self._last_beat_s = float(beats_s[-1])
        seconds = slice(_RATE_HZ - 1, None, _RATE_HZ)
        return {
            "hr_bpm": (t_s[seconds], np.round(np.clip(rate[seconds], 35, 190))),
            "contact": (t_s[seconds], np.ones(len(t_s[seconds]))),
            "rr_ms": (beats_s[known], np.round(rr_ms[known] * 1.024) / 1.024),
        }

    def _skin_conductance(self, t_s: Floats, strain: Floats) -> dict[str, Track]:
        rng, person = self._rng, self.person
        tonic = person.eda_us * np.exp(
            0.06 * self._skin.advance(len(t_s), 1 / _RATE_HZ, rng) + 0.35 * strain
        )
        # Responses: 2 a minute at rest, up to 10 under strain; decay over 4 s.
        rate_hz = (2 + 8 * np.minimum(strain, 1)) / 60
        kicks = rng.uniform(size=len(t_s)) < rate_hz / _RATE_HZ
        sizes = kicks * rng.exponential(0.03 * person.eda_us, len(t_s))
        keep = np.exp(-1 / (4 * _RATE_HZ))
        responses = np.empty(len(t_s))
        level = self._response_us
        for k, size in enumerate(sizes):
            level = level * keep + size
            responses[k] = level
        self._response_us = float(level)
        moving = np.abs(rng.normal(0.02, 0.01, len(t_s)))
        return {
            "eda_us": (t_s[3::4], np.maximum(tonic + responses, 0.05)[3::4]),
            "acc_rms_g": (t_s[3::4], moving[3::4]),
            "skin_temp_c": (
                t_s[3::4],
                33.0 + 0.2 * self._skin.value + rng.normal(0, 0.02, len(t_s[3::4])),
            ),
        }

    def _keyboard(
        self, seconds: int, strain: Floats, on_call: NDArray[np.bool_]
    ) -> dict[str, Track]:
        rng, person = self._rng, self.person
        load = strain[_RATE_HZ - 1 :: _RATE_HZ]
        calling = on_call[_RATE_HZ - 1 :: _RATE_HZ]
        keys = rng.poisson(np.where(calling, 1.2, 3.0) * (1 + 0.15 * load))
        at_s = np.sort(
            self.elapsed_s + np.repeat(np.arange(seconds), keys) + rng.uniform(size=keys.sum())
        )
        load_now = np.repeat(load, keys)
        n = len(at_s)
        dwell = rng.lognormal(np.log(person.dwell_ms) - 0.12 * load_now, 0.22)
        flight = rng.normal(person.flight_ms * (1 - 0.15 * load_now), 60)
        wrong = rng.uniform(size=n) < 0.05 * (1 + load_now)
        pauses = rng.uniform(size=n) < 0.05
        return {
            "key_presses": (at_s, np.ones(n)),
            "dwell_ms": (at_s, np.clip(dwell, 20, 1000)),
            "flight_ms": (at_s, np.clip(flight, -150, 3000)),
            "key_corrections": (at_s[wrong], np.ones(int(wrong.sum()))),
            "key_pauses": (at_s[pauses], np.ones(int(pauses.sum()))),
        }

    def _pointer(self, seconds: int, strain: Floats) -> dict[str, Track]:
        rng, person = self._rng, self.person
        moving = np.flatnonzero(rng.uniform(size=seconds) < 0.35)
        load = strain[_RATE_HZ - 1 :: _RATE_HZ][moving]
        at_s = self.elapsed_s + moving + rng.uniform(size=len(moving))
        speed = rng.lognormal(np.log(person.pointer_px_s) + 0.2 * load, 0.35)
        clicks = rng.uniform(size=len(moving)) < 0.25
        n_clicks = int(clicks.sum())
        return {
            "pointer_speed_px_s": (at_s, np.clip(speed, 5, 20_000)),
            "pointer_acceleration_px_s2": (
                at_s,
                np.clip(speed * rng.lognormal(1.5, 0.3, len(at_s)), 1, 1e6),
            ),
            "pointer_straightness": (at_s, np.clip(rng.normal(0.85, 0.08, len(at_s)), 0, 1)),
            "pointer_clicks": (at_s[clicks], np.ones(n_clicks)),
            "click_dwell_ms": (at_s[clicks], np.clip(rng.normal(95, 15, n_clicks), 20, 500)),
        }

    def _voice(self, t_s: Floats, strain: Floats, on_call: NDArray[np.bool_]) -> dict[str, Track]:
        """One set of features every 5 s of call in which the agent speaks."""
        rng, person = self._rng, self.person
        every = 5 * _RATE_HZ
        # a window ends where the whole simulation's time is a multiple of 5 s
        ends = np.flatnonzero(np.round(t_s * _RATE_HZ).astype(np.int64) % every == 0)
        ends = ends[on_call[ends] & (rng.uniform(size=len(ends)) < 0.6)]
        at_s, load, n = t_s[ends], strain[ends], len(ends)
        return {
            "speech_ratio": (at_s, np.clip(rng.normal(0.55, 0.1, n), 0.1, 1)),
            "pause_ratio": (at_s, np.clip(rng.normal(0.25 - 0.05 * load, 0.08), 0, 1)),
            "speech_rate_hz": (at_s, np.clip(rng.normal(4.2 + 0.4 * load, 0.45), 0.5, 10)),
            "f0_hz": (
                at_s,
                np.clip(person.f0_hz * 2 ** (rng.normal(1.6 * load, 0.9) / 12), 60, 500),
            ),
            "f0_spread_st": (at_s, np.clip(rng.normal(4.5 + load, 1.0), 0.5, 20)),
            "voiced_ratio": (at_s, np.clip(rng.normal(0.6, 0.06, n), 0, 1)),
            "jitter_local": (at_s, np.clip(rng.normal(0.012, 0.002, n), 0.001, 0.2)),
            "shimmer_local": (at_s, np.clip(rng.normal(0.06, 0.01, n), 0.005, 0.5)),
            "hnr_db": (at_s, np.clip(rng.normal(14 - load, 1.5), 0, 40)),
            "loudness_db": (
                at_s,
                np.clip(rng.normal(person.loudness_db + 2.5 * load, 1.5), -80, -3),
            ),
            "alpha_ratio_db": (at_s, np.clip(rng.normal(12 - 1.5 * load, 1.5), -30, 40)),
        }


_CALL_S = 240.0  # a call of four minutes, then a minute of wrap-up
_CALL_CYCLE_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    seed: int = 1
    channels: tuple[Channel, ...] = tuple(Channel)
    episodes: tuple[Episode, ...] = ()
    outages: tuple[Outage, ...] = ()


class SimulatedCollector:
    """All channels of one simulated agent.

    Parameters
    ----------
    options : mapping
        ``seed`` (int), ``channels``, ``episodes`` (tables of `Episode`),
        ``outages`` (tables of `Outage`); times count from the start.

    Raises
    ------
    ConfigurationError
        Naming the option that is not what was expected.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        known = set(_Options.__slots__)
        for key in options:
            if key not in known:
                raise ConfigurationError(
                    f"simulated: unknown option {key!r}; known: {', '.join(sorted(known))}"
                )
        try:
            chosen = codec.convert(dict(options), _Options)
        except ValueError as error:
            raise ConfigurationError(f"simulated: {error}") from None
        self.channels: frozenset[Channel] = frozenset(chosen.channels)
        self._outages = chosen.outages
        self._simulation = Simulation(chosen.seed, chosen.episodes)

    async def readings(self, clock: Clock) -> AsyncIterator[Reading | Link]:
        """Yield one second's readings every second; links are fine but in outages."""
        start_s = clock.monotonic_s()
        silent: dict[Channel, Absence] = {}
        for channel in sorted(self.channels):
            yield Link(channel, "ok")
        while True:
            await clock.sleep_until(start_s + self._simulation.elapsed_s + 1)
            now_silent = self._silent_at(self._simulation.elapsed_s + 1)
            for change in _changes(silent, now_silent):
                if change.channel in self.channels:
                    yield change
            silent = now_silent
            tracks = self._simulation.advance(1)
            for reading in self._in_order(tracks, start_s, silent):
                yield reading

    def _silent_at(self, t_s: float) -> dict[Channel, Absence]:
        return {o.channel: o.reason for o in self._outages if o.start_s <= t_s < o.end_s}

    def _in_order(
        self, tracks: dict[str, Track], start_s: float, silent: Mapping[Channel, Absence]
    ) -> list[Reading]:
        wanted = self.channels - silent.keys()
        found = [
            Reading(name, float(value), start_s + float(t_s))
            for name, (times, values) in tracks.items()
            if signal(name).channel in wanted
            for t_s, value in zip(times, values, strict=True)
        ]
        return sorted(found, key=lambda reading: reading.at_monotonic_s)


def _changes(before: Mapping[Channel, Absence], now: Mapping[Channel, Absence]) -> list[Link]:
    gone = [
        Link(channel, reason) for channel, reason in now.items() if before.get(channel) != reason
    ]
    back = [Link(channel, "ok") for channel in before if channel not in now]
    return gone + back
