"""What the package offers by itself, and what it costs whoever wants none of it."""

import subprocess
import sys
from pathlib import Path

import pytest

import analytics.research

ROOT = Path(__file__).resolve().parents[3]


def test_every_name_that_it_offers_is_there():
    for name in analytics.research.__all__:
        assert getattr(analytics.research, name).__name__ == name


def test_a_name_that_it_does_not_have_is_named():
    with pytest.raises(AttributeError, match=r"'analytics\.research' has no attribute 'opn_study'"):
        analytics.research.opn_study  # noqa: B018


def test_the_server_loads_its_words_and_no_study():
    code = "import sys, analytics.commands.detect; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name for name in done.stdout.split() if name.startswith("analytics.research.")}
    assert loaded == {"analytics.research.words", "analytics.research.catalogue"}
