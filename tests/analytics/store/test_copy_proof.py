"""What a copy proves: the same values on both sides, and of whom there are none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.copying.proof import Hours
from analytics.people import tombstones
from analytics.people.tombstone_files import tombstones_beside
from analytics.people.tombstones import Tombstone
from analytics.store.base import Row
from analytics.store.opening import open_store
from analytics.store.points import KEY, Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from tests.analytics.store.copies import (
    NOW,
    WHERE_TO,
    config,
    embedded,
    everything,
    fill,
    points,
    run,
)


def test_a_difference_is_named_and_fails(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break it: a destination that loses one agent's points must not pass."""
    new = tmp_path / "new.sqlite"

    def losing(settings: StoreSettings, *, read_only: bool = False) -> Any:
        store = open_store(settings, read_only=read_only)
        if not read_only:
            write = store.write
            store.write = lambda told: replace(  # type: ignore[method-assign]
                write([p for p in told if p.tags.get("agent") != "k2" or p.measurement != "beat"]),
                written=len(told),
            )
        return store

    monkeypatch.setattr("analytics.commands.store_copy.open_store", losing)
    assert run(old, new, "--progress", str(tmp_path / "notes.json")) == 6
    said = capsys.readouterr()
    assert "beat of north, k2, " in said.out
    assert " 0 here" in said.out
    assert "the two sides differ" in said.err
    assert "same command again" in said.err


@pytest.mark.parametrize("kind", WHERE_TO)
def test_a_changed_value_is_named_although_every_count_is_right(
    tmp_path: Path,
    old: Path,
    kind: str,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = embedded(tmp_path / "new.sqlite")
    if kind == "influxdb":
        target = request.getfixturevalue("any_influx_settings")
    changed = next(p for p in points() if p.measurement is Measurement.BEAT)

    def changing(settings: StoreSettings, *, read_only: bool = False) -> Any:
        store = open_store(settings, read_only=read_only)
        if not read_only:
            write = store.write
            store.write = lambda told: write(  # type: ignore[method-assign]
                [
                    replace(p, fields={**p.fields, "value": 1.0 + 2**-52}) if p == changed else p
                    for p in told
                ]
            )
        return store

    monkeypatch.setattr("analytics.commands.store_copy.open_store", changing)
    to = config(tmp_path / "to.toml", target)
    assert run(old, to, "--progress", str(tmp_path / "notes.json")) == 6
    said = capsys.readouterr()
    (line,) = (line for line in said.out.splitlines() if "hour from" in line)
    hour = datetime.fromtimestamp(changed.time_ns // 10**9, UTC)
    assert line.startswith(f"beat of north, hour from {hour:%Y-%m-%dT%H}:00+00:00: not the same")
    assert "checksum" not in said.out
    assert "the two sides differ in 1 hours" in said.err


def test_the_checksum_knows_no_order_and_every_change() -> None:
    tags = {"site": "north", "agent": "k1"}
    rows = [Row(n * 1_000, tags, {"a": n / 7, "b": n, "c": n % 2 == 0}) for n in range(50)]

    def checksum(given: list[Row]) -> int:
        hours = Hours()
        hours.add(Measurement.SCORE, given)
        return hours.checksum

    whole = checksum(rows)
    assert checksum(rows[::-1]) == whole
    assert checksum([*rows[:20], *rows[20:]]) == whole
    first = rows[0]
    others = [
        Row(1, tags, first.fields),
        Row(0, {**tags, "agent": "k2"}, first.fields),
        Row(0, tags, {**first.fields, "b": 0.0}),
        Row(0, tags, {**first.fields, "c": False}),
        Row(0, tags, {"a": 0.0, "b": 0}),
    ]
    found = {checksum([other, *rows[1:]]) for other in others}
    assert len(found | {whole, checksum(rows[1:]), checksum([*rows, first])}) == len(others) + 3


def test_of_who_was_erased_nothing_from_before_is_copied(tmp_path: Path, old: Path) -> None:
    new = tmp_path / "new.sqlite"
    erased_at = NOW - timedelta(hours=20)
    stone = Tombstone(id="erased01", agent="k1", at=erased_at, consent_after=erased_at)
    (beside,) = tombstones_beside(embedded(old))
    tombstones.merge_into(beside, [stone])
    assert run(old, new, "--progress", str(tmp_path / "notes.json")) == 0
    for rows in everything(embedded(new)).values():
        theirs = [row.time_ns for row in rows if row.tags.get("agent") == "k1"]
        assert theirs
        assert min(theirs) > epoch_ns(erased_at)
    (beside_new,) = tombstones_beside(embedded(new))
    assert tombstones.read_file(beside_new) == [stone], "the new store refuses it as well"


def test_an_agent_can_be_left_out(tmp_path: Path, old: Path) -> None:
    new = tmp_path / "new.sqlite"
    assert run(old, new, "--without", "k2", "--progress", str(tmp_path / "notes.json")) == 0
    agents = {r.tags.get("agent") for rows in everything(embedded(new)).values() for r in rows}
    assert agents == {"k1", None}


def test_what_the_destination_no_longer_keeps_is_not_copied(tmp_path: Path) -> None:
    old, new = embedded(tmp_path / "old.sqlite"), embedded(tmp_path / "new.sqlite")
    tags = {"site": "north", "agent": "k1"}
    ages = (1, 40, 80, 100)
    fill(old, [
        Point(m, tags, {KEY[m]: 1, "value": 1.0}, epoch_ns(NOW - timedelta(days=age)))
        for m in (Measurement.BEAT, Measurement.SCORE) for age in ages
    ])  # fmt: skip
    assert run(Path(old.path), Path(new.path), "--progress", str(tmp_path / "n.json")) == 0
    counts = {m: len(rows) for m, rows in everything(new).items() if rows}
    assert counts == {Measurement.BEAT: 1, Measurement.SCORE: 3}
