"""From a form to a command."""

import pytest

from sensors.edge.consent.permission import Permission
from sensors.edge.page.orders import CHOSEN, LEFT, Order, order_of
from sensors.edge.page.remembered import Asked, Remembered, load, save
from sensors.errors import ConfigurationError
from sensors.messages import RequestKind
from sensors.signals import Channel
from tests.sensors.edge.page.makings import EN, NOW, allowing


def order(permission=None, **form):
    return order_of(form, permission or Permission(), EN)


@pytest.mark.parametrize(
    ("form", "command", "words"),
    [
        ({"do": "pause"}, "pause", ()),
        ({"do": "resume"}, "resume", ()),
        ({"do": "help_now"}, "ask", ("help_now",)),
        ({"do": "break_please"}, "ask", ("break_please",)),
        ({"do": "cancel"}, "ask", ("cancel",)),
        ({"do": "export"}, "ask", ("export",)),
        ({"do": "erase", "sure": "yes"}, "ask", ("erase",)),
        ({"do": "fine"}, "reply", ("fine",)),
        ({"do": "different_today"}, "reply", ("different_today",)),
        ({"do": "report", "demanding": "8", "recovered": ""}, "reply", ("self_report", "8", "-")),
        (
            {"do": "answer", "alert": "a1", "answer": "was_it_so no"},
            "reply",
            ("was_it_so", "a1", "no"),
        ),
        ({"do": "language", "language": "zh_CN"}, "language", ("zh_CN",)),
        ({"do": "leave"}, "withdraw", ()),
    ],
)
def test_every_form(form, command, words):
    found = order(**form)
    assert (found.command, found.words) == (command, words)


def test_only_a_clear_yes_is_consent():
    found = order(do="choose", may_heart="yes", may_voice="no", may_keyboard="maybe")
    assert found == Order("consent", ("heart",), CHOSEN)
    assert order(do="choose").words == ("none",)


def test_allowing_one_keeps_the_others_and_withdrawing_one_takes_only_it():
    given = allowing(Channel.VOICE)
    assert order(given, do="allow", channel="heart").words == ("heart", "voice")
    assert order(given, do="withdraw", channel="voice").words == ("voice",)


def test_a_withdrawal_that_names_none_is_refused_and_not_taken_for_all():
    with pytest.raises(ConfigurationError, match="no channel"):
        order(do="withdraw", channel="")
    assert order(do="leave").said == LEFT


@pytest.mark.parametrize("do", ["erase", "forget"])
def test_what_cannot_be_undone_needs_a_tick(do):
    with pytest.raises(ConfigurationError, match="tick"):
        order(do=do)
    assert order(do=do, sure="yes")


@pytest.mark.parametrize("form", [{}, {"do": "dance"}, {"do": ""}])
def test_an_unknown_form_says_what_to_do(form):
    with pytest.raises(ConfigurationError, match="load it again"):
        order(**form)


def test_a_request_is_remembered_until_it_is_taken_back(tmp_path):
    asked = Remembered().after("ask", ("help_now",), NOW)
    assert asked.asked == Asked(RequestKind.HELP_NOW, NOW, since=NOW)
    assert asked.after("ask", ("export",), NOW).asked == asked.asked
    save(tmp_path / "k7" / "page.json", asked)
    assert load(tmp_path / "k7" / "page.json") == asked
    assert asked.after("ask", ("cancel",), NOW).asked is None


def test_an_answer_is_remembered_per_question_and_may_change():
    once = Remembered().after("reply", ("was_it_so", "a1", "yes"), NOW)
    twice = once.after("reply", ("did_it_help", "a1", "no"), NOW)
    assert twice.answer("was_it_so", "a1") is True
    assert twice.answer("did_it_help", "a1") is False
    assert twice.answer("was_it_so", "a2") is None
    changed = twice.after("reply", ("was_it_so", "a1", "no"), NOW)
    assert changed.answer("was_it_so", "a1") is False


@pytest.mark.parametrize("content", [b"", b"{", b'{"language": 3}', b'{"language": "xx"}', b"[]"])
def test_a_damaged_memory_is_no_memory(tmp_path, content):
    (tmp_path / "page.json").write_bytes(content)
    assert load(tmp_path / "page.json") == Remembered()
