import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sensors.config import BrokerSettings
from sensors.edge.asking import asking
from sensors.edge.collecting import clock, supervise
from sensors.edge.companion import Companion
from sensors.edge.consent import choices
from sensors.edge.outbox import keeping
from sensors.edge.own import keeper
from sensors.edge.recording import recorder
from sensors.edge.running.process import EdgeProcess
from sensors.edge.sending import publisher
from sensors.edge.settings import EdgeSettings
from sensors.edge.telling import teller
from sensors.signals import Channel
from tests.rig.waiting import PATIENCE_S
from tests.sensors.edge.scripted import Scripted

RESEND_AFTER_S = 5.0


class FastTime:
    """The system's clocks, ten times as fast: a window lasts half a second."""

    SPEED = 10.0

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._start_at = datetime.now(UTC)
        self.set_by = timedelta()  # how far the system's clock was set

    def monotonic_s(self) -> float:
        return 5000.0 + (time.monotonic() - self._start_s) * self.SPEED

    def wall_at(self) -> datetime:
        return self.true_at() + self.set_by

    def true_at(self) -> datetime:
        """The time it really is."""
        return self._start_at + timedelta(seconds=self.monotonic_s() - 5000.0)

    async def sleep_until(self, at_monotonic_s: float) -> None:
        while (left_s := at_monotonic_s - self.monotonic_s()) > 0:  # noqa: ASYNC110 - may wake early
            await asyncio.sleep(left_s / self.SPEED)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted.opened = []
    monkeypatch.setattr(supervise, "FIRST_PAUSE_S", 0.01)
    # Whose disk or broker hangs is let go of within seconds, and what a busy machine
    # was about to write or to say would be missing.
    monkeypatch.setattr(asking, "_WITHIN_S", PATIENCE_S)
    monkeypatch.setattr(choices, "_WRITTEN_WITHIN_S", PATIENCE_S)
    monkeypatch.setattr(publisher, "_GOODBYE_S", PATIENCE_S)
    for ends in (keeper, keeping, recorder, teller):
        monkeypatch.setattr(ends, "_LAST_WITHIN_S", PATIENCE_S)
    monkeypatch.setitem(
        supervise.BUILT_IN,
        "scripted",
        supervise.BuiltIn(
            "tests.sensors.edge.scripted:Scripted", frozenset({Channel.HEART, Channel.KEYBOARD})
        ),
    )


class Running:
    """An edge process in this loop, and what it said."""

    def __init__(self, process: EdgeProcess, lines: list[str]) -> None:
        self.process = process
        self.lines = lines


RunEdge = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def run_edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunEdge:
    """Return a context manager that runs an edge against the broker on `port`."""
    # On a clock ten times as fast a busy second would be a machine that slept.
    monkeypatch.setattr(clock, "RESYNC_S", FastTime.SPEED * clock.RESYNC_S)

    @asynccontextmanager
    async def run(
        port: int,
        consent: Any = None,
        times: FastTime | None = None,
        companions: Sequence[Companion] = (),
        **changes: Any,
    ) -> AsyncIterator[Running]:
        given = {
            "agent": "k7",
            "source": "pc",
            "state_dir": str(tmp_path / "state"),
            "collectors": ("scripted",),
            "backlog_per_s": 1000.0,
            "resend_after_s": RESEND_AFTER_S,
        }
        settings = EdgeSettings(**{**given, **changes})
        lines: list[str] = []
        process = EdgeProcess(
            settings,
            BrokerSettings(port=port),
            lines.append,
            times or FastTime(),
            companions=companions,
        )
        if consent is not None:
            process.consent(consent)
        task = asyncio.create_task(process.run())
        try:
            yield Running(process, lines)
        finally:
            process.stop()
            await task

    return run
