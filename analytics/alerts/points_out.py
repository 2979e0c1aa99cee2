"""What the pipeline writes into the store: one function per measurement.

Names, tags and fields are those of :mod:`analytics.store.points`; these run
for every window of the floor, so the loops over fields are laid out once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from zlib import crc32

from analytics.alerts.alerting import Alert, Event
from analytics.signals.features import PARTS, UNKNOWN_LEVEL
from analytics.store.points import FieldValue, Measurement, Point, epoch_ns, point_time_ns
from sensors.messages import (
    SECTIONS,
    AlertMessage,
    AuditMessage,
    DecisionMessage,
    ReadingMessage,
    ReplyMessage,
    RequestMessage,
)
from sensors.signals import SIGNALS, Channel, Reduction

_Columns = tuple[tuple[str, ...], Callable[[object], tuple[float | None, ...]]]


def _columns(channel: Channel) -> _Columns:
    """Return the field names of a section's scalars, and what takes them out at once."""
    names = [f.name for f in fields(SECTIONS[channel]) if f.name in SIGNALS]
    scalars = [name for name in names if SIGNALS[name].reduction is not Reduction.ALL]
    return (f"quality_{channel.value}", *scalars), attrgetter("quality", *scalars)


SCALARS: dict[Channel, _Columns] = {
    channel: _columns(channel)
    for channel in (Channel.HEART, Channel.KEYBOARD, Channel.POINTER, Channel.VOICE)
}
"""Of each section with signals of its own: names of its fields, and what takes their values out."""

_ABSENT = {channel: f"absent_{channel.value}" for channel in Channel}
_LEVEL = tuple(f"level_{part.value}" for part in PARTS)
_NANOSECONDS_PER_MS = 1_000_000


def window_time_ns(message: ReadingMessage) -> int:
    """Return the time of a window's points: its end, moved by its run's identity."""
    return point_time_ns(message.window_end_at, message.run)


def reading(site: str, agent: str, message: ReadingMessage, time_ns: int, *, late: bool) -> Point:
    """Return what one source sent for one window: every value of every section."""
    values: dict[str, FieldValue] = {
        "run": message.run,
        "seq": message.seq,
        "utc_offset_min": message.utc_offset_min,
        "late": late,
    }
    told = message.heart, message.keyboard, message.pointer, message.voice
    for section, (names, get) in zip(told, SCALARS.values(), strict=True):
        if section is not None:
            for name, value in zip(names, get(section), strict=True):
                if value is not None:
                    values[name] = float(value)
    if message.modules is not None:
        values["quality_modules"] = float(message.modules.quality)
        for name, value in message.modules.values.items():
            values[name] = float(value)
    for channel, reason in message.absent.items():
        values[_ABSENT[channel]] = reason.value
    tags = {"site": site, "agent": agent, "source": message.source}
    return Point(Measurement.READING, tags, values, time_ns)


def beats(site: str, agent: str, message: ReadingMessage) -> list[Point]:
    """Return the heart beats of a window, each at its own time."""
    heart = message.heart
    if heart is None or not heart.rr_ms:
        return []
    tags = {"site": site, "agent": agent, "source": message.source}
    end_ns = epoch_ns(message.window_end_at)
    # Beats are hundreds of milliseconds apart, so the share of one keeps order.
    shift_ns = crc32(message.run.encode()) % 1_000_000
    base_ns, run, seq = end_ns + shift_ns, message.run, message.seq
    return [
        Point(
            Measurement.BEAT,
            tags,
            {"rr_ms": float(rr_ms), "run": run, "seq": seq},
            base_ns + round(offset_ms * _NANOSECONDS_PER_MS),
        )
        for rr_ms, offset_ms in zip(heart.rr_ms, heart.beat_offset_ms, strict=True)
    ]


def score(
    tags: dict[str, str],
    message: ReadingMessage,
    time_ns: int,
    judged: dict[str, FieldValue],
    levels: list[int],
) -> Point:
    """Return the judgement of one window.

    Parameters
    ----------
    tags : dict
        Site and agent.
    message : ReadingMessage
        The window, for its identity and its absent channels.
    time_ns : int
        From :func:`window_time_ns`.
    judged : dict
        State, team, evidence and the like; the dict becomes the point's.
    levels : list of int, one per part
        -2 to 2; ``UNKNOWN_LEVEL`` is left out.
    """
    judged["run"] = message.run
    judged["seq"] = message.seq
    # Here, too: readings are kept for a third of the time, and lunch is a local hour.
    judged["utc_offset_min"] = message.utc_offset_min
    if message.clock_offset_ms is not None:
        judged["clock_offset_ms"] = message.clock_offset_ms
    known = zip(_LEVEL, levels, strict=True)
    judged.update({name: level for name, level in known if level != UNKNOWN_LEVEL})
    for channel, reason in message.absent.items():
        judged[_ABSENT[channel]] = reason.value
    return Point(Measurement.SCORE, tags, judged, time_ns)


