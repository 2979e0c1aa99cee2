"""Every string a person may read, taken from code and templates.

Babel's own extractor does not look into f-strings; the syntax trees do.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from sensors.signals import SIGNALS

ROOT = Path(__file__).parents[2]
PACKAGES = ("sensors", "dashboard")
BESIDE = ("analytics/commands/me.py",)
"""Of the server half only this speaks to an agent."""
TAKES = {"say": 1, "N_": 1, "say_n": 2}
SPEAKERS = {"words"}
"""What `say` belongs to when it translates; an edge's own `say` only passes a line on."""


def used() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield where and what: one string, or singular and plural."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from _in_code(path)
        for path in sorted((ROOT / package).rglob("*.html")):
            yield from _in_template(path)
    for name in BESIDE:
        yield from _in_code(ROOT / name)
    for signal in SIGNALS.values():  # consent shows each signal's meaning
        yield "sensors/signals.py", (signal.meaning,)


def _in_code(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        texts = _texts(
            _name(node.func, path), [a.value for a in node.args if isinstance(a, ast.Constant)]
        )
        if texts:
            yield f"{path.relative_to(ROOT)}:{node.lineno}", texts


def _name(function: ast.expr, path: Path) -> str:
    if isinstance(function, ast.Name):
        return function.id
    if not isinstance(function, ast.Attribute):
        return ""
    owner = function.value
    speaker = getattr(owner, "attr", getattr(owner, "id", ""))
    translates = speaker in SPEAKERS or path == ROOT / "sensors" / "words.py"
    return function.attr if translates else ""


def _in_template(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    from jinja2 import Environment, nodes  # noqa: PLC0415 - only where there are templates

    tree = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
    for call in tree.find_all(nodes.Call):
        name = getattr(call.node, "name", "")
        texts = _texts(name, [a.value for a in call.args if isinstance(a, nodes.Const)])
        if texts:
            yield f"{path.relative_to(ROOT)}:{call.lineno}", texts


def _texts(name: str, constants: list[object]) -> tuple[str, ...]:
    return tuple(c for c in constants[: TAKES.get(name, 0)] if isinstance(c, str))


def messages() -> set[tuple[str, ...]]:
    """Return the entries that a catalogue must have."""
    return {texts for _, texts in used()}
