"""No sequence of evidence, people, faults and time brings the alerts where they must not be.

Each property is shown able to fail in ``test_alert_mutants.py``.
"""

from collections import defaultdict
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from analytics.alerts.alert_book import REMEMBERED
from analytics.alerts.matters import ENDS_AFTER
from analytics.store.points import Measurement, Point
from sensors.messages import (
    DECISIONS,
    Action,
    AlertKind,
    AlertMessage,
    AlertState,
    DecisionMessage,
    NoticeKind,
    Outcome,
    ReplyKind,
    ReplyMessage,
    RequestKind,
    RequestMessage,
)
from tests.analytics.evidence_by_hand import Evidence

AGENTS = tuple(f"k{i}" for i in range(5))
SUPERVISORS = ("ana", "bo")
CEILING = 2
agents = st.sampled_from(AGENTS)
ANSWERS = [action for action in Action if action is not Action.SILENCE]
people = st.sampled_from([*SUPERVISORS, "cy"])


class AlertMachine(RuleBasedStateMachine):
    """Two servers hear the same; one of them is restarted now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.evidence = Evidence(len(AGENTS), supervisors=list(SUPERVISORS))
        self.steady = Evidence(len(AGENTS), supervisors=list(SUPERVISORS))
        self.ids = 0
        self.decisions: list[DecisionMessage] = []
        self.ever: list[str] = []
        self.finished: set[str] = set()
        self.episode: dict[str, int] = defaultdict(int)
        self.calm_since: dict[str, float] = {}
        self.told: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.notices: dict[tuple[str, int], int] = defaultdict(int)
        self.silent_until: dict[str, float] = {}
        self.opened: set[str] = set()
        self.left: set[str] = set()
        self.step()

    def step(self, *said: tuple[str | None, object]) -> None:
        self.opened |= {alert.message.alert_id for alert in self.evidence.pipeline._book}
        tellings, notices = len(self.evidence.tellings), len(self.evidence.floor.notices)
        published = {k: len(v) for k, v in self.evidence.floor.alerts.items()}
        points = self.evidence.step(*said)
        assert self.steady.step(*said) == points, "a restart changed what follows"
        for alert_id, messages in self.evidence.floor.alerts.items():
            for message in messages[published.get(alert_id, 0) :]:
                self.published(alert_id, message)
        for one in self.evidence.tellings[tellings:]:
            assert one.agent not in self.evidence.faulty, "told on the word of a broken headset"
            for muted in (one.agent, "billing"):
                assert one.t_s >= self.silent_until.get(muted, 0.0), "told in a silence"
            self.told[one.agent, self.episode[one.agent]].add(one.alert_id)
        for agent, notice in self.evidence.floor.notices[notices:]:
            if notice.kind is NoticeKind.ALERT_TOLD:
                self.notices[agent, self.episode[agent]] += 1
        self.record(points)

    def record(self, points: list[Point]) -> None:
        self.opened |= {alert.message.alert_id for alert in self.evidence.pipeline._book}
        self.left |= {
            str(p.fields["alert_id"])
            for p in points
            if p.measurement is Measurement.TRANSITION and p.fields["state"] in {"closed", "gone"}
        }
        closed = {
            str(p.fields["alert_id"])
            for p in points
            if p.measurement is Measurement.TRANSITION and p.fields["event"] == "decide"
        }
        decided = {d.alert_id for d in self.decisions if d.action in DECISIONS}
        assert closed <= decided, "closed without a person's decision"

    def published(self, alert_id: str, message: AlertMessage | None) -> None:
        assert alert_id not in self.finished or message is None, "a closed alert came back"
        if message is None:
            return
        if message.kind is AlertKind.TEAM and message.state is AlertState.FIRING:
            until_s = self.silent_until.get(message.team, 0.0)
            assert self.evidence.floor.t_s >= until_s, "a team told in a silence"
        if alert_id not in self.ever:
            self.ever.append(alert_id)
        decided = message.decision in DECISIONS - {Action.CANNOT_NOW}
        assert (message.state is AlertState.CLOSED) == decided == (message.closed_at is not None)
        assert (message.taken_by is None) == (message.taken_at is None)
        assert message.told_at is not None or message.state is AlertState.PENDING
        if message.state is AlertState.PENDING:
            assert message.contributions == ()
            assert message.kind is AlertKind.PERSONAL, "only personal alerts wait for room"
        if message.state is AlertState.CLOSED:
            self.finished.add(alert_id)

    def fresh_id(self) -> str:
        self.ids += 1
        return f"message{self.ids}"

    @rule(agent=agents)
    def episode_begins(self, agent: str) -> None:
        calm_s = self.evidence.floor.t_s - self.calm_since.pop(agent, float("-inf"))
        if agent not in self.evidence.standing and calm_s >= ENDS_AFTER.total_seconds():
            self.episode[agent] += 1  # else it flickered: the same episode
        self.evidence.begin(agent)
        self.steady.begin(agent)
        self.step()

    @rule(agent=agents)
    def evidence_goes(self, agent: str) -> None:
        if agent in self.evidence.standing:
            self.calm_since[agent] = self.evidence.floor.t_s
        self.evidence.end(agent)
        self.steady.end(agent)
        self.step()

    @rule(agent=agents, seconds=st.sampled_from([5, 120, 400]))
    def evidence_flickers(self, agent: str, seconds: int) -> None:
        self.evidence_goes(agent)
        self.time_passes(seconds)
        self.episode_begins(agent)

    @rule(agent=agents, broken=st.booleans())
    def headset(self, agent: str, broken: bool) -> None:
        self.evidence.break_heart(agent, broken=broken)
        self.steady.break_heart(agent, broken=broken)
        self.step()

    @rule(seconds=st.sampled_from([1, 30, 130, 400, 700, 1900, 3700, 50_000]))
    def time_passes(self, seconds: int) -> None:
        self.evidence.floor.t_s += seconds
        self.steady.floor.t_s += seconds
        self.step()

    @rule(agent=agents, kind=st.sampled_from(RequestKind))
    def asks(self, agent: str, kind: RequestKind) -> None:
        self.step(
            (agent, RequestMessage(id=self.fresh_id(), at=self.evidence.floor.now, kind=kind))
        )

    @rule(agent=agents, kind=st.sampled_from(ReplyKind))
    def answers(self, agent: str, kind: ReplyKind) -> None:
        self.step((agent, ReplyMessage(id=self.fresh_id(), at=self.evidence.floor.now, kind=kind)))

    @rule(data=st.data(), action=st.sampled_from(ANSWERS), by=people, to=people)
    def decides(self, data: st.DataObject, action: Action, by: str, to: str) -> None:
        known = st.sampled_from(self.ever) if self.ever else st.nothing()
        self.decide(data.draw(known | st.just("0123456789abcdef")), action, by, to)

    def decide(self, alert_id: str, action: Action, by: str = "ana", to: str = "bo") -> None:
        message = DecisionMessage(
            id=self.fresh_id(),
            at=self.evidence.floor.now,
            alert_id=alert_id,
            by=by,
            action=action,
            to=to if action is Action.CANNOT_NOW else None,
            outcome=Outcome.HELPED if action is Action.OUTCOME else None,
        )
        self.decisions.append(message)
        self.step((None, message))

    @rule(agent=st.none() | agents, minutes=st.sampled_from([0, 20, 300, 900]), by=people)
    def silences(self, agent: str | None, minutes: int, by: str = "ana") -> None:
        identity, now = self.fresh_id(), self.evidence.floor.now
        message = DecisionMessage(
            id=identity,
            at=now,
            alert_id=identity,
            by=by,
            action=Action.SILENCE,
            agent=agent,
            team=None if agent else "billing",
            until_at=now + timedelta(minutes=minutes),
            reason="drill",
        )
        if by in SUPERVISORS and minutes <= 12 * 60:
            self.silent_until[agent or "billing"] = self.evidence.floor.t_s + 60 * minutes
        self.step((None, message))

    def recent(self) -> list[DecisionMessage]:
        return [d for d in self.decisions if self.evidence.floor.now - d.at < REMEMBERED]

    @precondition(lambda self: self.recent())
    @rule(data=st.data())
    def decision_is_told_again(self, data: st.DataObject) -> None:
        self.tell_again(data.draw(st.sampled_from(self.recent())))

    def tell_again(self, message: DecisionMessage) -> None:
        before = self.evidence.pipeline.open_alerts()
        assert self.evidence.step((None, message)) == [], "a retelling counted twice"
        assert self.steady.step((None, message)) == []
        assert self.evidence.pipeline.open_alerts() == before

    @rule()
    def server_restarts(self) -> None:
        self.evidence.restart()

    @invariant()
    def one_personal_alert_per_person(self) -> None:
        book = self.evidence.pipeline._book
        of = [a.message.agent for a in book.of_kind(AlertKind.PERSONAL)]
        assert len(of) == len(set(of))

    @invariant()
    def one_episode_is_one_alert_and_one_notice(self) -> None:
        assert all(len(told) == 1 for told in self.told.values()), "one episode, two alerts"
        assert all(count == 1 for count in self.notices.values()), "one episode, two notices"

    @invariant()
    def nothing_leaves_without_a_record(self) -> None:
        still_open = {alert.message.alert_id for alert in self.evidence.pipeline._book}
        assert self.opened - still_open <= self.left, "left without a record"

    @invariant()
    def retained_topics_hold_what_is_open(self) -> None:
        alerts = self.evidence.floor.alerts
        standing = {k: v[-1] for k, v in alerts.items() if v[-1] is not None}
        assert standing == {a.alert_id: a for a in self.evidence.pipeline.open_alerts()}

    @invariant()
    def requests_are_always_seen(self) -> None:
        book = self.evidence.pipeline._book
        asking = {a.message.alert_id for a in book.of_kind(AlertKind.REQUEST)}
        seen = {a.alert_id for a in self.evidence.pipeline.open_alerts()}
        assert asking <= seen, "somebody asks and is not seen"

    @invariant()
    def never_above_the_ceiling(self) -> None:
        for who in (*SUPERVISORS, "cy"):
            assert self.evidence.most_in_an_hour(who) <= CEILING, "above the ceiling"


AlertMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=timedelta(seconds=5)
)
TestAlertMachine = AlertMachine.TestCase
