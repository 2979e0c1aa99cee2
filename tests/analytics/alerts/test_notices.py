"""What an agent is told: once for every time that something was shown."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics.alerts import notices
from analytics.alerts.alerting import Alert, Event, advance, alert_id
from sensors.messages import AlertKind, AlertMessage, AlertState, NoticeKind, NoticeMessage

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def told(events: list[tuple[Event, str | None]]) -> list[NoticeKind]:
    """Return what the agent is told as a personal alert goes through `events`."""
    alert = Alert(
        message=AlertMessage(
            alert_id=alert_id("k7", AT),
            kind=AlertKind.PERSONAL,
            state=AlertState.PENDING,
            team="billing",
            agent="k7",
            started_at=AT,
        )
    )
    heard = []
    for minute, (event, cause) in enumerate(events):
        at = AT + timedelta(minutes=minute)
        before, alert = alert, advance(alert, event, at, inhibited_by=cause)
        found = notices.of_event("north", before, alert, event, at, by=None)
        if found is not None:
            assert isinstance(found.message, NoticeMessage)
            heard.append(found.message.kind)
    return heard


def test_what_gives_way_is_taken_back_once_however_often_the_cause_changes():
    gives_way = [(Event.FIRE, None), (Event.INHIBIT, "cause001"), (Event.INHIBIT, "cause002")]
    assert told(gives_way) == [NoticeKind.ALERT_TOLD, NoticeKind.ALERT_RESOLVED]
    again = [*gives_way, (Event.UPDATE, None), (Event.FIRE, None), (Event.INHIBIT, "cause003")]
    assert told(again) == [
        NoticeKind.ALERT_TOLD,
        NoticeKind.ALERT_RESOLVED,
        NoticeKind.ALERT_SHOWN_AGAIN,
        NoticeKind.ALERT_RESOLVED,
    ]


@pytest.mark.parametrize(
    "flicker",
    [
        pytest.param([Event.RESOLVE, Event.RETURN], id="evidence comes and goes"),
        pytest.param([Event.RESOLVE, Event.HOLD, Event.FIRE], id="nobody has room for a while"),
        pytest.param([Event.SILENCE, Event.UPDATE, Event.FIRE], id="silence"),
        pytest.param([Event.ESCALATE], id="passed on"),
    ],
)
def test_one_alert_is_one_notice_that_may_interrupt_however_it_flickers(flicker):
    heard = told([(event, None) for event in [Event.FIRE, *flicker * 5]])
    assert heard.count(NoticeKind.ALERT_TOLD) == 1
    assert heard.count(NoticeKind.ALERT_SHOWN_AGAIN) == 5


def test_what_waited_for_room_and_went_was_over_already():
    over = [Event.FIRE, Event.RESOLVE, Event.HOLD, Event.RESOLVE]
    assert told([(event, None) for event in over]) == [
        NoticeKind.ALERT_TOLD,
        NoticeKind.ALERT_RESOLVED,
    ]


def test_nothing_is_taken_back_that_was_never_told():
    assert told([(Event.INHIBIT, "cause001"), (Event.UPDATE, None)]) == []
