"""The researcher's page: every field in it exists, with its type, its unit and its words."""

import re
from zlib import crc32

import pytest

from analytics.alerts.alerting import Event
from analytics.signals.features import FEATURES
from analytics.store.admission import KINDS, plain_value
from analytics.store.points import Measurement
from analytics.store.settings import StoreSettings
from sensors.messages import (
    Absence,
    Action,
    AlertKind,
    AlertState,
    AuditKind,
    ContextState,
    Outcome,
    ReplyKind,
    RequestKind,
)
from sensors.signals import SIGNALS, Reduction
from tests.analytics.store import every_field
from tests.analytics.store.page import PAGE, documented, section
from tests.analytics.synthetic_floor import START


@pytest.mark.parametrize("measurement", Measurement)
def test_the_page_has_every_field_that_is_written_with_its_type_and_no_other(
    measurement: Measurement,
) -> None:
    written: dict[str, str] = {}
    for point in (*every_field.windows(), *every_field.events()):
        if point.measurement is measurement:
            for name, value in point.fields.items():
                kind = KINDS[type(plain_value(name, value))]
                assert written.setdefault(name, kind) == kind, f"{name} changes its type"
    fields = documented(measurement)
    assert {name: row[0] for name, row in fields.items()} == written


def test_signals_and_features_stand_there_in_the_words_of_their_tables() -> None:
    reading = documented(Measurement.READING)
    for signal in SIGNALS.values():
        if signal.reduction is not Reduction.ALL:
            assert reading[signal.name] == ("float", signal.unit, signal.meaning)
    feature = documented(Measurement.FEATURE)
    assert [feature[f.name][1] for f in FEATURES] == [f.unit for f in FEATURES]


WORDS: dict[tuple[Measurement, str], set[str]] = {
    (Measurement.READING, "absent_heart"): set(Absence),
    (Measurement.SCORE, "context"): set(ContextState),
    (Measurement.TRANSITION, "kind"): set(AlertKind),
    (Measurement.TRANSITION, "event"): set(Event) - {Event.UPDATE},
    (Measurement.TRANSITION, "state"): {*AlertState, "gone"},
    (Measurement.DECISION, "action"): {*Action, *ReplyKind, *RequestKind, *AuditKind},
    (Measurement.DECISION, "outcome"): set(Outcome),
}


@pytest.mark.parametrize(("measurement", "field"), WORDS)
def test_the_page_lists_every_word_that_a_field_can_hold(
    measurement: Measurement, field: str
) -> None:
    meaning = documented(measurement)[field][2]
    assert set(re.findall(r"`(\w+)`", meaning)) == WORDS[measurement, field]


def test_every_measurement_stands_beside_its_database_and_retention() -> None:
    settings = StoreSettings()
    days = {"raw": settings.raw_days, "derived": settings.derived_days}
    for measurement in Measurement:
        name = measurement.database
        (row,) = re.findall(rf"^\| .*`{measurement}`.*$", section("## Where it is"), re.MULTILINE)
        assert f"`{settings.database}`, `{name}` | `{settings.database}/{name}`" in row
        assert row.endswith(f"| {days[name]} days |")


def test_a_point_stands_at_its_own_time_and_identity_as_the_page_says() -> None:
    assert "plus `crc32(run) mod 1000000` nanoseconds" in PAGE
    for point in (*every_field.windows(), *every_field.events()):
        named = point.fields
        if point.measurement is Measurement.SUMMARY:
            assert point.time_ns % 60_000_000_000 < 1_000_000, "the begin of its minute"
            continue
        identity = {
            Measurement.TRANSITION: f"{named.get('alert_id')}{named.get('event')}",
            Measurement.DECISION: named.get("id"),
        }.get(point.measurement, named.get("run"))
        whole = point.time_ns - crc32(str(identity).encode()) % 1_000_000
        since_ns = whole - int(START.timestamp()) * 1_000_000_000
        assert since_ns % 1_000_000 == 0, "what is left is a whole number of milliseconds"
        if point.measurement in {Measurement.READING, Measurement.FEATURE, Measurement.SCORE}:
            assert since_ns == 5_000_000_000 * int(named["seq"])
