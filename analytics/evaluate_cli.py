"""`wellbeing evaluate`: how well the score and the alerts do on labelled recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from analytics.evaluate import Trace, trace
from analytics.evaluate_report import report
from sensors import codec
from sensors.command_line import JsonOption, columns, plain_app
from sensors.errors import ConfigurationError
from sensors.recording import read_recording

app = plain_app()

_ENDINGS = (".csv", ".csv.gz")


@app.command()
def evaluate(
    files: Annotated[
        list[Path],
        typer.Argument(help="Labelled recordings, or folders of them.", metavar="FILES…"),
    ],
    team_size: Annotated[
        int, typer.Option(help="Use the threshold of a team of this size.", min=1)
    ] = 20,
    as_json: JsonOption = False,
) -> None:
    """Score labelled recordings offline, with the code that runs live.

    Each recording is a new agent; nothing carries over from one to the next.
    """
    paths = _recordings(files)
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("reading", total=len(paths))
        traces: list[Trace] = []
        for path in paths:
            traces.append(trace(read_recording(path)))
            bar.advance(task)
        task = bar.add_task("scoring", total=1.0)
        found = report(traces, team_size, lambda share: bar.update(task, completed=share))
    if as_json:
        sys.stdout.write(codec.dump_json(found).decode() + "\n")
    else:
        _show(found)


def _recordings(files: list[Path]) -> list[Path]:
    """Return the files named, with folders opened, each once, in a fixed order.

    Raises
    ------
    ConfigurationError
        If a name is neither, or a folder holds no recording.
    """
    found: list[Path] = []
    for path in files:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.name.endswith(_ENDINGS))
            if not inside:
                raise ConfigurationError(f"{path} holds no recording; expected *.csv or *.csv.gz")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise ConfigurationError(f"there is no file or folder {path}")
    return list(dict.fromkeys(found))


def _show(found: dict[str, Any]) -> None:
    headings = ("recording", "AUC", "matched", "coverage", "found", "false", "calm h")
    rows = [
        (
            row["name"],
            _figure(row["auc"]),
            _figure(row["auc_time_matched"]),
            _figure(row["coverage"]),
            f"{row['found']}/{row['stretches']}",
            str(row["false_alerts"]),
            _figure(row["calm_hours"]),
        )
        for row in found["per_recording"]
    ]
    for line in columns(headings, rows):
        typer.echo(line)
    whole = found["overall"]
    low, high = whole["auc_ci95"]
    typer.echo(
        f"AUC {_figure(whole['auc_mean'])} (95 % over people {_figure(low)} to {_figure(high)}), "
        f"time-matched {_figure(whole['auc_time_matched_mean'])}; {whole['recordings']} recordings"
    )
    typer.echo(
        f"Team of {whole['team_size']}: found {_figure(whole['found_fraction'])} of the strained "
        f"stretches at {_figure(whole['false_alerts_per_hour'])} false alerts per hour "
        f"(at random {_figure(whole['chance_found_fraction'])}), "
        f"median delay {_figure(whole['median_delay_s'], 0)} s"
    )


def _figure(value: float | None, digits: int = 2) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"
