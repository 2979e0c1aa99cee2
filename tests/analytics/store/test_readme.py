"""The researcher's page: every field in it exists, every query in it runs and is right."""

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
from zlib import crc32

import numpy as np
import pytest

import wellbeing
from analytics.alerts.alerting import Event
from analytics.signals.features import FEATURES
from analytics.store.admission import KINDS, plain_value
from analytics.store.influx import InfluxStore
from analytics.store.opening import open_store
from analytics.store.points import Measurement, Point
from analytics.store.settings import StoreSettings
from sensors.messages import (
    Absence,
    Action,
    AlertKind,
    AlertState,
    AuditKind,
    ContextState,
    Outcome,
    ReplyKind,
    RequestKind,
)
from sensors.signals import SIGNALS, Reduction
from tests.analytics.store import every_field
from tests.analytics.store.study import LOST, OFFSET_MIN, TAKEN_AFTER_S, lived
from tests.analytics.synthetic_floor import START, Floor
from tests.rig import Influxd
from tests.rig.influx import (
    ON_A_SERVER,
    databases_on_the_server_given,
    fresh_name,
    given,
)

PAGE = (Path(__file__).parents[3] / "analytics/store/README.md").read_text(encoding="utf-8")


# What the page says.


def _section(title: str) -> str:
    """Return what stands below the heading `title`, up to the next of its rank or above."""
    level = title.split(" ", maxsplit=1)[0]
    below = PAGE.split(f"\n{title}\n", 1)[1]
    return re.split(rf"\n#{{2,{len(level)}}} ", below, maxsplit=1)[0]


def _documented(measurement: Measurement) -> dict[str, tuple[str, str, str]]:
    """Return type, unit and meaning of each field in the table of `measurement`."""
    rows = re.findall(
        r"^\| ((?:`\w+` ?)+)\| (\w+) \| (\S+(?: \S+)?) \| (.+) \|$",
        _section(f"## {measurement}"),
        re.MULTILINE,
    )
    return {name: tuple(row[1:]) for row in rows for name in re.findall(r"\w+", row[0])}


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


QUERIES = re.findall(r"^### (.+)$", _section("## Queries"), re.MULTILINE)


@pytest.mark.parametrize("measurement", Measurement)
def test_the_page_has_every_field_that_is_written_with_its_type_and_no_other(
    measurement: Measurement,
) -> None:
    written: dict[str, str] = {}
    for point in (*every_field.windows(), *every_field.events()):
        if point.measurement is measurement:
            for name, value in point.fields.items():
                kind = KINDS[type(plain_value(name, value))]
                assert written.setdefault(name, kind) == kind, f"{name} changes its type"
    documented = _documented(measurement)
    assert {name: row[0] for name, row in documented.items()} == written


def test_signals_and_features_stand_there_in_the_words_of_their_tables() -> None:
    reading = _documented(Measurement.READING)
    for signal in SIGNALS.values():
        if signal.reduction is not Reduction.ALL:
            assert reading[signal.name] == ("float", signal.unit, signal.meaning)
    feature = _documented(Measurement.FEATURE)
    assert [feature[f.name][1] for f in FEATURES] == [f.unit for f in FEATURES]


WORDS: dict[tuple[Measurement, str], set[str]] = {
    (Measurement.READING, "absent_heart"): set(Absence),
    (Measurement.SCORE, "context"): set(ContextState),
    (Measurement.TRANSITION, "kind"): set(AlertKind),
    (Measurement.TRANSITION, "event"): set(Event) - {Event.UPDATE},
    (Measurement.TRANSITION, "state"): {*AlertState, "gone"},
    (Measurement.DECISION, "action"): {*Action, *ReplyKind, *RequestKind, *AuditKind},
    (Measurement.DECISION, "outcome"): set(Outcome),
}


@pytest.mark.parametrize(("measurement", "field"), WORDS)
def test_the_page_lists_every_word_that_a_field_can_hold(
    measurement: Measurement, field: str
) -> None:
    meaning = _documented(measurement)[field][2]
    assert set(re.findall(r"`(\w+)`", meaning)) == WORDS[measurement, field]


def test_every_measurement_stands_beside_its_database_and_retention() -> None:
    settings = StoreSettings()
    days = {"raw": settings.raw_days, "derived": settings.derived_days}
    for measurement in Measurement:
        name = measurement.database
        (row,) = re.findall(rf"^\| .*`{measurement}`.*$", _section("## Where it is"), re.MULTILINE)
        assert f"`{settings.database}`, `{name}` | `{settings.database}/{name}`" in row
        assert row.endswith(f"| {days[name]} days |")


def test_a_point_stands_at_its_own_time_and_identity_as_the_page_says() -> None:
    assert "plus `crc32(run) mod 1000000` nanoseconds" in PAGE
    for point in (*every_field.windows(), *every_field.events()):
        named = point.fields
        if point.measurement is Measurement.SUMMARY:
            assert point.time_ns % 60_000_000_000 < 1_000_000, "the begin of its minute"
            continue
        identity = {
            Measurement.TRANSITION: f"{named.get('alert_id')}{named.get('event')}",
            Measurement.DECISION: named.get("id"),
        }.get(point.measurement, named.get("run"))
        whole = point.time_ns - crc32(str(identity).encode()) % 1_000_000
        since_ns = whole - int(START.timestamp()) * 1_000_000_000
        assert since_ns % 1_000_000 == 0, "what is left is a whole number of milliseconds"
        if point.measurement in {Measurement.READING, Measurement.FEATURE, Measurement.SCORE}:
            assert since_ns == 5_000_000_000 * int(named["seq"])


# The queries, on a real server.


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
        section = _section(f"### {title}")
        (query,) = _blocks(section, "sql")
        rows = self.names["frame"](self.here(query))
        code = _blocks(section, "python")
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
        exec(_blocks(_section("## From a query to a data frame"), "python")[0], names)
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
        assert told <= set(re.findall(r"`(\w+)`", _documented(measurement)[field][2]))
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
    section = _section("## Without a server")
    (command,) = _blocks(section, "sh")
    program, *arguments, redirect, target = shlex.split(command)
    assert (program, redirect) == ("wellbeing", ">")
    assert wellbeing.main(arguments) == 0
    Path(target).write_text(capsys.readouterr().out, encoding="utf-8")
    preamble = _blocks(_section("## From a query to a data frame"), "python")[0]
    names: dict[str, Any] = {}
    exec(preamble + _blocks(section, "python")[0], names)
    told = [p for p in floor.of(Measurement.READING) if p.tags["agent"] == "k1"]
    result = names["result"]
    assert result["fields.hr_bpm"].tolist() == [p.fields["hr_bpm"] for p in told]
    assert result["time_ns"].tolist() == [p.time_ns for p in told]
    assert result["time"].iloc[-1] <= datetime.now(UTC)
    assert json.loads(Path(target).read_text(encoding="utf-8").splitlines()[0])["tags"]
