"""A study to try things on: simulated people, two days of two weeks, around lunch.

What was put in is known, so that what an analysis finds can be checked. It is
no evidence about people: see :mod:`analytics.simulation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from analytics.research.study_file import FILE_NAME
from analytics.signals.features import FEATURE_INDEX
from analytics.signals.windows import CONTEXTS
from analytics.simulation import Scenario, SimulatedFloor, simulate
from analytics.store.opening import open_store
from analytics.store.points import FieldValue, Measurement, Point, epoch_ns, point_time_ns
from analytics.store.settings import StoreSettings
from sensors.errors import ConfigurationError
from sensors.messages import WINDOW_S

SITE = "demo"
FALL = -0.2
"""What the second week does to log RMSSD in the hour after lunch: about -18 %."""

_PEOPLE = 9
_DAYS = tuple(datetime(2026, 3, day, tzinfo=UTC) for day in (2, 4, 9, 11))
_SECOND_WEEK = 2
_OFFSETS_MIN = (60,) * 7 + (330,) * 2
"""Most live in Berlin, two in Mumbai; all have lunch until one o'clock by their own clock."""

_SHIFT_BEGINS = timedelta(hours=8, minutes=45)
_FROM_H, _LUNCH_OVER_H, _UNTIL_H = 12.75, 13.0, 14.0
_BATCH = 20_000

_FEATURES = ("heart_rate_bpm", "device_rate_bpm", "log_rmssd", "log_sdnn", "log_rmssd_5min")
_VARIABILITY = ("log_rmssd", "log_rmssd_5min")

_STUDY = """\
# Simulated people: nobody signed anything.

[study]
id = "lunch"
title = "Recovery in the hour after lunch"
site = "demo"
approved_by = "nobody needs to: simulated people"
start = 2026-03-02
end = 2026-03-13
covers = ["heart", "self_report", "alerts", "context"]

[store]
kind = "embedded"
path = "store.sqlite"
"""

_FORM = """
[[consent]]
agent = "{agent}"
version = "1"
at = 2026-02-27T09:00:00Z
"""

_WITHDRAWN = "withdrawn_at = 2026-03-10T16:00:00Z\n"


@dataclass(frozen=True, slots=True)
class _Day:
    """One simulated person's one day."""

    agent: str
    run: str
    place: int
    number: int
    begin_at: datetime
    offset_min: int
    windows: slice
    rng: np.random.Generator

    @property
    def tags(self) -> dict[str, str]:
        return {"site": SITE, "agent": self.agent}


def write_demo(folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Make a study and its store in `folder`, which must not hold one.

    Seven of nine people consented, one did not, one withdrew.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    progress : callable, optional
        Called with the number of days done and their total.

    Raises
    ------
    ConfigurationError
        If there is a study already.
    StoreError
        If the store cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / FILE_NAME).exists() or (folder / "store.sqlite").exists():
        raise ConfigurationError(f"there is a study in {folder} already; choose another folder")
    calm = Scenario(
        days=len(_DAYS), episodes_per_shift=0.0, has_heart=1.0, has_beats=1.0, has_skin=0.0
    )
    begin_h = _SHIFT_BEGINS / timedelta(hours=1)
    floor = simulate(_PEOPLE, _UNTIL_H - begin_h, 7, calm)
    store = open_store(StoreSettings(path=str(folder / "store.sqlite")))
    try:
        days = list(_days(floor))
        for done, day in enumerate(days, start=1):
            points = [*_windows(floor, day), *_reports(day), *_alert(day)]
            for start in range(0, len(points), _BATCH):
                store.write(points[start : start + _BATCH])
            if progress is not None:
                progress(done, len(days))
        forms = [_FORM.format(agent=f"d{n}") for n in range(_PEOPLE) if n != 3]
        forms[-1] += _WITHDRAWN
        (folder / FILE_NAME).write_text(_STUDY + "".join(forms), encoding="utf-8")
    finally:
        store.close()
        if not (folder / FILE_NAME).exists():  # interrupted: half a store is in the way
            for half in folder.glob("store.sqlite*"):
                half.unlink()


def _days(floor: SimulatedFloor, people: int = _PEOPLE) -> Iterator[_Day]:
    length = len(floor.t_s) // len(_DAYS)
    begin_h = _SHIFT_BEGINS / timedelta(hours=1)
    first = round((_FROM_H - begin_h) * 3600 / WINDOW_S)
    for place in range(people):
        for number, day in enumerate(_DAYS):
            offset_min = _OFFSETS_MIN[place]
            yield _Day(
                agent=f"d{place}",
                run=f"demo{number:04d}",
                place=place,
                number=number,
                begin_at=day + _SHIFT_BEGINS - timedelta(minutes=offset_min),
                offset_min=offset_min,
                windows=slice(number * length + first, (number + 1) * length),
                rng=np.random.default_rng([11, place, number]),
            )


