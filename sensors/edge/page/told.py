"""What an agent is told about themselves, in sentences: who looked, and what became of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sensors.edge.page.facts import Facts
from sensors.edge.page.remembered import Asked
from sensors.messages import NoticeKind, NoticeMessage, RequestKind
from sensors.shown import bands, clock, decision
from sensors.words import N_, Words

ASKED_FOR = timedelta(days=1)
"""How long a question stays on the page; later, nobody remembers how it was."""

REQUEST_LASTS = timedelta(hours=12)
"""How long a request without an end is shown; longer than any shift."""

_EARLY = timedelta(minutes=2)
"""How far the server's clock may lag behind when it answers a request."""

_SHOWN = frozenset({NoticeKind.ALERT_TOLD, NoticeKind.ALERT_SHOWN_AGAIN})
_OF_REQUESTS = frozenset({NoticeKind.REQUEST_RECEIVED, NoticeKind.REQUEST_PASSED_ON})

REQUEST_WORDS: dict[RequestKind, str] = {
    RequestKind.HELP_NOW: N_("You asked for help at {time}."),
    RequestKind.BREAK_PLEASE: N_("You asked for a break at {time}."),
}
_BY_SOMEBODY: dict[NoticeKind, str] = {
    NoticeKind.LOOKED: N_("{name} looked at you."),
    NoticeKind.SILENCE_LIFTED: N_("{name} ended the silence: alerts about you are told again."),
}

RIGHTS_WORDS: dict[NoticeKind, str] = {
    NoticeKind.RIGHTS_NOTED: N_(
        "Your request about your data is noted. Whoever runs the server has to carry it out."
    ),
    NoticeKind.EXPORT_READY: N_(
        "A copy of your data has been made. Ask whoever runs the server for it."
    ),
    NoticeKind.ERASED: N_(
        "Everything about you was erased on the server. What was measured before is refused from"
        " now on; nothing new is kept until you allow it again. Whoever runs the server has the"
        " receipt; it names backups and copies."
    ),
    NoticeKind.ERASED_IN_PART: N_(
        "You were erased on the server, but not everywhere. Ask whoever runs it for the receipt:"
        " it names what is left and why. Nothing new is kept until you allow it again."
    ),
}
_ERASED_PRIVATE = N_(
    "What was kept about you here has been erased. Nothing new is kept until you allow it again."
)
_WAS_IT_SO = N_("Your supervisor was told at {time} that you differed. Was it so?")
_WAS_IT_SO_PRIVATE = N_("You were told at {time} that you differed. Was it so?")
_DID_IT_HELP = N_("{name} answered that with: {decision}. Did it help?")


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the agent's history."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one alert, and what was answered already."""

    kind: str
    alert_id: str
    text: str
    answer: bool | None


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of what the agent asked for."""

    lines: tuple[str, ...]
    is_open: bool
    is_heard: bool = False
    """Whether a supervisor's screen shows it."""


def when(at: datetime, now: datetime) -> str:
    """Return the time of day of `at`, with its date unless it is today's."""
    here, today = at.astimezone(), now.astimezone()
    return clock(at) if here.date() == today.date() else f"{here:%Y-%m-%d} {clock(at)}"


def history(
    words: Words, notices: Sequence[NoticeMessage], *, is_private: bool = False
) -> list[Told]:
    """Return every notice as a sentence, in the order given."""
    requests = _requests(notices)
    return [
        Told(notice.at, sentence(words, notice, requests, is_private=is_private))
        for notice in notices
    ]


def sentence(  # noqa: PLR0911 - one case per kind
    words: Words,
    notice: NoticeMessage,
    requests: frozenset[str] = frozenset(),
    *,
    is_private: bool = False,
) -> str:
    """Return what `notice` says.

    Parameters
    ----------
    words : Words
    notice : NoticeMessage
    requests : frozenset of str
        The alerts that the agent asked for: there, somebody answers.
    is_private : bool
        Nothing leaves this machine, so nobody else was told.
    """
    name = notice.by or words.say("somebody")
    is_request = notice.alert_id in requests
    match notice.kind:
        case NoticeKind.ALERT_SHOWN_AGAIN if notice.by is not None:
            return words.say("Nobody had answered, so it went on to {name}.", name=name)
        case NoticeKind.ALERT_TOLD | NoticeKind.ALERT_SHOWN_AGAIN | NoticeKind.ALERT_RESOLVED:
            return _difference(words, notice, is_private=is_private)
        case NoticeKind.TAKEN if is_request:
            return words.say("{name} answers you.", name=name)
        case NoticeKind.TAKEN:
            return words.say("{name} took it and thinks about what to do.", name=name)
        case NoticeKind.DECIDED if notice.decision is not None:
            done = decision(words, notice.decision)
            return words.say("{name} decided: {decision}.", name=name, decision=done)
        case NoticeKind.LOOKED | NoticeKind.SILENCE_LIFTED:
            return words.say(_BY_SOMEBODY[notice.kind], name=name)
        case NoticeKind.REQUEST_RECEIVED | NoticeKind.REQUEST_PASSED_ON:
            return _asked_whom(words, notice, name)
        case NoticeKind.WAS_IT_SO:
            return words.say("You were asked whether it was so.")
    if is_private and notice.kind in {NoticeKind.ERASED, NoticeKind.ERASED_IN_PART}:
        return words.say(_ERASED_PRIVATE)
    return words.say(RIGHTS_WORDS.get(notice.kind, notice.kind.value))


