"""A board on the other end of a real pseudo-terminal."""

import contextlib
import os
import threading
import time
import tty
from pathlib import Path

BUFFER = 16_384
"""More than a pseudo-terminal keeps for a reader. [bytes]"""


class Board:
    """Prints lines on a pseudo-terminal, as a board does on its serial port."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)  # else the terminal would change what passes
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._closing = threading.Lock()
        self._thread: threading.Thread | None = None
        self.sent = 0  # bytes taken of what is sent again and again

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._master, data) :]

    def keep_sending(
        self, data: bytes, every_s: float = 0.01, *, unplug_after: float = float("inf")
    ) -> None:
        """Send `data` again and again until unplugged, by itself after so many bytes were taken.

        More bytes than the terminal buffers (`BUFFER`) cannot be taken unless
        somebody reads them.
        """

        def run() -> None:
            os.set_blocking(self._master, False)
            while self.sent < unplug_after and not self._stop.wait(every_s):
                try:
                    self.sent += os.write(self._master, data)
                except BlockingIOError:
                    time.sleep(every_s)  # nobody reads: the wire is full
            self._close()

        self._thread = threading.Thread(target=run)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether a SerialPort of this process has the port open.

        Whoever tried its lock would have it for a moment, and a SerialPort that is
        being opened then finds the port in use.
        """
        opened = 0
        for descriptor in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                opened += str(descriptor.readlink()) == self.port
        return opened > 1  # one is this board's own

    def unplug(self) -> None:
        """Take the cable out; doing it twice is fine."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._close()

    def _close(self) -> None:
        with self._closing:
            for descriptor in (self._master, self._slave):
                if descriptor >= 0:
                    os.close(descriptor)
            self._master = self._slave = -1
