"""A store to copy, and how to look at both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.store.base import Query, Row
from analytics.store.opening import open_store
from analytics.store.points import KEY, Database, FieldValue, Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from tests.rig.influx import ON_A_SERVER
from wellbeing import main

# At noon: what is kept goes by whole days, and rows of an hour ago must lie on the same one.
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
SITES = ("north", "south")
DAYS = {Database.RAW: 30, Database.DERIVED: 90}


def points(per_agent: int = 40) -> list[Point]:
    """Three days of every measurement: all types, odd words, agents and none."""
    found = []
    for measurement in Measurement:
        for site in SITES:
            for agent in ("k1", "k2", ""):
                if not agent and measurement is not Measurement.TRANSITION:
                    continue
                tags = {"site": site} | ({"agent": agent} if agent else {})
                if measurement.database is Database.RAW:
                    tags["source"] = "pc"
                for n in range(per_agent):
                    at = NOW - timedelta(hours=1) - timedelta(minutes=107 * n, seconds=n)
                    found.append(Point(measurement, tags, fields(measurement, n), epoch_ns(at) + n))
    return found


def fields(measurement: Measurement, n: int) -> dict[str, FieldValue]:
    key: FieldValue = n if KEY[measurement] in {"seq", "windows"} else f"said {n}"
    odd: dict[str, FieldValue] = {"late": n % 2 == 0, "note": f'çay, "茶" \\ {n}', "level": n - 20}
    return {KEY[measurement]: key, "value": n / 7, "whole": float(n), **odd}


WHERE_TO = ["embedded", pytest.param("influxdb", marks=ON_A_SERVER)]


def embedded(path: Path) -> StoreSettings:
    return StoreSettings(path=str(path))


def fill(settings: StoreSettings, told: list[Point]) -> None:
    store = open_store(settings)
    assert not store.write(told).refused
    store.close()


def everything(settings: StoreSettings) -> dict[Measurement, list[Row]]:
    store = open_store(settings, read_only=True)
    try:
        return {
            m: [row for site in SITES for row in store.read(Query(measurement=m, site=site))]
            for m in Measurement
        }
    finally:
        store.close()


def _account(path: Path, settings: StoreSettings) -> str:
    """Return the lines that say who asks; the secret stands in a file of its own."""
    secret = path.with_suffix(".secret")
    secret.touch(mode=0o600)
    secret.write_text(settings.token or settings.password)
    kind = "token" if settings.token else "password" if settings.password else ""
    known = [("username", settings.username), ("ca_file", settings.ca_file)]
    known += [(f"{kind}_file", str(secret))] if kind else []
    return "".join(f'{key} = "{value}"\n' for key, value in known if value)


def config(path: Path, settings: StoreSettings) -> Path:
    path.write_text(
        f'[store]\nkind = "{settings.kind}"\npath = "{settings.path}"\nurl = "{settings.url}"\n'
        f'database = "{settings.database}"\norg = "{settings.org}"\n{_account(path, settings)}'
        f'[server]\nstate_dir = "{path.parent}"\n'
    )
    return path


def run(source: Path, to: Path, *more: str) -> int:
    return main(["store", "copy", "--from", str(source), "--to", str(to), *more])
