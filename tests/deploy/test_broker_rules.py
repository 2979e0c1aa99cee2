"""TRUST T20: with an agent's credential, every other topic is tried on a real Mosquitto.

The files under test are the ones an operator installs, with site and paths put in.
"""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sensors import topics
from sensors.config import BrokerSettings
from sensors.errors import BrokerError
from sensors.mqtt import Connection
from tests.rig import Mosquitto, wait_until
from tests.rig.broker import write_passwords

DEPLOY = Path(__file__).parents[2] / "deploy" / "mosquitto"
PASSWORDS = {
    name: f"{name}-word" for name in ("k7", "k8", "server", "dashboard", "telephony", "rig")
}
# The rig's own eyes and hands; not part of what is installed.
RIG = "\nuser rig\ntopic readwrite wellbeing/#\ntopic read $SYS/#\ntopic readwrite other/#\n"


class Installed(Mosquitto):
    """Mosquitto with the configuration of deploy/, moved into a temporary directory."""

    def command(self):
        here = self.directory
        acl = (DEPLOY / "acl").read_text().replace("SITE", "hq") + RIG
        (here / "wellbeing.acl").write_text(acl)
        (here / "wellbeing.acl").chmod(0o600)
        write_passwords(here / "wellbeing.passwords", PASSWORDS)
        _write_certificate(here)
        text = (DEPLOY / "mosquitto.conf").read_text()
        moved = {
            "listener 8883": f"listener {self.port} 127.0.0.1",
            "/etc/mosquitto/certs/": f"{here}/",
            "/etc/mosquitto/": f"{here}/",
            "/var/lib/mosquitto/": f"{here}/",
            "log_dest syslog": "log_dest stdout",
        }
        for old, new in moved.items():
            assert old in text
            text = text.replace(old, new)
        config = here / "mosquitto.conf"
        config.write_text("\n".join([text, *(line for line in self._basics() if "user " in line)]))
        return ["-c", str(config)]


