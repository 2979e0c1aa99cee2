"""What a display measures is no sign of how anybody is: no score rests on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analytics.scoring.measured import given
from sensors.collector import Reading
from sensors.edge.collecting.window import Assembler
from sensors.messages import Modules
from sensors.signals import SIGNALS, UNSCORED, Channel
from tests.analytics.made_windows import fed, value, window

AWAY = Modules(quality=1.0, values={"presence": 0.0, "noise_level_db": 40.0})
THERE = Modules(quality=1.0, values={"presence": 1.0, "breathing_rate_per_min": 15.0})
MODULES = list(Channel).index(Channel.MODULES)


def with_display(message, display):
    """Return a window with what the display says beside what the skin sensor does."""
    values = {**(message.modules.values if message.modules else {}), **display.values}
    return replace(message, modules=Modules(quality=1.0, values=values))


def test_somebody_away_is_scored_like_somebody_there():
    messages = [window(k, seed=3) for k in range(40)]
    _, plain = fed(messages)
    for display in (AWAY, THERE):
        _, found = fed(with_display(message, display) for message in messages)
        np.testing.assert_array_equal(found.values, plain.values)
        np.testing.assert_array_equal(found.quality, plain.quality)


def test_a_display_alone_gives_no_feature_and_no_channel():
    quiet = [window(k, channels=(), seed=3) for k in range(20)]
    messages = [with_display(message, AWAY) for message in quiet]
    _, batch = fed(messages)
    assert np.isnan(batch.values).all()
    assert not given(messages).any()
    assert given([window(0)])[0, MODULES]


def test_a_display_at_one_edge_does_not_take_the_skin_sensor_of_another():
    found = None
    messages = []
    for k in range(20):
        quiet = window(k, channels=(), source="desk")
        messages += [with_display(quiet, THERE), window(k, source="headset")]
    _, found = fed(messages)
    assert np.isfinite(value(found, "log_eda"))


def test_a_display_does_not_hide_that_the_skin_sensor_fell_silent():
    messages = [with_display(window(k), THERE) for k in range(13)]
    gone = [window(k, channels=(Channel.KEYBOARD,)) for k in range(13, 17)]
    messages += [with_display(message, THERE) for message in gone]
    _, batch = fed(messages)
    assert np.isnan(value(batch, "log_eda"))
    assert not given(messages[-1:])[0, MODULES]


def test_ten_good_reports_a_second_do_not_make_poor_skin_conductance_good():
    window_ = Assembler([Channel.MODULES])
    window_.link(Channel.MODULES, "ok")
    for tenth in range(50):
        window_.add(Reading("presence", 1.0, tenth / 10))
    for second in range(5):
        window_.add(Reading("eda_us", 3.0, float(second), quality=0.2))
    section = window_.close(5.0).sections[Channel.MODULES]
    assert section.quality == 0.2
    assert section.values == {"presence": 1.0, "eda_us": 3.0}


def test_a_display_alone_has_its_own_quality():
    window_ = Assembler([Channel.MODULES])
    window_.link(Channel.MODULES, "ok")
    window_.add(Reading("presence", 1.0, 1.0, quality=0.5))
    assert window_.close(5.0).sections[Channel.MODULES].quality == 0.5


def test_every_signal_of_modules_is_scored_or_said_not_to_be():
    modules = {s.name for s in SIGNALS.values() if s.channel is Channel.MODULES}
    scored = {"eda_us", "skin_temp_c", "acc_rms_g"}
    assert scored | UNSCORED == modules
    assert not scored & UNSCORED
