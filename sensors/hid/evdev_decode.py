"""From the kernel's input events to readings. Pure: no device, no clock.

Event types and codes are those of ``linux/input-event-codes.h`` [1]_. The
code of a key is dropped in :meth:`Decoder.event`, before anything is kept.

A mouse speaks in counts and a touchpad in units of its own, both before the
desktop's pointer acceleration. Counts are taken for pixels, and a touchpad is
scaled to a mouse of 1000 counts per inch, as libinput does [2]_: good enough
against one's own baseline at the same desk, not to compare two desks.

References
----------
.. [1] Linux kernel documentation, "Input event codes",
   https://docs.kernel.org/input/event-codes.html
.. [2] libinput, "Normalization of relative motion" and "Scrolling",
   https://wayland.freedesktop.org/libinput/doc/latest/
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sensors.collector import Reading
from sensors.hid.keys import KeyDropper
from sensors.hid.timing import PointerTiming

EV_SYN, EV_KEY, EV_REL, EV_ABS = 0x00, 0x01, 0x02, 0x03
SYN_REPORT, SYN_DROPPED = 0, 3
KEY_BACKSPACE, KEY_A, KEY_SPACE, KEY_DELETE = 14, 30, 57, 111
REL_X, REL_Y, REL_HWHEEL, REL_WHEEL = 0, 1, 6, 8
ABS_X, ABS_Y = 0, 1
BTN_LEFT, BTN_TASK = 0x110, 0x117
BTN_TOOL_FINGER, BTN_TOOL_DOUBLETAP = 0x145, 0x14D

_CORRECTIONS = frozenset({KEY_BACKSPACE, KEY_DELETE})
_BUTTONS = (range(0x100, 0x160), range(0x220, 0x224), range(0x2C0, 0x2E8))  # no keys
_COUNTS_PER_MM = 1000 / 25.4
_COUNTS_PER_STEP = 15.0  # [2]: two fingers scroll so far for one click of a wheel


@dataclass(frozen=True, slots=True)
class Shape:
    """What a device can tell.

    Parameters
    ----------
    is_keyboard, is_mouse : bool
    touchpad : (float, float) or None
        Counts per unit of its two axes; ``None`` when it is none.
    """

    is_keyboard: bool = False
    is_mouse: bool = False
    touchpad: tuple[float, float] | None = None

    @property
    def is_pointer(self) -> bool:
        """Whether it moves the pointer."""
        return self.is_mouse or self.touchpad is not None


def shape_of(codes: Mapping[int, Sequence[int]], resolutions: Mapping[int, int]) -> Shape:
    """Return what a device with these event codes can tell.

    Parameters
    ----------
    codes : mapping
        Event type to the codes of it that the device sends.
    resolutions : mapping
        Absolute axis to its units per mm; 0 or absent where the device does not say.
    """
    keys, relative, absolute = (set(codes.get(kind, ())) for kind in (EV_KEY, EV_REL, EV_ABS))
    touchpad = None
    if {ABS_X, ABS_Y} <= absolute and BTN_TOOL_FINGER in keys:
        x, y = (_COUNTS_PER_MM / (resolutions.get(a) or _COUNTS_PER_MM) for a in (ABS_X, ABS_Y))
        touchpad = (x, y)
    return Shape(
        # A power button or a headset's volume keys are no keyboard.
        is_keyboard={KEY_A, KEY_SPACE} <= keys,
        is_mouse={REL_X, REL_Y} <= relative and BTN_LEFT in keys,
        touchpad=touchpad,
    )


class Travel:
    """One person's pointer, moved by any of their devices."""

    def __init__(self, timing: PointerTiming) -> None:
        self.timing = timing
        self._x = self._y = 0.0

    def by(self, dx: float, dy: float, at_s: float) -> list[Reading]:
        """Return what moving on by so many counts tells."""
        self._x += dx
        self._y += dy
        return self.timing.move(self._x, self._y, at_s)