def transition(site: str, alert: Alert, event: Event, at: datetime) -> Point:
    """Return the record of one change of an alert's state."""
    message = alert.message
    values: dict[str, FieldValue] = {
        "alert_id": message.alert_id,
        "kind": message.kind.value,
        "state": "gone" if alert.gone else message.state.value,
        "event": event.value,
        "team": message.team,
        "escalated": message.escalated,
        "started_at": message.started_at.isoformat(),
        "detector_version": message.detector_version,
    }
    _add_stated(values, message)
    if alert.inhibited_by is not None:
        values["inhibited_by"] = alert.inhibited_by
    if alert.silenced_by is not None:
        values["silenced_by"] = alert.silenced_by
    for found in message.contributions:
        values[f"level_{found.part}"] = found.level
    tags = _tags(site, message.agent)
    identity = f"{message.alert_id}{event.value}"
    return Point(Measurement.TRANSITION, tags, values, point_time_ns(at, identity))


def _add_stated(values: dict[str, FieldValue], message: AlertMessage) -> None:
    """Add the fields of `message` that are stated, as plain values."""
    for name in ("request", "fault", "channel", "taken_by", "decision", "reason"):
        value = getattr(message, name)
        if value is not None:
            values[name] = str(value)
    for name in ("quality", "affected", "team_size"):
        value = getattr(message, name)
        if value is not None:
            values[name] = value
    if message.told_to:
        values["told_to"] = ",".join(message.told_to)
    if message.follow_up_at is not None:
        values["follow_up_at"] = message.follow_up_at.isoformat()


def decision(site: str, message: DecisionMessage, alert: AlertMessage | None, effect: str) -> Point:
    """Return the record of what a supervisor did, and whether it had an effect."""
    values: dict[str, FieldValue] = {
        "id": message.id,
        "kind": "decision",
        "alert_id": message.alert_id,
        "by": message.by,
        "action": message.action.value,
        "effect": effect,
    }
    for name in ("to", "reason", "note", "outcome"):
        value = getattr(message, name)
        if value is not None:
            values[name] = str(value)
    if message.follow_up_at is not None:
        values["follow_up_at"] = message.follow_up_at.isoformat()
    if alert is not None:
        values["team"] = alert.team
        values["alert_kind"] = alert.kind.value
    tags = _tags(site, alert.agent if alert is not None else None)
    return Point(Measurement.DECISION, tags, values, point_time_ns(message.at, message.id))


def silence(
    site: str,
    message: DecisionMessage,
    team: str | None,
    effect: str,
    heard_at: datetime | None = None,
) -> Point:
    """Return the record of who muted alerts about whom, until when and why.

    Its time is when the server heard it, at once by default: which silence is
    newest must not depend on whose clock is ahead.
    """
    values: dict[str, FieldValue] = {
        "id": message.id,
        "kind": "silence",
        "by": message.by,
        "action": message.action.value,
        "effect": effect,
    }
    if team is not None:
        values["team"] = team
    if message.reason is not None:
        values["reason"] = message.reason
    if message.until_at is not None:
        values["until_at"] = message.until_at.isoformat()
    tags = _tags(site, message.agent)
    return Point(
        Measurement.DECISION, tags, values, point_time_ns(heard_at or message.at, message.id)
    )


def reply(site: str, agent: str, message: ReplyMessage, effect: str) -> Point:
    """Return the record of what an agent answered."""
    values: dict[str, FieldValue] = {
        "id": message.id,
        "kind": "reply",
        "action": message.kind.value,
        "effect": effect,
    }
    for name in ("alert_id", "answer", "demanding", "recovered"):
        value = getattr(message, name)
        if value is not None:
            values[name] = value
    return Point(
        Measurement.DECISION, _tags(site, agent), values, point_time_ns(message.at, message.id)
    )


def request(site: str, agent: str, message: RequestMessage, effect: str) -> Point:
    """Return the record of what an agent asked for."""
    values: dict[str, FieldValue] = {
        "id": message.id,
        "kind": "request",
        "action": message.kind.value,
        "effect": effect,
    }
    return Point(
        Measurement.DECISION, _tags(site, agent), values, point_time_ns(message.at, message.id)
    )


def audit(site: str, message: AuditMessage) -> Point:
    """Return the record of who looked at whom."""
    values: dict[str, FieldValue] = {
        "id": message.id,
        "kind": "audit",
        "action": message.kind.value,
        "by": message.by,
    }
    return Point(
        Measurement.DECISION,
        _tags(site, message.agent),
        values,
        point_time_ns(message.at, message.id),
    )


def _tags(site: str, agent: str | None) -> dict[str, str]:
    return {"site": site} if agent is None else {"site": site, "agent": agent}
