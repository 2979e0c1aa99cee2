"""What is held about each agent, told to that agent alone (TRUST T10, T12).

On every change of a person's state, and else once a minute, each agent whose
edge is alive is told what the server holds: the state that others see, the
figures behind it, and every feature's usual range. It goes to the agent's own
topic and nowhere else: not into the store, not into the state file, not onto
any screen of others.

When each agent's minute ends depends on the agent's name, so that a floor is
not told all at once, and a step tells at most `AT_MOST` agents.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from analytics.events import Publication
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.floor import STALE_S, Floor, Judged
from analytics.scoring.person_state import STATES
from analytics.signals.features import FEATURES
from sensors import topics
from sensors.messages import MirrorMessage, PersonState, UsualRange

EVERY_S = 60.0
"""How often an agent is told though their state did not change. [s]"""

AT_MOST = 200
"""Agents told in one step; who waits longest comes first, the others in the next."""

_NOBODY = -1  # no state was told yet
_UNITS_FROM_ZERO = frozenset({"1/min", "ms", "1/s", "1", "px/s", "g"})
_FROM_ZERO = np.array([f.unit in _UNITS_FROM_ZERO for f in FEATURES])
_DECIMALS = [max(0, 2 - math.floor(math.log10(f.floor))) for f in FEATURES]
_NAMES = [(f.name, f.unit) for f in FEATURES]
_STEPS = np.array([10.0**decimals for decimals in _DECIMALS])
_BLANK: dict[str, tuple[str, float]] = {
    "state": ("|i1", _NOBODY),
    "strain_index": ("<f8", np.nan),
    "evidence": ("<f8", np.nan),
    "told_state": ("|i1", _NOBODY),
    "told_s": ("<f8", -np.inf),  # server clock
}

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


class Mirrors:
    """What every agent is told about themselves, and when.

    Parameters
    ----------
    site : str
    floor : Floor
        Whose agents; its rows are the rows here.
    """

    def __init__(self, site: str, floor: Floor) -> None:
        self._site, self._floor = site, floor
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros(0, dtype) for name, (dtype, _) in _BLANK.items()
        }
        self._values = np.zeros((0, len(FEATURES)), np.float32)  # the newest of each feature
        self._phase_s = np.zeros(0)

    def _ensure(self, count: int) -> None:
        have = len(self._phase_s)
        if count <= have:
            return
        for name, (dtype, blank) in _BLANK.items():
            more = np.full(count - have, blank).astype(dtype)
            self._columns[name] = np.concatenate((self._columns[name], more))
        unknown = np.full((count - have, len(FEATURES)), np.nan, np.float32)
        self._values = np.concatenate((self._values, unknown))
        added = [_phase_s(agent) for agent in self._floor.agents[have:count]]
        self._phase_s = np.concatenate((self._phase_s, added))

    def take(self, judged: Judged) -> None:
        """Keep what a round of windows has shown."""
        self._ensure(len(self._floor.agents))
        rows = judged.rows
        self._values[rows] = judged.scored.values
        self._columns["state"][rows] = judged.states
        self._columns["strain_index"][rows] = judged.scores.strain_index
        self._columns["evidence"][rows] = judged.scores.evidence

    def step(self, now: datetime) -> list[Publication]:
        """Return what is told at `now`, at most `AT_MOST` messages."""
        self._ensure(len(self._floor.agents))
        rows = self._due(now.timestamp())
        if not rows.size:
            return []
        self._columns["told_state"][rows] = self._columns["state"][rows]
        self._columns["told_s"][rows] = now.timestamp()
        return self._messages(rows, now)

    def _due(self, now_s: float) -> Rows:
        """Return who is told now: alive, and changed or a minute on."""
        columns, phase_s = self._columns, self._phase_s
        alive = now_s - self._floor.columns["heard_s"][: len(phase_s)] <= STALE_S
        # After a restart with other features nothing is judged yet: nothing is said, not "fault".
        alive &= columns["state"] != _NOBODY
        changed = columns["state"] != columns["told_state"]
        told_s = columns["told_s"]
        minute = np.floor((now_s + phase_s) / EVERY_S) > np.floor((told_s + phase_s) / EVERY_S)
        due = np.flatnonzero(alive & (changed | minute))
        if due.size > AT_MOST:
            due = np.sort(due[np.argsort(told_s[due], kind="stable")[:AT_MOST]])
        return due

    def _messages(self, rows: Rows, now: datetime) -> list[Publication]:
        low, high, hours = self._floor.usual(rows)
        low = np.where(_FROM_ZERO, np.maximum(low, 0.0), low)
        usual = zip(
            _rounded(low).tolist(),
            _rounded(np.maximum(high, low)).tolist(),
            np.round(hours, 4).tolist(),
            _rounded(self._values[rows].astype(np.float64)).tolist(),
            strict=True,
        )
        return [
            self._message(row, now, _ranges(*one))
            for row, one in zip(rows.tolist(), usual, strict=True)
        ]

    def _message(self, row: int, now: datetime, usual: tuple[UsualRange, ...]) -> Publication:
        columns, state = self._columns, STATES[self._columns["state"][row]]
        known = state in _JUDGED
        message = MirrorMessage(
            at=now,
            state=state,
            strain_index=_known(columns["strain_index"][row], 1),
            evidence=_known(columns["evidence"][row], 3),
            threshold=_known(self._floor.columns["threshold"][row], 3),
            # Of nothing there is no quality; 0 would say that something poor was seen.
            quality=_known(self._floor.columns["quality"][row], 3) if known else None,
            usual=usual,
            detector_version=DETECTOR_VERSION,
        )
        return Publication(topics.mirror(self._site, self._floor.agents[row]), message)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the state: a repeated step tells the same, to the same people."""
        self._ensure(len(self._floor.agents))
        arrays = {f"mirror.{name}": column.copy() for name, column in self._columns.items()}
        return {**arrays, "mirror.values": self._values.copy()}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what :meth:`to_arrays` described, after the floor did.

        A snapshot from before there were mirrors, or of other features, begins
        afresh: everybody is told anew.
        """
        self._phase_s = np.zeros(0)
        self._columns = {name: np.zeros(0, dtype) for name, (dtype, _) in _BLANK.items()}
        self._values = np.zeros((0, len(FEATURES)), np.float32)
        self._ensure(len(self._floor.agents))
        values = arrays.get("mirror.values")
        if values is not None and values.shape == self._values.shape:
            self._values = values
            self._columns = {name: arrays[f"mirror.{name}"] for name in _BLANK}


_JUDGED = frozenset({PersonState.AS_USUAL, PersonState.LEARNING, PersonState.DIFFERENT})


def _phase_s(agent: str) -> float:
    """Return where in the minute `agent` is told. [s].

    In whole seconds: those of one second are then told in one step, and what a
    step costs whoever it tells is paid once a second and not four times.
    """
    return float(crc32(agent.encode()) % int(EVERY_S))


def _rounded(values: Floats) -> Floats:
    """Return values to a hundredth of the feature's least spread: finer means nothing."""
    return np.asarray(np.round(values * _STEPS) / _STEPS + 0.0)  # no minus zero


def _known(value: float, digits: int) -> float | None:
    """Return a figure for the message, ``None`` if it is unknown (TRUST T13)."""
    return round(float(value), digits) if math.isfinite(value) else None


def _ranges(
    low: list[float], high: list[float], hours: list[float], now: list[float]
) -> tuple[UsualRange, ...]:
    """Return the range of every feature of which anything was ever measured."""
    found = zip(_NAMES, low, high, hours, now, strict=True)
    return tuple(
        UsualRange(
            feature=name,
            unit=unit,
            low=least,
            high=most,
            hours=rests_on,
            now=value if value == value else None,  # noqa: PLR0124 - NaN
        )
        for (name, unit), least, most, rests_on, value in found
        if rests_on
    )
