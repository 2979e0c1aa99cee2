"""hardware.md names the requirements that are tested, and no others."""

from firmware_bridge.conformance.document import PAGE, TABLES, written


def test_the_page_is_that_of_the_tables():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run: python -m firmware_bridge.conformance.document"
    assert all(table.count("\n| `") > 15 for table in TABLES.values())


def test_it_stands_right_behind_the_protocol():
    headings = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("## ")]
    at = headings.index("## How to pass check")
    assert headings[at - 1] == "## The serial protocol"
