"""Documents say what the code does: links lead somewhere, tables match, commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import wellbeing
from sensors.signals import SIGNALS, Channel

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(
        part.startswith(".") or part in {"build", "test-output"}
        for part in path.parts[len(ROOT.parts) :]
    )
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_module_signals_of_the_hardware_page_are_those_of_the_catalogue() -> None:
    page = (ROOT / "hardware.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| (\S+) \| (\S+) to (\S+) \| (\w+) \| (.+) \|$", page, re.MULTILINE
    )
    written = {row[0]: row[1:] for row in rows}
    known = {
        s.name: (s.unit, f"{s.low:g}", f"{s.high:g}", s.reduction.value, s.meaning)
        for s in SIGNALS.values()
        if s.channel is Channel.MODULES
    }
    assert written == known


def test_every_verb_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in wellbeing.VERBS:
        assert f"`wellbeing {verb}" in readme, f"README says nothing of wellbeing {verb}"


@pytest.mark.parametrize("verb", wellbeing.VERBS)
def test_every_verb_has_help_and_refuses_an_unknown_option(
    verb: str, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "wellbeing", verb, "--help"]
    helped = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert helped.returncode == 0, helped.stderr
    assert f"wellbeing {verb}" in helped.stdout
    assert not re.search(r"--\S+ <list", helped.stdout), "name what the option takes"
    assert wellbeing.main([verb, "--no-such-option"]) != 0
    refused = capfd.readouterr().err
    assert "Traceback" not in refused
    assert "--no-such-option" in refused


def test_an_unknown_verb_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert wellbeing.main(["dance"]) == 2
    said = capsys.readouterr().err
    assert "dance" in said
    assert all(verb in said for verb in wellbeing.VERBS)
