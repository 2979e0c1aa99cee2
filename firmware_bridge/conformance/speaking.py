"""Judgements on how a board speaks and answers: frames, descriptions, settings; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from firmware_bridge.conformance.analysis import ANSWER_S, Analysis
from firmware_bridge.conformance.trace import Heard, Sent
from firmware_bridge.conformance.verdict import Verdict, by_faults, failed, not_applicable, passed
from firmware_bridge.protocol.framing import MAX_STUFFED
from firmware_bridge.protocol.messages import (
    WHOLE_BOARD,
    Battery,
    Contact,
    Fault,
    FaultCode,
    Hello,
    HelloRequest,
    Key,
    Setting,
    Stream,
)

HELLO_EVERY_S = 10.0
"""HELLO comes at least so often. [s]"""

_DEVICE_ID = re.compile(r"(?:[a-z0-9][a-z0-9_-]{0,31})?")
_MAKERS_OWN = 0x8000
_TEXT = "a text"  # how the decoder begins what is wrong with texts


def alive(analysis: Analysis) -> Verdict:
    """Judge whether the board never falls silent."""
    trace = analysis.trace
    if trace.gone_s is not None:
        return failed(f"the port went away after {trace.gone_s:.1f} s")
    if not trace.arrivals_s:
        return failed(f"nothing arrived in {trace.end_s:.0f} s")
    faults = [f"silent for {b - a:.1f} s from {a:.1f} s on" for a, b in analysis.silences]
    times = [0.0, *trace.arrivals_s, trace.end_s]
    longest_s = max(b - a for a, b in pairwise(times))
    return by_faults(faults, f"never silent for longer than {max(longest_s, 0.001):.3f} s")


def framing(analysis: Analysis) -> Verdict:
    """Judge whether everything that came was a frame."""
    trace = analysis.trace
    if not trace.heard and not analysis.refusals and trace.bytes_heard <= MAX_STUFFED:
        return not_applicable(f"{trace.bytes_heard} bytes arrived: not even one piece")
    refused = Counter(reason for _, reason in analysis.refusals)
    if not trace.heard:
        return failed(f"no frame in {trace.bytes_heard} bytes: {_guess(trace.begin)}")
    if refused:
        what = ", ".join(f"{count} by {reason}" for reason, count in refused.items())
        when = ", ".join(f"{at_s:.1f} s" for at_s, _ in analysis.refusals[:3])
        return failed(
            f"{sum(refused.values())} pieces refused beside {len(trace.heard)} frames "
            f"({what}), the first at {when}"
        )
    return passed(f"{len(trace.heard)} frames, {trace.bytes_heard} bytes, none refused")


def _guess(begin: bytes) -> str:
    """Return what bytes without a frame may be."""
    if all(byte in b"\t\r\n" or 0x20 <= byte < 0x7F for byte in begin):
        return "it prints lines of text; see firmware-bridge monitor --csv"
    return "another speed or protocol?"


def own_types(analysis: Analysis) -> Verdict:
    """Judge whether the board leaves the host's types to the host."""
    faults = [f"type 0x{h.frame.type:02x} at {h.at_s:.1f} s" for h in analysis.echoes]
    kinds = {h.frame.type for h in analysis.of_board}
    return by_faults(faults, f"{len(kinds)} types, all the board's")


def counter(analysis: Analysis) -> Verdict:
    """Judge whether nothing was lost, repeated or out of order."""
    counted = analysis.counted
    words = {"lost": counted.lost, "sent twice": counted.repeated, "out of order": counted.late}
    faults = [f"{count} frames {what}" for what, count in words.items() if count]
    return by_faults(faults, f"{len(analysis.heard)} frames in order")


def texts(analysis: Analysis) -> Verdict:
    """Judge every text, and all of LOG."""
    faults = [
        f"type 0x{h.frame.type:02x} at {h.at_s:.1f} s: {h.error}"
        for h in analysis.heard
        if h.error.startswith(_TEXT)
    ]
    faults += [f"LOG at {h.at_s:.1f} s: {e}" for h, e in errors_of(analysis, 0x07)]
    return by_faults(faults, "every text can be read")


def errors_of(analysis: Analysis, kind: int) -> list[tuple[Heard, str]]:
    """Return what is wrong with frames of type `kind`, but for their texts."""
    return [
        (h, h.error)
        for h in analysis.heard
        if h.frame.type == kind and h.error and not h.error.startswith(_TEXT)
    ]


def stays_up(analysis: Analysis) -> Verdict:
    """Judge whether the board runs through."""
    faults = [f"started anew at {analysis.of_board[at].at_s:.1f} s" for at in analysis.starts]
    if not analysis.hellos:
        return not_applicable("no HELLO came that could be read")
    return by_faults(faults, f"one boot for {analysis.trace.end_s:.0f} s")


