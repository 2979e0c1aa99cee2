"""What researchers write for times and lengths, read; pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from sensors.errors import ConfigurationError

_UNITS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def length(text: str | timedelta) -> timedelta:
    """Return a length of time.

    Raises
    ------
    ConfigurationError
        If it is not like ``30s``, ``5min``, ``1h`` or ``1d``.

    Examples
    --------
    >>> length("5min")
    datetime.timedelta(seconds=300)
    """
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"\s*(\d{1,6})\s*(s|min|h|d)\s*", text)
    if found is None or int(found[1]) == 0:
        raise ConfigurationError(f"{text!r} is no length of time; expected like 30s, 5min, 1h, 1d")
    return int(found[1]) * _UNITS[found[2]]


def moment(text: str | date | datetime, *, is_end: bool = False) -> datetime:
    """Return a moment in UTC; a bare date is its begin, or as an end the end of that day.

    Raises
    ------
    ConfigurationError
        If it is neither a date nor a time.
    """
    if isinstance(text, str):
        try:
            text = date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
        except ValueError:
            raise ConfigurationError(
                f"{text!r} is no time; expected like 2026-01-31 or 2026-01-31T09:00:00Z"
            ) from None
    if not isinstance(text, datetime):
        begin = datetime.combine(text, time(), UTC)
        return begin + timedelta(days=1) if is_end else begin
    return text.replace(tzinfo=UTC) if text.tzinfo is None else text.astimezone(UTC)


def hours(text: str | tuple[float, float]) -> tuple[float, float]:
    """Return two times of day in hours.

    Raises
    ------
    ConfigurationError
        If they are not like ``13-14`` or ``12:30-13:30``.

    Examples
    --------
    >>> hours("12:30-14")
    (12.5, 14.0)
    """
    if not isinstance(text, str):
        begin_h, end_h = text
    else:
        found = re.fullmatch(r"\s*(\d{1,2})(?::([0-5]\d))?\s*-\s*(\d{1,2})(?::([0-5]\d))?\s*", text)
        if found is None:
            raise ConfigurationError(f"{text!r} are no hours; expected like 13-14 or 12:30-13:30")
        begin_h = int(found[1]) + int(found[2] or 0) / 60
        end_h = int(found[3]) + int(found[4] or 0) / 60
    if not (0 <= begin_h < 24 and 0 < end_h <= 24 and begin_h != end_h):
        raise ConfigurationError(f"{text!r} are no hours of a day; expected 0 to 24")
    return float(begin_h), float(end_h)
