"""The researcher's page: every query in it runs on a real server and is right."""

import json
import re
import shlex
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wellbeing
from analytics.store.influx import InfluxStore
from analytics.store.opening import open_store
from analytics.store.points import Measurement, Point
from analytics.store.settings import StoreSettings
from tests.analytics.store.page import blocks, documented, section
from tests.analytics.store.study import LOST, OFFSET_MIN, TAKEN_AFTER_S, lived
from tests.analytics.synthetic_floor import Floor
from tests.rig import Influxd
from tests.rig.influx import (
    ON_A_SERVER,
    databases_on_the_server_given,
    fresh_name,
    given,
)

QUERIES = re.findall(r"^### (.+)$", section("## Queries"), re.MULTILINE)


@dataclass(frozen=True)
class Study:
    """What was written, and the page's own way of asking for it."""

    floor: Floor
    database: str
    names: dict[str, Any]

    def run(self, text: str, **names: Any) -> dict[str, Any]:
        """Execute Python of the page."""
        found = {**self.names, **names}
        exec(self.here(text), found)
        return found

    def here(self, text: str) -> str:
        return text.replace('"wellbeing"', f'"{self.database}"')

    def ask(self, title: str) -> Any:
        """Return what the page's section gives: its `result`, or the rows of its query."""
        part = section(f"### {title}")
        (query,) = blocks(part, "sql")
        rows = self.names["frame"](self.here(query))
        code = blocks(part, "python")
        return self.run(code[0], rows=rows)["result"] if code else rows

    def values(self, measurement: Measurement, agent: str, field: str) -> list[Any]:
        """Return what the pipeline told, past the store."""
        return [
            p.fields[field]
            for p in self.floor.of(measurement)
            if p.tags.get("agent") == agent and field in p.fields
        ]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """Return a study on a server of its own, or on the one that the environment names."""
    with _server(tmp_path_factory) as settings, pytest.MonkeyPatch.context() as patch:
        if settings.ca_file:
            patch.setenv("SSL_CERT_FILE", settings.ca_file)  # as the page says
        floor = lived()
        _write_twice(settings, floor.points)
        names: dict[str, Any] = {}
        exec(blocks(section("## From a query to a data frame"), "python")[0], names)
        names["URL"] = settings.url
        names["HEADERS"].update(_credentials(settings))
        yield Study(floor, settings.database, names)


@contextmanager
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    if given("URL"):
        with databases_on_the_server_given() as settings:
            yield settings
        return
    server = Influxd(tmp_path_factory.mktemp("study"))
    try:
        server.start()
        yield StoreSettings(kind="influxdb", url=server.url, database=fresh_name())
    finally:
        server.stop()


def _credentials(settings: StoreSettings) -> dict[str, str]:
    if settings.token:
        return {"Authorization": f"Token {settings.token}"}
    if not settings.username:
        return {}
    pair = f"{settings.username}:{settings.password}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def _write_twice(settings: StoreSettings, points: list[Point]) -> None:
    """Fill a store; told twice, since the page says that this changes nothing."""
    store = InfluxStore(settings)
    if not given("URL"):
        store.prepare()
    for _ in range(2):
        assert store.write(points).refused == []
    store.close()


def _heart_rate(study: Study, rows: Any) -> None:
    told = study.values(Measurement.READING, "k1", "hr_bpm")
    assert list(rows.columns) == ["time", "hr_bpm", "quality"]
    assert len(rows) >= 15
    assert min(told) <= rows["hr_bpm"].min() < 75
    assert 90 < rows["hr_bpm"].max() <= max(told)
    assert rows["quality"].tolist() == pytest.approx([0.95] * len(rows))
    assert str(rows["time"].dt.tz) == "UTC"


