"""Every message survives the wire, and nothing else gets through it."""

import json
import math
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sensors import codec
from sensors.errors import MessageError, Refusal
from sensors.messages import MAX_MESSAGE_BYTES, ReadingMessage, StatusMessage
from tests.contracts.strategies import KINDS, messages

AT = datetime(2026, 3, 29, 1, 0, 0, 250_000, tzinfo=UTC)
relaxed = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    # A message has 30 fields: shrinking a failure takes minutes and explains little more.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_message_comes_back_equal(kind):
    @settings(relaxed, max_examples=60)
    @given(KINDS[kind])
    def check(message):
        payload = codec.encode(message)
        assert codec.decode(payload, kind) == message
        assert len(payload) < MAX_MESSAGE_BYTES
        assert None not in json.loads(payload).values()

    check()


@settings(relaxed, max_examples=60)
@given(messages, st.dictionaries(st.text(min_size=1, max_size=8).map("x_".__add__), st.integers()))
def test_unknown_fields_are_ignored(message, more):
    payload = json.loads(codec.encode(message)) | more
    assert codec.decode(json.dumps(payload).encode(), type(message)) == message


def reading(**values):
    """Return a small valid reading as JSON text, with some values replaced or added."""
    plain = {
        "schema": 1, "source": "pc", "run": "a1b2c3d4", "seq": 7, "oldest_seq": 0,
        "window_end_at": "2026-03-29T01:00:00.25Z",
        "heart": {"quality": 0.9, "hr_bpm": 70.5, "rr_ms": [800, 810.5], "beat_offset_ms": [-900, -90.5]},
        "modules": {"quality": 1, "values": {"eda_us": 2.5}},
        "absent": {"voice": "withheld"},
    }  # fmt: skip
    return json.dumps(plain | values)


def refusal_of(text, kind=ReadingMessage):
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(MessageError) as caught:
        codec.decode(data, kind)
    assert len(caught.value.detail) < 600
    return caught.value.refusal


def test_the_example_itself_is_accepted():
    found = codec.decode(reading().encode(), ReadingMessage)
    assert found.heart.rr_ms == (800.0, 810.5)
    assert found.window_end_at == AT


HEART = {"quality": 0.9}
BAD = [
    ("version two ahead", reading(schema=2), Refusal.SCHEMA_VERSION),
    ("version 0", reading(schema=0), Refusal.SCHEMA_VERSION),
    ("other version, other shape", '{"schema": 9, "seq": "x"}', Refusal.SCHEMA_VERSION),
    ("version as text", reading(schema="1"), Refusal.MALFORMED),
    ("empty", "", Refusal.MALFORMED),
    ("not JSON", "hello", Refusal.MALFORMED),
    ("cut short", reading()[:-9], Refusal.MALFORMED),
    ("two values", reading() + "{}", Refusal.MALFORMED),
    ("a list", "[]", Refusal.MALFORMED),
    ("null", "null", Refusal.MALFORMED),
    ("bytes that are not UTF-8", b'{"source":"\xff\xfe"}', Refusal.MALFORMED),
    ("missing field", '{"schema": 1, "source": "pc"}', Refusal.MALFORMED),
    ("wrong type", reading(seq="7"), Refusal.MALFORMED),
    ("fraction for a count", reading(seq=7.5), Refusal.MALFORMED),
    ("true for a number", reading(heart={"quality": True}), Refusal.MALFORMED),
    ("NaN", reading(heart=HEART | {"hr_bpm": math.nan}), Refusal.MALFORMED),
    ("Infinity", reading(heart=HEART | {"hr_bpm": math.inf}), Refusal.MALFORMED),
    ("number beyond any float", reading().replace("70.5", "1e999"), Refusal.MALFORMED),
    ("huge whole number", reading(seq=10**400), Refusal.OUT_OF_RANGE),
    ("deep nesting", "[" * 30_000, Refusal.MALFORMED),
    ("deep nesting in an unknown field", '{"x":' + "[" * 30_000, Refusal.MALFORMED),
    ("wrong type, then deep", '{"seq":"x","x":' + "[" * 30_000, Refusal.MALFORMED),
    ("unknown reason", reading(absent={"voice": "paused"}), Refusal.MALFORMED),
    ("unknown channel", reading(absent={"smell": "fault"}), Refusal.MALFORMED),
    ("no zone", reading(window_end_at="2026-03-29T01:00:00"), Refusal.OUT_OF_RANGE),
    ("not UTC", reading(window_end_at="2026-03-29T01:00:00+02:00"), Refusal.OUT_OF_RANGE),
    ("no time", reading(window_end_at="yesterday"), Refusal.MALFORMED),
    ("heart rate above", reading(heart=HEART | {"hr_bpm": 251}), Refusal.OUT_OF_RANGE),
    ("heart rate below", reading(heart=HEART | {"hr_bpm": 0}), Refusal.OUT_OF_RANGE),
    ("quality above", reading(heart={"quality": 1.01}), Refusal.OUT_OF_RANGE),
    ("negative count", reading(keyboard={"quality": 1, "key_presses": -1}), Refusal.OUT_OF_RANGE),
    ("beats without times", reading(heart=HEART | {"rr_ms": [800]}), Refusal.OUT_OF_RANGE),
    ("negative seq", reading(seq=-1), Refusal.OUT_OF_RANGE),
    ("oldest after newest", reading(oldest_seq=8), Refusal.OUT_OF_RANGE),
    ("present and absent", reading(absent={"heart": "fault"}), Refusal.OUT_OF_RANGE),
    ("upper case source", reading(source="PC"), Refusal.OUT_OF_RANGE),
    ("topic in a source", reading(source="a/b"), Refusal.OUT_OF_RANGE),
    ("newline in a source", reading(source="pc\n"), Refusal.OUT_OF_RANGE),
    ("short run", reading(run="abc"), Refusal.OUT_OF_RANGE),
    ("offset of a day", reading(utc_offset_min=1_440), Refusal.OUT_OF_RANGE),
    ("unknown signal", reading(modules={"quality": 1, "values": {"x": 1}}), Refusal.UNKNOWN_SIGNAL),
    (
        "signal of another channel",
        reading(modules={"quality": 1, "values": {"hr_bpm": 70}}),
        Refusal.UNKNOWN_SIGNAL,
    ),
    ("too large", reading(x="y" * MAX_MESSAGE_BYTES), Refusal.TOO_LARGE),
]


