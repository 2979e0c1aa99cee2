"""``wellbeing up``: everything in one command, with nothing installed.

An MQTT broker in this process, and as its children the server with the
embedded store, the dashboard, and a floor: simulated agents with a simulated
past week, recordings (``--replay``), or this machine's own sensors (``--me``).
Nothing leaves the machine, and everything is forgotten at the end unless
``--state-dir`` says otherwise. Ctrl-C, SIGTERM and closing the terminal end
every part in order; if this process is killed outright, its children notice
within a second and end, but what it kept under the temporary directory stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from analytics.one_machine.embedded_broker import DASHBOARD, SERVER, EmbeddedBroker, start_broker
from analytics.people.teams import load_teams
from dashboard import trial
from dashboard.cli import free_port, url
from sensors import codec
from sensors.command_line import parse_speed, plain_app
from sensors.errors import ConfigurationError, StateError
from sensors.policy import PolicySettings
from sensors.processes import Children, Stop, StoppedError, stopping
from sensors.recording import read_recording
from sensors.words import LANGUAGES

app = plain_app()

_READY_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.25
_ME = "me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    recordings: tuple[Path, ...]
    speed: str
    me: bool
    port: int
    state_dir: Path | None
    language: str
    seconds: float | None

    @property
    def is_simulated(self) -> bool:
        """Whether the simulated floor plays: when nothing real was asked for."""
        return not self.recordings and not self.me


@app.command()
def up(  # noqa: PLR0917 - options of the command line
    replay: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Recording to stream instead of the simulated floor; repeatable."
        ),
    ] = None,
    speed: Annotated[
        str,
        typer.Option(
            metavar="TIMES", help="How many times real time recordings play, 1 or more; or max."
        ),
    ] = "1",
    me: Annotated[
        bool, typer.Option("--me", help="This machine's own sensors, after consent.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="Port of the dashboard, or the next free one.", min=1, max=65_535)
    ] = 8501,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep everything here instead of forgetting it.")
    ] = None,
    language: Annotated[str, typer.Option(help="en or zh_CN; else the browser's.")] = "",
    seconds: Annotated[
        float | None, typer.Option("--for", help="End by itself after so many seconds.", min=0.0)
    ] = None,
) -> None:
    """Try it: broker, pipeline, store, dashboard and a simulated floor, until Ctrl-C."""
    wish = Wish(
        recordings=tuple(replay or ()),
        speed=speed,
        me=me,
        port=port,
        state_dir=state_dir,
        language=language,
        seconds=seconds,
    )
    _check(wish)
    try:
        with stopping() as stop, _directory(wish.state_dir) as directory:
            asyncio.run(_run(wish, directory, stop))
    except StoppedError as stopped:
        raise typer.Exit(128 + stopped.number) from None


def _check(wish: Wish) -> None:
    """Read what the parts will read, so that a mistake is told before anything starts."""
    parse_speed(wish.speed)
    if wish.language not in {"", *LANGUAGES}:
        raise ConfigurationError(
            f"--language is {wish.language!r}; expected one of {', '.join(LANGUAGES)}"
        )
    if wish.me and wish.state_dir is None and not sys.stdin.isatty():
        raise ConfigurationError(
            "--me asks for consent first; run it on a terminal, or with a --state-dir that has it"
        )
    for path in wish.recordings:
        read_recording(path)


@contextmanager
def _directory(chosen: Path | None) -> Iterator[Path]:
    if chosen is None:
        with tempfile.TemporaryDirectory(
            prefix="wellbeing-up-", ignore_cleanup_errors=True
        ) as made:
            yield Path(made)
        return
    try:
        chosen.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=chosen):
            pass
    except OSError as error:
        why = error.strerror or error
        raise ConfigurationError(f"--state-dir is {chosen}; cannot write there: {why}") from None
    yield chosen.resolve()


async def _run(wish: Wish, directory: Path, stop: Stop) -> None:
    broker = await start_broker(trial.SITE)
    children = Children(directory, stop)
    try:
        await asyncio.to_thread(_start, wish, directory, broker, children)
        until = time.monotonic() + (wish.seconds or float("inf"))
        while time.monotonic() < until:
            children.check()
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        with contextlib.suppress(OSError):  # the terminal or the pipe may be gone
            _say("Ending.")
        try:
            await asyncio.to_thread(children.end)
        finally:
            await broker.stop()


def _start(wish: Wish, directory: Path, broker: EmbeddedBroker, children: Children) -> None:
    """Start every part in the order of the path of a reading, and say where to look."""
    floor = _floor_of(wish)
    (directory / "teams.toml").write_text(trial.teams_toml(floor), encoding="utf-8")
    (directory / "roster.toml").write_text(trial.roster_toml(floor), encoding="utf-8")
    if wish.is_simulated and not (directory / "server" / "server.sqlite").exists():
        _live_through_the_past(directory, floor, children)
    # Only now: who looked for a port before the past was simulated may have lost it since.
    port = free_port("127.0.0.1", wish.port)
    if port != wish.port:
        _say(f"Port {wish.port} is taken; using {port}.")
    config = directory / "wellbeing.toml"
    config.write_text(
        trial.config_toml(directory, broker.port, port, wish.language), encoding="utf-8"
    )
    wellbeing = ("-m", "wellbeing")
    as_user = _credentials(broker)
    children.start("detect", [*wellbeing, "detect", "--config", str(config)], as_user(SERVER))
    children.start(
        "dashboard", [*wellbeing, "dashboard", "--config", str(config)], as_user(DASHBOARD)
    )
    _wait_ready(f"{url('127.0.0.1', port)}/_stcore/health", children)
    _say(f"\nLook here:  {url('127.0.0.1', port)}\n")
    if not wish.is_simulated:
        _say(PolicySettings(profile=trial.PROFILE).explain())
    _start_floor(wish, directory, broker, children, floor)
    _say("Ctrl-C ends everything.")


def _start_floor(
    wish: Wish,
    directory: Path,
    broker: EmbeddedBroker,
    children: Children,
    floor: tuple[trial.TrialAgent, ...],
) -> None:
    config = str(directory / "wellbeing.toml")
    if wish.is_simulated:
        plan = directory / "floor.json"
        plan.touch(mode=0o600)
        passwords = {a.agent: broker.password(a.agent) for a in floor}
        state_dir = str(directory / "edges")
        plan.write_bytes(
            codec.dump_json(trial.floor_plan(floor, broker.port, state_dir, passwords))
        )
        children.start("floor", ["-m", "sensors.edge.running.floor", str(plan)], {})
        _say("Within a minute one agent asks for help, one takes the headset off and one")
        _say("becomes strained; after seven minutes a whole team reacts to an outage.")
    as_user = _credentials(broker)
    for agent, path in zip((a.agent for a in floor), wish.recordings, strict=False):
        arguments = ["replay", str(path), "--config", config, "--agent", agent]
        arguments += ["--speed", wish.speed]
        children.start(
            f"replay-{agent}", ["-m", "wellbeing", *arguments], as_user(agent), may_end=True
        )
    if wish.me:
        _say(f"To pause or withdraw from elsewhere: wellbeing edge --config {config} pause")
        arguments = ["edge", "--config", config, "--agent", _ME]
        for name in ("heart_rate", "hid", "voice"):
            arguments += ["--collector", name]
        children.start("edge", ["-m", "wellbeing", *arguments], as_user(_ME), tty=True)


def _floor_of(wish: Wish) -> tuple[trial.TrialAgent, ...]:
    if wish.is_simulated:
        return trial.trial_floor()
    names = [path.name.partition(".")[0] for path in wish.recordings]
    found = [
        trial.TrialAgent(agent=f"r{number}", name=f"Recording {name}", team="replay", seed=number)
        for number, name in enumerate(names, start=1)
    ]
    if wish.me:
        found.append(trial.TrialAgent(agent=_ME, name="You", team="here", seed=0))
    return tuple(found)


def _live_through_the_past(
    directory: Path, floor: tuple[trial.TrialAgent, ...], children: Children
) -> None:
    # SciPy and all: `--help` and a wrong option should be told at once.
    from analytics.one_machine.past import STEPS, write_past  # noqa: PLC0415

    seeds = {a.agent: a.seed for a in floor}
    teams = load_teams(directory / "teams.toml")
    with _progress("Simulating the floor's past week", STEPS) as progress:

        def step(done: int) -> None:
            children.check()
            progress(done)

        # Under another name until it is complete: a kept directory must not start from half.
        unfinished = directory / "server-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        write_past(
            unfinished,
            site=trial.SITE,
            teams=teams,
            seeds=seeds,
            ends_at=datetime.now(UTC),
            progress=step,
        )
        unfinished.rename(directory / "server")


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, and one line elsewhere."""
    if not sys.stdout.isatty():
        _say(f"{what} ...")
        yield lambda _done: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - a terminal only

    with Progress(transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _credentials(broker: EmbeddedBroker) -> Callable[[str], dict[str, str]]:
    def environment(username: str) -> dict[str, str]:
        return {
            "WELLBEING_BROKER_USERNAME": username,
            "WELLBEING_BROKER_PASSWORD": broker.password(username),
        }

    return environment


def _wait_ready(address: str, children: Children) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < until:
        children.check()
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own loopback page
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(_LOOK_EVERY_S)
    raise StateError(f"the dashboard did not answer at {address} within {_READY_WITHIN_S:g} s")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
