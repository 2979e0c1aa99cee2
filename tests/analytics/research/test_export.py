"""Files that leave: complete, described, and never unknown to the ledger."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from analytics.research import ExportRecord, exports_of
from analytics.research.catalogue import VARIABLES
from analytics.research.ledger import Ledger
from analytics.research.table import COLUMNS
from sensors.errors import ConfigurationError, StateError
from tests.analytics.research.conftest import AGENTS, BEGIN, CONSENTED, STUDY, form

RECORD = ExportRecord(
    at=datetime(2026, 3, 1, tzinfo=UTC), study="s", site="north", file="/x.csv", sha256="0" * 64,
    rows=3, signals=("hr_bpm",), start_at=datetime(2026, 2, 1, tzinfo=UTC),
    end_at=datetime(2026, 2, 2, tzinfo=UTC), by="me", agents=("k1", "k2"),
)  # fmt: skip


@pytest.mark.parametrize("ending", ["parquet", "csv", "feather"])
def test_a_file_holds_what_the_frame_holds(study, tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    told = []
    record = study.export(path, ["hr_bpm", "demanding"], every="1min",
                          progress=lambda done, total: told.append((done, total)))  # fmt: skip
    read = {
        "parquet": pyarrow.parquet.read_table, "csv": pyarrow.csv.read_csv,
        "feather": pyarrow.feather.read_table,
    }[ending](path)  # fmt: skip
    frame = study.frame(["hr_bpm", "demanding"], every="1min")
    assert read.column_names == list(COLUMNS)
    found = read.to_pandas().sort_values(["agent", "signal", "at"])
    assert found["value"].to_numpy() == pytest.approx(frame["value"].to_numpy())
    assert found["agent"].tolist() == frame["agent"].tolist()
    assert found["at"].dt.tz_convert("UTC").tolist() == frame["at"].tolist()
    assert np.isnan(found["quality"].to_numpy()).sum() == frame["quality"].isna().sum() > 0
    assert record.rows == len(frame)
    assert told[-1] == (len(told), len(told))
    assert not list(tmp_path.glob(".*"))
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0


def test_the_dictionary_says_everything_and_names_nobody(study, tmp_path):
    study.export(tmp_path / "out.csv", ["hr_bpm", "demanding", "rmssd_ms"], hours="10-18")
    text = (tmp_path / "out.csv.dictionary.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert found["sha256"] == sha256((tmp_path / "out.csv").read_bytes()).hexdigest()
    assert [c["name"] for c in found["columns"]] == list(COLUMNS)
    for signal in found["signals"]:
        known = VARIABLES[signal["name"]]
        assert (signal["unit"], signal["low"], signal["high"]) == (
            known.unit,
            known.low,
            known.high,
        )
        assert signal["meaning"] == known.meaning
        assert signal["source"]
    assert found["study"]["approved_by"] == "board 1"
    assert found["local_hours"] == [10, 18]
    out = (tmp_path / "out.csv").read_text(encoding="utf-8")
    key = (tmp_path / "small" / "study.key").read_bytes()
    for agent in AGENTS:
        assert f'"{agent}"' not in text + out
    assert key.hex() not in text + out


def test_on_withdrawal_the_ledger_names_every_export(study, tmp_path):
    ledger = tmp_path / "exports.jsonl"
    assert exports_of("k1", ledger=ledger) == []
    study.export(tmp_path / "all.csv", "hr_bpm")
    (k2,) = [study.names.of(a) for a in ("k2",)]
    study.export(tmp_path / "one.parquet", "demanding", agents=[k2])
    assert [r.file for r in exports_of("k1", ledger=ledger)] == [str(tmp_path / "all.csv")]
    both = exports_of("k2", ledger=ledger, site="north")
    assert [r.file for r in both] == [str(tmp_path / "all.csv"), str(tmp_path / "one.parquet")]
    assert both[1].agents == ("k2",)
    assert exports_of("refuses", ledger=ledger) == exports_of("withdrew", ledger=ledger) == []
    assert exports_of("k2", ledger=ledger, site="south") == []
    assert [r.study for r in study.exports()] == ["small", "small"]
    if os.name == "posix":
        assert ledger.stat().st_mode & 0o077 == 0
    for agent in CONSENTED:
        assert study.names.of(agent) not in ledger.read_text(encoding="utf-8")


def test_what_cannot_be_noted_is_not_exported(make, tmp_path):
    study = make()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be", encoding="utf-8")
    study.ledger.path = blocked / "exports.jsonl"
    with pytest.raises(StateError, match="nothing was exported"):
        study.export(tmp_path / "out.csv", "hr_bpm")
    assert not list(tmp_path.glob("*out.csv*"))


def test_what_a_full_disk_notes_in_part_is_not_exported(make, tmp_path, monkeypatch):
    study = make()
    write = os.write

    def short(handle, data):
        return write(handle, data[:20] if b"k1" in data else data)

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(StateError, match="nothing was exported"):
        study.export(tmp_path / "out.csv", "hr_bpm")
    assert not list(tmp_path.glob("*out.csv*"))


def test_an_interrupted_export_leaves_nothing(study, tmp_path):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.export(tmp_path / "out.parquet", "hr_bpm", progress=interrupt)
    assert not list(tmp_path.glob("*out.parquet*"))
    assert study.exports() == []


def test_an_export_reads_one_day_of_one_agent_at_a_time(make, tmp_path, monkeypatch):
    study = make()
    asked = []
    read = study.store.read

    def counting(query):
        rows = read(query)
        if not query.aggregates:
            asked.append((query, len(rows)))
        return rows

    monkeypatch.setattr(study.store, "read", counting)
    study.export(tmp_path / "out.csv", "hr_bpm")
    assert len(asked) > len(CONSENTED)
    for query, _ in asked:
        assert len(query.agents) == 1
        assert query.end_at - query.start_at <= timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("out.xlsx", {}, "ends in none of"),
        ("taken.csv", {}, "is there already"),
        ("nowhere/out.csv", {}, "no folder"),
        ("out.csv", {"start": BEGIN + timedelta(hours=9)}, "nothing to export: no value of hr_bpm"),
        ("out.csv", {"hours": "3-4"}, "in these hours of the day"),
    ],
)
def test_what_cannot_be_exported_says_why(study, tmp_path, name, options, says):
    (tmp_path / "taken.csv").touch()
    with pytest.raises(ConfigurationError, match=says):
        study.export(tmp_path / name, "hr_bpm", **options)
    assert not (tmp_path / "out.csv").exists()
    assert study.exports() == []


def test_a_line_that_was_cut_off_spoils_no_other_and_is_told(tmp_path):
    book = Ledger(tmp_path / "new" / "exports.jsonl")
    book.append(RECORD)
    whole = book.path.read_bytes()
    book.path.write_bytes(whole + whole[:40])
    book.append(replace(RECORD, study="t"))
    with pytest.raises(StateError, match=r"line 2 is damaged: who is in that export is unknown"):
        book.records()
    book.path.write_bytes(whole + book.path.read_bytes().splitlines(keepends=True)[-1])
    assert [r.study for r in book.records()] == ["s", "t"]
    book.append(replace(RECORD, version=99))
    with pytest.raises(StateError, match="newer version"):
        book.records()


def test_two_forms_two_covers(make, tmp_path):
    study = make(STUDY + form("k1", covers='["self_report"]') + form("k2"))
    record = study.export(tmp_path / "out.csv", ["hr_bpm", "demanding"])
    assert record.agents == ("k1", "k2")
    only = study.export(tmp_path / "hr.csv", "hr_bpm")
    assert only.agents == ("k2",)
