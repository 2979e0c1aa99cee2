"""The listening process's own loop, without a device: what it does with sound that waits."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest

from sensors.errors import DeviceError
from sensors.messages import WINDOW_S
from sensors.voice import listener
from sensors.voice.heard import from_line
from sensors.voice.ring import SoundRing
from tests.sensors.voice.synthesis import RATE, voice

WINDOW = round(WINDOW_S * RATE)
HALF = WINDOW // 2


class Desk:
    """A microphone and its clocks; what happens at each look is scripted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_s, self.own_s = 1e9, 50.0
        self.ring = SoundRing(2 * WINDOW)
        self.refusal: DeviceError | None = None
        self.steps: list = []
        clocks = SimpleNamespace(time=lambda: self.wall_s, monotonic=lambda: self.own_s)
        monkeypatch.setattr(listener, "time", clocks)

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.own_s += seconds

    def says(self, sound: np.ndarray) -> None:
        self.passes(sound.size / RATE)
        self.ring.put(sound)

    def sleeps(self, seconds: float) -> None:
        self.wall_s += seconds

    def check(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def wait(self, _seconds: float) -> bool:
        if not self.steps:
            return True
        self.steps.pop(0)()
        return False

    def run(self, *steps) -> list:
        self.steps = list(steps)
        microphone = SimpleNamespace(
            sample_rate=RATE, window=WINDOW, ring=self.ring, overruns=0, underruns=0
        )
        pipe = io.BytesIO()
        listener._windows(microphone, pipe, self, self)
        return [from_line(line) for line in pipe.getvalue().splitlines()]


@pytest.fixture
def desk(monkeypatch):
    return Desk(monkeypatch)


LOW, HIGH = voice(110).samples, voice(220).samples


def test_what_was_said_before_the_machine_slept_is_not_continued_afterwards(desk):
    """Half a window of yesterday and half of today were one window of two voices."""
    heard = desk.run(
        lambda: desk.says(LOW[:HALF]),
        lambda: desk.sleeps(3600),
        lambda: desk.says(HIGH[:HALF]),
        lambda: desk.says(HIGH[HALF:]),
    )
    assert [round(one.values["f0_hz"]) for one in heard] == [220]


def test_nothing_waits_in_memory_where_the_machine_woke(desk):
    desk.run(lambda: desk.says(LOW[:HALF]), lambda: desk.sleeps(3600))
    assert not desk.ring._samples.any()


def test_a_clock_that_is_corrected_a_little_costs_nothing(desk):
    heard = desk.run(
        lambda: desk.says(LOW[:HALF]), lambda: desk.sleeps(0.3), lambda: desk.says(LOW[HALF:])
    )
    assert [round(one.values["f0_hz"]) for one in heard] == [110]


def test_a_window_is_not_looked_at_where_something_else_is_heard(desk):
    desk.refusal = DeviceError("an output's monitor")
    with pytest.raises(DeviceError, match="monitor"):
        desk.run(lambda: desk.says(LOW))
    assert desk.ring.held == WINDOW  # as it arrived; who ends the listening silences it


def test_a_driver_that_gives_nothing_is_told(desk):
    with pytest.raises(DeviceError, match="gives no sound any more"):
        desk.run(lambda: desk.says(LOW[:HALF]), *[lambda: desk.passes(0.1)] * 60)
    desk.run(lambda: desk.says(LOW[:HALF]), *[lambda: desk.passes(0.1)] * 40)


def test_the_age_of_a_window_counts_what_came_after_it(desk):
    """A busy machine looked late: a second of the next window is there already."""
    heard = desk.run(lambda: (desk.says(LOW), desk.says(HIGH[:RATE])))
    assert heard[0].age_s == pytest.approx(1.0, abs=0.01)
