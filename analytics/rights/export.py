"""Everything held about one agent, as one zip of plain files that explain themselves.

Read-only, beside a running server: the store by the day, so that neither ninety
days nor a database's timeout stand in the way, the state as of one moment.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from analytics.journal.steps import StepLog
from analytics.people.teams import Teams
from analytics.pipeline.pipeline import Pipeline
from analytics.research.words import FILES, explain
from analytics.rights import requests as rights_requests
from analytics.rights.purge import Purge
from analytics.scoring.floor import Floor
from analytics.signals.features import FEATURES
from analytics.state.archive import whole
from analytics.state.state_file import FILE_NAME, from_us, open_for_reading, state_errors
from analytics.store.base import Query, Row, Store
from analytics.store.points import Measurement
from sensors import codec

DAYS = 100
"""So far back the store is read by the day; what is older, or ahead, in one go each. [d]"""

Tell = Callable[[str, int], None]
"""Told the file and how many lines of it have just been written."""

_NS = 1_000_000_000
_FORMULA = frozenset("=+-@\t\r")


@dataclass(slots=True)
class Exported:
    """What an export holds, for the receipt: lines and SHA-256 of each file."""

    site: str
    agent: str
    made_at: datetime
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        """How many lines of data there are in all."""
        return sum(int(one["lines"]) for one in self.files.values())


class _Writer:
    """Writes files into the zip and remembers their hashes and columns."""

    def __init__(self, file: zipfile.ZipFile, done: Exported, tell: Tell) -> None:
        self._file, self._done, self._tell = file, done, tell
        self.columns: dict[str, list[str]] = {}

    def add(self, name: str, parts: Iterable[bytes], columns: Iterable[str] = ()) -> None:
        """Add one file; a table counts its lines without the headings."""
        digest, lines = hashlib.sha256(), 0
        with self._file.open(name, "w", force_zip64=True) as into:
            for part in parts:
                into.write(part)
                digest.update(part)
                lines += part.count(b"\n")
                self._tell(name, part.count(b"\n"))
        self.columns[name] = list(columns)
        count = max(0, lines - bool(self.columns[name]))
        self._done.files[name] = {"lines": count, "sha256": digest.hexdigest()}

    def table(self, name: str, columns: list[str], rows: Iterable[Iterable[Any]]) -> None:
        """Add a CSV file."""
        self.add(name, _csv(columns, rows), columns)


def export(  # noqa: PLR0917 - what it reads, and where it goes
    directory: Path, site: str, agent: str, store: Store, target: Path, now: datetime, tell: Tell
) -> Exported:
    """Write everything about `agent` to `target`, whole or not at all.

    Raises
    ------
    StateError, StoreError
        If something cannot be read or written.
    """
    done = Exported(site, agent, now)
    with (
        whole(target) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file,
    ):
        writer = _Writer(file, done, tell)
        for measurement in Measurement:
            _points(writer, store, Query(measurement=measurement, site=site, agents=(agent,)), now)
        with closing(open_for_reading(directory)) as db, state_errors(directory / FILE_NAME):
            _state(writer, db, directory / FILE_NAME, site, agent)
        manifest = {
            "site": site,
            "agent": agent,
            "made_at": now,
            "files": dict(done.files),
        }
        file.writestr("README.txt", _readme(done, writer.columns))
        file.writestr("manifest.json", codec.dump_json(manifest))
    return done


def _points(writer: _Writer, store: Store, query: Query, now: datetime) -> None:
    """Write one measurement; fields are known once all of it was read, so it is read to a file."""
    names: dict[str, None] = {}
    with TemporaryFile() as kept:
        for row in _by_day(store, query, now):
            names |= dict.fromkeys(row.fields)
            line = {"time": _when(row), "source": row.tags.get("source", ""), **row.fields}
            kept.write(codec.dump_json(line) + b"\n")
        kept.seek(0)
        has_source = query.measurement in {Measurement.READING, Measurement.BEAT}
        columns = ["time", *(["source"] if has_source else []), *names]
        rows = (codec.load_json(line) for line in kept)
        writer.table(
            f"{query.measurement}.csv", columns, ([row.get(c) for c in columns] for row in rows)
        )


def _by_day(store: Store, query: Query, now: datetime) -> Iterator[Row]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    edges = [midnight - timedelta(days=n) for n in range(DAYS, -2, -1)]
    days = zip([None, *edges], [*edges, None], strict=True)
    for start_at, end_at in days:
        yield from store.read(
            Query(
                measurement=query.measurement,
                site=query.site,
                agents=query.agents,
                start_at=start_at,
                end_at=end_at,
            )
        )


def _when(row: Row) -> str:
    """Return the time to the nanosecond: the last digits tell two events of a moment apart."""
    at = datetime.fromtimestamp(row.time_ns // _NS, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{row.time_ns % _NS:09d}Z"


def _csv(columns: list[str], rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    table = csv.writer(text)  # RFC 4180: its line ends make it quote both kinds inside a cell

    def taken() -> bytes:
        data = text.getvalue().encode()
        text.seek(0)
        text.truncate()
        return data

    table.writerow(columns)
    for row in rows:
        if text.tell() > 1 << 16:
            yield taken()
        # A value that a spreadsheet would take for a formula stays text.
        table.writerow([_plain(value) for value in row])
    yield taken()


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in _FORMULA:
        return f"'{value}"
    return str(value).lower() if isinstance(value, bool) else value


def _state(writer: _Writer, db: sqlite3.Connection, path: Path, site: str, agent: str) -> None:
    consents = db.execute(
        "SELECT at_us, version, channels FROM consent WHERE agent = ? ORDER BY at_us", (agent,)
    )
    writer.table(
        "consents.csv",
        ["time", "version", "channels"],
        ((_iso(at), version, " ".join(codec.load_json(given))) for at, version, given in consents),
    )
    runs = db.execute(
        "SELECT source, run, high, received, late, duplicates, refused, gaps FROM sequences"
        " WHERE agent = ? ORDER BY updated_us",
        (agent,),
    )
    columns = ["source", "run", "high", "received", "late", "duplicates", "refused", "gaps"]
    writer.table("runs.csv", columns, runs)
    purge = Purge(db, agent)
    writer.add("messages.jsonl", _messages(purge.messages("journal")))
    writer.add("refused.jsonl", _messages(purge.messages("set_aside")))
    asked = [r for r in rights_requests.find(db) if r.agent == agent]
    writer.table(
        "requests.csv",
        ["asked_at", "kind", "by", "state", "receipt"],
        (
            (r.asked_at.isoformat(), r.kind.value, r.by, r.state.value, r.receipt and r.receipt.id)
            for r in asked
        ),
    )
    snapshot = StepLog(db, path).snapshot()
    lines = _baseline(snapshot.data, site, agent) if snapshot is not None else []
    text = "\n".join(lines or ["nothing has been learnt about you yet"])
    writer.add("baseline.txt", [text.encode() + b"\n"])


def _messages(found: Iterable[tuple[str, bytes | None, str]]) -> Iterator[bytes]:
    for topic, payload, why in found:
        text = (payload or b"").decode(errors="replace")
        line: dict[str, Any] = {"topic": topic, "message": text}
        if why:
            line["refused"] = why
        yield codec.dump_json(line) + b"\n"


def _iso(us: int) -> str:
    return from_us(us).isoformat()


def _baseline(data: bytes, site: str, agent: str) -> list[str]:
    """Return the agent's own usual range of every feature of which anything was measured."""
    pipeline = Pipeline(site, Teams([]))
    pipeline.restore(data)
    return usual_lines(pipeline.floor, agent)


