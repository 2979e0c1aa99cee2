"""How a person or the system ends an edge: politely, so that it is a goodbye and no fault (T8)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from sensors.errors import StateError
from sensors.processes import ENDS_WITHIN_S
from sensors.words import N_

_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextlib.contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM and the closed terminal into `stop` where the platform allows."""
    loop = asyncio.get_running_loop()
    handled = []
    for number in _ENDING:
        with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows, or not main thread
            loop.add_signal_handler(number, stop)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


END_WITHIN_S = ENDS_WITHIN_S
"""How long the end may take; service managers wait 20 s (deploy/autostart), `wellbeing me` longer. [s]

Of these 4 s are a collector's that does not let go of its device, 5 s the disk's for the last
windows, 2 s the broker's for the goodbye.
"""

_WORDS_WITHIN_S = 1.0

DEVICE, DISK = N_("a device"), N_("the disk")
BROKER, PART = N_("the broker"), N_("a part of this program")
"""What may hold the end up, for whoever waits for it."""


class LastResort:
    """Ends this program though a thread of it waits in the kernel, as for a disk that hangs.

    Python waits for its threads before it ends, and nothing ends a thread that
    waits for a disk: without this neither Ctrl-C nor SIGTERM would. A context
    manager; leaving it calls it off.
    """

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def begin(self, last_words: Callable[[], None]) -> None:
        """Give the end `END_WITHIN_S` from now on; `last_words` says what becomes of what is kept."""
        if self._timer is None:
            self._timer = threading.Timer(END_WITHIN_S, _end, (last_words,))
            self._timer.daemon = True
            self._timer.start()


def _end(last_words: Callable[[], None]) -> None:
    # A terminal or a log on the same disk may not take them.
    speaking = threading.Thread(target=last_words, daemon=True)
    speaking.start()
    speaking.join(_WORDS_WITHIN_S)
    os._exit(StateError.exit_code)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question that is asked on the loop; asyncio would take the first for itself."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks`; return once none runs any more, however it ended."""
    tasks = tuple(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
