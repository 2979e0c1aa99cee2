"""The page about `wellbeing evaluate` names every key of its JSON, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from wellbeing import main

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "analytics" / "evaluation" / "README.md").read_text(encoding="utf-8")
RECORDING = ROOT / "tests" / "fixtures" / "recordings" / "simulated1.csv.gz"
FLOOR = ["--simulate", "--agents", "2", "--hours", "0.2"]


def keys(found):
    """Return every key of `found`, but for names of signals."""
    names = set(found)
    for name, value in found.items():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and name != "skipped":
                names |= keys(inner)
    return names


@pytest.fixture
def of_the_json(capsys):
    found = set()
    for arguments in ([str(RECORDING), str(ROOT / "pyproject.toml")], FLOOR):
        assert main(["evaluate", *arguments, "--json"]) == 0
        found |= keys(json.loads(capsys.readouterr().out))
    return found


def test_every_key_is_explained_and_every_explained_one_exists(of_the_json):
    section = PAGE.partition("## `--json`")[2].partition("## Exit codes")[0]
    words = set(re.findall(r"`([a-z_0-9]+)`", section))
    assert of_the_json - words == set()
    assert words - of_the_json == {"_ci95", "null", "true", "out_of_range", "repeated"}
