"""Asks one board on an open port, and waits for what it answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from firmware_bridge.bench.board_feed import BoardFeed
from firmware_bridge.ports.serial_port import SerialPort
from firmware_bridge.protocol.messages import FromHost, Hello, Setting, Status
from sensors.errors import DeviceError

INTRODUCED_WITHIN_S = 6.0
"""Longest wait for HELLO. [s] Boards that start anew when opened take two, and are asked again."""

ANSWERED_WITHIN_S = 1.0
"""Longest wait for an answer. [s] The protocol allows 0.5 s; the rest is the way."""

_TRIES = 3
_BUSY_S = 0.2


class Conversation:
    """A board on an open port.

    Parameters
    ----------
    port : SerialPort
    name : str
        Of the port, for errors.

    Attributes
    ----------
    is_deaf : bool
        Whether the board answered for no setting that it was asked for,
        though often enough: it is asked for none again.
    """

    def __init__(self, port: SerialPort, name: str) -> None:
        # A random start keeps apart the answers to whoever asked just before.
        self.feed = BoardFeed(secrets.randbits(32))
        self._port = port
        self._name = name
        self._asks = True
        self._has_answered = False
        self.is_deaf = False

    def listen(self, is_enough: Callable[[], bool], seconds: float) -> bool:
        """Listen until `is_enough`, and return whether it came to that within `seconds`."""
        end_s = time.monotonic() + seconds
        while not is_enough():
            now_s = time.monotonic()
            if now_s >= end_s:
                return False
            due = self.feed.due(now_s)
            if due:
                self._write(due)
            self.feed.feed(self._port.read(), time.monotonic())
        return True

    def _write(self, data: bytes) -> None:
        """Write to the board; one that takes nothing is listened to, and not asked again.

        If it is gone, reading says so.
        """
        if not self._asks:
            return
        try:
            self._port.write(data)
        except DeviceError:
            self._asks = False

    def introduced(self) -> Hello:
        """Return who is there, once all its streams are described.

        Raises
        ------
        DeviceError
            If the board does not say; names what it does instead.
        """
        session = self.feed.session
        self.listen(
            lambda: session.hello is not None and len(session.streams) >= session.hello.streams,
            INTRODUCED_WITHIN_S,
        )
        if session.hello is None:
            raise DeviceError(self.feed.trouble(self._name))
        return session.hello

    def ask(self, message: FromHost) -> Setting | None:
        """Return what the board answers; None where it does not, however often it is asked."""
        answer = None
        for _ in range(_TRIES):
            if self.is_deaf or not self._asks:
                break
            data, counter = self.feed.session.request(message)
            self.feed.answers.clear()
            self._write(data)
            self.listen(lambda at=counter: at in self.feed.answers, ANSWERED_WITHIN_S)  # type: ignore[misc]
            answer = self.feed.answers.pop(counter, None)
            self._has_answered = self._has_answered or answer is not None
            if answer is not None and answer.status is not Status.BUSY:
                return answer
            self.listen(lambda: False, _BUSY_S)
        self.is_deaf = not self._has_answered
        return answer