def is_followed(analysis: Analysis, sent: Sent, kind: int) -> bool:
    """Return whether a frame of type `kind` came in time after `sent`."""
    return any(
        h.frame.type == kind and analysis.is_within(sent.at_s, h.at_s) for h in analysis.heard
    )


def hello(analysis: Analysis) -> Verdict:
    """Judge whether HELLO_REQUEST is answered."""
    asked = analysis.requests(HelloRequest)
    answered = [s for s in asked if is_followed(analysis, s, Hello.TYPE)]
    faults = [
        f"HELLO_REQUEST at {s.at_s:.1f} s was not answered within {ANSWER_S * 1000:.0f} ms"
        for s in asked
        if s not in answered and not analysis.is_excused(s)
    ]
    opening = analysis.requests(HelloRequest, "opening")
    if not asked and opening and not any(h.frame.type == Hello.TYPE for h in analysis.heard):
        return failed(f"none of {len(opening)} requests was answered")
    if not answered and not faults:
        if not analysis.is_all_excused(asked):
            return failed(f"none of {len(asked)} requests was answered")
        return not_applicable("every request was disturbed by what other requirements tell")
    return by_faults(faults, f"{len(answered)} of {len(asked)} requests answered in time")


def hello_unasked(analysis: Analysis) -> Verdict:
    """Judge whether HELLO comes by itself, with its streams."""
    times = [one.at_s for one in _hellos(analysis) if one.is_whole]
    asked = [s.at_s for s in analysis.trace.sent if isinstance(s.message, HelloRequest)]
    limit_s = HELLO_EVERY_S + analysis.slack_s
    end_s = analysis.trace.end_s
    quiet = [0.0, *asked, end_s]
    if max(b - a for a, b in pairwise(quiet)) <= limit_s:
        return not_applicable("HELLO was asked for all the time; give it more --seconds")
    edges = [0.0, *times, end_s]
    gaps = [(a, b) for a, b in pairwise(edges) if b - a > limit_s]
    faults = [
        f"no HELLO with its streams for {b - a:.1f} s from {a:.1f} s on"
        for a, b in gaps
        if not analysis.is_disturbed(a, b)
    ]
    if gaps and not faults:
        return not_applicable("the waiting was disturbed by what other requirements tell")
    longest_s = max(b - a for a, b in pairwise(edges))
    return by_faults(faults, f"{len(times)} HELLOs, at most {longest_s:.1f} s apart")


@dataclass(frozen=True, slots=True)
class _Burst:
    """One HELLO, and what came behind it within the time for its description."""

    at_s: float
    hello: Heard
    behind: list[Heard]

    @property
    def is_whole(self) -> bool:
        """Whether streams are described, or none are announced, or that cannot be read."""
        message = self.hello.message
        has_none = isinstance(message, Hello) and message.streams == 0
        described = has_none or bool(self.hello.error)
        anew: set[int] = set()  # rates were set: their STREAMs come by themselves
        for h in self.behind:
            if isinstance(h.message, Setting) and h.message.key == Key.RATE:
                anew.add(h.message.index)
            elif h.frame.type == Stream.TYPE:
                described |= not (isinstance(h.message, Stream) and h.message.stream in anew)
        return described


def _hellos(analysis: Analysis) -> list[_Burst]:
    found = []
    limit_s = ANSWER_S + analysis.slack_s
    for boot in analysis.boots:
        places = [n for n, h in enumerate(boot.heard) if h.frame.type == Hello.TYPE]
        for place, following in pairwise([*places, len(boot.heard)]):
            first = boot.heard[place]
            end_s = first.at_s + limit_s
            behind = [h for h in boot.heard[place + 1 : following] if h.at_s <= end_s]
            found.append(_Burst(first.at_s, first, behind))
    return found


def identity(analysis: Analysis) -> Verdict:
    """Judge what HELLO says."""
    faults = [f"HELLO at {h.at_s:.1f} s: {e}" for h, e in errors_of(analysis, Hello.TYPE)]
    found = analysis.hellos
    for (_, before), (at_s, after) in pairwise(found):
        for key in ("maker", "model", "firmware", "tick_hz", "streams"):
            if before.boot == after.boot and getattr(before, key) != getattr(after, key):
                was, now = getattr(before, key), getattr(after, key)
                faults.append(f"{key} was {was!r} and is {now!r} at {at_s:.1f} s")
    for at_s, one in found:
        if not _DEVICE_ID.fullmatch(one.device_id):
            faults.append(f"device_id is {one.device_id!r} at {at_s:.1f} s")
    if not found and not faults:
        return not_applicable("no HELLO came that could be read")
    last = found[-1][1] if found else None
    return by_faults(faults, f"{last.maker} {last.model} {last.firmware}" if last else "")


