"""Putting the page before the agent: in their browser where there is a desktop."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser


def has_desktop() -> bool:
    """Return whether a browser would show up on a screen here."""
    if sys.platform in {"win32", "darwin"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_beside(address: str) -> None:
    """Open `address` in the person's browser without waiting for it, however long it takes."""
    # Daemonic: some browsers' starters wait until the browser ends, and the edge must not.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
