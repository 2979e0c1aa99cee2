"""One session with a board: bytes in, events out, and what to write to it; pure.

The caller reads and writes the port and says what time it is. Defined in
hardware.md, *What a host does*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from firmware_bridge.protocol import framing, messages
from firmware_bridge.protocol.clock import TickClock
from firmware_bridge.protocol.counting import Counting
from firmware_bridge.protocol.described import DescribedBoard, UndescribedError
from firmware_bridge.protocol.events import Event
from firmware_bridge.protocol.framing import Deframer, Frame, Refused
from firmware_bridge.protocol.messages import (
    ContentError,
    FromHost,
    Get,
    Hello,
    HelloRequest,
    Message,
    Samples,
    Set,
    Stream,
    TimeRequest,
)
from firmware_bridge.protocol.sampled import Sampled

HELLO_PAUSES_S = (1.0, 2.0, 4.0)
"""Between two requests for HELLO; the last one goes on. [s]"""

TIME_EVERY_S = 10.0
"""Between two requests for the board's clock. [s]"""

SILENCE_S = 10.0
"""A board that says nothing for so long is lost. [s]"""

_OF_HOST = frozenset({HelloRequest.TYPE, TimeRequest.TYPE, Set.TYPE, Get.TYPE})
_LATER: Any = None  # in the place of an event until all samples of the read are computed
_OPEN_REQUESTS = 4  # time requests still waited for; older ones were lost


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the frames.

    Parameters
    ----------
    frames : int
        Whole ones: right check sum, this version, any type.
    refused : Refused
        What was none, by reason.
    lost, repeated, late, stale : int
        As in :class:`~firmware_bridge.protocol.counting.Counting`. A refused
        frame is lost, too.
    unknown : int
        Of a type that only later versions have.
    echoed : int
        Of a type that only a host sends: our own, come back.
    content : int
        Payloads that are too short or say something impossible.
    undescribed : int
        Dropped: its HELLO or STREAM has not come since the board's last start.
    restarts : int
        Starts of the board after the first.
    """

    frames: int = 0
    refused: Refused = field(default_factory=Refused)
    lost: int = 0
    repeated: int = 0
    late: int = 0
    stale: int = 0
    unknown: int = 0
    echoed: int = 0
    content: int = 0
    undescribed: int = 0
    restarts: int = 0


class Session:
    """What one board says, from the opening of its port to its closing.

    Parameters
    ----------
    start : int
        First counter and token of ours. A random one keeps apart the answers
        to an earlier session.

    Attributes
    ----------
    heard_s : float or None
        When a whole frame of the board's last arrived. [s]
    """

    def __init__(self, start: int = 0) -> None:
        self.heard_s: float | None = None
        self._deframer = Deframer()
        self._counting = Counting()
        self._board = DescribedBoard(lambda token: self._open.pop(token, None))
        self._frames = self._unknown = self._echoed = self._content = self._undescribed = 0
        self._stale = 0  # frames, as counted when last looked at
        self._counter = start & 0xFFFF
        self._token = start & 0xFFFF_FFFF
        self._asks = True  # for HELLO
        self._asking = 0  # requests for it so far, since it last came
        self._ask_at_s = float("-inf")
        self._time_at_s = float("-inf")
        self._open: dict[int, float] = {}  # token -> when it was asked for [s]

    @property
    def hello(self) -> Hello | None:
        """Who is there, once it has said so."""
        return self._board.hello

    @property
    def streams(self) -> Mapping[int, Stream]:
        """What it measures, by number; those described since its last start."""
        return MappingProxyType(self._board.streams)

    @property
    def clock(self) -> TickClock:
        """Its clock since its last start; of no meaning before :attr:`hello`."""
        return self._board.clock

    @property
    def counts(self) -> Counts:
        """What became of the frames so far."""
        seen = self._counting
        return Counts(
            frames=self._frames,
            refused=replace(self._deframer.refused),
            lost=seen.lost,
            repeated=seen.repeated,
            late=seen.late,
            stale=seen.stale,
            unknown=self._unknown,
            echoed=self._echoed,
            content=self._content,
            undescribed=self._undescribed,
            restarts=self._board.restarts,
        )

    @property
    def is_whole(self) -> bool:
        """Whether HELLO and all the streams it announces have come."""
        return self._board.is_whole

    def reopened(self) -> None:
        """Take that the port was opened again: who is there is asked anew.

        A frame that was cut off is none.
        """
        self._deframer.rejoin()
        self._asks, self._asking, self._ask_at_s = True, 0, float("-inf")
        self._open.clear()

    # From the board.

    def feed(self, data: bytes, now_s: float) -> list[Event]:
        """Return what `data`, which arrived at `now_s`, says; oldest first.

        Parameters
        ----------
        data : bytes
            However the stream is cut into pieces, the events are the same.
        now_s : float
            On the host's clock, which never goes back. [s]
        """
        events: list[Event] = []
        sampled = Sampled()
        frames = self._deframer.fields(data)
        self._frames += len(frames)
        for kind, counter, payload in frames:
            if kind != Samples.TYPE:
                events += self._take(kind, counter, payload, now_s)
            elif self._sample(counter, payload, now_s, sampled, len(events)):
                events.append(_LATER)
        sampled.put_into(events)
        return events

    def _sample(
        self, counter: int, payload: bytes, now_s: float, into: Sampled, place: int
    ) -> bool:
        """Return whether this one of SAMPLES gives an event; most frames are of these."""
        self.heard_s = now_s
        if not self._counting.take(counter):
            return self._not_taken()
        try:
            self._board.sample(payload, now_s, into, place)
        except ContentError:
            self._content += 1
        except UndescribedError:
            self._undescribed += 1
        else:
            return True
        return False

    def _take(self, kind: int, counter: int, payload: bytes, now_s: float) -> list[Event]:
        if kind in _OF_HOST:
            self._echoed += 1  # its counter is ours, and it says nothing about the board
            return []
        self.heard_s = now_s
        message: Message | None = None
        try:
            message = messages.unpack(kind, payload)
            self._unknown += message is None
        except ContentError:
            self._content += 1
        is_taken = self._is_counted(counter, message)
        if message is None or not is_taken:
            return []
        try:
            events = self._board.take(message, now_s)  # type: ignore[arg-type]  # not a host's
        except ContentError:
            self._content += 1
            return []
        except UndescribedError:
            self._undescribed += 1
            return []
        if isinstance(message, Hello):
            self._asks, self._asking, self._ask_at_s = False, 0, now_s + HELLO_PAUSES_S[0]
        return events

    def _is_counted(self, counter: int, message: object) -> bool:
        """Return whether the frame is to be taken."""
        counting = self._counting
        # HELLO says where the counter stands now, after a start or a long silence.
        if isinstance(message, Hello) and (
            self._board.is_another_start(message) or not counting.is_near(counter)
        ):
            counting.begin(counter)
            return True
        return counting.take(counter) or self._not_taken()

    def _not_taken(self) -> bool:
        """Return False; ask who is there if the frame was stale."""
        stale, self._stale = self._stale, self._counting.stale
        self._asks = self._asks or self._stale > stale
        return False

    # To the board.

    def due(self, now_s: float) -> bytes:
        """Return what to write to the board at `now_s`; nothing, most of the time.

        What it returns must be written at once: round trips are measured from here.
        """
        data = b""
        if (self._asks or not self._board.is_whole) and now_s >= self._ask_at_s:
            pause_s = HELLO_PAUSES_S[min(self._asking, len(HELLO_PAUSES_S) - 1)]
            self._asking += 1
            self._ask_at_s = now_s + pause_s
            # The zero ends what another program, or we before, may have begun.
            data += b"\0" + self.request(HelloRequest())[0]
        if self._board.is_whole and now_s >= self._time_at_s:
            self._time_at_s = now_s + TIME_EVERY_S
            self._token = self._token + 1 & 0xFFFF_FFFF
            self._open[self._token] = now_s
            while len(self._open) > _OPEN_REQUESTS:
                del self._open[next(iter(self._open))]
            data += self.request(TimeRequest(self._token))[0]
        return data

    def request(self, message: FromHost) -> tuple[bytes, int]:
        """Return `message` as it goes over the wire, and its counter, which the answer names."""
        counter = self._counter
        self._counter = counter + 1 & 0xFFFF
        return framing.encode(Frame(message.TYPE, counter, message.pack())), counter
