"""Heart rate over Bluetooth LE: the collector.

Finds the headset, connects, listens, and connects again when the link drops
or when the device stays connected but falls silent. What its notifications
mean is decided in :mod:`sensors.heart_rate.session`, how Bluetooth is spoken
to in :mod:`sensors.heart_rate.radio`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from sensors.collector import Clock, Link, Note, Reading
from sensors.errors import DeviceError
from sensors.heart_rate.backoff import Backoff
from sensors.heart_rate.claimed import ClaimFile
from sensors.heart_rate.details import (
    BATTERY_LEVEL,
    FIRMWARE,
    MAKER,
    MODEL,
    BatteryWatch,
    Details,
    describe,
    parse_text,
)
from sensors.heart_rate.radio import HeadsetLink, LinkError, Near, Radio
from sensors.heart_rate.session import HeartSession, has_beat
from sensors.heart_rate.settings import TABLE, HeartRateSettings, from_options
from sensors.heart_rate.watchdog import Watchdog
from sensors.signals import Channel
from sensors.spoken import say

_FIRST_PAUSE_S = 0.25
_MAX_WAITING = 256  # notifications; a minute at the fastest rate seen, 4 Hz
_BATTERY_EVERY_S = 600.0  # on a device that does not tell by itself
_CLAIM_EVERY_S = 5.0  # how soon a new claim is obeyed
_VAIN_S = 60.0  # of searching, after which the agent is told

_Waiting = asyncio.Queue[tuple[bytes, float] | Note | None]


class BleakCollector:
    """Beats of one headset with the standard Heart Rate Service (0x180D).

    Parameters
    ----------
    settings : HeartRateSettings
    radio : Radio or None
        ``None`` takes this machine's Bluetooth.
    random : Random
        Source of the jitter between attempts.

    Attributes
    ----------
    session : HeartSession
        Counts what was malformed or implausible.
    connections : int
        How often a link was made.
    overrun : int
        Notifications dropped because nobody fetched them.
    """

    channels = frozenset({Channel.HEART})

    def __init__(
        self,
        settings: HeartRateSettings,
        *,
        radio: Radio | None = None,
        random: Random | None = None,
    ) -> None:
        self.session = HeartSession()
        self.connections = 0
        self.overrun = 0
        self._untold = 0  # of these
        self._told_unreadable = 0
        self._settings = settings
        self._radio = radio or Radio()
        self._claim = ClaimFile(Path(settings.claim_path)) if settings.claim_path else None
        self._known_address = ""
        self._details: Details | None = None
        self._battery = BatteryWatch()
        self._watchdog = Watchdog(settings.silence_s)
        self._vain_since_s: float | None = None
        self._backoff = Backoff(_FIRST_PAUSE_S, settings.backoff_cap_s, random or Random())  # noqa: S311 - spreads load, hides nothing

    @property
    def hung_calls(self) -> int:
        """How many calls into Bluetooth never came back and were left behind."""
        return self._radio.hung_calls

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link | Note]:
        """Yield readings for as long as it is read; reconnects by itself.

        Raises
        ------
        DeviceError
            If Bluetooth cannot be used at all, several headsets fit, or the
            headset cannot be paired and must be.
        """
        while True:
            near = await self._find()
            if near is None:
                if note := self._in_vain():
                    yield note
            else:
                async with aclosing(self._listen(near, clock)) as found:
                    try:
                        async for item in found:
                            yield item
                    except LinkError:
                        pass  # said below, as a link change
                lost = self.session.disconnected()
                if lost is not None:
                    yield lost
            await asyncio.sleep(self._backoff.next_s())

    # Which headset.

    def _address(self) -> str:
        """Return the address of the agent's headset; empty while it is not known."""
        if self._settings.address:
            return self._settings.address
        claimed = self._claim.load() if self._claim else None
        # Two devices of one name may be near later: the one read first is ours.
        return claimed.address if claimed else self._known_address

    async def _find(self) -> Near | None:
        """Look around once and return the headset, if it is there."""
        address = self._address().casefold()

        def fits(near: Near) -> bool:
            if address:
                return near.address.casefold() == address
            if self._settings.name:
                return self._settings.name in near.names
            return near.has_heart_rate

        fitting = await self._radio.look(fits, self._settings.scan_s, first=bool(address))
        if len(fitting) > 1:
            shown = ", ".join(f"{n.name or 'unnamed'} ({a})" for a, n in sorted(fitting.items()))
            raise DeviceError(
                f"{len(fitting)} headsets fit; run: wellbeing edge claim, "
                f"or set [{TABLE}] address to one: {shown}"
            )
        return next(iter(fitting.values()), None)

    def _in_vain(self) -> Note | None:
        """Return what to tell the agent, once a search has been in vain for a minute."""
        now_s = asyncio.get_running_loop().time()
        if self._vain_since_s is None:
            self._vain_since_s = now_s
        elif now_s - self._vain_since_s >= _VAIN_S:
            self._vain_since_s = float("inf")
            wanted = self._address() or self._settings.name or say("any with heart rate")
            return Note(
                say(
                    "headset not found ({wanted}): is it on, near, and free of other devices? "
                    "If it is another one today: wellbeing edge claim"
                ).format(wanted=wanted)
            )
        return None

    # One connection.

    async def _listen(self, near: Near, clock: Clock) -> AsyncGenerator[Reading | Link | Note]:
        """Connect and yield until the link drops, falls silent, or another one is claimed."""
        waiting: _Waiting = asyncio.Queue(_MAX_WAITING)
        link_context = self._radio.link(
            near, self._settings.connect_s, lambda: self._put(waiting, None)
        )
        async with link_context as link:
            if not self._settings.allow_unencrypted:
                await link.pair(self._settings.pair_s)
            await link.listen(lambda data: self._put(waiting, (data, clock.monotonic_s())))
            self.connections += 1
            self._vain_since_s = None
            yield self._introduce(near)
            about = asyncio.create_task(self._ask_details(link, near, waiting))
            try:
                async with aclosing(self._follow(near, waiting)) as found:
                    async for item in found:
                        yield item
            finally:
                about.cancel()
                await asyncio.wait({about})
                if not about.cancelled() and (error := about.exception()) is not None:
                    raise error

    def _introduce(self, near: Near) -> Note:
        """Return who is read, said aloud, once, where it may be a neighbour's.

        That is where nobody chose, and where somebody claimed it: on another
        day a headset of a pool is on another head.
        """
        shown = describe(near.name, near.address, Details(), None)
        is_known = near.address == self._known_address
        if not is_known:
            self._details = None
        self._known_address = near.address
        if is_known or self._settings.address:
            return Note(device=shown)
        text = say("reading headset {shown}; not yours? run: wellbeing edge claim")
        return Note(text.format(shown=shown), device=shown)

    async def _follow(self, near: Near, waiting: _Waiting) -> AsyncGenerator[Reading | Link | Note]:
        """Yield what arrives.

        Raises
        ------
        LinkError
            When the link dropped, no beat came for too long, or another
            headset was claimed.
        """
        loop = asyncio.get_running_loop()
        self._watchdog.connected(loop.time())
        claim_due_s = loop.time() + _CLAIM_EVERY_S
        while True:
            try:
                async with asyncio.timeout_at(self._watchdog.due_s):
                    item = await waiting.get()
            except TimeoutError:
                raise LinkError("no beat for too long") from None
            now_s = loop.time()
            if now_s >= claim_due_s:
                claim_due_s = now_s + _CLAIM_EVERY_S
                if self._address().casefold() != near.address.casefold():
                    raise LinkError("another headset was claimed")
            if item is None:
                raise LinkError("the link dropped")
            if self._untold:
                untold, self._untold = self._untold, 0
                yield Note(lost=untold)
            if isinstance(item, Note):
                yield item
                continue
            for value in self._take(*item, now_s):
                yield value

    def _take(self, data: bytes, arrived_s: float, now_s: float) -> list[Reading | Link | Note]:
        found = self.session.take(data, arrived_s)
        unreadable = self.session.unreadable - self._told_unreadable
        self._told_unreadable += unreadable
        notes = [Note(unreadable=unreadable)] if unreadable else []
        if found is None:
            return [*notes]
        if has_beat(found):
            self._watchdog.beat(now_s)
            self._backoff.reset()
        elif self.session.contact is False:
            self._watchdog.not_worn(now_s)
            self._backoff.reset()
        else:
            self._watchdog.talked()
        return [*found, *notes]

    def _put(self, waiting: _Waiting, item: tuple[bytes, float] | Note | None) -> None:
        if waiting.full():
            waiting.get_nowait()
            self.overrun += 1
            self._untold += 1
        waiting.put_nowait(item)

    # What it says about itself, for the agent only.

    async def _ask_details(self, link: HeadsetLink, near: Near, waiting: _Waiting) -> None:
        """Put notes about model and battery into `waiting`, beside the beats."""
        try:
            if self._details is None:
                self._details = await _read_details(link)

            def level(data: bytes) -> None:
                self._put(waiting, self._battery_note(data, near))

            tells = await link.listen_to(BATTERY_LEVEL, level)
            while True:
                level(await link.read(BATTERY_LEVEL) or b"")
                if tells or self._battery.percent is None:
                    return
                await asyncio.sleep(_BATTERY_EVERY_S)
        except DeviceError:
            return  # beside the point: whether beats arrive is watched elsewhere

    def _battery_note(self, data: bytes, near: Near) -> Note:
        is_low = self._battery.take(data)
        percent = self._battery.percent
        text = ""
        if is_low:
            text = say("headset battery is low: {percent} %").format(percent=percent)
        details = self._details or Details()
        return Note(text, describe(near.name, near.address, details, percent))


async def _read_details(link: HeadsetLink) -> Details:
    """Return maker, model and firmware; the serial number is not read."""
    found = {
        key: parse_text(await link.read(characteristic) or b"")
        for key, characteristic in (("maker", MAKER), ("model", MODEL), ("firmware", FIRMWARE))
    }
    return replace(Details(), **found)


def create(options: Mapping[str, Any]) -> BleakCollector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Keys of :class:`~sensors.heart_rate.settings.HeartRateSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return BleakCollector(from_options(options))
