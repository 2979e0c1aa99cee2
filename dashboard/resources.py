"""What every session of one dashboard process shares: the only user of Streamlit's cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from analytics.people.teams import Roster, Teams, load_roster, load_teams
from analytics.store.base import Store
from analytics.store.opening import open_store
from dashboard.cards import my_teams
from dashboard.live import Live
from dashboard.queries import Reader
from dashboard.settings import DashboardSettings, Settings, load
from dashboard.trend_reader import TrendReader
from dashboard.watch import FloorWatch

CONFIG_VARIABLE = "WELLBEING_CONFIG"
"""Configuration file when the page is started by Streamlit itself and not by our command."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a page needs, already running."""

    settings: DashboardSettings
    teams: Teams
    roster: Roster
    live: Live
    reader: Reader
    watch: FloorWatch
    clock: Callable[[], datetime]
    alerts_per_supervisor_hour: int
    trend: TrendReader


_chosen: list[Settings] = []


def choose(settings: Settings) -> None:
    """Use `settings` in this process; called by the command before the page starts."""
    _chosen[:] = [settings]


def build(settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Desk:
    """Return a running desk.

    Raises
    ------
    ConfigurationError
        If teams or roster cannot be read.
    """
    own = settings.dashboard
    teams = load_teams(Path(own.teams))
    roster = load_roster(Path(own.roster)) if own.roster else Roster()

    def opened() -> Store:
        return open_store(settings.store, read_only=True)

    reader = Reader(opened, own.site)

    def watched(now: datetime) -> list[tuple[str, tuple[str, ...]]]:
        return [(team, teams.agents(team, now)) for team in my_teams(teams, own.supervisor, now)]

    def members(at: datetime) -> dict[str, tuple[str, ...]]:
        mine = my_teams(teams, own.supervisor, clock())
        return {team: teams.agents(team, at) for team in mine}

    live = Live(settings.broker, own.site, clock)
    watch = FloorWatch(reader, own.supervisor, watched, clock)
    trend = TrendReader(opened, own.site, members, smallest=settings.smallest_group, clock=clock)
    live.start()
    watch.start()
    trend.start()
    ceiling = settings.alerts_per_supervisor_hour
    return Desk(own, teams, roster, live, reader, watch, clock, ceiling, trend)


def close(desk: Desk) -> None:
    """Disconnect and release what a desk holds."""
    desk.trend.stop()
    desk.watch.stop()
    desk.live.stop()
    desk.reader.close()


@st.cache_resource(show_spinner=False, on_release=close)
def desk() -> Desk:
    """Return the one desk of this process, built when the first page asks for it."""
    path = os.environ.get(CONFIG_VARIABLE)
    settings = _chosen[0] if _chosen else load(Path(path) if path else None)
    return build(settings)
