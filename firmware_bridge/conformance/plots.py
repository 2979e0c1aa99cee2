"""Plots as SVG inside a page: by shape as well as by colour, with their words beside them; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.conformance.report import Plot, Series

Floats = NDArray[np.float64]

_WIDTH, _HEIGHT = 760, 260
_RIGHT, _TOP, _BOTTOM = 16, 12, 40
_LEFT, _LEFT_OF_NAMES = 64, 190
_MOST = 1_200  # points of one series; more cannot be told apart
_STEPS = (1.0, 2.0, 5.0, 10.0)
# Told apart by shape and dashes also where colours are not seen.
_SHAPES = ("circle", "square", "triangle", "diamond", "cross", "plus")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 2", "12 4")


def draw(plot: Plot) -> str:
    """Return `plot` as a figure: the drawing, a legend, and its figures as a table."""
    shown = [_thinned(series) for series in plot.series if len(series.x)]
    if not shown:
        return _figure(plot, "<p>Nothing to show.</p>", "")
    x_low, x_high = _limits([series.x for series in shown])
    x_ticks = _ticks(x_low, x_high)
    if plot.rows:
        left, y_low, y_high = _LEFT_OF_NAMES, 0.5, len(plot.rows) + 0.5
        y_ticks = {float(row + 1): escape(name) for row, name in enumerate(plot.rows)}
    else:
        left, (y_low, y_high) = _LEFT, _limits([series.y for series in shown], plot.least_span)
        y_ticks = _labels(_ticks(y_low, y_high))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low)
        up = (y - y_low) / (y_high - y_low)
        return (
            left + across * (_WIDTH - left - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )

    parts = [_grid_x(tick, place(tick, y_low)[0]) for tick in x_ticks]
    parts += [_grid_y(text, left, place(x_low, tick)[1]) for tick, text in y_ticks.items()]
    parts.append(f'<text class="label" x="{left}" y="{_HEIGHT - 4}">{escape(plot.x_label)}</text>')
    for number, series in enumerate(shown):
        points = [place(float(x), float(y)) for x, y in zip(series.x, series.y, strict=True)]
        parts.append(_line(points, number) if series.joined else _marks(points, number))
    title = f"{plot.title}: {plot.meaning}"
    svg = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
    return _figure(plot, svg, ("" if plot.rows else _legend(shown)) + _table(plot))


def _figure(plot: Plot, drawing: str, below: str) -> str:
    return (
        f"<figure><figcaption><h3>{escape(plot.title)}</h3>"
        f'<p>{escape(plot.meaning)} <span class="unit">Upwards: {escape(plot.y_label)}.</span></p>'
        f"</figcaption>{drawing}{below}</figure>"
    )


def _thinned(series: Series) -> Series:
    """Return at most so many points as can be told apart; a line keeps its gaps."""
    x, y = np.asarray(series.x, dtype=np.float64), np.asarray(series.y, dtype=np.float64)
    step = max(math.ceil(len(x) / _MOST), 1)
    kept = np.arange(len(x)) % step == 0
    fine = np.isfinite(x) & np.isfinite(y)
    kept = kept | ~fine if series.joined else kept & fine
    return Series(series.name, list(x[kept]), list(y[kept]), series.joined)


def _limits(found: Sequence[Sequence[float]], least_span: float = 0.0) -> tuple[float, float]:
    values = np.concatenate([np.asarray(one, dtype=np.float64) for one in found])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if low == high and not least_span:
        margin = abs(low) / 10 or 1.0
        return low - margin, high + margin
    margin = max(least_span - (high - low), 0.0) / 2
    return low - margin, high + margin


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers that cover the span from `low` to `high`."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(one for one in _STEPS if power * one >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)] or [low, high]


def _labels(ticks: Sequence[float]) -> dict[float, str]:
    """Return what stands beside each of `ticks`: with as many digits as tell them apart."""
    for digits in range(6, 17):
        labels = {tick: _number(tick, digits) for tick in ticks}
        if len(set(labels.values())) == len(labels):
            break
    return labels


def _number(value: float, digits: int = 6) -> str:
    return f"{value:.{digits}g}".replace("-", "\N{MINUS SIGN}")


def _grid_x(tick: float, at: float) -> str:
    bottom = _HEIGHT - _BOTTOM
    return (
        f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}"/>'
        f'<text class="tick" x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">'
        f"{_number(tick)}</text>"
    )


def _grid_y(text: str, left: int, at: float) -> str:
    return (
        f'<line class="grid" x1="{left}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text class="tick" x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>'
    )


def _line(points: Sequence[tuple[float, float]], number: int) -> str:
    path, is_down = [], False
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            path.append(f"{'L' if is_down else 'M'}{x:.1f} {y:.1f}")
            is_down = True
        else:
            is_down = False
    dash = _DASHES[number % len(_DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path class="line s{number % len(_SHAPES)}"{dashes} d="{"".join(path)}"/>'


def _marks(points: Sequence[tuple[float, float]], number: int) -> str:
    shape = _SHAPES[number % len(_SHAPES)]
    path = "".join(_mark(shape, x, y) for x, y in points)
    return f'<path class="mark s{number % len(_SHAPES)}" d="{path}"/>'


def _mark(shape: str, x: float, y: float) -> str:
    """Return one mark as a part of a path, about six units wide."""
    at = f"M{x:.1f} {y:.1f}"
    return (
        at
        + {
            "circle": "m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0",
            "square": "m-2.5 -2.5h5v5h-5z",
            "triangle": "m0 -3l3 5.5h-6z",
            "diamond": "m0 -3.5l3 3.5l-3 3.5l-3 -3.5z",
            "cross": "m-3 -3l6 6m0 -6l-6 6",
            "plus": "m-3.5 0h7m-3.5 -3.5v7",
        }[shape]
    )


def _legend(shown: Sequence[Series]) -> str:
    items = []
    for number, series in enumerate(shown):
        sample = _line([(0, 7), (28, 7)], number) if series.joined else _marks([(14, 7)], number)
        items.append(
            f'<li><svg class="key" viewBox="0 0 28 14" aria-hidden="true">{sample}</svg> '
            f"{escape(series.name)}</li>"
        )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _table(plot: Plot) -> str:
    """Return the figures of a plot, for whoever does not see it."""
    rows = []
    for series in plot.series:
        y = np.asarray(series.y, dtype=np.float64)
        y = y[np.isfinite(y)]
        if len(y):
            figures = (y.min(), float(np.median(y)), y.max())
            cells = "".join(f"<td>{_number(float(figure))}</td>" for figure in figures)
            rows.append(
                f'<tr><th scope="row">{escape(series.name)}</th><td>{len(y)}</td>{cells}</tr>'
            )
    heads = "".join(
        f'<th scope="col">{word}</th>' for word in ("", "points", "least", "middle", "most")
    )
    return (
        f"<details><summary>{escape(plot.title)} in figures ({escape(plot.y_label)})</summary>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></details>"
    )
