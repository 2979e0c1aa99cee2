"""How a person or the system ends an edge: politely, so that it is a goodbye and no fault (T8)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

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


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks`; return once none runs any more, however it ended."""
    tasks = tuple(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
