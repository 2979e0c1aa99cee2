"""What an edge says about itself: to the server in its status, to the agent in full."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sensors.edge.collecting.supervise import Supervisor
from sensors.edge.collecting.window import Assembler
from sensors.edge.consent.permission import Permission
from sensors.edge.outbox.outbox import Outbox
from sensors.edge.sending.identity import software_version
from sensors.edge.settings import EdgeSettings
from sensors.edge.words import names
from sensors.messages import StatusMessage
from sensors.signals import Channel
from sensors.spoken import say


def start_line(settings: EdgeSettings, allowed: Iterable[Channel]) -> str:
    """Return one line that says what this edge does."""
    return say(
        "edge of {agent} at {site}, source {source}; may measure: {channels}",
        agent=settings.agent,
        site=settings.site,
        source=settings.source,
        channels=names(allowed),
    )


class About:
    """One edge's parts, to be asked how they are.

    Parameters
    ----------
    settings : EdgeSettings
    run : str
    outbox, assembler, supervisors
        Those of the edge.
    key_kept_in : str
        Where the key of what is kept here is.
    on_page : callable
        Returns how much was not said aloud.
    """

    def __init__(
        self,
        settings: EdgeSettings,
        run: str,
        *,
        outbox: Outbox,
        assembler: Assembler,
        supervisors: Sequence[Supervisor],
        key_kept_in: str,
        on_page: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._run = run
        self._outbox = outbox
        self._assembler = assembler
        self._supervisors = supervisors
        self._key_kept_in = key_kept_in
        self._on_page = on_page

    def status(self, at: datetime, *, online: bool) -> StatusMessage:
        """Return what the server is told; offline, nothing is known of any device."""
        return StatusMessage(
            source=self._settings.source,
            run=self._run,
            online=online,
            at=at,
            version=software_version(),
            links=self._assembler.links if online else {},
            held=self._outbox.held,
            dropped=self._outbox.dropped,
        )

    def report(
        self,
        permission: Permission,
        *,
        windows: int,
        unsent: int,
        is_connected: bool,
        refusal: str,
    ) -> dict[str, Any]:
        """Return the state for the agent's own eyes.

        Parameters
        ----------
        permission : Permission
        windows, unsent : int
            Windows of this run; of all runs, those never handed to the broker.
        is_connected : bool
            Whether the broker is there.
        refusal : str
            Why it is not, as far as that is known.
        """
        return {
            "running": True,
            "site": self._settings.site,
            "agent": self._settings.agent,
            "source": self._settings.source,
            "run": self._run,
            "connected": is_connected,
            "refusal": refusal,
            "windows": windows,
            "held": self._outbox.held,
            "unsent": unsent,
            "locked": self._outbox.locked,
            "dropped": self._outbox.dropped,
            "key_kept_in": self._key_kept_in,
            "out_of_range": self._assembler.rejected,
            "consent": [channel.value for channel in sorted(permission.channels)],
            "stopped_because": sorted(permission.reasons),
            "channels": {c.value: str(state) for c, state in self._assembler.links.items()},
            "on_page": self._on_page(),
            "device_of": {
                c.value: s.device for s in self._supervisors for c in s.channels if s.device
            },
            "devices": {s.name: s.device for s in self._supervisors if s.device},
            "troubles": {
                c.value: s.trouble for s in self._supervisors for c in s.channels if s.trouble
            },
            "not_kept_up": {s.name: s.lost for s in self._supervisors if s.lost},
            "unreadable": {s.name: s.unreadable for s in self._supervisors if s.unreadable},
        }
