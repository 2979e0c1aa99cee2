"""Windows of one agent, and what the server makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from analytics.signals.features import FEATURE_INDEX
from analytics.signals.windows import FeatureWindows
from sensors.messages import Heart, Keyboard, Modules, Pointer, ReadingMessage, Voice
from sensors.signals import Channel

START = datetime(2026, 3, 2, 9, 0, 3, tzinfo=UTC)
ROW = np.zeros(1, dtype=np.intp)
ALL = tuple(Channel)


def window(k, *, channels=ALL, source="pc", rr_ms=800.0, hr_bpm=75.0, quality=1.0, seed=None):
    """Return window `k` of one agent, with six regular beats and a rate about `hr_bpm`."""
    rng = np.random.default_rng([seed, k]) if seed is not None else None
    wobble = rng.normal(0, 20, 6) if rng is not None else np.zeros(6)
    rr = rr_ms + wobble
    sections = {
        Channel.HEART: Heart(
            quality=quality,
            hr_bpm=hr_bpm + 0.25 * (k % 3 - 1),  # one that never changes is stuck
            rr_ms=tuple(rr.tolist()),
            beat_offset_ms=tuple((np.cumsum(rr) - 5000.0).tolist()),
        ),
        Channel.KEYBOARD: Keyboard(
            quality=quality, key_presses=10, dwell_ms=100.0, flight_ms=120.0, key_corrections=1
        ),
        Channel.POINTER: Pointer(quality=quality, pointer_speed_px_s=400.0, pointer_clicks=1),
        Channel.VOICE: Voice(
            quality=quality, speech_ratio=0.5, f0_hz=200.0, loudness_db=-30.0, speech_rate_hz=4.0
        ),
        Channel.MODULES: Modules(
            quality=quality,
            values={
                "eda_us": 2.0 + 0.001 * (k % 3 - 1),  # as with the rate
                "skin_temp_c": 33.0,
                "acc_rms_g": 0.01,
            },
        ),
    }
    return ReadingMessage(
        source=source,
        run="abcdefgh",
        seq=k,
        window_end_at=START + timedelta(seconds=5 * k),
        **{channel.value: sections[channel] for channel in channels},
    )


def fed(messages):
    windows = FeatureWindows()
    windows.ensure(1)
    batch = None
    for message in messages:
        batch = windows.extract(ROW, [message])
    return windows, batch


def value(batch, name, row=0):
    return batch.values[row, FEATURE_INDEX[name]]
