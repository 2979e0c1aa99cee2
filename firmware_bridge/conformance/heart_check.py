"""Checks a Bluetooth headset, in real time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from firmware_bridge.bench.headsets import CONNECT_S, PAIR_S
from firmware_bridge.conformance.heart_requirements import (
    HEART_NOT_TESTED,
    HEART_REQUIREMENTS,
    RECONNECT_S,
)
from firmware_bridge.conformance.heart_trace import HeartTrace
from firmware_bridge.conformance.report import Plot, Report, Series
from firmware_bridge.conformance.verdict import judge_all
from sensors.errors import DeviceError
from sensors.heart_rate.details import BATTERY_LEVEL, FIRMWARE, MAKER, MODEL, parse_text

if TYPE_CHECKING:
    from sensors.heart_rate.radio import HeadsetLink, Near, Radio

_SCAN_S = 8.0
_TURN_S = 0.1
_NOTIFIES_WITHIN_S = 5.0
_MEASUREMENT = f"{0x2A37:08x}-0000-1000-8000-00805f9b34fb"
_SECONDS = "seconds since the check began"


@dataclass(slots=True)
class HeartExamination:
    """One check of one headset.

    Parameters
    ----------
    radio : Radio
    address : str
        As ``firmware-bridge scan`` shows it.
    seconds : float
        How long to listen. [s]
    trace : HeartTrace
        Where everything is noted.
    tick : callable
        Told the seconds that have passed; returns whether to stop early.
    unpaired : bool
        Whether to listen without pairing.
    """

    radio: Radio
    address: str
    seconds: float
    trace: HeartTrace
    tick: Callable[[float], bool]
    unpaired: bool = False
    _start_s: float = 0.0

    async def run(self) -> bool:
        """Examine it; return whether that ran to its end.

        Raises
        ------
        DeviceError
            If it is not near, or cannot be connected to.
        """
        self._start_s = asyncio.get_running_loop().time()
        near = await self._find(_SCAN_S)
        if near is None:
            raise DeviceError(
                f"{self.address} is not near; switch it on, disconnect it from telephones, "
                "or run: firmware-bridge scan"
            )
        self.trace.name = parse_text(near.name.encode())
        self.trace.is_advertised = near.has_heart_rate if near.rssi_dbm else None
        stopped = await self._listen(near)
        if not stopped and self.trace.dropped_s is None:
            await self._again()
        return not stopped

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._start_s

    async def _find(self, scan_s: float) -> Near | None:
        wanted = self.address.casefold()
        found = await self.radio.look(
            lambda near: near.address.casefold() == wanted, scan_s, first=True
        )
        return next(iter(found.values()), None)

    async def _listen(self, near: Near) -> bool:
        """Connect, read and listen; return whether it was stopped early."""
        trace, dropped, stopped = self.trace, asyncio.Event(), False
        async with self.radio.link(near, CONNECT_S, dropped.set, every_service=True) as link:
            if not self.unpaired:
                trace.pairing = await _pair(link)
            await _read(link, trace)
            if not trace.is_offered:
                return False
            from_s = self._now_s()
            await link.listen(lambda data: trace.take(data, self._now_s()))
            while self._now_s() - from_s < self.seconds and not dropped.is_set():
                if stopped := self.tick(self._now_s() - from_s):
                    break
                await asyncio.sleep(_TURN_S)
            trace.listening_s = from_s, self._now_s()
            trace.dropped_s = self._now_s() if dropped.is_set() else None
        return stopped

    async def _again(self) -> None:
        """Find it, connect and listen once more; note how long each took."""
        trace = self.trace
        trace.is_reconnect_tried, begin_s = True, self._now_s()
        near = await self._find(RECONNECT_S + trace.slack_s)
        if near is None:
            return
        trace.found_again_s = self._now_s() - begin_s
        notified = asyncio.Event()
        try:
            async with self.radio.link(near, CONNECT_S, lambda: None) as link:
                trace.connected_again_s = self._now_s() - begin_s
                if not trace.is_offered:
                    return
                await link.listen(lambda _data: notified.set())
                async with asyncio.timeout(_NOTIFIES_WITHIN_S + trace.slack_s):
                    await notified.wait()
                trace.notified_again_s = self._now_s() - begin_s
        except (DeviceError, TimeoutError):
            return  # what was not reached says so


async def _pair(link: HeadsetLink) -> str:
    """Return why it cannot be paired; empty if it can."""
    try:
        await link.pair(PAIR_S, "or give --unpaired to let anybody near read along")
    except DeviceError as error:
        return str(error)
    return ""


async def _read(link: HeadsetLink, trace: HeartTrace) -> None:
    trace.is_offered = any(
        one.uuid == _MEASUREMENT and "notify" in one.properties
        for service in link.offered()
        for one in service.characteristics
    )
    trace.maker, trace.model, trace.firmware = [
        parse_text(await link.read(uuid) or b"") for uuid in (MAKER, MODEL, FIRMWARE)
    ]
    trace.battery = await link.read(BATTERY_LEVEL)


def report(address: str, trace: HeartTrace, *, is_whole: bool = True) -> Report:
    """Return what was seen of a headset."""
    facts = {
        "name": trace.name,
        "maker": trace.maker,
        "model": trace.model,
        "firmware": trace.firmware,
    }
    return Report(
        target=address,
        checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=trace.listening_s[1] - trace.listening_s[0],
        subject={key: value for key, value in facts.items() if value},
        findings=judge_all(HEART_REQUIREMENTS, trace),
        not_tested=HEART_NOT_TESTED,
        plots=_plots(trace),
        is_cut_short=not is_whole,
    )


def _plots(trace: HeartTrace) -> list[Plot]:
    times = [one.at_s for one in trace.notified]
    gaps = [after - before for before, after in pairwise(times)]
    rates = [(at_s, float(m.hr_bpm or math.nan)) for at_s, m in trace.measured]  # 0 is: none
    intervals = [(at_s, ms) for at_s, m in trace.measured for ms in m.rr_ms]
    worn = [(at_s, 1.0 + bool(m.contact)) for at_s, m in trace.measured if m.contact is not None]

    def series(name: str, points: list[tuple[float, float]], *, joined: bool = False) -> Series:
        return Series(name, [x for x, _ in points], [y for _, y in points], joined)

    return [
        Plot(
            "Between notifications",
            _SECONDS,
            "seconds since the notification before",
            "All should stay near or below 1.",
            [Series("0x2A37", times[1:], gaps)],
        ),
        Plot(
            "RR intervals",
            _SECONDS,
            "milliseconds",
            "They wander with the breath; steps of equal height are rounding.",
            [series("intervals", intervals)],
        ),
        Plot(
            "Heart rate",
            _SECONDS,
            "beats a minute",
            "As the headset says it.",
            [series("rate", rates, joined=True)],
        ),
        Plot(
            "Contact",
            _SECONDS,
            "what the contact bits say",
            "It should follow the skin.",
            [series("contact", worn, joined=True)],
            ("not worn", "worn"),
        ),
    ]
