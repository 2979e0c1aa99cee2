"""Whether what a board measures is to be believed: contact, faults, silence; pure.

One state per channel, told only when it changes. hardware.md, *CONTACT* and
*FAULT*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from firmware_bridge.protocol.messages import WHOLE_BOARD, Part
from sensors.heart_rate.measurement import Measurement
from sensors.heart_rate.wear import WearCheck
from sensors.messages import Absence
from sensors.signals import Channel

ChannelState = Literal["ok"] | Absence

SILENCE_S = 10.0
"""A stream is at most a second late; a channel that says nothing for so long is not there. [s]"""

_ON_SKIN = frozenset({"eda_us", "skin_temp_c"})
"""What the part `SKIN` touches for; the rest of a headset measures as long as it is worn."""

FAULT_S = 25.0
"""A fault that lasts is said again with each HELLO, every 10 s; one unheard of for so long is over. [s]"""

_MOST_FAULTS = 256  # kept at a time; a board has 16 streams and a handful of codes


class Wearing:
    """Follows one board."""

    def __init__(self) -> None:
        self._contact: dict[Part, bool] = {}
        self._faults: dict[tuple[int, int], float] = {}  # (code, stream) -> heard [s], oldest first
        self._streams: dict[int, tuple[str, Channel]] = {}
        self._heard_s: dict[int, float] = {}
        self._silent: set[Channel] = set()
        self._beats = WearCheck()
        self._beaten: ChannelState | None = None  # what its beats say, once there are any
        self._told: dict[Channel, ChannelState] = {}

    def restart(self) -> None:
        """Forget what the board said before it began anew."""
        self._contact, self._faults = {}, {}
        self._streams, self._heard_s = {}, {}

    def add(self, number: int, signal: str, channel: Channel) -> None:
        """Follow stream `number`."""
        self._streams[number] = (signal, channel)

    def remove(self, number: int) -> None:
        """Follow stream `number` no longer."""
        self._streams.pop(number, None)
        self._heard_s.pop(number, None)

    # What happens.

    def touch(self, part: Part, on: bool) -> None:
        """Take that `part` touches skin, or not."""
        self._contact[part] = on

    def fault(self, code: int, stream: int, heard_s: float, *, active: bool) -> None:
        """Take that a fault was heard to begin, last or end at `heard_s` (in s)."""
        self._faults.pop((code, stream), None)
        if active:
            self._faults[code, stream] = heard_s
            if len(self._faults) > _MOST_FAULTS:
                del self._faults[next(iter(self._faults))]

    def hear(self, number: int, at_s: float) -> None:
        """Take that stream `number` gave samples, the newest at `at_s` (in s)."""
        self._heard_s[number] = at_s
        self._silent.discard(self._streams[number][1])

    def beat(self, rr_ms: float | None) -> bool:
        """Take a beat of the board's own finding; return whether it is to be believed."""
        if rr_ms is not None:
            beat = Measurement(0, self._contact.get(Part.PULSE), None, (rr_ms,))
            self._beaten = self._beats.judge(beat)
        elif self._beaten is None:
            self._beaten = "ok"
        return self._state(Channel.HEART) == "ok"

    def look(self, now_s: float) -> None:
        """Notice channels that have fallen silent, and faults that are over, by `now_s` (in s)."""
        self._faults = {one: s for one, s in self._faults.items() if now_s - s <= FAULT_S}
        for channel in {channel for _, channel in self._streams.values()}:
            newest_s = max(
                (
                    self._heard_s[number]
                    for number, (_, of) in self._streams.items()
                    if of is channel and number in self._heard_s
                ),
                default=None,
            )
            if newest_s is not None and now_s - newest_s > SILENCE_S:
                self._silent.add(channel)

    # What follows from it.

    @property
    def faults(self) -> frozenset[tuple[int, int]]:
        """Code and stream of each fault that lasts."""
        return frozenset(self._faults)

    def believes(self, number: int) -> bool:
        """Return whether what stream `number` measures is about the agent."""
        signal, channel = self._streams[number]
        if self._is_faulty(number) or self._state(channel) != "ok":
            return False
        return signal not in _ON_SKIN or self._contact.get(Part.SKIN, True)

    def changes(self) -> Iterator[tuple[Channel, ChannelState]]:
        """Yield channels whose state is another one than told before."""
        heard = {
            channel for number, (_, channel) in self._streams.items() if number in self._heard_s
        }
        if self._beaten is not None:
            heard.add(Channel.HEART)
        for channel in (Channel.HEART, Channel.MODULES):
            state = self._state(channel)
            # `ok` from the first value on; before it nobody knows.
            if self._told.get(channel) != state and (state != "ok" or channel in heard):
                self._told[channel] = state
                yield channel, state

    def _state(self, channel: Channel) -> ChannelState:
        numbers = [n for n, (_, of) in self._streams.items() if of is channel]
        if self._is_faulty(WHOLE_BOARD) or (numbers and all(map(self._is_faulty, numbers))):
            return Absence.FAULT
        if self._is_off(channel):
            return Absence.NOT_WORN
        if channel in self._silent:
            return Absence.DISCONNECTED
        if channel is Channel.HEART and not numbers and self._beaten is not None:
            return self._beaten
        return "ok"

    def _is_off(self, channel: Channel) -> bool:
        pulse, skin = self._contact.get(Part.PULSE), self._contact.get(Part.SKIN)
        if channel is Channel.HEART:
            return pulse is False
        # Loose electrodes on a worn headset leave its other modules as they are.
        return skin is False and not pulse

    def _is_faulty(self, number: int) -> bool:
        return any(stream in (number, WHOLE_BOARD) for _, stream in self._faults)