def _asked_whom(words: Words, notice: NoticeMessage, name: str) -> str:
    """Return who was told that the agent asked."""
    if notice.kind is NoticeKind.REQUEST_PASSED_ON:
        return words.say("Nobody had answered, so it went on to {name}.", name=name)
    if notice.by is not None:
        return words.say("Nobody has answered yet; {name} was told again.", name=name)
    return words.say("Your supervisor was told that you asked.")


def _difference(words: Words, notice: NoticeMessage, *, is_private: bool) -> str:
    """Return that the agent differs, or does no longer, and who knows of it."""
    if notice.kind is NoticeKind.ALERT_RESOLVED:
        if is_private:
            return words.say("It is over: you are as usual again.")
        return words.say("It is over: nobody is told any longer that you differ.")
    if is_private:
        said = words.say("You differ from your own usual; nobody else is told.")
    elif notice.kind is NoticeKind.ALERT_SHOWN_AGAIN:
        said = words.say("It is back, and your supervisor sees it again.")
    else:
        said = words.say("Your supervisor was told that you differ from your own usual.")
    return words.join(said, bands(words, notice.contributions))


def _requests(notices: Sequence[NoticeMessage]) -> frozenset[str]:
    return frozenset(n.alert_id for n in notices if n.kind in _OF_REQUESTS and n.alert_id)


def is_open(notices: Sequence[NoticeMessage]) -> NoticeMessage | None:
    """Return the newest notice that a supervisor was told, unless it is over; newest first."""
    over = set()
    for notice in notices:
        if notice.kind is NoticeKind.ALERT_RESOLVED:
            over.add(notice.alert_id)
        elif notice.kind in _SHOWN:
            return notice if notice.alert_id not in over else None
    return None


def progress(words: Words, facts: Facts) -> Progress | None:
    """Return what became of the agent's last request; ``None`` when there is none."""
    asked = facts.remembered.asked
    if asked is None or facts.now - asked.at > REQUEST_LASTS:
        return None
    first = words.say(REQUEST_WORDS[asked.kind], time=clock(asked.at))
    mine = _asked_for(facts, asked)
    answers = [n for n in reversed(facts.notices) if n.alert_id in mine]
    if not answers:
        return Progress((first, words.say("Sent. No answer yet.")), is_open=True)
    lines = tuple(f"{clock(n.at)} {sentence(words, n, mine)}" for n in answers)
    is_open = answers[-1].kind is not NoticeKind.DECIDED
    return Progress((first, *lines), is_open=is_open, is_heard=True)


def _asked_for(facts: Facts, asked: Asked) -> frozenset[str]:
    """Return the alerts that are the agent's request.

    Who asks again while it is open is not told anew: the one before is meant.
    """
    over = {n.alert_id for n in facts.notices if n.kind is NoticeKind.DECIDED}
    since = max(asked.since or asked.at, asked.at - REQUEST_LASTS)
    return frozenset(
        n.alert_id
        for n in facts.notices
        if n.kind in _OF_REQUESTS and n.alert_id is not None
        if n.at >= asked.at - _EARLY or (n.at >= since - _EARLY and n.alert_id not in over)
    )


def questions(words: Words, facts: Facts) -> list[Question]:
    """Return what the agent is asked about alerts of the last day, newest first."""
    found = []
    for notice in facts.notices:
        if notice.kind is not NoticeKind.WAS_IT_SO or notice.alert_id is None:
            continue
        if facts.now - notice.at > ASKED_FOR:
            continue
        alert = [n for n in facts.notices if n.alert_id == notice.alert_id]
        found += [
            Question(kind, notice.alert_id, text, facts.remembered.answer(kind, notice.alert_id))
            for kind, text in _asked(words, facts, notice, alert)
        ]
    return found


def _asked(
    words: Words, facts: Facts, notice: NoticeMessage, alert: Sequence[NoticeMessage]
) -> list[tuple[str, str]]:
    told_at = min((n.at for n in alert if n.kind is NoticeKind.ALERT_TOLD), default=notice.at)
    was_it_so = _WAS_IT_SO_PRIVATE if facts.is_private else _WAS_IT_SO
    asked = [("was_it_so", words.say(was_it_so, time=when(told_at, facts.now)))]
    decided = next((n for n in alert if n.kind is NoticeKind.DECIDED), None)
    done = decided.decision if decided else notice.decision
    if done is not None:
        name = (decided.by if decided else None) or words.say("somebody")
        text = words.say(_DID_IT_HELP, name=name, decision=decision(words, done))
        asked.append(("did_it_help", text))
    return asked
