"""What `monitor` shows: one line per look, or a screen of so many columns and rows; pure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from firmware_bridge.bench.monitoring import Report, SignalReport, Trace, clock
from firmware_bridge.bench.watching import Health

Style = Literal["plain", "strong", "weak", "bad"]

_BLOCKS = "▁▂▃▄▅▆▇█"
_LEAST_SPARK, _MOST_SPARK = 8, 60
_LEAST_ROWS_OF_LOG = 1
_HEADS = ("signal", "value", "unit", "per s")
BEATLESS_S = 10.0
"""After so long the last beat's rate is nobody's any more. [s]"""

_SILENT_SHARE, _FAST_SHARE = 0.9, 1.1  # of the nominal rate, outside which the rate is marked


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the screen, and how it is drawn."""

    text: str
    style: Style = "plain"


def sparkline(values: Sequence[float | None]) -> str:
    """Return `values` as blocks between their least and greatest; blanks where there are none.

    Examples
    --------
    >>> sparkline([0.0, 1.0, None, 2.0, 7.0]), sparkline([3.0, 3.0])
    ('▁▂ ▃█', '▄▄')
    """
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low, high = min(known), max(known)
    if high == low:
        return "".join(" " if value is None else "▄" for value in values)
    step = (high - low) / len(_BLOCKS)
    return "".join(
        " " if value is None else _BLOCKS[min(int((value - low) / step), len(_BLOCKS) - 1)]
        for value in values
    )


def number(value: float | None) -> str:
    """Return a value with five digits at most, as steady in width as can be.

    Examples
    --------
    >>> number(3.4567), number(-12345.678), number(0.00012), number(None), number(72.0)
    ('3.457', '-12346', '0.00012', 'none', '72.00')
    """
    if value is None:
        return "none"
    if value == 0.0 or 1e-3 <= abs(value) < 1e6:
        digits = 3 - (0 if value == 0.0 else max(0, math.floor(math.log10(abs(value)))))
        return f"{value:.{max(0, digits)}f}"
    return f"{value:.3g}"


def _value(signal: SignalReport) -> str:
    return " ".join(map(number, signal.value)) if signal.value else "-"


def rate(signal: SignalReport) -> str:
    """Return measured beside nominal rate."""
    measured = _measured(signal)
    return measured if signal.nominal_hz is None else f"{measured} of {signal.nominal_hz:g}"


def _measured(signal: SignalReport) -> str:
    return "-" if signal.measured_hz is None else f"{signal.measured_hz:.1f}"


def is_off_rate(signal: SignalReport) -> bool:
    """Return whether values come at another rate than was announced."""
    nominal, measured = signal.nominal_hz, signal.measured_hz
    if nominal is None or measured is None:
        return False
    return not _SILENT_SHARE * nominal <= measured <= _FAST_SHARE * nominal


# One line per look.


def plain_lines(report: Report) -> list[str]:
    """Return one look as whole lines: what was said, then everything in one line."""
    parts = [f"{report.elapsed_s:7.1f} s", *map(_spoken, report.signals)]
    if not report.signals:
        parts.append("nothing yet")
    parts += pulse_part(report.signals)
    parts += _state_parts(report.health) + _link_parts(report.health)
    return [*(f"log {line}" for line in report.log), ", ".join(parts)]


def _spoken(signal: SignalReport) -> str:
    if not signal.value:
        return f"{signal.name} nothing yet"
    unit = "" if signal.unit == "1" else f" {signal.unit}"
    quality = "" if signal.quality is None else f" quality {signal.quality:.2f}"
    return f"{signal.name} {_value(signal)}{unit} at {rate(signal)} per s{quality}"


def pulse_part(signals: Sequence[SignalReport]) -> list[str]:
    """Return what is known about beats, as no part or one: the rate, or that there are none."""
    by_name = {signal.name: signal for signal in signals}
    interval = by_name.get("rr_ms")
    if interval is not None and interval.value and interval.value[0]:
        if (interval.age_s or 0.0) > BEATLESS_S:
            return [f"no beats for {interval.age_s:.0f} s"]
        return [f"pulse {60_000.0 / interval.value[0]:.0f} per min"]
    if any(name.split()[0] == "ppg" for name in by_name):
        return ["no beats yet; the first come ten seconds after the sensor lies still on the skin"]
    return []


def _state_parts(health: Health) -> list[str]:
    """Return contact, battery, faults and what is not read."""
    parts = [f"{part} {'on' if on else 'off'} the skin" for part, on in health.contact.items()]
    if health.battery_percent is not None:
        charging = " charging" if health.charging else ""
        parts.append(f"battery {health.battery_percent} %{charging}")
    parts += [f"fault {fault}" for fault in health.faults]
    parts += [
        f"{channel} {state.replace('_', ' ')}"
        for channel, state in health.channels.items()
        if state != "ok"
    ]
    return parts