def _write_certificate(here):
    """Write a self-signed certificate for 127.0.0.1, valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rig")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (here / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (here / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.fixture
def broker(tmp_path):
    server = Installed(tmp_path / "mosquitto")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connect(broker):
    """Return a function that connects somebody, hearing what it is allowed to hear."""
    opened = []

    def go(name, *subscriptions):
        heard = []
        settings = BrokerSettings(
            port=broker.port,
            username=name,
            password=PASSWORDS[name],
            tls=True,
            ca_file=str(broker.directory / "server.crt"),
        )
        connection = Connection(
            settings,
            client_id=f"{name}-{len(opened)}",
            subscriptions=subscriptions,
            on_message=lambda m: heard.append((m.topic, m.payload.decode())),
        )
        opened.append(connection)
        connection.start()
        connection.wait_connected(60)
        return connection, heard

    yield go
    for connection in opened:
        connection.stop()


OWN = [
    topics.reading("hq", "k7"), topics.status("hq", "k7", "pc"), topics.consent("hq", "k7"),
    topics.reply("hq", "k7"), topics.request("hq", "k7"), topics.time("hq", "k7"),
]  # fmt: skip
FOR_K7 = [
    topics.stored("hq", "k7", "pc"), topics.notice("hq", "k7"), topics.time_echo("hq", "k7"),
    topics.context("hq", "k7"), topics.mirror("hq", "k7"),
]  # fmt: skip
OTHERS = [
    *(topic.replace("/k7", "/k8") for topic in [*OWN, *FOR_K7]),
    *(topic.replace("/hq/", "/branch/") for topic in [*OWN, *FOR_K7]),
    topics.alert("hq", "0a1b2c3d"), topics.decision("hq"), topics.audit("hq"),
    "wellbeing/v1/hq/agent", "wellbeing/v1/hq/agent/k77/reading", "wellbeing/v1/hq/x",
    "wellbeing/v1/hq/agent/server/reading", "wellbeing/v2/hq/agent/k7/reading",
    "wellbeing/x", "other/x",
]  # fmt: skip

pytestmark = pytest.mark.needs("mosquitto", "mosquitto_passwd")


def _write_all(connection, where):
    for topic in where:
        connection.publish_and_wait(topic, topic.encode(), retain=False, timeout_s=60)


def test_an_agent_writes_only_below_its_own_branch(connect):
    _, heard = connect("rig", "wellbeing/#", "other/#")
    agent, _ = connect("k7")
    _write_all(agent, [*FOR_K7, *OTHERS, *OWN])  # refused ones are confirmed all the same
    wait_until(lambda: OWN[-1] in [topic for topic, _ in heard])
    assert [topic for topic, _ in heard] == OWN


def test_an_agent_reads_only_what_is_meant_for_it(connect):
    _, heard = connect("k7", "#", *FOR_K7, *OTHERS, *OWN, "wellbeing/v1/+/agent/+/reading")
    rig, _ = connect("rig")
    _write_all(rig, [*OWN, *OTHERS, *FOR_K7])
    wait_until(lambda: FOR_K7[-1] in [topic for topic, _ in heard])
    assert {topic for topic, _ in heard} == set(FOR_K7)


def test_an_agent_sees_no_retained_message_of_another(connect):
    rig, _ = connect("rig")
    for topic in (*OTHERS, *FOR_K7):
        rig.publish_and_wait(topic, b"kept", retain=True, timeout_s=60)
    _, heard = connect("k7", "wellbeing/#")
    wait_until(lambda: len(heard) >= len(FOR_K7))
    assert {topic for topic, _ in heard} == set(FOR_K7)


def test_the_server_does_its_work_and_no_more(connect):
    server, heard = connect("server", *topics.server_subscriptions("hq"))
    _, seen = connect("rig", "wellbeing/#")
    rig, _ = connect("rig")
    incoming = [*OWN, topics.context("hq", "k7"), topics.decision("hq"), topics.audit("hq")]
    _write_all(rig, incoming)
    wait_until(lambda: len(heard) >= len(incoming) <= len(seen))
    assert [topic for topic, _ in heard] == incoming
    seen.clear()
    mine = [topics.mirror("hq", "k7"), topics.alert("hq", "0a1b2c3d")]
    # What the broker keeps of an agent who was erased, it must be able to clear.
    clears = [
        topics.status("hq", "k7", "pc"),
        topics.consent("hq", "k7"),
        topics.context("hq", "k7"),
    ]
    outgoing = [*clears, *FOR_K7[:3], *mine]
    _write_all(server, [*OWN, topics.decision("hq"), *clears[2:], *outgoing[3:]])
    wait_until(lambda: len(seen) >= len(outgoing))
    assert [topic for topic, _ in seen] == outgoing


def test_the_dashboard_sees_alerts_and_no_reading(connect):
    dashboard, heard = connect("dashboard", "wellbeing/#", *topics.dashboard_subscriptions("hq"))
    rig, seen = connect("rig", "wellbeing/#")
    alert = topics.alert("hq", "0a1b2c3d")
    _write_all(rig, [*OWN, *FOR_K7, *(t for t in OTHERS if t != alert), alert])
    wait_until(lambda: heard and seen[-1:] == [(alert, alert)])
    assert {topic for topic, _ in heard} == {alert}
    seen.clear()
    allowed = [topics.decision("hq"), topics.audit("hq")]
    _write_all(dashboard, [*OWN, *FOR_K7, alert, *allowed])
    wait_until(lambda: len(seen) >= len(allowed))
    assert [topic for topic, _ in seen] == allowed


def test_telephony_says_what_an_agent_does_and_hears_nothing(connect):
    telephony, heard = connect("telephony", "#")
    _, seen = connect("rig", "wellbeing/#")
    _write_all(telephony, [*OWN, topics.decision("hq"), topics.context("hq", "k7")])
    wait_until(lambda: seen)
    assert [topic for topic, _ in seen] == [topics.context("hq", "k7")]
    assert heard == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"username": "", "password": ""}, "Not authorized", id="nobody"),
        pytest.param({"password": "wrong"}, "Not authorized", id="wrong password"),
        pytest.param(
            {"ca_file": ""}, "certificate is not trusted", id="a certificate nobody vouches for"
        ),
        pytest.param({"tls": False, "ca_file": ""}, "", id="in the clear"),
    ],
)
def test_nobody_else_gets_in(broker, changes, words):
    good = {
        "username": "k7",
        "password": "k7-word",
        "tls": True,
        "ca_file": str(broker.directory / "server.crt"),
    }
    settings = BrokerSettings(port=broker.port, **(good | changes))
    connection = Connection(settings, client_id="stranger")
    connection.start()
    try:
        wait_until(lambda: connection.refusal)
        with pytest.raises(BrokerError) as caught:
            connection.wait_connected(0.1)
    finally:
        connection.stop()
    assert words in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert not connection.is_connected


def test_the_certificate_is_checked_against_the_host(broker):
    context = ssl.create_default_context(cafile=str(broker.directory / "server.crt"))
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_every_limit_is_chosen():
    text = (DEPLOY / "mosquitto.conf").read_text()
    for name in ("max_queued_messages", "max_queued_bytes", "max_inflight_messages", "persistence"):
        assert f"\n{name} " in text


def test_what_comes_in_a_burst_over_tls_comes_whole_and_in_order(connect):
    """Records of TLS end elsewhere than messages do."""
    _, heard = connect("rig", OWN[0])
    agent, _ = connect("k7")
    sent = [f"{n} ".ljust((3, 300, 17_000, 66_000)[n % 4], "x") for n in range(120)]
    for payload in sent:
        agent.publish(OWN[0], payload.encode())
    wait_until(lambda: len(heard) == len(sent), 120, "all of it")
    assert [payload for _, payload in heard] == sent
