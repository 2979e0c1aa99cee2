"""The only place that spells MQTT topics: builders, a parser and subscriptions.

Everything lives below ``wellbeing/v1/{site}/`` and is valid MQTT 3.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sensors.errors import MessageError, Refusal
from sensors.messages import (
    AlertMessage,
    AuditMessage,
    ConsentMessage,
    ContextMessage,
    DecisionMessage,
    Message,
    MirrorMessage,
    NoticeMessage,
    ReadingMessage,
    ReplyMessage,
    RequestMessage,
    StatusMessage,
    StoredMessage,
    TimeMessage,
    check_identity,
    check_token,
)

ROOT = "wellbeing/v1"


class TopicKind(StrEnum):
    """What a topic carries; the value is the word in the topic."""

    READING = "reading"
    STATUS = "status"
    CONSENT = "consent"
    REPLY = "reply"
    REQUEST = "request"
    TIME = "time"
    STORED = "stored"
    NOTICE = "notice"
    MIRROR = "mirror"
    TIME_ECHO = "time_echo"
    CONTEXT = "context"
    ALERT = "alert"
    DECISION = "decision"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a kind of topic is published, and the message it carries."""

    message: type[Message]
    qos: int
    retained: bool


DELIVERY: dict[TopicKind, Delivery] = {
    TopicKind.READING: Delivery(ReadingMessage, 1, retained=False),
    TopicKind.STATUS: Delivery(StatusMessage, 1, retained=True),
    TopicKind.CONSENT: Delivery(ConsentMessage, 1, retained=True),
    TopicKind.REPLY: Delivery(ReplyMessage, 1, retained=False),
    TopicKind.REQUEST: Delivery(RequestMessage, 1, retained=False),
    TopicKind.TIME: Delivery(TimeMessage, 0, retained=False),
    TopicKind.STORED: Delivery(StoredMessage, 1, retained=True),
    TopicKind.NOTICE: Delivery(NoticeMessage, 1, retained=False),
    # Said again every minute, so that a loss heals and nothing about a person is retained.
    TopicKind.MIRROR: Delivery(MirrorMessage, 0, retained=False),
    TopicKind.TIME_ECHO: Delivery(TimeMessage, 0, retained=False),
    TopicKind.CONTEXT: Delivery(ContextMessage, 1, retained=True),
    TopicKind.ALERT: Delivery(AlertMessage, 1, retained=True),
    TopicKind.DECISION: Delivery(DecisionMessage, 1, retained=False),
    TopicKind.AUDIT: Delivery(AuditMessage, 1, retained=False),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """A parsed topic."""

    kind: TopicKind
    site: str
    agent: str | None = None
    source: str | None = None
    alert_id: str | None = None


def _agent_topic(site: str, agent: str, tail: str) -> str:
    check_identity("site", site)
    check_identity("agent", agent)
    return f"{ROOT}/{site}/agent/{agent}/{tail}"


def _server_topic(site: str, agent: str, tail: str) -> str:
    check_identity("site", site)
    check_identity("agent", agent)
    return f"{ROOT}/{site}/server/{agent}/{tail}"


def reading(site: str, agent: str) -> str:
    """Return where an edge publishes its windows."""
    return _agent_topic(site, agent, "reading")


def status(site: str, agent: str, source: str) -> str:
    """Return where one edge says how it is; its last will goes there too."""
    return _agent_topic(site, agent, f"status/{check_identity('source', source)}")


def consent(site: str, agent: str) -> str:
    """Return where the agent's consent stands."""
    return _agent_topic(site, agent, "consent")


def reply(site: str, agent: str) -> str:
    """Return where the agent answers."""
    return _agent_topic(site, agent, "reply")


def request(site: str, agent: str) -> str:
    """Return where the agent asks."""
    return _agent_topic(site, agent, "request")


def time(site: str, agent: str) -> str:
    """Return where an edge asks for the server's clock."""
    return _agent_topic(site, agent, "time")


def stored(site: str, agent: str, source: str) -> str:
    """Return where the server says which windows are in its journal."""
    return _server_topic(site, agent, f"stored/{check_identity('source', source)}")


def notice(site: str, agent: str) -> str:
    """Return where the agent is told what others see."""
    return _server_topic(site, agent, "notice")


def mirror(site: str, agent: str) -> str:
    """Return where the agent, and nobody else, is told what is held about them."""
    return _server_topic(site, agent, "mirror")


def time_echo(site: str, agent: str) -> str:
    """Return where the server answers about its clock (edges read only ``server/``)."""
    return _server_topic(site, agent, "time")


def context(site: str, agent: str) -> str:
    """Return where telephony says what the agent is doing."""
    check_identity("site", site)
    return f"{ROOT}/{site}/context/{check_identity('agent', agent)}"


def alert(site: str, alert_id: str) -> str:
    """Return where one alert stands while it is open."""
    check_token("alert_id", alert_id)
    return f"{ROOT}/{check_identity('site', site)}/alert/{alert_id}"


def decision(site: str) -> str:
    """Return where dashboards publish what people decided."""
    return f"{ROOT}/{check_identity('site', site)}/decision"


def audit(site: str) -> str:
    """Return where dashboards publish who looked."""
    return f"{ROOT}/{check_identity('site', site)}/audit"


def server_subscriptions(site: str) -> tuple[str, ...]:
    """Return what the server of `site` subscribes to."""
    base = f"{ROOT}/{check_identity('site', site)}"
    return (f"{base}/agent/#", f"{base}/context/+", f"{base}/decision", f"{base}/audit")


def edge_subscriptions(site: str, agent: str, source: str) -> tuple[str, ...]:
    """Return what one edge subscribes to: its own, nothing else (T20)."""
    return (
        stored(site, agent, source),
        notice(site, agent),
        mirror(site, agent),
        time_echo(site, agent),
        context(site, agent),
    )


def dashboard_subscriptions(site: str) -> tuple[str, ...]:
    """Return what a dashboard subscribes to."""
    return (f"{ROOT}/{check_identity('site', site)}/alert/+",)


_AGENT_TAILS = {
    k.value: k
    for k in (
        TopicKind.READING,
        TopicKind.CONSENT,
        TopicKind.REPLY,
        TopicKind.REQUEST,
        TopicKind.TIME,
    )
}
_SERVER_TAILS = {
    "notice": TopicKind.NOTICE,
    "mirror": TopicKind.MIRROR,
    "time": TopicKind.TIME_ECHO,
}


def parse(topic: str) -> Topic:  # noqa: C901 - one case per row of the table of topics
    """Return what `topic` means.

    Raises
    ------
    MessageError
        With ``Refusal.UNKNOWN_TOPIC`` if it is none of ours.
    """
    unknown = MessageError(Refusal.UNKNOWN_TOPIC, f"topic {topic[:200]!r} is none of ours")
    root, _, rest = topic.partition(f"{ROOT}/")
    if root or not rest:
        raise unknown
    try:
        match rest.split("/"):
            case [site, "agent", agent, tail] if tail in _AGENT_TAILS:
                found = Topic(_AGENT_TAILS[tail], site, agent)
            case [site, "agent", agent, "status", source]:
                found = Topic(TopicKind.STATUS, site, agent, check_identity("source", source))
            case [site, "server", agent, "stored", source]:
                found = Topic(TopicKind.STORED, site, agent, check_identity("source", source))
            case [site, "server", agent, tail] if tail in _SERVER_TAILS:
                found = Topic(_SERVER_TAILS[tail], site, agent)
            case [site, "context", agent]:
                found = Topic(TopicKind.CONTEXT, site, agent)
            case [site, "alert", alert_id]:
                check_token("alert_id", alert_id)
                found = Topic(TopicKind.ALERT, site, alert_id=alert_id)
            case [site, ("decision" | "audit") as word]:
                found = Topic(TopicKind(word), site)
            case _:
                raise unknown
        check_identity("site", found.site)
        if found.agent is not None:
            check_identity("agent", found.agent)
    except MessageError:
        raise unknown from None
    return found
