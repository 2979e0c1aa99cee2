"""What a board says as readings, link changes and notes for the edge; pure.

Only what the catalogue knows goes on, and only while it is to be believed:
not without contact, not during a fault. Raw waveforms end here: of the pulse
its beats go on, of acceleration one figure per second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from firmware_bridge.protocol.events import (
    Beaten,
    Described,
    Event,
    Faulted,
    Measured,
    Powered,
    Restarted,
    Touched,
)
from firmware_bridge.protocol.messages import Hello, Part, Stream
from firmware_bridge.protocol.session import Session
from firmware_bridge.readings.movement import Movement
from firmware_bridge.readings.pulse import Beat, PulseStream
from firmware_bridge.readings.wearing import Wearing
from sensors.collector import Link, Note, Reading
from sensors.heart_rate.details import LOW_PERCENT, BatteryWatch, Details, describe, parse_text
from sensors.signals import SIGNALS, Channel
from sensors.spoken import say

PPG, ACC = "ppg", "acc_g"

RAW = {PPG: ("1", (1,)), ACC: ("g", (1, 3))}
"""Raw waveforms a board may stream: unit and widths, as in hardware.md."""

CHANNELS = (Channel.HEART, Channel.MODULES)
"""What a board can measure; keys, pointer and voice have their own collectors."""

Item = Reading | Link | Note


def channel_of(stream: Stream) -> Channel | None:
    """Return what `stream` belongs to; None if its signal, unit or width is not ours."""
    raw = RAW.get(stream.signal)
    if raw is not None:
        unit, widths = raw
        fits = stream.unit == unit and stream.width in widths
        return (Channel.HEART if stream.signal == PPG else Channel.MODULES) if fits else None
    signal = SIGNALS.get(stream.signal)
    if signal is None or (signal.channel is not Channel.MODULES and signal.name != "hr_bpm"):
        return None
    return signal.channel if stream.unit == signal.unit and stream.width == 1 else None


class Readings:
    """Turns the events of one session into what a collector yields.

    Parameters
    ----------
    channels : iterable of Channel
        Only these are read; others are not even looked at.
    where : str
        Where the board is plugged in, for the agent's status.

    Attributes
    ----------
    out_of_range : int
        Values outside the catalogue's range; refused, never clipped.
    withheld : int
        Values not believed: no contact, or a fault.
    unsuited : dict
        Streams that are not read, by number: their signal, unit or width is
        none of ours.
    """

    def __init__(self, channels: Iterable[Channel] = CHANNELS, where: str = "serial") -> None:
        self.out_of_range = 0
        self.withheld = 0
        self.unsuited: dict[int, Stream] = {}
        self._channels = frozenset(channels)
        self._where = where
        self._hello: Hello | None = None
        self._streams: dict[int, Stream] = {}
        self._pulses: dict[int, PulseStream] = {}
        self._movements: dict[int, Movement] = {}
        self._wearing = Wearing()
        self._battery = BatteryWatch()
        self._percent: int | None = None

    def take(self, event: Event) -> list[Item]:
        """Return what `event` is for the edge, link changes first."""
        items: Iterable[Item] = ()
        match event:
            case Described():
                items = self._described(event)
            case Restarted():
                self._pulses, self._movements, self._streams = {}, {}, {}
                self._wearing.restart()
            # A stream described anew counts from the next whole description on.
            case Measured() if self._streams.get(event.stream.stream) == event.stream:
                items = self._measured(event)
            case Beaten() if Channel.HEART in self._channels:
                items = self._beaten(event)
            case Touched():
                self._wearing.touch(event.part, event.on)
                items = [*self._links(), *self._contact(event)]
            case Faulted(fault, _, heard_s):
                self._wearing.fault(fault.code, fault.stream, heard_s, active=fault.active)
                items = self._links()
            case Powered(battery):
                items = self._powered(battery.percent, charging=battery.charging == 1)
        return list(items)

    @property
    def faults(self) -> frozenset[tuple[int, int]]:
        """Code and stream of each fault that lasts."""
        return self._wearing.faults

    def quiet(self, now_s: float) -> list[Item]:
        """Return link changes for what is not said any more: values of a channel, or a fault.

        Parameters
        ----------
        now_s : float
            On the host's clock. [s]
        """
        self._wearing.look(now_s)
        return list(self._links())

    # Who it is.

    def _described(self, event: Described) -> list[Item]:
        notes: list[Item] = []
        for number, stream in event.streams.items():
            if self._streams.get(number) == stream or self.unsuited.get(number) == stream:
                continue
            self._forget(number)
            channel = channel_of(stream)
            if channel is None:
                self.unsuited[number] = stream
                notes.append(Note(_unsuited(stream)))
            elif channel in self._channels:
                self._add(number, stream, channel)
        for number in self._streams.keys() - event.streams.keys():
            self._forget(number)
        self._hello = event.hello
        return [*self._links(), *notes, Note(device=self._device())]

    def _add(self, number: int, stream: Stream, channel: Channel) -> None:
        self._streams[number] = stream
        self._wearing.add(number, stream.signal, channel)
        if stream.signal == PPG:
            self._pulses[number] = PulseStream(stream.rate_mhz / 1000.0)
        elif stream.signal == ACC:
            self._movements[number] = Movement()

    def _forget(self, number: int) -> None:
        for known in (self._streams, self._pulses, self._movements, self.unsuited):
            known.pop(number, None)
        self._wearing.remove(number)

    def _device(self) -> str:
        hello = self._hello
        if hello is None:
            return ""
        details = Details(
            *(parse_text(t.encode()) for t in (hello.maker, hello.model, hello.firmware))
        )
        return describe(hello.device_id, self._where, details, self._percent)

    def _powered(self, percent: int, *, charging: bool) -> list[Item]:
        before, self._percent = self._percent, percent if percent <= 100 else self._percent
        # On the charger nobody need be told, and is told when it comes off too early.
        hidden = charging and percent <= LOW_PERCENT
        text = ""
        if not hidden and self._battery.take(bytes((percent,))):
            text = say("headset battery is low: {percent} %").format(percent=percent)
        if not text and self._percent == before:
            return []
        return [Note(text, self._device())]

    # What it measures.

    def _measured(self, event: Measured) -> list[Item]:
        number = event.stream.stream
        self._wearing.hear(number, float(event.at_s[-1]))
        links = list(self._links())
        if not self._wearing.believes(number):
            self.withheld += len(event.values)
            return links
        if number in self._pulses:
            return [*links, *self._pulse(self._pulses[number], event)]
        if number in self._movements:
            return [*links, *self._moved(self._movements[number], event)]
        return [*links, *self._values(event)]

    def _values(self, event: Measured) -> Iterator[Item]:
        signal = event.stream.signal
        for at_s, value in zip(event.at_s.tolist(), event.values[:, 0].tolist(), strict=True):
            if value == value:  # noqa: PLR0124 - NaN: not measured
                yield from self._reading(signal, value, at_s)

    def _moved(self, movement: Movement, event: Measured) -> Iterator[Item]:
        told = any(s.signal == "acc_rms_g" for s in self._streams.values())
        for moved in movement.feed(event.board_s, event.at_s, event.values):
            if not told:  # by the board itself
                yield from self._reading("acc_rms_g", moved.rms_g, moved.at_s)

    def _pulse(self, pulse: PulseStream, event: Measured) -> Iterator[Item]:
        newest = [m.newest.rms_g for m in self._movements.values() if m.newest is not None]
        moved_g = max(newest, default=None)
        for beat in pulse.feed(event.board_s, event.at_s, event.values[:, 0], moved_g):
            yield from self._beat(beat)

    def _beaten(self, event: Beaten) -> list[Item]:
        if self._pulses:
            return []  # a board that streams its pulse sends no beats: ours have a quality
        believed = self._wearing.beat(event.rr_ms)
        links = list(self._links())
        if not believed:
            self.withheld += 1
            return links
        quality = 1.0 if event.quality is None else event.quality
        return [*links, *self._beat(Beat(event.at_s, event.rr_ms, quality))]

    def _beat(self, beat: Beat) -> Iterator[Item]:
        if beat.rr_ms is not None:
            yield from self._reading("rr_ms", beat.rr_ms, beat.at_s, beat.quality)

    def _contact(self, event: Touched) -> Iterator[Item]:
        if event.part is Part.PULSE and Channel.HEART in self._channels:
            yield Reading("contact", float(event.on), event.at_s)

    def _reading(
        self, signal: str, value: float, at_s: float, quality: float = 1.0
    ) -> Iterator[Item]:
        if SIGNALS[signal].accepts(value):
            yield Reading(signal, value, at_s, quality)
        else:
            self.out_of_range += 1

    def _links(self) -> Iterator[Item]:
        for channel, state in self._wearing.changes():
            if channel in self._channels:
                yield Link(channel, state)


def undescribed(session: Session) -> str:
    """Return what to say of a board that said who it is, but not all that it streams."""
    announced = 0 if session.hello is None else session.hello.streams
    return (
        f"describes {len(session.streams)} of the {announced} streams it announces, so none is "
        f"read ({session.counts.content} messages held something impossible); "
        "run: firmware-bridge check"
    )


def _unsuited(stream: Stream) -> str:
    signal, unit = parse_text(stream.signal.encode()), parse_text(stream.unit.encode())
    return (
        f"the board's stream {stream.stream} ({signal!r} in {unit!r}, width {stream.width}) is none "
        "that hardware.md names; it is not read"
    )
