"""The example board as a running program: on a pipe, or on a real pseudo-terminal."""

from __future__ import annotations

import os
import select
import subprocess
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware_bridge.protocol import framing
from firmware_bridge.protocol import messages as m
from tests.firmware_bridge.firmware.building import run_bytes
from tests.rig import wait_until

Said = list[tuple[int, m.Message]]
"""Counters with what came with them."""


def unpacked(frames: list[framing.Frame]) -> Said:
    said: Said = []
    for frame in frames:
        message = m.unpack(frame.type, frame.payload)
        assert message is not None
        said.append((frame.counter, message))
    return said


def all_said(program: Path, *options: str) -> Said:
    """Return everything the program says by its made-up clock."""
    deframer = framing.Deframer()
    said = unpacked(list(deframer.feed(run_bytes([program, "--fast", *options]))))
    assert deframer.refused.total == 0
    return said


class Plugged:
    """The example board on one end of a pseudo-terminal, the test on the other.

    The end that has a name (`port`) is ours, so that what opens ports by name
    can take it; with `by_name` the board opens it and we have the other.
    """

    def __init__(self, program: Path, *options: str, by_name: bool = False) -> None:
        self._nameless, self._named = os.openpty()
        tty.setraw(self._named)
        self.port = os.ttyname(self._named)
        self._ours = self._nameless if by_name else self._named
        self._deframer = framing.Deframer()
        self._counter = 0
        self.said: Said = []
        self._process = subprocess.Popen(
            [program, *options, *(("--port", self.port) if by_name else ())],
            stdin=subprocess.DEVNULL if by_name else self._nameless,
            stdout=subprocess.DEVNULL if by_name else self._nameless,
            stderr=subprocess.PIPE,
        )

    def read(self) -> bytes:
        """Return what has arrived; may be empty."""
        assert self._process.poll() is None, f"the board ended: {self._process.returncode}"
        arrived = b""
        while select.select([self._ours], [], [], 0)[0]:
            arrived += os.read(self._ours, 4096)
        return arrived

    def write(self, data: bytes) -> None:
        """Send `data`."""
        os.write(self._ours, data)

    def listen(self) -> Said:
        """Take what has arrived; return all of it so far."""
        self.said += unpacked(list(self._deframer.feed(self.read())))
        return self.said

    def tell(self, request: m.FromHost, *, before: bytes = b"\0") -> int:
        """Send `request` behind other bytes; return its counter."""
        self._counter += 1
        frame = framing.Frame(request.TYPE, self._counter, request.pack())
        self.write(before + framing.encode(frame))
        return self._counter

    def wait_for(self, wanted: Callable[[m.Message], bool], since: int = 0) -> m.Message:
        """Return the first message that is `wanted`, of those after the first `since`."""

        def found() -> m.Message | None:
            return next((x for _, x in self.listen()[since:] if wanted(x)), None)

        message = wait_until(found)
        assert message is not None
        return message

    def answer(self, request: m.Set | m.Get, *, before: bytes = b"\0") -> m.Setting:
        """Return what the board says to `request`."""
        counter = self.tell(request, before=before)
        got = self.wait_for(lambda x: isinstance(x, m.Setting) and x.reply_to == counter)
        assert isinstance(got, m.Setting)
        return got

    @property
    def refused(self) -> int:
        return self._deframer.refused.total

    def unplug(self) -> None:
        """Take our end away, and the board with it."""
        for descriptor in (self._named, self._nameless):
            if descriptor >= 0:
                os.close(descriptor)
        self._named = self._nameless = -1

    def ended(self) -> int:
        """Wait for the program; return its exit code."""
        return self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        _, errors = self._process.communicate()
        self.unplug()
        if kind is None:
            assert errors == b""  # of the sanitizers
