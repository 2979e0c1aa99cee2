"""What is being read right now, and what may be: section by section of consent. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sensors.edge.consent.permission import Reason
from sensors.edge.page.facts import Facts
from sensors.edge.words import CONSENT_TEXT
from sensors.messages import Absence
from sensors.shown import FAULT_WORDS, first_upper
from sensors.signals import Channel, of_channel
from sensors.words import N_, Words

_BECAUSE: dict[str, str] = {
    Reason.PAUSED: N_("not read: you paused"),
    Reason.LOCKED: N_("not read: the screen is locked, or nobody is at the desk"),
    Reason.OFF_SHIFT: N_("not read: outside your shift"),
    Reason.ON_BREAK: N_("not read: you are on a break"),
    Reason.OFF_CALL: N_("not read: no call is open"),
}
_ELSE_BECAUSE = N_("not read now")
_NOT_ASKED = N_("not read: you have not been asked yet")
_NOT_ALLOWED = N_("not read: you have not allowed it")
_READ = N_("being read now")
_NOT_SENT = N_("allowed, and nothing comes: {why}")


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One kind of sensing as the agent sees it; `notes` are the device, and why nothing comes."""

    channel: Channel
    name: str
    text: str
    measures: tuple[str, ...]
    state: str
    is_read: bool
    is_allowed: bool
    notes: tuple[str, ...] = ()


def flat(words: Words, text: str) -> str:
    """Return a text that was broken into lines for a terminal as one paragraph."""
    return words.join(*(line.strip() for line in text.splitlines()))


def consent_words(words: Words, channel: Channel) -> tuple[str, str]:
    """Return the name of `channel` and what is read of it, as the agent is asked."""
    said = flat(words, words.say(CONSENT_TEXT[channel]))
    at = min(i for i in (said.find(":"), said.find("："), len(said)) if i >= 0)  # noqa: RUF001 - Chinese
    return said[:at], first_upper(said[at + 1 :].strip())


def rows(words: Words, facts: Facts) -> list[ChannelRow]:
    """Return what is read and what may be, one row per channel that is there to read."""
    found = []
    for channel in facts.channels:
        name, text = consent_words(words, channel)
        state = _state(words, facts, channel)
        found.append(
            ChannelRow(
                channel=channel,
                name=name,
                text=text,
                measures=tuple(words.say(s.meaning) for s in of_channel(channel)),
                state=state,
                is_read=state == words.say(_READ),
                is_allowed=channel in facts.permission.channels,
                notes=_notes(facts, channel),
            )
        )
    return found


def _state(words: Words, facts: Facts, channel: Channel) -> str:
    permission = facts.permission
    if not permission.is_asked:
        return words.say(_NOT_ASKED)
    if channel not in permission.channels:
        return words.say(_NOT_ALLOWED)
    if not permission.may_capture(channel):
        return words.say(_reason(permission.reasons, channel))
    link = facts.report.get("channels", {}).get(channel.value, Absence.DISCONNECTED)
    if link == "ok":
        return words.say(_READ)
    why = words.say(FAULT_WORDS.get(link, FAULT_WORDS[Absence.FAULT]))
    return words.say(_NOT_SENT, why=why)


def _notes(facts: Facts, channel: Channel) -> tuple[str, ...]:
    if not facts.permission.may_capture(channel):
        return ()
    about = (facts.report.get(key, {}) for key in ("device_of", "troubles"))
    return tuple(known[channel.value] for known in about if channel.value in known)


def _reason(reasons: frozenset[Reason], channel: Channel) -> str:
    """Return the weightiest reason first: what the agent did comes before what happened."""
    for reason, said in _BECAUSE.items():
        if reason in reasons and (reason is not Reason.OFF_CALL or channel is Channel.VOICE):
            return said
    return _ELSE_BECAUSE


def sentence(words: Words, facts: Facts, found: list[ChannelRow]) -> str:
    """Return what is read right now in one sentence."""
    if not facts.channels:
        return words.say("No sensor is set up here, so nothing is read. All else works without.")
    read = [row.name for row in found if row.is_read]
    if read:
        return words.say("Being read now: {names}.", names=words.listed(read))
    if facts.permission.is_asked_again:
        return words.say(
            "Nothing is read: the words below have changed since you answered. Please choose again."
        )
    if Reason.PAUSED in facts.permission.reasons:
        return words.say("Nothing is read: you paused.")
    return words.say("Nothing is read right now.")
