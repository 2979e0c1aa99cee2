"""What is drawn of a serial board; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.conformance.analysis import Analysis, Block
from firmware_bridge.conformance.report import Plot, Series
from firmware_bridge.protocol.messages import Hello

Floats = NDArray[np.float64]

_SECONDS = "seconds since the check began"
_RATE_OVER_S = 4.0
_GAP_STEPS = 2.5
_CLOCK_SPAN_MS = 10.0  # what lies within is the link, not the clock


def plots(analysis: Analysis) -> list[Plot]:
    """Return the plots of one check: arrival, rates, clock, values, and what was said when."""
    return [
        _ages(analysis),
        _rates(analysis),
        _clock(analysis),
        *_values(analysis),
        _said(analysis),
    ]


def _names(analysis: Analysis) -> dict[int, str]:
    return {number: f"{stream.signal} ({number})" for number, stream in analysis.streams.items()}


def _ages(analysis: Analysis) -> Plot:
    series: dict[str, tuple[list[float], list[float]]] = {}
    for (boot, number), blocks in sorted(analysis.blocks.items(), key=lambda one: one[0][1]):
        x, y = series.setdefault(_names(analysis)[number], ([], []))
        for block in blocks:
            measured_s = analysis.measured_s(boot, block)
            if measured_s is not None:
                x.append(block.at_s)
                y.append(1000 * (block.at_s - float(measured_s[0])))
    return Plot(
        "Age on arrival",
        _SECONDS,
        "milliseconds from the first sample of a frame to its arrival",
        "Each mark is one SAMPLES frame. All should stay below 1000; a slope is a clock that "
        "drifts, a comb is a buffer that fills.",
        [Series(name, x, y) for name, (x, y) in series.items()],
    )


def _rates(analysis: Analysis) -> Plot:
    found = []
    edges = np.arange(0.0, analysis.trace.end_s, _RATE_OVER_S)
    came: dict[int, list[Block]] = {}  # a restart is no second stream
    for (_, number), blocks in analysis.blocks.items():
        came.setdefault(number, []).extend(blocks)
    for number, blocks in sorted(came.items() if len(edges) > 1 else ()):
        times = np.array([block.at_s for block in blocks])
        counts = np.array([block.samples.count for block in blocks], dtype=np.float64)
        per_s = np.histogram(times, edges, weights=counts)[0] / _RATE_OVER_S
        share = 100 * per_s / (analysis.streams[number].rate_mhz / 1000)
        found.append(Series(_names(analysis)[number], list(edges[1:]), list(share), joined=True))
    return Plot(
        "Rate",
        _SECONDS,
        f"per cent of the described rate, over {_RATE_OVER_S:g} s each",
        "All should stay near 100; slow streams step by whole samples.",
        found,
    )


def _clock(analysis: Analysis) -> Plot:
    x: list[float] = []
    y: list[float] = []
    for seen, line in zip(analysis.observations, analysis.clocks, strict=True):
        for one in seen if line is not None else ():
            if line is not None:
                x.append(one.high_s)
                y.append(1000 * (one.high_s - line.host_s(one.tick, one.high_s)))
    return Plot(
        "Ticks against the host's clock",
        _SECONDS,
        "milliseconds by which TIME and HELLO arrived after the steady clock that fits best",
        "A steady clock stays level; a step is a jump, a bend is an oscillator that changes.",
        [Series("TIME and HELLO", x, y)],
        least_span=_CLOCK_SPAN_MS,
    )


def _values(analysis: Analysis) -> list[Plot]:
    found = []
    for number, name in sorted(_names(analysis).items()):
        stream = analysis.streams[number]
        x, columns = _measured(analysis, number, stream.width)
        axes = ("x", "y", "z") if len(columns) == 3 else tuple(map(str, range(len(columns))))
        names = [name] if len(columns) == 1 else [f"{name} {axis}" for axis in axes]
        found.append(
            Plot(
                f"Values of {name}",
                _SECONDS,
                "a pure number" if stream.unit == "1" else stream.unit,
                "As measured; a gap is what was not measured or did not come.",
                [Series(n, x, list(c), joined=True) for n, c in zip(names, columns, strict=True)],
            )
        )
    return found


def _measured(analysis: Analysis, number: int, width: int) -> tuple[list[float], Floats]:
    """Return times [s] and values, shape (width, n), with a NaN wherever something is missing."""
    x: list[float] = []
    rows: list[Floats] = [np.empty((0, width))]
    for (boot, stream), blocks in analysis.blocks.items():
        for block in blocks if stream == number else ():
            measured_s = analysis.measured_s(boot, block)
            if measured_s is None or block.values.shape[1] != width:
                continue
            step_s = block.samples.step / (analysis.tick_hz or 1)
            if x and measured_s[0] - x[-1] > _GAP_STEPS * step_s:
                x.append(x[-1])
                rows.append(np.full((1, width), np.nan))
            x += measured_s.tolist()
            rows.append(block.values)
    return x, np.concatenate(rows).T


def _said(analysis: Analysis) -> Plot:
    trace = analysis.trace
    hellos = [h.at_s for h in trace.heard if h.frame.type == Hello.TYPE]
    rows = {
        "HELLO of the board": hellos,
        "requests of the host": [sent.at_s for sent in trace.sent],
        "pieces refused": [at_s for at_s, _ in analysis.refusals],
        "gaps in the counter": [b for _, b in analysis.counted.disturbed_s],
    }
    return Plot(
        "What was said when",
        _SECONDS,
        "one row for each kind",
        "One mark each; the two rows at the top should be empty.",
        [
            Series(name, at, [float(row + 1)] * len(at))
            for row, (name, at) in enumerate(rows.items())
        ],
        tuple(rows),
    )
