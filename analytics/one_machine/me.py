"""Private mode: the whole pipeline for one person, on that person's own machine (TRUST T11a).

An MQTT broker on the loopback address with a password of this start, the same
server as anywhere else with the embedded store, and the agent's own edge with
their page as a child process. The person is alone in a team that nobody leads:
what elsewhere a supervisor would be told becomes a notice to the agent.
Nothing is sent, and everything that is kept lies in one folder.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from platformdirs import user_state_path

from analytics.alerts.alerting import AlertPolicy
from analytics.one_machine.embedded_broker import SERVER, EmbeddedBroker, start_broker
from analytics.people.teams import Teams, TeamVersion
from analytics.people.tombstone_files import tombstones_beside
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.service_options import ServiceOptions
from analytics.server.service import Service
from analytics.server.subscriber import Subscriber
from analytics.state.state_file import StateTakenError
from analytics.store.settings import StoreSettings
from analytics.writing.writer_process import WriterProcess
from sensors.config import BrokerSettings
from sensors.errors import ConfigurationError, StateError
from sensors.policy import PolicySettings
from sensors.processes import Children, Stop, StoppedError, stopping

SITE = "private"
"""Where a person's private edge keeps its state: beside other edges' sites, and never mixed."""

EDGE = ("-m", "wellbeing", "edge")
"""How the edge is started; it is a process of its own, with its own drivers."""

_TEAM = "alone"
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for.

    Parameters
    ----------
    agent : str
    state_dir : Path
        Below it, ``private/AGENT`` holds everything.
    edge_options : tuple of str
        Handed to the edge as they are.
    policy : PolicySettings
        What it forbids stays forbidden here, too.
    seconds : float or None
        When to end by itself. [s]
    """

    agent: str
    state_dir: Path
    edge_options: tuple[str, ...]
    policy: PolicySettings
    seconds: float | None = None

    @property
    def folder(self) -> Path:
        """Where everything of this person is kept."""
        return self.state_dir / SITE / self.agent


def default_state_dir() -> Path:
    """Return the system's place for a person's program state, where every edge keeps its own."""
    return user_state_path("agent-wellbeing", appauthor=False)


def live_alone(wish: Wish) -> int:
    """Run until Ctrl-C, SIGTERM or the wish's end; return the exit code.

    Raises
    ------
    ConfigurationError
        If the folder cannot be written.
    StateError
        If another one uses it, or a part ended by itself.
    """
    try:
        wish.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise ConfigurationError(f"cannot write {wish.folder}: {why}; try --state-dir") from None
    try:
        with stopping() as stop:
            asyncio.run(_run(wish, stop))
    except StoppedError as stopped:
        return 128 + stopped.number
    except StateTakenError:
        raise StateError(
            f"it already runs for {wish.agent!r} on this machine; to see it: wellbeing edge page;"
            " to end it: Ctrl-C where it was started; for somebody else: --agent"
        ) from None
    return 0


async def _run(wish: Wish, stop: Stop) -> None:
    broker = await start_broker(SITE)
    children = Children(wish.folder, stop)
    ended = threading.Event()
    try:
        service = _service(wish, broker)
        server = asyncio.create_task(asyncio.to_thread(service.run, ended))
        try:
            _start_edge(wish, broker, children)
            await _watch(wish, children, server)
        finally:
            # The edge first: what it still has to say finds the server there.
            await asyncio.to_thread(children.end)
            ended.set()
            await server
    finally:
        await broker.stop()


async def _watch(wish: Wish, children: Children, server: asyncio.Task[None]) -> None:
    until = time.monotonic() + (float("inf") if wish.seconds is None else wish.seconds)
    while time.monotonic() < until and not server.done():
        children.check()
        await asyncio.sleep(_LOOK_EVERY_S)


def _service(wish: Wish, broker: EmbeddedBroker) -> Service:
    """Return the server of one person, not started yet."""
    store = StoreSettings(kind="embedded", path=str(wish.folder / "store.sqlite"))
    where = BrokerSettings(port=broker.port, username=SERVER, password=broker.password(SERVER))
    alone = Teams(
        (TeamVersion(name=_TEAM, supervisors=(), zone=ZoneInfo("UTC"), agents=(wish.agent,)),)
    )
    budget = AlertPolicy(alerts_per_supervisor_hour=wish.policy.alerts_per_supervisor_hour)
    return Service(
        ServiceOptions(
            site=SITE,
            directory=wish.folder / "server",
            forbidden=wish.policy.forbidden,
            tombstones=tombstones_beside(store),
            # The broker of this machine knows its one agent by password.
            erase_on_request=True,
        ),
        Subscriber(where, SITE),
        alone,
        Pipeline(SITE, alone, budget),
        writer=WriterProcess(wish.folder / "server", store),
    )


def _start_edge(wish: Wish, broker: EmbeddedBroker, children: Children) -> None:
    arguments = [*EDGE, "--site", SITE, "--agent", wish.agent]
    arguments += ["--state-dir", str(wish.state_dir), "--broker", f"127.0.0.1:{broker.port}"]
    environment = {
        "WELLBEING_EDGE_PRIVATE": "true",
        # Whatever the configuration says of another broker: this one is in the machine.
        "WELLBEING_BROKER_TLS": "false",
        "WELLBEING_BROKER_USERNAME": wish.agent,
        "WELLBEING_BROKER_PASSWORD": broker.password(wish.agent),
    }
    children.start("edge", [*arguments, *wish.edge_options], environment, tty=True)
