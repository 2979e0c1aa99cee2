"""Coverage-guided fuzzing of what devices send, for a long run; not part of `wellbeing bench`.

``pip install atheris``, then ``python -m benchmarks._atheris_serial -max_total_time=1500
-rss_limit_mb=1024 corpus/``: libFuzzer's options, and a directory that it keeps. It ends at the
first input that makes a decoder fail, warn, miscount, or hand on a value out of range.
"""

from __future__ import annotations

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["firmware_bridge", "sensors"]):
    from firmware_bridge.printed.csv_lines import CsvLines
    from firmware_bridge.printed.raw_lines import RawLines
    from firmware_bridge.protocol import messages
    from firmware_bridge.protocol.framing import Frame, encode
    from firmware_bridge.protocol.session import Session
    from firmware_bridge.readings.board import Readings
    from sensors.collector import Reading
    from sensors.heart_rate.session import HeartSession
    from sensors.signals import SIGNALS

_KINDS = [*(kind.TYPE for kind in messages.FromBoard.__args__), 0x41, 0x7F]  # type: ignore[attr-defined]


def _check(items: object) -> None:
    for item in items or ():  # type: ignore[attr-defined]
        if isinstance(item, Reading) and not SIGNALS[item.signal].accepts(item.value):
            raise AssertionError(f"{item} is out of range")


def raw(given: atheris.FuzzedDataProvider) -> None:
    """Any bytes into one session."""
    data = b"\0" + given.ConsumeBytes(2_000)
    session, readings = Session(), Readings()
    for event in session.feed(data, 0.0):
        _check(readings.take(event))
    counts = session.counts
    pieces = sum(map(bool, data.split(b"\0")[:-1]))
    if counts.frames + counts.refused.total != pieces:
        raise AssertionError(f"{pieces} pieces, {counts}")


def framed(given: atheris.FuzzedDataProvider) -> None:
    """Payloads that nobody wrote, in whole frames, over hours."""
    session, readings, now_s, counter = Session(), Readings(), 0.0, 0
    for _ in range(given.ConsumeIntInRange(1, 30)):
        now_s += given.ConsumeFloatInRange(0, 30)
        kind, size = given.PickValueInList(_KINDS), given.ConsumeIntInRange(0, 60)
        counter = counter + given.ConsumeIntInRange(0, 3) & 0xFFFF
        frame = encode(Frame(kind, counter, given.ConsumeBytes(size)))
        session.due(now_s)
        for event in session.feed(b"\0" + frame, now_s):
            _check(readings.take(event))
        readings.quiet(now_s)


def notified(given: atheris.FuzzedDataProvider) -> None:
    """Any notifications of a Bluetooth headset."""
    session, now_s = HeartSession(), 0.0
    for _ in range(given.ConsumeIntInRange(1, 20)):
        now_s += given.ConsumeFloatInRange(0, 10)
        _check(session.take(given.ConsumeBytes(given.ConsumeIntInRange(0, 24)), now_s))


def printed(given: atheris.FuzzedDataProvider) -> None:
    """Any lines of a board that prints."""
    lines, now_s = CsvLines(("ppg", "acc_g", "eda_us")), 0.0
    raw_lines = RawLines(lines.columns, 64.0)
    for _ in range(given.ConsumeIntInRange(1, 6)):
        now_s += given.ConsumeFloatInRange(0, 10)
        _check(raw_lines.take(lines.feed(given.ConsumeBytes(400)), now_s))


def one(data: bytes) -> None:
    """Feed one input to the decoder that its first bytes choose."""
    given = atheris.FuzzedDataProvider(data)
    (raw, framed, notified, printed)[given.ConsumeIntInRange(0, 3)](given)


if __name__ == "__main__":
    warnings.simplefilter("error")
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
