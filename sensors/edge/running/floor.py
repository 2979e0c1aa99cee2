"""Many edges in one process: the simulated floor of `wellbeing up` and of load tests.

Each agent is a complete edge of its own (consent, windows, outbox, publisher,
its own broker credential); only the process is shared. Run as
``python -m sensors.edge.running.floor PLAN.json``; the plan holds credentials, so it
must be readable by its owner only.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensors import codec
from sensors.config import BrokerSettings, read_private
from sensors.edge.running.ending import stopping_on_signals
from sensors.edge.running.process import EdgeProcess
from sensors.edge.settings import EdgeSettings
from sensors.errors import ConfigurationError, WellbeingError
from sensors.messages import RequestKind
from sensors.parent import end_with_parent
from sensors.signals import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAgent:
    """One simulated agent: its credential, consent and simulation, and what it asks for, and when."""

    agent: str
    password: str
    channels: tuple[Channel, ...] = tuple(Channel)
    simulation: dict[str, Any] = field(default_factory=dict)
    requests: tuple[tuple[float, RequestKind], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """Everything the floor's process needs to know."""

    site: str
    port: int
    state_dir: str
    agents: tuple[PlannedAgent, ...]


def read_plan(path: Path) -> FloorPlan:
    """Return the plan in `path`.

    Raises
    ------
    ConfigurationError
        If others can read it, or it is not a plan.
    """
    try:
        return codec.convert(codec.load_json(read_private(path)), FloorPlan)
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a floor plan: {error}") from None


def _edge(plan: FloorPlan, planned: PlannedAgent) -> EdgeProcess:
    settings = EdgeSettings(
        site=plan.site,
        agent=planned.agent,
        source="desk",
        state_dir=plan.state_dir,
        collectors=("simulated",),
        options={"simulated": planned.simulation},
        keyring=False,  # nobody here is a person who has one
    )
    broker = BrokerSettings(port=plan.port, username=planned.agent, password=planned.password)
    edge = EdgeProcess(settings, broker, lambda line: _say(planned.agent, line))
    edge.consent(planned.channels)
    return edge


def _say(agent: str, line: str) -> None:
    sys.stdout.write(f"{agent}: {line}\n")
    sys.stdout.flush()


async def _ask(edge: EdgeProcess, planned: PlannedAgent) -> None:
    """Press the agent's buttons at their times after the start."""
    passed_s = 0.0
    for at_s, kind in sorted(planned.requests):
        await asyncio.sleep(at_s - passed_s)
        passed_s = at_s
        await edge.request(kind)


async def run(plan: FloorPlan) -> None:
    """Run every agent's edge until SIGINT or SIGTERM."""
    edges = [(_edge(plan, planned), planned) for planned in plan.agents]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(_ask(edge, planned)) for edge, planned in edges]
        with stopping_on_signals(stop.set):
            for edge, _ in edges:
                group.create_task(edge.run())
            await stop.wait()
        for task in asking:
            task.cancel()
        for edge, _ in edges:
            edge.stop()


def main() -> int:
    """Entry point of ``python -m sensors.edge.running.floor``."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m sensors.edge.running.floor PLAN.json\n")
        return 2
    end_with_parent()
    try:
        asyncio.run(run(read_plan(Path(sys.argv[1]))))
    except WellbeingError as error:
        sys.stderr.write(f"floor: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
