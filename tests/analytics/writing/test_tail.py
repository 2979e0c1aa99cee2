"""What the writer reads of the spool at a time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from analytics.clock import now_utc
from analytics.journal.steps import Commit, StepLog
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.formatted import Formatted
from analytics.store.points import Measurement, Point
from analytics.writing.tail import SpoolTail


def point(n: int) -> Point:
    tags = {"site": "lab", "agent": "k1"}
    return Point(Measurement.SCORE, tags, {"evidence": n / 7, "seq": n}, n)


@pytest.mark.parametrize("as_lines", [True, False])
def test_many_small_rows_are_each_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_lines: bool
) -> None:
    """One person alone: every step is a row of a few points, and an outage leaves thousands."""
    counted = list[int]()
    really = Formatted.__len__

    def count(self: Formatted) -> int:
        counted.append(1)
        return really(self)

    with closing(open_state(tmp_path)) as db, closing(SpoolTail(tmp_path)) as tail:
        log = StepLog(db, tmp_path / FILE_NAME, as_lines=as_lines)
        for n in range(120):
            log.commit(Commit(points=[point(n)]))
        monkeypatch.setattr(Formatted, "__len__", count)
        batch = tail.read(0, 999, now_utc(), 100)
    assert len(counted) <= 100
    assert batch.last == 100
    assert list(batch.points) == [point(n) for n in range(100)]
