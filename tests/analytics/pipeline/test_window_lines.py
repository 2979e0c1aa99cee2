"""Lines that are written without points: those of the points, byte for byte."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.events import Arrival, Outputs
from analytics.people.teams import load_teams
from analytics.pipeline import window_points
from analytics.pipeline.pipeline import Pipeline
from analytics.state.packing import POINTS_PER_BATCH, LinePacker, read
from analytics.store.formatted import formatted
from analytics.store.gathered import Gathered
from analytics.store.line_protocol import Encoder
from analytics.store.points import Measurement, Point
from sensors.messages import (
    Absence,
    ContextMessage,
    ContextState,
    Heart,
    Keyboard,
    Modules,
    Pointer,
    ReadingMessage,
    Voice,
)
from sensors.signals import Channel
from tests.analytics.server_rig import SITE, write_teams

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def window(rng: random.Random, seq: int, **more: object) -> ReadingMessage:
    """A window with some of everything."""
    beats = rng.randrange(7)
    sections: dict[str, object] = {
        "heart": Heart(
            quality=rng.random(),
            hr_bpm=rng.choice([None, 71, rng.gauss(70, 9)]),
            rr_ms=tuple(rng.gauss(800, 30) for _ in range(beats)),
            beat_offset_ms=tuple(-4000.0 + 700 * n + rng.random() for n in range(beats)),
        ),
        "keyboard": Keyboard(quality=1.0, key_presses=rng.randrange(30), dwell_ms=rng.gauss(95, 9)),
        "pointer": Pointer(quality=0.8, pointer_speed_px_s=rng.choice([None, 1e-7, 49_999.5])),
        "voice": Voice(quality=1, speech_ratio=0.5, f0_hz=rng.gauss(120, 9)),
        "modules": Modules(quality=1.0, values={"eda_us": rng.gauss(4, 1), "skin_temp_c": 33}),
    }
    kept = {name: value for name, value in sections.items() if rng.random() < 0.7}
    absent = {c: rng.choice(list(Absence)) for c in Channel if c.value not in kept}
    told = {
        "clock_offset_ms": rng.choice([None, rng.gauss(0, 3)]),
        "utc_offset_min": rng.choice([0, -210, 330]),
        "absent": absent,
    }
    end = NOW + timedelta(seconds=5 * seq, microseconds=rng.randrange(10**6))
    return ReadingMessage(
        source=rng.choice(["pc", "desk"]),
        run="run00001",
        seq=seq,
        window_end_at=end,
        **(kept | told | more),  # type: ignore[arg-type]
    )


def run(directory: Path, steps: int, **more: object) -> list[Outputs]:
    """Steps of a floor of which one agent is in no team, some windows are late, some come twice as many."""
    rng = random.Random(7)
    pipeline = Pipeline(SITE, load_teams(write_teams(directory)))
    found, position = [], 0
    for number in range(steps):
        now = NOW + timedelta(seconds=5 * number + 6)
        arrivals = []
        for agent in ("k1", "k2", "k3", "nobody"):
            for seq in range(number * 2, number * 2 + rng.randrange(1, 4)):
                position += 1
                message = window(rng, seq // 2 + seq % 2, **more)
                received = now + timedelta(seconds=rng.choice([0, 0, 60]))
                arrivals.append(Arrival(position, received, agent, message))
        if number == 3:
            state = ContextMessage(state=ContextState.ON_CALL, at=now)
            arrivals.append(Arrival(position + 1, now, "k1", state))
            position += 1
        found.append(pipeline.step(arrivals, now))
    return found


def lines_of(points: list[Point]) -> list[bytes]:
    told = formatted(points, Encoder())
    assert not told.others
    return sorted(line for section in told.sections for line in section.lines())


def packed(outputs: Outputs) -> list[bytes]:
    rows = [read(payload) for _, payload in LinePacker().pack(outputs.points)]
    assert not any(row.others for row in rows)
    return sorted(line for row in rows for section in row.sections for line in section.lines())


def test_they_are_the_lines_of_the_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = run(tmp_path, 30)
    with monkeypatch.context() as without:
        without.setattr(window_points, "points", None)
        written = [packed(outputs) for outputs in steps]
    assert sum(map(len, written)) > 500
    assert any(b"context=" in line for lines in written for line in lines)
    for outputs, lines in zip(steps, written, strict=True):
        assert lines == lines_of(list(outputs.points))


def test_a_long_round_makes_several_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.pipeline.record._WINDOWS_AT_ONCE", 2)
    monkeypatch.setattr("analytics.state.packing.POINTS_PER_BATCH", 20)
    steps = run(tmp_path, 3)
    assert any(len(LinePacker().pack(outputs.points)) > 1 for outputs in steps)
    for outputs in steps:
        assert packed(outputs) == lines_of(list(outputs.points))


def test_what_has_no_line_is_told_as_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [packed(outputs) for outputs in run(tmp_path, 3)]

    def refuse(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr("analytics.pipeline.window_lines.sections", refuse)
    assert [packed(outputs) for outputs in run(tmp_path, 3)] == expected


def test_many_points_at_hand_make_several_rows() -> None:
    """As the summaries of a whole floor that went home together."""
    told = [
        Point(Measurement.SUMMARY, {"site": SITE, "agent": f"k{n}"}, {"windows": 1}, n)
        for n in range(2 * POINTS_PER_BATCH + 1)
    ]
    rows = LinePacker().pack(Gathered(told))
    assert sum(count for count, _ in rows) == len(told)
    assert max(count for count, _ in rows) <= POINTS_PER_BATCH
    assert [point for _, payload in rows for point in read(payload)] == told


@pytest.mark.parametrize("year", [1, 1677, 2263, 9999])
def test_a_time_that_no_database_holds_is_refused_as_its_points_are(
    tmp_path: Path, year: int
) -> None:
    """A machine with a wrong clock, or a sender who means harm, spoils no request of others."""
    pipeline = Pipeline(SITE, load_teams(write_teams(tmp_path)))
    rng = random.Random(3)
    far = replace(window(rng, 0), window_end_at=datetime(year, 1, 2, tzinfo=UTC))
    arrivals = [Arrival(1, NOW, "k1", far), Arrival(2, NOW, "k2", window(rng, 0))]
    outputs = pipeline.step(arrivals, NOW)
    [(_, payload)] = LinePacker().pack(outputs.points)
    found, expected = read(payload), formatted(list(outputs.points), Encoder())
    assert {point.tags["agent"] for point in found.others} == {"k1"}
    assert len(found.others) == len(expected.others)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
