"""An LD2410 on the other end of a real pseudo-terminal; written from Hi-Link's text alone.

It shares no code with the driver: two readings of the same document meet in the tests.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from collections.abc import Callable

# Examples printed in "HLK-LD2410B serial communication protocol" V1.06, 2.3.2 and 2.2.
BASIC_EXAMPLE = bytes.fromhex("f4f3f2f1 0d00 02aa 02 5100 00 0000 3b 0000 5500 f8f7f6f5")
ENGINEERING_EXAMPLE = bytes.fromhex(
    "f4f3f2f1 2300 01aa 03 1e00 3c 0000 39 0000 0808"
    "3c2205030304030605 000039101306060804 6001 5500 f8f7f6f5"
)
VERSION_EXAMPLE = bytes.fromhex("fdfcfbfa 0c00 a001 0000 0001 0201 16240622 04030201")


def basic(state=2, moving=(0, 0), stationary=(62, 59), detection=62):
    """Return a report frame; targets are (distance in cm, energy)."""
    return _report(b"\x02\xaa" + _targets(state, moving, stationary, detection))


def engineering(
    state=2, moving=(0, 0), stationary=(62, 59), detection=62, gates=bytes(18), light=None
):
    """Return an engineering report frame; without `light` its last two bytes are missing."""
    tail = b"" if light is None else bytes([light, int(state != 0)])
    data = b"\x01\xaa" + _targets(state, moving, stationary, detection) + b"\x08\x08"
    return _report(data + gates + tail)


def _targets(state, moving, stationary, detection):
    (moving_cm, moving_energy), (stationary_cm, stationary_energy) = moving, stationary
    return (
        bytes([state])
        + moving_cm.to_bytes(2, "little")
        + bytes([moving_energy])
        + stationary_cm.to_bytes(2, "little")
        + bytes([stationary_energy])
        + detection.to_bytes(2, "little")
    )


def _report(data):
    data += b"\x55\x00"
    return b"\xf4\xf3\xf2\xf1" + len(data).to_bytes(2, "little") + data + b"\xf8\xf7\xf6\xf5"


def answer(word, value=b"", status=0):
    data = bytes([word, 1]) + status.to_bytes(2, "little") + value
    return b"\xfd\xfc\xfb\xfa" + len(data).to_bytes(2, "little") + data + b"\x04\x03\x02\x01"


class ScriptedRadar:
    """Reports every few milliseconds and obeys commands, as the module does.

    Parameters
    ----------
    script : callable
        From (number of the report, whether engineering mode is on) to bytes.
    obeys : bool
        Whether its receiving line is connected at all.
    mute : set of int
        Words it obeys without answering.
    gates : int
        Index of its distance resolution: 0 for 0.75 m, 1 for 0.2 m.
    knows_resolution : bool
        Early firmware refuses the commands for it.
    """

    EVERY_S = 0.01

    def __init__(
        self,
        script: Callable[[int, bool], bytes] | None = None,
        *,
        obeys: bool = True,
        mute: frozenset[int] = frozenset(),
        gates: int = 0,
        knows_resolution: bool = True,
    ) -> None:
        self.script = script or _living
        self.obeys, self.gates, self.knows_resolution = obeys, gates, knows_resolution
        self.mute = mute
        self.commands: list[int] = []
        self.is_engineering = self.is_configuring = False
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._heard = bytearray()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def unplug(self) -> None:
        """Take the cable out; doing it twice is fine."""
        self._stop.set()
        self._thread.join()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            if select.select([self._master], [], [], self.EVERY_S)[0]:
                self._heard += os.read(self._master, 4096)
                self._obey()
            if not self.is_configuring:
                self._send(self.script(number, self.is_engineering))
                number += 1

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: the wire is full
            os.write(self._master, data)

    def _obey(self) -> None:
        while b"\x04\x03\x02\x01" in self._heard:
            frame, _, rest = bytes(self._heard).partition(b"\x04\x03\x02\x01")
            self._heard = bytearray(rest)
            assert frame[:4] == b"\xfd\xfc\xfb\xfa", frame
            assert int.from_bytes(frame[4:6], "little") == len(frame) - 6, frame
            if self.obeys:
                said = self._do(frame[6], frame[8:])
                self._send(b"" if frame[6] in self.mute else said)

    def _do(self, word: int, value: bytes) -> bytes:
        self.commands.append(word)
        if word == 0xFF:
            assert value == b"\x01\x00"
            self.is_configuring = True
            return answer(word, b"\x01\x00\x40\x00")
        if not self.is_configuring:
            return answer(word, status=1)  # "otherwise it is invalid"
        if word == 0xFE:
            self.is_configuring = False
            return answer(word)
        if word == 0xA0:
            return VERSION_EXAMPLE
        if word in {0x62, 0x63}:
            self.is_engineering = word == 0x62
            return answer(word)
        if word == 0xA3:  # restarts after answering; forgets engineering mode
            self.is_configuring = self.is_engineering = False
            return answer(word)
        if word in {0xAA, 0xAB} and self.knows_resolution:
            if word == 0xAA:
                self.gates = value[0]
                return answer(word)
            return answer(word, self.gates.to_bytes(2, "little"))
        return answer(word, status=1)


def _living(number: int, is_engineering: bool) -> bytes:
    """Return somebody sitting 62 cm away, whose echo never stands still."""
    energy = 40 + number % 20
    if is_engineering:
        gates = bytes([energy, 30, 5, 3, 3, 4, 3, 6, 5]) + bytes(9)
        return engineering(stationary=(62, energy), gates=gates, light=0x60)
    return basic(stationary=(62, energy))
