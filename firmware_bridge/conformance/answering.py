"""Judgements on how a board answers what is set, asked for, or sent wrongly; pure."""

from __future__ import annotations

from itertools import pairwise

from firmware_bridge.conformance.analysis import ANSWER_S, Analysis
from firmware_bridge.conformance.speaking import errors_of, is_followed
from firmware_bridge.conformance.trace import Sent
from firmware_bridge.conformance.verdict import Verdict, by_faults, failed, not_applicable, passed
from firmware_bridge.protocol.messages import (
    Get,
    Hello,
    HelloRequest,
    Key,
    Set,
    Setting,
    Status,
    Stream,
)

_DONE = (Status.KEPT, Status.UNTIL_POWER_OFF)


def set_get(analysis: Analysis) -> Verdict:
    """Judge the answers to SET and GET."""
    asked = [*analysis.requests(Get), *analysis.requests(Set)]
    asked = [s for s in asked if analysis.answer(s) is not None or not analysis.is_excused(s)]
    wrong = [f"SETTING at {h.at_s:.1f} s: {e}" for h, e in errors_of(analysis, Setting.TYPE)]
    if not asked and not wrong:
        return not_applicable("nothing was set or asked for undisturbed")
    for sent in sorted(asked, key=lambda one: one.at_s):
        wrong += _answer_faults(analysis, sent)
    wrong += _unlike(analysis)
    return by_faults(wrong, f"{len(asked)} of {len(asked)} requests answered in time")


def _answer_faults(analysis: Analysis, sent: Sent) -> list[str]:
    answer = analysis.answer(sent)
    name = f"{type(sent.message).__name__.upper()} at {sent.at_s:.1f} s"
    if answer is None:
        return [f"{name} was not answered within {ANSWER_S * 1000:.0f} ms"]
    _, setting = answer
    if setting.reply_to != sent.counter and not analysis.is_excused(sent):
        return [f"{name} with counter {sent.counter} was answered to {setting.reply_to}"]
    if isinstance(sent.message, Get) and setting.status not in {Status.KEPT, Status.UNKNOWN}:
        return [f"{name} was answered with status {setting.status.value}"]
    return []


def _unlike(analysis: Analysis) -> list[str]:
    """Return which SETs that came twice were answered differently."""
    sets = analysis.requests(Set)
    wrong = []
    for first, second in pairwise(sets):
        one, other = analysis.answer(first), analysis.answer(second)
        if first.message != second.message or one is None or other is None:
            continue
        if Status.BUSY in {one[1].status, other[1].status}:
            continue  # it was to be asked again
        if (one[1].status, one[1].value) != (other[1].status, other[1].value):
            wrong.append(f"SET at {second.at_s:.1f} s, the same as before, was answered otherwise")
    return wrong


def in_force(analysis: Analysis) -> Verdict:
    """Judge whether what is confirmed is so."""
    wrong, looked = [], 0
    sets = analysis.requests(Set)
    for n, sent in enumerate(sets):
        answer = analysis.answer(sent)
        if answer is None or answer[1].status not in _DONE:
            continue
        until_s = next((s.at_s for s in sets[n + 1 :]), float("inf"))
        for what, value in _said_later(analysis, sent, until_s):
            looked += 1
            if value != answer[1].value:
                wrong.append(f"{answer[1].value!r} was confirmed, {what} says {value!r}")
    if not looked:
        return not_applicable("nothing was confirmed that could be asked for again")
    return by_faults(wrong, f"{looked} times found as confirmed")


def _said_later(analysis: Analysis, sent: Sent, until_s: float) -> list[tuple[str, bytes]]:
    """Return what GET and HELLO say of the value that `sent` set, before the next SET."""
    asked = sent.message
    if not isinstance(asked, Set):
        return []
    found = []
    for later in analysis.requests(Get):
        same = isinstance(later.message, Get) and (later.message.key, later.message.index) == (
            asked.key,
            asked.index,
        )
        answer = analysis.answer(later) if same and sent.at_s < later.at_s < until_s else None
        if answer is not None and answer[1].status == Status.KEPT:
            found.append((f"GET at {later.at_s:.1f} s", answer[1].value))
    if asked.key == Key.DEVICE_ID:
        found += [
            (f"HELLO at {at_s:.1f} s", one.device_id.encode())
            for at_s, one in analysis.hellos
            if sent.at_s + ANSWER_S + analysis.slack_s < at_s < until_s
        ]
    return found


