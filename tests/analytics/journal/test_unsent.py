"""What waits for a broker that is away is bounded; what nobody will hear is counted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.events import Publication
from analytics.journal.steps import Commit, StepLog
from analytics.journal.unsent import excess
from analytics.state.state_file import FILE_NAME, open_state
from sensors import topics
from sensors.messages import NoticeKind, NoticeMessage

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
NOTICE, ALERT = topics.notice("lab", "k1"), topics.alert("lab", "alert001")
CONSENT = topics.consent("lab", "k1")


def test_what_is_told_anyway_goes_before_what_is_said_once() -> None:
    waiting = [(1, NOTICE), (2, ALERT), (3, CONSENT), (4, NOTICE), (5, CONSENT), (6, ALERT)]
    found = [excess(waiting, at_most) for at_most in (6, 5, 3, 2, 0)]
    assert [one.told_anyway for one in found] == [[], [2], [2, 3, 6], [2, 3, 6], [2, 3, 6]]
    assert [one.lost for one in found] == [[], [], [], [1], [1, 4]]


def test_it_is_counted_and_what_clears_after_an_erasure_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = StepLog(open_state(tmp_path), tmp_path / FILE_NAME)
    said = [
        Publication(NOTICE, NoticeMessage(id=f"notice{n:02}", at=NOW, kind=NoticeKind.TAKEN))
        for n in range(9)
    ]
    log.commit(Commit(publications=[Publication(CONSENT, None), *said]))
    assert log.bound_publications() == 0
    monkeypatch.setattr("analytics.journal.steps.UNSENT_KEPT", 4)
    assert log.bound_publications() == 6
    assert [(one.topic, one.id) for one in log.pending()] == [
        (CONSENT, 1), (NOTICE, 8), (NOTICE, 9), (NOTICE, 10)
    ]  # fmt: skip
    assert log._db.execute("SELECT name, value FROM counters").fetchall() == [
        ("publications_dropped", 6)
    ]
    log._db.close()
