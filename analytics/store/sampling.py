"""How finely to ask for a stretch of time: no finer than the picture can show; pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from sensors.errors import ConfigurationError

LADDER_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400)
"""The grids there are. [s] A window is 5 s; each divides a day, so that none moves overnight."""


def interval_for(start_at: datetime, end_at: datetime, width: int) -> timedelta:
    """Return the finest grid that gives a picture of `width` points at most one value each.

    Parameters
    ----------
    start_at, end_at : datetime
        What the picture shows.
    width : int
        Its width, in points that can be told apart (pixels, for a line).

    Returns
    -------
    timedelta
        One of `LADDER_S`, or whole days beyond it.

    Raises
    ------
    ConfigurationError
        If the picture has no width or no time.

    Examples
    --------
    >>> from datetime import UTC
    >>> eight = datetime(2026, 1, 1, 8, tzinfo=UTC)
    >>> interval_for(eight, eight + timedelta(hours=8), 600)
    datetime.timedelta(seconds=60)
    """
    span_s = (end_at - start_at).total_seconds()
    if width < 1 or span_s <= 0:
        raise ConfigurationError(f"a picture of {width} points and {span_s:g} s shows nothing")
    least_s = span_s / width
    for rung_s in LADDER_S:
        if rung_s >= least_s:
            return timedelta(seconds=rung_s)
    return timedelta(days=-(-least_s // 86_400))
