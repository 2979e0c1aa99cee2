"""Who is let in."""

import pytest

from sensors.edge.page.gate import CODE_LASTS_S, HEADERS, Gate

GATE = Gate(8123, "secret")
OWN = {"host": "127.0.0.1:8123", "origin": "http://127.0.0.1:8123", "sec-fetch-site": "same-origin"}


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost:8123"])
def test_this_machine_under_its_own_names(host):
    assert GATE.knows_name({"host": host})


@pytest.mark.parametrize(
    "host", ["evil.example:8123", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:8123", ""]
)
def test_a_foreign_name_is_refused(host):
    assert not GATE.knows_name({"host": host})


def test_only_this_starts_token_is_known_and_every_start_has_another():
    assert GATE.knows_token("secret")
    assert not GATE.knows_token("secre")
    assert not GATE.knows_token("密")
    assert Gate(8123).home != Gate(8123).home
    assert len(Gate(8123).home) >= 32


def test_a_form_of_this_page():
    assert GATE.is_own_form(OWN)
    assert GATE.is_own_form({k: v for k, v in OWN.items() if k != "sec-fetch-site"})


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8123"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_form_from_elsewhere_is_refused(change):
    assert not GATE.is_own_form({**OWN, **change})


def code_of(address):
    return address.rpartition("/")[2]


def test_an_address_opens_the_page_once_and_soon():
    gate = Gate(8123)
    first, second = (gate.one_time_address(10.0) for _ in range(2))
    assert gate.redeem(code_of(first), 10.0 + CODE_LASTS_S)
    assert not gate.redeem(code_of(first), 11.0)
    assert not gate.redeem(code_of(second), 10.1 + CODE_LASTS_S)
    gate.one_time_address(10.0)
    assert not gate.redeem("guess", 11.0)
    assert not gate.redeem("密", 11.0)
    assert gate.home.strip("/") not in first


def test_addresses_nobody_opens_do_not_gather():
    gate = Gate(8123)
    codes = [code_of(gate.one_time_address(0.0)) for _ in range(100)]
    assert not gate.redeem(codes[0], 1.0)
    assert gate.redeem(codes[-1], 1.0)


def test_nothing_from_elsewhere_and_nothing_kept():
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert HEADERS["Cache-Control"] == "no-store"
