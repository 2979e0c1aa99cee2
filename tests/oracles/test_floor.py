"""Who is judged and what is kept of whom, agent by agent: the oracle of the floor's columns."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.scoring.floor import SCORING_VERSION, Floor, Window
from sensors.messages import Heart, Keyboard, ReadingMessage
from sensors.signals import Channel
from tests.analytics.synthetic_floor import teams

_START = datetime(2026, 1, 5, 9, tzinfo=UTC)
_NEVER = -math.inf
_AGENTS = ("k0", "k1", "k2")  # the last one is in no team
_LEARNT = 70  # windows, after which nobody is learning


@dataclass
class OneAgent:
    """What is remembered of one agent; times in seconds."""

    in_team: bool
    scored_s: float = _NEVER  # newest window
    heard_s: float = _NEVER  # the server's clock at that window
    judged_s: float = _NEVER  # the server's clock at the newest that could have raised an alert
    learning: bool = True
    measured_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(Channel, _NEVER))

    def takes(self, at_s: float, now_s: float, gives: set[str], *, late: bool) -> bool:
        """Return whether a window is scored: if it is not older than the newest."""
        if not late and at_s < self.scored_s and now_s - self.heard_s > 30.0:  # clock set back
            self.scored_s = _NEVER
            self.measured_s = dict.fromkeys(Channel, _NEVER)
        in_order = at_s >= self.scored_s
        for channel in gives if in_order or not late else ():
            self.measured_s[channel] = max(self.measured_s[channel], at_s)
        if in_order:
            self.scored_s, self.heard_s = at_s, now_s
        return in_order

    def scored(self, now_s: float, evidence: float, *, learning: bool, live: bool) -> None:
        """Remember what the scorer said of that window."""
        self.learning = learning
        if live and self.in_team and not learning and not math.isnan(evidence):
            self.judged_s = now_s

    def judged(self, now_s: float) -> bool:
        return not self.learning and now_s - self.judged_s <= 30.0


def _window(floor: Floor, agent: str, number: int, gives: set[str], *, late: bool) -> Window:
    sections = {
        Channel.HEART: Heart(
            quality=1.0,
            hr_bpm=70.0 + 0.25 * (number % 3),
            rr_ms=(850.0,) * 6,
            beat_offset_ms=tuple(850.0 * k - 5000.0 for k in range(6)),
        ),
        Channel.KEYBOARD: Keyboard(
            quality=1.0, key_presses=20, dwell_ms=100.0 + number % 5, key_corrections=1
        ),
    }
    message = ReadingMessage(
        source="pc",
        run="abcdefgh",
        seq=abs(number),
        window_end_at=_START + timedelta(seconds=5 * number),
        **{channel.value: section for channel, section in sections.items() if channel in gives},
    )
    return Window(floor.row(agent), agent, message, late)


def _judge(
    floor: Floor, alone: dict[str, OneAgent], windows: list[Window], live: list[bool], now_s: float
) -> None:
    """Judge one round both ways, and compare."""
    found = floor.judge(windows, np.array(live, bool), now_s)
    for k, (window, may_begin) in enumerate(zip(windows, live, strict=True)):
        one, message = alone[window.agent], window.message
        gives = {channel for channel in Channel if getattr(message, channel.value) is not None}
        at_s = message.window_end_at.timestamp()
        in_order = one.takes(at_s, now_s, gives, late=window.late)
        assert in_order == (found.place[k] >= 0)
        if in_order:
            scores, place = found.scores, found.place[k]
            one.scored(
                now_s,
                float(scores.evidence[place]),
                learning=bool(scores.learning[place]),
                live=may_begin,
            )
    rows = np.array([floor.row(agent) for agent in alone], np.intp)
    for name in ("scored_s", "heard_s", "judged_s", "learning"):
        assert floor.columns[name][rows].tolist() == [getattr(one, name) for one in alone.values()]
    kept = [[one.measured_s[channel] for channel in Channel] for one in alone.values()]
    assert floor.measured_s[rows].tolist() == kept
    for later_s in (0.0, 25.0, 30.0, 30.5, 100.0):
        expected = [one.judged(now_s + later_s) for one in alone.values()]
        assert floor.judged(rows, now_s + later_s).tolist() == expected
    assert floor.judged(rows[:0], now_s).tolist() == []


@cache
def _settled() -> tuple[dict[str, np.ndarray], dict[str, OneAgent], float]:
    """Return a floor whose agents have left learning, they one by one, and the server's clock."""
    floor = Floor(teams(2))
    alone = {agent: OneAgent(in_team=agent != "k2") for agent in _AGENTS}
    now_s = _START.timestamp()
    for number in range(_LEARNT):
        now_s += 5.0
        everything = set(Channel)
        windows = [_window(floor, agent, number, everything, late=False) for agent in _AGENTS]
        for window in windows:
            floor.find_team(window, window.message.window_end_at.timestamp())
        _judge(floor, alone, windows, [True] * len(windows), now_s)
    assert [one.judged(now_s) for one in alone.values()] == [True, True, False]
    return floor.to_arrays(), alone, now_s


_GIVES = st.sampled_from([set(Channel), set(Channel), {Channel.HEART}, {Channel.KEYBOARD}, set()])
_ONE = st.tuples(
    st.sampled_from([1] * 8 + [0, -1, -3, -40, 2, 7]),  # windows since the newest
    _GIVES,
    st.sampled_from([False, False, False, True]),  # late
    st.sampled_from([True, True, False]),  # live
)
_ROUND = st.tuples(
    st.sampled_from([5.0] * 6 + [0.0, 25.0, 30.0, 30.5, 90.0]),  # of the server's clock
    st.dictionaries(st.sampled_from(_AGENTS), _ONE),
)


@given(st.lists(_ROUND, min_size=1, max_size=25))
@settings(deadline=None, max_examples=60)
def test_columns_hold_what_is_remembered_of_each_agent(rounds):
    arrays, alone, now_s = deepcopy(_settled())
    floor = Floor(teams(2))
    floor.restore(arrays, list(_AGENTS), list(floor.team_names), SCORING_VERSION)
    number = dict.fromkeys(_AGENTS, _LEARNT - 1)
    for step_s, told in rounds:
        now_s += step_s
        windows, live = [], []
        for agent, (step, gives, late, may_begin) in told.items():
            number[agent] += step
            windows.append(_window(floor, agent, number[agent], gives, late=late))
            live.append(may_begin)
        _judge(floor, alone, windows, live, now_s)
