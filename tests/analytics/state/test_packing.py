"""Rows of the spool: lines by now, JSON before; written, erased from and told apart."""

from pathlib import Path

import pytest

from analytics.clock import now_utc
from analytics.journal.steps import Commit, StepLog
from analytics.state import packing, state_file
from analytics.state.packing import LinePacker, pack, read, unpack, without, words_of
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.line_reading import point_of
from analytics.store.points import FieldValue, Measurement, Point
from analytics.writing.tail import SpoolTail


def point(n: int, agent: str = "k1", **fields: FieldValue) -> Point:
    tags = {"site": "lab", "agent": agent}
    return Point(Measurement.SCORE, tags, fields or {"evidence": n / 7, "seq": n}, n)


def as_json(points: list[Point]) -> bytes:
    return pack(points)[0][1]


def test_a_row_is_the_lines_that_the_server_takes() -> None:
    [(count, payload)] = LinePacker().pack([point(1), point(2)])
    (section,) = read(payload).sections
    assert (count, section.count) == (2, 2)
    first, second = section.lines()
    assert first == b"score,agent=k1,site=lab evidence=0.14285714285714285,seq=1i 1"
    assert second.endswith(b" 2")


@pytest.mark.parametrize("row", [as_json, lambda points: LinePacker().pack(points)[0][1]])
def test_one_agents_points_are_taken_out_of_a_row(row) -> None:  # type: ignore[no-untyped-def]
    mine = [point(1), point(2, agent="k2", alert_id="a1"), point(3, note="about k1\nand more")]
    # Names that only look like theirs.
    others = [point(4, agent="k11"), point(5, agent="k2", note='agent="k1", k1'), point(6, "k10")]
    found = without(
        row([*mine, *others]),
        words_of("k1", ["a1"]),
        lambda p: p["tags"]["agent"] == "k1" or p["fields"].get("alert_id") == "a1",
    )
    assert found is not None
    kept, payload, gone = found
    assert (kept, gone) == (3, 3)
    assert sorted(unpack(payload), key=lambda p: p.time_ns) == others
    assert without(payload, (b"nobody",), lambda _: True) is None


@pytest.mark.parametrize("row", [as_json, lambda points: LinePacker().pack(points)[0][1]])
def test_a_short_name_is_not_looked_for_in_every_number(row, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """With lines that are read for nothing, an erasure would stop the server for hours."""
    read_back = list[bytes]()

    def count(line: bytes) -> Point:
        read_back.append(line)
        return point_of(line)

    monkeypatch.setattr(packing, "point_of", count)
    payload = row([point(77 + n, agent=f"k7{n}") for n in range(20)] + [point(7, "7")])
    found = without(payload, words_of("7", ()), lambda p: p["tags"]["agent"] == "7")
    assert found is not None
    assert (found[0], found[2]) == (20, 1)
    assert len(read_back) <= 1


def test_a_row_all_of_which_goes_is_empty() -> None:
    found = without(LinePacker().pack([point(1), point(2)])[0][1], (b"k1",), lambda _: True)
    assert found is not None
    assert (found[0], found[2], unpack(found[1])) == (0, 2, [])


def test_a_packer_remembers_and_writes_the_same() -> None:
    packer, points = LinePacker(), [point(n, note=f"n{n}") for n in range(30)]
    assert packer.pack(points) == packer.pack(points) == LinePacker().pack(points)


def test_a_spool_of_an_older_version_is_written_first_and_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(state_file, "MIGRATIONS", state_file.MIGRATIONS[:5])
        before.setattr(state_file, "VERSION", 5)
        db = open_state(tmp_path)
        rows = [(1, as_json([point(n)])) for n in (1, 2)]
        db.executemany("INSERT INTO spool (points, payload) VALUES (?, ?)", rows)
        db.close()
    db = open_state(tmp_path)
    log = StepLog(db, tmp_path / FILE_NAME, as_lines=True)
    for n in (3, 4):
        log.commit(Commit(points=[point(n)]))
    tail = SpoolTail(tmp_path)
    old = tail.read(0, 99, now_utc(), 1_000)
    new = tail.read(old.last, 99, now_utc(), 1_000)
    assert (list(old.points), old.last) == ([point(1), point(2)], 2)
    assert (list(new.points), new.last) == ([point(3), point(4)], 4)
    tail.close()
    db.close()
