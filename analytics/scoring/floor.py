"""Everybody on the floor: one row per agent, and the scoring of one round of windows.

A round holds at most one window of each agent. Several windows of one agent
within a step are split into rounds, oldest first, so that how arrivals fall
into steps never changes how an agent is scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.events import Arrival, is_late
from analytics.people.teams import Teams
from analytics.scoring.detector import DETECTOR_VERSION, Detector, ScoreBatch
from analytics.scoring.episodes import EpisodeBatch, Episodes, threshold_for
from analytics.scoring.explanation import contributions
from analytics.scoring.leanings import Leanings
from analytics.scoring.measured import CHANNELS, blank_unmeasured, given, good
from analytics.scoring.person_state import states
from analytics.signals.features import FEATURES, PARTS, UNKNOWN_LEVEL
from analytics.signals.windows import CONTEXTS, FeatureBatch, FeatureWindows
from sensors.messages import ContextState, Contribution, ReadingMessage

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

STALE_S = 30.0
"""An agent without a window for so long is no longer judged. [s] Six windows."""

_STATE = [name for kind in (FeatureWindows, Detector, Episodes) for name in kind().to_arrays()]
_STATE += [f"leanings.{name}" for name in Leanings().to_arrays()]
SCORING_VERSION = "|".join((DETECTOR_VERSION, *(f.name for f in FEATURES), *PARTS, *_STATE))
"""What the scoring arrays of a snapshot mean; those of another version are not read."""

_TEAM_CHECK_S = 60.0
_SITE_EVERY_S = 3600.0
_CONTEXT_CODE = {state: code for code, state in enumerate(CONTEXTS)}


@dataclass(frozen=True, slots=True)
class Window:
    """One agent's window on its way through a step."""

    row: int
    agent: str
    message: ReadingMessage
    late: bool


@dataclass(slots=True)
class Judged:
    """What became of one round: windows and arrays side by side, one row each.

    What follows `place` holds the scored windows only; `place` says which those
    are (-1: stored only, because it is older than what was already scored).
    """

    windows: Sequence[Window]
    features: FeatureBatch
    place: NDArray[np.intp]
    rows: Rows
    scored: FeatureBatch
    scores: ScoreBatch
    episodes: EpisodeBatch
    states: NDArray[np.int8]


# One value per agent; what a row holds before anything is known.
_COLUMNS: dict[str, tuple[str, float]] = {
    "scored_s": ("<f8", -np.inf),  # end of the newest window that was scored
    "heard_s": ("<f8", -np.inf),  # server clock at that window
    "judged_s": ("<f8", -np.inf),  # server clock at the newest live window with evidence
    "known": ("|b1", 0),  # whether the newest scored window had evidence at all
    "active": ("|b1", 0),
    "pending": ("|b1", 0),
    "learning": ("|b1", 1),
    "started_s": ("<f8", np.nan),
    "quality": ("<f8", np.nan),
    "threshold": ("<f8", np.nan),
    "team": ("<i8", -1),
    "team_checked_s": ("<f8", -np.inf),
}


