"""From windows to means: the reduction behind the agent's own record. Pure."""

from __future__ import annotations

from dataclasses import fields

from sensors.messages import SECTIONS, WINDOW_S, ReadingMessage
from sensors.signals import SIGNALS, Channel

Sums = dict[str, tuple[float, int]]
"""Signal name to the sum of its values and their number."""

MINUTE_S, HOUR_S = 60, 3600


def values_of(message: ReadingMessage) -> dict[str, float]:
    """Return every single-valued signal of one window, by name; beats are not among them."""
    values: dict[str, float] = {}
    for channel in SECTIONS:
        section = message.section(channel)
        if section is None:
            continue
        if channel is Channel.MODULES and message.modules is not None:
            values.update(message.modules.values)
            continue
        for each in fields(section):
            value = getattr(section, each.name)
            if each.name in SIGNALS and isinstance(value, float | int):
                values[each.name] = float(value)
    return values


def added(sums: Sums, more: Sums) -> Sums:
    """Return `sums` and `more` together."""
    both = dict(sums)
    for name, (total, count) in more.items():
        before, number = both.get(name, (0.0, 0))
        both[name] = (before + total, number + count)
    return both


def minute_of(message: ReadingMessage) -> int:
    """Return the start of the minute in which the window's middle lies. [s since 1970]."""
    middle_s = message.window_end_at.timestamp() - WINDOW_S / 2
    return int(middle_s // MINUTE_S) * MINUTE_S
