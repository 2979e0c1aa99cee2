"""Databases of a test's own on the InfluxDB that the environment names, of any version.

``WELLBEING_TEST_INFLUX_URL`` names it. ``_TOKEN`` is one that may create and
delete databases, ``_ORG`` its organization; ``_USER`` and ``_PASSWORD`` an
administrator of 1.x; ``_CA_FILE`` a private authority. With a token **and** a
user, databases are made by the token and everything else is tried as the user.
Without ``_URL`` a real 1.x is started instead.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest

from analytics.store.influx import InfluxStore
from analytics.store.settings import StoreSettings
from sensors.mqtt import LOOPBACK
from tests.rig.database import Influxd
from tests.rig.relay import Relay, relay_to

GIVEN = "WELLBEING_TEST_INFLUX_"


def given(what: str) -> str:
    """Return what the environment says about the server to test against."""
    return os.environ.get(GIVEN + what, "")


ON_A_SERVER = pytest.mark.needs(*(() if given("URL") else ("influxd",)))
"""Marks what runs on the server given, else on a real 1.x."""


def fresh_name() -> str:
    """Return a database name that every version takes, used by nobody else."""
    return f"test{uuid4().hex}"


def given_url() -> str:
    """Return the address of the server given.

    One on another machine that speaks without TLS, as a container's does, is
    reached through a relay here: the product itself refuses to do that.
    """
    url = given("URL")
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return _near(parts.hostname or "", parts.port or 80).url
    return url


@cache
def _near(host: str, port: int) -> Relay:
    return Relay(host, port)  # ends with the process


def given_settings() -> StoreSettings:
    """Return settings for databases of this test's own on the server given, as administrator."""
    has_token = bool(given("TOKEN"))
    return StoreSettings(
        kind="influxdb",
        url=given_url(),
        database=fresh_name(),
        token=given("TOKEN"),
        org=given("ORG"),
        username="" if has_token else given("USER"),
        password="" if has_token else given("PASSWORD"),
        ca_file=given("CA_FILE"),
    )


def as_tested(administrator: StoreSettings) -> StoreSettings:
    """Return the settings with the account that the tests shall use."""
    if not given("USER"):
        return administrator
    return replace(administrator, token="", username=given("USER"), password=given("PASSWORD"))


@contextmanager
def databases_on_the_server_given() -> Iterator[StoreSettings]:
    """Make databases there that nobody else uses, and delete them afterwards."""
    administrator = given_settings()
    store = InfluxStore(administrator)
    try:
        store.prepare()
        yield as_tested(administrator)
    finally:
        drop_databases(store)
        store.close()


def drop_databases(store: InfluxStore) -> None:
    """Delete a test's databases: 3.x Core allows five, and nobody wants what tests leave."""
    name, call = store._settings.database, store._connection.call_json
    if store.server_version().startswith("1."):
        store.run(f'DROP DATABASE "{name}"')
        return
    for policy in ("raw", "derived"):
        bucket = f"{name}/{policy}"
        if store.server_version().startswith("3."):
            query = {"db": bucket, "hard_delete_at": "now"}
            call("DELETE", "/api/v3/configure/database", query)
            continue
        found = json.loads(call("GET", "/api/v2/buckets", {"name": bucket}).body)
        for one in found.get("buckets", []):
            call("DELETE", f"/api/v2/buckets/{one['id']}", {})


def prepared(settings: StoreSettings) -> StoreSettings:
    """Return `settings` once their databases are there."""
    store = InfluxStore(settings)
    store.prepare()
    store.close()
    return settings


@contextmanager
def own_databases(directory: Path) -> Iterator[StoreSettings]:
    """Make databases on the server given; else on a 1.x that is started in `directory`."""
    if given("URL"):
        with databases_on_the_server_given() as settings:
            yield settings
        return
    server = Influxd(directory)
    try:
        server.start()
        own = StoreSettings(kind="influxdb", url=server.url, database=fresh_name())
        yield prepared(own)
    finally:
        server.stop()


@dataclass(frozen=True)
class Breakable:
    """Databases on a server that can be away for a while."""

    settings: StoreSettings
    break_off: Callable[[], None]
    come_back: Callable[[], None]


@contextmanager
def breakable(directory: Path) -> Iterator[Breakable]:
    """Make databases on the server given, over a wire that can be cut; else on a 1.x to be killed."""
    if urlsplit(given("URL")).scheme == "http":
        parts = urlsplit(given("URL"))
        with (
            databases_on_the_server_given() as settings,
            relay_to(parts.hostname or "", parts.port or 80) as relay,
        ):
            yield Breakable(replace(settings, url=relay.url), relay.cut, relay.mend)
        return
    server = Influxd(directory)
    try:
        server.start()
        own = StoreSettings(kind="influxdb", url=server.url, database=fresh_name())
        yield Breakable(prepared(own), server.kill, server.start)
    finally:
        server.stop()


def environment(settings: StoreSettings) -> dict[str, str]:
    """Return the environment in which every verb uses the store of `settings`."""
    names = ("kind", "url", "database", "org", "username", "password", "token", "ca_file")
    known = {name: getattr(settings, name) for name in names}
    return {f"WELLBEING_STORE_{name.upper()}": value for name, value in known.items() if value}


def asked(settings: StoreSettings, policy: str, statement: str) -> list[dict[str, Any]]:
    """Return the rows of one InfluxQL statement about ``raw`` or ``derived``, past our own reader.

    Each measurement is named alone; a table or column that is not there has no rows.
    """
    store = InfluxStore(settings)
    try:
        name = settings.database
        beside = {"db": f"{name}/{policy}"}
        if not store.is_version("3"):
            beside = {"db": name, "rp": policy}
        target = urlencode({"q": statement, "epoch": "ns", **beside})
        reply = store._connection.request("GET", f"/query?{target}", {"Accept": "application/json"})
    finally:
        store.close()
    assert reply.ok, reply.body
    found = json.loads(reply.body)["results"][0]
    assert "error" not in found, found
    return [
        dict(zip(series["columns"], row, strict=True)) | series.get("tags", {})
        for series in found.get("series", [])
        for row in series["values"]
    ]
