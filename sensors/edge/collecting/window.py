"""The running window of the edge. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sensors.collector import Reading
from sensors.messages import Absence, Section
from sensors.reduction import Content, Gathered, reduce_channel
from sensors.signals import SIGNALS, Channel

LinkState = Literal["ok"] | Absence

_NOT_ABOUT_THE_AGENT = (Absence.NOT_WORN, Absence.POOR)
"""What a device in such a state says is not about the agent."""


class Assembler:
    """Gathers the readings of the running window, channel by channel.

    Parameters
    ----------
    channels : iterable of Channel
        The channels this edge has a collector for; others never appear.
    """

    def __init__(self, channels: Iterable[Channel]) -> None:
        self.channels = tuple(channel for channel in Channel if channel in frozenset(channels))
        self.rejected = 0  # values refused since the start, for the status line
        self._gathered: dict[Channel, Gathered] = {}
        self._links: dict[Channel, dict[str, LinkState]] = {c: {} for c in self.channels}
        self._spoke: set[Channel] = set()  # gave a reading without a word about its device
        self._withheld: set[Channel] = set()
        self._was_withheld: set[Channel] = set()

    @property
    def links(self) -> dict[Channel, LinkState]:
        """The state of each channel's device; withheld says nothing about the device (T7)."""
        return {
            channel: Absence.WITHHELD if channel in self._withheld else self._link(channel)
            for channel in self.channels
        }

    def _link(self, channel: Channel) -> LinkState:
        """Return the state of the channel's devices.

        One that works is enough, but where one is not worn or poor nothing is
        taken: it cannot be told which of the values are its own.
        """
        states = list(self._links[channel].values())
        for state in _NOT_ABOUT_THE_AGENT:
            if state in states:
                return state
        if "ok" in states or (not states and channel in self._spoke):
            return "ok"
        return states[-1] if states else Absence.DISCONNECTED

    def withhold(self, channels: Iterable[Channel]) -> None:
        """Set which channels are withheld from now on; what they gave so far is forgotten.

        A window that was withheld in part is withheld as a whole.
        """
        self._withheld = set(channels) & set(self.channels)
        self._was_withheld |= self._withheld
        for channel in self._withheld:
            self._gathered.pop(channel, None)
            self._links[channel].clear()
            self._spoke.discard(channel)

    def link(self, channel: Channel, state: LinkState, collector: str = "") -> None:
        """Take a change of the state of `collector`'s device.

        A channel may have several, such as a skin sensor and a radar: that one
        is gone says nothing about the other.
        """
        if channel in self._links and channel not in self._withheld:
            self._links[channel].pop(collector, None)  # the newest stands last
            self._links[channel][collector] = state

    def add(self, reading: Reading) -> None:
        """Take a reading; one of a withheld or unknown channel leaves no trace."""
        signal = SIGNALS.get(reading.signal)
        if signal is None or signal.reduces is not None or signal.channel not in self._links:
            self.rejected += 1
            return
        channel = signal.channel
        if channel in self._withheld:
            return
        self._spoke.add(channel)  # a device that speaks is there
        gathered = self._gathered.setdefault(channel, Gathered())
        if not gathered.add(signal, reading.value, reading.at_monotonic_s, reading.quality):
            self.rejected += 1

    def close(self, end_monotonic_s: float) -> Content:
        """Return the window that ends now and begin the next one."""
        sections: dict[Channel, Section] = {}
        absent: dict[Channel, Absence] = {}
        for channel in self.channels:
            if channel in self._was_withheld:
                absent[channel] = Absence.WITHHELD
                continue
            found = self._judge(channel, end_monotonic_s)
            if isinstance(found, Absence):
                absent[channel] = found
            else:
                sections[channel] = found
        self.forget()
        return Content(sections, absent)

    def forget(self) -> None:
        """Begin a new window without the readings of the running one (the machine slept)."""
        self._gathered = {}
        self._was_withheld = set(self._withheld)

    def _judge(self, channel: Channel, end_monotonic_s: float) -> Section | Absence:
        link = self._link(channel)
        gathered = self._gathered.get(channel)
        if link in _NOT_ABOUT_THE_AGENT:
            return Absence(link)
        if link != "ok" and gathered is None:
            return Absence(link)
        return reduce_channel(channel, gathered, end_monotonic_s)
