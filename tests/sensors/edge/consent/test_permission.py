from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from analytics.people.consent_book import ConsentBook
from sensors.edge.consent import permission as consent_module
from sensors.edge.consent.permission import Event, Permission, events_of, parse_channels
from sensors.edge.words import CONSENT_TEXT, measured
from sensors.errors import ConfigurationError
from sensors.messages import ConsentMessage, ContextState, Heart, ReadingMessage
from sensors.signals import Channel, of_channel

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
some_channels = st.frozensets(st.sampled_from(list(Channel)))


class PermissionMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: only what is allowed and not stopped is captured."""

    @initialize()
    def begin(self) -> None:
        self.permission = Permission()
        self.allowed: frozenset[Channel] = frozenset()
        self.stopped: dict[str, bool] = {}
        self.at = NOW

    @rule(channels=some_channels)
    def consents(self, channels) -> None:
        self.at += timedelta(seconds=1)
        self.permission = self.permission.consenting(channels, self.at)
        self.allowed = channels

    @rule(channels=some_channels)
    def withdraws(self, channels) -> None:
        self.at += timedelta(seconds=1)
        self.permission = self.permission.withdrawing(channels, self.at)
        self.allowed -= channels or frozenset(Channel)

    @rule(
        pair=st.sampled_from(
            [
                (Event.PAUSE, Event.RESUME),
                (Event.LOCK, Event.UNLOCK),
                (Event.SHIFT_ENDS, Event.SHIFT_BEGINS),
                (Event.BREAK_BEGINS, Event.BREAK_ENDS),
                (Event.CALL_ENDS, Event.CALL_BEGINS),
            ]
        ),
        begins=st.booleans(),
    )
    def happens(self, pair, begins) -> None:
        self.permission = self.permission.after(pair[0] if begins else pair[1])
        self.stopped[pair[0]] = begins

    @invariant()
    def captures_only_what_it_may(self) -> None:
        others = any(v for k, v in self.stopped.items() if k != Event.CALL_ENDS)
        for channel in Channel:
            off_call = channel is Channel.VOICE and self.stopped.get(Event.CALL_ENDS, False)
            expected = channel in self.allowed and not others and not off_call
            assert self.permission.may_capture(channel) is expected
            assert (channel in self.permission.withheld(Channel)) is not expected


TestPermission = PermissionMachine.TestCase
TestPermission.settings = settings(max_examples=50, deadline=None)


def test_before_anything_is_asked_nothing_is_allowed():
    assert Permission().withheld(Channel) == frozenset(Channel)
    assert not Permission().is_asked
    assert Permission().message() is None


def test_consent_to_older_words_is_no_consent(monkeypatch):
    permission = Permission().consenting([Channel.HEART], NOW)
    assert permission.is_asked
    monkeypatch.setattr(consent_module, "CONSENT_VERSION", "later")
    assert not permission.is_asked
    assert permission.withheld(Channel) == frozenset(Channel)
    message = permission.message()
    assert message is not None
    assert message.channels == ()


def test_what_was_allowed_under_earlier_words_ends_now_and_not_when_it_was_given(monkeypatch):
    """Or what waits in an outbox since then would be refused, and the history be another."""
    permission = Permission().consenting([Channel.HEART], NOW)
    later = NOW + timedelta(days=3)
    assert permission.lapsing(later) is permission
    assert Permission().lapsing(later) == Permission()
    version = permission.given.version
    monkeypatch.setattr(consent_module, "CONSENT_VERSION", "later")
    message = permission.lapsing(later).message()
    assert (message.version, message.at, message.channels) == (version, later, ())
    assert not permission.lapsing(later).is_asked
    assert permission.lapsing(later).lapsing(later + timedelta(days=1)).given.at == later
    assert permission.lapsing(NOW - timedelta(days=1)).given.at > NOW

    book = ConsentBook()
    book.record("k1", ConsentMessage(version=version, at=NOW, channels=(Channel.HEART,)))
    book.record("k1", message)
    section = Heart(hr_bpm=70.0, quality=1.0)
    for at, refused in ((NOW + timedelta(hours=8), None), (later + timedelta(hours=1), "heart")):
        window = ReadingMessage(source="pc", run="a1b2c3d4", seq=1, window_end_at=at, heart=section)
        assert book.refused_channel("k1", window) == refused


def test_channels_are_parsed_from_words():
    assert parse_channels(["voice,heart", "heart"]) == (Channel.HEART, Channel.VOICE)
    assert parse_channels(["none"]) == ()
    with pytest.raises(ConfigurationError, match="'hart'; known: heart, keyboard"):
        parse_channels(["hart"])


def test_the_microphone_is_open_only_in_a_call_where_telephony_says_so():
    permission = Permission().consenting(Channel, NOW)
    assert permission.may_capture(Channel.VOICE)  # nobody says anything about calls
    for state, voice, keyboard in (
        (ContextState.READY, False, True),
        (ContextState.ON_CALL, True, True),
        (ContextState.WRAP_UP, False, True),
        (ContextState.BREAK, False, False),
        (ContextState.OFF, False, False),
        (ContextState.ON_CALL, True, True),
    ):
        for event in events_of(state):
            permission = permission.after(event)
        assert permission.may_capture(Channel.VOICE) is voice, state
        assert permission.may_capture(Channel.KEYBOARD) is keyboard, state


def test_the_consent_text_names_every_signal():
    for channel in Channel:
        assert CONSENT_TEXT[channel]
        for signal in of_channel(channel):
            assert signal.meaning in " ".join(measured(channel).split())
