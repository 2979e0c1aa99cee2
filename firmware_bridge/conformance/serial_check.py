"""Checks a board on a port, in real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from firmware_bridge.conformance.analysis import Analysis
from firmware_bridge.conformance.examination import Examination
from firmware_bridge.conformance.report import Report
from firmware_bridge.conformance.requirements import NOT_TESTED, REQUIREMENTS
from firmware_bridge.conformance.serial_plots import plots
from firmware_bridge.conformance.trace import Trace
from firmware_bridge.conformance.verdict import judge_all
from sensors.errors import DeviceError
from sensors.heart_rate.details import parse_text


class Port(Protocol):
    """What is needed of a port."""

    def read(self) -> bytes:
        """Return what has arrived, waiting a little."""

    def write(self, data: bytes) -> None:
        """Send `data`."""


def examine(
    port: Port,
    seconds: float,
    trace: Trace,
    tick: Callable[[float], bool],
) -> bool:
    """Examine the board on `port`; everything is noted in `trace`.

    Parameters
    ----------
    port : Port
    seconds : float
        How long. [s]
    trace : Trace
    tick : callable
        Told the seconds that have passed; returns whether to stop early.

    Returns
    -------
    bool
        Whether it ran to its end.
    """
    examination = Examination(seconds, trace, seed=time.time_ns() & 0xFFFF)
    start_s = time.monotonic()

    def now_s() -> float:
        return time.monotonic() - start_s

    stopped = False
    try:
        while not examination.is_over(now_s()) and not (stopped := tick(now_s())):
            asked = examination.due(now_s())
            if asked:
                port.write(asked)
            data = port.read()
            examination.take(data, now_s())
        restored = examination.restore(now_s())
        if restored:
            port.write(restored)
    except DeviceError:
        trace.gone_s = now_s()
    return not stopped


def report(target: str, trace: Trace, *, is_whole: bool = True) -> Report:
    """Return what a trace shows."""
    analysis = Analysis(trace)
    return Report(
        target=target,
        checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=trace.end_s,
        subject=_subject(analysis),
        findings=judge_all(REQUIREMENTS, analysis),
        not_tested=NOT_TESTED,
        plots=plots(analysis),
        is_cut_short=not is_whole,
    )


def _subject(analysis: Analysis) -> dict[str, str]:
    """Return what the board says it is, printable."""
    if not analysis.hellos:
        return {}
    hello = analysis.hellos[-1][1]
    signals = ", ".join(
        parse_text(stream.signal.encode()) for _, stream in sorted(analysis.streams.items())
    )
    facts = {
        "maker": parse_text(hello.maker.encode()),
        "model": parse_text(hello.model.encode()),
        "firmware": parse_text(hello.firmware.encode()),
        "streams": signals or "none",
    }
    return {key: value for key, value in facts.items() if value}
