"""Copying a store: everything, also from where it was interrupted, and never without the count."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.copying import copy as copying
from analytics.copying.copy import Copy, Progress
from analytics.copying.inventory import ends_ns, sites
from analytics.copying.proof import Hours
from analytics.people import tombstones
from analytics.people.tombstone_files import tombstones_beside
from analytics.people.tombstones import Tombstone
from analytics.store.base import Query, Row, Store
from analytics.store.opening import open_store
from analytics.store.points import KEY, Database, FieldValue, Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from tests.rig.influx import ON_A_SERVER
from wellbeing import main

NOW = datetime.now(UTC)
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


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "old.sqlite"
    fill(embedded(path), points())
    return path


@ON_A_SERVER
def test_from_embedded_to_influxdb_and_back_nothing_changes(
    tmp_path: Path,
    old: Path,
    any_influx_settings: StoreSettings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server, back = config(tmp_path / "server.toml", any_influx_settings), tmp_path / "back.sqlite"
    notes = tmp_path / "notes.json"
    assert run(old, server, "--progress", str(notes)) == 0
    count = len(points())
    said = capsys.readouterr()
    first, last = said.out.splitlines()
    assert first == f"{count} points written, {count} counted on both sides"
    assert re.fullmatch(
        r"the same values .* \d+ hours of measurements: checksum [0-9a-f]{16}", last
    )
    assert said.err == "", "no bar where there is no terminal"
    assert everything(any_influx_settings) == everything(embedded(old))
    assert not notes.exists()
    assert run(server, back, "--progress", str(notes), "--json") == 0
    back_again = json.loads(capsys.readouterr().out)
    assert back_again["counted"] == count
    assert last.endswith(back_again["checksum"]), "the same values, the same checksum"
    assert everything(embedded(back)) == everything(embedded(old))


class Failing:
    """A store that fails at its nth write, half way through it."""

    def __init__(self, store: Store, writes: int, error: BaseException) -> None:
        self._store, self._writes, self._error = store, writes, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, told: list[Point]) -> Any:
        self._writes -= 1
        if self._writes < 0:
            self._store.write(told[: len(told) // 2])
            raise self._error
        return self._store.write(told)


@pytest.mark.parametrize("kind", WHERE_TO)
@pytest.mark.parametrize("writes", [1, 9])
def test_interrupted_it_goes_on_where_it_was(
    tmp_path: Path,
    old: Path,
    kind: str,
    writes: int,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(copying, "POINTS_AT_ONCE", 30)
    target = embedded(tmp_path / "new.sqlite")
    if kind == "influxdb":
        target = request.getfixturevalue("any_influx_settings")
    to, notes = config(tmp_path / "to.toml", target), tmp_path / "notes.json"

    def failing(settings: StoreSettings, *, read_only: bool = False) -> Any:
        store = open_store(settings, read_only=read_only)
        return store if read_only else Failing(store, writes, KeyboardInterrupt())

    with monkeypatch.context() as patch:
        patch.setattr("analytics.commands.store_copy.open_store", failing)
        assert run(old, to, "--progress", str(notes)) == 130
    assert "goes on from here" in capsys.readouterr().err
    done = json.loads(notes.read_text())["done"]
    assert done, "it says how far it was"
    written: list[int] = []

    def counting(settings: StoreSettings, *, read_only: bool = False) -> Any:
        store = open_store(settings, read_only=read_only)
        if not read_only:
            write = store.write
            store.write = lambda told: (written.append(len(told)), write(told))[1]  # type: ignore[method-assign,func-returns-value]
        return store

    with monkeypatch.context() as patch:
        patch.setattr("analytics.commands.store_copy.open_store", counting)
        assert run(old, to, "--progress", str(notes)) == 0
    assert sum(written) < len(points()), "what was written before is not written again"
    assert everything(target) == everything(embedded(old))


def test_memory_is_bounded_by_stretches_that_fit(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "POINTS_AT_ONCE", 10)
    source = open_store(embedded(old), read_only=True)
    new = open_store(embedded(tmp_path / "new.sqlite"))
    sizes: list[int] = []
    read = source.read
    source.read = lambda query: (sizes.append(len(read(query))), read(query))[1]  # type: ignore[method-assign,func-returns-value]
    one, progress = Copy(source, new, DAYS, NOW), Progress(until=NOW)
    for part in one.parts(progress):
        one.run(part, progress, lambda _: None)
    assert max(sizes) <= 10
    assert progress.written == len(points())
    source.close()
    new.close()


def test_where_its_progress_cannot_be_noted_it_says_so_first(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, notes = tmp_path / "new.sqlite", tmp_path / "a file" / "notes.json"
    notes.parent.write_text("")
    assert run(old, new, "--progress", str(notes)) == 2
    assert "--progress" in capsys.readouterr().err
    assert not any(everything(embedded(new)).values())


def test_it_goes_on_after_days_at_what_is_still_kept(tmp_path: Path, old: Path) -> None:
    """A server refuses what is older than its retention, and the copy would never end well."""
    source = open_store(embedded(old), read_only=True)
    new = open_store(embedded(tmp_path / "new.sqlite"))
    begun = {
        part.name: part.start_at for part in Copy(source, new, DAYS, NOW).parts(Progress(until=NOW))
    }
    later = NOW + timedelta(days=29)
    one, progress = Copy(source, new, DAYS, later), Progress(until=NOW, done=begun)
    for part in one.parts(progress):
        if part.measurement.database is Database.RAW:
            one.run(part, progress, lambda _: None)
            query = Query(measurement=part.measurement, site=part.site, limit=1_000)
            found = new.read(query)
            assert found, "something of it is still kept"
            assert found[0].time_ns >= epoch_ns(part.start_at)
    source.close()
    new.close()


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(lambda p: (p / "none.toml", p / "b.sqlite"), "no such file", id="no file"),
        pytest.param(lambda p: (p / "old.sqlite", p / "old.sqlite"), "same store", id="itself"),
        pytest.param(lambda p: (p / "none.sqlite", p / "b.sqlite"), "no store at", id="no store"),
    ],
)
def test_what_a_person_can_mend_is_one_line(
    tmp_path: Path,
    old: Path,
    arguments: Callable[[Path], tuple[Path, Path]],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*arguments(tmp_path), "--progress", str(tmp_path / "n.json")) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_damaged_progress_file_says_what_to_do(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "notes.json"
    notes.write_text("{")
    assert run(old, tmp_path / "new.sqlite", "--progress", str(notes)) == 2
    assert "remove it to begin anew" in capsys.readouterr().err


def test_what_a_store_holds(kind: Any) -> None:
    fill(kind.settings, points(5))
    store = kind.open(read_only=True)
    try:
        for measurement in Measurement:
            assert sites(store, measurement) == list(SITES)
            rows = store.read(Query(measurement=measurement, site="north"))
            ends = (rows[0].time_ns, rows[-1].time_ns)
            assert ends_ns(store, measurement, "north") == ends
            assert ends_ns(store, measurement, "nowhere") is None
    finally:
        store.close()


def test_every_measurement_has_a_field_that_is_counted() -> None:
    assert KEY.keys() == set(Measurement)
