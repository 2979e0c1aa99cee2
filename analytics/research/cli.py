"""``wellbeing research``: what a study holds, as tables, files and figures."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from analytics.research import compare as compared
from analytics.research import table
from analytics.research.asked import length
from analytics.research.catalogue import Cover, Kind
from analytics.research.ledger import ExportRecord, Ledger, ResearchSettings, exports_of
from analytics.research.printing import Printed
from analytics.research.report import overview
from analytics.research.slices import Plan
from analytics.research.study import Study, open_study
from analytics.research.study_file import FILE_NAME, TEMPLATE
from sensors import codec
from sensors.checks import check_identity
from sensors.command_line import (
    ConfigOption,
    JsonOption,
    columns,
    plain_app,
    progress_bar,
    read_tables,
)
from sensors.config import section
from sensors.errors import ConfigurationError

app = plain_app(
    "For researchers: what those who consented to a study measured, under the study's pseudonyms.\n\n"
    "Start with: wellbeing research demo lunch; cd lunch; wellbeing research signals"
)

StudyOption = Annotated[
    Path,
    typer.Option("--study", envvar="WELLBEING_STUDY", help="Folder of the study, or its file."),
]
SignalsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SIGNAL", help="Signals, from: wellbeing research signals.", show_default=False
    ),
]
EveryOption = Annotated[
    str | None, typer.Option(help="Means over such stretches: 30s, 5min, 1h, 1d.")
]
HoursOption = Annotated[
    str | None, typer.Option(help="Only these local times of day: 13-14, 12:30-13:30.")
]
StartOption = Annotated[str | None, typer.Option(help="From this day or time on, UTC.")]
EndOption = Annotated[str | None, typer.Option(help="To the end of this day, or before this time.")]
AgentsOption = Annotated[
    list[str] | None,
    typer.Option("--agent", metavar="NAME", help="Pseudonym of the study; can be given again."),
]


def _told(found: Any, *, as_json: bool, nothing: str, to: TextIO | None = None) -> None:
    """Print an Arrow table for people, or one JSON object a line."""
    rows = found.to_pylist()
    if as_json:
        for row in rows:
            typer.echo(codec.dump_json({k: _plain(v) for k, v in row.items()}).decode(), to)
        return
    if not rows:
        typer.echo(nothing, to)
        return
    names = found.column_names
    cells = [[_shown(row[name]) for name in names] for row in rows]
    left = next((i for i, n in enumerate(names) if isinstance(rows[0][n], float | int)), len(names))
    for line in columns(names, cells, left):
        typer.echo(line, to)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN


def _shown(value: Any) -> str:
    if value is None or _plain(value) is None:
        return "-"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "minutes")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal; nothing elsewhere."""
    with progress_bar() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Made if it is not there.")],
    site: Annotated[str, typer.Option(help="Site whose agents take part.")],
) -> None:
    """Write a study.toml to fill in: what was approved, and who signed."""
    study_id = re.sub(r"[^a-z0-9_-]", "-", folder.absolute().name.lower())[:32].strip("-_")
    check_identity("folder", study_id)
    check_identity("site", site)
    path = folder / FILE_NAME
    today = datetime.now(UTC).date()
    text = TEMPLATE.format(
        id=study_id, site=site, start=today, end=today + timedelta(days=28), covers=", ".join(Cover)
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already; edit it") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None
    typer.echo(f"wrote {path}: fill in approved_by and a [[consent]] for each signed form")


@app.command()
def demo(folder: Annotated[Path, typer.Argument(help="Made if it is not there.")]) -> None:
    """Make a study with simulated people to try everything on (about 10 s)."""
    from analytics.research.demo import write_demo  # noqa: PLC0415 - needed nowhere else

    with _progress("simulating nine people") as progress:
        write_demo(folder, progress)
    typer.echo(f"made study lunch in {folder}: 9 simulated people, of whom 7 take part, 2 weeks")


@app.command()
def signals(study: StudyOption = Path(), config: ConfigOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """List the signals that the study covers and has, with unit and meaning; all with --json."""
    with open_study(study, config=config) as opened:
        found = opened.signals(frame="arrow")
    nothing = "no signal of anybody: wellbeing research agents says who takes part since when"
    if not as_json:
        found = found.filter([n > 0 for n in found["agents"].to_pylist()])
        # Numbers last, so that words stand flush left.
        found = found.select(["signal", "kind", "unit", "meaning", "agents"])
    _told(found, as_json=as_json, nothing=nothing)


@app.command()
def agents(study: StudyOption = Path(), config: ConfigOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """List who takes part, by the study's pseudonyms, and the hours measured."""
    with open_study(study, config=config) as opened:
        found = opened.agents(frame="arrow")
    _told(found, as_json=as_json, nothing="nobody")


@app.command()
def gaps(
    signal: Annotated[str, typer.Argument(help="Signal.")],
    longer_than: Annotated[str, typer.Option(help="Only gaps longer than this.")] = "10min",
    study: StudyOption = Path(),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the stretches without a value; nights and breaks alike, no cause is told."""
    with open_study(study, config=config) as opened:
        found = opened.gaps(signal, longer_than=longer_than, frame="arrow")
    _told(found, as_json=as_json, nothing=f"no gap longer than {longer_than}")


@app.command()
def events(
    start: StartOption = None,
    end: EndOption = None,
    study: StudyOption = Path(),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List alerts, decisions, replies and requests of those who take part.

    What does not go to a terminal has left: the ledger names it, like an export.
    """
    with open_study(study, config=config) as opened:
        found = opened.events(start=start, end=end, frame="arrow")
        with opened.printing(("events",), start=start, end=end) as printed:
            printed.rows = len(found)
            printed.agents |= opened.at_the_site(found["agent"].to_pylist())
            nothing = "no event in this time, or the study covers no alerts"
            _told(found, as_json=as_json, nothing=nothing, to=printed.to)


@app.command()
def query(  # noqa: PLR0917 - typer calls it by name
    names: SignalsArgument,
    every: EveryOption = None,
    hours: HoursOption = None,
    start: StartOption = None,
    end: EndOption = None,
    agent: AgentsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    study: StudyOption = Path(),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print values as CSV, or with --json one object a line; for a file take export.

    What does not go to a terminal has left: the ledger names it, like an export.
    """
    with open_study(study, config=config) as opened:
        plan = opened.plan(names, every=every, start=start, end=end, hours=hours, agents=agent)
        asked = tuple(variable.name for variable in plan.wanted.variables)
        with opened.printing(asked, start=plan.start_at, end=plan.end_at) as printed:
            _print(opened, plan, printed, sys.maxsize if limit is None else limit, as_json=as_json)
        if not printed.rows:
            typer.echo(opened.nothing(plan), err=True)


def _print(opened: Study, plan: Plan, printed: Printed, limit: int, *, as_json: bool) -> None:
    writer = csv.writer(printed.to, lineterminator="\n")
    for piece, part in opened.parts(plan):
        rows = table.arrow(table.columns(part)).to_pylist()[: limit - printed.rows]
        if rows and not printed.rows and not as_json:
            writer.writerow(rows[0])
        for row in rows:
            if as_json:
                line = codec.dump_json({k: _plain(v) for k, v in row.items()}).decode()
                printed.to.write(line + "\n")
            else:
                writer.writerow([_cell(value) for value in row.values()])
        printed.rows += len(rows)
        if rows:
            printed.agents.add(piece.grant.agent)
        if printed.rows >= limit:
            return


def _cell(value: Any) -> str:
    if value is None or _plain(value) is None:
        return ""
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)


@app.command()
def export(  # noqa: PLR0917 - typer calls it by name
    file: Annotated[Path, typer.Argument(help="New file: .parquet, .csv or .feather.")],
    names: SignalsArgument,
    every: EveryOption = None,
    hours: HoursOption = None,
    start: StartOption = None,
    end: EndOption = None,
    agent: AgentsOption = None,
    study: StudyOption = Path(),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write values to a file, its data dictionary beside it, and a line into the ledger."""
    with open_study(study, config=config) as opened, _progress("exporting") as progress:
        record = opened.export(
            file, names, every=every, start=start, end=end, hours=hours, agents=agent,
            progress=progress,
        )  # fmt: skip
    if as_json:
        shown = {"file": record.file, "rows": record.rows, "sha256": record.sha256}
        typer.echo(codec.dump_json(shown).decode())
        return
    typer.echo(
        f"wrote {file}: {record.rows} values of {len(record.agents)} agents; "
        f"what they mean stands in {file.name}.dictionary.json"
    )


@app.command()
def report(  # noqa: PLR0917 - typer calls it by name
    signal: Annotated[str | None, typer.Option(help="Compare this signal.")] = None,
    by: Annotated[compared.By, typer.Option(help="Between what.")] = compared.By.WEEK,
    every: EveryOption = None,
    hours: HoursOption = None,
    start: StartOption = None,
    end: EndOption = None,
    figure: Annotated[Path | None, typer.Option(help="Draw it: .svg, .png or .pdf.")] = None,
    study: StudyOption = Path(),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the study holds; with --signal how it differs between weeks (days, hours)."""
    with open_study(study, config=config) as opened:
        if signal is None:
            text, value = overview(opened)
            typer.echo(codec.dump_json(value).decode() if as_json else "\n".join(text))
            return
        if figure is not None and figure.suffix not in {".svg", ".png", ".pdf"}:
            raise ConfigurationError(f"--figure is {figure}; expected .svg, .png or .pdf")
        found = _compared(opened, signal, by, (every, hours, start, end))
    title = _title(signal, every, hours)
    if figure is not None:
        try:
            compared.plot(found, figure, title)
        except OSError as error:
            raise ConfigurationError(f"cannot write {figure}: {error.strerror}") from None
    if as_json:
        typer.echo(codec.dump_json(found).decode())
        return
    typer.echo(title)
    for line in compared.lines(found):
        typer.echo(line)
    if figure is not None:
        typer.echo(f"figure: {figure}")


def _compared(
    opened: Study, signal: str, by: compared.By, cut: tuple[str | None, ...]
) -> compared.Comparison:
    every, hours, start, end = cut
    if every is not None and length(every) > timedelta(hours=1):
        # Stretches begin in UTC: a day's begins the evening before, west of Greenwich.
        raise ConfigurationError(
            f"--every is {every}; expected 1h or less, so that each stretch lies in one day of "
            "everybody's own: report takes daily means itself"
        )
    plan = opened.plan(signal, every=every, hours=hours, start=start, end=end)
    parts = []
    with _progress(f"reading {signal}") as progress:
        for done, (_, part) in enumerate(opened.parts(plan), start=1):
            parts.append(part)
            progress(done, len(plan.slices))
    whole = table.joined(parts)
    if not len(whole):
        raise ConfigurationError(opened.nothing(plan))
    frame = table.frame(table.columns(whole), "pandas")
    smallest = opened.file.study.smallest_group
    return compared.compare(frame, plan.wanted.variables[0], by, smallest)


def _title(signal: str, every: str | None, hours: str | None) -> str:
    from analytics.research.catalogue import variable  # noqa: PLC0415

    stretch = every or ("5min" if variable(signal).kind is Kind.BEATS else None)
    of = f" of {length(stretch).total_seconds():g} s" if stretch else ""
    when = f", {hours} h local time" if hours else ""
    return f"{signal}{of}{when}; mixed model of daily means, one intercept per person"


@app.command()
def ledger(
    agent: Annotated[
        str | None, typer.Option(help="Who withdraws: pseudonym at the site, not the study's.")
    ] = None,
    study: Annotated[
        Path | None, typer.Option("--study", help="Also tell their pseudonym in this study.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Name every export, or every export that one agent is in, with what to do about it."""
    path = section(read_tables(config), "research", ResearchSettings).file()
    records = Ledger(path).records() if agent is None else exports_of(agent, ledger=path)
    if as_json:
        for record in records:
            typer.echo(codec.dump_json(record).decode())
        return
    if not records:
        who = f"{agent} is in no export" if agent else "no export yet"
        typer.echo(f"{who}; the ledger is {path}")
        return
    for record in records:
        typer.echo(_export_line(record))
    if agent is not None:
        typer.echo(_remedy(agent, study, config))


def _export_line(record: ExportRecord) -> str:
    state = "" if Path(record.file).exists() else " (not there any more, or elsewhere)"
    return (
        f"{record.at:%Y-%m-%d %H:%M} {record.study}: {record.file}{state}, {record.rows} values of "
        f"{len(record.agents)} agents: {', '.join(record.signals)}; by {record.by}"
    )


def _remedy(agent: str, study: Path | None, config: Path | None) -> str:
    if study is None:
        return (
            f"set withdrawn_at for {agent} in study.toml; --study FOLDER tells the rows to delete"
        )
    with open_study(study, config=config) as opened:
        return (
            f"in study {opened.file.study.id} {agent} is {opened.names.of(agent)}: delete these rows "
            "in every copy, and set withdrawn_at in study.toml"
        )
