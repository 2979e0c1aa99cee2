"""One round of windows as it was judged, so that its points can be told later; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analytics.pipeline import window_lines, window_points
from analytics.scoring.floor import Floor, Judged
from analytics.store.formatted import Formatted, formatted
from analytics.store.line_protocol import Encoder
from analytics.store.points import Point
from sensors.messages import ContextState

_WINDOWS_AT_ONCE = 500
"""About as many points as go into one request; a window has about nine."""


@dataclass(frozen=True, slots=True)
class Record:
    """What became of each window of a round.

    Parameters
    ----------
    site : str
    judged : Judged
        Nobody changes it afterwards.
    teams : list of str or None
        Of each window's agent when it was judged.
    contexts : list of str or None
        What each agent was doing then, where telephony says so.
    """

    site: str
    judged: Judged
    teams: list[str | None]
    contexts: list[str | None]

    @classmethod
    def of(
        cls, site: str, floor: Floor, judged: Judged, context: Mapping[str, ContextState]
    ) -> Record:
        """Return the record of a round that was judged just now."""
        windows = judged.windows
        teams = [floor.team(window.row) for window in windows]
        states = [context.get(window.agent) for window in windows]
        return cls(site, judged, teams, [None if s is None else s.value for s in states])

    def points(self) -> list[Point]:
        """Return the reading, beats, feature and score of every window."""
        return self._points(slice(None))

    def _points(self, some: slice) -> list[Point]:
        return window_points.points(self.site, self.judged, self.teams, self.contexts, some)

    def lines(self, encoder: Encoder) -> Iterator[Formatted]:
        """Yield the same points as lines, so many at a time as go together."""
        for start in range(0, len(self.judged.windows), _WINDOWS_AT_ONCE):
            some = slice(start, start + _WINDOWS_AT_ONCE)
            try:
                found = window_lines.sections(
                    self.site, self.judged, self.teams, self.contexts, some
                )
            except ValueError:
                # Some point has no line of its own, or none at all: only they can tell.
                yield formatted(self._points(some), encoder)
            else:
                yield Formatted(found, ())
