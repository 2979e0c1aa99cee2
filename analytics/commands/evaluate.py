"""`wellbeing evaluate`: how well the score and the alerts do on labelled recordings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from analytics.evaluation.evaluate import Trace, traces
from analytics.evaluation.plot import check_plot, draw_curve
from analytics.evaluation.report import report
from analytics.evaluation.simulated_report import report_floor
from analytics.simulation import SCENARIOS
from sensors import codec
from sensors.command_line import JsonOption, columns, plain_app
from sensors.errors import ConfigurationError
from sensors.recording import read_recording

app = plain_app()

_ENDINGS = (".csv", ".csv.gz")
_AT_ONCE = 32  # recordings read side by side: sooner than one by one, in bounded memory


@dataclass(frozen=True, slots=True)
class _Floor:
    """The options that only a simulated floor has, as given; ``None`` is left out."""

    scenario: str | None
    agents: int | None
    hours: float | None
    strength: float | None
    react: float | None
    seed: int | None


@app.command()
def evaluate(  # noqa: PLR0917 - the options of a command line
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Labelled recordings, or folders of them.", metavar="FILE"),
    ] = None,
    team_size: Annotated[
        int, typer.Option(help="Use the threshold of a team of this size.", min=1)
    ] = 20,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Judge a simulated floor instead of recordings.")
    ] = False,
    scenario: Annotated[
        str | None,
        typer.Option(help=f"Simulated: {', '.join(SCENARIOS)}. [default: hard]"),
    ] = None,
    agents: Annotated[
        int | None, typer.Option(help="Simulated: number of agents. [default: 100]", min=1)
    ] = None,
    hours: Annotated[
        float | None, typer.Option(help="Simulated: length of a shift. [default: 8]")
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(help="Simulated: full intensity of episodes, 0 to 10; 1 is a clear response."),
    ] = None,
    react: Annotated[
        float | None,
        typer.Option(help="Simulated: chance of each group of channels to react, 0 to 1."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Simulated: another floor. [default: 1]")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the operating curve into this .svg or .png.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score labelled recordings offline, with the code that runs live.

    Each recording is a new agent; nothing carries over from one to the next.
    With --simulate, a floor of simulated agents takes the place of recordings:
    episodes of known strength are put in, and what supervisors would be told
    is counted too.
    """
    floor = _Floor(scenario, agents, hours, strength, react, seed)
    _check(files or [], floor, simulate=simulate)
    if plot is not None:
        check_plot(plot)
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        found = (
            _simulated(floor, team_size, bar) if simulate else _read(files or [], team_size, bar)
        )
    if plot is not None:
        draw_curve(found["overall"], plot)
    if as_json:
        sys.stdout.write(codec.dump_json(found).decode() + "\n")
    elif simulate:
        _show_floor(found["overall"])
    else:
        _show(found)


def _check(files: Sequence[Path], floor: _Floor, *, simulate: bool) -> None:
    """Refuse what does not go together.

    Raises
    ------
    ConfigurationError
        Naming the option.
    """
    if simulate and files:
        raise ConfigurationError(
            f"{files[0]} and --simulate: name recordings, or simulate, not both"
        )
    if not simulate:
        if not files:
            raise ConfigurationError("nothing to judge; name recordings, or use --simulate")
        for option in fields(floor):
            if getattr(floor, option.name) is not None:
                raise ConfigurationError(
                    f"--{option.name} is for a simulated floor: add --simulate"
                )


def _read(files: list[Path], team_size: int, bar: Progress) -> dict[str, Any]:
    """Return the figures of recordings."""
    paths = _recordings(files)
    task = bar.add_task("reading", total=len(paths))
    found: list[Trace] = []
    for start in range(0, len(paths), _AT_ONCE):
        some = [read_recording(path) for path in paths[start : start + _AT_ONCE]]
        found += traces(some, partial(_reading, bar, task, start, len(some)))
    task = bar.add_task("scoring", total=1.0)
    return report(found, team_size, lambda share: bar.update(task, completed=share))


def _reading(bar: Progress, task: TaskID, before: int, count: int, share: float) -> None:
    bar.update(task, completed=before + count * share)


def _simulated(floor: _Floor, team_size: int, bar: Progress) -> dict[str, Any]:
    """Return the figures of a simulated floor.

    Raises
    ------
    ConfigurationError
        If there is no such scenario, or an option is out of its range.
    """
    name = floor.scenario or "hard"
    if name not in SCENARIOS:
        raise ConfigurationError(f"--scenario {name}: expected one of {', '.join(SCENARIOS)}")
    known = SCENARIOS[name]
    scenario = replace(
        known,
        strength=known.strength if floor.strength is None else floor.strength,
        react=known.react if floor.react is None else floor.react,
    )
    hours = 8.0 if floor.hours is None else floor.hours
    if not 0.1 <= hours <= 24:
        raise ConfigurationError(f"--hours {hours:g}: expected 0.1 to 24; a shift")
    task = bar.add_task("simulating and scoring", total=1.0)
    return report_floor(
        floor.agents or 100,
        hours,
        1 if floor.seed is None else floor.seed,
        scenario,
        team_size=team_size,
        progress=lambda share: bar.update(task, completed=share),
    )


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


def _show_floor(whole: dict[str, Any]) -> None:
    episodes, teams = whole["episodes"], whole["teams"]
    low, high = whole["found_fraction_ci95"]
    typer.echo(
        f"{whole['agents']} simulated agents, {whole['shifts']} x {whole['hours_per_shift']:g} h; "
        f"{episodes} episodes of strength {whole['strength']:g}, each group of channels reacting "
        f"with probability {whole['react']:g}"
    )
    typer.echo(
        f"Found {_figure(whole['found_fraction'])} (95 % over agents {_figure(low)} to "
        f"{_figure(high)}; at random {_figure(whole['chance_found_fraction'])}), "
        f"{_figure(whole['found_fraction_reachable'])} of those that show in a measured channel; "
        f"{_figure(whole['found_before_full_fraction'])} of the found before full intensity, "
        f"median delay {_figure(whole['median_delay_s'], 0)} s"
    )
    typer.echo(
        f"False alerts: {_figure(whole['false_alerts_per_agent_shift'])} per agent-shift of 8 h"
    )
    typer.echo(
        f"Told, in {teams} teams of {whole['team_size']}: "
        f"{_figure(whole['personal_alerts_told_per_team_hour'])} personal alerts per team-hour, at "
        f"most {whole['most_told_to_one_supervisor_in_an_hour']} to one supervisor in an hour; "
        f"{whole['team_alerts']} team alerts"
    )


def _figure(value: float | None, digits: int = 2) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"
