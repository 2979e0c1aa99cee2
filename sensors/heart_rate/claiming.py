"""Claim a headset at a hot desk: listen to all that are near until one is taken off.

The decision is :mod:`sensors.heart_rate.claim`'s; here are the radio and the
words. Of every headset only the contact bits are looked at.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

from sensors.errors import ConfigurationError, DeviceError
from sensors.heart_rate.claim import Claim, Verdict
from sensors.heart_rate.claimed import Claimed
from sensors.heart_rate.details import parse_text
from sensors.heart_rate.measurement import MeasurementError, parse_contact
from sensors.heart_rate.radio import Near, Radio
from sensors.heart_rate.settings import TABLE, HeartRateSettings
from sensors.spoken import say

MOST = 6
"""Headsets listened to at once; common adapters hold seven links."""

_CONNECT_S = 8.0  # for one; whoever is out of reach must not hold up the others for long
_GATHER_S = 10.0  # for every candidate to say something once
_TICK_S = 0.2


class Claiming:
    """One claim, from looking around to knowing which headset it is.

    Parameters
    ----------
    radio : Radio
    settings : HeartRateSettings
    tell : callable
        Takes one line for the person.
    """

    def __init__(
        self, radio: Radio, settings: HeartRateSettings, tell: Callable[[str], None]
    ) -> None:
        self._radio = radio
        self._settings = settings
        self._tell = tell
        self._said: Verdict | None = None
        self._to_connect = 0
        self._connect_s = min(settings.connect_s, _CONNECT_S)
        self._connecting = asyncio.Lock()  # adapters make one link at a time, and refuse the next

    async def run(self, patience_s: float) -> Claimed:
        """Return the headset that was taken off and put on again.

        Parameters
        ----------
        patience_s : float
            Longest wait for that. [s]

        Raises
        ------
        ConfigurationError
            If the configuration does not let unpaired headsets be listened to.
        DeviceError
            If there is no headset, none can tell whether it is worn, or
            nobody took theirs off.
        """
        if not self._settings.allow_unencrypted:
            raise ConfigurationError(
                f"claiming listens to headsets that are not paired; set [{TABLE}] "
                "allow_unencrypted = true, or pair yours and run: wellbeing edge claim --address"
            )
        self._tell(say("looking for headsets ..."))
        near = await self._radio.look(
            lambda one: one.has_heart_rate, self._settings.scan_s, first=False
        )
        if not near:
            raise DeviceError("no headset is near; switch yours on, and its heart-rate broadcast")
        chosen = sorted(near.values(), key=lambda one: -(one.rssi_dbm or 0))[:MOST]
        self._tell(say("found: {headsets}").format(headsets=_shown(chosen)))
        if len(near) > len(chosen):
            left = say("{count} more are too far away to be listened to")
            self._tell(left.format(count=len(near) - len(chosen)))
        return await self._decide(chosen, patience_s)

    async def _decide(self, chosen: list[Near], patience_s: float) -> Claimed:
        claim = Claim(near.address for near in chosen)
        self._to_connect = len(chosen)
        watches = [asyncio.create_task(self._watch(near, claim)) for near in chosen]
        try:
            address = await self._verdict(claim, {n.address: n for n in chosen}, patience_s)
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.wait(watches)
            for watch in watches:
                if not watch.cancelled():
                    watch.result()
        name = next(near.name for near in chosen if near.address == address)
        return Claimed(address=address, name=parse_text(name.encode()))

    async def _watch(self, near: Near, claim: Claim) -> None:
        """Hand the contact bits of one headset to `claim` until the link is lost."""
        loop = asyncio.get_running_loop()
        lost = asyncio.Event()

        def arrived(data: bytes) -> None:
            try:
                claim.take(near.address, parse_contact(data), loop.time())
            except MeasurementError:
                return  # says nothing; a device that sends only these is left out as unheard

        try:
            async with AsyncExitStack() as stack:
                context = self._radio.link(near, self._connect_s, lost.set)
                async with self._connecting:
                    try:
                        link = await stack.enter_async_context(context)
                    finally:
                        self._to_connect -= 1
                await link.listen(arrived)
                await lost.wait()
            why = say("the link was lost")
        except DeviceError as error:
            why = str(error)
        claim.lose(near.address)
        self._tell(say("{headset} is left out: {why}").format(headset=_shown([near]), why=why))

    async def _verdict(self, claim: Claim, near: dict[str, Near], patience_s: float) -> str:
        loop = asyncio.get_running_loop()
        give_up_s = math.inf
        gather_until_s = math.inf
        while loop.time() < give_up_s:
            if not self._to_connect:
                gather_until_s = min(gather_until_s, loop.time() + _GATHER_S)
            if loop.time() >= gather_until_s:
                self._leave_out(claim, near)
            verdict = claim.verdict(loop.time())
            if verdict is Verdict.CLAIMED:
                return claim.claimed
            if verdict is Verdict.HOPELESS:
                raise DeviceError(self._hopeless(claim, near))
            if verdict is not Verdict.GATHERING and self._said is None:
                give_up_s = loop.time() + patience_s
            self._say(verdict, claim, near)
            await asyncio.sleep(_TICK_S)
        raise DeviceError("no headset was taken off and put on again; run the command again")

    def _leave_out(self, claim: Claim, near: dict[str, Near]) -> None:
        for address in claim.unheard:
            claim.lose(address)
            self._tell(
                say("{headset} is left out: it sends nothing").format(
                    headset=_shown([near[address]])
                )
            )

    def _say(self, verdict: Verdict, claim: Claim, near: dict[str, Near]) -> None:
        """Say what to do now, once for each change."""
        if verdict in (self._said, Verdict.GATHERING):
            return
        if self._said is None and claim.cannot_tell:
            self._tell(
                say("cannot tell whether they are worn, so cannot be claimed: {headsets}").format(
                    headsets=_shown(near[a] for a in claim.cannot_tell)
                )
            )
        self._said = verdict
        match verdict:
            case Verdict.WATCHING:
                self._tell(say("now take your headset off for three seconds, then put it on again"))
            case Verdict.OFF:
                self._tell(say("one headset is off; put it on again and wait"))
            case Verdict.SEVERAL:
                self._tell(say("two headsets were off at the same time; nothing was decided"))

    @staticmethod
    def _hopeless(claim: Claim, near: dict[str, Near]) -> str:
        mute = [near[address] for address in claim.cannot_tell]
        if not mute:
            return "no headset could be listened to; bring yours near and run the command again"
        return (
            f"cannot tell whether it is worn, so cannot be claimed by taking it off: {_shown(mute)}; "
            "switch off all but yours and run: wellbeing edge claim --address ADDRESS"
        )


def _shown(near: Iterable[Near]) -> str:
    return ", ".join(f"{parse_text(n.name.encode()) or say('unnamed')} ({n.address})" for n in near)
