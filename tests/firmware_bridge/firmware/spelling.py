"""Messages as the lines that the C program takes, and as hypothesis makes them up."""

import struct
from functools import singledispatch

from hypothesis import strategies as st

from firmware_bridge.protocol import messages as m


def hexed(value: bytes | str) -> str:
    encoded = value.encode() if isinstance(value, str) else value
    return encoded.hex() or "-"


def _bits(value: float) -> int:
    return int.from_bytes(struct.pack("<f", value), "little")


@singledispatch
def line_of(message: m.Message) -> str:
    """Return the line; messages of the host have none of their own."""
    return f"send {message.TYPE} {hexed(message.pack())}"


@line_of.register
def _(x: m.Hello) -> str:
    texts = (x.maker, x.model, x.firmware, x.device_id)
    return f"hello {x.boot} {x.tick_hz} {x.now} {x.streams} " + " ".join(map(hexed, texts))


@line_of.register
def _(x: m.Stream) -> str:
    names = f"{hexed(x.signal)} {hexed(x.unit)}"
    floats = f"{_bits(x.scale)} {_bits(x.offset)}"
    return f"stream {x.stream} {names} {x.width} {int(x.encoding)} {x.rate_mhz} {floats}"


@line_of.register
def _(x: m.Samples) -> str:
    return f"samples {x.stream} {x.count} {x.first} {x.step} {hexed(x.raw)}"


@line_of.register
def _(x: m.Beats) -> str:
    return "beats " + " ".join(f"{b.at} {b.interval} {b.quality}" for b in x.beats)


@line_of.register
def _(x: m.Contact) -> str:
    return f"contact {x.at} {int(x.part)} {int(x.on)}"


@line_of.register
def _(x: m.Battery) -> str:
    return f"battery {x.percent} {x.charging} {x.millivolts}"


@line_of.register
def _(x: m.Log) -> str:
    return f"log {x.level} {hexed(x.text)}"


@line_of.register
def _(x: m.Fault) -> str:
    return f"fault {x.at} {x.code} {x.stream} {int(x.active)} {hexed(x.text)}"


@line_of.register
def _(x: m.Time) -> str:
    return f"time {x.token} {x.received} {x.sent}"


@line_of.register
def _(x: m.Setting) -> str:
    return f"setting {x.reply_to} {x.key} {x.index} {int(x.status)} {hexed(x.value)}"


U8, U16, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
FLOAT = st.floats(width=32, allow_nan=False, allow_infinity=False)
PERCENT = st.integers(0, 100) | st.just(m.UNKNOWN)
STREAM = st.integers(0, m.MAX_STREAMS - 1)


def texts(limit: int, least: int = 0) -> st.SearchStrategy[str]:
    """Texts of up to `limit` bytes, without the zero that ends a text in C."""
    letters = st.characters(codec="utf-8", exclude_characters="\0")
    return st.text(letters, min_size=least, max_size=limit).filter(
        lambda text: len(text.encode()) <= limit
    )


FROM_BOARD: st.SearchStrategy[m.FromBoard] = st.one_of(
    st.builds(
        m.Hello, U32, st.integers(1_000, 10_000_000), U32, st.integers(0, 16),
        texts(32, 1), texts(32, 1), texts(32, 1),
        st.just("") | st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True),
    ),
    st.builds(
        m.Stream, STREAM, texts(32, 1), texts(32, 1), st.integers(1, 255),
        st.sampled_from(m.Encoding), st.integers(1, 200_000), FLOAT.filter(bool), FLOAT,
    ),
    st.builds(m.Samples, STREAM, st.integers(1, 255), U32, st.integers(1, 2**32 - 1),
              st.binary(max_size=230)),
    st.builds(m.Samples, STREAM, st.just(1), U32, U32, st.binary(max_size=230)),
    st.builds(
        m.Beats, st.lists(st.builds(m.Beat, U32, U16, PERCENT), min_size=1, max_size=34).map(tuple)
    ),
    st.builds(m.Contact, U32, st.sampled_from(m.Part), st.booleans()),
    st.builds(m.Battery, PERCENT, st.sampled_from((0, 1, m.UNKNOWN)), U16),
    st.builds(m.Log, st.integers(0, 3), texts(200)),
    st.builds(m.Fault, U32, U16, STREAM | st.just(m.WHOLE_BOARD), st.booleans(), texts(64)),
    st.builds(m.Time, U32, U32, U32),
    st.builds(m.Setting, U16, U8, U8, st.sampled_from(m.Status), st.binary(max_size=234)),
)  # fmt: skip

FROM_HOST: st.SearchStrategy[m.FromHost] = st.one_of(
    st.just(m.HelloRequest()),
    st.builds(m.TimeRequest, U32),
    st.builds(m.Set, U8, U8, st.binary(max_size=237)),
    st.builds(m.Get, U8, U8),
)
