"""One recording through the real edge path: windows, outbox, MQTT, `stored`.

The virtual clock ends now: at speed S a recording of D seconds is stamped
from *start + D/S - D* on. Each window carries, as its clock offset, real
minus virtual time at the moment it was due, so the server judges its lateness
by how long it really took.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

from sensors.config import BrokerSettings
from sensors.edge.outbox.outbox import Key, Outbox
from sensors.edge.sealing.cipher import Cipher, new_key
from sensors.edge.sending.identity import Identity, software_version
from sensors.edge.sending.plan import Pace
from sensors.edge.sending.publisher import Publisher
from sensors.messages import ConsentMessage, ReadingMessage, StatusMessage
from sensors.recording import Recording, windows

CONSENT_VERSION = "recording"
"""Stands in the consent of a replayed agent: the person agreed to be recorded."""

_PACE = Pace(in_flight=200, backlog_per_s=math.inf)
_LOOK_S = 0.02  # finest step of the replay
_BATCH = 50  # windows committed to the outbox at once


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one replay is, in windows."""

    total: int
    kept: int
    sent: int
    stored: int


class ReplaySession:
    """Replays one recording as one agent.

    Parameters
    ----------
    folder : Path
        Where the outbox is kept while it runs.
    speed : float
        Virtual seconds in one real second; infinite for as fast as it goes.
    """

    def __init__(
        self,
        recording: Recording,
        broker: BrokerSettings,
        *,
        site: str,
        agent: str,
        source: str,
        folder: Path,
        speed: float,
    ) -> None:
        self.agent = agent
        self._recording = recording
        self._speed = speed
        self._real_start_at = datetime.now(UTC)
        self._real_start_s = time.monotonic()
        duration_s = recording.duration_s
        self._start_at = self._real_start_at + timedelta(seconds=duration_s / speed - duration_s)
        self._source = source
        self._run = token_hex(8)
        self._virtual_at = self._start_at
        self._kept = 0
        self._windows = list(
            windows(
                recording,
                site=site,
                agent=agent,
                source=source,
                run=self._run,
                start_at=self._start_at,
            )
        )
        # Gone with its folder when the replay ends: nobody needs the key again.
        self._outbox = Outbox(folder / f"{site}-{agent}.sqlite", Cipher(new_key()))
        self._publisher = Publisher(
            broker,
            Identity(site=site, agent=agent, source=source, run=self._run),
            self._outbox,
            self,
            status=self._status,
            consent=self._consent,
            pace=_PACE,
            asks_time=False,
        )

    def monotonic_s(self) -> float:
        """Return the real monotonic clock, which paces sending. [s]."""
        return time.monotonic()

    def now_at(self) -> datetime:
        """Return the virtual present: the end of the newest window. UTC."""
        return self._virtual_at

    @property
    def progress(self) -> Progress:
        """How far it is."""
        sent = self._kept - self._publisher.unsent
        stored = self._kept - self._outbox.held
        return Progress(len(self._windows), self._kept, max(sent, stored), stored)

    async def run(self, connect_within_s: float) -> None:
        """Send every window, each when it is due, then go on until cancelled.

        Raises
        ------
        BrokerError
            If there is no broker within `connect_within_s`.
        """
        sending = asyncio.create_task(self._publisher.run())
        try:
            await self._publisher.wait_connected(connect_within_s)
            await self._feed()
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await self._publisher.stop()
            self._outbox.close()

    async def _feed(self) -> None:
        for batch in self._batches():
            while not self._may_take(batch):  # noqa: ASYNC110 - time or room, whichever it waits for
                await asyncio.sleep(_LOOK_S)
            dropped = self._outbox.put([self._dated(one) for one in batch], datetime.now(UTC))
            self._virtual_at = batch[-1].window_end_at
            self._kept += len(batch)
            self._publisher.kept([Key(one.run, one.seq) for one in batch], dropped)

    def _batches(self) -> Iterator[list[ReadingMessage]]:
        """Yield windows in groups that fall due within one step."""
        per_step = 1 if math.isinf(self._speed) else int(self._speed * _LOOK_S / 5.0)
        size = _BATCH if math.isinf(self._speed) else min(_BATCH, max(1, per_step))
        for first in range(0, len(self._windows), size):
            yield self._windows[first : first + size]

    def _due_s(self, message: ReadingMessage) -> float:
        """Return when the window ends in real time, on the monotonic clock. [s]."""
        virtual_s = (message.window_end_at - self._start_at).total_seconds()
        return self._real_start_s + virtual_s / self._speed

    def _may_take(self, batch: list[ReadingMessage]) -> bool:
        if math.isinf(self._speed):
            return self._publisher.unsent == 0 and self._publisher.room > 0
        return time.monotonic() >= self._due_s(batch[-1])

    def _dated(self, message: ReadingMessage) -> ReadingMessage:
        """Return `message` with real minus virtual time at the moment it was due."""
        if math.isinf(self._speed):
            due_at = datetime.now(UTC)
        else:
            due_at = self._real_start_at + timedelta(
                seconds=self._due_s(message) - self._real_start_s
            )
        offset_ms = (due_at - message.window_end_at).total_seconds() * 1000.0
        return replace(message, clock_offset_ms=round(offset_ms, 3), clock_error_ms=0.0)

    def _status(self, online: bool) -> StatusMessage:
        return StatusMessage(
            source=self._source,
            run=self._run,
            online=online,
            at=datetime.now(UTC),
            version=software_version(),
            links=dict.fromkeys(self._recording.channels, "ok") if online else {},
            held=self._outbox.held,
            dropped=self._outbox.dropped,
        )

    def _consent(self) -> ConsentMessage:
        return ConsentMessage(
            version=CONSENT_VERSION,
            at=self._start_at,
            channels=tuple(sorted(self._recording.channels)),
        )
