"""What status quotes of a refusal is about no person."""

import pytest

from analytics.refusal_words import MOST, in_short


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


def test_what_a_person_needs_to_mend_it_stays() -> None:
    conflict = 'field type conflict: input field "hr_bpm" on measurement "reading" is type float'
    assert in_short(conflict) == conflict
    assert in_short("x" * 500) == "x" * (MOST - 1) + "…"
    assert "\n" not in in_short("two\nlines")
