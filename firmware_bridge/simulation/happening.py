"""What happens to a simulated headset, as lines for people and for programs; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from firmware_bridge.simulation.physiology import Wearer
from sensors import codec


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened, when [s] since the start, in one word and one line."""

    at_s: float
    event: str
    text: str
    more: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """Return it as a line of text."""
        return f"{self.at_s:8.1f} s  {self.text}"

    def json(self) -> str:
        """Return it as one line of JSON."""
        plain = {"at_s": round(self.at_s, 3), "event": self.event, "text": self.text, **self.more}
        return codec.dump_json(plain).decode()


@dataclass(slots=True)
class Watch:
    """Follows the script and the faults.

    Parameters
    ----------
    wearer : Wearer
    active_faults : callable
        Names of the faults that are on now.
    """

    wearer: Wearer
    active_faults: Callable[[], frozenset[str]]
    _stage: str = ""
    _faults: frozenset[str] = frozenset()

    def changes(self, at_s: float) -> Iterator[Happening]:
        """Yield what is different since the last call."""
        stage = self.wearer.stage(at_s)
        if stage.name != self._stage:
            self._stage = stage.name
            text = f"{stage.name}: {stage.hr_bpm:g} beats a minute, {stage.eda_us:g} uS"
            yield Happening(
                at_s, "stage", text if stage.worn else "not worn", {"stage": stage.name}
            )
        now = self.active_faults()
        for name in sorted(now ^ self._faults):
            word = "begins" if name in now else "ends"
            more = {"fault": name, "active": name in now}
            yield Happening(at_s, "fault", f"fault {name} {word}", more)
        self._faults = now
