"""Facts for the pure parts of the page."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sensors.edge.consent.permission import Event, Permission
from sensors.edge.page.facts import Facts
from sensors.messages import (
    Contribution,
    Heart,
    MirrorMessage,
    NoticeKind,
    NoticeMessage,
    PersonState,
    ReadingMessage,
)
from sensors.signals import Channel
from sensors.words import Words

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
EN, ZH = Words("en"), Words("zh_CN")
BOTH = (Channel.HEART, Channel.VOICE)


def report(**changes: Any) -> dict[str, Any]:
    given = {
        "agent": "k7",
        "connected": True,
        "held": 1,
        "windows": 100,
        "dropped": 0,
        "channels": {"heart": "ok", "voice": "ok"},
    }
    return {**given, **changes}


def allowing(*channels: Channel, events: tuple[Event, ...] = ()) -> Permission:
    permission = Permission().consenting(channels, NOW)
    for event in events:
        permission = permission.after(event)
    return permission


def facts(**changes: Any) -> Facts:
    given = {"now": NOW, "report": report(), "permission": allowing(*BOTH), "channels": BOTH}
    return Facts(**{**given, **changes})


def mirror(state: PersonState = PersonState.AS_USUAL, **changes: Any) -> MirrorMessage:
    return MirrorMessage(at=NOW, state=state, **changes)


def notice(kind: NoticeKind, minutes_ago: float = 5, **changes: Any) -> NoticeMessage:
    at = NOW - timedelta(minutes=minutes_ago)
    name = f"{kind.value.replace('_', '')}{round(minutes_ago * 100)}"[:32]
    made = NoticeMessage(id=name, at=at, kind=kind)
    return replace(made, **changes)


HIGH = (Contribution(part="heart", level=2), Contribution(part="typing", level=-1))


def window() -> ReadingMessage:
    heart = Heart(quality=0.9, hr_bpm=71.5)
    return ReadingMessage(source="pc", run="a" * 16, seq=3, window_end_at=NOW, heart=heart)
