"""Decoders of what devices send, fed with anything: nothing fails, nothing grows, all is counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.serial_fuzz import survive
from firmware_bridge.protocol import messages, vectors
from firmware_bridge.protocol.framing import MAX_STUFFED, Deframer, Frame, encode
from firmware_bridge.protocol.session import Session
from firmware_bridge.readings.board import Readings
from sensors.collector import Reading
from sensors.heart_rate.measurement import MeasurementError, parse
from sensors.heart_rate.session import HeartSession
from sensors.signals import SIGNALS

WHOLE = [bytes.fromhex(entry["wire"]) for entry in vectors.load()["messages"]]
KINDS = sorted({frame.TYPE for frame in messages.FromBoard.__args__})

mutated = st.builds(
    lambda frame, at, noise, cut: frame[: at % len(frame)] + noise + frame[at % len(frame) + cut :],
    st.sampled_from(WHOLE),
    st.integers(0, 300),
    st.binary(max_size=4),
    st.integers(0, 4),
)
# Whole frames around payloads that nobody wrote: past the check sum, into the decoders.
made = st.builds(
    lambda kind, counter, payload: encode(Frame(kind, counter, payload)),
    st.sampled_from(KINDS),
    st.integers(0, 0xFFFF),
    st.binary(max_size=240),
)
streams = st.lists(st.one_of(mutated, made, st.sampled_from(WHOLE), st.binary(max_size=300)))


@settings(max_examples=150, deadline=None)  # a million in the benchmark
@given(streams, st.lists(st.integers(1, 400), max_size=20), st.floats(0, 1e6))
def test_a_session_survives_and_counts(pieces, cuts, step_s):
    data = b"\0" + b"".join(pieces)
    session, readings, now_s = Session(), Readings(), 0.0
    rest = data
    for cut in [*cuts, len(data)]:
        part, rest = rest[:cut], rest[cut:]
        now_s += step_s
        session.due(now_s)
        for event in session.feed(part, now_s):
            for item in readings.take(event):
                if isinstance(item, Reading):
                    assert SIGNALS[item.signal].accepts(item.value)
                    assert 0.0 <= item.quality <= 1.0
        readings.quiet(now_s)
    counts = session.counts
    ended = [piece for piece in data.split(b"\0")[:-1] if piece]
    assert counts.frames + counts.refused.total == len(ended)
    assert len(session._deframer._pending) <= MAX_STUFFED + 1
    assert len(session._open) <= 4
    assert len(session.streams) <= 16
    assert min(counts.lost, counts.late, counts.repeated, counts.stale, counts.content) >= 0


@settings(deadline=None)
@given(st.binary(max_size=2_000), st.lists(st.integers(1, 50), max_size=50))
def test_a_deframer_cuts_alike_however_it_is_fed(data, cuts):
    once, bit_by_bit = Deframer(), Deframer()
    wanted = once.feed(data)
    found, rest = [], data
    for cut in cuts:
        found += bit_by_bit.feed(rest[:cut])
        rest = rest[cut:]
    found += bit_by_bit.feed(rest)
    assert found == wanted
    assert bit_by_bit.refused == once.refused


@settings(deadline=None)
@given(st.sampled_from(KINDS), st.binary(max_size=240))
def test_what_is_read_is_written_the_same(kind, payload):
    try:
        message = messages.unpack(kind, payload)
    except messages.ContentError:
        return
    packed = message.pack()
    if len(packed) == len(payload):
        assert messages.unpack(kind, packed) == message or b"\x00\x00\xc0\x7f" in packed
    else:
        assert payload.startswith(packed), "what is longer than its fields"


@settings(deadline=None)
@given(st.binary(max_size=40), st.floats(0, 1e6))
def test_a_notification_is_read_or_refused(data, now_s):
    session = HeartSession()
    found = session.take(data, now_s)
    try:
        parse(data)
    except MeasurementError:
        assert found is None
        assert session.malformed == 1
        return
    assert found is not None
    assert all(SIGNALS[i.signal].accepts(i.value) for i in found if isinstance(i, Reading))


def test_the_quick_version_of_the_long_run():
    """A few thousand of the million that benchmarks/serial_fuzz.py mutates."""
    outcome = survive(3_000, seed=5)
    assert outcome["crashes"] == 0
    assert outcome["miscounted"] == 0
    assert outcome["frames"] > 100
    assert outcome["refused"] > 100


@pytest.mark.parametrize(
    "entry",
    [entry for entry in vectors.load()["messages"] if not entry.get("longer")],
    ids=lambda entry: entry["name"],
)
def test_every_cut_of_every_message_is_refused_or_read(entry):
    payload = bytes.fromhex(entry["payload"])
    for end in range(len(payload)):
        try:
            messages.unpack(entry["type"], payload[:end])
        except messages.ContentError:
            continue
        # Its values are counted against the stream's width, which one message does not know.
        assert entry["message"] == "Samples"
