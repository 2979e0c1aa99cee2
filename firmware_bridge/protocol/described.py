"""From a board's messages to events: what it is, what it measures, and when; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from firmware_bridge.protocol.clock import TickClock
from firmware_bridge.protocol.events import (
    Answered,
    Beaten,
    Described,
    Event,
    Faulted,
    Powered,
    Restarted,
    Said,
    Touched,
)
from firmware_bridge.protocol.messages import (
    UNKNOWN,
    Battery,
    Beats,
    Contact,
    ContentError,
    Fault,
    FromBoard,
    Hello,
    Log,
    Samples,
    Setting,
    Stream,
    Time,
)
from firmware_bridge.protocol.sampled import Rows, Sampled

_HALF_WRAP = 1 << 31


class UndescribedError(ValueError):
    """A message that means nothing before its HELLO or STREAM has come."""


class DescribedBoard:
    """What is known about a board since it last started.

    Parameters
    ----------
    answered : callable
        Told the token of a TIME; returns when it was asked for [s], or None
        if it was not, or long ago.

    Attributes
    ----------
    hello : Hello or None
    streams : dict
        By number.
    clock : TickClock
        Of no meaning before `hello`.
    restarts : int
        Starts after the first.
    """

    def __init__(self, answered: Callable[[int], float | None]) -> None:
        self.hello: Hello | None = None
        self.streams: dict[int, Stream] = {}
        self.clock = TickClock(1_000)
        self.restarts = 0
        self._answered = answered
        self._sample_bytes: dict[int, int] = {}  # of each stream; worked out once
        self._told: Described | None = None

    @property
    def is_whole(self) -> bool:
        """Whether HELLO and all its streams have come."""
        return self.hello is not None and len(self.streams) >= self.hello.streams

    def is_another_start(self, hello: Hello) -> bool:
        """Return whether `hello` is of another start than what is known."""
        known = self.hello
        return known is not None and (known.boot, known.tick_hz) != (hello.boot, hello.tick_hz)

    def take(self, message: FromBoard, now_s: float) -> list[Event]:
        """Return what `message`, which arrived at `now_s` on the host's clock, means.

        SAMPLES go to :meth:`sample`.

        Raises
        ------
        UndescribedError
            If it means nothing yet.
        ContentError
            If it contradicts its description.
        """
        match message:
            case Hello():
                return self._hello(message, now_s)
            case Log():
                return [Said(message)]
            case Setting():
                return [Answered(message)]
            case Battery():
                return [Powered(message)]
            case _ if self.hello is None:
                raise UndescribedError
            case Stream():
                return self._stream(message, self.hello)
            case Samples():
                raise TypeError("samples are taken by `sample`")
            case _:
                return self._timed(message, now_s)

    def _timed(self, message: Beats | Contact | Fault | Time, now_s: float) -> list[Event]:
        match message:
            case Beats():
                return self._beats(message, now_s)
            case Contact():
                return [Touched(message.part, message.on, self._past_s(message.at, now_s))]
            case Fault():
                return [Faulted(message, self._past_s(message.at, now_s), now_s)]
            case Time():
                self._time(message, now_s)
                return []

    def _hello(self, hello: Hello, now_s: float) -> list[Event]:
        events: list[Event] = []
        if self.hello is None or self.is_another_start(hello):
            if self.hello is not None:
                self.restarts += 1
                events.append(Restarted())
            self.clock = TickClock(hello.tick_hz)
            self.streams, self._told = {}, None
        elif hello.streams != self.hello.streams:
            self.streams = {n: s for n, s in self.streams.items() if n < hello.streams}
        self.hello = hello
        self.clock.heard(hello.now, now_s)
        return events + self._tell()

    def _stream(self, stream: Stream, hello: Hello) -> list[Event]:
        if stream.stream >= hello.streams:
            raise ContentError(f"stream {stream.stream} of {hello.streams}")
        self.streams[stream.stream] = stream
        self._sample_bytes[stream.stream] = stream.sample_bytes
        return self._tell()

    def _tell(self) -> list[Event]:
        """Return the description, once it is whole and whenever it is another one."""
        if self.hello is None or not self.is_whole:
            return []
        # `now` differs in every HELLO and describes nothing.
        told = Described(replace(self.hello, now=0), dict(self.streams))
        if told == self._told:
            return []
        self._told = told
        return [Described(self.hello, dict(self.streams))]

    def sample(self, payload: bytes, now_s: float, into: Sampled, place: int) -> None:
        """Put the SAMPLES of one frame beside those that arrived with it.

        Parameters
        ----------
        payload : bytes
        now_s : float
            When it arrived, on the host's clock. [s]
        into : Sampled
        place : int
            Of its event in order.

        Raises
        ------
        UndescribedError, ContentError
            As :meth:`take`.
        """
        number, count, first, step = Samples.head(payload)
        stream = self.streams.get(number)
        if stream is None:
            raise UndescribedError
        end = Samples.HEAD_BYTES + count * self._sample_bytes[number]
        if len(payload) < end:
            raise ContentError(f"stream {number}: fewer values than {count * stream.width}")
        span = (count - 1) * step
        if span >= _HALF_WRAP:
            raise ContentError(f"step is {step}")
        clock = self.clock
        start = clock.heard(first + span, now_s) - span
        rows = into.rows[number]
        if rows is None or not rows.fits(stream, count, step, clock.line):
            rows = into.begin(number, Rows(stream, count, step, clock.line))
        rows.firsts.append(start)
        rows.raws.append(payload[Samples.HEAD_BYTES : end])
        rows.places.append(place)

    def _beats(self, beats: Beats, now_s: float) -> list[Event]:
        clock = self.clock
        clock.heard(beats.beats[-1].at, now_s)
        events: list[Event] = []
        for beat in beats.beats:
            board_s = clock.board_s(clock.unwrap(beat.at))
            events.append(
                Beaten(
                    at_s=clock.line.host_s(board_s),
                    rr_ms=beat.interval / 10.0 if beat.interval else None,
                    quality=None if beat.quality == UNKNOWN else beat.quality / 100.0,
                    board_s=board_s,
                )
            )
        return events

    def _past_s(self, ticks: int, now_s: float) -> float:
        # The time of a change may lie further back than ticks can tell; never in the future.
        clock = self.clock
        return min(now_s, clock.host_s(clock.board_s(clock.unwrap_past(ticks))))

    def _time(self, time: Time, now_s: float) -> None:
        asked_s = self._answered(time.token)
        if asked_s is not None:
            self.clock.answered(asked_s, time.received, time.sent, now_s)
