"""TLS with a private authority, at a real server that terminates it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from analytics.store.findings import Level
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors.errors import StoreError
from tests.rig import Influxd
from tests.rig.process import answers_tcp

NOW = datetime.now(UTC)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, *extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


def authority(directory, title):
    """Make an authority; return its key and the file of its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = certificate(
        title,
        key,
        title,
        key,
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    )
    file = directory / f"{title}.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return key, file


class GuardedInfluxd(Influxd):
    """Answers over TLS only, so readiness is a connection."""

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def is_ready(self):
        return answers_tcp(self.port)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return a server with a certificate of a private authority, and that authority's file."""
    directory = tmp_path_factory.mktemp("tls")
    ca_key, ca_file = authority(directory, "private")
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    own = certificate("influx", key, "private", ca_key, (names, False), (signer, False))
    both = directory / "influx.pem"
    both.write_bytes(
        own.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    lines = f'https-enabled = true\nhttps-certificate = "{both}"'
    server = GuardedInfluxd(directory / "influxd", http_lines=lines)
    try:
        server.start()
        yield server, ca_file
    finally:
        server.stop()


@pytest.mark.needs("influxd")
def test_a_private_authority_is_trusted_when_named(served):
    server, ca_file = served
    store = InfluxStore(StoreSettings(kind="influxdb", url=server.url, ca_file=str(ca_file)))
    store.prepare()
    point = Point(Measurement.SCORE, {"site": "north"}, {"seq": 1}, epoch_ns(NOW))
    assert store.write([point]).written == 1
    found = {f.what: f for f in store.findings(datetime.now(UTC))}
    store.close()
    assert found["encryption"].said == f"TLS, its certificate verified by {ca_file}"
    assert not [f for f in found.values() if f.level is Level.WRONG]


@pytest.mark.needs("influxd")
@pytest.mark.parametrize("trusts", ["nobody", "another"])
def test_another_authority_is_not_and_what_to_do_is_said(served, tmp_path, trusts):
    server, _ = served
    settings = StoreSettings(kind="influxdb", url=server.url, token="se-cret")
    if trusts == "another":
        settings = replace(settings, ca_file=str(authority(tmp_path, "another")[1]))
    store = InfluxStore(settings)
    with pytest.raises(StoreError, match=r"certificate.*check ca_file in \[store\]") as failed:
        store.write([Point(Measurement.SCORE, {"site": "n"}, {"a": 1}, epoch_ns(NOW))])
    (found,) = store.findings(datetime.now(UTC))
    store.close()
    assert (found.what, found.level) == ("reachable", Level.WRONG)
    assert "se-cret" not in str(failed.value) + found.line()
    assert "\n" not in str(failed.value)
