"""Boards that are right and unlike ours: what hardware.md leaves open, they do otherwise."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_bridge.protocol.framing import Deframer, Frame, encode
from firmware_bridge.protocol.messages import (
    Contact,
    Encoding,
    Get,
    Hello,
    HelloRequest,
    Key,
    Samples,
    Set,
    Setting,
    Status,
    Stream,
    Time,
    TimeRequest,
    unpack,
)

WRAP = 1 << 32
CODES = {Encoding.I16: "h", Encoding.I32: "i", Encoding.F32: "f"}


@dataclass
class Source:
    """One stream: how it is described, and what it really does."""

    signal: str
    unit: str
    rate_hz: float
    encoding: Encoding = Encoding.F32
    width: int = 1
    scale: float = 1.0
    real_hz: float | None = None
    held_s: float = 0.2  # how long samples wait for their frame, at most
    value: Callable[[float], float] = lambda at_s: 5 + math.sin(7 * at_s)
    next_s: float = 0.0

    @property
    def period_s(self):
        return 1 / (self.real_hz or self.rate_hz)

    def describe(self, number):
        rate_mhz = round(self.rate_hz * 1000)
        return Stream(
            number, self.signal, self.unit, self.width, self.encoding, rate_mhz, self.scale, 0.0
        )


@dataclass
class OddBoard:
    sources: list[Source]
    tick_hz: int = 10_000
    first_tick: int = 0
    hello_every_s: float = 9.0
    alone_after_s: float = 1.5
    contacts: dict = field(default_factory=dict)  # part: whether it touches
    set_statuses: list = field(default_factory=list)  # of the next answers to SET, in this order
    fixed: bool = False  # answers status 4 to every SET of a key it has
    drops: Callable[[float], bool] = lambda at_s: False
    extra: Callable[["OddBoard", float], list] = lambda board, at_s: []  # said beside, each step
    device_id: bytes = b""
    baud: int = 0  # 0: bytes take no time
    now_s: float = math.nan
    start_s: float = 0.0
    _counter: int = 65_530
    _hello_s: float = 0.0
    _spoke_s: float = 0.0
    _deframer: Deframer = field(default_factory=Deframer)
    _line: bytearray = field(default_factory=bytearray)
    _budget: float = 0.0

    def tick(self, at_s):
        return (self.first_tick + round(at_s * self.tick_hz)) % WRAP

    def describe(self):
        streams = [source.describe(n) for n, source in enumerate(self.sources)]
        now = self.tick(self.now_s)
        contact = [Contact(now, part, on) for part, on in self.contacts.items()]
        return [self.hello(), *streams, *contact]

    def hello(self):
        now, name = self.tick(self.now_s), self.device_id.decode()
        return Hello(77, self.tick_hz, now, len(self.sources), "Odd", "One", "1", name)

    def step(self, at_s):
        if math.isnan(self.now_s):
            self.start_s = at_s
            self._line += b"\0"
        elapsed_s = 0.0 if math.isnan(self.now_s) else at_s - self.start_s - self.now_s
        self.now_s = at_s - self.start_s
        said = []
        if self.now_s >= self._hello_s:
            self._hello_s = self.now_s + self.hello_every_s
            said += self.describe()
        for number, source in enumerate(self.sources):
            said += self.due(number, source)
        said += self.extra(self, self.now_s)
        if not said and self.now_s - self._spoke_s >= self.alone_after_s:
            said = [self.hello()]
        self.say(said)
        return self._sent(elapsed_s)

    def due(self, number, source):
        found = []
        while True:
            count = min(max(int(source.held_s / source.period_s), 1), 230 // (4 * source.width))
            last_s = source.next_s + (count - 1) * source.period_s
            if last_s > self.now_s:
                return found
            times = [source.next_s + k * source.period_s for k in range(count)]
            first = self.tick(times[0])
            step = round(source.period_s * self.tick_hz)
            code = CODES[source.encoding]
            raw = [source.value(t) / source.scale for t in times for _ in range(source.width)]
            raw = [value if code == "f" else round(value) for value in raw]
            data = struct.pack(f"<{len(raw)}{code}", *raw)
            source.next_s += count * source.period_s
            if not self.drops(times[0]):
                found.append(Samples(number, count, first, min(step, WRAP - 1), data))

    def take(self, data, at_s):
        sent = self.step(at_s)
        for frame in self._deframer.feed(data):
            try:
                asked = unpack(frame.type, frame.payload)
            except ValueError:
                continue
            self.say(self.answer(frame.counter, asked))
        return sent + self._sent(0.0)

    def answer(self, counter, asked):
        match asked:
            case HelloRequest():
                return self.describe()
            case TimeRequest(token=token):
                return [Time(token, self.tick(self.now_s), self.tick(self.now_s))]
            case Get(key=key, index=index):
                value = self.value(key, index)
                status = Status.UNKNOWN if value is None else Status.KEPT
                return [Setting(counter, key, index, status, value or b"")]
            case Set():
                return self.set(counter, asked)
        return []

    def value(self, key, index):
        if key == Key.DEVICE_ID and index == 0:
            return self.device_id
        if key == Key.RATE and index < len(self.sources):
            return round(self.sources[index].rate_hz * 1000).to_bytes(4, "little")
        return None

    def set(self, counter, asked):
        key, index, was = asked.key, asked.index, self.value(asked.key, asked.index)
        if was is None:
            return [Setting(counter, key, index, Status.UNKNOWN, b"")]
        if self.fixed:
            return [Setting(counter, key, index, Status.FIXED, was)]
        if key == Key.RATE and int.from_bytes(asked.value, "little") == 0:
            return [Setting(counter, key, index, Status.REFUSED, was)]
        if key == Key.DEVICE_ID and asked.value != asked.value.lower():
            return [Setting(counter, key, index, Status.REFUSED, was)]
        status = self.set_statuses.pop(0) if self.set_statuses else Status.KEPT
        if status is not Status.KEPT:
            return [Setting(counter, key, index, status, was)]
        if key == Key.DEVICE_ID:
            self.device_id = asked.value
        answer = Setting(counter, key, index, status, self.value(key, index))
        anew = [self.sources[index].describe(index)] if key == Key.RATE else []
        return [answer, *anew]

    def say(self, messages):
        for message in messages:
            self._spoke_s = self.now_s
            self._line += encode(Frame(message.TYPE, self._counter, message.pack()))
            self._counter = (self._counter + 1) % (1 << 16)

    def _sent(self, elapsed_s):
        """Return what has left the port."""
        most = len(self._line)
        if self.baud:
            self._budget = min(self._budget + elapsed_s * self.baud / 10, 200.0)
            most = min(most, int(self._budget))
            self._budget -= most
        sent = bytes(self._line[:most])
        del self._line[:most]
        return sent
