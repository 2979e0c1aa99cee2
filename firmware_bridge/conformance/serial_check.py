"""Checks a board on a port, in real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from firmware_bridge.conformance.analysis import Analysis
from firmware_bridge.conformance.examination import Examination
from firmware_bridge.conformance.report import Report
from firmware_bridge.conformance.requirements import NOT_TESTED, REQUIREMENTS
from firmware_bridge.conformance.serial_plots import plots
from firmware_bridge.conformance.trace import Trace
from firmware_bridge.conformance.verdict import judge_all
from sensors.errors import DeviceError
from sensors.heart_rate.details import parse_text

RESTORED_WITHIN_S = 2.0
"""How long a board is asked to take its own id back. [s]"""

_ASK_AGAIN_S = 0.5


class Port(Protocol):
    """What is needed of a port."""

    def read(self) -> bytes:
        """Return what has arrived, waiting a little."""

    def write(self, data: bytes) -> None:
        """Send `data`."""


class Ending(NamedTuple):
    """How an examination ended.

    Parameters
    ----------
    is_whole : bool
        Whether it ran to its end.
    owed_id : str or None
        The board's own device id, where the board did not say that it has it again.
    """

    is_whole: bool
    owed_id: str | None


def examine(
    port: Port,
    seconds: float,
    trace: Trace,
    tick: Callable[[float], bool],
) -> Ending:
    """Examine the board on `port`; everything is noted in `trace`.

    However it ends, the board has its own id again, if it says so within
    :data:`RESTORED_WITHIN_S`.

    Parameters
    ----------
    port : Port
    seconds : float
        How long. [s]
    trace : Trace
    tick : callable
        Told the seconds that have passed; returns whether to stop early.
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
        _restore(port, examination, now_s)
    except DeviceError:
        trace.gone_s = now_s()
    owed = examination.owed_id
    return Ending(not stopped, None if owed is None else parse_text(owed))


def _restore(port: Port, examination: Examination, now_s: Callable[[], float]) -> None:
    """Set the board's own id again, until the board has answered: a write alone may be lost."""
    end_s = now_s() + RESTORED_WITHIN_S
    ask_at_s = now_s()
    while examination.owed_id is not None and now_s() < end_s:
        if now_s() >= ask_at_s:
            ask_at_s = now_s() + _ASK_AGAIN_S
            port.write(examination.restore(now_s()))
        examination.take(port.read(), now_s())


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
