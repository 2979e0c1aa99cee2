"""The virtual headset on the other end of a real pseudo-terminal."""

import contextlib
import os
import select
import threading
import time
import tty

from firmware_bridge.simulation.board import Board, BoardSettings

_MOST_BYTES = 1 << 16


class SpeakingBoard:
    """Steps a virtual board in real time, and answers what is asked."""

    def __init__(self, board: Board | None = None) -> None:
        self.board = board or Board(BoardSettings())
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        pending = b""  # a busy reader loses nothing: what is lost is for the tests to say
        while not self._stop.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.01)
            asked = os.read(self._master, 4096) if ready else b""
            now_s = time.monotonic()
            sent = self.board.take(asked, now_s) if asked else self.board.step(now_s)
            pending = (pending + sent)[-_MOST_BYTES:]
            with contextlib.suppress(BlockingIOError):  # nobody reads: the wire is full
                pending = pending[os.write(self._master, pending) :]

    def unplug(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1