def usual_lines(floor: Floor, agent: str) -> list[str]:
    """Return one line for each feature: its usual range, and the hours that it rests on."""
    row = floor.known_row(agent)
    if row is None:
        return []
    low, high, hours = (found[0] for found in floor.usual(np.array([row], np.intp)))
    return [
        f"{feature.name}: usual from {least:.4g} to {most:.4g} {feature.unit},"
        f" learnt over {spent:.1f} h. {explain(feature.name)}"
        for feature, least, most, spent in zip(
            FEATURES, low.tolist(), high.tolist(), hours.tolist(), strict=True
        )
        if spent > 0
    ]


def _readme(done: Exported, columns: dict[str, list[str]]) -> str:
    lines = [
        f"Everything that the server of site {done.site} holds about agent {done.agent}.",
        f"Made {done.made_at.isoformat(timespec='seconds')}. All times are UTC.",
        "An empty cell means that nothing is known: never zero.",
        "manifest.json holds the number of lines and the SHA-256 of every file.",
        "Not in here: what lies on your own machine (your own page hands it out), backups, and",
        "copies that researchers took under their study's pseudonym.",
    ]
    for name, meaning in FILES.items():
        count = done.files[name]["lines"]
        lines += ["", f"{name} ({count} lines)", f"  {meaning}"]
        lines += [f"  {column}: {explain(column)}" for column in columns[name]]
    return "\n".join(lines) + "\n"
