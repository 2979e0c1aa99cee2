"""A board that says what a test tells it to, frame by frame, on its own clock."""

import struct
from dataclasses import replace

from firmware_bridge.protocol import messages
from firmware_bridge.protocol.framing import Deframer, Frame, encode
from firmware_bridge.protocol.messages import Encoding, Hello, Samples, Stream

EDA = Stream(0, "eda_us", "uS", 1, Encoding.F32, 4_000, 1.0, 0.0)
TEMPERATURE = Stream(0, "skin_temp_c", "degC", 1, Encoding.F32, 1_000, 1.0, 0.0)
PPG = Stream(0, "ppg", "1", 1, Encoding.F32, 64_000, 1.0, 0.0)
ACC = Stream(0, "acc_g", "g", 3, Encoding.F32, 50_000, 1.0, 0.0)


def numbered(*streams):
    """Give streams their numbers, in this order."""
    return [replace(stream, stream=number) for number, stream in enumerate(streams)]


class Talking:
    """Makes the frames of one board.

    `tick_hz` ticks make a second by its clock, which is fast by `drift`;
    `now_s` is the host's time, at which it started with `first_tick`.
    """

    def __init__(self, tick_hz=10_000, first_tick=0xFFFF_F000, drift=0.0, counter=65_530, boot=1):
        self.tick_hz = tick_hz
        self.first_tick = first_tick
        self.drift = drift
        self.counter = counter
        self.boot = boot

    def ticks(self, now_s):
        return self.first_tick + round(now_s * self.tick_hz * (1 + self.drift)) & 0xFFFF_FFFF

    def frame(self, message):
        framed = encode(Frame(message.TYPE, self.counter, message.pack()))
        self.counter = self.counter + 1 & 0xFFFF
        return framed

    def hello(self, now_s, *streams, device_id=""):
        said = Hello(
            self.boot,
            self.tick_hz,
            self.ticks(now_s),
            len(streams),
            "Acme",
            "Clip",
            "1.0",
            device_id,
        )
        return b"".join(map(self.frame, (said, *streams)))

    def values(self, stream, now_s, *values):
        """Samples of one stream that end at `now_s`, as 32-bit floats."""
        step = round(self.tick_hz * 1000 / stream.rate_mhz)
        count = len(values) // stream.width
        first = self.ticks(now_s) - (count - 1) * step & 0xFFFF_FFFF
        raw = struct.pack(f"<{len(values)}f", *values)
        return self.frame(Samples(stream.stream, count, first, step, raw))

    def restart(self, counter=0):
        self.boot += 1
        self.counter = counter
        self.first_tick = self.first_tick + 123_456_789 & 0xFFFF_FFFF


def said_to(data):
    """Messages of a host, with their counters."""
    frames = Deframer().feed(b"\0" + data)
    return [(messages.unpack(frame.type, frame.payload), frame.counter) for frame in frames]
