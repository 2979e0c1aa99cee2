"""How the store is doing, as its writer has seen it: for status, metrics and the log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from analytics.store.base import WriteReport
from analytics.writing.refusal_words import in_short
from analytics.writing.set_aside import RefusedPoints
from sensors.errors import StoreError, StoreRefusedError, WellbeingError

_log = logging.getLogger("wellbeing.detect")


@dataclass(frozen=True, slots=True)
class StoreState:
    """How the store is, for status; counts since the start.

    `catching_up` says that batches of an earlier time are still being written,
    `held` how many points the store refuses in words nobody knows: they are
    tried again beside the others, and set aside after a while, and `restarts`
    how often its writer's process was started again. `doubt` says why nothing is
    deleted by age, if it is not.
    """

    written: int = 0
    refused: int = 0
    last_refusal: str = ""
    trouble: str = ""
    catching_up: bool = False
    held: int = 0
    restarts: int = 0
    doubt: str = ""


class StoreReport:
    """Follows what becomes of each write; says in the log what is new."""

    def __init__(self) -> None:
        self.state = StoreState()

    def wrote(self, report: WriteReport, unreadable: Sequence[RefusedPoints]) -> None:
        """Note that a batch has left the spool."""
        if report.refused:
            point, reason = report.refused[0]
            what = point.measurement.value
            self._refused(len(report.refused), what, f"{what}: {reason}")
        for one in unreadable:
            self._refused(one.points, "unreadable", one.reason)
        if self.state.trouble:
            _log.info("the store answers again")
        self.state = replace(self.state, written=self.state.written + report.written, trouble="")

    def _refused(self, count: int, what: str, reason: str) -> None:
        if not self.state.refused:
            # Not why: a server quotes what it refuses, and no line is about a person (TRUST T5).
            _log.warning(
                "the store refused %d points (%s); why, tells `wellbeing store set-aside list`",
                count,
                what,
            )
        self.state = replace(
            self.state, refused=self.state.refused + count, last_refusal=in_short(reason)
        )

    def held(self, error: StoreRefusedError) -> None:
        """Note that a batch was refused as a whole, and waits beside the others."""
        if not self.state.last_refusal:
            _log.warning(
                "the store refuses a batch in words nobody knows; it is tried again beside the"
                " others, and then set aside: `wellbeing status` tells them"
            )
        self.state = replace(self.state, last_refusal=in_short(str(error)))

    def failed(self, error: Exception) -> None:
        """Note that the store could not be written.

        Raises
        ------
        WellbeingError
            `error`, if it is not the store's: then only a person can mend it.
        """
        if isinstance(error, WellbeingError) and not isinstance(error, StoreError):
            raise error
        trouble = said_of(error)
        if not self.state.trouble:
            # Of a bug the places, too: its own words may quote what was measured, as a
            # server's may that refuses points.
            why = None if isinstance(error, StoreError) else error
            said = "the store refuses points" if isinstance(error, StoreRefusedError) else trouble
            _log.warning("%s; results wait in the spool, retrying", said, exc_info=why)
        self.state = replace(self.state, trouble=trouble)

    def doubted(self, doubt: str) -> None:
        """Note why nothing may be deleted by age; empty if it may."""
        if doubt and not self.state.doubt:
            _log.warning("%s; if the clock is right: [store] trust_clock = true", doubt)
        if bool(doubt) != bool(self.state.doubt):
            self.state = replace(self.state, doubt=doubt)

    def lanes(self, is_behind: bool, held: int) -> None:
        """Note whether something waits, and how many points are held."""
        if (self.state.catching_up, self.state.held) != (is_behind, held):
            self.state = replace(self.state, catching_up=is_behind, held=held)


def said_of(error: Exception) -> str:
    """Return what to say of `error`: words of a bug or a refusal may hold what was measured."""
    if isinstance(error, StoreRefusedError):
        return in_short(str(error))
    if isinstance(error, WellbeingError):
        return str(error)
    return f"a bug of this program, please report it: {type(error).__name__} while writing"
