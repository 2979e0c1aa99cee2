"""A floor to look at: teams, scores in a real embedded store, alerts on a real broker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analytics.alerts import points_out
from analytics.signals.features import PARTS
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point, point_time_ns
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.messages import (
    Action,
    AlertKind,
    AlertMessage,
    AlertState,
    Contribution,
    DecisionMessage,
    ReplyKind,
    ReplyMessage,
    RequestKind,
)
from sensors.mqtt import Connection
from sensors.signals import Channel
from tests.rig.waiting import wait_until

SITE = "berlin"
RUN = "run0000001"
NAMES = {
    "k1": "Kim Sato",
    "k2": "Lena Roth",
    "k3": "Omar Haddad",
    "k4": "Mei Chen",
    "k5": "Paul Weiss",
    "k6": "Aisha Diallo",
    "k7": "Jonas Berg",
}

TEAMS = """
[billing]
supervisors = ["ana", "bo"]
time_zone = "Europe/Berlin"
agents = ["k1", "k2", "k3", "k4", "k5", "k6", "k7"]

[sales]
supervisors = ["cem"]
time_zone = "Europe/Berlin"
agents = ["s1"]
"""


def write_files(folder: Path) -> None:
    """Write teams.toml and roster.toml into `folder`."""
    (folder / "teams.toml").write_text(TEAMS)
    names = "\n".join(f'{agent} = "{name}"' for agent, name in NAMES.items())
    (folder / "roster.toml").write_text(
        f'[agents]\n{names}\n[supervisors]\nana = "Ana Lopez"\nbo = "Bo Chen"\n'
    )


def score(
    agent: str,
    at: datetime,
    state: str = "as_usual",
    levels: Mapping[str, int] | None = None,
    quality: float = 0.9,
) -> Point:
    """Return a score as the pipeline writes it, with all that a supervisor must not see."""
    fields: dict[str, float | int | bool | str] = {
        "state": state,
        "team": "billing",
        "quality": quality,
        "evidence": 3.1416,
        "strain_index": 71.37,
        "score": 2.7183,
        "late": False,
        "run": RUN,
        "seq": int(at.timestamp()),
        "detector_version": "1",
    }
    given = levels if levels is not None else dict.fromkeys(map(str, PARTS), 0)
    fields |= {f"level_{part}": level for part, level in given.items()}
    return Point(Measurement.SCORE, {"site": SITE, "agent": agent}, fields, point_time_ns(at, RUN))


def keep_alive(store: EmbeddedStore, states: Mapping[str, str], at: datetime) -> None:
    """Write one fresh score for each agent."""
    store.write([score(agent, at, state) for agent, state in states.items()])


def strained_hour(agent: str, end: datetime) -> list[Point]:
    """Return an hour in which heart and typing part from the usual, with a gap and no voice."""
    points = []
    for step in range(720):
        at = end - timedelta(seconds=5 * (719 - step))
        minute = step // 12
        if 20 <= minute < 26:
            continue  # a gap: nothing arrived
        heart = 2 if minute > 48 else 1 if minute > 40 else 0
        typing = -1 if minute > 45 else 0
        levels = {"heart": heart, "typing": typing, "pointer": 0, "skin": 0}
        state = "different" if minute > 50 else "as_usual"
        points.append(score(agent, at, state, levels, 0.5 if minute < 8 else 0.9))
    return points


def personal(alert_id: str, agent: str, started_at: datetime, **changes: object) -> AlertMessage:
    """Return a firing personal alert."""
    fields: dict[str, object] = {
        "alert_id": alert_id,
        "kind": AlertKind.PERSONAL,
        "state": AlertState.FIRING,
        "team": "billing",
        "agent": agent,
        "started_at": started_at,
        "told_at": started_at + timedelta(minutes=5),
        "told_to": ("ana",),
        "quality": 0.9,
        "contributions": (
            Contribution(part="heart", level=2),
            Contribution(part="typing", level=-1),
        ),
        "unknown": (Channel.VOICE,),
        "detector_version": "1",
    }
    return AlertMessage(**(fields | changes))  # type: ignore[arg-type]


def asking(
    alert_id: str, agent: str, at: datetime, kind: RequestKind = RequestKind.HELP_NOW
) -> AlertMessage:
    """Return an agent's request."""
    return AlertMessage(
        alert_id=alert_id,
        kind=AlertKind.REQUEST,
        state=AlertState.FIRING,
        team="billing",
        agent=agent,
        request=kind,
        started_at=at,
        told_at=at,
        told_to=("ana",),
    )


