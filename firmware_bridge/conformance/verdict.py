"""What a requirement is and what became of it; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Seen = TypeVar("Seen")

_SHOWN = 3  # faults of one kind that are told with their details


class Result(StrEnum):
    """Outcome of one requirement."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome, and what it rests on in one line."""

    result: Result
    seen: str


@dataclass(frozen=True, slots=True)
class Requirement(Generic[Seen]):
    """One requirement of hardware.md.

    Parameters
    ----------
    id : str
        In words, as in *How to pass check*.
    expected : str
        What is required, in one sentence.
    remedy : str
        What to look at if it fails.
    judge : callable
        From what was seen to the verdict.
    """

    id: str
    expected: str
    remedy: str
    judge: Callable[[Seen], Verdict]


@dataclass(frozen=True, slots=True)
class Finding:
    """A requirement with its verdict, as it is reported."""

    id: str
    result: Result
    seen: str
    expected: str
    remedy: str


def judge_all(requirements: Sequence[Requirement[Seen]], seen: Seen) -> list[Finding]:
    """Return a finding for each of `requirements`, in their order."""
    found = []
    for one in requirements:
        verdict = one.judge(seen)
        seen_text = _printable(verdict.seen)
        found.append(Finding(one.id, verdict.result, seen_text, one.expected, one.remedy))
    return found


def _printable(text: str) -> str:
    """Return `text` for a terminal: what a device called itself may hold anything."""
    return "".join(c if c.isprintable() else " " for c in text)


def passed(seen: str) -> Verdict:
    """Return that it is so."""
    return Verdict(Result.PASS, seen)


def failed(seen: str) -> Verdict:
    """Return that it is not so."""
    return Verdict(Result.FAIL, seen)


def not_applicable(why: str) -> Verdict:
    """Return that it could not be judged, and why."""
    return Verdict(Result.NOT_APPLICABLE, why)


def by_faults(faults: Sequence[str], otherwise: str) -> Verdict:
    """Return a failure that tells the first few of `faults`, or a pass that says `otherwise`."""
    if not faults:
        return passed(otherwise)
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return failed("; ".join(faults[:_SHOWN]) + more)
