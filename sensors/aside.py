"""Calls that block and may never return, beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

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
            answer: asyncio.Future[T] = loop.create_future()
            self._thread = threading.Thread(
                target=_work, args=(call, loop, answer, too_late), name=self._name, daemon=True
            )
            self._thread.start()
            try:
                return await answer
            finally:
                del answer  # an error in it would hold this frame, and this frame it


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


def _work(
    call: Callable[[], T],
    loop: asyncio.AbstractEventLoop,
    answer: asyncio.Future[T],
    too_late: Callable[[T], None] | None,
) -> None:
    put: Callable[[Any], None]
    what: Any
    try:
        put, what = answer.set_result, call()
    except Exception as error:  # noqa: BLE001 - the caller's to handle
        put, what, too_late = answer.set_exception, error, None
    try:
        loop.call_soon_threadsafe(_tell, answer, put, what, too_late)
    except RuntimeError:  # the loop has ended meanwhile
        if too_late is not None:
            too_late(what)
    del answer, put, what  # as above


def _tell(
    answer: asyncio.Future[T],
    put: Callable[[Any], None],
    what: Any,
    too_late: Callable[[T], None] | None,
) -> None:
    if not answer.done():
        put(what)
    elif too_late is not None:
        too_late(what)