def _windows(floor: SimulatedFloor, day: _Day) -> Iterator[Point]:
    """Yield the points of every window, and the beats after lunch."""
    length = len(floor.t_s) // len(_DAYS)
    values = floor.values[day.place, day.windows].astype(float)
    local_h = _SHIFT_BEGINS / timedelta(hours=1) + (
        (np.arange(len(values)) + day.windows.start % length + 1) * WINDOW_S / 3600.0
    )
    after = local_h > _LUNCH_OVER_H
    if day.number >= _SECOND_WEEK:
        for name in _VARIABILITY:
            values[after, FEATURE_INDEX[name]] += FALL
    quality = floor.quality[day.place, day.windows, FEATURE_INDEX["heart_rate_bpm"]].tolist()
    context = floor.context[day.place, day.windows].tolist()
    for i, row in enumerate(values):
        seq = day.windows.start % length + i
        end_at = day.begin_at + timedelta(seconds=WINDOW_S * (seq + 1))
        time_ns = point_time_ns(end_at, day.run)
        known = {n: float(row[FEATURE_INDEX[n]]) for n in _FEATURES}
        known = {n: v for n, v in known.items() if np.isfinite(v)}
        yield from _window(day, time_ns, seq, (known, quality[i], context[i]))
        if after[i] and "log_rmssd" in known and "heart_rate_bpm" in known:
            yield from _beats(day, epoch_ns(end_at), seq, known)


def _window(
    day: _Day, time_ns: int, seq: int, found: tuple[dict[str, float], float, int]
) -> Iterator[Point]:
    known, quality, context = found
    shared: dict[str, FieldValue] = {"run": day.run, "seq": seq}
    sent = {**shared, "utc_offset_min": day.offset_min, "late": False}
    judged = {**sent, "state": "as_usual" if known else "no_data"}
    word = CONTEXTS[context]
    if word is not None:
        judged["context"] = word.value
    if "device_rate_bpm" in known:
        sent |= {"hr_bpm": known["device_rate_bpm"], "quality_heart": quality}
        judged["quality"] = quality
    else:
        sent["absent_heart"] = judged["absent_heart"] = "withheld"
    yield Point(Measurement.READING, {**day.tags, "source": "desk"}, sent, time_ns)
    yield Point(Measurement.SCORE, day.tags, judged, time_ns)
    if known:
        yield Point(Measurement.FEATURE, day.tags, {**known, **shared}, time_ns)


def _beats(day: _Day, end_ns: int, seq: int, known: dict[str, float]) -> Iterator[Point]:
    """Yield beats whose successive differences have the window's RMSSD."""
    usual_ms = 60_000.0 / known["heart_rate_bpm"]
    n = round(WINDOW_S * 1000.0 / usual_ms)
    spread_ms = float(np.exp(known["log_rmssd"])) / 2.0**0.5
    rr_ms = WINDOW_S * 1000.0 / n + spread_ms * day.rng.standard_normal(n)
    # They fill the window, so that the next one's follow without a gap.
    rr_ms = np.clip(rr_ms, 320.0, 1900.0)
    rr_ms *= WINDOW_S * 1000.0 / rr_ms.sum()
    at_ns = end_ns - round(WINDOW_S * 1e9) + np.cumsum(rr_ms * 1e6).astype(np.int64)
    tags = {**day.tags, "source": "desk"}
    for rr, at in zip(rr_ms.tolist(), at_ns.tolist(), strict=True):
        fields: dict[str, FieldValue] = {"rr_ms": rr, "run": day.run, "seq": seq}
        yield Point(Measurement.BEAT, tags, fields, at)


def _reports(day: _Day) -> Iterator[Point]:
    """Yield a self-report shortly before the end."""
    at = day.begin_at - _SHIFT_BEGINS + timedelta(hours=_UNTIL_H, minutes=-5)
    harder = 2 if day.number >= _SECOND_WEEK else 0
    demanding = int(np.clip(day.rng.integers(2, 7) + harder, 0, 10))
    identity = f"{day.agent}report{day.number:04d}"
    fields: dict[str, FieldValue] = {
        "kind": "reply", "action": "self_report", "effect": "recorded", "id": identity,
        "demanding": demanding, "recovered": int(np.clip(9 - demanding, 0, 10)),
    }  # fmt: skip
    yield Point(Measurement.DECISION, day.tags, fields, point_time_ns(at, identity))


def _alert(day: _Day) -> Iterator[Point]:
    """Yield an alert's life for one person on one day."""
    if (day.place, day.number) != (1, 3):
        return
    begin = day.begin_at - _SHIFT_BEGINS + timedelta(hours=_LUNCH_OVER_H, minutes=35)
    alert_id = "demoalert1"
    for minutes, event, state in ((0, "fire", "firing"), (3, "take", "acknowledged"), (15, "resolve", "resolved")):  # fmt: skip
        at = begin + timedelta(minutes=minutes)
        fields: dict[str, FieldValue] = {
            "alert_id": alert_id, "kind": "personal", "event": event, "state": state,
            "quality": 0.9,
        }  # fmt: skip
        yield Point(Measurement.TRANSITION, day.tags, fields, point_time_ns(at, alert_id + event))
