"""The MQTT broker inside `wellbeing up`: amqtt in this process, loopback only.

Nobody gets in without a credential, and the rules are those of a real floor
(TRUST T20): an agent writes only its own ``agent/{agent}/#`` and reads only
``server/{agent}/#`` and ``context/{agent}``. Passwords are derived from one
secret per start, so that nothing has to be kept. It holds everything in
memory: a trial loses nothing worth keeping when it ends. (The only importer
of amqtt.)
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import Action, BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from sensors.errors import BrokerError
from sensors.topics import ROOT

SERVER = "server"
DASHBOARD = "dashboard"


def derive_password(secret: str, username: str) -> str:
    """Return the password of `username` under `secret`."""
    return hmac.new(secret.encode(), username.encode(), hashlib.sha256).hexdigest()


def allows(site: str, username: str, topic: str, *, write: bool) -> bool:
    """Return whether `username` may write, or read, `topic` (or a filter below it)."""
    base = f"{ROOT}/{site}/"
    if not topic.startswith(base):
        return False
    rest = topic.removeprefix(base)
    if username == SERVER:
        return True
    if username == DASHBOARD:
        mine = ("decision", "audit") if write else ("alert/",)
        return rest.startswith(mine)
    if write:
        return rest.startswith(f"agent/{username}/")
    return rest.startswith(f"server/{username}/") or rest == f"context/{username}"


class CredentialPlugin(BaseAuthPlugin):  # type: ignore[misc]  # amqtt is untyped
    """Lets in who knows the password derived from the secret of this start."""

    @dataclass
    class Config:
        """What `embedded_broker` passes in."""

        secret: str = ""

    async def authenticate(self, *, session: Session) -> bool:
        """Return whether the session's password is right."""
        if not session.username or not session.password:
            return False
        expected = derive_password(self.config.secret, session.username)
        return hmac.compare_digest(expected, session.password)


class TopicRulesPlugin(BaseTopicPlugin):  # type: ignore[misc]  # amqtt is untyped
    """The rules of `allows`, for what is published, subscribed and delivered."""

    @dataclass
    class Config:
        """What `embedded_broker` passes in."""

        site: str = ""

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        """Return whether the session may do `action` on `topic`."""
        if session is None or not session.username or topic is None:
            return False
        write = action == Action.PUBLISH
        return allows(self.config.site, session.username, topic, write=write)


class _CopiedWhenRead(dict[str, Any]):
    """A dict that may change while somebody walks through it.

    amqtt 0.12 awaits while it walks through its subscriptions; a client that
    subscribes meanwhile would end the walk with an error, and the message
    being delivered would be lost for everybody after it.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().__iter__()))

    def items(self) -> Any:
        """Return the pairs as they are now."""
        return list(super().items())


@dataclass(slots=True)
class EmbeddedBroker:
    """A running broker: where it listens and the secret passwords derive from."""

    port: int
    secret: str
    _broker: Broker

    def password(self, username: str) -> str:
        """Return the password of `username`."""
        return derive_password(self.secret, username)

    async def stop(self) -> None:
        """Disconnect everybody and close the port."""
        await self._broker.shutdown()


async def start_broker(site: str) -> EmbeddedBroker:
    """Start a broker for `site` on a free loopback port.

    Raises
    ------
    BrokerError
        If it cannot listen.
    """
    # amqtt tells every packet at INFO and DEBUG; only what went wrong is of interest.
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.ERROR)
    secret = secrets.token_hex(32)
    config = BrokerConfig(
        listeners={"default": ListenerConfig(bind="127.0.0.1:0", max_connections=1000)},
        plugins={
            f"{__name__}.CredentialPlugin": {"secret": secret},
            f"{__name__}.TopicRulesPlugin": {"site": site},
        },
    )
    broker = Broker(config)
    broker._subscriptions = _CopiedWhenRead()  # noqa: SLF001 - see there
    try:
        await broker.start()
    except (AMQTTError, OSError) as error:
        raise BrokerError(f"the embedded broker cannot listen on 127.0.0.1: {error}") from None
    return EmbeddedBroker(_port_of(broker), secret, broker)


def _port_of(broker: Broker) -> int:
    """Return which port the system gave: one that was looked for before may be gone by now."""
    listening: Any = broker._servers["default"]  # noqa: SLF001 - amqtt does not say it
    return int(listening.instance.sockets[0].getsockname()[1])
