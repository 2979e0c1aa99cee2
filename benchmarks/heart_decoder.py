"""H1: heart-rate notifications decoded per second per core; R6: a million mutated ones.

The peers decode the same notifications in the same run: bumble's Heart Rate
Measurement, pycycling where it is installed (MIT; ``pip install pycycling``),
and a parser as bleak examples have it, written out below. None of the three
checks lengths as we do. ``H1.session`` is the whole way from the bytes to
readings with beat times, of notifications that arrive a little after their
beats as over a real radio.
"""

from __future__ import annotations

import argparse
import importlib
import json
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from serial_fuzz import damaged

from sensors.collector import Link, Reading
from sensors.heart_rate.measurement import parse
from sensors.heart_rate.session import HeartSession
from sensors.signals import SIGNALS

IDS = ("H1.notifications", "H1.session", "R6.notifications")
SEED = 20261121


def notifications(count: int, random: Random) -> list[bytes]:
    """Return what headsets send: mostly one interval with contact bits, every flag now and then."""
    made = []
    for _ in range(count):
        flags = random.choice((0b10110, 0b10110, 0b10000, 0b10000, 0b00110, random.randrange(32)))
        body = struct.pack("<H" if flags & 1 else "B", random.randint(50, 110))
        body += struct.pack("<H", random.randrange(65_536)) if flags & 8 else b""
        units = [random.randint(500, 1200) for _ in range(random.choice((1, 1, 1, 2, 4)))]
        body += struct.pack(f"<{len(units)}H", *units) if flags & 16 else b""
        made.append(bytes([flags]) + body)
    return made


def arrivals(data: list[bytes], random: Random) -> list[float]:
    """Return when a radio would deliver `data`: after its beats, up to half a second late [s]."""
    beat_s, made = 0.0, [0.0]
    for one in data:
        beat_s += sum(parse(one).rr_ms) / 1000.0
        late_s = random.random() * 0.5
        made.append(max(made[-1], beat_s + late_s))
    return made[1:]


def as_in_examples(data: bytes) -> tuple[int, list[float]]:
    """Decode as bleak examples do: rate and intervals, nothing checked."""
    flags = data[0]
    at = 2
    rate = data[1]
    if flags & 1:
        rate = int.from_bytes(data[1:3], "little")
        at = 3
    if flags & 8:
        at += 2
    intervals = []
    if flags & 16:
        for i in range(at, len(data), 2):
            intervals.append(int.from_bytes(data[i : i + 2], "little") / 1024)  # noqa: PERF401 - as they do
    return rate, intervals


def peers() -> list[tuple[str, Callable[[bytes], object]]]:
    """Return the decoders to compare with, those that are installed."""
    found: list[tuple[str, Callable[[bytes], object]]] = [("bleak example", as_in_examples)]
    for name, module, attributes in (
        ("bumble", "bumble.profiles.heart_rate_service", "HeartRateService.HeartRateMeasurement.from_bytes"),
        ("pycycling", "pycycling.heart_rate_service", "_parse_hr_measurement"),
    ):  # fmt: skip
        try:
            target: object = importlib.import_module(module)
        except ImportError:
            print(f"{name} is not installed; it is left out", file=sys.stderr)
            continue
        for attribute in attributes.split("."):
            target = getattr(target, attribute)
        found.append((name, target))  # type: ignore[arg-type]
    return found


def per_second(data: list[bytes], *works: Callable[[bytes], object]) -> list[float]:
    """Return notifications per second of each: the best of five in turn, in CPU time."""
    best = [float("inf")] * len(works)
    for _ in range(5):
        for at, work in enumerate(works):
            begin = time.process_time()
            for one in data:
                work(one)
            best[at] = min(best[at], time.process_time() - begin)
    return [len(data) / seconds for seconds in best]


def survive(count: int, random: Random) -> dict[str, int]:
    """Feed `count` mutated notifications to sessions and return what became of them."""
    outcome: Counter[str] = Counter()
    whole = notifications(1000, random)
    session, now_s = HeartSession(), 0.0
    for number in range(count):
        if number % 10_000 == 0:
            session = HeartSession()  # another device
        now_s += random.random() * 2
        data = damaged(random.choice(whole), random, cut_off=1.0)
        try:
            found = session.take(data, now_s)
        except Exception as error:  # noqa: BLE001 - a crash is what is counted here
            outcome[f"crash {type(error).__name__}"] += 1
            continue
        outcome["refused" if found is None else "accepted"] += 1
        outcome["out of range let through"] += sum(not _is_valid(item) for item in found or ())
    return dict(outcome)


def _is_valid(item: Reading | Link) -> bool:
    return isinstance(item, Link) or SIGNALS[item.signal].accepts(item.value)


def main() -> int:
    """Print one JSON object per figure and peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    random = Random(SEED)
    data = notifications(20_000 if quick else 200_000, random)
    for name, peer in peers():
        ours, theirs = per_second(data, parse, peer)
        line = {"id": "H1.notifications", "value": round(ours), "unit": "notifications/s/core"}
        line |= {"peer": {"name": name, "value": round(theirs)}, "ratio": round(ours / theirs, 2)}
        print(json.dumps({**line, "n": len(data)}))
    session, sent = HeartSession(), iter(arrivals(data * 5, Random(SEED)))
    (whole,) = per_second(data, lambda one: session.take(one, next(sent)))
    line = {"id": "H1.session", "value": round(whole), "unit": "notifications/s/core"}
    print(json.dumps({**line, "n": len(data)}))
    count = 50_000 if quick else 1_000_000
    outcome = survive(count, random)
    crashes = sum(n for key, n in outcome.items() if key.startswith("crash"))
    line = {"id": "R6.notifications", "value": crashes, "unit": "crashes", "n": count}
    print(json.dumps({**line, "outcome": outcome}))
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
