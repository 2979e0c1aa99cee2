"""Why there is no broker, and who must do what: against a real Mosquitto."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sensors.config import BrokerSettings
from sensors.mqtt import Connection
from tests.rig import wait_until

DAY = timedelta(days=1)


@contextmanager
def trying(port, **settings):
    """A connection that is tried; what it says is why it fails."""
    connection = Connection(BrokerSettings(port=port, **settings), client_id="edge")
    connection.start()
    try:
        yield connection
    finally:
        connection.stop()


def refusal(port, **settings):
    with trying(port, **settings) as connection:
        return wait_until(lambda: connection.refusal)


def certified(folder, begins, ends):
    """Write key and certificate, its own authority, of a broker on the loopback address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *plain))
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    return [f"certfile {folder}/cert.pem", f"keyfile {folder}/key.pem"]


@pytest.mark.parametrize(
    ("begins", "ends", "why"),
    [
        pytest.param(-9 * DAY, -1 * DAY, "certificate has expired", id="expired"),
        pytest.param(1 * DAY, 9 * DAY, "certificate is not yet valid", id="not yet"),
    ],
)
def test_a_certificate_out_of_date_is_the_brokers_or_the_clocks(
    mosquitto_factory, tmp_path, begins, ends, why
):
    now = datetime.now(UTC)
    broker = mosquitto_factory(extra=certified(tmp_path, now + begins, now + ends))
    said = refusal(broker.port, tls=True, ca_file=str(tmp_path / "cert.pem"))
    assert why in said
    assert "renew it at the broker, or set this machine's clock" in said
    assert "ca_file" not in said


def test_an_unknown_authority_is_a_matter_of_ca_file(mosquitto_factory, tmp_path):
    now = datetime.now(UTC)
    broker = mosquitto_factory(extra=certified(tmp_path, now - DAY, now + DAY))
    assert refusal(broker.port, tls=True).endswith("check [broker] ca_file")
    with trying(broker.port, tls=True, ca_file=str(tmp_path / "cert.pem")) as connection:
        connection.wait_connected(60)
        assert connection.refusal == ""


def test_tls_on_one_side_only_is_named_on_either(mosquitto_factory, tmp_path):
    now = datetime.now(UTC)
    broker = mosquitto_factory(extra=certified(tmp_path, now - DAY, now + DAY))
    assert "check [broker] port, and whether it wants tls" in refusal(broker.port)
    plain = mosquitto_factory()
    assert "check [broker] port, and whether it wants tls" in refusal(plain.port, tls=True)


def test_a_wrong_password_names_where_it_is_set(mosquitto_factory):
    broker = mosquitto_factory(passwords={"k7": "right"})
    said = refusal(broker.port, username="k7", password="wrong")
    assert "check [broker] username, password_file" in said
    assert "wrong" not in said


def test_many_large_messages_pass_over_tls_both_ways(mosquitto_factory, tmp_path):
    now = datetime.now(UTC)
    broker = mosquitto_factory(extra=certified(tmp_path, now - DAY, now + DAY))
    settings = BrokerSettings(port=broker.port, tls=True, ca_file=str(tmp_path / "cert.pem"))
    topic, heard, confirmed = "wellbeing/v1/hq/agent/k7/reading", [], []
    both = Connection(
        settings,
        client_id="both",
        subscriptions=(topic,),
        on_message=heard.append,
        on_published=confirmed.append,
    )
    both.start()
    try:
        both.wait_connected(60)
        payloads = [str(n).encode() * 5_000 for n in range(300)]
        numbers = [both.publish(topic, payload) for payload in payloads]
        wait_until(lambda: len(heard) == len(confirmed) == len(payloads))
    finally:
        both.stop()
    assert [inbound.payload for inbound in heard] == payloads
    assert confirmed == numbers
