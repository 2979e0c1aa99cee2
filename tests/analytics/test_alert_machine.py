"""No sequence of evidence, people and time brings the alerts into a state nobody thought of."""

from collections import defaultdict
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from analytics.alert_book import REMEMBERED
from analytics.pipeline import Pipeline
from analytics.store.points import Measurement
from sensors.messages import (
    DECISIONS,
    Action,
    AlertKind,
    AlertMessage,
    AlertState,
    DecisionMessage,
    Outcome,
    ReplyKind,
    ReplyMessage,
    RequestKind,
    RequestMessage,
)
from tests.analytics.synthetic_floor import SITE, Floor, teams

AGENTS = tuple(f"k{i}" for i in range(4))
agents = st.sampled_from(AGENTS)
people = st.sampled_from(["ana", "bo", "cy"])


class AlertMachine(RuleBasedStateMachine):
    """Evidence is set by hand, everything else arrives as it does in production."""

    def __init__(self) -> None:
        super().__init__()
        self.teams = teams(len(AGENTS))
        self.floor = Floor([], Pipeline(SITE, self.teams))
        self.ids = 0
        self.decisions: list[DecisionMessage] = []
        self.ever: list[str] = []
        self.finished: dict[str, AlertMessage | None] = {}
        self.fired: dict[str, list[float]] = defaultdict(list)
        self.step()

    @property
    def pipeline(self) -> Pipeline:
        return self.floor.pipeline

    def step(self, *said: tuple[str | None, object]) -> None:
        inner = self.pipeline._floor
        for agent in AGENTS:
            row = inner.row(agent)
            inner.columns["team"][row] = 0
            inner.columns["learning"][row] = False
            inner.columns["judged_s"][row] = self.floor.now.timestamp()
        out = self.floor.feed([self.floor.arrival(a, m) for a, m in said])
        for publication in out.publications:
            if "/alert/" in publication.topic:
                self.published(publication.topic.rsplit("/", 1)[1], publication.message)
        for point in out.points:
            told = (point.fields.get("event"), point.fields.get("kind")) == ("fire", "personal")
            if point.measurement is Measurement.TRANSITION and told:
                self.fired[str(point.fields["told_to"])].append(self.floor.t_s)

    def published(self, alert_id: str, message: AlertMessage | None) -> None:
        last = self.finished.get(alert_id)
        assert last is None or message is None, "a closed alert came back"
        if message is None:
            return
        if alert_id not in self.ever:
            self.ever.append(alert_id)
        decided = message.decision in DECISIONS - {Action.CANNOT_NOW}
        assert (message.state is AlertState.CLOSED) == decided == (message.closed_at is not None)
        assert (message.taken_by is None) == (message.taken_at is None)
        assert message.told_at is not None or message.state is AlertState.PENDING
        if message.state is AlertState.PENDING:
            assert message.contributions == ()
        if message.state is AlertState.CLOSED:
            self.finished[alert_id] = message

    def fresh_id(self) -> str:
        self.ids += 1
        return f"message{self.ids}"

    @rule(agent=agents)
    def episode_begins(self, agent: str) -> None:
        inner = self.pipeline._floor
        row = inner.row(agent)
        if not inner.columns["active"][row]:
            inner.columns["active"][row] = True
            inner.columns["started_s"][row] = self.floor.now.timestamp()
            judged = SimpleNamespace(
                windows=[SimpleNamespace(row=row)],
                place=np.array([0]),
                episodes=SimpleNamespace(began=np.array([True])),
            )
            self.pipeline._personal.begin(judged, self.floor.now)
        self.step()

    @rule(agent=agents)
    def episode_ends(self, agent: str) -> None:
        inner = self.pipeline._floor
        inner.columns["active"][inner.row(agent)] = False
        self.step()

    @rule(seconds=st.sampled_from([1, 30, 130, 400, 1900, 3700, 50_000]))
    def time_passes(self, seconds: int) -> None:
        self.floor.t_s += seconds
        self.step()

    @rule(agent=agents, kind=st.sampled_from(RequestKind))
    def asks(self, agent: str, kind: RequestKind) -> None:
        self.step((agent, RequestMessage(id=self.fresh_id(), at=self.floor.now, kind=kind)))

    @rule(agent=agents, kind=st.sampled_from(ReplyKind))
    def answers(self, agent: str, kind: ReplyKind) -> None:
        self.step((agent, ReplyMessage(id=self.fresh_id(), at=self.floor.now, kind=kind)))

    @rule(data=st.data(), action=st.sampled_from(Action), by=people, to=people)
    def decides(self, data: st.DataObject, action: Action, by: str, to: str) -> None:
        known = st.sampled_from(self.ever) if self.ever else st.nothing()
        message = DecisionMessage(
            id=self.fresh_id(),
            at=self.floor.now,
            alert_id=data.draw(known | st.just("0123456789abcdef")),
            by=by,
            action=action,
            to=to if action is Action.CANNOT_NOW else None,
            outcome=Outcome.HELPED if action is Action.OUTCOME else None,
        )
        self.decisions.append(message)
        self.step((None, message))

    def recent(self) -> list[DecisionMessage]:
        return [d for d in self.decisions if self.floor.now - d.at < REMEMBERED]

    @precondition(lambda self: self.recent())
    @rule(data=st.data())
    def decision_is_told_again(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.recent()))
        before = self.pipeline.open_alerts()
        out = self.floor.feed([self.floor.arrival(None, message)])
        assert out.points == []
        assert self.pipeline.open_alerts() == before

    @rule()
    def server_restarts(self) -> None:
        kept = self.pipeline.snapshot()
        self.floor.pipeline = Pipeline(SITE, self.teams)
        self.pipeline.restore(kept)
        assert self.pipeline.snapshot() == kept

    @invariant()
    def one_personal_alert_per_person(self) -> None:
        of = [a.message.agent for a in self.pipeline._book.of_kind(AlertKind.PERSONAL)]
        assert len(of) == len(set(of))

    @invariant()
    def retained_topics_hold_what_is_open(self) -> None:
        standing = {k: v[-1] for k, v in self.floor.alerts.items() if v[-1] is not None}
        assert standing == {a.alert_id: a for a in self.pipeline.open_alerts()}

    @invariant()
    def never_above_the_ceiling(self) -> None:
        for times in self.fired.values():
            assert all(
                later - first >= 3600 for first, later in zip(times, times[2:], strict=False)
            )


AlertMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=timedelta(seconds=5)
)
TestAlertMachine = AlertMachine.TestCase
