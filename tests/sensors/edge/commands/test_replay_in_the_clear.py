"""`wellbeing replay` sends nobody's recordings over a network in the clear (TRUST T20)."""

import socket

import pytest

import wellbeing


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "k7.csv"
    path.write_text("t_s,signal,value\n0,hr_bpm,70\n6,hr_bpm,71\n")
    return path


@pytest.fixture
def called(monkeypatch):
    """Addresses that somebody tried to reach; nobody gets there."""
    found = []

    def refuse(address, *_, **__):
        found.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    return found


@pytest.mark.parametrize("host", ["broker.example", "192.0.2.7"])
def test_a_broker_elsewhere_without_encryption_is_refused_before_it_is_called(
    recording, called, capsys, host
):
    code = wellbeing.main(["replay", str(recording), "--site", "hq", "--broker", f"{host}:1883"])
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert f"[broker] host is '{host}' and tls is false; off this machine set tls = true" in said
    assert called == []


def test_so_it_is_where_the_configuration_names_it(recording, called, capsys, tmp_path):
    config = tmp_path / "wellbeing.toml"
    config.write_text('[edge]\nsite = "hq"\n[broker]\nhost = "broker.example"\n')
    code = wellbeing.main(["replay", str(recording), "--config", str(config)])
    assert code == 2
    assert "tls is false" in capsys.readouterr().err
    assert called == []


@pytest.mark.parametrize(("host", "tls"), [("127.0.0.1", "false"), ("broker.example", "true")])
def test_this_machines_broker_and_an_encrypted_one_are_not(
    recording, tmp_path, monkeypatch, capsys, host, tls
):
    async def goes_on(*_, **__):
        return {"agents": []}

    monkeypatch.setattr("sensors.edge.commands.replay._replay", goes_on)
    config = tmp_path / "wellbeing.toml"
    config.write_text(f'[edge]\nsite = "hq"\n[broker]\nhost = "{host}"\ntls = {tls}\n')
    assert wellbeing.main(["replay", str(recording), "--config", str(config), "--json"]) == 0
    assert capsys.readouterr().out == '{"agents":[]}\n'
