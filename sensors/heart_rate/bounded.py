"""Calls into a driver that may never come back.

`asyncio.timeout` cancels a call and then waits for it to end; a driver that
waits for a dead Bluetooth stack may ignore that, and the wait never ends.
Here a call that does not end is left behind, and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sensors.errors import DeviceError

T = TypeVar("T")

GRACE_S = 0.5
"""How long a cancelled call may take to clean up before it is left behind. [s]"""

MOST_LEFT = 8
"""Calls left behind from which on hardly any more are made. A stack that hangs
for days must not fill the memory with waiting calls."""

RETRY_S = 600.0
"""How long after the last one was left behind another is tried even so. [s] A
stack that was restarted works, though the calls it forgot never end."""


class Calls:
    """Await calls, each for no longer than agreed.

    Parameters
    ----------
    most_left : int

    Attributes
    ----------
    hung : int
        How many calls had to be left behind so far.
    """

    def __init__(self, most_left: int = MOST_LEFT) -> None:
        self.hung = 0
        self._most_left = most_left
        self._left_at_s = 0.0
        self._left: set[asyncio.Task[Any]] = set()

    async def within(
        self,
        limit_s: float,
        call: Coroutine[Any, Any, T],
        unless: asyncio.Future[None] | None = None,
    ) -> T:
        """Return what `call` returns.

        Parameters
        ----------
        limit_s : float
            How long it may take. [s]
        call : coroutine
        unless : Future or None
            Done once there is nothing to wait for any more.

        Raises
        ------
        TimeoutError
            If it did not end in `limit_s`, or before `unless`.
        DeviceError
            If too many calls hang already; `call` is then not begun.
        """
        now_s = asyncio.get_running_loop().time()
        if len(self._left) >= self._most_left and now_s - self._left_at_s < RETRY_S:
            call.close()
            raise DeviceError(
                f"Bluetooth does not answer ({len(self._left)} calls hang); switch it off and on, "
                f"or restart its service or the computer; tried again in {RETRY_S / 60:.0f} minutes"
            )
        task = asyncio.ensure_future(call)
        ends: set[asyncio.Future[Any]] = {task} if unless is None else {task, unless}
        try:
            await asyncio.wait(ends, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                await self._cancel(task)
        if not task.done() or task.cancelled():
            raise TimeoutError
        return task.result()

    async def _cancel(self, task: asyncio.Task[Any]) -> None:
        # From here on nobody asks for its result, and until it ends it counts.
        self._left.add(task)
        self._left_at_s = asyncio.get_running_loop().time()
        task.add_done_callback(self._end)
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE_S)
        self.hung += not task.done()

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: it came too late to matter
