"""The researcher's page does what it says: its commands run as a new user would, its Python too."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

import wellbeing
from analytics.research.table import COLUMNS
from tests.analytics.research.conftest import Demo, shell

PAGE = Path(__file__).parents[3] / "analytics" / "research" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")

_PSEUDONYM = re.compile(r"\b[pa][a-z2-7]{10}\b")
_NUMBER = re.compile(r"\d+\.\d+|\d+")
_OWN_EACH_TIME = (
    (_PSEUDONYM, "p"),
    (_NUMBER, "#"),
    (re.compile(r"/\S*/"), "/"),
    (re.compile(r"by \w+$"), "by me"),
    (re.compile(r"on_call|wrap_up|ready"), "context"),
)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def _transcript() -> list[tuple[str, list[str]]]:
    """Return every command of the page with what it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(_blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def _shape(line: str) -> str:
    for pattern, word in _OWN_EACH_TIME:
        line = pattern.sub(word, line)
    return line


def _same(said: str, printed: str) -> bool:
    """Return whether two lines are alike: but for pseudonyms, paths and who runs it.

    Who comes first follows from the pseudonyms, so the figures of one person
    or one moment differ; all others may differ by what rounding does.
    """
    if _shape(said) != _shape(printed):
        return False
    if _PSEUDONYM.search(said) or "/home/me/" in said:
        return True
    numbers = zip(_NUMBER.findall(said), _NUMBER.findall(printed), strict=True)
    return all(float(a) == pytest.approx(float(b), rel=0.03, abs=0.02) for a, b in numbers)


def test_the_five_minutes_from_the_readme_to_the_figure(
    demo: Demo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readme = (PAGE.parents[2] / "README.md").read_text(encoding="utf-8")
    assert "analytics/research/README.md" in readme
    folder = tmp_path
    for command, said in _transcript():
        if command.startswith("cd "):
            folder /= command[3:]
            continue
        if command == demo.command:
            shutil.copytree(demo.folder, folder / demo.folder.name)
            printed = demo.printed.splitlines()
        elif "|" in command:
            printed = shell(command, folder).splitlines()
        else:  # in this process: each of their own loads every library anew
            monkeypatch.chdir(folder)
            monkeypatch.setenv("WELLBEING_RESEARCH_LEDGER", str(folder / "exports.jsonl"))
            monkeypatch.setattr(sys.stdout, "isatty", lambda: True)  # as for who reads the page
            code = wellbeing.main(shlex.split(command)[1:])
            told = capsys.readouterr()
            assert (code, told.err) == (0, ""), command
            printed = told.out.splitlines()
        assert len(printed) == len(said), f"{command} printed {printed}"
        for expected, line in zip(said, printed, strict=True):
            assert _same(expected, line), f"{command}\n page: {expected}\n real: {line}"
    figure = (folder / "weeks.svg").read_text(encoding="utf-8")
    assert figure.startswith("<?xml")
    _the_python_of_the_page(folder)


def _the_python_of_the_page(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)
    try:
        names: dict[str, object] = {}
        weeks, wide, around = (_ran(block, names) for block in _blocks("python"))
        names["study"].close()  # type: ignore[attr-defined]
    finally:
        os.chdir(here)
    assert weeks.shape == (7, 2)  # type: ignore[attr-defined]
    assert (weeks[11] < weeks[10]).sum() >= 5  # type: ignore[index]
    assert list(wide.columns) == ["demanding", "rmssd_ms"]  # type: ignore[attr-defined]
    assert around["offset_s"].between(-600, 1200).all()  # type: ignore[index]
    assert len(around) > 10  # type: ignore[arg-type]


def _ran(block: str, names: dict[str, object]) -> object:
    exec(block, names)
    return names["result"]


def test_the_columns_of_the_page_are_those_of_the_frame() -> None:
    written = re.findall(r"^\| `(\w+)` \| (.+) \|$", TEXT, re.MULTILINE)
    assert dict(written) == COLUMNS
