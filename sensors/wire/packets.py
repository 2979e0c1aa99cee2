"""MQTT 3.1.1 on the wire, as far as it is read in bulk: bytes in, values out.

Everything else is paho's. What is malformed is nobody's here: paho refuses it.

References
----------
.. [1] MQTT Version 3.1.1, OASIS Standard, 2014: 2.2 fixed header, 3.3 PUBLISH, 3.4 PUBACK.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

_PUBLISH, _PUBACK = 0x30, 0x40
_LONGEST_HEAD = 6  # a byte that says which packet, up to four for its length, and a wrong fifth
_MORE = 0x80  # of a length: another byte follows
_CONFIRMATION = struct.Struct("!BBH")


Confirmed = int
"""Number of the message that the broker has."""


class Published(NamedTuple):
    """A message; `packet_id` is 0 where nobody waits for a confirmation."""

    topic: str
    payload: bytes
    retained: bool
    qos: int
    packet_id: int


def size_of(data: bytes, at: int) -> int:
    """Return how long the packet that begins at `at` is; while that is not known, less. [B].

    Where there is no length, everything is one packet.
    """
    have, length = len(data), 0
    for place in range(at + 1, min(at + _LONGEST_HEAD - 1, have)):
        byte = data[place]
        length |= (byte & 0x7F) << 7 * (place - at - 1)
        if byte < _MORE:
            return place + 1 + length - at
    return max(have - at, _LONGEST_HEAD) if have - at >= _LONGEST_HEAD - 1 else have - at + 1


def end_of(data: bytes, at: int) -> int:
    """Return where the packet that begins at `at` ends; 0 if it is not all there yet."""
    end = at + size_of(data, at)
    return end if end <= len(data) else 0


def parse(data: bytes, at: int, end: int) -> Published | Confirmed | None:
    """Return what the packet from `at` to `end` says.

    Returns
    -------
    Published, Confirmed or None
        ``None`` for every other packet, for QoS 2, and for what is malformed.
    """
    head = data[at]
    if head == _PUBACK and end - at == _CONFIRMATION.size:
        return int.from_bytes(data[at + 2 : end], "big")
    qos = head >> 1 & 3
    if head & 0xF0 != _PUBLISH or qos > 1:
        return None
    at, is_malformed_at = at + 1, at + _LONGEST_HEAD - 2
    while data[at] >= _MORE:
        if at == is_malformed_at:
            return None
        at += 1
    name_at = at + 3
    payload_at = name_end = name_at + int.from_bytes(data[at + 1 : name_at], "big")
    packet_id = 0
    if qos:
        payload_at += 2
        packet_id = int.from_bytes(data[name_end:payload_at], "big")
    if payload_at > end or name_end == name_at:
        return None
    try:
        topic = data[name_at:name_end].decode()
    except UnicodeDecodeError:
        return None
    return Published(topic, data[payload_at:end], bool(head & 1), qos, packet_id)


def confirmations(packet_ids: Iterable[int]) -> bytes:
    """Return the packets that confirm messages of QoS 1, in order."""
    return b"".join([_CONFIRMATION.pack(_PUBACK, 2, number) for number in packet_ids])
