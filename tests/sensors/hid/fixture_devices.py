"""Input devices without a kernel driver: a FIFO that speaks ``struct input_event``.

Only the answers to the ioctls that describe a device are stood in for, and the
error after it was pulled out; what reads, decodes and times the events is the
production code and evdev's own C.
"""

from __future__ import annotations

import errno
import os
import struct
import time
from pathlib import Path
from typing import Any

import evdev.device

from sensors.hid import evdev_decode as codes

_EVENT = struct.Struct("llHHi")

KEYBOARD = {codes.EV_KEY: [*range(1, 128)]}
MOUSE = {
    codes.EV_KEY: [codes.BTN_LEFT, 0x111, 0x112],
    codes.EV_REL: [codes.REL_X, codes.REL_Y, codes.REL_WHEEL],
}
POWER_BUTTON = {codes.EV_KEY: [116]}
UNITS_PER_MM = 40
TOUCHPAD = {
    codes.EV_KEY: [codes.BTN_LEFT, codes.BTN_TOOL_FINGER, codes.BTN_TOOL_DOUBLETAP, 0x14A],
    codes.EV_ABS: [(a, (0, 0, 4000, 0, 0, UNITS_PER_MM)) for a in (codes.ABS_X, codes.ABS_Y)],
}


class Devices:
    """A folder like ``/dev/input``."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.folder = folder
        self._kinds: dict[int, dict[int, list[Any]]] = {}
        self._ends: list[int] = []
        kernel = evdev.device._input
        info = (3, 1, 1, 1, "test", "", "")
        monkeypatch.setattr(kernel, "ioctl_devinfo", lambda _fd: info)
        monkeypatch.setattr(kernel, "ioctl_EVIOCGVERSION", lambda _fd: 65537)
        monkeypatch.setattr(kernel, "ioctl_EVIOCGEFFECTS", lambda _fd: 0)
        monkeypatch.setattr(kernel, "ioctl_capabilities", self._capabilities)
        monkeypatch.setattr(kernel, "ioctl_EVIOCGABS", self._axis)
        self._really_read = kernel.device_read_many
        monkeypatch.setattr(kernel, "device_read_many", self._read)

    def _read(self, fd: int) -> Any:
        if os.fstat(fd).st_nlink == 0:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return self._really_read(fd)

    def _capabilities(self, fd: int) -> dict[int, list[Any]]:
        return self._kinds[os.fstat(fd).st_ino]

    def _axis(self, fd: int, axis: int) -> tuple[int, ...]:
        return dict(self._capabilities(fd)[codes.EV_ABS])[axis]

    def plug_in(self, name: str, kind: dict[int, list[Any]]) -> Device:
        """Return a new device in the folder."""
        path = self.folder / name
        os.mkfifo(path)
        self._kinds[path.stat().st_ino] = kind
        end = os.open(path, os.O_RDWR)  # with a reader at its end, it never says end of file
        self._ends.append(end)
        return Device(path, end)

    def close(self) -> None:
        """Close every device."""
        for end in self._ends:
            os.close(end)


class Device:
    """One device; sends what the kernel would."""

    def __init__(self, path: Path, end: int) -> None:
        self.path = path
        self._end = end

    def send(self, *events: tuple[int, int, int], at_s: float | None = None) -> None:
        """Send one packet of (type, code, value), dated `at_s` on the wall clock. [s]"""
        at_s = time.time() if at_s is None else at_s
        whole, micros = int(at_s), int(at_s % 1 * 1e6)
        packet = [*events, (codes.EV_SYN, codes.SYN_REPORT, 0)]
        os.write(self._end, b"".join(_EVENT.pack(whole, micros, *event) for event in packet))

    def pull_out(self) -> None:
        """Take it away; whoever still reads it is told so."""
        self.path.unlink()
        self.send()

    def key(self, code: int, value: int, at_s: float) -> None:
        """Press (1), repeat (2) or release (0) a key."""
        self.send((codes.EV_KEY, code, value), at_s=at_s)
