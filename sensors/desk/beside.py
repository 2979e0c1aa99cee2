"""What of this package runs beside an edge."""

from __future__ import annotations

import os
import sys

from sensors.desk.combination import parse_combination
from sensors.desk.here import hotkey_source, idle_source, lock_sources
from sensors.desk.watch import DeskWatch, PauseKey
from sensors.edge.companion import Companion
from sensors.edge.settings import EdgeSettings


def desk_companions(settings: EdgeSettings) -> list[Companion]:
    """Return the companions that `settings` ask for."""
    found: list[Companion] = []
    locks = lock_sources(sys.platform) if settings.watch_lock else []
    if locks or settings.idle_min:
        idle = idle_source(sys.platform, os.environ)
        found.append(DeskWatch(locks, idle, 60.0 * settings.idle_min))
    if settings.hotkey:
        combination = parse_combination(settings.hotkey)
        source = hotkey_source(sys.platform, os.environ, combination)
        found.append(PauseKey(combination, source))
    return found
