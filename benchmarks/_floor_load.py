"""A floor that talks: every agent's windows at their own time, and what comes back of them.

Messages are made beforehand, with other values in each of a few hundred, and get
their number and times as they are sent: what takes time here is missing to what
is measured on the same machine.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sensors import codec, topics
from sensors.messages import (
    WINDOW_S,
    AlertMessage,
    ConsentMessage,
    Heart,
    Keyboard,
    Modules,
    Pointer,
    ReadingMessage,
    RequestKind,
    RequestMessage,
    StoredMessage,
)
from sensors.mqtt import Connection, Inbound
from sensors.reduction import grid_shift_ms
from sensors.signals import Channel

SITE, RUN, SOURCE = "bench", "benchrun1", "load"
MADE = 500
BEHIND_AT_MOST_S = 15.0
"""A window that could only be sent so late is not sent: it would be none of a live floor."""

_SEQ, _END, _SENT = 987_654_321, datetime(2001, 2, 3, tzinfo=UTC), datetime(2004, 5, 6, tzinfo=UTC)


@dataclass
class Floor:
    """The load: what was sent, when its windows ended, and what came back."""

    connection: Connection | None = None
    made: list[bytes] = field(default_factory=list)
    ends: dict[tuple[str, int], float] = field(default_factory=dict)
    stored_s: dict[tuple[str, int], float] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)
    alert_s: dict[str, float] = field(default_factory=dict)
    next_stored: dict[str, int] = field(default_factory=dict)
    sent_late_s: list[float] = field(default_factory=list)
    not_sent: int = 0
    cpu_s: dict[str, float] = field(default_factory=dict)
    others_share: float = 0.0

    def hear(self, inbound: Inbound) -> None:
        """Note when a window was stored or an alert appeared."""
        now = time.time()
        topic = topics.parse(inbound.topic)
        if topic.alert_id is not None and inbound.payload:
            agent = codec.decode(inbound.payload, AlertMessage).agent
            if agent in self.asked_at:
                self.alert_s.setdefault(agent, now - self.asked_at[agent])
        elif topic.agent is not None and inbound.payload:
            last = codec.decode(inbound.payload, StoredMessage).seq
            for seq in range(self.next_stored.get(topic.agent, 0), last + 1):
                key = (topic.agent, seq)
                self.stored_s[key] = now - self.ends[key]
            self.next_stored[topic.agent] = last + 1

    def send(self, agent: str, seq: int, end_s: float, *, asks: bool) -> None:
        """Publish one window, and a request for help with it."""
        assert self.connection is not None
        end = datetime.fromtimestamp(end_s, UTC)
        self.ends[agent, seq] = end_s
        window = self.made[len(self.ends) % len(self.made)]
        now_s = time.time()
        for blank, given in (
            (str(_SEQ), str(seq)),
            (_text(_END), _text(end)),
            (_text(_SENT), _text(datetime.fromtimestamp(now_s, UTC))),
        ):
            window = window.replace(blank.encode(), given.encode())
        self.connection.publish(topics.reading(SITE, agent), window)
        self.sent_late_s.append(now_s - end_s)
        if asks:
            self.asked_at[agent] = end_s
            request = RequestMessage(id=f"{agent}00000000", at=end, kind=RequestKind.HELP_NOW)
            self.connection.publish(topics.request(SITE, agent), codec.encode(request))


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def made_windows() -> list[bytes]:
    """Return full windows of plausible, varying values, with blanks for number and times."""
    found = [codec.encode(_window()) for _ in range(MADE)]
    assert all(blank.encode() in found[0] for blank in (str(_SEQ), _text(_END), _text(_SENT)))
    return found


def _window() -> ReadingMessage:
    rr = tuple(random.gauss(800, 30) for _ in range(6))
    return ReadingMessage(
        source=SOURCE,
        run=RUN,
        seq=_SEQ,
        window_end_at=_END,
        sent_at=_SENT,
        heart=Heart(
            quality=1.0, hr_bpm=75.0, rr_ms=rr, beat_offset_ms=tuple(-800.0 * i for i in range(6))
        ),
        keyboard=Keyboard(quality=1.0, key_presses=20, dwell_ms=random.gauss(95, 5), flight_ms=110),
        pointer=Pointer(quality=1.0, pointer_speed_px_s=random.gauss(600, 50), pointer_clicks=2),
        modules=Modules(quality=1.0, values={"eda_us": random.gauss(4, 0.2), "skin_temp_c": 33.0}),
    )


def drive(
    floor: Floor, agents: list[str], seconds: float, tell: Callable[[int], None] = lambda _: None
) -> None:
    """Send every agent's windows at their ends for `seconds`; one agent a quarter second asks.

    What it could only send `BEHIND_AT_MOST_S` late is counted, not sent: nothing
    more is, from there on.
    """
    first = math.ceil(time.time() + 1)
    base = first - first % WINDOW_S + WINDOW_S
    order = sorted((grid_shift_ms(SITE, agent) / 1000, agent) for agent in agents)
    waiting = set(random.sample(agents, min(len(agents), int(seconds * 4))))
    rounds = int(seconds / WINDOW_S)
    for seq in range(rounds):
        for place, (shift_s, agent) in enumerate(order):
            end_s = base + seq * WINDOW_S + shift_s
            if (ahead := end_s - time.time()) > 0:
                time.sleep(ahead)
            elif ahead < -BEHIND_AT_MOST_S:
                floor.not_sent = (rounds - seq) * len(order) - place
                return
            asks = agent in waiting and random.random() < WINDOW_S / seconds
            floor.send(agent, seq, end_s, asks=asks)
            waiting -= {agent} if asks else set()
            if not len(floor.ends) % 500:
                tell(len(floor.ends))


def consent(floor: Floor, agents: list[str]) -> None:
    """Say that every agent consents to what is sent."""
    assert floor.connection is not None
    message = ConsentMessage(
        version="1", at=datetime.now(UTC) - timedelta(hours=1), channels=tuple(Channel)
    )
    for agent in agents:
        floor.connection.publish(topics.consent(SITE, agent), codec.encode(message), retain=True)


def names(count: int) -> list[str]:
    """Return so many agents."""
    return [f"a{i:05d}" for i in range(count)]


def write_teams(path: Path, agents: list[str]) -> None:
    """Write teams of twenty."""
    teams = [agents[i : i + 20] for i in range(0, len(agents), 20)]
    text = [
        f'[team{i}]\nsupervisors = ["ana"]\ntime_zone = "UTC"\nvalid_from = 2020-01-01\n'
        f"agents = {json.dumps(team)}\n"
        for i, team in enumerate(teams)
    ]
    path.write_text("\n".join(text))
