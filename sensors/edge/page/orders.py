"""From a form on the page to a command of the edge. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sensors.edge.consent.permission import Permission, parse_channels
from sensors.errors import ConfigurationError
from sensors.signals import Channel
from sensors.words import N_, Words

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """A command with its words, and what is said when it is done (else the edge's own words)."""

    command: str
    words: tuple[str, ...] = ()
    said: str = ""


LANGUAGE = "language"
"""The command that concerns the page itself and never reaches the edge."""

PAUSED = N_("Paused. Nothing is read until you resume.")
RESUMED = N_("Resumed. What you allowed is read again.")
CHOSEN = N_("Your choices hold from now on.")
ALLOWED = N_("Allowed from now on.")
WITHDRAWN = N_("Withdrawn. It is no longer read.")
LEFT = N_("Everything is withdrawn. Nothing is read any more.")
NOT_CONFIRMED = N_("Nothing was done: tick the box first, so that it cannot happen by mistake.")


def order_of(form: Form, permission: Permission, words: Words) -> Order:
    """Return what `form` asks for.

    Parameters
    ----------
    form : mapping
        ``do`` names it; the rest are its fields.
    permission : Permission
        What is allowed now: one channel is added to it, not put in its place.
    words : Words
        For what is wrong with the form.

    Raises
    ------
    ConfigurationError
        If it asks for nothing known, or a confirmation is missing.
    """
    make = _ORDERS.get(form.get("do", ""))
    if make is None:
        raise ConfigurationError(words.say("This page is older than the program; load it again."))
    if form["do"] in _TO_CONFIRM and form.get("sure") != "yes":
        raise ConfigurationError(words.say(NOT_CONFIRMED))
    return make(form, permission)


def _plain(command: str, words: tuple[str, ...] = (), said: str = "") -> Callable[..., Order]:
    return lambda _form, _permission: Order(command, words, said)


def _choose(form: Form, _permission: Permission) -> Order:
    chosen = tuple(c.value for c in Channel if form.get(f"may_{c}") == "yes")
    return Order("consent", chosen or ("none",), CHOSEN)


def _allow(form: Form, permission: Permission) -> Order:
    more = parse_channels([form.get("channel", "")])
    both = (c.value for c in Channel if c in permission.channels or c in more)
    return Order("consent", tuple(both), ALLOWED)


def _withdraw(form: Form, _permission: Permission) -> Order:
    gone = parse_channels([form.get("channel", "")])
    if not gone:  # no name would mean all of them
        raise ConfigurationError("no channel was named")
    return Order("withdraw", tuple(c.value for c in gone), WITHDRAWN)


def _report(form: Form, _permission: Permission) -> Order:
    given = (form.get("demanding") or "-", form.get("recovered") or "-")
    return Order("reply", ("self_report", *given))


def _answer(form: Form, _permission: Permission) -> Order:
    kind, _, yes = form.get("answer", "").partition(" ")
    return Order("reply", (kind, form.get("alert", ""), yes))


_ORDERS: dict[str, Callable[[Form, Permission], Order]] = {
    "pause": _plain("pause", said=PAUSED),
    "resume": _plain("resume", said=RESUMED),
    "choose": _choose,
    "allow": _allow,
    "withdraw": _withdraw,
    "leave": _plain("withdraw", said=LEFT),
    "help_now": _plain("ask", ("help_now",)),
    "break_please": _plain("ask", ("break_please",)),
    "cancel": _plain("ask", ("cancel",)),
    "fine": _plain("reply", ("fine",)),
    "different_today": _plain("reply", ("different_today",)),
    "report": _report,
    "answer": _answer,
    "export": _plain("ask", ("export",)),
    "erase": _plain("ask", ("erase",)),
    "forget": _plain("forget"),
    "language": lambda form, _permission: Order(LANGUAGE, (form.get("language", ""),)),
}
_TO_CONFIRM = frozenset({"erase", "forget"})
