"""Which companions run beside an edge: the one place that puts them together."""

from __future__ import annotations

from sensors.edge.companion import Companion
from sensors.edge.settings import EdgeSettings


def companions(settings: EdgeSettings) -> list[Companion]:
    """Return what `settings` ask for, in the order in which they are told things."""
    del settings
    return []
