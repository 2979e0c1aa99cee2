"""``wellbeing bench``: run the benchmarks and show value, peer and ratio side by side.

A benchmark is a file of ``benchmarks/`` in a checkout that prints one JSON
object a line and takes ``--quick``. It says which figures it produces in a
module-level ``IDS = ("D6", ...)``, which is read without running it.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sensors.command_line import columns, plain_app
from sensors.errors import ConfigurationError, WellbeingError

app = plain_app()

DIRECTORY = Path(__file__).resolve().parents[2] / "benchmarks"
DIRECTORY_VARIABLE = "WELLBEING_BENCHMARKS"


class BenchmarkError(WellbeingError, RuntimeError):
    """A benchmark ended with an error or printed something that is no result."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One file and the figures it produces."""

    path: Path
    ids: tuple[str, ...]


def discover(directory: Path) -> list[Benchmark]:
    """Return the benchmarks of `directory` by name.

    Raises
    ------
    ConfigurationError
        If there is no such directory, nothing in it, or a file that does not
        say what it produces.
    """
    paths = sorted(p for p in directory.glob("*.py") if not p.name.startswith("_"))
    if not paths:
        raise ConfigurationError(
            f"no benchmarks in {directory}; they come with a checkout of the repository, not"
            f" with the package: run it there, or set {DIRECTORY_VARIABLE}"
        )
    return [Benchmark(path, declared_ids(path)) for path in paths]


def declared_ids(path: Path) -> tuple[str, ...]:
    """Return the ``IDS`` of a benchmark without running it.

    Raises
    ------
    ConfigurationError
        If the file has none, or not a tuple of texts.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "IDS" for target in targets):
            try:
                found = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except ValueError:
                break
            if isinstance(found, tuple) and found and all(isinstance(i, str) for i in found):
                return found
    raise ConfigurationError(f'{path} does not say what it measures; add IDS = ("D6",)')


def choose(benchmarks: Sequence[Benchmark], wanted: Sequence[str]) -> list[Benchmark]:
    """Return the benchmarks that produce the `wanted` figures; all when none is named.

    Raises
    ------
    ConfigurationError
        If nobody produces one of them; lists those there are.
    """
    if not wanted:
        return list(benchmarks)
    known = [figure for benchmark in benchmarks for figure in benchmark.ids]
    for figure in wanted:
        if not any(_covers(figure, k) for k in known):
            raise ConfigurationError(f"unknown benchmark {figure!r}; known: {', '.join(known)}")
    return [b for b in benchmarks if any(_covers(w, k) for w in wanted for k in b.ids)]


def _covers(wanted: str, figure: str) -> bool:
    """Return whether asking for `wanted` means `figure`: V2 means V2.time as well."""
    row, asked = figure.upper(), wanted.upper()
    return asked in (row, row.partition(".")[0])


def run(benchmark: Benchmark, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Run one benchmark in its own process; yield each result as it is printed.

    Raises
    ------
    BenchmarkError
        If it ends with an error or prints what is no result.
    """
    command = [sys.executable, str(benchmark.path), *(["--quick"] if quick else [])]
    name = benchmark.path.name
    # Its errors and progress go straight to the terminal.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        for line in process.stdout:
            if line.strip():
                yield _result(name, line)
    if process.returncode:
        raise BenchmarkError(f"{name} ended with code {process.returncode}; see above")


def _result(name: str, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        raise BenchmarkError(f"{name} printed {line.strip()[:80]!r}; expected JSON") from None
    if not isinstance(found, dict) or not {"id", "value", "unit"} <= found.keys():
        raise BenchmarkError(f"{name} printed {line.strip()[:80]!r}; id, value or unit is missing")
    return found


def _number(value: object) -> str:
    if not isinstance(value, int | float):
        return str(value or "-")
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return the results as a table for people, line by line."""
    rows = []
    for result in results:
        peer = result.get("peer") or {}
        cells = (result["value"], peer.get("value"), result.get("ratio"), result.get("n"))
        name = str(peer.get("name", "-"))
        rows.append([str(result["id"]), str(result["unit"]), name, *map(_number, cells)])
    return columns(("id", "unit", "peer", "value", "peer's value", "ratio", "n"), rows, left=3)


@app.command()
def bench(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Figures wanted, such as D6; else all."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Under a minute each.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")] = False,
) -> None:
    """Run the benchmarks named, or all of them."""  # fmt: skip
    directory = Path(os.environ.get(DIRECTORY_VARIABLE, str(DIRECTORY)))
    chosen = choose(discover(directory), ids or [])
    results: list[dict[str, Any]] = []
    for number, benchmark in enumerate(chosen, start=1):
        figures = ", ".join(benchmark.ids)
        typer.echo(f"{number} of {len(chosen)}: {benchmark.path.name}: {figures} ...", err=True)
        for result in run(benchmark, quick=quick):
            results.append(result)
            if as_json:
                sys.stdout.write(json.dumps(result) + "\n")
                sys.stdout.flush()
    if not as_json:
        typer.echo("\n".join(table(results)))
