"""A simulated past week for a simulated floor, so that baselines are ready at once.

Each of the last days holds one stretch of ordinary work. The windows are made
by the same code that an edge uses and are scored by the same pipeline; what
it would have published is dropped, since nobody was there to be told, and an
alert that happened to open is not carried into today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby
from pathlib import Path

import numpy as np

from analytics.events import Arrival
from analytics.journal.steps import Commit, Snapshot, Step, StepLog
from analytics.people.teams import Teams
from analytics.pipeline.pipeline import Pipeline
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.points import Database, Point
from sensors.messages import WINDOW_S, Action, AlertState, DecisionMessage, ReadingMessage
from sensors.recording import LabelTrack, Recording, Series, windows
from sensors.simulated import Simulation

DAYS = 5
STRETCH_S = 720
"""Ordinary work per simulated day. [s] Five of them fill the hour that most baselines span."""

STEPS = DAYS * STRETCH_S // int(WINDOW_S)
"""How many steps the past takes, for a progress bar."""

_FIRST_POSITION = -(10**9)  # before everything a journal will number
_COMMIT_POINTS = 20_000

_Window = tuple[datetime, str, ReadingMessage]


def write_past(
    state_dir: Path,
    *,
    site: str,
    teams: Teams,
    seeds: Mapping[str, int],
    ends_at: datetime,
    progress: Callable[[int], None],
) -> None:
    """Leave a server's state behind as if it had watched the floor for a week.

    Parameters
    ----------
    state_dir : Path
        The server's; must hold no state yet.
    site : str
    teams : Teams
    seeds : mapping
        Agent to the seed of its simulated person.
    ends_at : datetime
        When the last stretch ends. UTC.
    progress : callable
        Called with the number of steps done, `STEPS` in all.

    Raises
    ------
    StateError
        If the state cannot be written.
    """
    pipeline = Pipeline(site, teams)
    db = open_state(state_dir)
    try:
        log = StepLog(db, state_dir / FILE_NAME)
        pending: list[Point] = []
        for done, points in enumerate(live_through(pipeline, site, seeds, ends_at), start=1):
            pending += points
            if len(pending) >= _COMMIT_POINTS or done == STEPS:
                log.commit(Commit(points=pending))
                pending = []
            progress(done)
        log.save_snapshot(Snapshot(Step(0, 0, 0, ends_at), pipeline.snapshot()))
    finally:
        db.close()


def live_through(
    pipeline: Pipeline, site: str, seeds: Mapping[str, int], ends_at: datetime
) -> Iterator[list[Point]]:
    """Step `pipeline` through the past of every agent; yield each step's derived points.

    Raw readings and beats are left out: they would be kept for a month of
    people who do not exist.
    """
    position = _FIRST_POSITION
    for day in reversed(range(DAYS)):
        start_at = ends_at - timedelta(days=day, seconds=STRETCH_S)
        stretches = (_stretch(site, agent, seed, day, start_at) for agent, seed in seeds.items())
        floor = merge(*stretches, key=lambda window: window[:2])
        for number, group in groupby(floor, key=lambda window: _number(window[0], start_at)):
            arrivals = []
            for at, agent, message in group:
                position += 1
                arrivals.append(Arrival(position, at, agent, message))
            now = start_at + timedelta(seconds=WINDOW_S * (number + 1))
            points = pipeline.step([*arrivals, *_closing(pipeline, position, now)], now).points
            yield [p for p in points if p.measurement.database is Database.DERIVED]


def _number(at: datetime, start_at: datetime) -> int:
    return int((at - start_at).total_seconds() // WINDOW_S)


def _closing(pipeline: Pipeline, position: int, now: datetime) -> list[Arrival]:
    """Return the decisions that close whatever is open: nothing waits from the past."""
    return [
        Arrival(
            position,
            now,
            None,
            DecisionMessage(
                id=alert.alert_id, at=now, alert_id=alert.alert_id, by="past",
                action=Action.AGENT_SAYS_FINE,
            ),
        )
        for alert in pipeline.open_alerts()
        if alert.state is not AlertState.PENDING
    ]  # fmt: skip


def _stretch(site: str, agent: str, seed: int, day: int, start_at: datetime) -> Iterator[_Window]:
    """Yield one agent's windows of one day, oldest first."""
    tracks = Simulation(seed, day=day + 1).advance(STRETCH_S)
    nothing = np.zeros(0)
    series = {name: Series(t_s, values, nothing) for name, (t_s, values) in tracks.items()}
    unlabelled = LabelTrack(nothing, np.zeros(0, dtype=np.int8), STRETCH_S)
    recording = Recording(agent, STRETCH_S, series, unlabelled)
    for message in windows(
        recording, site=site, agent=agent, source="desk", run=f"past{day:04d}", start_at=start_at
    ):
        yield message.window_end_at, agent, message
