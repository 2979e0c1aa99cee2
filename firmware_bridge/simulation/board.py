"""A whole virtual headset that speaks the serial protocol; pure: bytes and `now` in, bytes out.

It does what hardware.md asks, except for the faults it is told to have.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from firmware_bridge.protocol.framing import Deframer, Frame, encode
from firmware_bridge.protocol.messages import (
    Battery,
    Beat,
    Beats,
    Contact,
    ContentError,
    Fault,
    FaultCode,
    FromBoard,
    Get,
    Hello,
    HelloRequest,
    Key,
    Log,
    Set,
    Setting,
    Status,
    Stream,
    Time,
    TimeRequest,
    unpack,
)
from firmware_bridge.simulation.distortion import distort
from firmware_bridge.simulation.faults import Schedule, ScriptedFault, Wire
from firmware_bridge.simulation.physiology import Wearer
from firmware_bridge.simulation.settings import BoardSettings, Kept
from firmware_bridge.simulation.sources import SOURCES, Sampler

DEVICE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""What a device id may be, when it is not empty."""

_HELLO_EVERY_S = 8.0
_BATTERY_EVERY_S = _LOG_EVERY_S = 10.0
_BEATS_EVERY_S = 1.0
_SILENT_S = 1.5  # without anything to say it repeats HELLO
_LATE_S = 1.6
_FAST_SHARE = 0.03  # of `clock_drift`
_JUMP_S = 0.5  # of `clock_jump`
_TICKS = 1 << 32
_COUNTERS = 1 << 16


