"""A floor without a broker: everything that draws pages, on a real store."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from analytics.people.teams import Roster, parse_teams
from analytics.store.embedded import EmbeddedStore
from dashboard import resources
from dashboard.queries import Reader
from dashboard.resources import Desk
from dashboard.settings import DashboardSettings
from dashboard.trend_reader import TrendReader
from dashboard.watch import FloorWatch
from tests.dashboard.floors import (
    NAMES,
    SITE,
    TEAMS,
    asking,
    keep_alive,
    strained_hour,
    team_alert,
    technical,
)
from tests.dashboard.pages import ALERT, NOW, Line


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "store.sqlite")
    yield store
    store.close()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def desk(
    store: EmbeddedStore, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    teams = parse_teams(tomllib.loads(TEAMS))
    reader = Reader(lambda: store, SITE)
    watch = FloorWatch(
        reader, "ana", lambda now: [("billing", teams.agents("billing", now))], lambda: NOW
    )
    trend = TrendReader(
        lambda: EmbeddedStore(tmp_path / "store.sqlite", read_only=True),
        SITE,
        lambda at: {"billing": teams.agents("billing", at)},
        smallest=5,
        clock=lambda: NOW,
    )
    trend.start()
    own = DashboardSettings(site=SITE, supervisor="ana", language="en")
    desk = Desk(
        own,
        teams,
        Roster(NAMES, {"ana": "Ana", "bo": "Bo Chen"}),
        line,
        reader,
        watch,
        lambda: NOW,  # type: ignore[arg-type]
        2,
        trend,
    )
    monkeypatch.setattr(resources, "desk", lambda: desk)
    yield desk
    trend.stop()


@pytest.fixture
def floor(store: EmbeddedStore, line: Line, desk: Desk) -> Desk:
    """A floor on which one of everything happens."""
    at = NOW - timedelta(seconds=3)
    store.write(strained_hour("k1", at))
    keep_alive(store, {"k2": "as_usual", "k3": "as_usual", "k4": "learning", "k5": "fault"}, at)
    alerts = [
        ALERT,
        asking("aaaaaaaa02", "k2", NOW - timedelta(seconds=40)),
        team_alert("aaaaaaaa03", NOW - timedelta(minutes=9)),
        technical("aaaaaaaa04", "k5", NOW - timedelta(minutes=3)),
    ]
    for alert in alerts:
        line.book.heard(alert.alert_id, alert)
    desk.watch.look()
    return desk
