"""Who an edge is on the wire: in every topic and every message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from sensors import topics
from sensors.topics import TopicKind

_BUILDERS: dict[TopicKind, Callable[[str, str], str]] = {
    TopicKind.READING: topics.reading,
    TopicKind.CONSENT: topics.consent,
    TopicKind.REQUEST: topics.request,
    TopicKind.REPLY: topics.reply,
    TopicKind.TIME: topics.time,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who sends."""

    site: str
    agent: str
    source: str
    run: str

    def topic(self, kind: TopicKind) -> str:
        """Return where this edge publishes messages of `kind`."""
        if kind is TopicKind.STATUS:
            return topics.status(self.site, self.agent, self.source)
        return _BUILDERS[kind](self.site, self.agent)


def software_version() -> str:
    """Return this program's version for the status message."""
    try:
        return version("agent-wellbeing")[:32]
    except PackageNotFoundError:
        return ""
