import random
import sys

import pytest

from sensors.hid.xrecord import EventParser, ReplyParser

rq = pytest.importorskip("Xlib.protocol.rq", reason="python-xlib comes with pynput on Linux only")
from Xlib.ext import record  # noqa: E402 - after the check that it is there
from Xlib.protocol import display, event  # noqa: E402

THEIR_REPLY = record.EnableContext._reply

NAMES = ("type", "detail", "time", "root_x", "root_y", "state", "send_event")


class _Display:
    """As much of a connection as python-xlib needs to read an event."""

    event_classes = display.Display.event_classes.copy()

    def get_resource_class(self, _name, default=None):
        return default


def made(kind, luck):
    known = {2: event.KeyPress, 3: event.KeyRelease, 4: event.ButtonPress, 5: event.ButtonRelease}
    return known.get(kind, event.MotionNotify)(
        detail=luck.randrange(256) if kind != 6 else luck.randrange(2),
        time=luck.randrange(2**32),
        root=luck.randrange(2**29),
        window=luck.randrange(2**29),
        child=0,
        root_x=luck.randrange(-32768, 32768),
        root_y=luck.randrange(-32768, 32768),
        event_x=0,
        event_y=0,
        state=luck.randrange(2**13),
        same_screen=1,
    )._binary


@pytest.mark.parametrize("kind", range(2, 7))
def test_every_field_is_what_python_xlib_reads(kind):
    theirs = rq.EventField(None)
    ours = EventParser(theirs)
    luck = random.Random(kind)
    for _ in range(50):
        data = bytearray(made(kind, luck) + b"the next event")
        if luck.random() < 0.5:
            data[0] |= 0x80  # sent by a program
        expected, rest = theirs.parse_binary_value(bytes(data), _Display(), None, None)
        found, after = ours.parse_binary_value(bytes(data), _Display(), None, None)
        for name in NAMES:
            assert int(getattr(found, name)) == int(getattr(expected, name)), name
        assert after == rest == b"the next event"


def test_other_events_are_left_to_python_xlib():
    data = bytearray(32)
    data[0] = 12  # Expose
    found, _ = EventParser(rq.EventField(None)).parse_binary_value(
        bytes(data), _Display(), None, None
    )
    assert isinstance(found, event.Expose)


@pytest.mark.parametrize("words", [0, 8, 16])
def test_a_reply_is_what_python_xlib_reads(words):
    data = random.Random(words).randbytes(32 + 4 * words)
    data = data[:4] + words.to_bytes(4, sys.byteorder) + data[8:]
    expected, _ = THEIR_REPLY.parse_binary(data, _Display())
    found, rest = ReplyParser().parse_binary(data + b"the next", _Display())
    assert found == (expected.category, expected.sequence_number, expected.data)
    assert rest == b"the next"
