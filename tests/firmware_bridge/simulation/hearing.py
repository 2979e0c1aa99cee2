"""A host that only listens, in virtual time."""

from dataclasses import dataclass, field

from firmware_bridge.protocol.framing import Deframer, Frame, encode
from firmware_bridge.protocol.messages import unpack
from firmware_bridge.simulation.board import Board

STEP_S = 0.02


@dataclass
class Host:
    board: Board
    now_s: float = 1_000.0
    heard: list = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    deframer: Deframer = field(default_factory=Deframer)
    counter: int = 7

    def listen(self, seconds):
        for _ in range(round(seconds / STEP_S)):
            self._take(self.board.step(self.now_s))
            self.now_s += STEP_S
        return self

    def ask(self, message):
        self._take(self.board.step(self.now_s))
        self.counter += 1
        asked = encode(Frame(message.TYPE, self.counter, message.pack()))
        return self._take(self.board.take(asked, self.now_s))

    def _take(self, data):
        self.raw += data
        frames = [(frame, unpack(frame.type, frame.payload)) for frame in self.deframer.feed(data)]
        self.heard += frames
        return [message for _, message in frames]

    def all(self, kind):
        return [message for _, message in self.heard if isinstance(message, kind)]
