"""The real `wellbeing detect` on a real Mosquitto, disturbed; every window counted."""

from __future__ import annotations

import json
import random
import re
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from sensors import topics
from sensors.signals import Channel
from tests.analytics.server_rig import (
    SITE,
    DetectProcess,
    StandInEdge,
    assert_exactly_once,
    detect,
)
from tests.rig import Mosquitto, wait_until
from tests.rig.command import one_line
from tests.rig.process import free_port
from wellbeing import main

pytestmark = pytest.mark.needs("mosquitto")


def test_a_server_that_was_never_there_misses_nothing(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Before its very first subscription a broker confirms and drops: the edge must hold on."""
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    edge.send(50)
    assert len(edge.held) == 50
    with detect(tmp_path, mosquitto.port) as server:
        edge.wait_released()
        assert server.stop() == 0
    edge.close()
    assert_exactly_once(server.state, server.store, [edge])


@pytest.mark.timeout(600)
def test_killed_at_random_moments(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """`kill -9` again and again while windows flow: nothing lost, nothing twice, equal state."""
    edges = [
        StandInEdge(mosquitto.port, agent, f"run0000{agent[1]}") for agent in ("k1", "k2", "k3")
    ]
    for edge in edges:
        edge.consent(Channel.HEART, Channel.KEYBOARD)
    flowing = threading.Event()

    def flow() -> None:
        while not flowing.wait(0.04):
            for edge in edges:
                edge.send(1)

    sender = threading.Thread(target=flow, daemon=True)
    sender.start()
    dice = random.Random(7)
    repeated = re.compile(r"repeated \d+ steps; [1-9]\d* live")
    server = DetectProcess(tmp_path, mosquitto.port)
    try:
        for kill in range(40):
            before = sum(edge.stored for edge in edges)
            server.start()
            wait_until(lambda b=before: sum(e.stored for e in edges) > b, what="the server works")
            threading.Event().wait(dice.uniform(0.0, 0.6))
            if kill == 2:
                edges[0].ask_for_help()
            server.kill()
            if kill >= 3 and repeated.search(server.text):
                break
        server.start()
        flowing.set()
        sender.join()
        for edge in edges:
            edge.wait_released()
        assert server.stop() == 0, server.text
    finally:
        flowing.set()
        if server._process is not None and server._process.poll() is None:
            server.kill()
        for edge in edges:
            edge.close()
    # At least once it was killed after the journal and before the commit: mostly within four.
    assert repeated.search(server.text)
    assert_exactly_once(server.state, server.store, edges)


def test_broker_killed_with_messages_queued(tmp_path: Path, mosquitto: Mosquitto) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    with detect(tmp_path, mosquitto.port) as server:
        edge.send(20)
        edge.wait_released()
        server.kill()  # now the broker queues for the session
        edge.send(200)
        mosquitto.kill()
        server.start()
        wait_until(lambda: "no MQTT broker at" in server.text, what="the server says what is wrong")
        mosquitto.start()
        edge.send(20)
        edge.wait_released()
        assert server.stop() == 0
    edge.close()
    assert "the broker answers again" in server.text
    assert_exactly_once(server.state, server.store, [edge])


def run(tmp_path: Path, port: int, *extra: str, **env: str) -> tuple[int, list[str]]:
    with detect(tmp_path, port, *extra, env=env) as server:
        return server.wait(), server.text.splitlines()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        pytest.param(
            ["--teams", "/nowhere/teams.toml"], "cannot read /nowhere/teams.toml", id="teams"
        ),
        pytest.param(["--profile", "eu"], "profile 'eu' forbids", id="profile"),
        pytest.param(["--profile", "xx"], "[policy] profile is 'xx'", id="no such profile"),
        pytest.param(["--site", "A B"], "[server] site is 'A B'", id="site"),
        pytest.param(["--broker", "10.1.2.3"], "tls is false", id="tls"),
        pytest.param(["--broker", "127.0.0.1:0"], "[broker] port is 0", id="port"),
        pytest.param(["--store", "oracle"], "[store] kind is 'oracle'", id="store"),
    ],
)
def test_what_only_the_operator_can_mend_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], extra: list[str], words: str
) -> None:
    code, line = one_line(capfd, *DetectProcess(tmp_path, 1, *extra).arguments)
    assert code == 2
    assert words in line


def test_a_damaged_state_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "server.sqlite").write_bytes(b"not a database at all" * 400)
    code, [line] = run(tmp_path, 1)
    assert code == 7
    assert "is damaged" in line


def test_no_broker_and_wrong_credentials_are_said_and_retried(
    tmp_path: Path, mosquitto_factory: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_factory(passwords={"server": "right"})
    wrong = {"WELLBEING_BROKER_USERNAME": "server", "WELLBEING_BROKER_PASSWORD": "wr0ng"}
    with detect(tmp_path, broker.port, env=wrong) as server:
        wait_until(lambda: "refuses us" in server.text)
        assert "check [broker] username and password" in server.text
        assert "wr0ng" not in server.text
        broker.stop()
        wait_until(lambda: "no MQTT broker at" in server.text)
        assert server.stop() == 0
    assert "Traceback" not in server.text


def test_two_servers_of_one_state_and_a_status_beside_them(
    tmp_path: Path, mosquitto: Mosquitto, capfd: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "state")
    assert main(["status", "--state-dir", state]) == 7
    assert "has `wellbeing detect` run" in capfd.readouterr().err
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    with detect(tmp_path, mosquitto.port) as server:
        edge.send(3)
        edge.wait_released()
        second = DetectProcess(tmp_path, mosquitto.port)
        second.log = tmp_path / "second.log"
        second.start()
        assert second.wait() == 7
        assert "another `wellbeing detect` uses" in second.text
        wait_until(
            lambda: (
                main(["status", "--state-dir", state]) == 0
                and "broker        connected" in capfd.readouterr().out
            ),
            what="the status says connected",
        )
        assert server.stop() == 0
    assert main(["status", "--state-dir", state, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["counters"]["readings"] == 3
    assert found["runs"][0]["stored_seq"] == 2
    edge.close()


def test_a_real_server_is_watched_over_http_and_by_its_log(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    port = free_port()
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    options = ("--metrics-port", str(port), "--log-format", "json")
    with detect(tmp_path, mosquitto.port, *options) as server:
        edge.send(3)
        edge.wait_released()
        # not before: until the server has subscribed a broker drops what nobody sends again
        edge.publish_raw(topics.reading(SITE, "k1"), b"no json")

        def scrape() -> str:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as told:
                    return str(told.read().decode())
            except OSError:
                return ""

        for line in (
            f'wellbeing_server_received_total{{kind="window",site="{SITE}"}} 3.0',
            f'wellbeing_server_refused_total{{reason="malformed",site="{SITE}"}} 1.0',
            f'wellbeing_server_windows_scored_total{{site="{SITE}"}} 3.0',
            f'wellbeing_server_broker_connected{{site="{SITE}"}} 1.0',
            f'wellbeing_server_ready{{site="{SITE}"}} 1.0',
        ):
            wait_until(lambda line=line: line in scrape(), 60, line)
        assert "k1" not in scrape(), "no metric is about a person"
        assert server.stop() == 0
    edge.close()
    said = [json.loads(line) for line in server.text.splitlines()]
    assert {line["site"] for line in said} == {SITE}
    assert said[-1]["text"] == "stopped; everything received is on disk"
    assert "k1" not in server.text
