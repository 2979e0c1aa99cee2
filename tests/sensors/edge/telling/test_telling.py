"""Notices that keep their manners: when, how often and in which words (TRUST A6, T10)."""

from datetime import UTC, datetime, timedelta

import pytest

from sensors.edge.telling.telling import LIMIT, SHIFT, Telling
from sensors.messages import Action, ContextState, Contribution, NoticeKind, NoticeMessage
from sensors.spoken import answering_in
from sensors.words import Words

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
_numbers = iter(range(10**6))


def notice(kind: NoticeKind, about: str = "alert0001", **values: object) -> NoticeMessage:
    identity = f"notice{next(_numbers):06d}"
    return NoticeMessage(id=identity, at=NOW, kind=kind, alert_id=about, **values)


def told(about: str = "alert0001") -> NoticeMessage:
    found = (Contribution(part="heart", level=2), Contribution(part="typing", level=-1))
    return notice(NoticeKind.ALERT_TOLD, about, contributions=found)


def test_an_alert_is_told_in_sentences_with_what_happens_if_it_is_ignored():
    telling = Telling()
    telling.take(told())
    (line,) = telling.due(NOW)
    assert line == (
        "Your supervisor was told that you differ from your own usual. Heart well above, typing"
        " below. If you do nothing, they may speak to you; nothing happens by itself. If you are"
        " fine, say so: wellbeing edge fine."
    )
    assert telling.due(NOW + HOUR) == []


def test_on_a_machine_that_nothing_leaves_nobody_else_is_said_to_know():
    telling = Telling(is_private=True)
    telling.take(told())
    (line,) = telling.due(NOW)
    assert "nobody else is told" in line
    assert "If you do nothing, nothing happens." in line
    assert "supervisor" not in line
    telling.take(notice(NoticeKind.ERASED))
    (line,) = telling.due(NOW)
    assert line.startswith("What was kept about you here has been erased.")
    assert "server" not in line


def test_nothing_interrupts_a_call_and_what_gathered_is_said_once_after_it():
    telling = Telling()
    telling.context(ContextState.ON_CALL)
    telling.take(told("alert0001"))
    telling.take(notice(NoticeKind.WAS_IT_SO, "alert0000"))
    telling.remind(timedelta(minutes=61))
    assert telling.due(NOW) == []
    telling.context(ContextState.WRAP_UP)
    (line,) = telling.due(NOW)
    for words in ("differ from your own usual", "whether it was so", "61 minutes", "If you do not"):
        assert words in line
    assert telling.told_at == [NOW], "said at once, counted once"


def test_twice_in_a_shift_and_the_rest_stands_on_the_page():
    telling = Telling()
    lines = []
    for hour in range(10):
        telling.take(told(f"alert{hour:04d}"))
        lines += telling.due(NOW + hour * HOUR)
    assert len(lines) == LIMIT == 2
    assert telling.on_page == 8
    telling.take(told("alert0999"))
    assert len(telling.due(NOW + SHIFT)) == 1, "the next shift"


def test_a_restart_does_not_count_anew():
    telling = Telling([NOW - HOUR, NOW - 2 * HOUR])
    telling.take(told())
    assert telling.due(NOW) == []
    assert telling.on_page == 1


def test_a_clock_that_was_years_ahead_silences_nobody():
    telling = Telling([NOW + 3650 * 24 * HOUR] * 2)
    telling.take(told())
    assert len(telling.due(NOW)) == 1
    assert telling.told_at == [NOW]
    set_back = Telling([NOW + HOUR] * 2)  # by a little: these were in this shift
    set_back.take(told())
    assert set_back.due(NOW) == []


@pytest.mark.parametrize(
    "kind",
    [NoticeKind.LOOKED, NoticeKind.TAKEN, NoticeKind.DECIDED, NoticeKind.ALERT_RESOLVED],
)
def test_what_is_for_the_page_interrupts_nobody(kind):
    telling = Telling()
    decision = Action.TALK if kind is NoticeKind.DECIDED else None
    telling.take(notice(kind, by="ana", decision=decision))
    assert telling.due(NOW) == []
    assert telling.told_at == []
    assert telling.on_page == 1


