"""What is on the other end of a serial port: asked, listened to, and recognised; pure.

A port is asked who is there, as the protocol has it. Who does not answer may
still print lines, send something else, or be silent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from firmware_bridge.bench.watching import printable
from firmware_bridge.protocol.framing import Refused
from firmware_bridge.protocol.session import Session

SHOWN_CHARS = 40
"""Of a line that is shown. [characters]"""

_KEPT_BYTES = 4_096
_LINE = re.compile(rb"[\r\n]+")
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\s*")
_READABLE_SHARE = 0.9  # of the bytes, from where on it is text; a boot loader's noise is in front

Kind = Literal["board", "lines", "other version", "noise", "silent", "unusable"]


@dataclass(frozen=True, slots=True)
class Recognised:
    """Who is there.

    Parameters
    ----------
    port : str
    kind : str
        ``board`` speaks our protocol, ``lines`` prints text, ``other version``
        speaks the protocol in a version that is not read here, ``noise`` sends
        bytes that mean nothing here, ``silent`` sends nothing but zeros at
        most, ``unusable`` could not be opened.
    maker, model, firmware, device_id : str
        Of a board.
    signals : tuple of str
        Of a board.
    line : str
        The newest whole line, shortened.
    columns : int
        Numbers in that line; 0 where it holds something else.
    fault : str
        Why the port is unusable.
    plugged : str
        What the system knows about the device.
    """

    port: str
    kind: Kind
    maker: str = ""
    model: str = ""
    firmware: str = ""
    device_id: str = ""
    signals: tuple[str, ...] = ()
    line: str = ""
    columns: int = 0
    fault: str = ""
    plugged: str = ""

    def words(self) -> str:
        """Return it as a person reads it, with what to do next."""
        if self.kind == "board":
            named = f"{self.maker} {self.model}, firmware {self.firmware}"
            told = f", device id {self.device_id}" if self.device_id else ", no device id yet"
            return f"{named}{told}: {', '.join(self.signals) or 'no streams'}"
        if self.kind == "lines":
            hint = f"; try: --csv with {self.columns} columns" if self.columns else ""
            return f"prints lines like {self.line!r}{hint}"
        return {
            "other version": "speaks our protocol in another version; update this program",
            "noise": "sends bytes that mean nothing here; another --baud, or its own protocol",
            "silent": "silent; is it running, and wired to this port?",
            "unusable": self.fault,
        }[self.kind]


class Probe:
    """Asks one port who is there.

    Parameters
    ----------
    port : str
        Its name, for the result.
    """

    def __init__(self, port: str) -> None:
        self._port = port
        self._session = Session()
        self._heard = bytearray()

    def due(self, now_s: float) -> bytes:
        """Return what to send now; may be nothing."""
        return self._session.due(now_s)

    def feed(self, data: bytes, now_s: float) -> None:
        """Take what arrived."""
        self._session.feed(data, now_s)
        self._heard += data
        del self._heard[:-_KEPT_BYTES]

    @property
    def is_done(self) -> bool:
        """Whether the board has said all about itself."""
        hello = self._session.hello
        return hello is not None and len(self._session.streams) >= hello.streams

    def result(self) -> Recognised:
        """Return who is there, as far as is known."""
        hello = self._session.hello
        if hello is not None:
            streams = self._session.streams
            return Recognised(
                self._port,
                "board",
                printable(hello.maker),
                printable(hello.model),
                printable(hello.firmware),
                printable(hello.device_id),
                tuple(printable(streams[number].signal) for number in sorted(streams)),
            )
        return self._recognised_otherwise(self._session.counts.refused)

    def _recognised_otherwise(self, refused: Refused) -> Recognised:
        if refused.version:
            return Recognised(self._port, "other version")
        line = newest_line(bytes(self._heard))
        if line:
            return Recognised(
                self._port, "lines", line=line[:SHOWN_CHARS], columns=_columns_of(line)
            )
        # Zeros alone say nothing: one is sent at power-up, and a line held low reads as many.
        return Recognised(self._port, "noise" if any(self._heard) else "silent")


def newest_line(heard: bytes) -> str:
    r"""Return the newest whole line of text; empty where `heard` is no text.

    Examples
    --------
    >>> newest_line(b"4\r\n3.42,33.1\r\n3.4")
    '3.42,33.1'
    >>> newest_line(bytes(range(128, 200)))
    ''
    """
    readable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in heard)
    if readable < _READABLE_SHARE * len(heard):
        return ""
    whole = [line for line in _LINE.split(heard)[:-1] if line.strip()]
    if not whole:
        return ""
    text = whole[-1].decode("ascii", errors="replace")
    return printable(text)


def _columns_of(line: str) -> int:
    cells = line.split(",")
    return len(cells) if all(_NUMBER.fullmatch(cell) for cell in cells) else 0
