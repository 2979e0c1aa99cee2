"""Faults by name, and what those on the wire do to a board's bytes; pure.

A fault of the board itself (a wrong unit, no answer) is made where the board
does the right thing: in :mod:`firmware_bridge.simulation.board` and
:mod:`firmware_bridge.simulation.distortion`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from sensors.errors import ConfigurationError

FAULTS: Mapping[str, str] = MappingProxyType(
    {
        # on the wire
        "crc": "every 8th frame has one wrong bit",
        "truncate": "every 8th frame ends early",
        "garbage": "noise stands between the frames",
        "loss": "every 8th frame is lost",
        "duplicate": "every 8th frame comes twice",
        "reorder": "every 8th frame comes behind the next one",
        "echo": "what the host sends comes back, too",
        "wrong_baud": "every byte is misread, as with a wrong speed",
        "silence": "nothing is said",
        "unplug": "the cable is out",
        # time
        "late": "samples are sent 1.6 s after they are complete",
        "clock_jump": "the clock jumps by half a second, once",
        "clock_drift": "the clock is 3 % fast",
        # what the board says of itself
        "no_hello": "HELLO_REQUEST is not answered",
        "no_hello_unasked": "HELLO is said only when asked",
        "hello_alone": "unasked, HELLO comes without its STREAMs",
        "no_name": "HELLO names no maker",
        "missing_stream": "the last stream is announced and never described",
        "wrong_unit": "skin conductance is described in nS",
        "unknown_signal": "the thermometer is described as `body_heat`",
        "undescribed": "samples come of a stream that was never described",
        "restart": "the board starts anew, once",
        # what it measures
        "wrong_rate": "the first stream measures at half its described rate",
        "wrong_step": "`step` is 8 % off",
        "out_of_range": "skin conductance is read a hundred times too high",
        "stuck": "the first stream repeats one value",
        "wrong_beats": "intervals do not agree with the times of the beats",
        # contact, battery, texts, faults
        "contact_missing": "CONTACT is not said with HELLO",
        "bad_battery": "the battery is at 150 %",
        "bad_utf8": "a LOG is not UTF-8",
        "bad_fault": "a FAULT concerns a stream that there is not",
        "electrode_open": "an electrode is open, and the board says so as it should",
        "fault_forgotten": "the same, and FAULT is not said again with HELLO",
        "short_payload": "CONTACT frames are too short",
        # answers
        "no_time_answer": "TIME_REQUEST is not answered",
        "no_setting_answer": "SET and GET are not answered",
        "wrong_reply": "SETTING names another frame than the one it answers",
        "forgets_settings": "a device id is confirmed and not taken",
        "accepts_unknown": "a setting that there is not is confirmed",
        "accepts_impossible": "a device id that cannot be is confirmed",
        "no_stream_anew": "STREAM is not said after a change of its rate",
        "chokes": "after a damaged frame nothing is listened to",
    }
)
"""Every fault of a serial board that can be asked for, and what happens then."""

BLUETOOTH_FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "no_heart_rate": "the Heart Rate Service is missing",
        "unadvertised": "the Heart Rate Service is not advertised",
        "malformed": "notifications end within an interval",
        "no_rr": "notifications carry a rate and no intervals",
        "missed_rr": "every third interval is left out",
        "coarse_rr": "intervals are rounded to 50 ms",
        "no_contact_bits": "notifications never say whether it touches skin, as is allowed",
        "some_contact_bits": "every other notification does not say whether it touches skin",
        "seldom": "a notification comes every 4 s",
        "no_information": "the Device Information Service is missing",
        "no_battery": "the Battery Service is missing",
        "one_connection": "once let go of, it is not found again",
    }
)
"""Every fault of a Bluetooth headset that can be asked for, and what happens then."""

_EVERY = 8
_NOISE_BYTES = 24


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """One fault and when.

    Parameters
    ----------
    name : str
        One of :data:`FAULTS`, or of :data:`BLUETOOTH_FAULTS`.
    start_s, duration_s : float
        From the board's start; endless unless told otherwise. [s]
    """

    name: str
    start_s: float = 0.0
    duration_s: float = math.inf

    def __post_init__(self) -> None:
        if self.name not in FAULTS and self.name not in BLUETOOTH_FAULTS:
            raise ConfigurationError(
                f"fault {self.name!r} is not known; see: firmware-bridge simulate --list-faults"
            )
        if not (0 <= self.start_s < math.inf and self.duration_s > 0):
            raise ConfigurationError(
                f"fault {self.name}: start {self.start_s:g} s, duration {self.duration_s:g} s; "
                "expected 0 or more, and above 0"
            )


def parse_fault(text: str) -> ScriptedFault:
    """Return what ``NAME``, ``NAME@START`` or ``NAME@START+DURATION`` (in seconds) asks for.

    Raises
    ------
    ConfigurationError
        If it is none of these, or the fault is not known.

    Examples
    --------
    >>> parse_fault("silence@20+5")
    ScriptedFault(name='silence', start_s=20.0, duration_s=5.0)
    """
    name, _, when = text.partition("@")
    start, plus, duration = when.partition("+")
    try:
        start_s = float(start) if when else 0.0
        duration_s = float(duration) if plus else math.inf
    except ValueError:
        raise ConfigurationError(
            f"fault is {text!r}; expected NAME, NAME@START or NAME@START+DURATION in seconds"
        ) from None
    return ScriptedFault(name.strip(), start_s, duration_s)


@dataclass(slots=True)
class Schedule:
    """Which faults are on at the board's time `now_s`, which the board moves on."""

    faults: Sequence[ScriptedFault]
    now_s: float = 0.0
    _done: set[ScriptedFault] = field(default_factory=set)

    def on(self, name: str) -> bool:
        """Return whether `name` is on now."""
        return any(
            f.name == name and f.start_s <= self.now_s < f.start_s + f.duration_s
            for f in self.faults
        )

    def active(self) -> frozenset[str]:
        """Return the names of all that are on now."""
        return frozenset(fault.name for fault in self.faults if self.on(fault.name))

    def once(self, name: str) -> bool:
        """Return True a single time for each `name` that has begun."""
        for fault in self.faults:
            if fault.name == name and fault.start_s <= self.now_s and fault not in self._done:
                self._done.add(fault)
                return True
        return False


