"""A floor that lived through everything a researcher asks about, as the real pipeline tells it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from analytics.pipeline.pipeline import Pipeline
from sensors.messages import (
    Absence,
    Action,
    AlertKind,
    AlertState,
    AuditKind,
    AuditMessage,
    ContextMessage,
    ContextState,
    Outcome,
    ReadingMessage,
    ReplyKind,
    ReplyMessage,
    RequestKind,
    RequestMessage,
)
from sensors.signals import Channel
from tests.analytics import synthetic_floor
from tests.analytics.synthetic_floor import SITE, Floor, Person, strained_after, teams

LOST = 7
"""Windows of k3 that never arrive."""

OFFSET_MIN = 330
"""All live five and a half hours ahead of UTC. [min]"""

TAKEN_AFTER_S = 40.0

LENGTH = timedelta(minutes=25)


@dataclass
class Local(Person):
    """A person whose clock says where they live."""

    def window(self, t_s: float) -> ReadingMessage:
        return replace(super().window(t_s), utc_offset_min=OFFSET_MIN)


def _without_headset(t_s: float) -> dict[Channel, Absence]:
    return dict.fromkeys(Channel, Absence.NOT_WORN) if 300 <= t_s < 600 else {}


def lived() -> Floor:
    """Return a floor whose last 25 minutes end now: four people, one of them strained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_floor, "START", datetime.now(UTC) - LENGTH)
        people = [
            Local("k0"),
            Local("k1", strained_after(900)),
            Local("k2", absent=_without_headset),
            Local("k3"),
        ]
        floor = Floor(people, Pipeline(SITE, teams(4)))
        floor.say("k1", ContextMessage(at=floor.now, state=ContextState.ON_CALL))
        floor.run(600)
        people[3].seq += LOST
        floor.run(60)
        _one_comes_late(floor)
        assert floor.run(600, until=lambda: _firing(floor)), "nobody was told of k1"
        _what_people_did(floor)
    return floor


def _firing(floor: Floor) -> bool:
    return any(a.state is AlertState.FIRING for a in floor.open(AlertKind.PERSONAL))


def _one_comes_late(floor: Floor) -> None:
    floor.t_s += 5.0
    *others, held = floor.windows()
    floor.feed(others)
    floor.run(60)
    floor.say(held.agent, held.message)


def _what_people_did(floor: Floor) -> None:
    (alert,) = floor.open(AlertKind.PERSONAL)
    floor.run(TAKEN_AFTER_S)
    floor.say(None, AuditMessage(id="looked01", at=floor.now, by="ana", kind=AuditKind.VIEWED_PERSON, agent="k1"))  # fmt: skip
    floor.decide(alert.alert_id, Action.TAKE)
    floor.decide(alert.alert_id, Action.TAKE, by="bo")
    floor.run(30)
    floor.decide(alert.alert_id, Action.TALK, reason="workload", note="çay, 茶")
    floor.run(30)
    floor.decide(alert.alert_id, Action.OUTCOME, outcome=Outcome.HELPED)
    floor.say("k3", RequestMessage(id="asks0001", at=floor.now, kind=RequestKind.BREAK_PLEASE))
    (asked,) = floor.open(AlertKind.REQUEST)
    floor.decide(asked.alert_id, Action.TAKE)
    floor.decide(asked.alert_id, Action.OFFER_BREAK)
    for agent, demanding in (("k1", 8), ("k0", 3)):
        floor.run(5)
        floor.say(
            agent,
            ReplyMessage(
                id=f"report{agent}", at=floor.now, kind=ReplyKind.SELF_REPORT,
                demanding=demanding, recovered=10 - demanding,
            ),
        )  # fmt: skip
