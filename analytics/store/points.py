"""Points: the rows of the store, and the identity that makes a retelling overwrite.

Measurements, in two databases (DESIGN, *InfluxDB*):

========= ============= ==================================================
database  measurement   one point per
========= ============= ==================================================
raw       reading       window and source: every value of every section
raw       beat          heart beat, at its own time
derived   feature       agent and window: the signals that were scored
derived   score         agent and window: state, evidence, levels per part
derived   summary       agent and minute: what its windows' features and scores come to
derived   transition    change of an alert's state
derived   decision      decision, reply or request of a person; look at a person
========= ============= ==================================================

Tags are only ``site``, ``agent`` and, on raw, ``source``; everything else is
a field, so that the same event told twice lands on the same point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zlib import crc32

FieldValue = float | int | bool | str


class Database(StrEnum):
    """The two databases; InfluxDB 1.x ``wellbeing``/rp, 2.x bucket ``wellbeing/raw``."""

    RAW = "raw"
    DERIVED = "derived"


class Measurement(StrEnum):
    """Every measurement there is."""

    READING = "reading"
    BEAT = "beat"
    FEATURE = "feature"
    SCORE = "score"
    SUMMARY = "summary"
    TRANSITION = "transition"
    DECISION = "decision"

    @property
    def database(self) -> Database:
        """The database this measurement lives in."""
        raw = (Measurement.READING, Measurement.BEAT)
        return Database.RAW if self in raw else Database.DERIVED


KEY: dict[Measurement, str] = {
    Measurement.READING: "seq",
    Measurement.BEAT: "seq",
    Measurement.FEATURE: "seq",
    Measurement.SCORE: "seq",
    Measurement.SUMMARY: "windows",
    Measurement.TRANSITION: "event",
    Measurement.DECISION: "action",
}
"""A field that every point of the measurement has: what is counted where points are."""


@dataclass(frozen=True, slots=True)
class Point:
    """One row: a measurement, its tags, its fields and its time in nanoseconds (UTC)."""

    measurement: Measurement
    tags: Mapping[str, str]
    fields: Mapping[str, FieldValue]
    time_ns: int


def epoch_ns(at: datetime) -> int:
    """Return `at` as whole nanoseconds since 1970, exact to the microsecond."""
    delta = at - _EPOCH
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1_000


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def point_time_ns(at: datetime, identity: str) -> int:
    """Return the time of the point of `identity` (a run, or the id of an event) at `at`.

    ``at + crc32(identity) mod 10**6`` ns: two runs or two events in the same
    instant stay two points, and the same one told twice stays one.
    """
    return epoch_ns(at) + crc32(identity.encode()) % 1_000_000
