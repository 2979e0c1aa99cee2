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

from analytics.store.points import Measurement
from tests.rig import Mosquitto
from tests.rig.installation import Installation
from tests.rig.waiting import wait_until

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
    for row in installation.rows(Measurement.READING):
        found[row.tags["agent"]][str(row.fields["run"])].append(int(row.fields["seq"]))
    return found


def _gaps(installation: Installation) -> list[dict[str, Any]]:
    """Return the runs of which the server misses windows, as its operator would ask it."""
    return [run for run in json.loads(installation.run("status", "--json"))["runs"] if run["gaps"]]


def _report(installation: Installation, agent: str) -> dict[str, Any]:
    """Return what the running edge says of itself, as the agent would ask it."""
    said = installation.run("edge", "--agent", agent, "--source", "pc", "status", "--json")
    (found,) = json.loads(said)
    return dict(found)


def test_nothing_is_lost_and_nothing_comes_twice(
    installation: Installation, mosquitto: Mosquitto
) -> None:
    edges = {agent: _start_edge(installation, agent) for agent in AGENTS}
    # The broker confirms windows that nobody has subscribed to: they are gone, and come again.
    wait_until(
        lambda: all(installation.report(agent).get("held", 0) >= 2 for agent in AGENTS),
        what="two windows in each outbox",
    )
    server = installation.start_server()
    wait_until(lambda: len(_stored(installation)) == 2, what="both agents are stored")

    mosquitto.kill()
    wait_until(
        lambda: all(installation.report(agent).get("held", 0) >= 2 for agent in AGENTS),
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
    # New windows go to the store before those that waited: a hole may stand for a moment.
    wait_until(
        lambda: all(
            seqs == list(range(len(seqs)))
            for runs in _stored(installation).values()
            for seqs in runs.values()
        ),
        timeout=60,
        what="every window once, and none missing",
    )
    # So may one at the server, which notes every ten seconds what it misses.
    wait_until(lambda: not _gaps(installation), what="the server misses no window")
