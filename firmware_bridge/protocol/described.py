"""From a board's messages to events: what it is, what it measures, and when; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firmware_bridge.protocol.clock import TickClock
from firmware_bridge.protocol.events import (
    Answered,
    Beaten,
    Described,
    Event,
    Faulted,
    Measured,
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
            case _:
                return self._timed(message, now_s)

    def _timed(
        self, message: Samples | Beats | Contact | Fault | Time, now_s: float
    ) -> list[Event]:
        match message:
            case Samples():
                return [self._samples(message, now_s)]
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
        self.clock.heard(self.clock.unwrap(hello.now), now_s)
        return events + self._tell()

    def _stream(self, stream: Stream, hello: Hello) -> list[Event]:
        if stream.stream >= hello.streams:
            raise ContentError(f"stream {stream.stream} of {hello.streams}")
        self.streams[stream.stream] = stream
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

    def _samples(self, samples: Samples, now_s: float) -> Measured:
        stream = self.streams.get(samples.stream)
        if stream is None:
            raise UndescribedError
        values = stream.values(samples)
        span = (samples.count - 1) * samples.step
        if span >= _HALF_WRAP:
            raise ContentError(f"step is {samples.step}")
        clock = self.clock
        last = clock.unwrap(samples.first + span)
        clock.heard(last, now_s)
        ticks = last - span + np.arange(samples.count) * samples.step
        board_s = clock.board_s(ticks)
        return Measured(stream, clock.host_s(board_s), values, board_s)

    def _beats(self, beats: Beats, now_s: float) -> list[Event]:
        clock = self.clock
        unwrapped = [clock.unwrap(beat.at) for beat in beats.beats]
        clock.heard(max(unwrapped), now_s)
        return [
            Beaten(
                at_s=clock.host_s(clock.board_s(at)),
                rr_ms=beat.interval / 10.0 if beat.interval else None,
                quality=None if beat.quality == UNKNOWN else beat.quality / 100.0,
                board_s=clock.board_s(at),
            )
            for at, beat in zip(unwrapped, beats.beats, strict=True)
        ]

    def _past_s(self, ticks: int, now_s: float) -> float:
        # The time of a change may lie further back than ticks can tell; never in the future.
        return min(now_s, self.clock.to_host_s(ticks))

    def _time(self, time: Time, now_s: float) -> None:
        asked_s = self._answered(time.token)
        if asked_s is not None:
            clock = self.clock
            clock.answered(asked_s, clock.unwrap(time.received), clock.unwrap(time.sent), now_s)
