"""`wellbeing bench` finds, runs and shows benchmarks, here of a small directory."""

import json
import os
import subprocess
import sys

import pytest

GOOD = """
import json, sys
IDS = ("X1", "X2.time", "X2.memory")
n = 10 if "--quick" in sys.argv else 1000
print(json.dumps({"id": "X1", "value": 1234567.0, "unit": "1/s",
                  "peer": {"name": "river", "value": 40000}, "ratio": 30.9, "n": n}), flush=True)
print(json.dumps({"id": "X2.time", "value": 0.5, "unit": "s", "peer": None, "ratio": None, "n": n}))
"""


@pytest.fixture
def bench(tmp_path):
    directory = tmp_path / "benchmarks"
    directory.mkdir()
    (directory / "good.py").write_text(GOOD)
    (directory / "_shared.py").write_text("raise SystemExit('not a benchmark')")
    (directory / "other.py").write_text(
        'IDS = (\'Y1\',)\nprint(\'{"id": "Y1", "value": 1, "unit": "1"}\')'
    )

    def run(*arguments, **files):
        for name, text in files.items():
            (directory / f"{name}.py").write_text(text)
        return subprocess.run(
            [sys.executable, "-m", "wellbeing", "bench", *arguments],
            env={**os.environ, "WELLBEING_BENCHMARKS": str(directory), "COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    run.directory = directory
    return run


def _lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_all_of_them_as_json(bench):
    done = bench("--json")
    assert done.returncode == 0, done.stderr
    assert [r["id"] for r in _lines(done)] == ["X1", "X2.time", "Y1"]
    assert "1 of 2: good.py: X1, X2.time, X2.memory" in done.stderr


def test_only_what_is_named_and_quick(bench):
    for wanted in ("X2", "x2.time", "X1"):
        done = bench(wanted, "--quick", "--json")
        assert {r["n"] for r in _lines(done)} == {10}
        assert "other.py" not in done.stderr


def test_a_table_for_people(bench):
    done = bench("X1")
    assert done.returncode == 0
    for text in ("1,234,567", "river", "40,000", "30.9", "peer's value"):
        assert text in done.stdout


def test_an_unknown_figure_lists_the_known_ones(bench):
    done = bench("Z9")
    assert done.returncode == 2
    assert "unknown benchmark 'Z9'; known: X1, X2.time, X2.memory, Y1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "bad.py does not say what it measures"),
        ("IDS = tuple(range(3))", "bad.py does not say what it measures"),
        ("IDS = ('B1',)\nraise SystemExit(3)", "bad.py ended with code 3"),
        ("IDS = ('B1',)\nprint('fast')", "bad.py printed 'fast'; expected JSON"),
        ("IDS = ('B1',)\nprint('{}')", "id, value or unit is missing"),
    ],
)
def test_a_bad_benchmark_is_named_and_fails(bench, text, words):
    done = bench("--json", bad=text)
    assert done.returncode != 0
    assert words in done.stderr
    assert "wellbeing bench:" in done.stderr


def test_without_a_checkout_it_says_so(bench):
    for path in bench.directory.iterdir():
        path.unlink()
    done = bench()
    assert done.returncode == 2
    assert "they come with a checkout" in done.stderr
