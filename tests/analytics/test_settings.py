"""Settings and profiles: every refusal names key, value and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analytics.settings import ServerSettings
from sensors.config import BrokerSettings, section
from sensors.errors import ConfigurationError
from sensors.mqtt import require_tls
from sensors.policy import PROFILES, Alerts, PolicySettings
from sensors.signals import Channel


def policy(**values: Any) -> PolicySettings:
    return section({"policy": values}, "policy", PolicySettings, {})


BASIS = {
    "basis": "safety",
    "basis_by": "Works council",
    "basis_on": "2026-01-31",
    "basis_document": "ab" * 32,
}


def test_there_is_no_default_profile() -> None:
    with pytest.raises(ConfigurationError) as caught:
        policy()
    for name in ("[policy] profile is not set", *PROFILES):
        assert name in str(caught.value)
    with pytest.raises(ConfigurationError, match="profile is 'us'"):
        policy(profile="us")


@pytest.mark.parametrize("profile", ["general", "cn"])
def test_general_and_cn(profile: str) -> None:
    found = policy(profile=profile)
    found.require_server()
    assert found.forbidden == frozenset()
    assert found.alerts is Alerts.ON
    assert profile in found.explain()


def test_eu_refuses_a_server_and_voice_without_a_basis() -> None:
    found = policy(profile="eu")
    assert found.forbidden == {Channel.VOICE}
    with pytest.raises(ConfigurationError, match=r"profile 'eu' forbids .* set basis"):
        found.require_server()


def test_a_recorded_basis_lifts_it_and_start_up_says_so() -> None:
    found = policy(profile="eu", **BASIS)
    found.require_server()
    assert found.forbidden == frozenset()
    assert "safety basis recorded by Works council on 2026-01-31" in found.explain()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("basis", "because"),
        ("basis_by", " "),
        ("basis_on", "yesterday"),
        ("basis_document", "a file"),
        ("smallest_group", 4),
        ("alerts_per_supervisor_hour", 0),
        ("alerts_per_supervisor_hour", 7),
    ],
)
def test_policy_errors(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"\[policy\] {key}"):
        policy(profile="eu", **{**BASIS, key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("site", "Main Site"),
        ("site", 3),
        ("journal_hours", 25),
        ("journal_hours", 0),
        ("journal_rows", 0),
        ("spool_mb", 0),
        ("stat_dir", "x"),
    ],
)
def test_server_errors(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"\[server\] .*{key}"):
        section({"server": {key: value}}, "server", ServerSettings, {})


def test_directories_and_teams() -> None:
    found = ServerSettings(site="lab")
    assert found.directory().name == "server-lab"
    assert ServerSettings(state_dir="~/x").directory() == Path.home() / "x"
    with pytest.raises(ConfigurationError, match=r"\[server\] teams is not set"):
        found.teams_file()


def test_a_broker_elsewhere_needs_tls() -> None:
    require_tls(BrokerSettings())
    require_tls(BrokerSettings(host="broker.example", tls=True))
    with pytest.raises(ConfigurationError, match=r"'broker.example' and tls is false"):
        require_tls(BrokerSettings(host="broker.example"))