def _link_parts(health: Health) -> list[str]:
    """Return counts and clock; counts that are nothing are left out, but for the first."""
    names = list(health.counts)
    parts = [
        f"{name.replace('_', ' ')} {health.counts[name]}"
        for name in names
        if health.counts[name] or name in {"frames", "lost", "refused", "read"}
    ]
    if health.example:
        parts.append(f"last unreadable {health.example}")
    if health.clock is not None:
        drift = health.clock.drift_ppm
        parts.append("drift not known yet" if drift is None else f"drift {drift:+.1f} ppm")
        parts.append(f"latency {health.clock.latency_ms:.1f} ms")
        if health.clock.error_ms is not None:
            parts.append(f"times to {health.clock.error_ms:.1f} ms")
    return parts


# A screen.


def screen(
    report: Report,
    traces: Sequence[Trace],
    log: Sequence[str],
    port: str,
    size: tuple[int, int],
    *,
    trouble: str = "",
) -> list[Line]:
    """Return what to draw.

    Parameters
    ----------
    report : Report
    traces : sequence of Trace
        What the little plots are drawn from, in the order of the report.
    log : sequence of str
        Lines of the board, oldest first; as many of the newest as there is room for.
    port : str
    trouble : str
        Why there is nothing; empty if there is something.
    size : tuple of int
        Columns and rows; no line is longer, and there are no more lines.
    """
    width, height = size
    health = report.health
    who = health.board or "no HELLO yet"
    head = f"{port}  {clock(report.elapsed_s)}  {who}"
    if health.device_id:
        head += f", device id {health.device_id}"
    lines = [Line(head, "strong"), Line("")]
    lines += _table(report.signals, traces, width)
    state = _wrapped(pulse_part(report.signals) + _state_parts(health), width)
    bad = bool(health.faults) or any(s != "ok" for s in health.channels.values())
    lines += [Line(""), *(Line(text, "bad" if bad else "plain") for text in state)]
    troubled = any(health.counts.get(n) for n in ("lost", "refused", "unreadable", "too_long"))
    link = _wrapped(_link_parts(health), width)
    lines += [Line(text, "bad" if troubled else "plain") for text in link]
    if trouble:
        lines += [Line(""), *(Line(text, "strong") for text in textwrap.wrap(trouble, width))]
    room = height - len(lines) - 2
    if log and room >= _LEAST_ROWS_OF_LOG:
        lines.append(Line(""))
        lines += [Line(text, "weak") for text in list(log)[-room:]]
    lines = lines[: height - 1]
    lines.append(Line("Ctrl-C ends", "weak"))
    return [Line(_cut(line.text, width), line.style) for line in lines]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def _wrapped(parts: Sequence[str], width: int) -> list[str]:
    """Return `parts` on as few lines as they fit on, none broken."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += " · " + part
        else:
            lines.append(part)
    return lines


def _table(signals: Sequence[SignalReport], traces: Sequence[Trace], width: int) -> list[Line]:
    """Return a line per signal; on a narrow screen plot, unit, nominal rate go, in this order."""
    if not signals:
        return [Line("nothing yet; waiting for the board", "weak")]
    cells = [(s.name, _value(s), "" if s.unit == "1" else s.unit, rate(s)) for s in signals]
    chosen = [0, 1, 2, 3]
    if _needed(cells, chosen) > width:
        chosen = [0, 1, 3]
    if _needed(cells, chosen) > width:
        cells = [(*row[:3], _measured(s)) for row, s in zip(cells, signals, strict=True)]
    heads, widths = _HEADS, _widths(cells)
    room = width - sum(widths[at] for at in chosen) - 2 * len(chosen)
    spark = min(room, _MOST_SPARK) if room >= _LEAST_SPARK else 0
    lines = [Line(_row(heads, widths, chosen).rstrip(), "weak")]
    for signal, trace, row in zip(signals, traces, cells, strict=True):
        text = _row(row, widths, chosen)
        if spark:
            text += "  " + sparkline(trace.drawn(spark))
        lines.append(Line(text.rstrip(), "bad" if is_off_rate(signal) else "plain"))
    return lines


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[at]) for row in (_HEADS, *cells)) for at in range(len(_HEADS))]


def _needed(cells: Sequence[Sequence[str]], chosen: Sequence[int]) -> int:
    widths = _widths(cells)
    return sum(widths[at] for at in chosen) + 2 * (len(chosen) - 1)


def _row(cells: Sequence[str], widths: Sequence[int], chosen: Sequence[int]) -> str:
    return "  ".join(
        cells[at].rjust(widths[at]) if at in {1, 3} else cells[at].ljust(widths[at])
        for at in chosen
    )
