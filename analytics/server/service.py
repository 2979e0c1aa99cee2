"""The server of one site: take in, confirm, score every 250 ms, commit, publish.

One loop on one thread owns the pipeline and the state file. What it confirms
to the broker is on the disk; what it publishes is committed. A message that
our own program fails on is set aside and stops nothing (`analytics.pipeline.isolation`).
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from analytics.clock import now_utc
from analytics.events import Arrival, Outputs
from analytics.journal.intake import Intake
from analytics.journal.journal import Journal
from analytics.journal.steps import Commit, Step, StepLog
from analytics.people import tombstones
from analytics.people.teams import Teams
from analytics.pipeline.isolation import Stepper
from analytics.pipeline.service_options import ScoringPipeline, ServiceOptions, StoreWriter
from analytics.rights.desk import RightsDesk
from analytics.rights.erasure import ServerParts
from analytics.server.broker_watch import BrokerWatch
from analytics.server.snapshots import Snapshots
from analytics.server.stored import StoredPublisher
from analytics.server.subscriber import BATCH_SIZE, Subscriber
from analytics.state.clock_witness import ClockWitness, steady_s
from analytics.state.state_file import FILE_NAME, StateLock, from_us, let_shrink, open_state
from analytics.watching.figures import Figures, Tally
from analytics.watching.status import note, read_counts
from analytics.writing.errands import Errands
from sensors import codec, topics
from sensors.messages import StoredMessage
from sensors.mqtt import Inbound

STEP_S = 0.25
"""How often new windows are scored. [s] (DESIGN, *Scoring*)"""

IDLE_STEP_S = 1.0
"""How often the pipeline looks at the clock when nothing arrives. [s]"""

PER_STEP_LIVE = 4_000
"""At most so many live messages a step, and hardly more in memory: the broker keeps the rest."""

PER_STEP = 1_000
BACKLOG_AT_LEAST = 50
"""Live windows go first; the backlog gets what they leave of `PER_STEP`, and never nothing."""

MAINTAIN_EVERY_S = 10.0
_SWITCH_S = 0.0005
_CLOCK_SLACK = timedelta(seconds=5)

_log = logging.getLogger("wellbeing.detect")


class Service:
    """One site's server; `run` returns when told to stop.

    Parameters
    ----------
    options : ServiceOptions
    subscriber : Subscriber
        Not started yet.
    teams : Teams
    pipeline : ScoringPipeline
        New; its state is restored from the file.
    writer : StoreWriter
        Not started yet; takes what is in the spool of the same directory.
    clock : callable
        The server's time, UTC.
    """

    def __init__(
        self,
        options: ServiceOptions,
        subscriber: Subscriber,
        teams: Teams,
        pipeline: ScoringPipeline,
        *,
        writer: StoreWriter,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._options, self._subscriber, self._pipeline = options, subscriber, pipeline
        self._clock = clock
        self._path = path = options.directory / FILE_NAME
        with ExitStack() as undo:
            self._lock = StateLock(options.directory)
            undo.callback(self._lock.release)
            self._db = open_state(options.directory)
            undo.callback(self._db.close)
            let_shrink(self._db, path)
            self._journal = Journal(self._db, path)
            self._steps = StepLog(self._db, path, as_lines=options.as_lines)
            self._stepper = Stepper(pipeline, self._journal, self._steps)
            undo.pop_all()
        self._writer = writer
        self._errands = Errands(writer.erase)
        self._desk = self._open_desk(path)
        self._intake = Intake(
            teams, self._journal.consents, options.forbidden, self._desk.tombstones
        )
        self._stored = StoredPublisher(self._journal.streams, subscriber)
        self._broker = BrokerWatch(options.site, subscriber, pipeline, self._steps, self._stored)
        self._live: deque[Arrival] = deque()
        self._confirmed: list[int] = []
        self._backlog = self._snapshot_step = self._safe_position = 0
        self._spooled_points = self._spooled_bytes = 0
        self._told_clock = self._told_doubt = self._stopped = False
        self._witness = ClockWitness(is_trusted=options.trust_clock)
        people = sum(teams.size(name, clock()) for name in teams.names)
        self._snapshots = Snapshots(options.directory)
        self._tally = Tally(tell_personal=people >= options.smallest_group)
        self._committed_s = time.monotonic()
        self.figures: Figures | None = None
        self._status_due = self._maintain_due = 0.0

    def _open_desk(self, path: Path) -> RightsDesk:
        parts = ServerParts(
            site=self._options.site,
            db=self._db,
            path=path,
            files=(self._options.directory / tombstones.FILE_NAME, *self._options.tombstones),
            journal=self._journal,
            steps=self._steps,
            stepper=self._stepper,
            pipeline=self._pipeline,
        )
        by_agents = self._options.erase_on_request
        return RightsDesk(parts, self._errands.ask, self._clock, erases_on_request=by_agents)

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set, then leave everything in order.

        Raises
        ------
        StateError
            If the state file cannot be read or written; nothing unwritten was
            confirmed to anybody.
        """
        switch_interval_s = sys.getswitchinterval()
        try:
            # By default this thread waits up to 5 ms behind the writer's at every system call;
            # with 4,000 agents that was the difference between 0.5 and 0.2 s to an alert.
            sys.setswitchinterval(_SWITCH_S)
            self._recover()
            self._subscriber.start()
            self._writer.start()
            self._errands.start()
            try:
                self._loop(stop)
            finally:
                self._subscriber.stop()
                self._writer.stop()
                self._errands.stop()
            self._finish()
        finally:
            sys.setswitchinterval(switch_interval_s)
            self._snapshots.join()
            self._db.close()
            self._lock.release()

    def _loop(self, stop: threading.Event) -> None:
        due = time.monotonic()
        while not stop.is_set():
            wait_s = max(0.0, due - time.monotonic())
            self._receive(wait_s)
            if time.monotonic() >= due:
                due = self._tick()

    def _receive(self, wait_s: float) -> None:
        """Take in what is there; a queue that has grown long is emptied before the next step."""
        batch = self._subscriber.collect(wait_s)
        while batch:
            self._take_in(batch)
            if len(batch) < BATCH_SIZE or len(self._live) >= PER_STEP_LIVE:
                return
            batch = self._subscriber.collect(0.0)

    def _take_in(self, batch: Sequence[Inbound]) -> None:
        """Append, then confirm."""
        at = self._clock()
        judged = []
        for inbound in batch:
            one = self._intake.judge(inbound.topic, inbound.payload, at)
            self._intake.remember(one)
            judged.append(one)
        appended = self._journal.append(judged, at)
        self._desk.heard(judged)
        self._subscriber.acknowledge(batch)
        for (agent, source, run), seq in appended.erased.items():
            # Not retained: nothing of who was erased stands on the broker again.
            where = topics.stored(self._options.site, agent, source)
            told = StoredMessage(run=run, seq=seq, at=at)
            self._subscriber.publish_once(where, codec.encode(told))
        self._live.extend(appended.live)
        self._backlog += appended.backlog
        self._stored.touch(appended)

    def _tick(self) -> float:
        """Do what is due; return when to come again."""
        started = time.monotonic()
        self._broker.look()
        if self._live or self._backlog or started >= self._status_due:
            self._step()
        self._rights()
        self._stored.publish(self._clock())
        if started >= self._maintain_due:
            self._maintain()
        if self._writer.failure is not None:
            raise self._writer.failure
        # Not `due + STEP_S`: after a long pause there is one step to catch up, not many.
        return max(started + STEP_S, time.monotonic())

    def _rights(self) -> None:
        """Carry out what was asked in agents' names; go on without whom it erased."""
        erased = self._desk.work()
        for agent in erased:
            self._stored.forget(agent)
        if erased:
            self._snapshot_step = self._stepper.done.number
            self._refill()
        self._broker.send(self._desk.take_pending())

    def _refill(self) -> None:
        """Take up again what is in the journal and not scored yet."""
        done = self._stepper.done
        self._live = deque(self._journal.waiting_live(done.live))
        self._backlog = self._journal.backlog_size(done.backlog)

    def _step(self) -> None:
        arrivals, reached = self._next_arrivals()
        started_s = time.monotonic()
        outputs = self._stepper.step(arrivals, reached)
        took_s = time.monotonic() - started_s
        self._tally.stepped(arrivals, outputs, self._clock().timestamp(), took_s)
        self._confirmed.extend(self._subscriber.take_confirmed())
        status_due = time.monotonic() >= self._status_due
        if arrivals or outputs.points or outputs.publications or status_due:
            self._commit(outputs, with_status=status_due)
        # Else nobody saw this step: it is recorded with the next one that shows.
        self._mirror(outputs)

    def _mirror(self, outputs: Outputs) -> None:
        """Tell agents what is held about them; what cannot go now is told anew in a minute."""
        if self._subscriber.is_connected:
            for told in outputs.mirrors:
                if told.message is not None:
                    self._subscriber.publish_once(told.topic, codec.encode(told.message))

    def _next_arrivals(self) -> tuple[list[Arrival], Step]:
        """Return what the next step takes, live first, in the order of the journal."""
        live = [self._live.popleft() for _ in range(min(len(self._live), PER_STEP_LIVE))]
        room = max(BACKLOG_AT_LEAST, PER_STEP - len(live))
        done = self._stepper.done
        late = self._journal.waiting_backlog(done.backlog, room) if self._backlog else []
        self._backlog = max(0, self._backlog - len(late)) if len(late) == room else 0
        reached = Step(
            done.number + 1,
            live[-1].position if live else done.live,
            late[-1].position if late else done.backlog,
            self._now(),
        )
        if late:
            live = sorted([*live, *late], key=lambda arrival: arrival.position)
        return live, reached

    def _now(self) -> datetime:
        """Return the clock; where it went back, time stands still until it has caught up."""
        now, before = self._clock(), self._stepper.done.now
        if before - now > _CLOCK_SLACK and not self._told_clock:
            _log.warning("the clock went back to %s; alerts wait until it has caught up", now)
        self._told_clock = before - now > _CLOCK_SLACK
        return max(now, before)

    def _commit(self, outputs: Outputs, *, with_status: bool) -> None:
        # Who is alerted does not wait until points are made, formatted and compressed.
        owes_points = bool(outputs.publications and outputs.points)
        commit = Commit(
            steps=self._stepper.unrecorded,
            points=() if owes_points else outputs.points,
            owes_points=owes_points,
            publications=outputs.publications,
            confirmed=self._confirmed,
            status=self._status() if with_status else None,
        )
        pending = self._steps.commit(commit)
        self._committed_s = time.monotonic()
        self._stepper.unrecorded.clear()
        self._confirmed = []
        self._broker.send(pending)
        if owes_points and not self._stepper.pay(outputs):
            self._broker.set_right()
        if outputs.points:
            self._writer.notify()
        if with_status:
            self._status_due = time.monotonic() + IDLE_STEP_S

    def _recover(self) -> None:
        """Reach the state of the last committed step."""
        repeated = self._stepper.recover()
        done = self._stepper.done
        self._snapshot_step = done.number - repeated
        self._desk.open()
        self._refill()
        if repeated or self._live or self._backlog:
            _log.info(
                "repeated %d steps; %d live and %d late windows wait to be scored",
                repeated,
                len(self._live),
                self._backlog,
            )

    def _maintain(self) -> None:
        """Checkpoint, snapshot and forget, each when it is due."""
        now = self._clock()
        aged_at = self._aged_at(now)
        self._journal.checkpoint(aged_at)
        self._snapshot_written()
        if self._snapshots.is_due:
            self._begin_snapshot()
        keep, keep_rows = self._options.keep, self._options.keep_rows
        self._journal.prune(self._safe_position, aged_at, keep, keep_rows)
        self._steps.prune(aged_at, keep)
        self._spooled_points, self._spooled_bytes = self._steps.spool_size()
        lost = self._steps.bound_publications()
        if lost:
            _log.warning("the broker is away for too long: dropped the %d oldest messages", lost)
        self._maintain_due = time.monotonic() + MAINTAIN_EVERY_S

    def _aged_at(self, now: datetime) -> datetime:
        """Return when things have aged to: nothing is old while nobody confirms the clock."""
        newest = self._journal.newest_window()
        doubt = self._witness.doubt(now, newest, steady_s())
        if bool(doubt) != self._told_doubt:
            self._told_doubt = bool(doubt)
            _log.warning("%s", doubt or "the clock and the newest window agree again")
        return from_us(0) if doubt else now

    def _begin_snapshot(self) -> None:
        """Freeze the state; it is written while scoring goes on."""
        done = self._stepper.done
        if done.number == self._snapshot_step:
            return
        started_s = time.monotonic()
        if self._stepper.unrecorded:
            self._commit(Outputs(), with_status=False)
        safe_position = min(
            self._live[0].position - 1 if self._live else self._journal.position,
            done.backlog if self._backlog else self._journal.position,
        )
        frozen = self._pipeline.freeze()
        self._snapshots.begin(done, frozen, safe_position, time.monotonic() - started_s)

    def _snapshot_written(self, *, wait: bool = False) -> None:
        finished = self._snapshots.take_finished(wait=wait)
        if finished is not None:
            self._stepper.saved()
            self._snapshot_step, self._safe_position = finished.step, finished.safe_position
        self._tally.snapshot = self._snapshots.figures

    def _finish(self) -> None:
        """Leave a state from which the next start has nothing to repeat."""
        self._stopped = True
        self._confirmed.extend(self._subscriber.take_confirmed())
        self._commit(Outputs(), with_status=True)
        self._journal.checkpoint(self._aged_at(self._clock()))
        self._snapshot_written(wait=True)
        self._begin_snapshot()
        self._snapshot_written(wait=True)

    def _status(self) -> str:
        """Publish the figures of this moment; return them for the state file."""
        store, counted = self._writer.state, read_counts(self._db, self._path)
        self.figures = Figures(
            site=self._options.site,
            at=self._stepper.done.now,
            ticked_s=time.monotonic(),
            committed_s=self._committed_s,
            broker_trouble=self._subscriber.trouble,
            store=store,
            behind_s=self._tally.behind_s(store.written + store.refused, self._spooled_points),
            counters=counted.counters,
            missing=self._journal.streams.missing,
            live_waiting=len(self._live),
            backlog_waiting=self._backlog,
            journal_rows=counted.journal_rows,
            spooled_points=self._spooled_points,
            spooled_bytes=self._spooled_bytes,
            alerts=self._tally.open_alerts(self._pipeline.open_alerts()),
            counted=self._tally.frozen(),
        )
        return note(self.figures, stopped=self._stopped)