@dataclass(slots=True)
class Wire:
    """What happens to frames between the board's counter and the host.

    Parameters
    ----------
    schedule : Schedule
    seed : int
        Of the noise.
    """

    schedule: Schedule
    seed: int
    _count: int = 0
    _held: bytes = b""
    _noise: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._noise = np.random.default_rng([self.seed, 4])

    def carry(self, frames: Iterable[bytes]) -> bytes:
        """Return what arrives of `frames`, each with its zero byte behind it."""
        arrived = b"".join(map(self._one, frames))
        if self.schedule.on("wrong_baud"):
            arrived = bytes(b and (b >> 1 | 0x40) for b in arrived)
        return b"" if self.schedule.on("unplug") else arrived

    def _one(self, frame: bytes) -> bytes:
        self._count += 1
        if self._held:
            frame, self._held = frame + self._held, b""
        on = self.schedule.on
        if on("garbage") and self._count % 2 == 0:
            return self._noise.bytes(_NOISE_BYTES) + b"\0" + frame
        if self._count % _EVERY == 0:
            for name, change in _CHANGES.items():
                frame = change(frame) if on(name) else frame
            if on("reorder"):
                frame, self._held = b"", frame
        return frame


def _flip(frame: bytes) -> bytes:
    """Turn one bit in the last byte of the check sum, but make no zero of it."""
    last = frame[-2] ^ 0x10 or frame[-2] ^ 0x20
    return frame[:-2] + bytes((last,)) + b"\0"


_CHANGES: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "loss": lambda _frame: b"",
        "duplicate": lambda frame: frame + frame,
        "truncate": lambda frame: frame[: len(frame) // 2] + b"\0",
        "crc": _flip,
    }
)
