"""`wellbeing evaluate`: how well the score and the alerts do on labelled recordings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from analytics.evaluation.evaluate import Trace, traces
from analytics.evaluation.files import LeftOut, chosen, names, read_all
from analytics.evaluation.plot import check_plot, draw_curve, has_curve
from analytics.evaluation.report import report
from analytics.evaluation.simulated_report import report_floor
from analytics.evaluation.text import floor_text, recordings_text, skipped_text
from analytics.simulation import SCENARIOS, Scenario
from sensors import codec
from sensors.command_line import JsonOption, plain_app, progress_bar
from sensors.errors import ConfigurationError, RecordingError

app = plain_app()

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
    One with calm labels only counts for false alerts, one with strained labels
    only for what is found. What cannot be used is named and left out.
    With --simulate, a floor of simulated agents takes the place of recordings:
    episodes of known strength are put in, and what supervisors would be told
    is counted too.
    """
    floor = _Floor(scenario, agents, hours, strength, react, seed)
    _check(files or [], floor, simulate=simulate)
    if plot is not None:
        check_plot(plot)
    if simulate:
        found = _simulated(floor, team_size, draws=plot is not None)
    else:
        found = _recordings(files or [], team_size)
    if plot is not None:
        _draw(found["overall"], plot)
    if as_json:
        sys.stdout.write(codec.dump_json(found).decode() + "\n")
        return
    for line in floor_text(found["overall"]) if simulate else recordings_text(found):
        typer.echo(line)


def _draw(overall: dict[str, Any], plot: Path) -> None:
    if has_curve(overall):
        draw_curve(overall, plot)
    else:
        _note(f"--plot {plot}: not drawn; a curve needs strained and calm time")


def _note(text: str) -> None:
    typer.echo(f"wellbeing evaluate: {text}", err=True)


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


def _recordings(files: list[Path], team_size: int) -> dict[str, Any]:
    """Return the figures of recordings; what is left out or skipped is said.

    Raises
    ------
    RecordingError
        If none of them can be judged.
    """
    paths = chosen(files)
    with progress_bar() as bar:
        found, left_out = _read(list(zip(paths, names(paths), strict=True)), bar)
    if not found and len(left_out) == 1:
        raise RecordingError(left_out[0].reason)
    for one in left_out:
        _note(f"left out: {one.reason}")
    if not found:
        raise RecordingError(f"none of the {len(left_out)} recordings can be judged; see above")
    with progress_bar() as bar:
        task = bar.add_task("scoring", total=1.0)
        told = report(found, team_size, lambda share: bar.update(task, completed=share))
    skipped = skipped_text(told["per_recording"])
    if skipped is not None:
        _note(skipped)
    return {**told, "left_out": [asdict(one) for one in left_out]}


def _read(named: Sequence[tuple[Path, str]], bar: Progress) -> tuple[list[Trace], list[LeftOut]]:
    """Return what can be judged, and what cannot."""
    task = bar.add_task("reading", total=len(named))
    found: list[Trace] = []
    left_out: list[LeftOut] = []
    for start in range(0, len(named), _AT_ONCE):
        some = named[start : start + _AT_ONCE]
        recordings, others = read_all(some)
        left_out += others
        if recordings:
            found += traces(recordings, partial(_reading, bar, task, start, len(some)))
    return found, left_out


def _reading(bar: Progress, task: TaskID, before: int, count: int, share: float) -> None:
    bar.update(task, completed=before + count * share)


def _simulated(floor: _Floor, team_size: int, *, draws: bool) -> dict[str, Any]:
    """Return the figures of a simulated floor.

    Raises
    ------
    ConfigurationError
        If there is no such scenario, an option is out of its range, or it
        would change nothing.
    """
    name = floor.scenario or "hard"
    if name not in SCENARIOS:
        raise ConfigurationError(f"--scenario {name}: expected one of {', '.join(SCENARIOS)}")
    _check_effect(name, SCENARIOS[name], floor, draws=draws)
    known = SCENARIOS[name]
    scenario = replace(
        known,
        strength=known.strength if floor.strength is None else floor.strength,
        react=known.react if floor.react is None else floor.react,
    )
    hours = 8.0 if floor.hours is None else floor.hours
    if not 0.1 <= hours <= 24:
        raise ConfigurationError(f"--hours {hours:g}: expected 0.1 to 24; a shift")
    reached_h = max((cause.start_s + cause.ramp_s for cause in scenario.common), default=0) / 3600
    if hours <= reached_h:
        raise ConfigurationError(
            f"--hours {hours:g}: the cause of {name} is at its full only after {reached_h:.2g} h"
        )
    with progress_bar() as bar:
        task = bar.add_task("simulating and scoring", total=1.0)
        return report_floor(
            floor.agents or 100,
            hours,
            1 if floor.seed is None else floor.seed,
            scenario,
            team_size=team_size,
            name=name,
            progress=lambda share: bar.update(task, completed=share),
        )


def _check_effect(name: str, scenario: Scenario, floor: _Floor, *, draws: bool) -> None:
    """Refuse what would change nothing in `scenario`.

    Raises
    ------
    ConfigurationError
        Naming the option.
    """
    if scenario.episodes_per_shift > 0:
        return
    without_effect = {
        "strength": floor.strength is not None,
        "react": floor.react is not None and not scenario.common,
        "plot": draws,
    }
    for option, is_given in without_effect.items():
        if is_given:
            raise ConfigurationError(
                f"--{option} has no effect: scenario {name} has no personal episodes; "
                "leave it out, or use --scenario hard or clear"
            )
