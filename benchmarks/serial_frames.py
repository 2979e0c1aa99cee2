"""H1: frames of the serial protocol decoded per second per core.

`H1.serial` is from bytes, as a port gives them, to typed messages: stuffing,
length, check sum, version, fields. The peers do the same amount of work on the
same bytes: a loop as one writes it with the cobs package (C), zlib and struct,
which checks less and counts nothing; and pymavlink's parser on MAVLink frames
of about the same size, where it is installed (LGPL; ``pip install
pymavlink``). `H1.serial_session` is the whole way to values with times on the
host's clock; beside it what it is when a read brings less.
"""

from __future__ import annotations

import argparse
import importlib
import json
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from random import Random

from cobs import cobs

from firmware_bridge.protocol.framing import Deframer, Frame, encode
from firmware_bridge.protocol.messages import Beat, Beats, Encoding, Hello, Samples, Stream, unpack
from firmware_bridge.protocol.session import Session

IDS = ("H1.serial", "H1.serial_session")
SEED = 20261122
TICK_HZ = 1_000_000
STREAMS = (
    Stream(0, "ppg", "1", 1, Encoding.I16, 64_000, 1.0, 0.0),
    Stream(1, "acc_g", "g", 3, Encoding.I16, 50_000, 1 / 2048, 0.0),
    Stream(2, "eda_us", "uS", 1, Encoding.F32, 4_000, 1.0, 0.0),
)
READ_BYTES = 4_096
"""What one read of a port gives at most, as it does where more comes than is read. [bytes]"""

SHORT_READ_BYTES = 512
"""What it gives on USB full speed with a busy board, which a host keeps up with. [bytes]"""


def frames(count: int, random: Random) -> list[bytes]:
    """Return what a headset prototype says: pulse, acceleration, skin conductance, beats."""
    made = []
    for number in range(count):
        at = number * 8_000 & 0xFFFF_FFFF
        kind = number % 8
        if kind < 3:
            raw = struct.pack("<16h", *(round(random.gauss(8_000, 900)) for _ in range(16)))
            message: Samples | Beats = Samples(0, 16, at, 15_625, raw)
        elif kind < 6:
            raw = struct.pack("<30h", *(round(random.gauss(0, 300)) for _ in range(30)))
            message = Samples(1, 10, at, 20_000, raw)
        elif kind == 6:
            raw = struct.pack("<4f", *(random.gauss(4, 0.1) for _ in range(4)))
            message = Samples(2, 4, at, 250_000, raw)
        else:
            message = Beats((Beat(at, round(random.gauss(8_500, 300)), 97),))
        made.append(encode(Frame(message.TYPE, number + 8 & 0xFFFF, message.pack())))
    return made


def described() -> bytes:
    """Return what a board says first."""
    hello = Hello(1, TICK_HZ, 0, len(STREAMS), "Acme", "Clip", "1.0")
    said = (hello, *STREAMS)
    return b"\0" + b"".join(
        encode(Frame(message.TYPE, n, message.pack())) for n, message in enumerate(said)
    )


def reads(data: bytes, size: int = READ_BYTES) -> Iterator[bytes]:
    """Yield `data` as a port gives it."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


def ours(data: bytes) -> int:
    """Return how many messages we decode."""
    deframer, count = Deframer(), 0
    for piece in reads(data):
        for kind, _, payload in deframer.fields(piece):
            count += unpack(kind, payload) is not None
    return count


def by_hand(data: bytes) -> int:
    """Return how many messages a loop around cobs, zlib and struct decodes."""
    head, samples, beats = struct.Struct("<BBH"), struct.Struct("<BBII"), struct.Struct("<BIHB")
    rest, count = b"", 0
    for piece in reads(data):
        *ended, rest = (rest + piece).split(b"\0")
        for stuffed in ended:
            if not stuffed:
                continue
            body = cobs.decode(stuffed)
            if zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
                continue
            _, kind, _ = head.unpack_from(body)
            if kind == Samples.TYPE:
                samples.unpack_from(body, head.size)
                count += bool(body[head.size + samples.size : -4])
            elif kind == Beats.TYPE:
                count += bool(beats.unpack_from(body, head.size))
    return count


def mavlink(count: int, random: Random) -> tuple[bytes, Callable[[bytes], int]] | None:
    """Return MAVLink frames of 63 bytes and more with floats, and their parser."""
    try:
        dialect = importlib.import_module("pymavlink.dialects.v20.common")
    except ImportError:
        print("pymavlink is not installed; it is left out", file=sys.stderr)
        return None
    sender = dialect.MAVLink(None, srcSystem=1)
    data = b"".join(
        dialect.MAVLink_highres_imu_message(
            number, *(random.gauss(0, 1) for _ in range(13)), 0xFFFF
        ).pack(sender)
        for number in range(count)
    )

    def parse(data: bytes) -> int:
        parser = dialect.MAVLink(None)
        parser.robust_parsing = True
        return sum(len(parser.parse_buffer(piece) or ()) for piece in reads(data))

    return data, parse


def whole_way(data: bytes, size: int = READ_BYTES) -> int:
    """Return how many messages come out of a session as values with times."""
    session, count = Session(), 0
    session.feed(described(), 0.0)
    for number, piece in enumerate(reads(data, size)):
        count += len(session.feed(piece, number * 0.008 * size / 60))
    return count


def short_reads(data: bytes) -> int:
    """Return the same from short reads."""
    return whole_way(data, SHORT_READ_BYTES)


def per_second(count: int, *works: tuple[Callable[[bytes], int], bytes]) -> list[float]:
    """Return frames per second of each: the best of five in turn, in CPU time."""
    best = [float("inf")] * len(works)
    for _ in range(5):
        for at, (work, data) in enumerate(works):
            begin = time.process_time()
            decoded = work(data)
            best[at] = min(best[at], time.process_time() - begin)
            if decoded != count:
                raise AssertionError(f"{work.__name__} decoded {decoded} of {count}")
    return [count / seconds for seconds in best]


def main() -> int:
    """Print one JSON object per figure and peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    count = 20_000 if parser.parse_args().quick else 200_000
    random = Random(SEED)
    data = b"".join(frames(count, random))
    peers: list[tuple[str, Callable[[bytes], int], bytes]] = [("cobs + zlib", by_hand, data)]
    other = mavlink(count, random)
    if other is not None:
        peers.append(("pymavlink", other[1], other[0]))
    for name, work, its_data in peers:
        we, they = per_second(count, (ours, data), (work, its_data))
        line = {"id": "H1.serial", "value": round(we), "unit": "frames/s/core"}
        line |= {"peer": {"name": name, "value": round(they)}, "ratio": round(we / they, 2)}
        print(json.dumps({**line, "n": count, "bytes": round(len(data) / count, 1)}))
    whole, short = per_second(count, (whole_way, data), (short_reads, data))
    line = {"id": "H1.serial_session", "value": round(whole), "unit": "frames/s/core"}
    line |= {"read_bytes": READ_BYTES, f"of_{SHORT_READ_BYTES}_bytes": round(short)}
    print(json.dumps({**line, "n": count}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
