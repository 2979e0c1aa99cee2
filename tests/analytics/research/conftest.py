"""Studies to ask: a small one whose every value is known, on each kind of store, and the demo."""

import contextlib
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import wellbeing
from analytics.research import Study
from analytics.research.ledger import Ledger
from analytics.research.study_file import read_study
from analytics.store.base import Store
from analytics.store.opening import open_store
from analytics.store.points import Measurement, Point, epoch_ns, point_time_ns
from analytics.store.settings import StoreSettings
from tests.rig import wait_until
from tests.rig.influx import ON_A_SERVER

SITE = "north"
# Two days ago: a server refuses what its retention would delete.
DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
BEGIN = DAY + timedelta(hours=10)
WINDOWS = 720
"""An hour of each agent."""

BERLIN, MUMBAI = 60, 330
CONSENTED = ("k1", "k2", "k3", "k4", "k5", "k6")
AGENTS = (*CONSENTED, "refuses", "withdrew", "later")
LATER_AT = BEGIN + timedelta(minutes=30)


def hr_of(agent: str, window: int) -> float:
    return 60.0 + AGENTS.index(agent) + window / 100


def offset_of(agent: str) -> int:
    return MUMBAI if agent == "k2" else BERLIN


def end_of(window: int) -> datetime:
    return BEGIN + timedelta(seconds=5 * (window + 1))


def rr_of(agent: str, window: int) -> list[float]:
    rng = np.random.default_rng([AGENTS.index(agent), window])
    rr = 1000.0 + 30.0 * rng.standard_normal(5)
    return [float(v) for v in rr * 5000.0 / rr.sum()]


def points_of(agent: str, run: str = "aaaaaaaa") -> Iterator[Point]:
    """Yield an hour: on call, in the last quarter without the headset, for a private reason."""
    tags = {"site": SITE, "agent": agent}
    for window in range(WINDOWS):
        time_ns = point_time_ns(end_of(window), run)
        shared = {"run": run, "seq": window, "utc_offset_min": offset_of(agent)}
        own = {**tags, "source": "pc"}
        if window >= 540:
            yield Point(Measurement.READING, own, {**shared, "absent_heart": "withheld"}, time_ns)
            continue
        heart = {"hr_bpm": hr_of(agent, window), "quality_heart": 0.5 if window % 2 else 1.0}
        yield Point(Measurement.READING, own, {**shared, **heart}, time_ns)
        context = "on_call" if window < 360 else "wrap_up"
        judged = {**shared, "context": context, "quality": 0.75, "score": 1.0, "state": "as_usual"}
        yield Point(Measurement.SCORE, tags, judged, time_ns)
        level = {"log_rmssd_5min": 3.0 + AGENTS.index(agent) / 10, "run": run, "seq": window}
        yield Point(Measurement.FEATURE, tags, level, time_ns)
        at_ns = epoch_ns(end_of(window)) - 5_000_000_000
        for rr in rr_of(agent, window) if window < 120 else ():
            at_ns += round(rr * 1e6)
            beat = {"rr_ms": rr, "run": run, "seq": window}
            yield Point(Measurement.BEAT, own, beat, at_ns)


def answers_of(agent: str) -> Iterator[Point]:
    tags = {"site": SITE, "agent": agent}
    at = BEGIN + timedelta(minutes=20)
    report = {"kind": "reply", "action": "self_report", "effect": "recorded", "demanding": 7,
              "recovered": 2, "id": f"report{agent}"}  # fmt: skip
    yield Point(Measurement.DECISION, tags, report, point_time_ns(at, f"report{agent}"))
    alert_id = f"alert{agent}"
    for minute, event in ((25, "fire"), (35, "take"), (40, "resolve")):
        told = {"alert_id": alert_id, "kind": "personal", "event": event, "state": "firing"}
        when = BEGIN + timedelta(minutes=minute)
        yield Point(Measurement.TRANSITION, tags, told, point_time_ns(when, alert_id + event))
    for action, kind_, more in (
        ("talk", "decision", {"by": "ana", "note": "secret words", "alert_id": alert_id}),
        ("did_it_help", "reply", {"answer": True, "alert_id": alert_id}),
        ("viewed_person", "audit", {"by": "ana"}),
        ("erase", "request", {}),
    ):
        done = {"kind": kind_, "action": action, "effect": "applied", "id": action + agent, **more}
        when = BEGIN + timedelta(minutes=45)
        yield Point(Measurement.DECISION, tags, done, point_time_ns(when, action + agent))


STUDY = f"""
[study]
id = "small"
site = "{SITE}"
approved_by = "board 1"
start = {DAY.date()}
end = {DAY.date()}
covers = ["heart", "self_report", "alerts", "context"]
"""


def form(agent: str, **more: object) -> str:
    given = {"agent": f'"{agent}"', "version": '"1"', "at": "2026-01-01T00:00:00Z", **more}
    return "[[consent]]\n" + "".join(f"{k} = {v}\n" for k, v in given.items())


FORMS = "".join(form(agent) for agent in CONSENTED)
FORMS += form("withdrew", withdrawn_at="2026-01-02T00:00:00Z")
FORMS += form("later", at=LATER_AT.isoformat())


def fill(opened: Store) -> None:
    for agent in AGENTS:
        assert opened.write([*points_of(agent), *answers_of(agent)]).refused == []


@pytest.fixture(params=["embedded", pytest.param("influxdb", marks=ON_A_SERVER)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Return the small study's points in a file and on a real server."""
    if request.param == "embedded":
        opened = open_store(StoreSettings(path=str(tmp_path / "own.sqlite")))
    else:
        opened = open_store(request.getfixturevalue("any_influx"))
    fill(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an embedded store with the small study's points, to read only."""
    path = tmp_path_factory.mktemp("small") / "store.sqlite"
    opened = open_store(StoreSettings(path=str(path)))
    fill(opened)
    opened.close()
    return path


Make = Callable[..., Study]


@pytest.fixture
def make(small_file: Path, tmp_path: Path) -> Iterator[Make]:
    """Return a function that opens a study: of the small one's points, other file, other store."""
    opened: list[Study] = []

    def study(text: str = STUDY + FORMS, name: str = "small", store: Store | None = None) -> Study:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "study.toml").write_text(text, encoding="utf-8")
        own = store or open_store(StoreSettings(path=str(small_file)), read_only=True)
        opened.append(Study(read_study(folder), own, Ledger(tmp_path / "exports.jsonl")))
        return opened[-1]

    yield study
    for one in opened:
        one.close()


@pytest.fixture
def study(make: Make) -> Study:
    return make()


def shell(command: str, folder: Path) -> str:
    """Run one line as a new user would: the programs of this interpreter first."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "WELLBEING_RESEARCH_LEDGER": str(folder / "exports.jsonl"),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stderr}"
    assert not done.stderr, f"{command}: {done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Demo:
    """A demo that nobody has opened yet, to be copied."""

    command: str
    printed: str
    folder: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Return the demo as its command makes it; it takes seconds, so once for all processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    command = "wellbeing research demo lunch"
    said = folder / "said.txt"
    try:
        folder.mkdir()
    except FileExistsError:
        wait_until(said.is_file, 150, "the demo that another process makes")
    else:
        printed = io.StringIO()
        # In this process, which has the libraries that a new one would load for seconds.
        with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
            assert wellbeing.main(shlex.split(command)[1:]) == 0
        part = folder / "said.part"
        part.write_text(printed.getvalue(), encoding="utf-8")
        part.replace(said)
    return Demo(command, said.read_text(encoding="utf-8"), folder / "lunch")
