"""Messages of the serial protocol by their type, in both directions; pure.

Defined in hardware.md, *Messages*.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_bridge.protocol.fields import MAX_FAULT_TEXT, MAX_LOG, MAX_STR, ContentError
from firmware_bridge.protocol.from_board import (
    UNKNOWN,
    WHOLE_BOARD,
    Battery,
    Beat,
    Beats,
    Contact,
    Fault,
    FaultCode,
    Hello,
    Key,
    Log,
    Part,
    Setting,
    Status,
    Time,
)
from firmware_bridge.protocol.from_host import Get, HelloRequest, Set, TimeRequest
from firmware_bridge.protocol.streams import MAX_STREAMS, Encoding, Samples, Stream

__all__ = [
    "MAX_FAULT_TEXT", "MAX_LOG", "MAX_STR", "MAX_STREAMS", "UNKNOWN", "WHOLE_BOARD",
    "Battery", "Beat", "Beats", "Contact", "ContentError", "Encoding", "Fault", "FaultCode",
    "FromBoard", "FromHost", "Get", "Hello", "HelloRequest", "Key", "Log", "Message", "Part",
    "Samples", "Set", "Setting", "Status", "Stream", "Time", "TimeRequest", "unpack",
]  # fmt: skip

FromBoard = Hello | Stream | Samples | Beats | Contact | Battery | Log | Fault | Time | Setting
FromHost = HelloRequest | TimeRequest | Set | Get
Message = FromBoard | FromHost

_UNPACK: dict[int, Callable[[bytes], Message]] = {
    kind.TYPE: kind.unpack
    for kind in (
        Hello, Stream, Samples, Beats, Contact, Battery, Log, Fault, Time, Setting,
        HelloRequest, TimeRequest, Set, Get,
    )
}  # fmt: skip


def unpack(kind: int, payload: bytes) -> Message | None:
    """Return the message of type `kind`; None for a type of a later version.

    Raises
    ------
    ContentError
        If the payload is shorter than its fields or says something impossible.
    """
    known = _UNPACK.get(kind)
    return None if known is None else known(payload)
