"""The running window of the edge: pure, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sensors.collector import Reading
from sensors.messages import Absence, Section
from sensors.reduction import Content, Gathered, reduce_channel
from sensors.signals import SIGNALS, Channel

LinkState = Literal["ok"] | Absence


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
        self._links: dict[Channel, LinkState | None] = dict.fromkeys(self.channels)
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
        return self._links[channel] or Absence.DISCONNECTED

    def withhold(self, channels: Iterable[Channel]) -> None:
        """Set which channels are withheld from now on; what they gave so far is forgotten.

        A window that was withheld in part is withheld as a whole.
        """
        self._withheld = set(channels) & set(self.channels)
        self._was_withheld |= self._withheld
        for channel in self._withheld:
            self._gathered.pop(channel, None)
            self._links[channel] = None

    def link(self, channel: Channel, state: LinkState) -> None:
        """Take a change of a device's state."""
        if channel in self._links and channel not in self._withheld:
            self._links[channel] = state

    def add(self, reading: Reading) -> None:
        """Take a reading; one of a withheld or unknown channel leaves no trace."""
        signal = SIGNALS.get(reading.signal)
        if signal is None or signal.reduces is not None or signal.channel not in self._links:
            self.rejected += 1
            return
        channel = signal.channel
        if channel in self._withheld:
            return
        if self._links[channel] is None:
            self._links[channel] = "ok"  # a device that speaks is there
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
        if link in (Absence.NOT_WORN, Absence.POOR):
            return Absence(link)  # what such a device says is not about the agent
        if link != "ok" and gathered is None:
            return Absence(link)
        return reduce_channel(channel, gathered, end_monotonic_s)
