"""Which companions run beside an edge: the one place that puts them together."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sensors.desk.combination import parse_combination
from sensors.desk.here import hotkey_source, idle_source, lock_sources
from sensors.edge.companion import Companion
from sensors.edge.own.keeper import OwnKeeper
from sensors.edge.own.record import OwnRecord
from sensors.edge.page.companion import AgentPage
from sensors.edge.presence.watch import DeskWatch, PauseKey
from sensors.edge.recording.recorder import Recorder
from sensors.edge.sealing.cipher import Cipher
from sensors.edge.settings import EdgeSettings


def companions(
    settings: EdgeSettings, cipher: Cipher, record_to: Path | None = None
) -> list[Companion]:
    """Return what `settings` ask for, in the order in which they are told things.

    Raises
    ------
    ConfigurationError
        If there can be no new recording at `record_to`.
    """
    found: list[Companion] = []
    # Only the page shows it; but what a page once began must not outlive its month.
    if settings.page or settings.own_path.exists():
        record = OwnRecord(settings.own_path, cipher)
        found.append(OwnKeeper(record))
    if settings.page:
        found.append(
            AgentPage(
                settings.page_path,
                record,
                language=settings.language,
                is_private=settings.private,
            )
        )
    if record_to is not None:
        found.append(Recorder(record_to))
    return found + desk_companions(settings)


def desk_companions(settings: EdgeSettings) -> list[Companion]:
    """Return those that look whether somebody is at the desk."""
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
