"""A recording's bytes: every field, every split, and nothing left of them."""

import random
import struct

import pytest

from sensors.errors import DeviceError
from sensors.hid.xrecord import BUTTON_PRESS, KEY_PRESS, KEY_RELEASE, MOTION, Event, Stream

event = pytest.importorskip("Xlib.protocol.event", reason="python-xlib is there on Linux only")

CLASSES = {
    2: event.KeyPress, 3: event.KeyRelease, 4: event.ButtonPress, 5: event.ButtonRelease,
    6: event.MotionNotify,
}  # fmt: skip
MAPPING_NOTIFY = bytes([34]) + bytes(31)


def encoded(wanted: Event, *, by_a_program: bool = False) -> bytes:
    """Return what python-xlib makes of it, so what X sends."""
    made = CLASSES[wanted.kind](
        detail=wanted.detail, time=wanted.at_ms, root=1, window=2, child=0, root_x=wanted.x_px,
        root_y=wanted.y_px, event_x=-1, event_y=-1, state=0x1FFF, same_screen=1,
    )._binary  # fmt: skip
    return bytes([made[0] | 0x80 * by_a_program, *made[1:]])


def reply(category: int, data: bytes = b"", server_ms: int = 0) -> bytes:
    return struct.pack("=BBHIB3xII12x", 1, category, 7, len(data) // 4, 0, 0, server_ms) + data


def feed(stream: Stream, data: bytes) -> list[Event]:
    stream.room[: len(data)] = data
    return list(stream.took(len(data)))


def made(luck: random.Random) -> Event:
    kind = luck.randint(KEY_PRESS, MOTION)
    detail = luck.randrange(2 if kind == MOTION else 256)
    x_px, y_px = (luck.randrange(-32768, 32768) for _ in range(2))
    return Event(kind, detail, luck.randrange(2**32), x_px, y_px)


@pytest.fixture
def luck():
    return random.Random(3)


def test_every_field_is_what_python_xlib_wrote(luck):
    wanted = [made(luck) for _ in range(300)]
    data = b"".join(encoded(one, by_a_program=luck.random() < 0.5) for one in wanted)
    assert feed(Stream(), reply(0, data)) == wanted


def test_split_at_every_byte_and_never_kept(luck):
    wanted = [made(luck) for _ in range(4)]
    keys = [encoded(one) for one in wanted]
    data = b"".join(
        [reply(4, server_ms=77), reply(0, keys[0]), MAPPING_NOTIFY, reply(0, b"".join(keys[1:]))]
    )
    for cut in range(len(data) + 1):
        stream = Stream()
        assert feed(stream, data[:cut]) + feed(stream, data[cut:]) == wanted
        assert stream.began_ms == 77
        assert stream.is_remapped
        assert not any(stream._buffer)


def test_one_byte_at_a_time(luck):
    wanted = [made(luck) for _ in range(3)]
    stream, found = Stream(), []
    for byte in reply(4) + b"".join(reply(0, encoded(one)) for one in wanted):
        found += feed(stream, bytes([byte]))
    assert found == wanted


def test_a_bug_in_whoever_takes_an_event_leaves_nothing_of_the_others():
    stream = Stream()
    data = reply(
        0, encoded(Event(KEY_PRESS, 24, 1, 0, 0)) + encoded(Event(KEY_RELEASE, 24, 2, 0, 0))
    )
    stream.room[: len(data)] = data
    events = stream.took(len(data))
    next(events)
    events.close()
    assert not any(stream._buffer)


def test_what_was_not_asked_for_is_passed_over():
    expose, generic = bytes([12]) + bytes(31), struct.pack("=BBHI24x", 35, 0, 0, 2) + bytes(8)
    click = Event(BUTTON_PRESS, 1, 5, 6, 7)
    inside = bytes([12]) + bytes(31) + encoded(click)
    assert feed(Stream(), expose + generic + reply(0, inside) + reply(1)) == [click]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes([0, 11]) + bytes(30), "refuses to tell .error 11."),
        (reply(5), "ended the recording"),
        (struct.pack("=BBHI24x", 1, 0, 0, 2**30), "what is no recording"),
    ],
    ids=["refused", "ended", "too much"],
)
def test_a_server_that_does_not_record_is_one_clear_line(data, words):
    with pytest.raises(DeviceError, match=words):
        feed(Stream(), data)


def test_any_bytes_are_events_or_one_error(luck):
    for _ in range(300):
        stream = Stream()
        try:
            for _ in range(5):
                for one in feed(stream, luck.randbytes(luck.randrange(200))):
                    assert KEY_PRESS <= one.kind <= MOTION
        except DeviceError:
            pass