def _behind(analysis: Analysis) -> list[tuple[float, Hello, list[Heard]]]:
    """Return each undisturbed HELLO with what came behind it in time.

    Left out are those that stand alone without being asked for: signs of life.
    """
    found = []
    limit_s = ANSWER_S + analysis.slack_s
    asked = [s.at_s for s in analysis.trace.sent if isinstance(s.message, HelloRequest)]
    hellos = _hellos(analysis)
    whole = [one.at_s for one in hellos if one.is_whole]
    # Requests that no whole one answers: of those, what came instead is looked at.
    bare = [s for s in asked if not any(analysis.is_within(s, at_s) for at_s in whole)]
    for one in hellos:
        end_s = one.at_s + limit_s
        is_answer = any(analysis.is_within(then_s, one.at_s) for then_s in bare)
        if end_s > analysis.trace.end_s or not (one.is_whole or is_answer):
            continue
        if isinstance(one.hello.message, Hello) and not analysis.is_disturbed(one.at_s, end_s):
            found.append((one.at_s, one.hello.message, one.behind))
    return found


def streams(analysis: Analysis) -> Verdict:
    """Judge whether HELLO is followed by its streams."""
    found = _behind(analysis)
    if not found:
        return not_applicable("no HELLO came that could be read undisturbed")
    faults = []
    for at_s, one, behind in found:
        numbers = {
            h.frame.payload[0] for h in behind if h.frame.type == Stream.TYPE and h.frame.payload
        }
        if numbers != set(range(one.streams)):
            said = ", ".join(map(str, sorted(numbers))) or "none"
            faults.append(
                f"HELLO at {at_s:.1f} s announces {one.streams} streams, described were: {said}"
            )
    return by_faults(faults, f"{found[-1][1].streams} streams behind each of {len(found)} HELLOs")


def contact(analysis: Analysis) -> Verdict:
    """Judge CONTACT, and its place behind the STREAMs."""
    faults = [f"CONTACT at {h.at_s:.1f} s: {e}" for h, e in errors_of(analysis, Contact.TYPE)]
    parts = {message.part for _, message in analysis.of(Contact)}
    if not parts and not faults:
        return not_applicable("the board tells no contact")
    found = _behind(analysis)
    if not found and not faults:
        return not_applicable("no HELLO came that could be read undisturbed")
    for at_s, _, behind in found:
        # A STREAM may come anew at any time; here the first one of each counts.
        places: dict[bytes, int] = {}
        for n, h in enumerate(behind):
            if h.frame.type == Stream.TYPE:
                places.setdefault(h.frame.payload[:1], n)
        last = max(places.values(), default=-1)
        told = {h.message.part for h in behind[last + 1 :] if isinstance(h.message, Contact)}
        missing = parts - told
        if missing and not faults:
            names = ", ".join(part.name.lower() for part in sorted(missing))
            faults.append(f"HELLO at {at_s:.1f} s is not followed by CONTACT of: {names}")
    names = ", ".join(part.name.lower() for part in sorted(parts))
    return by_faults(faults, f"{names}, behind each of {len(found)} HELLOs")


def battery(analysis: Analysis) -> Verdict:
    """Judge BATTERY."""
    faults = [f"BATTERY at {h.at_s:.1f} s: {e}" for h, e in errors_of(analysis, Battery.TYPE)]
    found = analysis.of(Battery)
    if not found and not faults:
        return not_applicable("no BATTERY came")
    return by_faults(faults, f"{len(found)} times, last {found[-1][1].percent} %" if found else "")


def faults(analysis: Analysis) -> Verdict:
    """Judge FAULT."""
    wrong = [f"FAULT at {h.at_s:.1f} s: {e}" for h, e in errors_of(analysis, Fault.TYPE)]
    found = analysis.of(Fault)
    if not found and not wrong:
        return not_applicable("no FAULT came")
    for at_s, fault in found:
        if fault.stream != WHOLE_BOARD and fault.stream not in analysis.streams:
            wrong.append(f"FAULT at {at_s:.1f} s concerns stream {fault.stream}, never described")
        if fault.code < _MAKERS_OWN and fault.code not in set(FaultCode):
            wrong.append(f"FAULT at {at_s:.1f} s has code {fault.code}")
    return by_faults(wrong + _said_once(analysis, found), f"{len(found)} times")


def _said_once(analysis: Analysis, found: Sequence[tuple[float, Fault]]) -> list[str]:
    """Return faults that lasted, and did not come again with HELLO."""
    limit_s = HELLO_EVERY_S + analysis.slack_s
    said: dict[tuple[int, int], list[tuple[float, bool]]] = {}
    for at_s, fault in found:
        said.setdefault((fault.code, fault.stream), []).append((at_s, fault.active))
    return [
        f"code {code} of stream {stream} was not said again for {b_s - a_s:.1f} s after {a_s:.1f} s"
        for (code, stream), times in said.items()
        for (a_s, is_active), (b_s, _) in pairwise([*times, (analysis.trace.end_s, False)])
        if is_active and b_s - a_s > limit_s and not analysis.is_disturbed(a_s, b_s)
    ]