def test_answers_to_ones_own_request_come_at_once_and_do_not_count():
    telling = Telling([NOW, NOW])  # nothing else may be said any more
    telling.context(ContextState.ON_CALL)
    answers = [
        notice(NoticeKind.REQUEST_RECEIVED, "request01", by="ana"),
        notice(NoticeKind.REQUEST_PASSED_ON, "request01", by="bo"),
        notice(NoticeKind.TAKEN, "request01", by="bo"),
        notice(NoticeKind.DECIDED, "request01", by="bo", decision=Action.OFFER_BREAK),
    ]
    lines = []
    for one in answers:
        telling.take(one)
        lines += telling.due(NOW)
    assert len(lines) == 4
    assert lines[2] == "bo answers you."
    assert telling.told_at == [NOW, NOW]
    assert telling.on_page == 0


def test_what_was_over_before_it_could_be_said_is_not_said():
    telling = Telling()
    telling.context(ContextState.ON_CALL)
    telling.take(told())
    telling.take(notice(NoticeKind.ALERT_RESOLVED))
    telling.context(ContextState.READY)
    assert telling.due(NOW) == []
    assert telling.on_page == 2


def test_the_same_notice_told_again_is_said_once():
    telling = Telling()
    one = told()
    for _ in range(3):
        telling.take(one)
        telling.due(NOW)
    assert telling.told_at == [NOW]
    assert telling.on_page == 0


def test_a_reminder_leaves_room_for_what_concerns_the_agent():
    telling = Telling()
    telling.remind(HOUR)
    assert len(telling.due(NOW, keep_free=1)) == 1
    telling.remind(HOUR)
    assert telling.due(NOW + HOUR, keep_free=1) == []
    telling.take(told())
    assert len(telling.due(NOW + HOUR, keep_free=1)) == 1
    without_sensors = Telling([NOW])
    without_sensors.remind(HOUR)
    assert len(without_sensors.due(NOW + HOUR)) == 1


def test_a_reminder_that_a_break_overtakes_is_not_said():
    telling = Telling()
    telling.context(ContextState.ON_CALL)
    telling.remind(HOUR)
    telling.due(NOW)
    telling.context(ContextState.BREAK)
    telling.remind(None)
    assert telling.due(NOW) == []


def test_it_speaks_the_agents_language():
    telling = Telling()
    telling.take(told())
    with answering_in(Words("zh_CN")):
        (line,) = telling.due(NOW)
    assert not line.startswith("Your supervisor")


def test_the_last_question_is_known_for_the_answer():
    telling = Telling()
    assert telling.asked is None
    telling.take(notice(NoticeKind.WAS_IT_SO, "alert0007"))
    assert telling.asked == "alert0007"


def test_no_word_of_the_wire_is_said():
    for kind in NoticeKind:
        telling = Telling()
        telling.take(notice(kind, by="ana", decision=Action.TALK))
        for line in telling.due(NOW):
            assert not any(k.value in line for k in NoticeKind if "_" in k.value), line
            assert line[0].isupper() or line.startswith("ana ")
            assert line.endswith((".", "?"))


def test_what_comes_back_stands_on_the_page_and_interrupts_nobody_again():
    telling = Telling()
    telling.take(told())
    assert len(telling.due(NOW)) == 1
    for _ in range(5):
        telling.take(notice(NoticeKind.ALERT_RESOLVED))
        telling.take(notice(NoticeKind.ALERT_SHOWN_AGAIN))
    assert telling.due(NOW + HOUR) == []
    assert telling.on_page == 10


def test_what_was_over_before_it_could_be_said_is_said_when_it_is_back():
    telling = Telling()
    telling.context(ContextState.ON_CALL)
    telling.take(told())
    telling.take(notice(NoticeKind.ALERT_RESOLVED))
    telling.take(notice(NoticeKind.ALERT_SHOWN_AGAIN))
    telling.context(ContextState.WRAP_UP)
    (line,) = telling.due(NOW)
    assert "your supervisor sees it again" in line
    assert "If you do nothing, they may speak to you" in line
    telling.take(notice(NoticeKind.ALERT_SHOWN_AGAIN))
    assert telling.due(NOW + HOUR) == []
