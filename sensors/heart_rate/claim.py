"""Whose headset is it? The one whose contact drops when its wearer takes it off.

Pure: told what each candidate's contact bits say and when; answers with a
verdict. At a hot desk many headsets look alike, and reading a neighbour's
heart by mistake is the worst error this program can make, so it decides only
when exactly one candidate was taken off and put on again, with no other one
off at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

OFF_AT_LEAST_S = 1.5
"""Shorter is a loose contact. [s] Asked for are three seconds; devices notice up
to a second late and report once a second."""
OFF_AT_MOST_S = 12.0
"""Longer is somebody who took theirs off for good. [s]"""
SETTLE_S = 2.0
"""How long after the return nobody else may drop. [s] Reports of others who did
the same at the same moment may be this late."""


class Verdict(StrEnum):
    """Where the claim stands."""

    GATHERING = "gathering"  # not every candidate has said whether it is worn
    WATCHING = "watching"  # nobody's contact dropped yet
    OFF = "off"  # one is off: its wearer is to put it on again
    SEVERAL = "several"  # two were off at once: everything is forgotten, ask again
    CLAIMED = "claimed"
    HOPELESS = "hopeless"  # no candidate can tell whether it is worn


@dataclass(slots=True)
class _Candidate:
    """What is known of one headset; `None` where nothing is."""

    contact: bool | None = None
    heard: bool = False
    off_at_s: float | None = None  # since when it is off, having been worn before
    back_at_s: float | None = None  # when it was put on again


class Claim:
    """Decide which of several headsets is being claimed.

    Parameters
    ----------
    addresses : iterable of str
        The candidates that could be connected to.

    Attributes
    ----------
    claimed : str
        The address, once the verdict is ``CLAIMED``.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self.claimed = ""
        self._candidates = {address: _Candidate() for address in addresses}

    @property
    def cannot_tell(self) -> list[str]:
        """Addresses of the candidates that send no contact bits."""
        return [a for a, c in self._candidates.items() if c.heard and c.contact is None]

    @property
    def unheard(self) -> list[str]:
        """Addresses of the candidates that have sent nothing yet."""
        return [a for a, c in self._candidates.items() if not c.heard]

    def take(self, address: str, contact: bool | None, now_s: float) -> None:
        """Take one report: worn, not worn, or `None` from a device that cannot tell."""
        candidate = self._candidates.get(address)
        if candidate is None:
            return  # it was lost before
        was, candidate.contact, candidate.heard = candidate.contact, contact, True
        if was and contact is False:
            candidate.off_at_s, candidate.back_at_s = now_s, None
        elif contact and candidate.off_at_s is not None and candidate.back_at_s is None:
            away_s = now_s - candidate.off_at_s
            if OFF_AT_LEAST_S <= away_s <= OFF_AT_MOST_S:
                candidate.back_at_s = now_s
            else:
                candidate.off_at_s = None

    def lose(self, address: str) -> None:
        """Take a dropped link: that is no contact drop, so the headset is out."""
        self._candidates.pop(address, None)

    def verdict(self, now_s: float) -> Verdict:
        """Return where the claim stands at `now_s`."""
        if self.claimed:
            return Verdict.CLAIMED
        if self.unheard:
            return Verdict.GATHERING
        if not any(c.contact is not None for c in self._candidates.values()):
            return Verdict.HOPELESS
        return self._judge(now_s)

    def _judge(self, now_s: float) -> Verdict:
        back = {a: c.back_at_s for a, c in self._candidates.items() if c.back_at_s is not None}
        if any(self._is_off(c, now_s) for c in self._candidates.values()):
            # Whoever is off beside one that is back may return or may have left: wait for that.
            return Verdict.OFF
        if not back:
            return Verdict.WATCHING
        if len(back) > 1:
            return self._several()
        (address, back_at_s), *_ = back.items()
        if now_s - back_at_s < SETTLE_S:
            return Verdict.OFF
        self.claimed = address
        return Verdict.CLAIMED

    def _several(self) -> Verdict:
        for candidate in self._candidates.values():
            candidate.off_at_s = candidate.back_at_s = None
        return Verdict.SEVERAL

    @staticmethod
    def _is_off(candidate: _Candidate, now_s: float) -> bool:
        return (
            candidate.off_at_s is not None
            and candidate.back_at_s is None
            and now_s - candidate.off_at_s <= OFF_AT_MOST_S
        )
