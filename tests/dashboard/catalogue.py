"""Every string the pages may say, taken from the code.

Babel's own extractor does not look into f-strings; the syntax tree does.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "dashboard"
TAKES = {"say": 1, "N_": 1, "say_n": 2}


def used() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield where and what: one string, or singular and plural."""
    for path in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            texts = tuple(
                argument.value
                for argument in node.args[: TAKES.get(name, 0)]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )
            if texts:
                yield f"{path.relative_to(FOLDER)}:{node.lineno}", texts


def messages() -> set[tuple[str, ...]]:
    """Return the entries that a catalogue must have."""
    return {texts for _, texts in used()}
