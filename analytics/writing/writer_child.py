"""The process that takes points from the spool on disk into the store (``python -m``).

Started by `analytics.writing.writer_process` and by nobody else: unpacking,
formatting and posting shall not share an interpreter with scoring. It ends
when it is told to, on SIGTERM after what can be written quickly, and at once
when its parent is gone, which closes our standard input.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from analytics.clock import now_utc
from analytics.server_log import QuietFormatter
from analytics.store.opening import open_store
from analytics.writing.report import StoreState
from analytics.writing.spool import SpoolWriter
from analytics.writing.writer_protocol import Failure, Order, Told, line, read_begin, read_order

TELL_EVERY_S = 0.25
"""How often what is new is told. [s]"""

_BEATS = 4  # a life sign so many times as rarely

_log = logging.getLogger("wellbeing.detect")


class _ToldToStopError(Exception):
    """By a signal."""


class _Out:
    """Lines to the parent, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, told: Told) -> None:
        """Write one line; a parent that is gone has closed our input as well."""
        data = line(told)
        with self._lock:
            try:
                self._stream.write(data)
                self._stream.flush()
            except OSError:
                os._exit(1)


class _Handler(logging.Handler):
    """Sends what there is to say to the parent's log."""

    def __init__(self, out: _Out) -> None:
        super().__init__()
        self._out = out
        self.setFormatter(QuietFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self._out.say(Told(log=self.format(record), level=record.levelno))


class _Telling:
    """Tells how the store is, whenever that has changed, and once a second anyway."""

    def __init__(self, writer: SpoolWriter, out: _Out) -> None:
        self._writer, self._out = writer, out
        self._last: tuple[StoreState, int, int] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telling", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        beat = 0
        while not self._ended.wait(TELL_EVERY_S):
            beat += 1
            self.tell(anyway=beat % _BEATS == 0)
            if self._writer.failure is not None:
                self._out.say(Told(error=Failure.of(self._writer.failure)))
                return

    def tell(self, *, anyway: bool) -> None:
        now = (self._writer.state, self._writer.written_id, self._writer.live_id)
        if anyway or now != self._last:
            self._last = now
            self._out.say(Told(state=now[0], written_id=now[1], live_id=now[2]))

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self.tell(anyway=True)


def serve(stdin: BinaryIO, out: _Out) -> None:
    """Write until told to stop.

    Raises
    ------
    ValueError
        If what comes in is not of our parent.
    """
    given = read_begin(stdin.readline())
    settings = given.settings()
    writer = SpoolWriter(
        Path(given.directory),
        lambda: open_store(settings),
        now_utc,
        given.max_bytes,
        trust_clock=settings.trust_clock,
    )
    telling = _Telling(writer, out)
    writer.start()
    try:
        for order in _orders(stdin):
            if order.do == "erase":
                _erase(writer, order, out)
            else:
                writer.notify()
    except _ToldToStopError:
        pass
    writer.stop()
    telling.end()


def _orders(stdin: BinaryIO) -> Iterator[Order]:
    """Yield what we are told, up to ``stop``."""
    for data in stdin:
        order = read_order(data)
        if order.do == "stop":
            return
        yield order
    # Nobody is there any more, and perhaps another server already: what is on its way is told again.
    os._exit(1)


def _erase(writer: SpoolWriter, order: Order, out: _Out) -> None:
    def answer(found: Future[int]) -> None:
        error = found.exception()
        if error is not None:
            out.say(Told(answers=order.id, error=Failure.of(error)))
        else:
            out.say(Told(answers=order.id, count=found.result()))

    writer.erase(order.site, order.agent, order.before).add_done_callback(answer)


def _ended_by_bug(how: threading.ExceptHookArgs) -> None:
    """End the whole process with a thread that died: nobody would write, and nobody would say so."""
    if how.exc_value is not None:
        places = (how.exc_type, how.exc_value, how.exc_traceback)
        _log.error("the store's writer has ended by a bug; please report it", exc_info=places)
    os._exit(1)


@contextmanager
def _stop_on_term() -> Iterator[None]:
    def ask(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _ToldToStopError

    # Ctrl-C reaches a whole terminal: the parent decides, and tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, ask)
    yield


def main() -> int:
    """Serve the parent on standard input and output."""
    # What else is printed must not get between our lines.
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)
        out = _Out(stream)
        logger = logging.getLogger("wellbeing")
        logger.addHandler(_Handler(out))
        logger.setLevel(logging.INFO)
        threading.excepthook = _ended_by_bug
        with _stop_on_term():
            try:
                serve(sys.stdin.buffer, out)
            except _ToldToStopError:
                return 0
            except Exception:  # noqa: BLE001 - told in the log, without its words
                _log.exception("the writer's process has ended by a bug; please report it")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
