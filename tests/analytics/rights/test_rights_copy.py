"""The copy that an agent gets: whole, and explained."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from analytics.research.words import explain
from analytics.rights.export import _csv
from analytics.store.points import Measurement


def test_every_column_is_explained() -> None:
    """The documentation of the store names every field; each means something to its agent."""
    page = (Path(__file__).parents[3] / "analytics" / "store" / "README.md").read_text()
    rows = re.findall(r"^\| (`[a-z].*?) \|", page, re.MULTILINE)
    fields = {field for row in rows for field in re.findall(r"`([a-z0-9_]+)`", row)}
    fields -= set(Measurement)  # the table of measurements
    assert len(fields) > 100
    assert not sorted(field for field in fields if not explain(field))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_copy_is_a_formula(start: str) -> None:
    (data,) = _csv(["note"], [[f"{start}1+cmd"], [-1.5]])
    (_, cell, figure) = (row[0] for row in csv.reader(io.StringIO(data.decode(), newline="")))
    assert cell == f"'{start}1+cmd"
    assert figure == "-1.5"
