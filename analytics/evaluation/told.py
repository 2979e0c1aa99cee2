"""What supervisors would be told: episodes through the production alert book and budget.

The simulated supervisors read what they are told and answer every card after
five minutes, as people who find nothing; one leads each team.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np

from analytics.alerts import budget
from analytics.alerts.alerting import AlertPolicy
from analytics.events import Arrival, Outputs
from analytics.people.teams import Teams, TeamVersion
from analytics.pipeline.pipeline import Pipeline
from analytics.scoring.detector import ScoreBatch
from analytics.scoring.episodes import EpisodeBatch, threshold_for
from analytics.scoring.floor import Judged, Window
from analytics.signals.windows import FeatureBatch
from sensors.messages import Action, AlertKind, AlertMessage, DecisionMessage, ReadingMessage

SITE = "simulated"

ANSWERED_AFTER = timedelta(minutes=5)


@dataclass(slots=True)
class Told:
    """What reached supervisors.

    Parameters
    ----------
    personal : dict of str to list of datetime
        By supervisor: when each personal alert was told for the first time.
    team : list of datetime
        When each team alert was told.
    """

    personal: dict[str, list[datetime]] = field(default_factory=dict)
    team: list[datetime] = field(default_factory=list)

    @property
    def most_in_an_hour(self) -> int:
        """Most personal alerts that one supervisor was told in any 60 minutes."""
        return max(
            (
                sum(1 for other in times if timedelta(0) <= other - at < budget.SPAN)
                for times in self.personal.values()
                for at in times
            ),
            default=0,
        )

    def add(self, other: Told) -> None:
        """Take in what was told to supervisors of other teams."""
        self.personal |= other.personal
        self.team += other.team


class Supervised:
    """Agents 0 to n - 1 in teams of `team_size`, each with one supervisor.

    Parameters
    ----------
    n_agents, team_size : int
    at : datetime
        Any moment of the stretch that follows.
    policy : AlertPolicy, optional
    first_team : int
        Number of the first team: names go on from one part of a floor to the next.
    """

    def __init__(
        self,
        n_agents: int,
        team_size: int,
        at: datetime,
        policy: AlertPolicy | None = None,
        first_team: int = 0,
    ) -> None:
        agents = [f"a{n}" for n in range(n_agents)]
        teams = Teams(
            [
                TeamVersion(
                    name=f"team{first_team + start // team_size}",
                    supervisors=(f"lead{first_team + start // team_size}",),
                    zone=ZoneInfo("UTC"),
                    agents=tuple(agents[start : start + team_size]),
                )
                for start in range(0, n_agents, team_size)
            ]
        )
        self.told = Told()
        self._pipeline = Pipeline(SITE, teams, policy)
        # What stands in for the scoring that readings would start.
        self._floor = self._pipeline._floor  # noqa: SLF001
        self._begin = self._pipeline._personal.begin  # noqa: SLF001
        rows = [self._floor.row(agent) for agent in agents]
        # Only rows and agents of windows are read from here on: what was measured is scored.
        none = cast("ReadingMessage", None)
        self._windows = [Window(row, agents[row], none, late=False) for row in rows]
        self._rows = np.array(rows, np.intp)
        columns = self._floor.columns
        for row, agent in zip(rows, agents, strict=True):
            name = teams.team_of(agent, at)
            columns["team"][row] = self._floor.team_names.index(name or "")
            columns["threshold"][row] = threshold_for(team_size)
        self._answers: list[tuple[datetime, AlertMessage]] = []
        self._heard: set[str] = set()

    def step(self, batch: FeatureBatch, scores: ScoreBatch, episodes: EpisodeBatch) -> None:
        """Take one window of every agent in, as the service does after scoring it."""
        now_s = float(batch.at_s[0])
        now = datetime.fromtimestamp(now_s, UTC)
        rows, columns = self._rows, self._floor.columns
        known = np.isfinite(scores.evidence)
        columns["judged_s"][rows[known & ~scores.learning]] = now_s
        for name, found in (
            ("scored_s", batch.at_s),
            ("known", known),
            ("active", episodes.active),
            ("pending", episodes.pending),
            ("learning", scores.learning),
            ("started_s", episodes.started_at_s),
            ("quality", scores.quality),
        ):
            columns[name][rows] = found
        self._floor.leanings.follow(
            rows, batch.at_s, scores.evidence, columns["threshold"][rows], ~scores.learning
        )
        self._floor.level[rows] = scores.part_level
        # Of one window, not of the evidence: alerts are counted here, not what they name.
        self._floor.adds[rows] = self._floor.says[rows] = scores.part_contribution
        if episodes.began.any():
            nothing = np.zeros(len(rows), np.int8)  # states are for the screens
            judged = Judged(self._windows, batch, rows, rows, batch, scores, episodes, nothing)
            self._begin(judged, now)
        self._hear(self._pipeline.step(self._due(now), now), now)

    def _hear(self, outputs: Outputs, now: datetime) -> None:
        for publication in outputs.publications:
            message = publication.message
            if not isinstance(message, AlertMessage) or message.told_at is None:
                continue
            if message.alert_id in self._heard:
                continue
            self._heard.add(message.alert_id)
            self._answers.append((now + ANSWERED_AFTER, message))
            if message.kind is AlertKind.TEAM:
                self.told.team.append(now)
            elif message.kind is AlertKind.PERSONAL:
                self.told.personal.setdefault(message.told_to[0], []).append(now)

    def _due(self, now: datetime) -> list[Arrival]:
        """Return the answers that are given now, oldest first."""
        due = [message for at, message in self._answers if now >= at]
        self._answers = [(at, message) for at, message in self._answers if now < at]
        return [
            Arrival(
                position=len(self._heard),
                received_at=now,
                agent=None,
                message=DecisionMessage(
                    id=f"answer{message.alert_id}",
                    at=now,
                    alert_id=message.alert_id,
                    by=message.told_to[0],
                    action=Action.NOT_USEFUL,
                ),
            )
            for message in due
        ]
