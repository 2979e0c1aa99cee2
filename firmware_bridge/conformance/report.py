"""What a check found, as values: for people, programs and the page; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from firmware_bridge.conformance.verdict import Finding, Result

_WORDS = {"passed": "pass", "not passed": "fail", "interrupted": "interrupted"}
_MARKS = {Result.PASS: "pass", Result.FAIL: "FAIL", Result.NOT_APPLICABLE: "n/a"}


@dataclass(frozen=True, slots=True)
class Series:
    """One set of points of a plot.

    Parameters
    ----------
    name : str
    x, y : sequence of float
        Of equal length.
    joined : bool
        Whether neighbours are joined by a line.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, with what it shows in words.

    Parameters
    ----------
    title, x_label, y_label : str
    meaning : str
        What to look for.
    series : sequence of Series
    rows : sequence of str
        Names of the heights 1, 2, ... from below, where these are no numbers.
    least_span : float
        What is shown upwards at least, in units of `y`: less would make much of nothing.
    """

    title: str
    x_label: str
    y_label: str
    meaning: str
    series: Sequence[Series]
    rows: Sequence[str] = ()
    least_span: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """One check.

    Parameters
    ----------
    target : str
        Port or address.
    checked_at : str
        When, UTC.
    seconds : float
        How long it was looked at. [s]
    subject : mapping
        What it says it is, in words.
    findings : sequence of Finding
    not_tested : sequence of (id, text)
        What cannot be seen from here.
    plots : sequence of Plot
    is_cut_short : bool
        Whether it was interrupted.
    """

    target: str
    checked_at: str
    seconds: float
    subject: dict[str, str]
    findings: Sequence[Finding]
    not_tested: Sequence[tuple[str, str]]
    plots: Sequence[Plot] = field(default=(), repr=False)
    is_cut_short: bool = False

    @property
    def is_passed(self) -> bool:
        """Whether it was looked at to the end, nothing failed, and something passed."""
        results = {finding.result for finding in self.findings}
        return Result.FAIL not in results and Result.PASS in results and not self.is_cut_short

    @property
    def outcome(self) -> str:
        """The result in a word or two."""
        if self.is_cut_short:
            return "interrupted"
        return "passed" if self.is_passed else "not passed"

    def count(self, result: Result) -> int:
        """Return how many requirements came out as `result`."""
        return sum(finding.result is result for finding in self.findings)

    def summary(self) -> str:
        """Return the outcome in one line."""
        counts = f"{self.count(Result.PASS)} pass, {self.count(Result.FAIL)} fail, "
        counts += f"{self.count(Result.NOT_APPLICABLE)} not applicable"
        return f"{self.outcome}: {counts}, in {self.seconds:.0f} s"

    def plain(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        return {
            "result": _WORDS[self.outcome],
            "target": self.target,
            "checked_at": self.checked_at,
            "seconds": round(self.seconds, 3),
            "subject": self.subject,
            "requirements": [asdict(finding) for finding in self.findings],
            "not_tested": [{"id": name, "requirement": text} for name, text in self.not_tested],
        }

    def lines(self) -> list[str]:
        """Return it as lines of text, without colour; what failed with its remedy."""
        lines = [f"{self.target}: {', '.join(self.subject.values()) or 'nothing known'}"]
        width = max(len(finding.id) for finding in self.findings)
        for finding in self.findings:
            mark = _MARKS[finding.result]
            lines.append(f"{mark:4}  {finding.id:{width}}  {finding.seen}")
            if finding.result is Result.FAIL:
                indent = " " * (width + 8)
                lines += [f"{indent}expected: {finding.expected}", f"{indent}try: {finding.remedy}"]
        return [*lines, self.summary()]