def team_alert(alert_id: str, at: datetime) -> AlertMessage:
    """Return a team alert."""
    return AlertMessage(
        alert_id=alert_id,
        kind=AlertKind.TEAM,
        state=AlertState.FIRING,
        team="billing",
        started_at=at,
        told_at=at,
        affected=5,
        team_size=7,
    )


def technical(alert_id: str, agent: str, at: datetime) -> AlertMessage:
    """Return a technical alert."""
    return AlertMessage(
        alert_id=alert_id,
        kind=AlertKind.TECHNICAL,
        state=AlertState.FIRING,
        team="billing",
        agent=agent,
        started_at=at,
        told_at=at,
        fault="not_worn",
        channel=Channel.HEART,
    )


def silence(
    identity: str,
    agent: str | None,
    at: datetime,
    lasts: timedelta,
    by: str = "bo",
    reason: str = "drill",
) -> Point:
    """Return the server's record of a silence about `agent`, or about billing."""
    message = DecisionMessage(
        id=identity,
        at=at,
        alert_id=identity,
        by=by,
        action=Action.SILENCE,
        agent=agent,
        team=None if agent else "billing",
        until_at=at + lasts,
        reason=reason,
    )
    return points_out.silence(SITE, message, "billing", "applied")


def answer(agent: str, at: datetime, *, yes: bool) -> Point:
    """Return the server's record of what `agent` answered to *Was it so?*."""
    message = ReplyMessage(
        id=f"answer00{agent}",
        at=at,
        kind=ReplyKind.WAS_IT_SO,
        alert_id=f"alert000{agent}",
        answer=yes,
    )
    return points_out.reply(SITE, agent, message, "recorded")


class Server:
    """Stands in for the server: publishes alerts and answers decisions as it does."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._alerts: dict[str, AlertMessage] = {}
        self._connection = Connection(
            BrokerSettings(port=port),
            client_id="fake-server",
            subscriptions=(topics.decision(SITE), topics.audit(SITE)),
            on_message=lambda inbound: self.heard.append((inbound.topic, inbound.payload)),
        )
        self._connection.start()
        self._connection.wait_connected(60)

    def wait_connected(self) -> None:
        """Return once it hears again: before, a broker that was away drops what is said."""
        wait_until(lambda: self._connection.is_connected, what="the server's line")

    def publish(self, alert: AlertMessage) -> None:
        """Put an alert on its retained topic."""
        self._alerts[alert.alert_id] = alert
        self._connection.publish_and_wait(
            topics.alert(SITE, alert.alert_id), codec.encode(alert), retain=True, timeout_s=60
        )

    def clear(self, alert_id: str) -> None:
        """Take an alert off its topic."""
        self._connection.publish_and_wait(
            topics.alert(SITE, alert_id), b"", retain=True, timeout_s=60
        )

    def forget(self) -> None:
        """Take every alert off its topic, and nothing was ever heard."""
        for alert_id in self._alerts:
            self.clear(alert_id)
        self._alerts.clear()
        self.heard.clear()

    def wait_for(self, topic: str, count: int = 1) -> list[bytes]:
        """Return the payloads heard on `topic` once there are `count`."""
        return wait_until(
            lambda: (
                found
                if len(found := [p for t, p in list(self.heard) if t == topic]) >= count
                else []
            ),
            what=f"{count} on {topic}",
        )

    def stop(self) -> None:
        """Disconnect."""
        self._connection.stop()


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
