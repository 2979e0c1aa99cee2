"""The page of the package does what it says."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from analytics.hrv import full_set
from sensors.collector import Reading
from sensors.heart_rate.session import HeartSession, read_beats

FOLDER = Path(__file__).parents[3] / "sensors" / "heart_rate"
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_examples_run_and_give_figures(capsys: pytest.CaptureFixture[str]) -> None:
    known: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        exec(block, known)
    printed = capsys.readouterr().out
    assert printed.count("[") >= 4
    assert "nan" not in printed


def test_every_file_is_in_the_table() -> None:
    told = set(re.findall(r"`(\w+\.py)`", TEXT))
    assert told == {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}


def recorded(seed: int) -> list[tuple[bytes, float]]:
    """Return five minutes of a headset on a radio that delays and loses."""
    random, made, beat_s = Random(seed), [], 0.0
    for second in range(1, 301):
        units = []
        while beat_s + 0.8 < second:
            units.append(random.randint(780, 900))
            beat_s += units[-1] / 1024
        if not 100 <= second < 108:
            body = struct.pack(f"<BB{len(units)}H", 0b10110, 72, *units)
            made.append((body, 1000.0 + second + random.random() * 0.4))
    return made


def test_beats_of_a_recording_are_those_of_a_session_and_show_what_was_lost() -> None:
    notifications = [*recorded(1), (b"", 1400.0), (bytes([0b10100, 72, 0, 4]), 1401.0)]
    session = HeartSession()
    expected = [
        (item.value, item.at_monotonic_s)
        for data, at_s in notifications
        for item in session.take(bytearray(data), at_s) or ()
        if isinstance(item, Reading) and item.signal == "rr_ms"
    ]
    found = read_beats(notifications)
    assert [tuple(beat) for beat in found] == expected
    rr_ms, beat_s = np.array(found).T
    figures = full_set(rr_ms[None], beat_s=beat_s[None])
    assert figures.n_beats[0] == len(found) > 300
    # None across the loss, nor where the first times moved to their place.
    assert len(found) - 6 <= figures.time.n_differences[0] <= len(found) - 2
    assert 0.96 < figures.quality[0] < 0.98
