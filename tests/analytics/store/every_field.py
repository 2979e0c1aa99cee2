"""Points with every field that the code can write, made from messages with every field set."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np

from analytics.alerts import points_out
from analytics.alerts.alerting import Alert, Event
from analytics.pipeline import summaries
from analytics.pipeline.pipeline import Pipeline
from analytics.scoring.person_state import STATES
from analytics.signals.features import PARTS
from analytics.store.points import Point
from sensors.messages import (
    SECTIONS,
    Absence,
    Action,
    AlertKind,
    AlertMessage,
    AlertState,
    AuditKind,
    AuditMessage,
    ContextMessage,
    ContextState,
    Contribution,
    DecisionMessage,
    Heart,
    Modules,
    Outcome,
    ReadingMessage,
    ReplyKind,
    ReplyMessage,
    RequestKind,
    RequestMessage,
)
from sensors.signals import Channel, of_channel
from tests.analytics.synthetic_floor import SITE, START, Floor, teams

# Where the middle of what a message may hold is more than any person does.
_PLAUSIBLE = {
    "key_presses": 30.0, "key_corrections": 2.0, "dwell_ms": 95.0, "pointer_clicks": 3.0,
    "pointer_speed_px_s": 600.0, "loudness_db": -25.0,
}  # fmt: skip


def _middle(name: str, low: float, high: float) -> float:
    return _PLAUSIBLE.get(name, low + (high - low) * 0.4)


def _full(seq: int, rng: np.random.Generator, absent: dict[Channel, Absence]) -> ReadingMessage:
    sections: dict[str, Any] = {}
    for channel, kind in SECTIONS.items():
        values = {s.name: _middle(s.name, s.low, s.high) for s in of_channel(channel)}
        if kind is Heart:
            beats = {"rr_ms": tuple(rng.normal(800, 20, 6)), "beat_offset_ms": tuple(range(-4500, 0, 800))}  # fmt: skip
            sections[channel] = Heart(quality=1.0, **(values | beats))
        elif kind is Modules:
            skin = {
                "eda_us": values["eda_us"] + rng.normal(0, 0.1)
            }  # no skin rests to the last digit
            sections[channel] = Modules(quality=1.0, values=values | skin)
        else:
            sections[channel] = kind(quality=1.0, **values)
    given = {channel.value: s for channel, s in sections.items() if channel not in absent}
    at = START + timedelta(seconds=5 * seq)
    return ReadingMessage(
        source="pc",
        run="run00001",
        seq=seq,
        window_end_at=at,
        clock_offset_ms=12.5,
        absent=absent,
        **given,
    )


def windows() -> list[Point]:
    """Return what one agent's windows leave: all channels measured, then none."""
    rng = np.random.default_rng(3)
    floor = Floor([], Pipeline(SITE, teams(1)))
    floor.say("k0", ContextMessage(at=START, state=ContextState.READY))
    for seq in range(80):
        absent = dict.fromkeys(Channel, Absence.POOR) if seq == 79 else {}
        floor.t_s = 5.0 * seq
        floor.say("k0", _full(seq, rng, absent))
    return [*floor.points, _summary()]


def _summary() -> Point:
    """Return a minute of which every figure was known in some windows only."""
    names = len(summaries.FIGURES)
    values = {
        "minute": 1, "identity": 1, "windows": 2, "context": 1, "states": [1] * len(STATES),
        "known": [1] * names, "total": [1.0] * names,
        "least": [1.0] * len(summaries.EXTREMES), "most": [1.0] * len(summaries.GREATEST),
    }  # fmt: skip
    return summaries.point({"site": SITE, "agent": "k0"}, "billing", values, late=False)


def _alert(*parts: str) -> AlertMessage:
    return AlertMessage(
        alert_id="alert0001", kind=AlertKind.TECHNICAL, state=AlertState.FIRING, team="billing",
        started_at=START, agent="k0", request=RequestKind.HELP_NOW, fault="offline",
        channel=Channel.HEART, told_at=START, repeated_at=START, told_to=("ana", "bo"), escalated=1, taken_by="ana",
        taken_at=START, decision=Action.TALK, reason="a", follow_up_at=START, resolved_at=START,
        closed_at=START, quality=0.5, unknown=(Channel.VOICE,), affected=5, team_size=9,
        contributions=tuple(Contribution(part=part, level=1) for part in parts),
        detector_version="1",
    )  # fmt: skip


def events() -> list[Point]:
    """Return what alerts and people leave."""
    alerts = [_alert(*PARTS[:3]), _alert(*PARTS[3:])]
    decided = DecisionMessage(
        id="decision1", at=START, alert_id="alert0001", by="ana", action=Action.OUTCOME, to="bo",
        reason="a", note="b", follow_up_at=START, outcome=Outcome.HELPED,
    )  # fmt: skip
    silence = DecisionMessage(
        id="silence01", at=START, alert_id="silence01", by="ana", action=Action.SILENCE,
        reason="a", agent="k0", until_at=START,
    )  # fmt: skip
    answered = ReplyMessage(
        id="answer001", at=START, kind=ReplyKind.SELF_REPORT, alert_id="alert0001", answer=True,
        demanding=1, recovered=2,
    )  # fmt: skip
    looked = AuditMessage(id="looked001", at=START, by="ana", kind=AuditKind.SIGNED_IN, agent="k0")
    of_silences = {"agent", "team", "until_at"}
    for message in (*alerts, decided, answered, looked):
        unset = [f.name for f in fields(message) if getattr(message, f.name) in {None, ()}]
        unset = [name for name in unset if message is not decided or name not in of_silences]
        assert not unset, f"set {unset} of {type(message).__name__} here and look at the page"
    asked = RequestMessage(id="asked0001", at=START, kind=RequestKind.EXPORT)
    return [
        *(
            points_out.transition(
                SITE,
                Alert(message=a, inhibited_by="other001", silenced_by="silence01"),
                Event.FIRE,
                START,
            )
            for a in alerts
        ),
        points_out.decision(SITE, decided, alerts[0], "applied"),
        points_out.silence(SITE, silence, "billing", "applied"),
        points_out.reply(SITE, "k0", answered, "recorded"),
        points_out.request(SITE, "k0", asked, "recorded"),
        points_out.audit(SITE, looked),
    ]
