"""What the listening process tells the edge: features, never sound. Pure.

These three are all that can cross the pipe between the two (TRUST T1): one
JSON object a line. A line that is anything else is refused.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from sensors import codec
from sensors.collector import Link, Reading
from sensors.messages import Absence
from sensors.signals import SIGNALS, Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The input is open.

    Parameters
    ----------
    device : str
        Its name.
    sample_rate : int
        Samples a second that it gives. [Hz]
    """

    device: str
    sample_rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One window.

    Parameters
    ----------
    values : dict
        Features by their names in the catalogue; empty where nothing is usable.
    quality : float
        0 to 1.
    reasons : tuple of str
        What lowered the quality, in words; for the agent's own eyes.
    age_s : float
        How long ago the window ended. [s]
    overruns, underruns : int
        How often the driver lost sound, or lacked some, in this window.
    """

    values: dict[str, float]
    quality: float
    reasons: tuple[str, ...] = ()
    age_s: float = 0.0
    overruns: int = 0
    underruns: int = 0

    def __post_init__(self) -> None:
        if not (0.0 <= self.quality <= 1.0 and 0.0 <= self.age_s < math.inf):
            raise ValueError(f"quality {self.quality} or age_s {self.age_s} is out of range")
        for name in self.values:
            if name not in SIGNALS or SIGNALS[name].channel is not Channel.VOICE:
                raise ValueError(f"{name} is no signal of the voice")

    @property
    def link(self) -> Link:
        """The state of the microphone: what cannot be used is *poor*, not absent."""
        return Link(Channel.VOICE, "ok" if self.values else Absence.POOR)

    def readings(self, end_s: float) -> list[Reading]:
        """Return the readings of the window that ended at `end_s` on the collector's clock."""
        return [Reading(name, value, end_s, self.quality) for name, value in self.values.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The input cannot be used, and what to do.

    Parameters
    ----------
    words : str
        One line.
    kind : str
        ``device``: it is to be looked at; ``missing``: a package is not
        installed, trying again is of no use; ``fault``: our own program failed.
    """

    words: str
    kind: Literal["device", "missing", "fault"] = "device"


Told = Opened | Heard | Failed
_KINDS: dict[str, type[Told]] = {"opened": Opened, "heard": Heard, "failed": Failed}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_line(told: Told) -> bytes:
    """Return `told` as one line."""
    return codec.dump_json({_NAMES[type(told)]: asdict(told)}) + b"\n"


def from_line(line: bytes) -> Told:
    """Return what one line says.

    Raises
    ------
    ValueError
        If it is not one of ours.
    """
    plain = codec.load_json(line)
    if not isinstance(plain, dict) or len(plain) != 1 or next(iter(plain)) not in _KINDS:
        raise ValueError("a line of the microphone's process is not one of ours")
    ((name, fields),) = plain.items()
    told: Told = codec.convert(fields, _KINDS[name])
    return told
