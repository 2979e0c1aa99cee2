"""Topics: what is built is parsed back; anything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors import topics
from sensors.errors import MessageError, Refusal
from sensors.topics import Topic, TopicKind
from tests.contracts.strategies import identities, tokens

BUILDERS = {
    TopicKind.READING: lambda s, a, _: (topics.reading(s, a), Topic(TopicKind.READING, s, a)),
    TopicKind.STATUS: lambda s, a, x: (topics.status(s, a, x), Topic(TopicKind.STATUS, s, a, x)),
    TopicKind.CONSENT: lambda s, a, _: (topics.consent(s, a), Topic(TopicKind.CONSENT, s, a)),
    TopicKind.REPLY: lambda s, a, _: (topics.reply(s, a), Topic(TopicKind.REPLY, s, a)),
    TopicKind.REQUEST: lambda s, a, _: (topics.request(s, a), Topic(TopicKind.REQUEST, s, a)),
    TopicKind.TIME: lambda s, a, _: (topics.time(s, a), Topic(TopicKind.TIME, s, a)),
    TopicKind.STORED: lambda s, a, x: (topics.stored(s, a, x), Topic(TopicKind.STORED, s, a, x)),
    TopicKind.MIRROR: lambda s, a, _: (topics.mirror(s, a), Topic(TopicKind.MIRROR, s, a)),
    TopicKind.NOTICE: lambda s, a, _: (topics.notice(s, a), Topic(TopicKind.NOTICE, s, a)),
    TopicKind.TIME_ECHO: lambda s, a, _: (topics.time_echo(s, a), Topic(TopicKind.TIME_ECHO, s, a)),
    TopicKind.CONTEXT: lambda s, a, _: (topics.context(s, a), Topic(TopicKind.CONTEXT, s, a)),
    TopicKind.DECISION: lambda s, *_: (topics.decision(s), Topic(TopicKind.DECISION, s)),
    TopicKind.AUDIT: lambda s, *_: (topics.audit(s), Topic(TopicKind.AUDIT, s)),
}


def test_every_kind_has_a_builder_and_a_delivery():
    assert {*BUILDERS, TopicKind.ALERT} == set(TopicKind) == set(topics.DELIVERY)


@pytest.mark.parametrize("kind", BUILDERS)
@given(site=identities, agent=identities, source=identities)
def test_what_is_built_is_parsed_back(kind, site, agent, source):
    text, meaning = BUILDERS[kind](site, agent, source)
    assert topics.parse(text) == meaning


@given(identities, tokens)
def test_an_alert_topic_is_parsed_back(site, alert_id):
    found = topics.parse(topics.alert(site, alert_id))
    assert found == Topic(TopicKind.ALERT, site, alert_id=alert_id)


def test_the_table_of_the_design():
    assert topics.reading("hq", "k7") == "wellbeing/v1/hq/agent/k7/reading"
    assert topics.status("hq", "k7", "pc") == "wellbeing/v1/hq/agent/k7/status/pc"
    assert topics.stored("hq", "k7", "pc") == "wellbeing/v1/hq/server/k7/stored/pc"
    assert topics.notice("hq", "k7") == "wellbeing/v1/hq/server/k7/notice"
    assert topics.mirror("hq", "k7") == "wellbeing/v1/hq/server/k7/mirror"
    assert topics.context("hq", "k7") == "wellbeing/v1/hq/context/k7"
    assert topics.alert("hq", "0a1b2c3d") == "wellbeing/v1/hq/alert/0a1b2c3d"
    assert topics.decision("hq") == "wellbeing/v1/hq/decision"
    assert topics.audit("hq") == "wellbeing/v1/hq/audit"
    assert {k for k, d in topics.DELIVERY.items() if d.retained} == {
        TopicKind.STATUS, TopicKind.CONSENT, TopicKind.STORED, TopicKind.CONTEXT, TopicKind.ALERT,
    }  # fmt: skip
    assert {k for k, d in topics.DELIVERY.items() if d.qos == 0} == {
        TopicKind.TIME, TopicKind.TIME_ECHO, TopicKind.MIRROR,
    }  # fmt: skip


HOSTILE = [
    "", "/", "#", "+", "$SYS/broker/version", "wellbeing", "wellbeing/v1", "wellbeing/v1/",
    "wellbeing/v2/hq/agent/k7/reading", "Wellbeing/v1/hq/agent/k7/reading",
    "x/wellbeing/v1/hq/agent/k7/reading", "wellbeing/v1/hq/agent/k7", "wellbeing/v1/hq/agent/k7/",
    "wellbeing/v1/hq/agent/k7/reading/", "wellbeing/v1/hq/agent/k7/reading/pc",
    "wellbeing/v1/hq/agent/+/reading", "wellbeing/v1/hq/agent/#", "wellbeing/v1/hq/agent/K7/reading",
    "wellbeing/v1/hq/agent/k7\n/reading", "wellbeing/v1/hq/agent/k7\x00/reading",
    "wellbeing/v1/hq/agent/../reading", "wellbeing/v1//agent/k7/reading",
    "wellbeing/v1/hq/agent//reading", "wellbeing/v1/hq/agent/k7/status",
    "wellbeing/v1/hq/agent/k7/status/", "wellbeing/v1/hq/agent/k7/stored/pc",
    "wellbeing/v1/hq/server/k7/reading", "wellbeing/v1/hq/server/k7/stored",
    "wellbeing/v1/hq/context", "wellbeing/v1/hq/context/k7/x", "wellbeing/v1/hq/alert",
    "wellbeing/v1/hq/alert/", "wellbeing/v1/hq/decision/k7", "wellbeing/v1/hq/audit/",
    "wellbeing/v1/hq/agent/" + "k" * 33 + "/reading", "wellbeing/v1/hq/agent/k7/" + "x" * 70_000,
    "wellbeing/v1/hq/agent/k\uff17/reading", "wellbeing/v1/hq/agent/-k7/reading",
    "wellbeing/v1/hq/alert/NOT-AN-ID", "wellbeing/v1/hq/alert/+",
]  # fmt: skip


@pytest.mark.parametrize("topic", HOSTILE, ids=lambda t: repr(t[:50]))
def test_a_hostile_topic_is_refused(topic):
    with pytest.raises(MessageError) as caught:
        topics.parse(topic)
    assert caught.value.refusal is Refusal.UNKNOWN_TOPIC
    assert len(str(caught.value)) < 400


@given(st.text(max_size=60))
def test_any_text_is_a_topic_or_a_refusal(text):
    for topic in (text, f"wellbeing/v1/{text}", f"wellbeing/v1/hq/{text}"):
        try:
            found = topics.parse(topic)
        except MessageError as error:
            assert error.refusal is Refusal.UNKNOWN_TOPIC  # noqa: PT017 - either is right
        else:
            assert found.site


@pytest.mark.parametrize("bad", ["", "HQ", "a/b", "+", "#", "a b", "ü", "x" * 33])
@pytest.mark.parametrize(
    "build",
    [
        lambda bad: topics.reading(bad, "k7"),
        lambda bad: topics.reading("hq", bad),
        lambda bad: topics.status("hq", "k7", bad),
        lambda bad: topics.stored("hq", "k7", bad),
        lambda bad: topics.notice("hq", bad),
        lambda bad: topics.context("hq", bad),
        lambda bad: topics.context(bad, "k7"),
        lambda bad: topics.alert(bad, "0a1b2c3d"),
        lambda bad: topics.alert("hq", bad),
        topics.decision,
        topics.audit,
        topics.server_subscriptions,
        lambda bad: topics.edge_subscriptions("hq", "k7", bad),
        topics.dashboard_subscriptions,
    ],
)
def test_no_topic_is_built_from_a_bad_identity(build, bad):
    with pytest.raises(MessageError):
        build(bad)


def test_an_edge_subscribes_only_to_its_own():
    for topic in topics.edge_subscriptions("hq", "k7", "pc"):
        assert "+" not in topic
        assert "#" not in topic
        assert topics.parse(topic).agent == "k7"
