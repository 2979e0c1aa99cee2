"""A wire to a real server that can be cut and mended, where the server itself cannot be stopped."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.rig.process import free_port

_PIECE = 1 << 16


class Relay:
    """Passes every byte between a port of the loopback address and a server."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = free_port()
        self.mend()

    @property
    def url(self) -> str:
        """Base address on this side."""
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Let through again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept, self._listener)

    def cut(self) -> None:
        """Break what is on its way, and let nobody connect."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # ends `accept`
            listener.close()
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # cut
            while True:
                near, _ = listener.accept()
                self._start(self._join, near)

    def _join(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(self._target, timeout=10.0)
            except OSError:
                return
            far.settimeout(None)
            with far:
                with self._lock:
                    self._ends |= {near, far}
                back = threading.Thread(target=_pass, args=(far, near), daemon=True)
                back.start()
                _pass(near, far)
                back.join()
                with self._lock:
                    self._ends -= {near, far}


def _pass(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay_to(host: str, port: int) -> Iterator[Relay]:
    """Run a relay to a server."""
    relay = Relay(host, port)
    try:
        yield relay
    finally:
        relay.cut()
