"""The pipeline driven step by step, so that a bug met by one message stops nothing else.

What is in the journal was read and checked. If the pipeline raises on it all
the same, that is a bug of this program; without a remedy it would end the
server, and again at every restart. So:

1. The pipeline goes back to the state after the last good step: the newest
   snapshot and the steps since.
2. Halving finds the messages without which the step succeeds (`sift`). Of
   several that fail only together, the last in the journal is blamed.
3. Those are set aside as `Refusal.FAULT` and marked in the journal before the
   step is done: no repetition takes them, so a restart reaches the same state
   bit for bit. Their windows count as received and stay released.
4. The step is done with the rest.

Of a step that tells somebody something only the points that cannot be packed are left out: a
call for help outlives its own record.

What is not remedied: a step that fails without any message, and an error that
tells somebody to act. Both end the server as before.
"""

from __future__ import annotations

import gc
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath

from analytics.events import Arrival, Outputs
from analytics.journal.journal import Journal
from analytics.journal.steps import Snapshot, Step, StepLog
from analytics.pipeline.service_options import ScoringPipeline
from analytics.store.points import Point
from sensors.errors import ConfigurationError, StateError

SEARCH_S = 10.0
"""So long a search goes on splitting. [s]

Afterwards what fails is set aside undivided: when that many messages meet a
bug, hearing the others late would be worse than losing their neighbours.
"""

# The machine's or the operator's business; without any message they would come as well.
# A step touches no file and no network: every other error is a bug, whatever its class.
_NOT_A_MESSAGE = (MemoryError, ConfigurationError, StateError)

_OFTEN = 10_000  # new objects until circles are looked for

_log = logging.getLogger("wellbeing.detect")


@dataclass(slots=True)
class Sifted:
    """Arrivals that a step takes together, and each that it does not, with why."""

    good: list[Arrival] = field(default_factory=list)
    culprits: list[tuple[Arrival, Exception]] = field(default_factory=list)


def sift(
    arrivals: Sequence[Arrival],
    fails: Callable[[Sequence[Arrival]], Exception | None],
    may_split: Callable[[], bool] = lambda: True,
) -> Sifted:
    """Part `arrivals` so that a step over the good ones succeeds.

    Parameters
    ----------
    arrivals : sequence of Arrival
        In the order of the journal.
    fails : callable
        Tries some of them, always from the same state; returns what was
        raised. With none of them it returns ``None``.
    may_split : callable
        Asked before a failing group is split; if not, all of it is blamed.

    Returns
    -------
    Sifted
        Both in the order of the journal. Without `may_split` saying no, no
        arrival is blamed that the good ones before it can be stepped with.
    """
    found = Sifted()

    def take(group: Sequence[Arrival], known: Exception | None = None) -> None:
        error = known or fails([*found.good, *group])
        if error is None:
            found.good.extend(group)
        elif len(group) == 1 or not may_split():
            found.culprits.extend((one, error) for one in group)
        else:
            before, half = len(found.good), len(group) // 2
            take(group[:half])
            # All of the first half is good: then the second fails, and needs no try.
            take(group[half:], error if len(found.good) == before + half else None)

    take(arrivals)
    return found


