"""TRUST, *Profiles*: the operator chooses, start-up explains, and what is forbidden does not start."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.alerts.alerting import AlertPolicy
from analytics.commands.detect import build
from analytics.pipeline.pipeline import Pipeline
from analytics.settings import ServerSettings
from analytics.store.settings import StoreSettings
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.messages import AlertKind, ConsentMessage, Voice
from sensors.policy import PolicySettings
from sensors.signals import Channel
from tests.analytics.server_rig import SITE, StandInEdge, detect, reading, write_teams
from tests.analytics.synthetic_floor import CALM_S, Floor, Person, strained_after, teams
from tests.analytics.synthetic_floor import SITE as NORTH
from tests.rig.command import one_line
from tests.rig.waiting import wait_until

ROOT = Path(__file__).parents[2]
BASIS = """
basis = "safety"
basis_by = "works council and employer"
basis_on = "2026-10-01"
basis_document = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"""


def _config(folder: Path, policy: str) -> Path:
    """Return a server's configuration with ``[policy]`` as given; its broker is not there."""
    config = folder / "wellbeing.toml"
    config.write_text(
        f'[broker]\nport = 1\n[server]\nsite = "{SITE}"\nteams = "{write_teams(folder)}"\n'
        f'state_dir = "{folder / "state"}"\n[store]\npath = "{folder / "store.sqlite"}"\n{policy}'
    )
    return config


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        pytest.param("", ["profile is not set", "general", "cn", "eu"], id="none chosen"),
        pytest.param('[policy]\nprofile = "us"\n', ["profile is 'us'", "eu"], id="unknown"),
        pytest.param(
            '[policy]\nprofile = "eu"\n', ["'eu' forbids", "Art. 5(1)(f)", "basis"], id="eu"
        ),
        pytest.param(
            '[policy]\nprofile = "eu"\nbasis = "safety"\n', ["basis_by is missing"], id="half a basis"
        ),
        pytest.param(
            '[policy]\nprofile = "general"\nsmallest_group = 2\n', ["smallest_group is 2"], id="group"
        ),
    ],
)  # fmt: skip
def test_a_forbidden_server_does_not_start_and_says_why_in_one_line(tmp_path, capfd, policy, words):
    code, line = one_line(capfd, "detect", "--config", _config(tmp_path, policy))
    assert code == 2
    assert all(word in line for word in words), line
    assert not (tmp_path / "state").exists(), "nothing was begun"


@pytest.mark.parametrize("verb", ["edge", "dashboard"])
@pytest.mark.parametrize("basis", ["", BASIS], ids=["no basis", "basis"])
def test_what_stays_with_the_agent_is_neither_sent_nor_shown(tmp_path, capfd, verb, basis):
    """One file serves every process: none of them may run on what it forbids."""
    config = tmp_path / "wellbeing.toml"
    config.write_text(
        f'[policy]\nprofile = "eu"\n{basis}[dashboard]\nsite = "{SITE}"\nsupervisor = "ana"\n'
        f'[edge]\nstate_dir = "{tmp_path / "edges"}"\n'
    )
    # With the basis each goes on to the next thing that it lacks.
    code, line = one_line(capfd, verb, "--config", config)
    assert code == 2
    assert ("'eu' forbids" in line) == (not basis), line


@pytest.mark.needs("mosquitto")
def test_start_up_explains_the_choice(mosquitto, tmp_path):
    with detect(tmp_path, mosquitto.port) as server:
        wait_until(lambda: "serving site" in server.text)
    assert "profile general: every channel after the agent's consent" in server.text


@pytest.mark.needs("mosquitto")
def test_consent_is_per_channel_at_the_server_too(mosquitto, tmp_path):
    """PIPL, and everybody: what was not consented to is refused and not even set aside."""
    with detect(tmp_path, mosquitto.port) as server:
        wait_until(lambda: "connected to the broker" in server.text)
        edge = StandInEdge(mosquitto.port, "k1", "run00001")
        consent = ConsentMessage(version="1", at=datetime.now(UTC), channels=(Channel.HEART,))
        edge.publish_raw(topics.consent(SITE, "k1"), codec.encode(consent))
        sent = reading(0, keyboard=None, voice=Voice(quality=1.0, f0_hz=123.456))
        edge.held[0] = codec.encode(sent)
        edge.publish_raw(topics.reading(SITE, "k1"), edge.held[0])
        edge.wait_released()  # accounted for, so that the edge does not hold it for ever
        edge.close()
        assert server.stop() == 0
    for path in tmp_path.rglob("*.sqlite*"):
        assert b"123.456" not in path.read_bytes(), path


def test_the_smallest_group_of_the_policy_reaches_the_pipeline(tmp_path):
    service = build(
        ServerSettings(
            site=SITE, teams=str(write_teams(tmp_path)), state_dir=str(tmp_path / "state")
        ),
        BrokerSettings(),
        StoreSettings(path=str(tmp_path / "store.sqlite")),
        PolicySettings(profile="general", smallest_group=9),
    )
    try:
        assert service._pipeline._policy.smallest_group == 9
    finally:
        service._db.close()
        service._lock.release()


@pytest.mark.parametrize(("smallest", "figures"), [(5, (8, 8)), (9, (None, None))])
def test_a_group_below_it_is_told_about_without_figures(smallest, figures):
    people = [Person(f"k{i}", strained_after(CALM_S)) for i in range(8)]
    floor = Floor(people, Pipeline(NORTH, teams(8), AlertPolicy(smallest_group=smallest)))
    assert floor.run(CALM_S + 400, until=lambda: bool(floor.open(AlertKind.TEAM)))
    floor.run(120)
    (alert,) = floor.open(AlertKind.TEAM)
    assert (alert.affected, alert.team_size) == figures
