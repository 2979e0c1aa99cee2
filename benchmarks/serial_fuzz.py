"""R6: a million mutated frames of the serial protocol, through the whole way to readings.

Half of them are damaged on the wire, most of which the check sum finds; half
inside, under a check sum that is right, so that every decoder sees them. What
must hold: nothing fails, every piece between two zero bytes is a frame or
refused, nothing out of range is handed on, and memory stays as it is.
Notifications are R6.notifications, in heart_decoder.py.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections import Counter
from random import Random

from firmware_bridge.protocol import vectors
from firmware_bridge.protocol.framing import Deframer, Frame, encode
from firmware_bridge.protocol.session import Session
from firmware_bridge.readings.board import Readings
from firmware_bridge.simulation.board import Board, BoardSettings
from sensors.collector import Reading
from sensors.signals import SIGNALS

IDS = ("R6.frames",)
SEED = 20261122
_SESSION = 10_000  # frames until another board is plugged in
_AT_ONCE = 25  # frames a read


def whole(random: Random) -> list[Frame]:
    """Return frames of every kind: the test vectors, and two minutes of two boards."""
    wires = [bytes.fromhex(entry["wire"]) for entry in vectors.load()["messages"]]
    for settings in (BoardSettings(), BoardSettings(finds_beats=True, signals=("eda_us",))):
        board = Board(settings)
        wires += [board.step(turn / 10) for turn in range(1_200)]
    frames = Deframer().feed(b"\0" + b"".join(wires))
    random.shuffle(frames)
    return frames


def damaged(data: bytes, random: Random, cut_off: float = 0.2) -> bytes:
    """Return `data` with one to three bytes changed, lost, doubled or cut off.

    Parameters
    ----------
    data : bytes
    random : Random
    cut_off : float
        How often, of the times that its turn comes, the end is cut off, 0-1:
        what is cut off says no more.
    """
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(changed) + 1)
        kind = random.randrange(4)
        if kind == 0 and at < len(changed):
            changed[at] = random.randrange(256)
        elif kind == 1:
            changed[at:at] = random.randbytes(random.randint(1, 4))
        elif kind == 2:
            del changed[at : at + random.randint(1, 3)]
        elif random.random() < cut_off:
            del changed[at:]
    return bytes(changed)


def mutated(frame: Frame, counter: int, random: Random) -> bytes:
    """Return one frame as it must not be: on the wire, or inside."""
    if random.random() < 0.5:
        return damaged(encode(frame._replace(counter=counter)), random)
    kind = frame.type if random.random() < 0.9 else random.randrange(256)
    payload = damaged(frame.payload, random)[:240]
    return encode(Frame(kind, counter, payload))


class Run:
    """What became of all that was fed."""

    def __init__(self) -> None:
        self.outcome: Counter[str] = Counter(crashes=0, miscounted=0, out_of_range=0)
        self._begin()

    def _begin(self) -> None:
        self._session, self._readings = Session(), Readings()
        self._session.feed(b"\0", 0.0)
        self._pieces = 0

    def feed(self, data: bytes, now_s: float) -> None:
        """Feed `data`, which ends in a zero byte."""
        self._pieces += sum(map(bool, data.split(b"\0")))
        try:
            self._session.due(now_s)
            for event in self._session.feed(data, now_s):
                self.outcome["events"] += 1
                self._take(self._readings.take(event))
            self._take(self._readings.quiet(now_s))
        except Exception as error:  # noqa: BLE001 - a crash is what is counted here
            self.outcome["crashes"] += 1
            self.outcome[f"crash {type(error).__name__}: {error}"] += 1

    def _take(self, items: list[object]) -> None:
        for item in items:
            if isinstance(item, Reading):
                self.outcome["readings"] += 1
                fine = SIGNALS[item.signal].accepts(item.value) and 0.0 <= item.quality <= 1.0
                self.outcome["out_of_range"] += not fine

    def end(self) -> None:
        """Unplug the board and add up what its session counted."""
        counts = self._session.counts
        self.outcome["miscounted"] += abs(self._pieces - counts.frames - counts.refused.total)
        self.outcome["frames"] += counts.frames
        self.outcome["refused"] += counts.refused.total
        for name in ("too_long", "stuffing", "crc", "version"):
            self.outcome[f"refused {name}"] += getattr(counts.refused, name)
        for name in ("content", "unknown", "undescribed", "stale", "repeated", "late", "echoed"):
            self.outcome[name] += getattr(counts, name)
        self._begin()


def survive(count: int, seed: int = SEED) -> dict[str, int]:
    """Feed `count` mutated frames, and whole ones between them; return what became of them."""
    random = Random(seed)
    frames, run = whole(random), Run()
    hello = Deframer().feed(b"\0" + Board(BoardSettings()).step(0.0))
    now_s, counter = 0.0, 0
    for number in range(0, count, _AT_ONCE):
        now_s += random.random()
        data = b""
        for _ in range(_AT_ONCE):
            counter += random.choice((0, 1, 1, 1, 1, 1, 2, -1))
            data += mutated(random.choice(frames), counter & 0xFFFF, random) + b"\0"
            counter += 1
            data += encode(random.choice(frames)._replace(counter=counter & 0xFFFF))
        if number % 4 == 0:  # damaged ones make it start anew and describe nonsense
            counter += random.choice((1, 1, 1, 300, 30_000))
            data += b"".join(
                encode(frame._replace(counter=counter + n & 0xFFFF))
                for n, frame in enumerate(hello)
            )
            counter += len(hello)
        run.feed(data, now_s)
        if number % _SESSION == 0:
            run.end()
    run.end()
    return dict(run.outcome)


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    count = 40_000 if arguments.quick else 1_000_000
    survive(20_000, arguments.seed)  # so that what grows once has grown
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = survive(count, arguments.seed)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    bad = outcome["crashes"] + outcome["miscounted"] + outcome["out_of_range"]
    line = {"id": "R6.frames", "value": outcome["crashes"], "unit": "crashes", "n": count}
    print(json.dumps({**line, "grown_mb": round(grown_mb, 1), "outcome": outcome}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
