"""The points of one round of windows: what was read, its features, its judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

from analytics.alerts import points_out
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.floor import Floor, Judged, Window
from analytics.scoring.person_state import STATES
from analytics.signals.features import FEATURES, PARTS, UNKNOWN_LEVEL
from analytics.store.points import FieldValue, Measurement, Point
from sensors.messages import ContextState, PersonState

_NAMES = tuple(feature.name for feature in FEATURES)
_UNKNOWN = [UNKNOWN_LEVEL] * len(PARTS)


@dataclass(frozen=True, slots=True)
class Record:
    """One round of windows as it was judged, so that its points can be made later.

    Parameters
    ----------
    site : str
    judged : Judged
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
        states = [context.get(window.agent) for window in windows] if context else ()
        contexts = [None if state is None else state.value for state in states]
        return cls(site, judged, teams, contexts or [None] * len(windows))

    def points(self) -> list[Point]:
        """Return the reading, beats, feature and score of every window of the round."""
        out: list[Point] = []
        site, judged = self.site, self.judged
        # Whole arrays to Python values at once: ten times cheaper than one by one.
        features = judged.features.values.tolist()
        place = judged.place.tolist()
        columns = _columns(judged)
        for index, window in enumerate(judged.windows):
            message, agent, team = window.message, window.agent, self.teams[index]
            time_ns = points_out.window_time_ns(message)
            tags = {"site": site, "agent": agent}
            out.append(points_out.reading(site, agent, message, time_ns, late=window.late))
            out.extend(points_out.beats(site, agent, message))
            values = {n: v for n, v in zip(_NAMES, features[index], strict=True) if v == v}  # noqa: PLR0124 - NaN
            if values:
                out.append(_feature(tags, window, time_ns, values, team))
            fields = _circumstances(window, team, self.contexts[index])
            at = place[index]
            levels: list[int] = columns[5][at] if at >= 0 else _UNKNOWN
            if at < 0:
                fields["state"] = PersonState.NO_DATA.value
            else:
                _judge(fields, columns, at)
            out.append(points_out.score(tags, message, time_ns, fields, levels))
        return out


def _columns(judged: Judged) -> tuple[list[Any], ...]:
    scores = judged.scores
    return (
        scores.score.tolist(),
        scores.strain_index.tolist(),
        scores.evidence.tolist(),
        scores.quality.tolist(),
        [STATES[code].value for code in judged.states.tolist()],
        scores.part_level.tolist(),
    )


def _circumstances(window: Window, team: str | None, context: str | None) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {"late": window.late, "detector_version": DETECTOR_VERSION}
    if team is not None:
        fields["team"] = team
    if context is not None:
        fields["context"] = context
    return fields


def _feature(
    tags: dict[str, str],
    window: Window,
    time_ns: int,
    values: dict[str, Any],
    team: str | None,
) -> Point:
    values["run"] = window.message.run
    values["seq"] = window.message.seq
    if team is not None:
        values["team"] = team
    return Point(Measurement.FEATURE, tags, values, time_ns)


def _judge(fields: dict[str, FieldValue], columns: tuple[list[Any], ...], at: int) -> None:
    """Add state and figures; what is unknown is absent, never zero (TRUST T13)."""
    score, index, evidence, quality, state, _ = (c[at] for c in columns)
    figures = {"score": score, "strain_index": index, "evidence": evidence, "quality": quality}
    fields.update({name: value for name, value in figures.items() if not isnan(value)})
    fields["state"] = state
