"""A board on the other end of a real pseudo-terminal."""

import os
import threading
import time
import tty


class Board:
    """Prints lines on a pseudo-terminal, as a board does on its serial port."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)  # else the terminal would change what passes
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._master, data) :]

    def keep_sending(self, data: bytes, every_s: float = 0.01) -> None:
        """Send `data` again and again until unplugged."""

        def run() -> None:
            os.set_blocking(self._master, False)
            while not self._stop.wait(every_s):
                try:
                    os.write(self._master, data)
                except BlockingIOError:
                    time.sleep(every_s)  # nobody reads: the wire is full

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def unplug(self) -> None:
        """Take the cable out; doing it twice is fine."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1