def _rmssd(study: Study, rows: Any) -> None:
    for agent in ("k0", "k1", "k2", "k3"):
        told = study.values(Measurement.FEATURE, agent, "log_rmssd")
        own = rows[rows["agent"] == agent]
        assert own["windows"].sum() == len(told) > 0
        weighted = np.average(np.log(own["rmssd_ms"]), weights=own["windows"])
        assert weighted == pytest.approx(np.mean(told))
    assert rows["rmssd_ms"].between(1, 300).all()


def _no_data(study: Study, rows: Any) -> None:
    assert len(rows) == 4
    for _, row in rows.iterrows():
        told = [p for p in study.floor.of(Measurement.SCORE) if p.tags["agent"] == row["agent"]]
        unknown = [p.fields["state"] for p in told if "evidence" not in p.fields]
        assert set(unknown) <= {"no_data", "fault", "learning"}
        assert row["windows"] == len(told)
        assert row["judged"] == len(told) - len(unknown)
        assert row["no_data"] == pytest.approx(len(unknown) / len(told))
    shares = rows.set_index("agent")["no_data"]
    assert shares["k2"] > shares["k0"] + 0.1, "k2 had the headset off for five minutes"


def _coverage(study: Study, rows: Any) -> None:
    told = study.floor.of(Measurement.READING)
    assert list(rows.columns) == ["time", "windows", "heart", "keyboard", "modules"]
    assert rows["windows"].sum() == len(told)
    assert rows["heart"].sum() == sum("hr_bpm" in p.fields for p in told) < len(told)
    assert (rows["heart"] == rows["keyboard"]).all()


def _gaps(study: Study, rows: Any) -> None:
    del study
    assert dict(zip(rows["agent"], rows["missing"], strict=True)) == {
        "k0": 0, "k1": 0, "k2": 0, "k3": LOST,
    }  # fmt: skip
    assert set(rows["run"]) == {"run00001"}
    assert set(rows["source"]) == {"pc"}


def _delay(study: Study, rows: Any) -> None:
    del study
    assert rows["agent"].tolist() == ["k1"]
    assert rows["delay"].dt.total_seconds().tolist() == pytest.approx([TAKEN_AFTER_S], abs=0.01)


def _decisions(study: Study, rows: Any) -> None:
    del study
    assert rows.to_dict() == {
        ("personal", "take"): 1,
        ("personal", "talk"): 1,
        ("personal", "outcome"): 1,
        ("request", "take"): 1,
        ("request", "offer_break"): 1,
    }


def _time_of_day(study: Study, rows: Any) -> None:
    told: dict[int, list[Any]] = {}
    for point in study.floor.of(Measurement.READING):
        if point.tags["agent"] == "k0":
            at = datetime.fromtimestamp(point.time_ns / 1e9, UTC) + timedelta(minutes=OFFSET_MIN)
            told.setdefault(at.hour, []).append(point.fields["hr_bpm"])
    means = {hour: np.mean(values) for hour, values in told.items()}
    assert rows["k0"].to_dict() == pytest.approx(means)


def _local_days(study: Study, rows: Any) -> None:
    assert set(rows["agent"]) == {"k0", "k1", "k2", "k3"}
    local = rows["time"] + timedelta(minutes=OFFSET_MIN)
    assert (local.dt.normalize() == local).all(), "days begin at midnight in Mumbai"
    for agent, own in rows.groupby("agent"):
        told = study.values(Measurement.READING, agent, "hr_bpm")
        assert own["windows"].sum() == len(told)
        assert own["lowest"].min() == min(told)
        assert own["highest"].max() == max(told)


def _variability_by_hour(study: Study, rows: Any) -> None:
    for agent in ("k0", "k1", "k3"):
        told = study.values(Measurement.FEATURE, agent, "log_rmssd_5min")
        own = rows.loc[agent]
        assert own["size"].sum() == len(told) > 0
        assert np.average(own["mean"], weights=own["size"]) == pytest.approx(np.mean(told))
    first = min(p.time_ns for p in study.floor.of(Measurement.FEATURE)) / 1e9
    begin = datetime.fromtimestamp(first, UTC) + timedelta(minutes=OFFSET_MIN)
    hours = {(begin + timedelta(minutes=m)).hour for m in (0, 15, 30)}
    assert set(rows.index.get_level_values(1)) <= hours, "hours are those of Mumbai"


