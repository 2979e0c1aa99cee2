"""Lines of line protocol back to points; pure.

Of lines that :class:`analytics.store.line_protocol.Encoder` wrote: a point
comes back equal to the last bit, without what was never written of it.
"""

from __future__ import annotations

import re

from analytics.store.points import FieldValue, Measurement, Point

# In a key or a tag only a comma, a space and an equal sign are escaped; any other backslash is one.
_KEY = rb"((?:[^,= \\]++|\\[,= ]?+)++)"
_TAG = re.compile(rb"," + _KEY + rb"=" + _KEY)
_FIELD = re.compile(_KEY + rb'=("(?:[^"\\]++|\\.)*+"|[^, ]++)', re.DOTALL)
_ESCAPED = re.compile(rb"\\([,= ])")
_ESCAPED_TEXT = re.compile(rb"\\(.)", re.DOTALL)
_YES_OR_NO = {b"true": True, b"True": True, b"false": False, b"False": False}


def point_of(line: bytes) -> Point:
    """Return the point that `line` (without its end) was written from.

    Raises
    ------
    ValueError
        If it is no such line.
    """
    name = re.match(rb"[a-z]+", line)
    if name is None:
        raise ValueError("no line of ours")
    tags, place = {}, name.end()
    while tag := _TAG.match(line, place):
        tags[_plain(tag[1])], place = _plain(tag[2]), tag.end()
    fields: dict[str, FieldValue] = {}
    while field := _FIELD.match(line, place + 1):
        fields[_plain(field[1])], place = _value(field[2]), field.end()
    return Point(Measurement(name[0].decode()), tags, fields, int(line[place:]))


def _plain(written: bytes) -> str:
    if b"\\" in written:
        written = _ESCAPED.sub(rb"\1", written)
    return written.decode()


def _value(written: bytes) -> FieldValue:
    if written[:1] == b'"':
        return _ESCAPED_TEXT.sub(rb"\1", written[1:-1]).decode()
    known = _YES_OR_NO.get(written)
    if known is not None:
        return known
    return int(written[:-1]) if written[-1:] == b"i" else float(written)
