"""What status quotes of a refusal is about no person."""

from concurrent.futures import Future

import pytest

from analytics.store.base import Eraser
from analytics.writing.errands import Errands
from analytics.writing.refusal_words import MOST, in_short
from analytics.writing.report import StoreReport
from sensors.errors import StoreRefusedError
from tests.rig import wait_until


@pytest.mark.parametrize(
    "reason",
    [
        "unable to parse 'score,site=lab,agent=zarathustra evidence=93.5 17': bad timestamp",
        "score: tag agent 'zarathustra\\\\' is empty, not printable or ends in a backslash",
        '{"error":"partial write","data":[{"original_line":"reading,agent=zarathustra hr_bpm=93.5"}]}',
        "line protocol reading,site=lab,agent=zarathustra hr_bpm=93.5 1764000000000000000 refused",
        "decision: field 'note' is \"it's zarathustra, at 93.5\"",
    ],
)
def test_neither_whose_it_was_nor_what_was_measured_is_shown(reason: str) -> None:
    said = in_short(reason)
    assert "zarathustra" not in said
    assert "93.5" not in said
    assert "1764000000000000000" not in said
    assert said.strip("… "), "nothing is left of it"


def test_a_batch_refused_as_a_whole_tells_status_no_more(caplog: pytest.LogCaptureFixture) -> None:
    error = StoreRefusedError(
        "InfluxDB at http://127.0.0.1:8086 answered 400: what is"
        " 'score,site=lab,agent=zarathustra evidence=93.5 17'; look at the server's log"
    )
    report = StoreReport()
    report.failed(error)
    assert "answered 400" in report.state.trouble

    def refuse(*_: object) -> Future[int]:
        answer = Future[int]()
        answer.set_exception(error)
        return answer

    errands = Errands(refuse)
    tried: list[int] = []

    def erase(store: Eraser) -> None:
        tried.append(1)
        store.erase("lab", "k1")

    errands.start()
    errands.ask(erase)
    wait_until(lambda: len(tried) > 1)
    errands.stop()
    assert "an erasure waits for the store: InfluxDB at" in caplog.text
    for said in (report.state.trouble, caplog.text):
        assert "zarathustra" not in said
        assert "93.5" not in said


def test_what_a_person_needs_to_mend_it_stays() -> None:
    conflict = 'field type conflict: input field "hr_bpm" on measurement "reading" is type float'
    assert in_short(conflict) == conflict
    assert in_short("x" * 500) == "x" * (MOST - 1) + "…"
    assert "\n" not in in_short("two\nlines")