def unknown_key(analysis: Analysis) -> Verdict:
    """Judge the answer to a key that there is not."""
    asked = [*analysis.requests(Get, "unknown"), *analysis.requests(Set, "unknown")]
    answers = [(s, a[1]) for s in asked if (a := analysis.answer(s)) is not None]
    if not answers:
        return not_applicable("no answer came; see set-get")
    wrong = [
        f"{type(s.message).__name__.upper()} of key {a.key} was answered with status "
        f"{a.status.value} and {len(a.value)} bytes"
        for s, a in answers
        if a.status != Status.UNKNOWN or a.value
    ]
    return by_faults(wrong, f"{len(answers)} times status 2")


def refuses(analysis: Analysis) -> Verdict:
    """Judge the answer to values that cannot be."""
    asked = analysis.requests(Set, "impossible")
    answers = [(s, a[1]) for s in asked if (a := analysis.answer(s)) is not None]
    if not answers:
        return not_applicable("no answer came; see set-get")
    wrong = []
    for sent, answer in answers:
        value = sent.message.value if isinstance(sent.message, Set) else b""
        if answer.status in _DONE or answer.value == value:
            wrong.append(
                f"key {answer.key}: {value!r} was answered with status {answer.status.value}"
            )
            continue
        known = _last_known(analysis, sent)
        if known is not None and answer.status != Status.UNKNOWN and answer.value != known:
            wrong.append(
                f"key {answer.key}: {value!r} was refused with {answer.value!r}; in force is {known!r}"
            )
    return by_faults(wrong, f"{len(answers)} times refused")


def _last_known(analysis: Analysis, sent: Sent) -> bytes | None:
    """Return what was in force by the answer before `sent`; None if that is not known.

    Nor is it behind a SET whose answer was lost: it may have been obeyed.
    """
    asked, known = sent.message, None
    for one in analysis.trace.sent:
        other = one.message
        if one.at_s >= sent.at_s or not isinstance(asked, Get | Set):
            break
        if not isinstance(other, Get | Set) or (other.key, other.index) != (asked.key, asked.index):
            continue
        answer = analysis.answer(one)
        if answer is not None and answer[1].status in _DONE:
            known = answer[1].value
        elif answer is None and isinstance(other, Set):
            known = None
    return known


def rate_setting(analysis: Analysis) -> Verdict:
    """Judge what follows when a rate is set."""
    wrong, seen = [], []
    for sent in analysis.requests(Set, "rate"):
        answer = analysis.answer(sent)
        if answer is None:
            continue
        at_s, setting = answer
        seen.append(f"status {setting.status.value}")
        if setting.status not in _DONE:
            continue
        described = [
            stream.rate_mhz
            for then_s, stream in analysis.of(Stream)
            if stream.stream == setting.index
            and at_s <= then_s <= at_s + ANSWER_S + analysis.slack_s
        ]
        rate_mhz = int.from_bytes(setting.value, "little")
        if len(setting.value) != 4:
            wrong.append(f"the answer holds {len(setting.value)} bytes; expected 4")
        elif rate_mhz not in described and not analysis.is_excused(sent):
            wrong.append(f"rate {rate_mhz} was confirmed and no STREAM with it followed")
    if not seen:
        return not_applicable("no stream, or no answer; see set-get")
    return by_faults(wrong, ", ".join(seen))


def ignores_garbage(analysis: Analysis) -> Verdict:
    """Judge whether the board still answers after what nobody should mind."""
    garbage_s = analysis.trace.garbage_s
    kinds: tuple[type, ...] = (HelloRequest, Get)
    asked = [s for kind in kinds for s in analysis.requests(kind, "after garbage")]
    asked = [s for s in asked if not analysis.is_excused(s)]
    if garbage_s is None or not asked:
        return not_applicable("no request after the damaged frames could be judged")

    def is_answered(sent: Sent) -> bool:
        if isinstance(sent.message, HelloRequest):
            return is_followed(analysis, sent, Hello.TYPE)
        return analysis.answer(sent) is not None

    before = [s for kind in kinds for s in analysis.requests(kind)]
    usual = {type(s.message) for s in before if is_answered(s)}
    asked = [s for s in asked if type(s.message) in usual]
    if not asked:
        return not_applicable("requests were not answered before, either; see hello and set-get")
    if any(is_answered(s) for s in asked):
        return passed("the next request was answered")
    return failed("no request was answered after noise and damaged frames")
