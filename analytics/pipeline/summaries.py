"""One point per agent and minute, for long stretches: what a screen of 8 hours needs.

A minute is a minute of the window ends, so a summary says what ``GROUP BY
time(1m)`` over `feature` and `score` would. Each is written once, when the
agent's own windows have gone on for `LATE_S` beyond its end, or nobody came for
`SILENT_S`. Windows that come late are gathered apart and make a point of
their own beside the first: nothing that was written is ever read back, and
each point says of how many windows it is, so that means can be joined.

State is a few arrays, `SLOTS` rows per agent, part of the pipeline's snapshot:
a restart goes on in the middle of a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.floor import Floor, Judged
from analytics.scoring.person_state import STATES
from analytics.signals.features import FEATURE_INDEX, FEATURES
from analytics.signals.windows import CONTEXTS
from analytics.store.gathered import Gathered
from analytics.store.points import FieldValue, Measurement, Point
from sensors.messages import PersonState

MINUTE_S = 60.0

LATE_S = 15.0
"""A window that comes later after its end is late (DESIGN), and gathered apart. [s]"""

SILENT_S = 60.0
"""A minute to which nothing was added for so long is written as it is. [s, server clock]"""

EXTREMES = ("heart_rate_bpm", "log_rmssd", "log_eda", "movement_g")
"""Features whose least and greatest value of the minute are kept beside the mean."""

SLOTS = 3
"""Open minutes of an agent: two neighbouring live ones, by parity, and one of late windows."""

_LATE_SLOT = 2
_OF_SCORE = ("score", "strain_index", "evidence", "quality")
_PEAKS = ("score", "strain_index", "evidence")
GREATEST = (*EXTREMES, *_PEAKS)
"""Whatever has a greatest value."""

FIGURES = (*(feature.name for feature in FEATURES), *_OF_SCORE)
"""Whatever has a mean: every feature, and these of the score."""

_EXTREME_COLUMNS = np.array([FEATURE_INDEX[name] for name in EXTREMES])
_MOST_COLUMNS = np.array(
    [*_EXTREME_COLUMNS, *(len(FEATURES) + _OF_SCORE.index(name) for name in _PEAKS)]
)
_NO_DATA = STATES.index(PersonState.NO_DATA)
_NANOSECONDS_PER_MINUTE = 60_000_000_000

# Type, width and blank value of each array; one row per slot.
_COLUMNS: dict[str, tuple[str, int, float]] = {
    "minute": ("<i8", 0, 0),  # whole minutes since 1970
    "identity": ("<i4", 0, 0),  # of the first window, below 10**6
    "windows": ("<i4", 0, 0),  # 0 is an empty slot
    "touched_s": ("<f8", 0, np.inf),  # server clock at the newest window
    "context": ("|i1", 0, 0),
    "states": ("<u2", len(STATES), 0),
    "known": ("<u2", len(FIGURES), 0),
    "total": ("<f8", len(FIGURES), 0.0),
    "least": ("<f8", len(EXTREMES), np.inf),
    "most": ("<f8", len(EXTREMES) + len(_PEAKS), -np.inf),
}

_Rows = NDArray[np.intp]


class Summaries:
    """Gathers what the pipeline emits, minute by minute.

    Parameters
    ----------
    site : str
    floor : Floor
        Whose agents; row `r` of it has the slots from ``SLOTS * r`` on.
    """

    def __init__(self, site: str, floor: Floor) -> None:
        self._site, self._floor = site, floor
        self._columns = _blank(0)

    def _ensure(self, agents: int) -> None:
        have = len(self._columns["minute"])
        if SLOTS * agents > have:
            more = _blank(max(SLOTS * agents, 2 * have) - have)
            self._columns = {n: np.concatenate((c, more[n])) for n, c in self._columns.items()}

    def take(self, judged: Judged, now_s: float, out: Gathered) -> None:
        """Add one round of windows; append to `out` the minutes that are over."""
        self._ensure(len(self._floor.agents))
        rows = np.array([w.row for w in judged.windows], np.intp)
        late = np.array([w.late for w in judged.windows], bool)
        at_s = judged.features.at_s
        minute = np.floor(at_s / MINUTE_S).astype(np.int64)
        slot = SLOTS * rows + np.where(late, _LATE_SLOT, minute % 2)
        self._close_passed(rows[~late], at_s[~late], out)
        columns = self._columns
        used = columns["windows"][slot] > 0
        self._close(slot[used & (columns["minute"][slot] != minute)], out)
        for at in np.flatnonzero(columns["windows"][slot] == 0).tolist():
            message = judged.windows[at].message
            identity = crc32(f"{message.run}/{message.seq}".encode()) % 1_000_000
            columns["identity"][slot[at]] = identity
        columns["minute"][slot] = minute
        columns["windows"][slot] += 1
        columns["touched_s"][slot] = now_s
        columns["context"][slot] = judged.features.context
        self._add(slot, judged)

    def _add(self, slot: _Rows, judged: Judged) -> None:
        columns, place = self._columns, judged.place
        scored = place >= 0
        values = np.full((len(slot), len(FIGURES)), np.nan)
        values[:, : len(FEATURES)] = judged.features.values
        for at, name in enumerate(_OF_SCORE, len(FEATURES)):
            values[scored, at] = getattr(judged.scores, name)[place[scored]]
        state = np.full(len(slot), _NO_DATA)
        state[scored] = judged.states[place[scored]]
        columns["states"][slot, state] += 1
        known = np.isfinite(values)
        columns["known"][slot] += known
        columns["total"][slot] += np.where(known, values, 0.0)
        least, most = values[:, _EXTREME_COLUMNS], values[:, _MOST_COLUMNS]
        columns["least"][slot] = np.fmin(columns["least"][slot], least)
        columns["most"][slot] = np.fmax(columns["most"][slot], most)

    def _close_passed(self, rows: _Rows, at_s: NDArray[np.float64], out: Gathered) -> None:
        """Close the live minutes that each agent's own windows have left behind."""
        both = SLOTS * rows[:, None] + np.arange(_LATE_SLOT)
        ended_s = (self._columns["minute"][both] + 1) * MINUTE_S
        passed = (self._columns["windows"][both] > 0) & (ended_s + LATE_S <= at_s[:, None])
        self._close(both[passed], out)

    def step(self, now: datetime, out: Gathered) -> None:
        """Append to `out` the minutes to which nothing was added for long."""
        silent = now.timestamp() - self._columns["touched_s"] >= SILENT_S
        if silent.any():
            self._close(np.flatnonzero(silent), out)

    def _close(self, slots: _Rows, out: Gathered) -> None:
        if not slots.size:
            return
        found = {name: column[slots].tolist() for name, column in self._columns.items()}
        for at, slot in enumerate(slots.tolist()):
            row, values = slot // SLOTS, {name: column[at] for name, column in found.items()}
            tags = {"site": self._site, "agent": self._floor.agents[row]}
            late = slot % SLOTS == _LATE_SLOT
            out.append(point(tags, self._floor.team(row), values, late=late))
        blank = _blank(len(slots))
        for name, column in self._columns.items():
            column[slots] = blank[name]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the state, one row per agent."""
        self._ensure(len(self._floor.agents))
        return {
            f"summary.{name}": column.reshape(-1, SLOTS, *column.shape[1:]).copy()
            for name, column in self._columns.items()
        }

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what :meth:`to_arrays` described, after the floor did.

        A snapshot from before there were summaries, or of other features,
        begins afresh: the minute it was taken in is told in two points.
        """
        blank = _blank(0)
        found = {name: arrays.get(f"summary.{name}") for name in blank}
        kept = {
            name: column.reshape(-1, *column.shape[2:])
            for name, column in found.items()
            if column is not None and column.shape[1:] == (SLOTS, *blank[name].shape[1:])
        }
        self._columns = kept if len(kept) == len(blank) else blank


