"""The MR60BHA2's frames, and the radar on a real pseudo-terminal."""

import itertools
import struct
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.display.collector import DisplayCollector
from firmware_bridge.display.mapping import Breather
from firmware_bridge.display.mr60bha2 import (
    MAX_DATA_BYTES,
    Breathing,
    Counts,
    Mr60bha2,
    Person,
    Refusal,
)
from sensors.collector import Link, Note, Reading
from sensors.edge.collecting.clock import SystemTime
from sensors.errors import ConfigurationError, DeviceError
from sensors.signals import Channel
from tests.firmware_bridge.display.radar import basic


def frame(kind, data, number=0x8000):
    """Return a frame as the maker's library reads it; no code is shared with the driver."""
    head = struct.pack(">BHHH", 1, number, len(data), kind)
    return head + bytes([_sum(head)]) + data + bytes([_sum(data)])


def _sum(data):
    total = 0
    for byte in data:
        total ^= byte
    return 0xFF - total


def breathing(per_min):
    return frame(0x0A14, struct.pack("<f", per_min))


SOMEBODY, NOBODY = frame(0x0F09, b"\x01\0\0\0"), frame(0x0F09, b"\0\0\0\0")
HEART = frame(0x0A15, struct.pack("<f", 72.0))
POSITION = frame(0x0A04, struct.pack("<Iffii", 1, 0.1, 0.8, 0, 1))
STREAM = b"\x01\x01noise" + SOMEBODY + breathing(15.5)[:9] + HEART + breathing(16.0) + POSITION


def read(*pieces):
    decoder = Mr60bha2()
    return [item for piece in pieces for item in decoder.feed(piece)], decoder.counts


def test_person_and_breathing_are_read_and_the_rest_is_counted():
    found, counts = read(SOMEBODY, breathing(15.5), HEART, POSITION, NOBODY, breathing(0.0))
    assert found == [Person(True), Breathing(15.5), Person(False), Breathing(0.0)]
    assert counts == Counts(reports=4, others=2)
    assert read(frame(0x0F09, b"\x01"))[0] == [Person(True)]  # as early firmware has it


def _with(data, at, value):
    return data[:at] + bytes([value]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(_with(breathing(15.5), 7, 0), Refusal.HEAD, id="first check byte"),
        pytest.param(_with(breathing(15.5), 4, 5), Refusal.HEAD, id="length"),
        pytest.param(frame(0x0A14, bytes(MAX_DATA_BYTES + 1)), Refusal.HEAD, id="too long"),
        pytest.param(_with(breathing(15.5), 12, 0), Refusal.DATA, id="second check byte"),
        pytest.param(_with(breathing(15.5), 10, 0), Refusal.DATA, id="data"),
        pytest.param(frame(0x0A14, b"\0\0\0"), Refusal.CONTENT, id="short rate"),
        pytest.param(frame(0x0F09, b""), Refusal.CONTENT, id="no person field"),
        pytest.param(breathing(float("nan")), Refusal.CONTENT, id="NaN"),
        pytest.param(breathing(float("inf")), Refusal.CONTENT, id="infinite"),
        pytest.param(breathing(-1.0), Refusal.CONTENT, id="negative"),
        pytest.param(breathing(201.0), Refusal.CONTENT, id="no breathing"),
    ],
)
def test_a_wrong_frame_is_refused_by_its_reason_and_the_next_ones_read(sent, reason):
    found, counts = read(sent, SOMEBODY * 40)
    assert found[-1:] == [Person(True)]
    assert counts.refused[reason] >= 1
    assert not any(isinstance(item, Breathing) for item in found)


def test_a_split_at_every_byte_changes_nothing():
    whole, counts = read(STREAM)
    assert whole == [Person(True), Breathing(16.0)]
    assert (counts.reports, counts.others) == (2, 2)
    for cut in range(len(STREAM) + 1):
        assert read(STREAM[:cut], STREAM[cut:]) == (whole, counts), cut
    assert read(*(bytes([byte]) for byte in STREAM)) == (whole, counts)


_FRAMES = st.sampled_from([SOMEBODY, NOBODY, breathing(15.5), HEART, POSITION, STREAM])


@given(st.lists(st.one_of(_FRAMES, st.binary(max_size=60)), max_size=8), st.data())
@settings(deadline=None)
def test_whatever_arrives_is_read_or_counted_and_little_is_held(pieces, data):
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder, found = Mr60bha2(), []
    for start, end in itertools.pairwise([0, *cuts, len(stream)]):
        found += decoder.feed(stream[start:end])
        assert len(decoder._pending) <= MAX_DATA_BYTES + 9
    assert (found, decoder.counts) == read(stream)
    assert all(isinstance(i, Person) or 0.0 <= i.per_min <= 200.0 for i in found)
    enough = [SOMEBODY] * 60
    assert [item for one in enough for item in decoder.feed(one)][-1] == Person(True)


def test_a_rate_is_believed_only_while_somebody_is_seen():
    follow = Breather()
    assert follow.take(Breathing(15.0), 0.0) == {}
    assert follow.take(Person(True), 0.1) == {"presence": 1.0}
    assert follow.take(Breathing(15.0), 0.2) == {"breathing_rate_per_min": 15.0}
    assert follow.take(Breathing(0.0), 0.3) == {}  # the radar has none
    assert follow.take(Breathing(120.0), 0.4) == {}
    assert follow.take(Person(False), 0.5) == {"presence": 0.0}
    assert follow.take(Breathing(15.0), 0.6) == {}


async def test_presence_and_breathing_of_a_radar_on_a_port(board):
    board.keep_sending(NOBODY + HEART + SOMEBODY + breathing(15.5))
    made = DisplayCollector({"port": board.port, "radar": "mr60bha2"})
    assert made._settings.speed == 115_200
    async with aclosing(made.readings(SystemTime())) as items:
        found = [await anext(items) for _ in range(5)]
    assert found[:2] == [Note(device="Seeed MR60BHA2, read as it is"), Link(Channel.MODULES, "ok")]
    values = [(i.signal, i.value) for i in found[2:] if isinstance(i, Reading)]
    assert values == [("presence", 0.0), ("presence", 1.0), ("breathing_rate_per_min", 15.5)]


async def test_another_radar_than_the_configured_one_is_said(board):
    board.keep_sending(basic())
    made = DisplayCollector({"port": board.port, "radar": "mr60bha2", "silence_s": 0.3})
    async with aclosing(made.readings(SystemTime())) as items:
        assert isinstance(await anext(items), Note)
        with pytest.raises(DeviceError, match=r"no report of an MR60BHA2 .* check radar and baud"):
            await anext(items)


def test_an_unknown_radar_is_named():
    with pytest.raises(ConfigurationError, match="radar is 'ld2450'"):
        DisplayCollector({"port": "p", "radar": "ld2450"})
