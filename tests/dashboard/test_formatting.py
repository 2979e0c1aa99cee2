"""Facts to words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard import formatting
from dashboard.cards import Card, Section
from sensors.messages import DECISIONS, Action, Contribution, RequestKind
from sensors.shown import DECISION_WORDS, Shown, clock, decision, duration, part
from sensors.signals import Channel
from sensors.words import Words

EN, ZH = Words("en"), Words("zh_CN")
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 7, 1, 8, 16, tzinfo=UTC)
NOW = START + timedelta(minutes=7)

PERSON = Card(
    alert_id="aaaaaaaa01",
    section=Section.SIGNALS,
    shown=Shown.DIFFERENT,
    title="Kim Sato",
    agent="k1",
    team="billing",
    zone=BERLIN,
    started_at=START,
    waiting_since=START + timedelta(minutes=5),
    told_at=START + timedelta(minutes=5),
    quality=0.9,
    contributions=(Contribution(part="heart", level=2), Contribution(part="typing", level=-1)),
    unknown=(Channel.VOICE,),
)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "25 h"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(EN, seconds) == said


def test_times_are_those_of_the_team() -> None:
    assert clock(START, BERLIN) == "10:16"
    assert clock(START, ZoneInfo("Asia/Shanghai")) == "16:16"


def test_signal_sentence_is_that_of_the_design() -> None:
    assert formatting.person_sentence(EN, PERSON, NOW) == (
        "Different from own usual for 7 min. Heart well above, typing below. Voice unknown. "
        "Good signal. Told 10:21. Waiting 2 min."
    )
    assert formatting.person_sentence(ZH, PERSON, NOW) == (
        "与本人平时不同已 7 分钟。心率远高于平时，打字低于平时。声音未知。信号良好。"  # noqa: RUF001
        "10:21 通知。已等待 2 分钟。"
    )


@pytest.mark.parametrize("title", ["k1", "Kim Sato", "Maria del Carmen Garcia Lopez"])
@pytest.mark.parametrize("unknown", [(), (Channel.VOICE,), tuple(Channel)])
@pytest.mark.parametrize("minutes", [7, 125])
def test_signal_sentence_never_has_more_than_25_words(
    title: str, unknown: tuple[Channel, ...], minutes: int
) -> None:
    parts = tuple(Contribution(part=p, level=2) for p in ("heart", "skin", "voice"))
    card = replace(PERSON, title=title, contributions=parts, unknown=unknown)
    said = formatting.person_sentence(EN, card, START + timedelta(minutes=minutes))
    assert len(f"{title}. {said}".split()) <= formatting.MAX_WORDS
    assert "Heart well above" in said
    assert bool(unknown) == ("unknown" in said)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.9, "Good signal."), (0.5, "Fair signal."), (0.1, "Poor signal.")],
)
def test_quality(value: float, said: str) -> None:
    assert formatting.quality(EN, value) == said


def test_unknown_quality_is_not_good() -> None:
    assert formatting.quality(EN, None) == "Signal quality unknown."


def test_taken_card_no_longer_waits() -> None:
    card = replace(PERSON, taken_by="Bo", taken_at=START + timedelta(minutes=6))
    said = formatting.person_sentence(EN, card, NOW)
    assert "Taken 10:22." in said
    assert "Waiting" not in said


def test_what_is_over_is_not_told_as_going_on() -> None:
    card = replace(PERSON, resolved_at=START + timedelta(minutes=6))
    said = formatting.person_sentence(EN, card, START + timedelta(hours=1))
    assert said.startswith("Was different from own usual for 6 min.")


def test_team_sentence() -> None:
    card = replace(PERSON, agent=None, affected=9, team_size=14)
    assert formatting.team_sentence(EN, card) == (
        "9 of 14 different since 10:16. Probably the work. What changed?"
    )
    assert formatting.team_sentence(EN, replace(card, affected=None)).startswith("Many different")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (RequestKind.HELP_NOW, "Asks for help now. Waiting 2 min."),
        (RequestKind.BREAK_PLEASE, "Asks for a break. Waiting 2 min."),
    ],
)
def test_request_sentence(kind: RequestKind, said: str) -> None:
    assert formatting.request_sentence(EN, replace(PERSON, request=kind), NOW) == said


def test_passed_on_request_says_so() -> None:
    card = replace(PERSON, request=RequestKind.HELP_NOW, escalated=True)
    assert formatting.request_sentence(EN, card, NOW).endswith("so it came on to you.")


def test_fault_sentence() -> None:
    card = replace(PERSON, fault="not_worn", channel=Channel.HEART)
    assert formatting.fault_sentence(EN, card) == "Heart: not worn, since 10:16."
    card = replace(PERSON, fault="offline", channel=None)
    assert formatting.fault_sentence(EN, card) == "The agent's machine: offline, since 10:16."


def test_every_decision_has_words_in_both_languages() -> None:
    for words in (EN, ZH):
        said = [decision(words, action, "Bo") for action in DECISION_WORDS]
        assert len(set(said)) == len(said) == len(DECISIONS) + 1  # and to silence
    assert decision(EN, Action.CANNOT_NOW, "Bo") == "Can't now → Bo"


def test_unknown_part_of_a_newer_server_is_shown_as_named() -> None:
    assert part(EN, "gaze") == "gaze"
