"""One agent's episodes in plain words: the oracle of :class:`analytics.scoring.episodes.Episodes`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analytics.scoring.episodes import (
    HYSTERESIS,
    LONGEST_EPISODE_S,
    LONGEST_GAP_S,
    OFF_DELAY_S,
    ON_DELAY_S,
    RECOVERS_BELOW,
    REFRACTORY_S,
)


@dataclass(frozen=True)
class Found:
    pending: bool
    active: bool
    began: bool
    ended: bool
    started_at_s: float | None


class OneAgent:
    """Quiet until evidence stays above the line; active until it stays below the lower one."""

    def __init__(self) -> None:
        self.state = "quiet"
        self.since_s: float | None = None
        self.below_s: float | None = None
        self.free_s = -math.inf
        self.last_s = -math.inf
        self.highest: float | None = None  # evidence of the episode
        self.recovers = False

    @property
    def firing(self) -> bool:
        return self.state == "active" and not self.recovers

    def step(self, at_s: float, evidence: float, threshold: float, *, live: bool) -> Found:
        if at_s <= self.last_s:
            return self._found()
        found = self._advance(at_s, evidence, threshold, live=live)
        self.recovers = False
        if self.state != "active":
            self.highest = None
        elif not math.isnan(evidence):
            self.highest = evidence if self.highest is None else max(self.highest, evidence)
            self.recovers = evidence < RECOVERS_BELOW * self.highest
        return found

    def _advance(self, at_s: float, evidence: float, threshold: float, *, live: bool) -> Found:
        known = not math.isnan(evidence)
        above = known and live and evidence >= threshold
        low = not known or evidence < HYSTERESIS * threshold
        gap = at_s - self.last_s > LONGEST_GAP_S
        self.last_s = at_s
        if self.state in {"active", "spent"}:
            return self._hold(at_s, low=low)
        if not above:
            self.state, self.since_s = "quiet", None
            return self._found()
        if self.state == "quiet" or gap or self.since_s is None:
            self.state, self.since_s = "pending", at_s
        if at_s - self.since_s >= ON_DELAY_S and at_s >= self.free_s:
            self.state, self.free_s = "active", at_s + REFRACTORY_S
            return self._found(began=True)
        return self._found()

    def _hold(self, at_s: float, *, low: bool) -> Found:
        was_active, started_s = self.state == "active", self.since_s
        if not low:
            self.below_s = None
        elif self.below_s is None:
            self.below_s = at_s
        if self.below_s is not None and at_s - self.below_s >= OFF_DELAY_S:
            self.state, self.since_s, self.below_s = "quiet", None, None
            return self._found(ended_from_s=started_s if was_active else None)
        if was_active and started_s is not None and at_s - started_s > LONGEST_EPISODE_S:
            self.state, self.since_s = "spent", None
            return self._found(ended_from_s=started_s)
        return self._found()

    def _found(self, *, began: bool = False, ended_from_s: float | None = None) -> Found:
        return Found(
            pending=self.state == "pending",
            active=self.state == "active",
            began=began,
            ended=ended_from_s is not None,
            started_at_s=ended_from_s if ended_from_s is not None else self.since_s,
        )
