"""Facts to words: pure, and the only place that phrases what is shown."""

from __future__ import annotations

from datetime import datetime, tzinfo

from dashboard import clocks
from dashboard.cards import Card
from dashboard.records import Standing
from sensors.messages import Outcome, RequestKind
from sensors.shown import FAULT_WORDS, bands, channel, clock, duration, first_upper
from sensors.words import N_, Words

MAX_WORDS = 25
"""Length of a signal's sentence. SCREENS.md, *Signals*."""

GOOD_QUALITY, FAIR_QUALITY = 0.75, 0.4
"""Where the words for quality change; thirds-like, this project's own choice."""

OUTCOME_WORDS: dict[Outcome, str] = {
    Outcome.HELPED: N_("Helped"),
    Outcome.NO_CHANGE: N_("No change"),
    Outcome.DECLINED: N_("Declined"),
    Outcome.NOT_REACHED: N_("Not reached"),
}
REASON_WORDS: dict[str, str] = {
    "hard_call": N_("A hard call"),
    "many_calls": N_("Many calls in a row"),
    "system_trouble": N_("Trouble with systems"),
    "unclear_rules": N_("Unclear rules"),
    "not_the_work": N_("Not about work"),
    "sensor": N_("The sensor, not the person"),
    "other": N_("Something else"),
}
REQUEST_WORDS: dict[RequestKind, str] = {
    RequestKind.HELP_NOW: N_("asks for help now."),
    RequestKind.BREAK_PLEASE: N_("asks for a break."),
}

CAME_ON = N_("Nobody answered before, so it came on to you.")
_ASKS = N_("asks for you.")
_BROKEN = N_("does not work")


def quality(words: Words, value: float | None) -> str:
    """Return how far the signal can be trusted, in words; unknown is said as such."""
    if value is None:
        return words.say("Signal quality unknown.")
    if value >= GOOD_QUALITY:
        return words.say("Good signal.")
    return words.say("Fair signal.") if value >= FAIR_QUALITY else words.say("Poor signal.")


def person_sentence(words: Words, card: Card, now: datetime) -> str:
    """Return what a personal alert says below the name, at most `MAX_WORDS` with it.

    What does not fit is left out in the order: when it was told, the third
    contribution, the names of unknown channels (their number stays), the
    second contribution.
    """
    lasted = duration(words, ((card.resolved_at or now) - card.started_at).total_seconds())
    waited = duration(words, (now - card.waiting_since).total_seconds())
    text = ""
    for told, contributions, named in _SHORTENING:
        text = _person(words, card, lasted, waited, told=told, limit=contributions, named=named)
        if _length(card.title, text) <= MAX_WORDS:
            break
    return text


_SHORTENING = (
    (True, 3, True),
    (False, 3, True),
    (False, 2, True),
    (False, 2, False),
    (False, 1, False),
)


def _person(
    words: Words, card: Card, lasted: str, waited: str, *, told: bool, limit: int, named: bool
) -> str:
    if card.resolved_at is None:
        sentences = [words.say("Different from own usual for {time}.", time=lasted)]
    else:
        sentences = [words.say("Was different from own usual for {time}.", time=lasted)]
    sentences.append(bands(words, card.contributions[:limit]))
    if card.unknown and named:
        names = words.series([channel(words, c) for c in card.unknown])
        sentences.append(first_upper(words.say("{channels} unknown.", channels=names)))
    elif card.unknown:
        sentences.append(words.say("{n} unknown.", n=len(card.unknown)))
    sentences.append(quality(words, card.quality))
    if told and card.told_at is not None:
        sentences.append(words.say("Told {time}.", time=clock(card.told_at, card.zone)))
    sentences.append(waiting(words, card, waited))
    return words.join(*sentences)


def waiting(words: Words, card: Card, waited: str) -> str:
    """Return how long nobody took the card, or when somebody did."""
    if card.taken_by and card.taken_at is not None:
        return words.say("Taken {time}.", time=clock(card.taken_at, card.zone))
    return words.say("Waiting {time}.", time=waited)


def _length(title: str, text: str) -> int:
    return len(f"{title}. {text}".split())


def team_sentence(words: Words, card: Card) -> str:
    """Return what a team alert says below the team's name."""
    since = clock(card.started_at, card.zone)
    if card.affected is None or card.team_size is None:
        many = words.say("Many different since {time}.", time=since)
    else:
        many = words.say(
            "{n} of {size} different since {time}.",
            n=card.affected,
            size=card.team_size,
            time=since,
        )
    return words.join(many, words.say("Probably the work. What changed?"))


def request_sentence(words: Words, card: Card, now: datetime) -> str:
    """Return what an agent's own request says below the name."""
    asked = words.say(REQUEST_WORDS.get(card.request or RequestKind.HELP_NOW, _ASKS))
    waited = duration(words, (now - card.waiting_since).total_seconds())
    said = words.join(first_upper(asked), waiting(words, card, waited))
    if card.escalated:
        said = words.join(said, words.say(CAME_ON))
    return said


def fault_sentence(words: Words, card: Card) -> str:
    """Return what a technical alert says below whose it is."""
    what = channel(words, card.channel) if card.channel else words.say("the agent's machine")
    fault = words.say(FAULT_WORDS.get(card.fault or "", _BROKEN))
    since = words.say("since {time}", time=clock(card.started_at, card.zone))
    return f"{first_upper(what)}: {fault}, {since}."


def silence_sentence(
    words: Words, silence: Standing, by: str, zone: tzinfo, place: str = ""
) -> str:
    """Return what a standing silence says below whom it is about; `by` is a name."""
    until = clocks.told(silence.until_at, zone, place)
    said = words.say("No alerts until {time}, silenced by {name}.", time=until, name=by)
    if not silence.reason:
        return said
    return words.join(said, words.say("Why: {reason}.", reason=silence.reason.rstrip(".")))
