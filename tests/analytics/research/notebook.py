"""Runs the worked notebook: for its test, and, as a program, to render it anew.

Run ``python -m tests.analytics.research.notebook`` from the root after a change.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "examples" / "research" / "lunch.ipynb"
_TIMEOUT_S = 150


_MAKES_DEMO = "write_demo(folder)\n"


def execute(folder: Path, demo: Path | None = None) -> Any:
    """Return the notebook with the outputs of a fresh run in `folder`, by this interpreter.

    With `demo` it takes a copy of that one instead of making its own.
    """
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    described = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(described), encoding="utf-8")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    if demo is not None:
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        assert f"{first.source}\n".endswith(f"\n{_MAKES_DEMO}")
        copy = f"import shutil\nshutil.copytree({str(demo)!r}, folder)\n"
        first.source = f"{first.source}\n".replace(_MAKES_DEMO, copy + "None")
    client = NotebookClient(
        notebook, timeout=_TIMEOUT_S, kernel_name="python3", record_timing=False
    )
    before = dict(os.environ)
    # Looked at before the kernels that this account may have.
    os.environ |= {
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
        "TMPDIR": str(folder),
    }
    try:
        return client.execute(cwd=str(folder))
    finally:
        os.environ.clear()
        os.environ |= before


def texts(notebook: Any) -> list[str]:
    """Return what the cells show, as text: one for each output."""
    return [
        output.get("text") or output["data"].get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        rendered = execute(Path(name))
    for one in rendered.cells:  # the run's own: nothing to keep
        one.metadata.pop("execution", None)
    rendered.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(rendered, NOTEBOOK)
