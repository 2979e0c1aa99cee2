"""Each refusal by its own cause; what is refused is counted and harmless."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.journal.intake import BACKLOG, LIVE, Accepted, Cleared, Intake, Refused
from analytics.people.consent_book import ConsentBook
from analytics.people.teams import parse_teams
from sensors import codec, topics
from sensors.errors import Refusal
from sensors.messages import (
    ConsentMessage,
    Modules,
    ReadingMessage,
    RequestKind,
    RequestMessage,
    StatusMessage,
    Voice,
)
from sensors.signals import Channel
from tests.analytics.server_rig import SITE, TEAMS, reading

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
READING = topics.reading(SITE, "k1")


def intake(forbidden: frozenset[Channel] = frozenset()) -> Intake:
    return Intake(parse_teams(tomllib.loads(TEAMS)), ConsentBook(), forbidden)


def window(**changes: object) -> ReadingMessage:
    return reading(4, window_end_at=NOW, **changes)


def test_a_reading_is_live_or_backlog() -> None:
    judge = intake().judge
    for age_s, lane in [(0, LIVE), (14, LIVE), (16, BACKLOG)]:
        found = judge(READING, codec.encode(window()), NOW + timedelta(seconds=age_s))
        assert isinstance(found, Accepted)
        assert (found.agent, found.lane) == ("k1", lane)


VALID = codec.encode(window())


@pytest.mark.parametrize(
    ("topic", "payload", "refusal", "known"),
    [
        pytest.param(READING, b"{", Refusal.MALFORMED, False, id="not json"),
        pytest.param(READING, b"\xff\xfe", Refusal.MALFORMED, False, id="not text"),
        pytest.param(READING, b"[" * 5000, Refusal.MALFORMED, False, id="nested"),
        pytest.param(READING, b'{"seq": 3}', Refusal.MALFORMED, False, id="fields missing"),
        pytest.param(READING, b"x" * 70_000, Refusal.TOO_LARGE, False, id="too large"),
        pytest.param(
            READING,
            VALID.replace(b'"schema":1', b'"schema":9'),
            Refusal.SCHEMA_VERSION,
            True,
            id="schema",
        ),
        pytest.param(
            READING,
            VALID.replace(b'"quality":0.9', b'"quality":9'),
            Refusal.OUT_OF_RANGE,
            True,
            id="range",
        ),
        pytest.param(
            READING,
            VALID.replace(b'"seq":4', b'"seq":-4'),
            Refusal.OUT_OF_RANGE,
            False,
            id="number below 0",
        ),
        pytest.param(
            READING, VALID.replace(b"run00001", b"RUN/+/#!"), Refusal.OUT_OF_RANGE, False, id="run"
        ),
        pytest.param(topics.reading(SITE, "k99"), VALID, Refusal.UNKNOWN_AGENT, True, id="agent"),
        pytest.param(
            f"wellbeing/v1/{SITE}/agent/k1/other", VALID, Refusal.UNKNOWN_TOPIC, False, id="topic"
        ),
        pytest.param(
            topics.notice(SITE, "k1"), b"{}", Refusal.UNKNOWN_TOPIC, False, id="not for the server"
        ),
    ],
)
def test_refusals(topic: str, payload: bytes, refusal: Refusal, *, known: bool) -> None:
    found = intake().judge(topic, payload, NOW)
    assert isinstance(found, Refused)
    assert found.refusal is refusal
    assert (found.window is not None) is known
    assert found.payload == payload[: 64 * 1024]
    assert "\n" not in found.detail


def test_an_unknown_module_signal() -> None:
    payload = codec.encode(window(modules=Modules(quality=1.0, values={"eda_us": 2.0})))
    found = intake().judge(READING, payload.replace(b"eda_us", b"eda_xx"), NOW)
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.UNKNOWN_SIGNAL


def test_a_status_of_another_source_is_refused() -> None:
    message = StatusMessage(source="pc", run="run00001", online=True, at=NOW)
    judge = intake().judge
    assert isinstance(judge(topics.status(SITE, "k1", "pc"), codec.encode(message), NOW), Accepted)
    found = judge(topics.status(SITE, "k1", "laptop"), codec.encode(message), NOW)
    assert isinstance(found, Refused)
    assert "laptop" in found.detail


def test_an_empty_payload_is_a_cleared_topic() -> None:
    assert intake().judge(topics.consent(SITE, "k1"), b"", NOW) == Cleared(
        topics.consent(SITE, "k1")
    )


def test_messages_count_once_by_id_and_retained_ones_by_content() -> None:
    judge = intake().judge
    asked = RequestMessage(id="help0001", at=NOW, kind=RequestKind.HELP_NOW)
    found = judge(topics.request(SITE, "k1"), codec.encode(asked), NOW)
    assert isinstance(found, Accepted)
    assert found.key is not None
    assert "k1" in found.key  # one agent cannot use up another's ids
    consent = ConsentMessage(version="1", at=NOW)
    kept = judge(topics.consent(SITE, "k1"), codec.encode(consent), NOW)
    assert isinstance(kept, Accepted)
    assert kept.digest is not None


class TestConsent:
    def consenting(self, *given: tuple[float, tuple[Channel, ...]]) -> Intake:
        found = intake()
        for at_s, channels in given:
            consent = ConsentMessage(
                version="1", at=NOW + timedelta(seconds=at_s), channels=channels
            )
            found.remember(found.judge(topics.consent(SITE, "k1"), codec.encode(consent), NOW))
        return found

    def refused(self, judge: Intake, at_s: float = 0.0, **changes: object) -> bool:
        end = NOW + timedelta(seconds=at_s)
        message = replace(window(**changes), keyboard=None, window_end_at=end)
        found = judge.judge(READING, codec.encode(message), end)
        if isinstance(found, Refused):
            assert found.refusal is Refusal.NOT_CONSENTED
            assert found.payload is None  # not kept either
            assert found.window is not None  # or the edge would hold it for ever
            return True
        return False

    def test_unknown_consent_refuses_nothing(self) -> None:
        assert not self.refused(intake())

    def test_without_consent(self) -> None:
        assert not self.refused(self.consenting((-60, (Channel.HEART,))))
        assert self.refused(self.consenting((-60, (Channel.KEYBOARD,))))
        assert self.refused(self.consenting((-60, ())))
        judge = self.consenting((-60, (Channel.HEART,)))
        assert self.refused(judge, voice=Voice(quality=1.0))

    def test_withdrawn_and_given_again(self) -> None:
        judge = self.consenting((-600, (Channel.HEART,)), (0, ()), (600, (Channel.HEART,)))
        # captured under the old consent, delivered late: fine
        assert not self.refused(judge, -30)
        # the window that was open, and the 5 s that withdrawing may take
        assert not self.refused(judge, 9)
        assert self.refused(judge, 11)
        assert self.refused(judge, 599)
        assert not self.refused(judge, 601)

    def test_a_replay_stamps_with_a_virtual_clock(self) -> None:
        judge = self.consenting((-7200, ()), (0, (Channel.HEART,)))
        assert self.refused(judge, -3600)
        assert not self.refused(judge, -3600, clock_offset_ms=3_600_500.0)

    def test_a_profile_forbids_whoever_consented(self) -> None:
        judge = intake(frozenset({Channel.VOICE}))
        assert not self.refused(judge)
        assert self.refused(judge, voice=Voice(quality=1.0))


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(payload: bytes) -> None:
    found = intake().judge(READING, payload, NOW)
    assert isinstance(found, Cleared if not payload else Refused)


@given(st.integers(0, len(VALID) - 1), st.binary(min_size=1, max_size=3))
def test_any_mutation_is_judged(place: int, put: bytes) -> None:
    found = intake().judge(READING, VALID[:place] + put + VALID[place + 1 :], NOW)
    assert isinstance(found, Accepted | Refused)
