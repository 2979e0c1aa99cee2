"""Everything the page shows, gathered at one moment and not looked at again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sensors.edge.consent.permission import Permission
from sensors.edge.page.remembered import Remembered
from sensors.messages import MirrorMessage, NoticeMessage, ReadingMessage
from sensors.signals import Channel

Span = Literal["day", "month"]
History = Callable[[str, Span], list[tuple[datetime, float]]]
"""Signal and span to means, oldest first; see `sensors.edge.own.record.OwnRecord.history`."""

MIRROR_LASTS = timedelta(seconds=180)
"""The server tells every 60 s what is seen; three missed, and nobody knows any more."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is read out once: the answer to what the agent just did."""

    text: str = ""
    is_error: bool = False


def no_history(_signal: str, _span: Span) -> list[tuple[datetime, float]]:
    """Stand for a record that is not there."""
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One moment of the edge, for the agent's own eyes.

    Parameters
    ----------
    now : datetime
        UTC, on the edge's clock.
    report : dict
        The edge's report.
    permission : Permission
    channels : tuple of Channel
        What the collectors here could measure.
    mirror : MirrorMessage or None
        The newest word of the server about what is held and seen.
    mirror_at : datetime or None
        When it came, on the edge's clock; the server's may be another.
    notices : tuple of NoticeMessage
        Newest first.
    window : ReadingMessage or None
        The newest window.
    history : callable
    remembered : Remembered
    is_private : bool
        Nothing leaves this machine, so nobody else sees anything.
    trouble : str
        Why part of the record could not be read; empty when it could.
    """

    now: datetime
    report: dict[str, Any]
    permission: Permission
    channels: tuple[Channel, ...] = ()
    mirror: MirrorMessage | None = None
    mirror_at: datetime | None = None
    notices: tuple[NoticeMessage, ...] = ()
    window: ReadingMessage | None = None
    history: History = no_history
    remembered: Remembered = field(default_factory=Remembered)
    is_private: bool = False
    trouble: str = ""

    @property
    def known_mirror(self) -> MirrorMessage | None:
        """The mirror while it can still be true: recent, and the line to the server up."""
        if self.mirror is None or self.mirror_at is None or not self.report["connected"]:
            return None
        return self.mirror if self.now - self.mirror_at <= MIRROR_LASTS else None
