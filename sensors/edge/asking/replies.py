"""What an agent answers and asks for, from the words of a command, and what is said back. Pure.

The words are those of the command line, of the agent's page and of any
other terminal; what becomes of an answer is said here, so that nobody promises
what does not happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sensors.errors import ConfigurationError, MessageError
from sensors.messages import ReplyKind, ReplyMessage, RequestKind
from sensors.spoken import say

LAST = "last"
"""Stands for the alert that the agent was asked about last."""

_ANSWERS = {"yes": True, "no": False}
_SCALE = {str(number): number for number in range(11)} | {"-": None}
_ABOUT_AN_ALERT = frozenset({ReplyKind.WAS_IT_SO, ReplyKind.DID_IT_HELP})


def parse_request(words: Sequence[str], *, is_private: bool = False) -> RequestKind:
    """Return what `words` ask for.

    Raises
    ------
    ConfigurationError
        If it is nothing that can be asked for (lists what can), or nobody is
        there to be asked: on a machine that nothing leaves (`is_private`).
    """
    if len(words) == 1 and words[0] in RequestKind.__members__.values():
        if is_private:
            raise ConfigurationError(
                say(
                    "in private mode nobody else is connected: speak to a person. What is kept of"
                    " you lies on this machine, yours to copy or delete"
                )
            )
        return RequestKind(words[0])
    raise ConfigurationError(
        f"unknown request {' '.join(words)!r}; known: {', '.join(RequestKind)}"
    )


def parse_reply(
    words: Sequence[str], identity: str, at: datetime, asked: str | None = None
) -> ReplyMessage:
    """Return the answer that `words` give.

    Parameters
    ----------
    words : sequence of str
        ``fine``; ``different_today``; ``was_it_so ALERT_ID yes|no``;
        ``did_it_help ALERT_ID yes|no``; ``self_report DEMANDING RECOVERED``,
        each 0 to 10 or ``-`` for no answer. For ``ALERT_ID``, ``last`` is the
        alert `asked`.
    identity : str
        The message's own id, by which a retelling is recognised.
    at : datetime
        UTC.
    asked : str or None
        The alert that the agent was asked about last.

    Raises
    ------
    ConfigurationError
        Naming the word and what was expected.
    """
    kind = _kind(words)
    rest = tuple(words[1:])
    try:
        if kind in _ABOUT_AN_ALERT:
            alert_id, answer = _about(kind, rest, asked)
            return ReplyMessage(id=identity, at=at, kind=kind, alert_id=alert_id, answer=answer)
        if kind is ReplyKind.SELF_REPORT:
            demanding, recovered = _report(rest)
            return ReplyMessage(
                id=identity, at=at, kind=kind, demanding=demanding, recovered=recovered
            )
        if rest:
            raise ConfigurationError(f"{kind} takes no further words; found {rest[0]!r}")
        return ReplyMessage(id=identity, at=at, kind=kind)
    except MessageError as error:
        raise ConfigurationError(error.detail) from None


def _kind(words: Sequence[str]) -> ReplyKind:
    given = words[0] if words else ""
    try:
        return ReplyKind(given)
    except ValueError:
        raise ConfigurationError(
            f"unknown answer {given!r}; known: {', '.join(ReplyKind)}"
        ) from None


def _about(kind: ReplyKind, rest: tuple[str, ...], asked: str | None) -> tuple[str, bool]:
    if len(rest) != 2 or rest[1] not in _ANSWERS:
        raise ConfigurationError(
            f"{kind} is followed by {' '.join(rest)!r}; expected an alert's id and yes or no"
        )
    alert_id = asked if rest[0] == LAST else rest[0]
    if alert_id is None:
        raise ConfigurationError(
            "you were asked about no alert yet; give the id of the one you mean (--alert)"
        )
    return alert_id, _ANSWERS[rest[1]]


def _report(rest: tuple[str, ...]) -> tuple[int | None, int | None]:
    if len(rest) != 2 or not set(rest) <= set(_SCALE):
        raise ConfigurationError(
            f"self_report is followed by {' '.join(rest)!r}; expected how demanding and how"
            " recovered, each 0 to 10 or - for no answer"
        )
    demanding, recovered = _SCALE[rest[0]], _SCALE[rest[1]]
    if demanding is None and recovered is None:
        raise ConfigurationError("self_report holds no answer; give at least one, 0 to 10")
    return demanding, recovered


def after_request(kind: RequestKind) -> str:
    """Return what the agent is told once the broker has their request."""
    match kind:
        case RequestKind.HELP_NOW:
            return say("Sent: you ask for help now. You are told who is coming.")
        case RequestKind.BREAK_PLEASE:
            return say("Sent: you ask for a break. You are told who answers.")
        case RequestKind.CANCEL:
            return say("Sent: you no longer ask for anything.")
        case RequestKind.EXPORT:
            return say(
                "Sent: you ask for your data on the server. You are told here when a copy has been"
                " made; whoever runs the server hands it to you."
            )
        case RequestKind.ERASE:
            return say(
                "Sent: you ask for everything about you on the server to be erased. You are told"
                " here what becomes of it. To stop being measured now, withdraw."
            )


def after_reply(kind: ReplyKind, *, is_private: bool = False) -> str:
    """Return what the agent is told once the broker has their answer.

    Where nothing leaves the machine (`is_private`) nobody is told anything.
    """
    if is_private:
        return _noted(kind)
    match kind:
        case ReplyKind.FINE:
            return say(
                "Sent: you are fine. If a supervisor was told about you, they now see that you say"
                " so; what to do about it stays their decision."
            )
        case ReplyKind.DIFFERENT_TODAY:
            return say(
                "Sent: today is different. No reason is asked. Your usual range follows what lasts;"
                " a sudden change is still noticed."
            )
        case ReplyKind.WAS_IT_SO | ReplyKind.DID_IT_HELP:
            return say("Sent: your answer is kept with that alert.")
        case ReplyKind.SELF_REPORT:
            return say("Sent: your own report is kept.")


def _noted(kind: ReplyKind) -> str:
    match kind:
        case ReplyKind.FINE:
            return say("Noted: you are fine. Nobody else is told.")
        case ReplyKind.DIFFERENT_TODAY:
            return say(
                "Noted: today is different. Your usual range follows what lasts; a sudden change is"
                " still noticed."
            )
        case ReplyKind.WAS_IT_SO | ReplyKind.DID_IT_HELP:
            return say("Noted: your answer is kept with that alert, on this machine only.")
        case ReplyKind.SELF_REPORT:
            return say("Noted: your own report is kept, on this machine only.")