@pytest.mark.parametrize(("text", "refusal"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_reading_is_refused_with_its_class(text, refusal):
    assert refusal_of(text) is refusal


def test_a_refusal_never_repeats_the_payload():
    secret = "correct horse battery staple" * 50
    with pytest.raises(MessageError) as caught:
        codec.decode(reading(source=secret).encode(), ReadingMessage)
    assert secret not in str(caught.value)


def test_a_time_in_another_zone_cannot_even_be_built():
    berlin = AT.astimezone(timezone(timedelta(hours=2)))
    with pytest.raises(MessageError):
        StatusMessage(source="pc", run="a1b2c3d4", online=True, at=berlin)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["clock_offset_ms", "clock_error_ms"])
def test_a_clock_offset_is_a_number(name, bad):
    """NaN would compare as *not late* and become null on the wire."""
    good = codec.decode(reading().encode(), ReadingMessage)
    values = {f: getattr(good, f) for f in ("source", "run", "seq", "window_end_at")}
    with pytest.raises(MessageError):
        ReadingMessage(**values, **{name: bad})


@pytest.mark.parametrize(
    ("text", "known"),
    [
        pytest.param(reading(heart=5), True, id="bad section"),
        pytest.param(reading(schema=9), True, id="other version"),
        pytest.param(reading(seq="x"), False, id="no number"),
        pytest.param("nonsense", False, id="not JSON"),
        pytest.param('{"x":' + "[" * 30_000, False, id="deep"),
        pytest.param(b"\xff", False, id="not text"),
        pytest.param(reading(x="y" * MAX_MESSAGE_BYTES), False, id="too large"),
    ],
)
def test_a_refused_window_is_still_accounted_for(text, known):
    key = codec.window_key(text if isinstance(text, bytes) else text.encode())
    assert key == (codec.WindowKey("pc", "a1b2c3d4", 7) if known else None)


def _mutate(payload, rng):
    data = bytearray(payload)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if at < len(data):
                data[at] = rng.randrange(256)
            case 1:
                data[at:at] = rng.choice(_PIECES)
            case 2:
                del data[at : at + rng.randint(1, 8)]
            case 3:
                data[at:at] = data[at : at + rng.randint(1, 30)]
            case 4:
                del data[at:]
            case _ if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
        if not data:
            return b""
    return bytes(data)


_PIECES = [
    b"{", b"}", b"[", b"]", b'"', b"\\u0000", b"\\ud800", b"-", b"1e999", b"NaN", b"null", b"true",
    b'"schema":2,', b"99999999999999999999", b"\xff", b"\xed\xa0\x80", b"[" * 2_000, b"\x00", b"0.",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_mutated_bytes_are_a_message_or_a_refusal(kind):
    """R6 in small; anything but these two outcomes escapes and fails the test."""
    rng = random.Random(f"mutate {kind.__name__}")
    samples = _samples(kind)
    outcomes = {"accepted": 0, "refused": 0}
    for _ in range(400):
        payload = _mutate(rng.choice(samples), rng)
        try:
            found = codec.decode(payload, kind)
        except MessageError:
            outcomes["refused"] += 1
            codec.window_key(payload)
        else:
            outcomes["accepted"] += 1
            assert codec.decode(codec.encode(found), kind) == found
    assert outcomes["refused"] > 100
    assert sum(outcomes.values()) == 400


def _samples(kind):
    found = []

    @settings(relaxed, max_examples=8, derandomize=True, database=None)
    @given(KINDS[kind])
    def collect(message):
        found.append(codec.encode(message))

    collect()
    return found