def point(tags: dict[str, str], team: str | None, values: dict[str, Any], *, late: bool) -> Point:
    """Return the summary of one open minute.

    Parameters
    ----------
    tags : dict
        Site and agent.
    team : str or None
        Of the agent, now.
    values : dict
        What one slot holds: a number, or a list of them, for each column.
    late : bool
        Whether these windows came late.
    """
    windows, context = values["windows"], CONTEXTS[values["context"]]
    fields: dict[str, FieldValue] = {
        "windows": windows,
        "late": late,
        "detector_version": DETECTOR_VERSION,
    }
    if team is not None:
        fields["team"] = team
    if context is not None:
        fields["context"] = context.value
    for state, count in zip(STATES, values["states"], strict=True):
        fields[f"share_{state.value}"] = count / windows
    _add_figures(fields, values, windows)
    time_ns = values["minute"] * _NANOSECONDS_PER_MINUTE + values["identity"]
    return Point(Measurement.SUMMARY, tags, fields, time_ns)


def _blank(count: int) -> dict[str, NDArray[Any]]:
    return {
        name: np.full((count, width) if width else count, blank, dtype)
        for name, (dtype, width, blank) in _COLUMNS.items()
    }


def _add_figures(fields: dict[str, FieldValue], values: dict[str, Any], windows: int) -> None:
    """Add means, extremes and, where some windows did not have a figure, how many did."""
    means = zip(FIGURES, values["known"], values["total"], strict=True)
    for name, known, total in means:
        if known:
            fields[name] = total / known
            if known != windows:
                fields[f"{name}_n"] = known
    _add_finite(fields, "min", EXTREMES, values["least"])
    _add_finite(fields, "max", GREATEST, values["most"])


def _add_finite(
    fields: dict[str, FieldValue], what: str, names: Sequence[str], values: Sequence[float]
) -> None:
    for name, value in zip(names, values, strict=True):
        if abs(value) != np.inf:
            fields[f"{name}_{what}"] = value
