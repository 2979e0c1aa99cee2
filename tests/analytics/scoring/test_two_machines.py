"""One agent on two machines, headset on one and keyboard on the other, whose clocks differ."""

from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.pipeline.pipeline import Pipeline
from analytics.scoring.measured import UNMEASURED_S
from analytics.signals.features import PARTS, UNKNOWN_LEVEL, Part
from sensors.messages import Absence
from sensors.signals import Channel
from tests.analytics.synthetic_floor import CALM_S, SITE, Floor, Person, teams

_WITHHELD = Absence.WITHHELD
_AT_THE_HEADSET = {Channel.KEYBOARD: _WITHHELD}
_AT_THE_KEYBOARD = {Channel.HEART: _WITHHELD, Channel.MODULES: _WITHHELD}


class Desk:
    """k0 at two machines; the keyboard's clock is `ahead_s` ahead of the headset's."""

    def __init__(self, ahead_s: float) -> None:
        self.headset = Person("k0", absent=lambda _: _AT_THE_HEADSET)
        self.keyboard = Person(
            "k0", absent=lambda _: _AT_THE_KEYBOARD, run="run00002", source="cloud"
        )
        self.ahead = timedelta(seconds=ahead_s)
        self.floor = Floor([], Pipeline(SITE, teams(1)))

    def run(self, seconds: float) -> None:
        f = self.floor
        for _ in range(int(seconds // 5)):
            f.t_s += 5.0
            window = self.keyboard.window(f.t_s)
            window = replace(window, window_end_at=window.window_end_at + self.ahead)
            here = f.arrival("k0", self.headset.window(f.t_s))
            f.feed([here, f.arrival("k0", window)])

    def known(self) -> set[Part]:
        level = self.floor.pipeline.floor.level[0]
        return {part for part, one in zip(PARTS, level, strict=True) if one != UNKNOWN_LEVEL}


@pytest.mark.parametrize("ahead_s", [-10.0, -3.0, 0.0, 3.0, 6.0, 10.0])
def test_what_each_machine_measures_is_known(ahead_s: float) -> None:
    desk = Desk(ahead_s)
    desk.run(CALM_S)
    assert desk.known() == {Part.HEART, Part.SKIN, Part.TYPING}


@pytest.mark.parametrize("ahead_s", [0.0, 10.0])
def test_what_the_machine_behind_measures_no_more_is_unknown_soon(ahead_s: float) -> None:
    desk = Desk(ahead_s)
    desk.run(CALM_S)
    desk.headset.absent = lambda _: _AT_THE_HEADSET | _AT_THE_KEYBOARD  # paused
    desk.run(UNMEASURED_S + 5.0)
    assert desk.known() == {Part.TYPING}
