"""The worked notebook runs from the first cell to the last, and shows what was put in."""

from pathlib import Path

import nbformat

from tests.analytics.research.conftest import Demo
from tests.analytics.research.notebook import NOTEBOOK, execute, texts


def test_the_notebook_runs_and_finds_what_was_put_in(demo: Demo, tmp_path: Path) -> None:
    fresh = texts(execute(tmp_path, demo.folder))
    shown = texts(nbformat.read(NOTEBOOK, as_version=4))
    assert len(fresh) == len(shown) > 8
    assert any("95 % interval" in text for text in shown)
    assert fresh[-1] == shown[-1]
    assert "put in -18%, found -1" in fresh[-1]
    assert "inside the interval: True" in fresh[-1]


def test_the_notebook_is_rendered_with_its_figure() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert not any(o.output_type == "error" for o in outputs)
    pictures = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    assert len(pictures) == 1
    source = NOTEBOOK.read_text(encoding="utf-8")
    assert "/tmp/" not in source
