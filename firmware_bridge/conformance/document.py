"""The requirements as they stand in hardware.md, *How to pass check*; pure.

``python -m firmware_bridge.conformance.document`` writes them there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firmware_bridge.conformance.heart_requirements import HEART_NOT_TESTED, HEART_REQUIREMENTS
from firmware_bridge.conformance.requirements import NOT_TESTED, REQUIREMENTS
from firmware_bridge.conformance.verdict import Requirement

PAGE = Path(__file__).resolve().parents[2] / "hardware.md"


def rows(requirements: Sequence[Requirement[Any]], not_tested: Sequence[tuple[str, str]]) -> str:
    """Return one table: what is tested, then what cannot be seen by a host."""
    lines = ["| name | requirement | where it fails, try |", "|---|---|---|"]
    lines += [f"| `{one.id}` | {one.expected} | {one.remedy} |" for one in requirements]
    lines += [f"| `{name}` | {text} | *cannot be seen by a host* |" for name, text in not_tested]
    return "\n".join(lines)


TABLES = {
    "serial requirements": rows(REQUIREMENTS, NOT_TESTED),
    "Bluetooth requirements": rows(HEART_REQUIREMENTS, HEART_NOT_TESTED),
}
"""What stands between the marks of each name."""


def written(page: str) -> str:
    """Return `page` with its tables as they are now.

    Raises
    ------
    ValueError
        If a mark is missing.
    """
    for name, table in TABLES.items():
        found = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
        place = found.search(page)
        if place is None:
            raise ValueError(f"{name}: no such place in the page")
        page = page[: place.end(1)] + table + page[place.start(2) :]
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
