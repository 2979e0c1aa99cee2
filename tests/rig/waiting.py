"""Waiting for something to become true, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02
PATIENCE_S = 60.0
"""How long to wait unless told otherwise: a machine may be five times slower than usual. [s]"""


def wait_until(predicate: Callable[[], T], timeout: float = PATIENCE_S, what: str = "") -> T:
    """Return the first truthy value of `predicate`; fail the test after `timeout` seconds.

    The limit is generous on purpose: it ends a hang, it measures nothing.
    """
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(_late(predicate, timeout, what, value))
        time.sleep(POLL_S)


async def wait_until_async(
    predicate: Callable[[], T],
    timeout: float = PATIENCE_S,  # noqa: ASYNC109 - the same call as its plain sister
    what: str = "",
) -> T:
    """Like `wait_until`, letting the event loop run between two looks."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(_late(predicate, timeout, what, value))
        await asyncio.sleep(POLL_S)


def _late(predicate: Callable[[], object], timeout: float, what: str, value: object) -> str:
    name = what or getattr(predicate, "__qualname__", repr(predicate))
    return f"still not so after {timeout:g} s: {name}; last value {value!r}"
