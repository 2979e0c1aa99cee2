"""A flag that a signal handler may raise while its own thread waits for it."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue


class Interruption(threading.Event):
    """An event whose `set` may be called by a signal handler.

    `threading.Event.set` takes a lock that `wait` holds for a moment, and a
    handler runs on the main thread, wherever that is: in that moment it waits
    for itself for ever. Putting into a `SimpleQueue` is reentrant.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: SimpleQueue[None] = SimpleQueue()
        self._is_told = False

    def is_set(self) -> bool:
        """Return whether it was set."""
        return self._is_told

    def set(self) -> None:
        """Set it, and wake everybody who waits; also from a signal handler."""
        self._is_told = True
        self._told.put(None)

    def clear(self) -> None:
        """Forget that it was set."""
        self._is_told = False
        with suppress(Empty):
            while True:
                self._told.get_nowait()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, for up to `timeout` [s]; return whether it is."""
        if not self._is_told:
            with suppress(Empty):
                self._told.get(timeout=None if timeout is None else max(timeout, 0.0))
                self._told.put(None)  # for whoever waits, too
        return self._is_told
