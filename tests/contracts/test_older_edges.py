"""A server that was upgraded still takes in what older edges send: recorded on the wire, byte by byte.

``tests/fixtures/wire`` holds a file for every version that ever ran: what its
codec wrote of every kind of message that an edge sends. Files are added, and
never changed: edges of that version are out there.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.events import Arrival
from analytics.journal.intake import Accepted, Intake
from analytics.people.consent_book import ConsentBook
from analytics.people.teams import parse_teams
from analytics.pipeline.pipeline import Pipeline
from analytics.store.points import Measurement
from sensors.checks import SCHEMA_VERSION
from sensors.topics import TopicKind, parse

WIRE = Path(__file__).parents[1] / "fixtures" / "wire"
FILES = sorted(WIRE.glob("*.jsonl"))
TEAMS = parse_teams(
    {"billing": {"supervisors": ["ana"], "time_zone": "Europe/Berlin", "agents": ["k1"]}}
)
NOW = datetime(2026, 3, 2, 9, 0, 21, tzinfo=UTC)


def recorded(path: Path) -> list[tuple[str, bytes]]:
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [(line["topic"], line["payload"].encode()) for line in lines]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_everything_an_older_edge_sends_is_accepted_and_scored(path):
    consents = ConsentBook()
    intake, pipeline = Intake(TEAMS, consents), Pipeline("lab", TEAMS)
    arrivals = []
    for position, (topic, payload) in enumerate(recorded(path), start=1):
        judged = intake.judge(topic, payload, NOW)
        assert isinstance(judged, Accepted), (topic, judged)
        intake.remember(judged)
        arrivals.append(Arrival(position, NOW, judged.agent, judged.message))
    found = pipeline.step(arrivals, NOW).points
    kinds = {point.measurement for point in found}
    assert kinds >= {Measurement.READING, Measurement.BEAT, Measurement.SCORE}
    first = next(point for point in found if point.measurement is Measurement.READING)
    assert first.fields["hr_bpm"] == 71.5
    assert first.fields["eda_us"] == 2.4
    assert consents.first_given("k1", datetime.min.replace(tzinfo=UTC)) is not None


def test_every_kind_that_an_edge_sends_and_every_schema_still_read_is_recorded():
    sent = {
        TopicKind.READING,
        TopicKind.STATUS,
        TopicKind.CONSENT,
        TopicKind.REPLY,
        TopicKind.REQUEST,
    }
    assert FILES
    for path in FILES:
        assert {parse(topic).kind for topic, _ in recorded(path)} >= sent
    schemas = {json.loads(payload).get("schema") for path in FILES for _, payload in recorded(path)}
    assert schemas <= {SCHEMA_VERSION - 1, SCHEMA_VERSION}
