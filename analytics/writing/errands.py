"""What is to be done with the store besides writing: erasing, until it is done.

The store belongs to its writer, which may be another process: an errand is
done here, on a thread of its own, and asks the writer for each erasure. One
that fails is done again later; writing goes on meanwhile.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime

from analytics.store.base import Eraser
from analytics.writing.lanes import patience_s
from analytics.writing.report import said_of
from sensors.errors import StoreUnreachableError

Errand = Callable[[Eraser], None]
"""Given what erases; raises when it is to be tried again."""

_log = logging.getLogger("wellbeing.detect")


class Errands:
    """Does one errand after the other.

    Parameters
    ----------
    ask : callable
        The writer's ``erase``.
    """

    def __init__(self, ask: Callable[[str, str, datetime | None], Future[int]]) -> None:
        self._eraser = _Eraser(ask)
        self._waiting: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-errands", daemon=True)

    def start(self) -> None:
        """Begin; what was asked before is done then."""
        self._thread.start()

    def ask(self, errand: Errand) -> None:
        """Have `errand` done."""
        self._waiting.put(errand)

    def stop(self) -> None:
        """End; what is not done stands in the state file. After the writer, which lets go of us."""
        self._stopping.set()
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while (errand := self._waiting.get()) is not None:
            failures = 0
            while not self._is_done(errand, failures):
                wait_s = patience_s(failures, None, random.random())  # noqa: S311 - only spreads
                if self._stopping.wait(wait_s):
                    return
                failures += 1

    def _is_done(self, errand: Errand, failures: int) -> bool:
        try:
            errand(self._eraser)
        except StoreUnreachableError:
            return False  # the writer tells it
        except Exception as error:  # noqa: BLE001 - told, and tried again
            if not failures:
                _log.warning("an erasure waits for the store: %s", said_of(error))
            return False
        return True


class _Eraser:
    def __init__(self, ask: Callable[[str, str, datetime | None], Future[int]]) -> None:
        self._ask = ask

    def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
        return self._ask(site, agent, before).result()
