"""The functional core: ``(state, arrivals, now) -> (state, outputs)``.

No clock, no socket, no log: the live service, the private mode, evaluation,
the tests and the benchmarks all drive this. The same arrivals at the same
times give the same outputs and, bit for bit, the same state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.alerts import asking, notices, points_out
from analytics.alerts.alert_book import AlertBook
from analytics.alerts.alerting import AlertPolicy
from analytics.alerts.budget import Budget
from analytics.alerts.personal import PersonalAlerts
from analytics.alerts.team_causes import TeamCauses
from analytics.alerts.technical import Technical
from analytics.events import Arrival, Outputs
from analytics.people.teams import Teams
from analytics.pipeline.mirror import Mirrors
from analytics.pipeline.record import Record
from analytics.pipeline.summaries import Summaries
from analytics.scoring.floor import SCORING_VERSION, Floor, Window
from analytics.signals.contexts import Contexts
from analytics.state import snapshot
from analytics.state.snapshot import Frozen
from analytics.store.gathered import Gathered
from sensors.errors import StateError
from sensors.messages import (
    Action,
    AlertMessage,
    AuditKind,
    AuditMessage,
    ContextMessage,
    DecisionMessage,
    ReadingMessage,
    ReplyKind,
    ReplyMessage,
    RequestMessage,
    StatusMessage,
    check_identity,
)


class Pipeline:
    """One site: scoring, alerts and what they say to whom.

    Parameters
    ----------
    site : str
    teams : Teams
        Who works where and when, and who leads.
    policy : AlertPolicy
        The alert budget, and the smallest group that figures are shown of.
    """

    def __init__(self, site: str, teams: Teams, policy: AlertPolicy | None = None) -> None:
        self.site = check_identity("site", site)
        self.teams = teams
        self._policy = policy or AlertPolicy()
        self._contexts = Contexts()
        self._floor = Floor(teams)
        self._mirrors = Mirrors(site, self._floor)
        self._summaries = Summaries(site, self._floor)
        self._book = AlertBook(site, teams.supervisors)
        self._budget = Budget(self._policy.alerts_per_supervisor_hour)
        smallest = self._policy.smallest_group
        self._technical = Technical(self._book, teams.team_of, teams.in_shift, smallest)
        self._causes = TeamCauses(self._book, self._floor, smallest)
        self._personal = PersonalAlerts(
            self._book, self._floor, self._budget, self._causes, self._technical
        )

    def step(self, arrivals: Sequence[Arrival], now: datetime) -> Outputs:
        """Take in `arrivals`, in journal order, and return what follows at `now`.

        Parameters
        ----------
        arrivals : sequence of Arrival
            Without duplicates: the journal is unique by agent, run and seq.
        now : datetime
            Server clock, UTC; never earlier than in the step before.

        Returns
        -------
        Outputs
            Points in order, then notices and alerts, each alert once; and what
            some agents are told about themselves.
        """
        points = Gathered()
        for arrival in arrivals:
            if not isinstance(arrival.message, ReadingMessage):
                self._hear(arrival, now)
        self._contexts.step(now)
        self._floor.follow_site(now.timestamp())
        for windows in self._floor.rounds(arrivals):
            self._judge(windows, now, points)
        self._summaries.step(now, points)
        self._technical.step(now)
        self._causes.step(now)
        self._personal.step(now)
        asking.follow(self._book, self.teams.team_of, now)
        self._book.tick(now)
        outputs = Outputs(points=points, mirrors=self._mirrors.step(now))
        outputs.extend(self._book.collect())
        return outputs

    def _judge(self, windows: Sequence[Window], now: datetime, points: Gathered) -> None:
        live = np.zeros(len(windows), bool)
        on_shift: dict[str | None, bool] = {None: False}
        for index, window in enumerate(windows):
            message = window.message
            at_s = message.window_end_at.timestamp()
            self._floor.find_team(window, at_s)
            self._technical.window(window.agent, message, at_s, now, late=window.late)
            team = self._floor.team(window.row)
            if team not in on_shift:
                on_shift[team] = team is not None and self.teams.in_shift(team, now)
            live[index] = on_shift[team] and not window.late
        contexts = self._contexts.states
        judged = self._floor.judge(windows, live, now.timestamp(), contexts)
        points.later(Record.of(self.site, self._floor, judged, contexts))
        self._mirrors.take(judged)
        self._summaries.take(judged, now.timestamp(), points)
        self._personal.begin(judged, now)

    def _hear(self, arrival: Arrival, now: datetime) -> None:
        """Take in a message that is no reading; consent is the journal's business."""
        agent = arrival.agent
        match arrival.message:
            case DecisionMessage(action=Action.SILENCE) as message:
                of_agent = message.agent and self.teams.team_of(message.agent, now)
                self._book.silence(message, message.team or of_agent, now)
            case DecisionMessage() as message:
                closed = self._book.decide(message, now)
                if closed is not None:
                    self._personal.answered(closed, now)
            case AuditMessage() as message:
                self._look(message, now)
            case RequestMessage() as message if agent is not None:
                team = self.teams.team_of(agent, now)
                asking.hear(self._book, agent, team, message, now)
            case ReplyMessage() as message if agent is not None:
                self._answer(agent, message, now)
            case ContextMessage() as message if agent is not None:
                self._contexts.hear(agent, message, now)
            case StatusMessage() as message if agent is not None:
                self._technical.status(agent, message)
            case _:
                pass

    def _look(self, message: AuditMessage, now: datetime) -> None:
        if not self._book.first_time(message.id, now):
            return
        out = self._book.out
        out.points.append(points_out.audit(self.site, message))
        told = notices.looked(self.site, message)
        if told is not None and message.kind is AuditKind.VIEWED_PERSON:
            out.publications.append(told)

    def _answer(self, agent: str, message: ReplyMessage, now: datetime) -> None:
        if not self._book.first_time(message.id, now):
            return
        effect = "recorded"
        if message.kind is ReplyKind.FINE:
            effect = self._personal.says_fine(agent, now)
        elif message.kind is ReplyKind.DIFFERENT_TODAY:
            self._floor.differs_today(agent)
            effect = "applied"
        self._book.out.points.append(points_out.reply(self.site, agent, message, effect))

    @property
    def floor(self) -> Floor:
        """Everybody's rows; to look at, not to change."""
        return self._floor

    def open_alerts(self) -> list[AlertMessage]:
        """Return what stands on the dashboards now, oldest first."""
        return self._book.messages()

    def snapshot(self) -> bytes:
        """Return the whole state as bytes; equal states give equal bytes."""
        return bytes(self.freeze().data())

    def freeze(self) -> Frozen:
        """Return a copy of the whole state, to be made bytes of while this goes on."""
        values: dict[str, Any] = {
            "site": self.site,
            "scoring": SCORING_VERSION,
            "agents": self._floor.agents,
            "team_names": self._floor.team_names,
            "context": self._contexts.to_plain(),
            "book": self._book.to_plain(),
            "budget": self._budget.to_plain(),
            "technical": self._technical.to_plain(),
            "causes": self._causes.to_plain(),
            "personal": self._personal.to_plain(),
        }
        arrays = self._floor.to_arrays() | self._mirrors.to_arrays() | self._summaries.to_arrays()
        return snapshot.freeze(arrays, values)

    def restore(self, data: bytes) -> None:
        """Become the pipeline that :meth:`snapshot` described.

        Raises
        ------
        StateError
            If the bytes are damaged, of another version, or of another site.
        """
        arrays, values = snapshot.unpack(data)
        try:
            self._become(arrays, values)
        except (KeyError, ValueError) as error:
            raise StateError(
                f"snapshot is of another build of this program ({error!r}); "
                "use the build that wrote it, or start afresh"
            ) from error

    def _become(self, arrays: dict[str, NDArray[Any]], values: Any) -> None:
        if values["site"] != self.site:
            raise StateError(
                f"snapshot is of site {values['site']}, this is {self.site}; "
                "point the server at its own state directory"
            )
        self._floor.restore(arrays, values["agents"], values["team_names"], values["scoring"])
        told = arrays if values["scoring"] == SCORING_VERSION else {}
        self._mirrors.restore(told)
        self._summaries.restore(told)
        self._contexts.restore(values["context"])
        self._book.restore(values["book"])
        self._budget.restore(values["budget"])
        self._technical.restore(values["technical"])
        self._causes.restore(values["causes"])
        # Snapshots from before matters were followed: nothing was answered yet.
        self._personal.restore(values.get("personal", {}))
