"""Events from Linux's input devices, where no desktop hands them out; the only file that imports evdev.

For Wayland and the console. The kernel dates each event itself. Devices come
and go; at least one must be there.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import evdev

from sensors.collector import Clock
from sensors.errors import DeviceError
from sensors.hid.backend import Backend, Waiting
from sensors.hid.evdev_decode import EV_ABS, Decoder, Shape, Travel, shape_of
from sensors.hid.keys import KeyDropper
from sensors.hid.timing import PointerTiming
from sensors.signals import Channel

INPUT = Path("/dev/input")
_SCAN_S = 2.0
_GATHER_S = 0.01
"""Pause between two reads of one device. [s] A mouse reports every 1 ms in two or three
events, of which the kernel keeps at least 64; dates are its own, so nothing is lost but wake-ups."""
_MOST_READS = 64
"""Of 64 events each: far more than a kernel keeps, so that no device can hold us up."""

_LONGEST_AGE_S = 10.0
"""An event that seems older was dated before the wall clock was set. [s]"""

REMEDY = (
    "{folder}/event* may not be read; allow it with: sudo usermod -aG input $USER, then log in "
    "anew. Every program you start can then read all keys, so prefer X11 where you can choose"
)


@dataclass(slots=True)
class _Open:
    """One device that is being read."""

    file: evdev.InputDevice[str]
    decoder: Decoder
    shape: Shape


class EvdevBackend(Backend):
    """Keyboards, mice and touchpads of this machine.

    Parameters
    ----------
    channels, clock, waiting
        See :class:`Backend`.
    why_not_the_display : str or None
        For the error, when there is no device either.
    folder : Path
        Where the devices are.
    """

    def __init__(
        self,
        channels: frozenset[Channel],
        clock: Clock,
        waiting: Waiting,
        *,
        why_not_the_display: str | None = None,
        folder: Path = INPUT,
    ) -> None:
        super().__init__(channels, clock, waiting)
        self._why = f"{why_not_the_display}; and " if why_not_the_display else ""
        self._folder = folder
        self._keys = KeyDropper(renamed=False) if Channel.KEYBOARD in channels else None
        self._pointer = PointerTiming() if Channel.POINTER in channels else None
        self._travel = Travel(self._pointer) if self._pointer is not None else None
        self._devices: dict[str, _Open] = {}
        self._uninteresting: dict[str, tuple[int, int]] = {}
        self._refused: set[str] = set()
        self._count = 0
        self._scan_at_s = 0.0

    async def start(self) -> None:
        """See :meth:`Backend.start`."""
        self._scan()
        self._check()

    def settle(self, now_s: float) -> frozenset[Channel]:
        """See :meth:`Backend.settle`; also finds devices that were plugged in."""
        if now_s - self._scan_at_s >= _SCAN_S:
            self._scan_at_s = now_s
            self._scan()
        for path in list(self._devices):
            # What happened before now must be known before it is said that nothing did.
            for _ in range(_MOST_READS):
                if not self._take(path):
                    break
        self._check()
        if self._keys is not None:
            self.waiting.put(self._keys.settle(now_s))
        if self._pointer is not None:
            self.waiting.put(self._pointer.rest(now_s))
        shapes = [device.shape for device in self._devices.values()]
        seen = {
            Channel.KEYBOARD: any(shape.is_keyboard for shape in shapes),
            Channel.POINTER: any(shape.is_pointer for shape in shapes),
        }
        return frozenset(channel for channel in self.channels if seen[channel])

    async def stop(self) -> None:
        """See :meth:`Backend.stop`."""
        for path in list(self._devices):
            self._let_go(path)

    def _scan(self) -> None:
        """Open what was plugged in, and forget what was pulled out."""
        with suppress(FileNotFoundError):
            paths = {str(path) for path in self._folder.glob("event*")}
            # After a night's sleep another device may have the name of one that was.
            self._uninteresting = {
                path: node
                for path, node in self._uninteresting.items()
                if path in paths and _node(path) == node
            }
            self._refused.clear()
            for path in sorted(paths - self._uninteresting.keys() - self._devices.keys()):
                self._open(path)

    def _open(self, path: str) -> None:
        try:
            file = evdev.InputDevice(path, readonly=True)
        except PermissionError:
            self._refused.add(path)  # also for the moment before udev has set its rights
            return
        except OSError:
            return  # pulled out again
        try:
            shape = _shape(file)
        except OSError:
            file.close()  # pulled out while it was asked
            return
        wanted = (shape.is_keyboard and self._keys is not None) or (
            shape.is_pointer and self._travel is not None
        )
        if not wanted:
            self._uninteresting[path] = _node(file.fd) or (0, 0)
            file.close()
            return
        self._count += 1
        decoder = Decoder(shape, self._count, self._keys, self._travel)
        self._devices[path] = _Open(file, decoder, shape)
        asyncio.get_running_loop().add_reader(file.fd, self._read, path)

    def _read(self, path: str) -> None:
        """Read what is there, and then nothing for a moment: one wake-up for many events."""
        device = self._devices[path]
        if self._take(path):
            loop = asyncio.get_running_loop()
            loop.remove_reader(device.file.fd)
            loop.call_later(_GATHER_S, self._read_on, path, device)

    def _take(self, path: str) -> bool:
        """Put what one read brings; return whether there was anything."""
        device = self._devices[path]
        monotonic_s, wall_s = self.clock.monotonic_s(), time.time()
        try:
            for event in device.file.read():
                age_s = min(_LONGEST_AGE_S, max(0.0, wall_s - event.timestamp()))
                self.waiting.put(
                    device.decoder.event(event.type, event.code, event.value, monotonic_s - age_s)
                )
        except BlockingIOError:
            return False
        except OSError:
            self._let_go(path)  # pulled out
            return False
        return True

    def _read_on(self, path: str, device: _Open) -> None:
        if self._devices.get(path) is device:
            asyncio.get_running_loop().add_reader(device.file.fd, self._read, path)

    def _let_go(self, path: str) -> None:
        device = self._devices.pop(path)
        asyncio.get_running_loop().remove_reader(device.file.fd)
        device.file.close()
        if self._keys is not None:
            self._keys.lose()  # its releases will not come any more

    def _check(self) -> None:
        if self._devices:
            return
        if self._refused:
            why = REMEDY.format(folder=self._folder)
        else:
            wanted = " or ".join(sorted(self.channels))
            why = f"{self._folder} has no {wanted}; plug one in"
        raise DeviceError(f"keyboard and pointer cannot be seen: {self._why}{why}")


def _node(where: str | int) -> tuple[int, int] | None:
    """Return what tells one device's file from a later one of its name; ``None`` when it is gone."""
    with suppress(OSError):
        found = os.stat(where)  # noqa: PTH116 - takes an open file too
        return found.st_ino, found.st_ctime_ns
    return None


def _shape(file: evdev.InputDevice[str]) -> Shape:
    codes = file.capabilities(absinfo=False)
    resolutions = {axis: file.absinfo(axis).resolution for axis in codes.get(EV_ABS, ())}
    return shape_of(codes, resolutions)
