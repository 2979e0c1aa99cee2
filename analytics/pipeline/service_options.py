"""What a service is given: the pipeline it drives and what an operator may set."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from analytics.events import Arrival, Outputs
from analytics.state.snapshot import Frozen
from analytics.writing.report import StoreState
from sensors.errors import WellbeingError
from sensors.messages import AlertMessage
from sensors.signals import Channel


class ScoringPipeline(Protocol):
    """The functional core, as this shell drives it (`analytics.pipeline.pipeline`)."""

    def step(self, arrivals: Sequence[Arrival], now: datetime) -> Outputs:
        """Score `arrivals`; no clock, no socket, the same for the same input."""

    def snapshot(self) -> bytes:
        """Return the whole state."""

    def freeze(self) -> Frozen:
        """Return a copy of the whole state, to be made bytes of while this goes on."""

    def restore(self, data: bytes) -> None:
        """Take over what `snapshot` returned."""

    def open_alerts(self) -> list[AlertMessage]:
        """Return the alerts that are retained right now."""


class StoreWriter(Protocol):
    """Whoever takes points from the spool on disk into the store."""

    @property
    def state(self) -> StoreState:
        """How the store is."""

    @property
    def failure(self) -> WellbeingError | None:
        """What only a person can mend: the service ends with it."""

    def start(self) -> None:
        """Begin."""

    def notify(self) -> None:
        """Say that there may be something new in the spool."""

    def erase(self, site: str, agent: str, before: datetime | None = None) -> Future[int]:
        """Erase from the store, after all that was read from the spool before."""

    def stop(self) -> None:
        """Write what can be written quickly, then end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """What an operator may set.

    Parameters
    ----------
    site : str
    directory : Path
        Where the state is kept.
    keep : timedelta
        How long scored input is kept.
    keep_rows : int
        And at most so many rows of it.
    forbidden : frozenset of Channel
        Channels the profile forbids.
    tombstones : tuple of Path
        Where erasures are kept besides the state: beside the embedded store.
    erase_on_request : bool
        Whether an agent's own request to be erased is carried out without an
        administrator.
    trust_clock : bool
        Whether the server's clock is believed against the newest window.
    smallest_group : int
        Of a site with fewer people no count of personal alerts is told to
        whoever watches the server.
    as_lines : bool
        Whether the store is a database server: then points wait for it as it takes them.
    """

    site: str
    directory: Path
    keep: timedelta = timedelta(hours=24)
    keep_rows: int = 500_000
    forbidden: frozenset[Channel] = frozenset()
    tombstones: tuple[Path, ...] = ()
    erase_on_request: bool = False
    trust_clock: bool = False
    smallest_group: int = 5
    as_lines: bool = False
