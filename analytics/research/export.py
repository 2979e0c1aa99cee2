"""Values to a file, day by day, with the dictionary beside it and a line in the ledger."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from analytics.research import table
from analytics.research.ledger import ExportRecord, Ledger, account
from analytics.research.slices import Plan, Slice
from analytics.research.study_file import StudyFile
from analytics.research.table import Tidy
from sensors import codec
from sensors.errors import ConfigurationError, StateError

ENDINGS = (".parquet", ".csv", ".feather")


class _Writer(Protocol):
    def write(self, part: Any) -> None: ...
    def close(self) -> None: ...


def _open(path: Path, ending: str, schema: Any) -> _Writer:
    """Return a writer that takes Arrow tables one after the other."""
    if ending == ".parquet":
        table.load("pyarrow.parquet")
        return _Parquet(path, schema)
    if ending == ".csv":
        return _Csv(path, schema)
    return _Feather(path, schema)


class _Parquet:
    """One row group for each part."""

    def __init__(self, path: Path, schema: Any) -> None:
        self._writer = table.load("pyarrow.parquet").ParquetWriter(path, schema, compression="zstd")

    def write(self, part: Any) -> None:
        self._writer.write_table(part)

    def close(self) -> None:
        self._writer.close()


class _Csv:
    """Times as ISO 8601; nothing for unknown."""

    def __init__(self, path: Path, schema: Any) -> None:
        self._writer = table.load("pyarrow.csv").CSVWriter(path, schema)

    def write(self, part: Any) -> None:
        self._writer.write_table(part)

    def close(self) -> None:
        self._writer.close()


class _Feather:
    """Feather is the Arrow file format."""

    def __init__(self, path: Path, schema: Any) -> None:
        pa = table.load("pyarrow")
        ipc = table.load("pyarrow.ipc")
        self._file = pa.OSFile(str(path), "wb")
        options = ipc.IpcWriteOptions(compression="lz4")
        self._writer = ipc.new_file(self._file, schema, options=options)

    def write(self, part: Any) -> None:
        self._writer.write_table(part)

    def close(self) -> None:
        self._writer.close()
        self._file.close()


class Exporter:
    """Writes one export of a study.

    Parameters
    ----------
    path : Path
    file : StudyFile
    ledger : Ledger

    Raises
    ------
    ConfigurationError
        If the path is taken or its ending says no format.
    """

    def __init__(self, path: Path, file: StudyFile, ledger: Ledger) -> None:
        if path.suffix not in ENDINGS:
            raise ConfigurationError(f"{path} ends in none of {', '.join(ENDINGS)}")
        self.path = path.absolute()
        self.dictionary = self.path.with_name(self.path.name + ".dictionary.json")
        for taken in (self.path, self.dictionary):
            if taken.exists():
                raise ConfigurationError(f"{taken} is there already; choose another name")
        if not self.path.parent.is_dir():
            raise ConfigurationError(f"there is no folder {self.path.parent}; make it first")
        self._study = file
        self._ledger = ledger

    def run(
        self,
        plan: Plan,
        parts: Iterator[tuple[Slice, Tidy]],
        progress: Callable[[int, int], None],
    ) -> ExportRecord:
        """Write all `parts`; nothing is left behind when it fails or is interrupted."""
        unfinished = self.path.with_name(f".{self.path.name}.unfinished")
        try:
            rows, agents = self._write(unfinished, len(plan.slices), parts, progress)
            if not rows:
                raise ConfigurationError("nothing to export: no value in these hours of the day")
            record = self._record(plan, unfinished, rows, agents)
            described = codec.dump_json(describe(plan, self._study, record, self.path.name))
            # First who is in it, then the file: no file is ever unknown to the ledger.
            self._ledger.append(record)
            _put(self.dictionary, described)
            unfinished.replace(self.path)
        except OSError as error:
            if isinstance(error, StateError):
                raise
            raise StateError(f"cannot write {self.path}: {error.strerror or error}") from None
        finally:
            unfinished.unlink(missing_ok=True)
        return record

    def _write(
        self,
        path: Path,
        total: int,
        parts: Iterator[tuple[Slice, Tidy]],
        progress: Callable[[int, int], None],
    ) -> tuple[int, set[str]]:
        schema = table.arrow(table.columns(table.empty())).schema
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        writer = _open(path, self.path.suffix, schema)
        rows, agents = 0, set[str]()
        try:
            for done, (piece, part) in enumerate(parts, start=1):
                if len(part):
                    writer.write(table.arrow(table.columns(part)).cast(schema))
                    agents.add(piece.grant.agent)
                    rows += len(part)
                progress(done, total)
        finally:
            writer.close()
        return rows, agents

    def _record(self, plan: Plan, path: Path, rows: int, agents: set[str]) -> ExportRecord:
        digest = sha256()
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return ExportRecord(
            at=datetime.now(UTC),
            study=self._study.study.id,
            site=self._study.study.site,
            file=str(self.path),
            sha256=digest.hexdigest(),
            rows=rows,
            signals=tuple(v.name for v in plan.wanted.variables),
            start_at=plan.start_at,
            end_at=plan.end_at,
            by=account(),
            agents=tuple(sorted(agents)),
        )


def _put(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def describe(plan: Plan, file: StudyFile, record: ExportRecord, name: str) -> dict[str, Any]:
    """Return the data dictionary of an export: every column and signal, in words and numbers.

    Holds no agent: neither the site's name of anybody nor how many there are.
    """
    study, wanted = file.study, plan.wanted
    return {
        "file": name,
        "sha256": record.sha256,
        "rows": record.rows,
        "study": {
            "id": study.id, "title": study.title, "approved_by": study.approved_by,
            "covers": list(study.covers),
        },
        "start": plan.start_at, "end": plan.end_at,
        "every_s": None if wanted.every is None else wanted.every.total_seconds(),
        "local_hours": wanted.hours,
        "made_at": record.at,
        "made_with": f"agent-wellbeing {version('agent-wellbeing')}",
        "columns": [{"name": n, "meaning": m} for n, m in table.COLUMNS.items()],
        "signals": [
            {
                "name": v.name, "kind": v.kind, "unit": v.unit, "low": v.low, "high": v.high,
                "meaning": v.meaning, "source": v.source,
            }
            for v in wanted.variables
        ],
    }  # fmt: skip
