"""Test vectors of the serial protocol: the file, how it is made, and how one is verified; pure.

``python -m firmware_bridge.protocol.vectors`` writes `vectors.json` anew.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from firmware_bridge.protocol import messages
from firmware_bridge.protocol.counting import Counting
from firmware_bridge.protocol.framing import Deframer, Frame, encode
from firmware_bridge.protocol.messages import ContentError, Encoding, Message, Samples, Stream
from firmware_bridge.protocol.vector_cases import LONGER, MESSAGES, VALUES, refused, streams

PATH = Path(__file__).with_name("vectors.json")

ABOUT = (
    "Test vectors of the serial protocol of hardware.md, version 1. Bytes are written in "
    "hexadecimal. messages: a payload of these fields, sent with this counter, is `wire`, the zero "
    "byte behind it included; with `longer`, the payload has bytes behind its fields and is only "
    "read. refused: what stands in `wire` is refused for `reason`. values: what raw values mean. "
    "streams: of `bytes`, however cut into pieces, the frames `taken` (type, counter) are taken in "
    "this order; the rest is counted."
)


def load() -> dict[str, Any]:
    """Return the vectors of the file."""
    vectors: dict[str, Any] = json.loads(text())
    return vectors


def text() -> str:
    """Return the file as it is."""
    return PATH.read_text("utf-8")


def made() -> dict[str, Any]:
    """Return the vectors as this version makes them."""
    return {
        "about": ABOUT,
        "version": 1,
        "messages": [_message(*one) for one in MESSAGES]
        + [_message(name, 16, message, more) for name, message, more in LONGER],
        "refused": [
            {"name": name, "reason": reason, "wire": wire.hex()} for name, reason, wire in refused()
        ],
        "values": [
            {
                "name": name,
                "stream": shown(stream),
                "samples": shown(samples),
                "values": _values(stream, samples),
            }
            for name, stream, samples in VALUES
        ],
        "streams": [
            {
                "name": case.name,
                "bytes": case.data.hex(),
                "taken": [list(one) for one in case.taken],
                "refused": case.refused,
                "lost": case.lost,
                "repeated": case.repeated,
                "late": case.late,
            }
            for case in streams()
        ],
    }


def _message(name: str, counter: int, message: Message, more: bytes = b"") -> dict[str, Any]:
    payload = message.pack() + more
    return {
        "name": name,
        "message": type(message).__name__,
        "type": message.TYPE,
        "counter": counter,
        "fields": shown(message),
        "payload": payload.hex(),
        "wire": encode(Frame(message.TYPE, counter, payload)).hex(),
        **({"longer": True} if more else {}),
    }


def shown(message: Message) -> dict[str, Any]:
    """Return the fields of `message` as JSON has them."""
    found: dict[str, Any] = {}
    for one in fields(message):
        value = getattr(message, one.name)
        if isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, tuple):  # beats
            value = [asdict(beat) for beat in value]
        elif isinstance(value, bool):
            value = int(value)
        found[one.name] = value
    return found


@dataclass(frozen=True, slots=True)
class Finding:
    """One vector that is not as it should be.

    Parameters
    ----------
    name : str
        Of the vector.
    problem : str
        What differs.
    """

    name: str
    problem: str


def verify(vectors: Mapping[str, Any]) -> list[Finding]:
    """Return what in `vectors` this implementation does not agree with; nothing if all is well.

    Parameters
    ----------
    vectors : mapping
        As in the file; parts and entries may be left out, so that what
        another implementation writes can be checked with its own counters and
        fields.
    """
    checks = {
        "messages": _check_message,
        "refused": _check_refused,
        "values": _check_values,
        "streams": _check_stream,
    }
    found = []
    for part, check in checks.items():
        for number, entry in enumerate(vectors.get(part, ())):
            name = f"{part}: {entry.get('name', number)}"
            try:
                found += [Finding(name, problem) for problem in check(entry)]
            except (AttributeError, KeyError, TypeError, ValueError, ContentError) as error:
                found.append(Finding(name, f"cannot be read: {type(error).__name__}: {error}"))
    return found


def _check_message(entry: Mapping[str, Any]) -> Iterator[str]:
    wire = bytes.fromhex(entry["wire"])
    deframer = Deframer()
    frames = deframer.feed(b"\0" + wire)
    if len(frames) != 1 or deframer.refused.total:
        yield f"is no frame: {_reasons(deframer)}"
        return
    frame = frames[0]
    if (frame.type, frame.counter) != (entry["type"], entry["counter"]):
        yield f"is of type {frame.type} with counter {frame.counter}"
    if "payload" in entry and frame.payload.hex() != entry["payload"]:
        yield f"has the payload {frame.payload.hex()}"
    message = messages.unpack(frame.type, frame.payload)
    if message is None:
        yield f"type {frame.type} is unknown"
        return
    if shown(message) != entry["fields"]:
        yield f"says {shown(message)}"
    if not entry.get("longer") and encode(Frame(frame.type, frame.counter, message.pack())) != wire:
        yield f"is written {encode(Frame(frame.type, frame.counter, message.pack())).hex()} here"


def _check_refused(entry: Mapping[str, Any]) -> Iterator[str]:
    reason = _reason(bytes.fromhex(entry["wire"]))
    if reason != entry["reason"]:
        yield f"is refused for {reason or 'nothing'}, not for {entry['reason']}"


def _reason(wire: bytes) -> str:
    """Return why the one frame in `wire` is refused; empty if it is not."""
    deframer = Deframer()
    frames = deframer.feed(b"\0" + wire)
    return _unreadable(frames[0]) if frames else _reasons(deframer)


def _reasons(deframer: Deframer) -> str:
    return ", ".join(reason for reason, count in asdict(deframer.refused).items() if count)


def _check_values(entry: Mapping[str, Any]) -> Iterator[str]:
    given, samples = dict(entry["stream"]), dict(entry["samples"])
    given["encoding"] = Encoding(given["encoding"])
    samples["raw"] = bytes.fromhex(samples["raw"])
    values = _values(Stream(**given), Samples(**samples))
    if values != entry["values"]:
        yield f"means {values}"


def _values(stream: Stream, samples: Samples) -> list[list[float | None]]:
    rows = stream.values(samples).tolist()
    return [[None if math.isnan(value) else value for value in row] for row in rows]


def _check_stream(entry: Mapping[str, Any]) -> Iterator[str]:
    data = bytes.fromhex(entry["bytes"])
    whole = received([data])
    if received([bytes((byte,)) for byte in data]) != whole:
        yield "gives something else byte by byte"
    for key, value in whole.items():
        if value != entry[key]:
            yield f"{key} is {value}, not {entry[key]}"


def received(pieces: Iterable[bytes]) -> dict[str, Any]:
    """Return what a receiver takes of a stream, and what it counts."""
    deframer, counting = Deframer(), Counting()
    taken: list[list[int]] = []
    refused: Counter[str] = Counter()
    for frame in (frame for piece in pieces for frame in deframer.feed(piece)):
        is_fresh = counting.take(frame.counter)
        reason = _unreadable(frame)
        if reason:
            refused[reason] += 1
        elif is_fresh:
            taken.append([frame.type, frame.counter])
    refused.update({reason: n for reason, n in asdict(deframer.refused).items() if n})
    return {
        "taken": taken,
        "refused": dict(refused),
        "lost": counting.lost,
        "repeated": counting.repeated,
        "late": counting.late,
    }


def _unreadable(frame: Frame) -> str:
    try:
        return "type" if messages.unpack(frame.type, frame.payload) is None else ""
    except ContentError:
        return "content"


def written(vectors: Mapping[str, Any]) -> str:
    """Return `vectors` as JSON, one of them a line."""
    parts = []
    for key, value in vectors.items():
        if isinstance(value, list):
            lines = ",\n".join("  " + json.dumps(entry) for entry in value)
            parts.append(f" {json.dumps(key)}: [\n{lines}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Write the file anew."""
    PATH.write_text(written(made()), "utf-8")


if __name__ == "__main__":
    main()
