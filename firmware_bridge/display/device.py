"""An open radar: read, ask, set. The only part of the display module that touches the port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from firmware_bridge.display import ld2410
from firmware_bridge.display.ld2410 import Answer, Command, Ld2410, Report
from firmware_bridge.display.mr60bha2 import Breathing, Mr60bha2, Person
from firmware_bridge.display.settings import DisplaySettings
from firmware_bridge.ports.serial_port import SerialPort
from sensors.errors import DeviceError

ANSWER_WITHIN_S = 1.0
"""Modules answer within some tens of milliseconds; later, the command was lost. [s]"""

RESTART_S = 2.0
"""After a restart the radar reports again within this. [s]"""

Heard = Report | Person | Breathing
"""What a radar reports."""

_ATTEMPTS = 2


class Radar:
    """One radar on one port.

    Parameters
    ----------
    port : SerialPort
        Open; closed by :meth:`close`.
    decoder : Ld2410 or Mr60bha2
        Only an LD2410 takes commands.
    """

    def __init__(self, port: SerialPort, decoder: Ld2410 | Mr60bha2) -> None:
        self._port = port
        self._decoder = decoder
        self._is_configuring = False

    @property
    def skipped_bytes(self) -> int:
        """How many bytes lay outside the frames that were read."""
        return self._decoder.counts.skipped_bytes

    async def read(self) -> Sequence[Heard]:
        """Return the reports that arrived, waiting a little; may be empty.

        Raises
        ------
        DeviceError
            If the radar was unplugged.
        """
        return [item for item in await self._read() if not isinstance(item, Answer)]

    async def ask(self, word: Command, value: bytes = b"") -> Answer | None:
        """Send a command; return its answer, ``None`` if none came.

        Raises
        ------
        DeviceError
            If the radar was unplugged.
        """
        await asyncio.to_thread(self._port.write, ld2410.command(word, value))
        end_s = time.monotonic() + ANSWER_WITHIN_S
        while time.monotonic() < end_s:
            for item in await self._read():
                if isinstance(item, Answer) and item.command == word:
                    return item
        return None

    async def begin(self) -> bool:
        """Let the radar take commands; it reports nothing meanwhile. Return whether it does."""
        self._is_configuring = True  # also when its answer was lost
        for _ in range(_ATTEMPTS):
            answer = await self.ask(Command.CONFIGURE, b"\x01\x00")
            if answer is not None and answer.is_done:
                return True
        return False

    async def end(self) -> None:
        """Let the radar report again."""
        for _ in range(_ATTEMPTS):
            if await self.ask(Command.CONFIGURE_END) is not None:
                break
        self._is_configuring = False

    def close(self) -> None:
        """Release the port; a radar that was being configured is let go first."""
        try:
            if self._is_configuring:
                self._port.write(ld2410.command(Command.CONFIGURE_END))
        except DeviceError:
            pass  # unplugged: it forgets by itself
        finally:
            self._port.close()

    async def _read(self) -> Sequence[Heard | Answer]:
        """Read in a thread; when cancelled, return only once the thread let go of the port."""
        reading = asyncio.ensure_future(asyncio.to_thread(self._port.read))
        try:
            return self._decoder.feed(await asyncio.shield(reading))
        except asyncio.CancelledError:
            self._port.cancel()
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()  # looked at: an unplugged radar is no news any more
            raise


async def configure(radar: Radar, settings: DisplaySettings) -> str:
    """Ask who the radar is, and set what the settings want; return what to show about it.

    A radar of which only the transmitting line is connected answers nothing.
    It is read all the same, as it is.

    Raises
    ------
    DeviceError
        If it was unplugged, or does not take the resolution that is wanted.
    """
    if not await radar.begin():
        await radar.end()
        return "radar (LD2410) that takes no commands; read as it is"
    answer = await radar.ask(Command.VERSION)
    firmware = (answer and ld2410.version(answer)) or "of unknown version"
    gate_m = await _gate(radar)
    if settings.resolution_m and gate_m != settings.resolution_m:
        gate_m = await _set_gate(radar, settings.resolution_m)
    if settings.engineering:
        await radar.ask(Command.ENGINEERING_ON)
    await radar.end()
    gates = "gates of unknown width" if gate_m is None else f"gates of {gate_m:g} m"
    return f"Hi-Link LD2410, firmware {firmware}, {gates}"


async def _gate(radar: Radar) -> float | None:
    answer = await radar.ask(Command.RESOLUTION)
    return None if answer is None else ld2410.resolution(answer)


async def _set_gate(radar: Radar, gate_m: float) -> float:
    """Set the width of a gate and restart the radar, which is when it counts."""
    await radar.ask(Command.RESOLUTION_SET, ld2410.resolution_value(gate_m))
    await radar.ask(Command.RESTART)
    await asyncio.sleep(RESTART_S)
    if not await radar.begin() or await _gate(radar) != gate_m:
        raise DeviceError(
            f"the radar does not take resolution_m {gate_m:g}; "
            "leave the key out, or bring its firmware up to date (Hi-Link's HLKRadarTool)"
        )
    return gate_m