class Decoder:
    """The events of one device.

    Parameters
    ----------
    shape : Shape
    number : int
        Distinguishes the same key on two keyboards.
    keys : KeyDropper or None
        Shared by all devices; ``None`` where the keyboard may not be read:
        then its events end here, unlooked at.
    travel : Travel or None
        Likewise for the pointer.
    """

    def __init__(
        self, shape: Shape, number: int, keys: KeyDropper | None, travel: Travel | None
    ) -> None:
        self._touchpad = shape.touchpad
        self._number = number
        self._keys = keys if shape.is_keyboard else None
        self._travel = travel if shape.is_pointer else None
        self._is_lossy = False
        self._moved = {REL_X: 0, REL_Y: 0}
        self._fingers = 0
        self._touch: dict[int, int] = {}
        self._touched: tuple[int, int] | None = None
        self._scrolled = 0.0

    def event(self, kind: int, code: int, value: int, at_s: float) -> list[Reading]:
        """Return what one event tells.

        Parameters
        ----------
        kind, code, value : int
            As the kernel has them; of a key, only whether it is a correction
            outlives this call.
        at_s : float
            When. [s]
        """
        if kind == EV_SYN:
            return self._report(code, at_s)
        if self._is_lossy:
            return []
        if kind == EV_KEY and not any(code in buttons for buttons in _BUTTONS):
            return self._key(code, value, at_s)
        if self._travel is None:
            return []
        if kind == EV_KEY:
            return self._button(self._travel, code, value, at_s)
        return self._axis(self._travel, kind, code, value, at_s)

    def _key(self, code: int, value: int, at_s: float) -> list[Reading]:
        if self._keys is None:
            return []
        name = f"{self._number}:{code}"
        if value:  # 1 pressed, 2 repeats
            return self._keys.press(name, at_s, correction=code in _CORRECTIONS)
        return self._keys.release(name, at_s)

    def _button(self, travel: Travel, code: int, value: int, at_s: float) -> list[Reading]:
        if BTN_LEFT <= code <= BTN_TASK:
            return travel.timing.click(at_s, pressed=bool(value))
        if code in {BTN_TOOL_FINGER, BTN_TOOL_DOUBLETAP}:
            fingers = 1 if code == BTN_TOOL_FINGER else 2
            self._fingers = fingers if value else (0 if self._fingers == fingers else self._fingers)
            self._touched = None
        return []

    def _axis(self, travel: Travel, kind: int, code: int, value: int, at_s: float) -> list[Reading]:
        if kind == EV_REL and code in {REL_WHEEL, REL_HWHEEL}:
            return travel.timing.scroll(value, at_s)
        if kind == EV_REL and code in {REL_X, REL_Y}:
            self._moved[code] += value
        elif kind == EV_ABS and code in {ABS_X, ABS_Y}:
            self._touch[code] = value
        return []

    def _report(self, code: int, at_s: float) -> list[Reading]:
        """End one packet of events."""
        if code == SYN_DROPPED:
            # The kernel's queue ran over; what comes until the next report is half a packet.
            self._is_lossy = True
            self._fingers, self._touched = 0, None
            if self._keys is not None:
                self._keys.lose()
        if code != SYN_REPORT:
            return []
        self._is_lossy = False
        dx, dy = self._moved[REL_X], self._moved[REL_Y]
        self._moved = {REL_X: 0, REL_Y: 0}
        if self._travel is None:
            return []
        found = self._travel.by(dx, dy, at_s) if dx or dy else []
        return found + self._touch_report(self._travel, at_s)

    def _touch_report(self, travel: Travel, at_s: float) -> list[Reading]:
        if self._touchpad is None or not self._fingers or len(self._touch) < 2:
            return []
        here = (self._touch[ABS_X], self._touch[ABS_Y])
        before, self._touched = self._touched, here
        if before is None or before == here:
            return []
        dx, dy = ((b - a) * scale for a, b, scale in zip(before, here, self._touchpad, strict=True))
        if self._fingers == 1:
            return travel.by(dx, dy, at_s)
        self._scrolled += math.hypot(dx, dy)
        steps, self._scrolled = divmod(self._scrolled, _COUNTS_PER_STEP)
        return travel.timing.scroll(steps, at_s) if steps else []
