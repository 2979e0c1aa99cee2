"""The serial protocol of Hi-Link's LD2410 radars (LD2410, LD2410B, LD2410C): pure.

Bytes in, reports and answers out; commands as bytes. The protocol has no
check sum: a frame is believed only if head, length, tail and every marker
inside it are right and its numbers are possible. Each refused frame is
counted by its reason, and reading goes on one byte after its head, so that
one broken frame never takes a good one with it.

Other radars of the name are others: LD2410S, LD2412, LD2420 and LD2450 have
their own frames.

References
----------
.. [1] Shenzhen Hi-Link Electronic, "HLK-LD2410B serial communication protocol",
   V1.06, 2023-02-20 (commands, reports, light, distance resolution).
.. [2] Shenzhen Hi-Link Electronic, "HLK-LD2410C serial communication protocol",
   V1.00, 2022-11-07.
.. [3] ESPHome, component ``ld2410``; ncmreynolds/ld2410; morian/aio-ld2410: how
   real modules differ from [1]_ (widths of the distances; states 4 to 6 while
   the radar measures its background, from firmware 2.44 on).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from firmware_bridge.display.resync import Cut, cut

BAUD = 256_000
"""As delivered, 8N1. [1/s] [1]_, table 7."""

REPORT_HEAD, REPORT_TAIL = bytes.fromhex("f4f3f2f1"), bytes.fromhex("f8f7f6f5")
COMMAND_HEAD, COMMAND_TAIL = bytes.fromhex("fdfcfbfa"), bytes.fromhex("04030201")

MAX_DATA_BYTES = 64
"""Longest data of a frame: the buffer the radar itself announces. [byte] [1]_, 2.2.1."""

MAX_DISTANCE_CM = 1_000
"""No report of a farther target is believed. [cm] Nine gates of 75 cm are 675 cm."""

_HEADS = {REPORT_HEAD: REPORT_TAIL, COMMAND_HEAD: COMMAND_TAIL}
_ENVELOPE_BYTES = 4 + 2 + 4  # head, length, tail
_ENGINEERING, _BASIC = 1, 2
_BASIC_BYTES = 13
_GATES_AT = 11  # type, AA, nine bytes of targets; then the gates of engineering mode
_LAST_GATE = 8
_BACKGROUND = range(4, 7)  # it measures its background: running, done, failed [3]_


class Command(IntEnum):
    """Command words; an answer has the same with 0x0100 added."""

    RESOLUTION_SET = 0x00AA
    RESOLUTION = 0x00AB
    ENGINEERING_ON = 0x0062
    ENGINEERING_OFF = 0x0063
    VERSION = 0x00A0
    RESTART = 0x00A3
    CONFIGURE_END = 0x00FE
    CONFIGURE = 0x00FF


class Refusal(StrEnum):
    """Why a frame was refused."""

    LENGTH = "length"  # no frame has this length
    TAIL = "tail"  # it does not end where its length says, or another begins inside it
    MARKER = "marker"  # the fixed bytes inside it are others
    KIND = "kind"  # a report or answer nobody knows
    RANGE = "range"  # numbers no radar measures


@dataclass(slots=True)
class Counts:
    """What became of the bytes.

    Parameters
    ----------
    reports, answers : int
        Frames that were read.
    skipped_bytes : int
        Outside the frames that were read; many say wrong speed or noise.
    refused : Counter
        Frames that were refused, by reason.
    """

    reports: int = 0
    answers: int = 0
    skipped_bytes: int = 0
    refused: Counter[Refusal] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Engineering:
    """What engineering mode adds to a report.

    Parameters
    ----------
    moving, stationary : bytes
        Energy at each distance gate, nearest first, 0 to 100.
    light : int or None
        Light at the radar's photodiode, 0 to 255 without a unit; ``None``
        where the firmware does not give it. A radar without a diode
        (LD2410C) may send a constant.
    out : bool or None
        Level of the OUT pin.
    """

    moving: bytes
    stationary: bytes
    light: int | None = None
    out: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of the targets; about ten a second.

    Parameters
    ----------
    moving, stationary : bool
        Whether there is such a target.
    moving_cm, stationary_cm : int
        Distance of each; 0 where there is none, or none is known. [cm]
    moving_energy, stationary_energy : int
        Strength of the echo, 0 to 100.
    detection_cm : int
        Distance of what is detected; 0 where the firmware does not say. [cm]
    measuring_background : bool
        The radar sets its own thresholds; it says nothing about targets.
    engineering : Engineering or None
        In engineering mode only.
    data : bytes
        The frame's data, to see whether a radar repeats itself.
    """

    moving: bool
    stationary: bool
    moving_cm: int
    moving_energy: int
    stationary_cm: int
    stationary_energy: int
    detection_cm: int
    measuring_background: bool = False
    engineering: Engineering | None = None
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the radar answers to a command.

    Parameters
    ----------
    command : int
        Word of the command it answers.
    is_done : bool
        Whether the radar obeyed.
    value : bytes
        What comes after the status.
    """

    command: int
    is_done: bool
    value: bytes = b""


def command(word: Command, value: bytes = b"") -> bytes:
    """Return the frame of a command.

    Examples
    --------
    >>> command(Command.CONFIGURE, bytes([1, 0])).hex(" ")
    'fd fc fb fa 04 00 ff 00 01 00 04 03 02 01'
    """
    data = word.to_bytes(2, "little") + value
    return COMMAND_HEAD + len(data).to_bytes(2, "little") + data + COMMAND_TAIL


def version(answer: Answer) -> str | None:
    """Return the firmware's version as Hi-Link writes it, or ``None`` if it is none.

    Examples
    --------
    >>> version(Answer(Command.VERSION, True, bytes.fromhex("000102011624 0622")))
    'V1.02.22062416'
    """
    if answer.command != Command.VERSION or not answer.is_done or len(answer.value) < 8:
        return None
    minor, major = answer.value[2], answer.value[3]
    return f"V{major}.{minor:02X}.{answer.value[7:3:-1].hex().upper()}"


_RESOLUTIONS_M = (0.75, 0.2)
"""Width of one gate by its index. [m] [1]_, table 8."""


def resolution(answer: Answer) -> float | None:
    """Return the width of one distance gate [m], or ``None`` if the answer does not say."""
    if answer.command != Command.RESOLUTION or not answer.is_done or len(answer.value) < 2:
        return None
    index = int.from_bytes(answer.value[:2], "little")
    return _RESOLUTIONS_M[index] if index < len(_RESOLUTIONS_M) else None


def resolution_value(gate_m: float) -> bytes:
    """Return the value of `RESOLUTION_SET` for gates of 0.75 or 0.2 m; it lasts."""
    return _RESOLUTIONS_M.index(gate_m).to_bytes(2, "little")


@dataclass(slots=True)
class Ld2410:
    """Decodes the byte stream of one radar; holds at most one frame."""

    counts: Counts = field(default_factory=Counts)
    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Report | Answer]:
        """Return what the frames completed by `data` say, oldest first.

        However the stream is cut into pieces, the result is the same.
        """
        self._pending += data
        found: Cut[Report | Answer, Refusal] = cut(self._pending, _next_head, _size, _read)
        self.counts.reports += sum(isinstance(item, Report) for item in found.read)
        self.counts.answers += sum(isinstance(item, Answer) for item in found.read)
        self.counts.refused.update(found.refused)
        self.counts.skipped_bytes += found.skipped_bytes
        return found.read


def _size(pending: bytearray, at: int) -> int | Refusal | None:
    """Return the size of the frame at `at`; ``None`` is not known yet."""
    if len(pending) - at < 6:
        return None
    length = int.from_bytes(pending[at + 4 : at + 6], "little")
    if not 4 <= length <= MAX_DATA_BYTES:
        return Refusal.LENGTH
    size = length + _ENVELOPE_BYTES
    return size if len(pending) - at >= size else None


def _next_head(pending: bytearray, at: int) -> int:
    """Return where the next head, or what may be its beginning, starts."""
    found = [where for head in _HEADS if (where := pending.find(head, at)) >= 0]
    if found:
        return min(found)
    for start in range(max(at, len(pending) - 3), len(pending)):
        rest = bytes(pending[start:])
        if any(head.startswith(rest) for head in _HEADS):
            return start
    return len(pending)


def _read(frame: bytes) -> tuple[Report | Answer] | Refusal:
    head, data, tail = frame[:4], frame[6:-4], frame[-4:]
    # 22 bytes of an engineering report and a whole basic one are as long as the
    # first announced, and end as it should: no true frame holds another's head.
    if tail != _HEADS[head] or any(other in data for other in _HEADS):
        return Refusal.TAIL
    said = _report(data) if head == REPORT_HEAD else _answer(data)
    return said if isinstance(said, Refusal) else (said,)


def _answer(data: bytes) -> Answer | Refusal:
    word, status = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little")
    if word >> 8 != 1:
        return Refusal.KIND  # our own command, heard back, is no answer
    return Answer(word & 0xFF, status == 0, data[4:])


def _report(data: bytes) -> Report | Refusal:
    kind = data[0]
    if kind not in (_BASIC, _ENGINEERING):
        return Refusal.KIND
    if len(data) < _BASIC_BYTES or (kind == _BASIC and len(data) != _BASIC_BYTES):
        return Refusal.LENGTH
    if data[1] != 0xAA or data[-2:] != b"\x55\x00":
        return Refusal.MARKER
    engineering = None
    if kind == _ENGINEERING:
        engineering = _gates(data[_GATES_AT:-2])
        if engineering is None:
            return Refusal.LENGTH
    return _targets(data, engineering)


def _gates(data: bytes) -> Engineering | None:
    if len(data) < 2 or max(data[:2]) > _LAST_GATE:
        return None
    first, second = data[0] + 1, data[1] + 1
    energies, rest = data[2 : 2 + first + second], data[2 + first + second :]
    if len(energies) < first + second:
        return None
    moving, stationary = energies[:first], energies[first:]
    if len(rest) != 2:  # "reserved" in older firmware: nothing is known of it
        return Engineering(moving, stationary)
    return Engineering(moving, stationary, light=rest[0], out=bool(rest[1]))


def _targets(data: bytes, engineering: Engineering | None) -> Report | Refusal:
    state = data[2]
    moving_cm, stationary_cm, detection_cm = (
        int.from_bytes(data[at : at + 2], "little") for at in (3, 6, 9)
    )
    moving_energy, stationary_energy = data[5], data[8]
    if (
        state > max(_BACKGROUND)
        or max(moving_energy, stationary_energy) > 100
        or max(moving_cm, stationary_cm, detection_cm) > MAX_DISTANCE_CM
    ):
        return Refusal.RANGE
    background = state in _BACKGROUND
    return Report(
        moving=not background and bool(state & 1),
        stationary=not background and bool(state & 2),
        moving_cm=moving_cm,
        moving_energy=moving_energy,
        stationary_cm=stationary_cm,
        stationary_energy=stationary_energy,
        detection_cm=detection_cm,
        measuring_background=background,
        engineering=engineering,
        data=data,
    )
