"""Calls that block and may never return, beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_POLL_S = 0.01


class Aside:
    """Makes one blocking call at a time, on a thread that nobody waits for.

    ``asyncio.to_thread`` lends one of the few threads that the whole program
    shares, and the program cannot end before it came back: some calls that
    hang stop all others, and keep a stopped program from ending.

    Parameters
    ----------
    name : str
        Of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None

    async def within(
        self, limit_s: float, call: Callable[[], T], too_late: Callable[[T], None] | None = None
    ) -> T:
        """Return what `call` returns, or raise what it raises.

        Parameters
        ----------
        limit_s : float
            How long it may take, a former call that still hangs included. [s]
        call : callable
        too_late : callable or None
            Takes what it returned when nobody waits for it any more.

        Raises
        ------
        TimeoutError
            If it has not returned by then; its thread is left behind.
        """
        async with asyncio.timeout(limit_s):
            while self._thread is not None and self._thread.is_alive():  # noqa: ASYNC110 - sets no event
                await asyncio.sleep(_POLL_S)
            loop = asyncio.get_running_loop()
            came: asyncio.Future[None] = loop.create_future()
            answer = _Answer(too_late)
            self._thread = threading.Thread(
                target=_work, args=(call, loop, came, answer), name=self._name, daemon=True
            )
            self._thread.start()
            try:
                await came
                return answer.take()
            finally:
                answer.leave()


class InOrder:
    """Makes blocking calls one after the other, on a thread that nobody waits for.

    Parameters
    ----------
    name : str
        Of the thread, which is there while there is work.
    most : int
        How many calls may wait for the one that is being made.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()
        self._is_working = False

    def do(self, call: Callable[[], T]) -> Future[T] | None:
        """Have `call` made after all before it; ``None`` where too many wait: it is not made."""
        done: Future[T] = Future()
        done.set_running_or_notify_cancel()  # who waits no more does not call it off
        with self._lock:
            if len(self._calls) >= self._most:
                return None
            self._calls.append((done, call))
            if self._is_working:
                return done
            self._is_working = True
        threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return done

    async def within(self, limit_s: float, call: Callable[[], T]) -> T:
        """Return what `call` returns, or raise what it raises.

        Raises
        ------
        TimeoutError
            If it has not returned after `limit_s` seconds, or too many wait.
            If it was taken it is still made.
        """
        done = self.do(call)
        if done is None:
            raise TimeoutError
        async with asyncio.timeout(limit_s):
            return await asyncio.shield(asyncio.wrap_future(done))

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._calls:
                    self._is_working = False
                    return
                done, call = self._calls.popleft()
            try:
                answer = call()
            except BaseException as error:  # noqa: BLE001 - whoever waits is to handle it
                done.set_exception(error)
            else:
                done.set_result(answer)


class _Answer(Generic[T]):
    """What a call returned or raised, between its thread and whoever waits for it or does not."""

    def __init__(self, too_late: Callable[[T], None] | None) -> None:
        self._too_late = too_late
        self._lock = threading.Lock()
        self._has_left = False
        self._returned: list[T] = []
        self._error: Exception | None = None

    def put(self, returned: T) -> None:
        """Keep it for who waits; on the thread."""
        with self._lock:
            if not self._has_left:
                self._returned.append(returned)
                return
        if self._too_late is not None:
            self._too_late(returned)

    def fail(self, error: Exception) -> None:
        """Keep an error for who waits; on the thread."""
        self._error = error

    def take(self) -> T:
        """Return or raise it, to who waited."""
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # it would hold this frame, and this frame it
        return self._returned.pop()

    def leave(self) -> None:
        """Wait no more: what came and was not taken was too late, as is what comes from here on."""
        with self._lock:
            self._has_left = True
        if self._too_late is not None and self._returned:
            self._too_late(self._returned.pop())


def _work(
    call: Callable[[], T],
    loop: asyncio.AbstractEventLoop,
    came: asyncio.Future[None],
    answer: _Answer[T],
) -> None:
    try:
        answer.put(call())
    except Exception as error:  # noqa: BLE001 - the caller's to handle
        answer.fail(error)
    del call, answer  # what they hold is the caller's
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(_tell, came)


def _tell(came: asyncio.Future[None]) -> None:
    if not came.done():
        came.set_result(None)
