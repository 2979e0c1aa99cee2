"""One signal's last day as a line: a picture for those who want it; the table says the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

WIDTH, HEIGHT, MARGIN = 720, 120, 4
"""Of the drawing; the page scales it. [px]"""

DAY = timedelta(days=1)
BUCKET = timedelta(minutes=5)
"""One point of the line: two pixels and a half of the day."""

Points = Sequence[tuple[datetime, float]]


def day_svg(points: Points, now: datetime, label: str) -> str:
    """Return the last 24 hours until `now` as an SVG image.

    Parameters
    ----------
    points : sequence of (datetime, float)
        Oldest first; where none is, the line is broken and not drawn through.
    now : datetime
        The right edge. UTC.
    label : str
        What the picture shows, for whoever does not see it.

    Returns
    -------
    str
        HTML; empty when nothing lies in the day.
    """
    buckets = _bucketed(points, now)
    if not buckets:
        return ""
    values = list(buckets.values())
    low, high = min(values), max(values)
    runs = [_path(run, low, high) for run in _runs(buckets)]
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">{"".join(runs)}</svg>'
    )


def _bucketed(points: Points, now: datetime) -> dict[int, float]:
    """Return the mean of each bucket by its number from the left edge."""
    start = now - DAY
    sums: dict[int, tuple[float, int]] = {}
    for at, value in points:
        if start <= at <= now:
            bucket = int((at - start) / BUCKET)
            total, count = sums.get(bucket, (0.0, 0))
            sums[bucket] = (total + value, count + 1)
    return {bucket: total / count for bucket, (total, count) in sums.items()}


def _runs(buckets: dict[int, float]) -> list[list[tuple[int, float]]]:
    """Return stretches without a gap."""
    runs: list[list[tuple[int, float]]] = []
    for bucket, value in buckets.items():
        if not runs or bucket != runs[-1][-1][0] + 1:
            runs.append([])
        runs[-1].append((bucket, value))
    return runs


def _path(run: list[tuple[int, float]], low: float, high: float) -> str:
    step = WIDTH / (DAY / BUCKET)
    height = HEIGHT - 2 * MARGIN
    places = []
    for bucket, value in run:
        share = (value - low) / (high - low) if high > low else 0.5
        places.append(f"{(bucket + 0.5) * step:.1f} {MARGIN + (1 - share) * height:.1f}")
    if len(places) == 1:  # a single point is a short line, or it would not be seen
        x, y = places[0].split()
        places = [f"{float(x) - step / 2:.1f} {y}", f"{float(x) + step / 2:.1f} {y}"]
    return f'<path d="M{"L".join(places)}"/>'
