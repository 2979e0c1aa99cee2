"""The points of one round of windows: what was read, its features, its judgement."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

from analytics.alerts import points_out
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.floor import Judged, Window
from analytics.scoring.person_state import STATES
from analytics.signals.features import FEATURES, PARTS, UNKNOWN_LEVEL
from analytics.store.points import FieldValue, Measurement, Point
from sensors.messages import PersonState

_NAMES = tuple(feature.name for feature in FEATURES)
_ALL = slice(None)
_UNKNOWN = [UNKNOWN_LEVEL] * len(PARTS)


def points(
    site: str,
    judged: Judged,
    teams: Sequence[str | None],
    contexts: Sequence[str | None],
    some: slice = _ALL,
) -> list[Point]:
    """Return the reading, beats, feature and score of some windows of a round.

    Parameters
    ----------
    site : str
    judged : Judged
    teams, contexts : sequence of str or None
        Of each window's agent, when it was judged.
    some : slice
        Which of the windows.
    """
    out: list[Point] = []
    # Whole arrays to Python values at once: ten times cheaper than one by one.
    features = judged.features.values.tolist()
    place = judged.place.tolist()
    columns = _columns(judged)
    for index in range(*some.indices(len(judged.windows))):
        window, team = judged.windows[index], teams[index]
        message, agent = window.message, window.agent
        time_ns = points_out.window_time_ns(message)
        tags = {"site": site, "agent": agent}
        out.append(points_out.reading(site, agent, message, time_ns, late=window.late))
        out.extend(points_out.beats(site, agent, message))
        values = {n: v for n, v in zip(_NAMES, features[index], strict=True) if v == v}  # noqa: PLR0124 - NaN
        if values:
            out.append(_feature(tags, window, time_ns, values, team))
        fields = _circumstances(window, team, contexts[index])
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