@dataclass(slots=True)
class Board:
    """A virtual board.

    Parameters
    ----------
    settings : BoardSettings
    faults : sequence of ScriptedFault
        What goes wrong, and when.
    kept : Kept
        What was kept from before; replaced whenever something is set.
    """

    settings: BoardSettings = field(default_factory=BoardSettings)
    faults: Sequence[ScriptedFault] = ()
    kept: Kept = field(default_factory=Kept)
    is_plugged: bool = True
    """False from the moment the fault `unplug` begins until it ends."""
    wearer: Wearer = field(init=False)
    _schedule: Schedule = field(init=False)
    _wire: Wire = field(init=False)
    _deframer: Deframer = field(default_factory=Deframer)
    _boot: int = 1
    _counter: int = 0
    _now_s: float = math.nan
    _life_s: float = 0.0  # by its own oscillator, since the start of the script
    _extra_s: float = 0.0  # by which its clock is off beyond that
    _born_s: float = 0.0  # of this boot
    _samplers: list[Sampler] = field(default_factory=list)
    _waiting: list[tuple[float, int, FromBoard]] = field(default_factory=list)
    _queued: int = 0
    _hello_s: float = 0.0
    _battery_s: float = 1.0
    _log_s: float = 2.0
    _beats_s: float = 0.0
    _beat_s: float | None = None
    _spoke_s: float = 0.0
    _worn: bool = True
    _faulted: list[Fault] = field(default_factory=list)
    _is_deaf: bool = False

    def __post_init__(self) -> None:
        self.wearer = Wearer(self.settings.stages, self.settings.seed)
        self._schedule = Schedule(self.faults)
        self._wire = Wire(self._schedule, self.settings.seed)

    def step(self, now_s: float) -> bytes:
        """Return what the board sends until `now_s`, which never goes back.

        Parameters
        ----------
        now_s : float
            The caller's clock; the first call switches the board on. [s]
        """
        if math.isnan(self._now_s):
            self._now_s = now_s
            return self._start(now_s)
        self._pass(now_s)
        if self._schedule.once("restart"):
            self._boot += 1
            return self._start(now_s)
        for sampler in self._samplers:
            slower = 2.0 if sampler.number == 0 and self._schedule.on("wrong_rate") else 1.0
            is_open = sampler.signal == "eda_us" and bool(self._lasting_faults())
            for due_s, samples in sampler.due(self._life_s, self._tick, slower, is_open=is_open):
                self._later(due_s + (_LATE_S if self._schedule.on("late") else 0.0), samples)
        return self._wire.carry(self._due())

    def take(self, data: bytes, now_s: float) -> bytes:
        """Return what the board answers to `data`, which arrived at `now_s`."""
        sent = self.step(now_s) + (data if self._schedule.on("echo") else b"")
        refused = self._deframer.refused.total
        frames: list[bytes] = []
        for piece in re.split(rb"(?<=\0)", data):
            for frame in self._deframer.feed(piece):
                frames += self._answer(frame)
            if self._deframer.refused.total > refused and self._schedule.on("chokes"):
                self._is_deaf = True
        return sent + self._wire.carry(frames)

    def describe(self) -> list[FromBoard]:
        """Return what the board says about itself: HELLO, STREAM and CONTACT, in this order."""
        s = self.settings
        now = self._tick(self._life_s)
        texts = (s.maker, s.model, s.firmware, self.kept.device_id)
        hello = Hello(self._boot, s.tick_hz, now, len(self._samplers), *texts)
        streams = [sampler.describe() for sampler in self._samplers]
        again = [] if self._schedule.on("fault_forgotten") else self._lasting_faults()
        return [hello, *streams, *self._contacts(), *again]

    def _lasting_faults(self) -> list[Fault]:
        """Return FAULT for what the board knows to be wrong now."""
        on, streams = self._schedule.on, self.settings.signals
        if "eda_us" not in streams or not (on("electrode_open") or on("fault_forgotten")):
            return []
        at, number = self._tick(self._life_s), streams.index("eda_us")
        return [Fault(at, FaultCode.ELECTRODE, number, active=True, text="electrode open")]

    def active_faults(self) -> frozenset[str]:
        """Return the names of the faults that are on now."""
        return self._schedule.active()

    def _start(self, now_s: float) -> bytes:
        """Switch on: another boot, counter and clock; the settings that were kept."""
        self._pass(now_s)
        self._counter = (self.settings.seed * 7919 + self._boot * 65_500) % _COUNTERS
        self._born_s, self._waiting, self._extra_s = self._life_s, [], 0.0
        self._samplers = [
            Sampler(number, signal, self.wearer, self._rate_hz(signal), self._life_s + 0.01)
            for number, signal in enumerate(self.settings.signals)
        ]
        self._beats_s, self._beat_s = self._life_s + _BEATS_EVERY_S, None
        self._hello_s = self._life_s + _HELLO_EVERY_S
        is_mute = self._schedule.on("unplug") or self._schedule.on("silence")
        first = b"" if is_mute else b"\0"
        return first + self._wire.carry(self._said(self._unasked()))

    def _unasked(self) -> list[FromBoard]:
        """Return what the board says about itself without being asked."""
        if self._schedule.on("no_hello_unasked"):
            return []
        return self.describe()[:1] if self._schedule.on("hello_alone") else self.describe()

    def _rate_hz(self, signal: str) -> float:
        kept = self.kept.rates_mhz.get(signal)
        return SOURCES[signal].rate_hz if kept is None else kept / 1000

    def _pass(self, now_s: float) -> None:
        elapsed_s = max(now_s - self._now_s, 0.0)
        self._now_s = max(now_s, self._now_s)
        self._schedule.now_s += elapsed_s
        self._life_s += elapsed_s * (1 + self.settings.drift_ppm * 1e-6)
        if self._schedule.on("clock_drift"):
            self._extra_s += elapsed_s * _FAST_SHARE
        if self._schedule.once("clock_jump"):
            self._extra_s += _JUMP_S
        self.is_plugged = not self._schedule.on("unplug")

    def _tick(self, at_s: float) -> int:
        """Return the board's ticks at `at_s` of its life, near now."""
        s = self.settings
        first = _TICKS - 20 * s.tick_hz if s.first_tick is None else s.first_tick
        fast = _FAST_SHARE if self._schedule.on("clock_drift") else 0.0
        clock_s = at_s - self._born_s + self._extra_s + fast * (at_s - self._life_s)
        return (first + self._boot - 1 + round(clock_s * s.tick_hz)) % _TICKS

    def _later(self, due_s: float, message: FromBoard) -> None:
        self._queued += 1
        heapq.heappush(self._waiting, (due_s, self._queued, message))

    def _due(self) -> list[bytes]:
        """Return the frames that are due, in the order of their times."""
        self._repeat()
        messages: list[FromBoard] = []
        while self._waiting and self._waiting[0][0] <= self._life_s:
            messages.append(heapq.heappop(self._waiting)[2])
        if messages:
            self._spoke_s = self._life_s
        elif self._life_s - self._spoke_s >= _SILENT_S and not self._schedule.on(
            "no_hello_unasked"
        ):
            self._spoke_s = self._life_s
            messages = self.describe()
        return self._said(messages)

    def _repeat(self) -> None:
        """Queue what is said from time to time without being asked."""
        now_s = self._life_s
        worn = self.wearer.is_worn(now_s)
        if worn is not self._worn:
            self._worn = worn
            for contact in self._contacts():
                self._later(now_s, contact)
        faults = self._lasting_faults()
        if bool(faults) is not bool(self._faulted):
            ended = [replace(f, at=self._tick(now_s), active=False) for f in self._faulted]
            for fault in faults or ended:
                self._later(now_s, fault)
            self._faulted = faults
        if self.settings.finds_beats and now_s >= self._beats_s:
            self._beats_s += _BEATS_EVERY_S
            self._queue_beats(now_s)
        if now_s >= self._hello_s:
            self._hello_s = now_s + _HELLO_EVERY_S
            for message in self._unasked():
                self._later(now_s, message)
        if self.settings.has_battery and now_s >= self._battery_s:
            self._battery_s = now_s + _BATTERY_EVERY_S
            self._later(now_s, Battery(max(80 - int(now_s / 360), 1), 0, 3_900))
        if now_s >= self._log_s:
            self._log_s = now_s + _LOG_EVERY_S
            self._later(now_s, Log(1, f"script: {self.wearer.stage(now_s).name}"))

    def _queue_beats(self, now_s: float) -> None:
        found: list[Beat] = []
        for at_s in self.wearer.beats(now_s - 2 * _BEATS_EVERY_S, now_s) if self._worn else ():
            if self._beat_s is not None and at_s <= self._beat_s:
                continue
            before_s = self._beat_s if self._beat_s is not None else at_s
            interval = round((at_s - before_s) * 10_000)
            found.append(Beat(self._tick(at_s), interval if interval <= 30_000 else 0, 95))
            self._beat_s = at_s
        if found:
            self._later(now_s, Beats(tuple(found)))

    def _contacts(self) -> list[FromBoard]:
        at = self._tick(self._life_s)
        return [Contact(at, part, self._worn) for part in self.settings.parts]

    def _said(self, messages: Sequence[FromBoard]) -> list[bytes]:
        """Return `messages` as frames, counted; in silence they are not even made."""
        if self._schedule.on("silence"):
            return []
        streams = self._streams()
        frames = []
        for message in messages:
            for kind, payload in distort(message, self._schedule, streams):
                frames.append(encode(Frame(kind, self._counter, payload)))
                self._counter = (self._counter + 1) % _COUNTERS
        return frames

    def _streams(self) -> dict[int, Stream]:
        return {sampler.number: sampler.describe() for sampler in self._samplers}

    def _answer(self, frame: Frame) -> list[bytes]:
        if self._is_deaf:
            return []
        try:
            asked = unpack(frame.type, frame.payload)
        except ContentError:
            return []
        match asked:
            case HelloRequest():
                said = [] if self._schedule.on("no_hello") else self.describe()
            case TimeRequest(token=token):
                now = self._tick(self._life_s)
                said = [Time(token, now, now)]
            case Get(key=key, index=index):
                value = self._value(key, index)
                status = Status.UNKNOWN if value is None else Status.KEPT
                said = [Setting(frame.counter, key, index, status, value or b"")]
            case Set():
                said = self._set(frame.counter, asked)
            case _:
                said = []
        return self._said(said)

    def _value(self, key: int, index: int) -> bytes | None:
        """Return what is in force; None if there is no such setting."""
        if key == Key.DEVICE_ID and index == 0:
            return self.kept.device_id.encode()
        if key == Key.RATE and index < len(self._samplers):
            return round(self._samplers[index].rate_hz * 1000).to_bytes(4, "little")
        return None

    def _set(self, counter: int, asked: Set) -> list[FromBoard]:
        now = self._value(asked.key, asked.index)
        if now is None:
            is_fooled = self._schedule.on("accepts_unknown")
            status = Status.KEPT if is_fooled else Status.UNKNOWN
            value = asked.value if is_fooled else b""
            return [Setting(counter, asked.key, asked.index, status, value)]
        if not self._accepts(asked):
            if self._schedule.on("accepts_impossible"):
                return [Setting(counter, asked.key, asked.index, Status.KEPT, asked.value)]
            return [Setting(counter, asked.key, asked.index, Status.REFUSED, now)]
        if asked.key == Key.DEVICE_ID and self._schedule.on("forgets_settings"):
            return [Setting(counter, asked.key, asked.index, Status.KEPT, asked.value)]
        also = self._put(asked)
        value = self._value(asked.key, asked.index) or b""
        return [Setting(counter, asked.key, asked.index, Status.KEPT, value), *also]

    @staticmethod
    def _accepts(asked: Set) -> bool:
        if asked.key == Key.RATE:
            return len(asked.value) == 4 and 1 <= int.from_bytes(asked.value, "little") <= 200_000
        try:
            device_id = asked.value.decode("ascii")
        except UnicodeDecodeError:
            return False
        return not device_id or DEVICE_ID.fullmatch(device_id) is not None

    def _put(self, asked: Set) -> list[FromBoard]:
        """Put a value in force; return what is said beside the answer."""
        if asked.key == Key.DEVICE_ID:
            self.kept = replace(self.kept, device_id=asked.value.decode("ascii"))
            return []
        sampler = self._samplers[asked.index]
        rate_hz = sampler.nearest_rate(int.from_bytes(asked.value, "little"))
        rates = {**self.kept.rates_mhz, sampler.signal: round(rate_hz * 1000)}
        self.kept = replace(self.kept, rates_mhz=rates)
        if rate_hz != sampler.rate_hz:
            sampler.rate_hz = rate_hz
        return [] if self._schedule.on("no_stream_anew") else [sampler.describe()]
