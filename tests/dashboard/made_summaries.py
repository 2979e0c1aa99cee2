"""Summaries of a made-up floor, as the server writes them each minute."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from analytics.store.points import Measurement, Point, epoch_ns
from tests.dashboard.floors import SITE

STATES = ("as_usual", "learning", "different", "no_data", "fault")


def summary(agent: str, at: datetime, **shares: float) -> Point:
    """Return one minute of `agent`, with all that a supervisor must not see."""
    fields: dict[str, float | int | bool | str] = {
        "windows": 12,
        "late": False,
        "detector_version": "1",
        "strain_index": 71.37,
        "score": 2.7183,
        "heart_rate_bpm": 93.21,
    }
    fields |= {f"share_{state}": shares.get(state, 0.0) for state in STATES}
    return Point(Measurement.SUMMARY, {"site": SITE, "agent": agent}, fields, epoch_ns(at) + 7)


def minutes(
    agents: Iterable[str],
    start_at: datetime,
    lasts: timedelta,
    shares: Mapping[str, float],
    every: timedelta = timedelta(minutes=1),
) -> list[Point]:
    """Return the minutes of `agents` from `start_at` on, each the same."""
    ats = [start_at + at * every for at in range(lasts // every)]
    return [summary(agent, at, **shares) for agent in agents for at in ats]
