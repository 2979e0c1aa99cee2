"""Copying a store: everything, also from where it was interrupted, and never without the count."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.copying import copy as copying
from analytics.copying.copy import Copy, Progress
from analytics.copying.inventory import ends_ns, sites
from analytics.store.base import Query, Store
from analytics.store.opening import open_store
from analytics.store.points import KEY, Database, Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from tests.analytics.store.copies import (
    DAYS,
    NOW,
    SITES,
    WHERE_TO,
    config,
    embedded,
    everything,
    fill,
    points,
    run,
)
from tests.rig.influx import ON_A_SERVER


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
