"""Everything fails in turn, with every window counted by run and seq: none lost, none twice.

Real edges, a real Mosquitto, a real server: the server is absent before its
very first subscription, the broker is killed with messages queued and stays
away, the server is killed with ``kill -9``, and so is an edge.
"""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement
from tests.rig import Mosquitto
from tests.rig.installation import SITE, Installation
from tests.rig.waiting import wait_until
from wellbeing import main

AGENTS = ("k1", "k2")


@pytest.fixture
def installation(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Installation]:
    site = Installation(tmp_path, mosquitto.port, AGENTS)
    yield site
    site.stop_all()


def _start_edge(installation: Installation, agent: str, *more: str) -> subprocess.Popen[bytes]:
    return installation.start(
        "edge", "--agent", agent, "--source", "pc", "--collector", "simulated",
        "--option", f"simulated.seed={AGENTS.index(agent) + 1}",
        "--consent", "heart,keyboard,pointer,modules", *more,
    )  # fmt: skip


def _stored(installation: Installation) -> dict[str, dict[str, list[int]]]:
    """Return agent -> run -> seqs in the store."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    if not installation.store_path.exists():
        return found
    store = EmbeddedStore(installation.store_path, read_only=True)
    try:
        rows = store.read(Query(measurement=Measurement.READING, site=SITE))
    finally:
        store.close()
    for row in rows:
        found[row.tags["agent"]][str(row.fields["run"])].append(int(row.fields["seq"]))
    return found


def _report(installation: Installation, agent: str) -> dict[str, Any]:
    """Return what the running edge says of itself, as the agent would ask it."""
    said = installation.run("edge", "--agent", agent, "--source", "pc", "status", "--json")
    (found,) = json.loads(said)
    return dict(found)


@pytest.mark.timeout(240)
def test_nothing_is_lost_and_nothing_comes_twice(
    installation: Installation, mosquitto: Mosquitto, capfd: pytest.CaptureFixture[str]
) -> None:
    edges = {agent: _start_edge(installation, agent) for agent in AGENTS}
    # The broker confirms windows that nobody has subscribed to: they are gone, and come again.
    wait_until(
        lambda: all(_held(installation, agent, capfd) >= 2 for agent in AGENTS),
        what="two windows in each outbox",
    )
    server = installation.start_server()
    wait_until(lambda: len(_stored(installation)) == 2, what="both agents are stored")

    mosquitto.kill()
    wait_until(
        lambda: all(_held(installation, agent, capfd) >= 2 for agent in AGENTS),
        what="windows wait while the broker is away",
    )
    mosquitto.start()

    server.kill()
    server.wait()
    promised = [("k1", _report(installation, "k1"))]
    edges["k1"].kill()
    edges["k1"].wait()
    edges["k1"] = _start_edge(installation, "k1")
    installation.start_server()
    wait_until(
        lambda: len(_stored(installation)["k1"]) == 2, timeout=90, what="the second run is stored"
    )
    promised += [(agent, _report(installation, agent)) for agent in AGENTS]
    for edge in edges.values():
        edge.terminate()
        edge.wait(60)

    # What the last seconds left behind goes out at the next start, as on the next morning.
    for agent in AGENTS:
        _start_edge(installation, agent)
    for agent, report in promised:
        wait_until(
            lambda agent=agent, report=report: (
                len(_stored(installation)[agent][report["run"]]) >= report["windows"]
            ),
            timeout=90,
            what=f"all that {agent} kept is stored",
        )
    for agent, runs in _stored(installation).items():
        for run, seqs in runs.items():
            assert seqs == list(range(len(seqs))), (agent, run)
    for run in json.loads(installation.run("status", "--json"))["runs"]:
        assert run["gaps"] == [], run


def _held(installation: Installation, agent: str, capfd: pytest.CaptureFixture[str]) -> int:
    """Return how many windows the running edge keeps; asked here, as it is asked many times."""
    options = ["--config", str(installation.config), "--agent", agent, "--source", "pc"]
    if main(["edge", *options, "status", "--json"]) != 0:
        return 0
    (report,) = json.loads(capfd.readouterr().out)
    return int(report["held"]) if report["running"] else 0
