"""Where tombstones lie besides the state: beside the store, so that either can be restored."""

from __future__ import annotations

from pathlib import Path

from analytics.people.tombstones import FILE_NAME
from analytics.store.settings import StoreSettings


def tombstones_beside(settings: StoreSettings) -> tuple[Path, ...]:
    """Return the file beside an embedded store; a database server has no such place."""
    if settings.kind != "embedded":
        return ()
    store = settings.file()
    return (store.with_name(f"{store.name}.{FILE_NAME}"),)
