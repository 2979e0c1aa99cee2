"""What a visitor to the page in a browser does, and what has happened before."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from analytics.signals.features import FEATURES
from sensors import codec, topics
from sensors.messages import (
    Action,
    MirrorMessage,
    NoticeKind,
    NoticeMessage,
    PersonState,
    UsualRange,
)
from tests.rig.waiting import wait_until
from tests.sensors.edge.page.makings import HIGH

if TYPE_CHECKING:
    from playwright.sync_api import Page

HEARD = ("heart", "keyboard", "pointer")


def visit(chromium: "Page", page) -> None:
    chromium.goto(page.address())
    chromium.get_by_role("heading", name="K7").wait_for()


def fill(server, *, state: PersonState = PersonState.DIFFERENT) -> None:
    """Let one of everything have happened."""
    now = datetime.now(UTC)

    def tell(minutes_ago: float, kind: NoticeKind, **more) -> None:
        at = now - timedelta(minutes=minutes_ago)
        notice = NoticeMessage(id=f"notice{minutes_ago:04.0f}", at=at, kind=kind, **more)
        server.connection.publish(topics.notice("main", "k7"), codec.encode(notice))

    usual = tuple(
        UsualRange(
            feature=f.name, unit=f.unit, low=1, high=3, hours=n, now=n / 4 if n % 3 else None
        )
        for n, f in enumerate(FEATURES)
    )
    mirror = MirrorMessage(
        at=now, state=state, strain_index=97, evidence=5.2, threshold=4.6, quality=0.8, usual=usual
    )
    server.connection.publish(topics.mirror("main", "k7"), codec.encode(mirror), qos=0)
    tell(90, NoticeKind.ALERT_TOLD, alert_id="alert001", contributions=HIGH)
    tell(80, NoticeKind.DECIDED, alert_id="alert001", by="ana", decision=Action.OFFER_BREAK)
    tell(70, NoticeKind.ALERT_RESOLVED, alert_id="alert001")
    tell(60, NoticeKind.WAS_IT_SO, alert_id="alert001", decision=Action.OFFER_BREAK)
    tell(50, NoticeKind.LOOKED, by="bo")
    tell(7, NoticeKind.ALERT_TOLD, alert_id="alert002", contributions=HIGH)


def filled(page, server) -> None:
    page.do(do="choose", may_heart="yes", may_keyboard="yes")
    page.do(do="help_now")
    fill(server)
    wait_until(lambda: "bo looked at you." in page.fetch(page.home).body, what="the notices")