def _self_reports(study: Study, rows: Any) -> None:
    assert rows["agent"].tolist() == ["k1", "k0"]
    assert rows["demanding"].tolist() == [8, 3]
    assert rows["recovered"].tolist() == [2, 7]
    assert rows["score"].iloc[0] > rows["score"].iloc[1], "k1 was strained"
    assert rows["score"].iloc[1] <= max(study.values(Measurement.SCORE, "k0", "score"))


CHECKS: dict[str, Callable[[Study, Any], None]] = {
    "Heart rate of one agent, minute by minute": _heart_rate,
    "RMSSD of every agent in stretches of ten minutes": _rmssd,
    "Share of windows without data, per agent": _no_data,
    "Coverage: how many windows of the floor hold which channel": _coverage,
    "Windows that never arrived, by run": _gaps,
    "Alerts, and how long it took until somebody took them": _delay,
    "Decisions by kind": _decisions,
    "Heart rate by the agent's own time of day": _time_of_day,
    "Days of people five and a half hours ahead of UTC": _local_days,
    "RMSSD by the agent's own hour, longer than readings are kept": _variability_by_hour,
    "Self-reports, and how different the minutes before were": _self_reports,
}


@ON_A_SERVER
@pytest.mark.parametrize("title", QUERIES)
def test_every_query_of_the_page_gives_what_was_told(study: Study, title: str) -> None:
    CHECKS[title](study, study.ask(title))


@ON_A_SERVER
def test_states_effects_and_late_windows_are_those_the_page_speaks_of(study: Study) -> None:
    for measurement, field in ((Measurement.SCORE, "state"), (Measurement.DECISION, "effect")):
        told = {p.fields[field] for p in study.floor.of(measurement) if field in p.fields}
        assert len(told) >= 3
        assert told <= set(re.findall(r"`(\w+)`", documented(measurement)[field][2]))
    late = [p for p in study.floor.of(Measurement.SCORE) if p.fields["late"]]
    assert [(p.tags["agent"], p.fields["state"]) for p in late] == [("k3", "no_data")]
    assert not any("evidence" in p.fields for p in late)


@ON_A_SERVER
def test_a_query_that_the_server_refuses_says_why(study: Study) -> None:
    with pytest.raises(
        ValueError, match=r"(error parsing|failed to parse) query|in InfluxQL statement"
    ):
        study.names["frame"]("SELEKT 1")
    nothing = study.names["frame"](study.here('SELECT "x" FROM "wellbeing"."raw"."reading"'))
    assert nothing.empty


def test_without_a_server_the_command_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WELLBEING_STORE_PATH", str(tmp_path / "store.sqlite"))
    floor = lived()
    store = open_store(StoreSettings(path=str(tmp_path / "store.sqlite")))
    assert store.write(floor.points).refused == []
    store.close()
    part = section("## Without a server")
    (command,) = blocks(part, "sh")
    program, *arguments, redirect, target = shlex.split(command)
    assert (program, redirect) == ("wellbeing", ">")
    assert wellbeing.main(arguments) == 0
    Path(target).write_text(capsys.readouterr().out, encoding="utf-8")
    preamble = blocks(section("## From a query to a data frame"), "python")[0]
    names: dict[str, Any] = {}
    exec(preamble + blocks(part, "python")[0], names)
    told = [p for p in floor.of(Measurement.READING) if p.tags["agent"] == "k1"]
    result = names["result"]
    assert result["fields.hr_bpm"].tolist() == [p.fields["hr_bpm"] for p in told]
    assert result["time_ns"].tolist() == [p.time_ns for p in told]
    assert result["time"].iloc[-1] <= datetime.now(UTC)
    assert json.loads(Path(target).read_text(encoding="utf-8").splitlines()[0])["tags"]