class Floor:
    """Rows, teams and scoring state of all agents of a site.

    Parameters
    ----------
    teams : Teams
    """

    def __init__(self, teams: Teams) -> None:
        self.teams = teams
        self.agents: list[str] = []
        self.team_names: tuple[str, ...] = teams.names
        self._row_of: dict[str, int] = {}
        self._capacity = 0
        self._windows = FeatureWindows()
        self._detector = Detector()
        self._episodes = Episodes()
        self.leanings = Leanings()
        self.columns: dict[str, NDArray[Any]] = {
            name: np.zeros(0, dtype) for name, (dtype, _) in _COLUMNS.items()
        }
        self.level = np.zeros((0, len(PARTS)), np.int8)
        # Of those who differ: see `analytics.scoring.explanation`.
        self.adds, self.says = _nothing(0), _nothing(0)
        self.measured_s = np.zeros((0, len(CHANNELS)))  # newest reading of each channel
        self._site_due_s = np.zeros(1)

    def row(self, agent: str) -> int:
        """Return the row of `agent`; a new one gets the next."""
        row = self._row_of.get(agent)
        if row is None:
            row = self._row_of[agent] = len(self.agents)
            self.agents.append(agent)
            if row >= self._capacity:
                self._grow(max(64, self._capacity + self._capacity // 4))
        return row

    def known_row(self, agent: str) -> int | None:
        """Return the row of `agent` if anything was ever read from them."""
        return self._row_of.get(agent)

    def _grow(self, capacity: int) -> None:
        """Make room for `capacity` agents, in all parts alike."""
        added = capacity - self._capacity
        for name, (dtype, blank) in _COLUMNS.items():
            column = np.full(added, blank).astype(dtype)
            self.columns[name] = np.concatenate((self.columns[name], column))
        unknown = np.full((added, len(PARTS)), UNKNOWN_LEVEL, np.int8)
        self.level = np.concatenate((self.level, unknown))
        self.adds = np.concatenate((self.adds, _nothing(added)))
        self.says = np.concatenate((self.says, _nothing(added)))
        never = np.full((added, len(CHANNELS)), -np.inf)
        self.measured_s = np.concatenate((self.measured_s, never))
        for _, part in self._parts():
            part.ensure(capacity)
        self._capacity = capacity

    def team(self, row: int) -> str | None:
        """Return the team of `row` as of its newest window."""
        index = int(self.columns["team"][row])
        return self.team_names[index] if index >= 0 else None

    def find_team(self, window: Window, at_s: float) -> None:
        """Look up the team of the window's agent, at most once a minute of its own time."""
        row, at = window.row, window.message.window_end_at
        since_s = at_s - self.columns["team_checked_s"][row]
        if 0.0 <= since_s < _TEAM_CHECK_S or (window.late and since_s < 0.0):
            return
        self.columns["team_checked_s"][row] = at_s
        name = self.teams.team_of(self.agents[row], at)
        self.columns["team"][row] = self.team_names.index(name) if name is not None else -1
        if name is not None:
            size = self.teams.size(name, at)
            self.columns["threshold"][row] = threshold_for(max(size, 1))

    def rounds(self, arrivals: Sequence[Arrival]) -> list[list[Window]]:
        """Return the readings among `arrivals` in rounds, each agent's oldest first."""
        per_agent: dict[str, list[Arrival]] = {}
        for arrival in arrivals:
            if isinstance(arrival.message, ReadingMessage) and arrival.agent is not None:
                per_agent.setdefault(arrival.agent, []).append(arrival)
        rounds: list[list[Window]] = []
        for agent, found in per_agent.items():
            row = self.row(agent)
            if len(found) > 1:
                found.sort(key=_age)
            for index, arrival in enumerate(found):
                if index == len(rounds):
                    rounds.append([])
                message = arrival.message
                assert isinstance(message, ReadingMessage)  # noqa: S101 - filtered above
                late = is_late(message.window_end_at, message.clock_offset_ms, arrival.received_at)
                rounds[index].append(Window(row, agent, message, late))
        return rounds

    def judge(
        self,
        windows: Sequence[Window],
        live: Mask,
        now_s: float,
        contexts: Mapping[str, ContextState] | None = None,
    ) -> Judged:
        """Score one round and keep what the alerts need.

        Parameters
        ----------
        windows : sequence of Window, length n
            At most one of each agent.
        live : ndarray of bool, shape (n,)
            Where a new episode may begin.
        now_s : float
            Server clock: a replay's windows run on another. [s since the epoch]
        contexts : mapping, optional
            What each agent is doing, where telephony says so.
        """
        rows = np.array([w.row for w in windows], np.intp)
        late = np.array([w.late for w in windows], bool)
        at_s = np.array([w.message.window_end_at.timestamp() for w in windows])
        self._follow_clocks(rows[~late], at_s[~late], now_s)
        features = self._windows.extract(rows, [w.message for w in windows])
        if contexts:
            features.context[:] = [_CONTEXT_CODE[contexts.get(w.agent)] for w in windows]
        # A window older than what was scored belongs to the record: sequential
        # evidence cannot run backwards.
        in_order = features.at_s >= self.columns["scored_s"][rows]
        index = np.flatnonzero(in_order)
        place = np.full(len(rows), -1, np.intp)
        place[index] = np.arange(len(index))
        batch = features.take(index)
        messages = [windows[i].message for i in index.tolist()]
        # A machine whose clock is a little behind another's is never in order, and yet measures.
        told = np.flatnonzero(in_order | ~late)
        self._note_measured(rows[told], at_s[told], [windows[i].message for i in told.tolist()])
        scores, episodes = self._score(rows[index], batch, live[index], now_s, learn=~late[index])
        seen = states(scores, episodes.active, messages)
        return Judged(windows, features, place, rows[index], batch, scores, episodes, seen)

    def _follow_clocks(self, rows: Rows, at_s: Floats, now_s: float) -> None:
        """Begin anew with agents whose clock was set back.

        A corrected clock, or a second replay, is live and yet older than what
        was scored: it would be out of order for as long as the clock was
        ahead. Another source whose clock merely differs does not count.
        """
        columns = self.columns
        silent = now_s - columns["heard_s"][rows] > STALE_S
        back = rows[silent & (at_s < columns["scored_s"][rows])]
        if not back.size:
            return
        self._windows.forget(back)
        self._detector.forget_time(back)
        self._episodes.forget(back)
        self.leanings.forget(back)
        columns["scored_s"][back] = -np.inf
        self.measured_s[back] = -np.inf

    def _note_measured(self, rows: Rows, at_s: Floats, messages: Sequence[ReadingMessage]) -> None:
        before = self.measured_s[rows]
        newest = np.maximum(before, at_s[:, None])
        self.measured_s[rows] = np.where(given(messages), newest, before)

    def _score(
        self, rows: Rows, batch: FeatureBatch, live: Mask, now_s: float, *, learn: Mask
    ) -> tuple[ScoreBatch, EpisodeBatch]:
        columns = self.columns
        blank_unmeasured(batch, self.measured_s[rows])
        learn = learn & ~self._episodes.firing(rows) & good(batch)
        scores = self._detector.step(rows, batch, learn=learn)
        threshold = columns["threshold"][rows]
        live = live & np.isfinite(threshold) & ~scores.learning
        # Without a team there is no threshold and nobody to tell.
        threshold = np.where(np.isfinite(threshold), threshold, np.inf)
        episodes = self._episodes.step(rows, batch.at_s, scores.evidence, threshold, live)
        columns["scored_s"][rows] = batch.at_s
        columns["heard_s"][rows] = now_s
        columns["judged_s"][rows[live & np.isfinite(scores.evidence)]] = now_s
        for name, found in (
            ("known", np.isfinite(scores.evidence)),
            ("active", episodes.active),
            ("pending", episodes.pending),
            ("learning", scores.learning),
            ("started_s", episodes.started_at_s),
            ("quality", scores.quality),
        ):
            columns[name][rows] = found
        self.level[rows] = scores.part_level
        leaning = self.leanings.follow(rows, batch.at_s, scores.evidence, threshold, live)
        self._explain(rows, scores.part_level, episodes.active | episodes.pending | leaning)
        return scores, episodes

    def follow_site(self, now_s: float) -> None:
        """Once an hour of the server's clock, learn what new agents begin with."""
        if now_s >= self._site_due_s[0]:
            self._site_due_s[0] = (now_s // _SITE_EVERY_S + 1) * _SITE_EVERY_S
            self._detector.follow_site()

    def _explain(self, rows: Rows, level: NDArray[np.int8], differs: Mask) -> None:
        """Keep what the evidence of those who differ rests on: an alert names it."""
        differ = np.flatnonzero(differs)
        if differ.size:
            of = rows[differ]
            self.adds[of], self.says[of] = self._detector.rests_on(of, level[differ])

    def explanation(self, rows: Rows | list[int]) -> tuple[Contribution, ...]:
        """Return the parts that what differs in `rows` rests on together, largest first."""
        return contributions(self.adds[rows], self.says[rows])

    def members(self, team: str) -> Rows:
        """Return the rows whose newest window belongs to `team`; none of one that is no more."""
        if team not in self.team_names:
            return np.zeros(0, np.intp)
        index = self.team_names.index(team)
        return np.flatnonzero(self.columns["team"][: len(self.agents)] == index)

    def judged(self, rows: Rows, now_s: float) -> Mask:
        """Return which of `rows` are judged now: fresh, known and past learning."""
        fresh = now_s - self.columns["judged_s"][rows] <= STALE_S
        return np.asarray(fresh & ~self.columns["learning"][rows], bool)

    def differs_today(self, agent: str) -> None:
        """Learn today's level of `agent` anew, who says that today is different."""
        row = self.known_row(agent)
        if row is not None:
            self._detector.reopen(np.array([row], np.intp))

    def usual(self, rows: Rows) -> tuple[Floats, Floats, Floats]:
        """Return the usual range of every feature: low, high and hours, each (n, d)."""
        return self._detector.usual(rows)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return a copy of all arrays, by name."""
        arrays = {f"floor.{name}": column.copy() for name, column in self.columns.items()}
        for name in ("level", "adds", "says", "measured_s"):
            arrays[f"floor.{name}"] = getattr(self, name).copy()
        arrays["floor.site_due_s"] = self._site_due_s.copy()
        for prefix, part in self._parts():
            arrays |= {f"{prefix}.{name}": a for name, a in part.to_arrays().items()}
        return arrays

    def _parts(self) -> tuple[tuple[str, FeatureWindows | Detector | Episodes], ...]:
        return (
            ("windows", self._windows),
            ("detector", self._detector),
            ("episodes", self._episodes),
            ("leanings", self.leanings),
        )

    def restore(
        self,
        arrays: dict[str, NDArray[Any]],
        agents: list[str],
        team_names: list[str],
        scoring_version: str,
    ) -> None:
        """Become the floor of :meth:`to_arrays`.

        Teams are looked up again when the file has changed since; a snapshot
        of another detector keeps rows and starts scoring afresh (*learning*).

        Raises
        ------
        KeyError
            If an array is missing.
        """
        self.agents = list(agents)
        self._row_of = {agent: row for row, agent in enumerate(agents)}
        self._capacity = len(arrays["floor.active"])
        # Snapshots from before there was this column: nobody was heard yet.
        arrays = {"floor.heard_s": np.full(self._capacity, -np.inf), **arrays}
        self.columns = {name: arrays[f"floor.{name}"] for name in _COLUMNS}
        self.measured_s = arrays["floor.measured_s"]
        self._site_due_s = arrays.get("floor.site_due_s", np.zeros(1))
        if tuple(team_names) != self.team_names:
            self.columns["team"][:] = -1
            self.columns["team_checked_s"][:] = -np.inf
        if scoring_version == SCORING_VERSION:
            self.level = arrays["floor.level"]
            self.adds, self.says = arrays["floor.adds"], arrays["floor.says"]
            self._windows = FeatureWindows.from_arrays(_of(arrays, "windows"))
            self._detector = Detector.from_arrays(_of(arrays, "detector"))
            self._episodes = Episodes.from_arrays(_of(arrays, "episodes"))
            self.leanings = Leanings.from_arrays(_of(arrays, "leanings"))
        else:
            self._windows, self._detector, self._episodes = (
                FeatureWindows(),
                Detector(),
                Episodes(),
            )
            self.leanings = Leanings()
            for _, part in self._parts():
                part.ensure(self._capacity)
            self.level = np.full((self._capacity, len(PARTS)), UNKNOWN_LEVEL, np.int8)
            self.adds, self.says = _nothing(self._capacity), _nothing(self._capacity)
            self.columns["learning"][:] = True


def _nothing(n_rows: int) -> NDArray[np.float32]:
    return np.full((n_rows, len(PARTS)), np.nan, np.float32)


def _of(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}


def _age(arrival: Arrival) -> tuple[datetime, str, str, int]:
    message = arrival.message
    assert isinstance(message, ReadingMessage)  # noqa: S101 - only readings are sorted
    return (message.window_end_at, message.source, message.run, message.seq)