class Stepper:
    """Brings one site's pipeline from step to step, and back where it has to.

    Parameters
    ----------
    pipeline : ScoringPipeline
        New; `recover` gives it its state.
    journal : Journal
    log : StepLog

    Attributes
    ----------
    done : Step
        The last step that succeeded.
    unrecorded : list of Step
        Those up to `done` that the log does not hold yet; the caller commits
        them and clears the list.
    """

    def __init__(self, pipeline: ScoringPipeline, journal: Journal, log: StepLog) -> None:
        self._pipeline, self._journal, self._log = pipeline, journal, log
        nothing = Step(0, 0, 0, datetime.min.replace(tzinfo=UTC))
        self._new = Snapshot(nothing, pipeline.snapshot())
        self._kept: Snapshot | None = None
        self._told: set[str] = set()
        self.done = nothing
        self.unrecorded: list[Step] = []

    def recover(self) -> int:
        """Reach the state of the last recorded step; return how many were repeated.

        A step that succeeded once can fail now: the program or the teams may
        be others than they were.
        """
        start = self._kept or self._log.snapshot() or self._new
        self._pipeline.restore(start.data)
        self.done = start.step
        recorded, owed_by = self._log.steps_after(self.done.number), self._log.owed_by()
        for step in recorded:
            # What it puts out is in the spool since the step was first done, if it owes nothing.
            owes = step.number == owed_by
            outputs = self._do(self._journal.between(self.done, step), step, prepares=owes)
            if owes:
                self._log.pay(outputs.points)
        return len(recorded)

    def step(self, arrivals: Sequence[Arrival], reached: Step) -> Outputs:
        """Do the next step, without what it cannot take; return what it puts out.

        Parameters
        ----------
        arrivals : sequence of Arrival
            What the journal holds between `done` and `reached`, in order.
        reached : Step
            The step to be done.
        """
        outputs = self._do(arrivals, reached, prepares=True, tells_first=True)
        self.unrecorded.append(reached)
        return outputs

    def saved(self) -> None:
        """Take note that the log now holds a snapshot of `done`."""
        self._kept = None

    def pay(self, outputs: Outputs) -> bool:
        """Put the points into the spool that the last step owes, which is recorded by now.

        A bug that is met in making them is met as in any step, only later: everything
        since the snapshot is repeated without the message.

        Returns
        -------
        bool
            Whether the step stays as it was told. If not, alerts may be others now.
        """
        try:
            self._log.pay(outputs.points)
        except _NOT_A_MESSAGE:
            raise
        except Exception:  # noqa: BLE001 - met again, and told, when the step is repeated
            self.recover()
            return False
        return True

    def _do(
        self,
        arrivals: Sequence[Arrival],
        reached: Step,
        *,
        prepares: bool,
        tells_first: bool = False,
    ) -> Outputs:
        try:
            outputs = self._step(arrivals, reached.now)
            if prepares and not (tells_first and outputs.publications):
                self._log.prepare(outputs.points)
        except _NOT_A_MESSAGE:
            raise
        except Exception as error:  # noqa: BLE001 - a bug can raise anything
            outputs = self._isolate(arrivals, reached.now, error)
            _let_go()
        self.done = reached
        return outputs

    def _step(self, arrivals: Sequence[Arrival], now: datetime) -> Outputs:
        """Do a step; of one that tells somebody something, leave out points that cannot be packed.

        Setting the message aside would take an agent's call for help back, and they were told
        that it arrived. Points of windows are not tried: nobody who is alerted waits for them.
        """
        outputs = self._pipeline.step(arrivals, now)
        if outputs.publications:
            try:
                self._log.try_packing(list(outputs.points.at_hand()))
            except _NOT_A_MESSAGE:
                raise
            except Exception:  # noqa: BLE001 - each is tried, and told
                outputs.points.keep(self._fits)
        return outputs

    def _fits(self, point: Point) -> bool:
        try:
            self._log.try_packing([point])
        except _NOT_A_MESSAGE:
            raise
        except Exception as error:  # noqa: BLE001 - a bug can raise anything
            what = _what(error)
            if what not in self._told:
                self._told.add(what)
                _log.error(
                    "a bug of this program, please report it: %s; what was told stands, and a"
                    " point of it is missing in the store",
                    what,
                    exc_info=error,
                )
            return False
        return True

    def _isolate(self, arrivals: Sequence[Arrival], now: datetime, error: Exception) -> Outputs:
        base = self._go_back()
        if self._failure(base, [], now) is not None:
            raise error
        until = time.monotonic() + SEARCH_S
        found = sift(
            arrivals,
            lambda some: self._failure(base, some, now),
            lambda: time.monotonic() < until,
        )
        self._journal.set_aside({one.position: _what(why) for one, why in found.culprits})
        self._tell(error, found)
        # The next one may come soon; it need not repeat all since the newest snapshot again.
        self._kept = Snapshot(self.done, base)
        self._pipeline.restore(base)
        return self._step(found.good, now)

    def _go_back(self) -> bytes:
        """Return the state after `done`, reached once more: what failed left a part of one."""
        start = self._kept or self._log.snapshot() or self._new
        self._pipeline.restore(start.data)
        before = start.step
        for step in [*self._log.steps_after(before.number), *self.unrecorded]:
            if before.number < step.number <= self.done.number:
                self._pipeline.step(self._journal.between(before, step), step.now)
                before = step
        return self._pipeline.snapshot()

    def _failure(self, base: bytes, some: Sequence[Arrival], now: datetime) -> Exception | None:
        self._pipeline.restore(base)
        try:
            self._log.prepare(self._step(some, now).points)
        except _NOT_A_MESSAGE:
            raise
        except Exception as error:  # noqa: BLE001 - the caller tells it
            return error
        return None

    def _tell(self, error: Exception, found: Sifted) -> None:
        """Say it once for each place in the program; `wellbeing status` counts the rest."""
        for why in [why for _, why in found.culprits] or [error]:
            what = _what(why)
            if what not in self._told:
                self._told.add(what)
                _log.error(
                    "a bug of this program, please report it: %s; %d messages set aside,"
                    " the rest is scored; `wellbeing status` counts further ones",
                    what,
                    len(found.culprits),
                    exc_info=why,
                )


def _let_go() -> None:
    """Free what stands in a circle with what was met: states of 100 MB each on a big floor.

    Elsewhere than in `wellbeing detect` circles are looked for often enough.
    """
    if gc.get_threshold()[0] > _OFTEN:
        gc.collect()


def _what(error: Exception) -> str:
    """Return class and place of `error` in one line; its text may hold what was measured."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{PurePath(frames[-1].filename).name} line {frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} in {where}"
