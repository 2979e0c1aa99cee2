"""Metrics and health: every stage has its number, nobody is named, and who asks waits for nobody."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from analytics.events import Arrival, Outputs
from analytics.store.gathered import Gathered
from analytics.store.points import Measurement, Point
from analytics.watching.figures import (
    Buckets,
    Counted,
    Distribution,
    Figures,
    SnapshotFigures,
    Tally,
)
from analytics.watching.health import BEHIND_S, COMMIT_WITHIN_S, LIVE_WITHIN_S, judge
from analytics.watching.metrics import COUNTERS, GAUGES, HISTOGRAMS, PREFIX, registry
from analytics.watching.observing import observed
from analytics.writing.report import StoreState
from sensors.errors import ConfigurationError
from tests.analytics.server_rig import SITE, reading
from tests.rig.process import free_port

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
DEPLOY = Path(__file__).parents[3] / "deploy" / "prometheus"


def figures(**changes: Any) -> Figures:
    """A server that is well, and of which every number differs."""
    now_s = time.monotonic()
    given: dict[str, Any] = {
        "site": SITE,
        "at": NOW,
        "ticked_s": now_s,
        "committed_s": now_s,
        "store": StoreState(written=70, refused=2),
        "counters": {
            "readings": 50, "messages": 5, "duplicates": 4, "late": 3, "refused.malformed": 2,
            "refused.unknown_agent": 1, "spool_dropped": 6, "set_aside_dropped": 7,
        },
        "missing": 8,
        "live_waiting": 9,
        "backlog_waiting": 10,
        "journal_rows": 11,
        "spooled_points": 12,
        "spooled_bytes": 13,
        "alerts": {("personal", "firing"): 14},
        "counted": Counted(
            steps=15,
            scored=16,
            step_s=Buckets((0.1, 1.0), (1, 2, 3), 4.5),
            lag_s=Buckets((0.1, 1.0), (4, 5, 6), 7.5),
            alert_events={("personal", "fire"): 17, ("personal", "hold"): 18},
            snapshot=SnapshotFigures(taken_s=now_s, held_up_s=0.1, took_s=0.5, size=19),
        ),
    }  # fmt: skip
    return Figures(**(given | changes))


def samples(told: Figures | None) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return what a scrape says: name to labels to value."""
    text = generate_latest(registry(lambda: told)).decode()
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {k: v for k, v in sample.labels.items() if k != "site"}
            found.setdefault(sample.name, {})[tuple(sorted(labels.items()))] = sample.value
    return found


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("received_total", {"kind": "window"}, 50),
        ("received_total", {"kind": "message"}, 5),
        ("refused_total", {"reason": "malformed"}, 2),
        ("refused_total", {"reason": "unknown_agent"}, 1),
        ("duplicates_total", {}, 4),
        ("late_windows_total", {}, 3),
        ("missing_windows", {}, 8),
        ("steps_total", {}, 15),
        ("windows_scored_total", {}, 16),
        ("waiting_windows", {"lane": "live"}, 9),
        ("waiting_windows", {"lane": "backlog"}, 10),
        ("journal_rows", {}, 11),
        ("spooled_points", {}, 12),
        ("spooled_bytes", {}, 13),
        ("points_written_total", {}, 70),
        ("points_refused_total", {}, 2),
        ("points_dropped_total", {}, 6),
        ("set_aside_dropped_total", {}, 7),
        ("store_trouble", {}, 0),
        ("broker_connected", {}, 1),
        ("alerts", {"kind": "personal", "state": "firing"}, 14),
        ("alert_events_total", {"kind": "personal", "event": "fire"}, 17),
        ("alert_events_total", {"kind": "personal", "event": "hold"}, 18),
        ("step_duration_seconds_bucket", {"le": "0.1"}, 1),
        ("step_duration_seconds_bucket", {"le": "+Inf"}, 6),
        ("step_duration_seconds_sum", {}, 4.5),
        ("lag_seconds_bucket", {"le": "1.0"}, 9),
        ("lag_seconds_count", {}, 15),
        ("snapshot_bytes", {}, 19),
        ("snapshot_pause_seconds", {}, 0.1),
        ("live", {}, 1),
        ("ready", {}, 1),
    ],
)
def test_every_stage_has_its_number(name: str, labels: dict[str, str], value: float) -> None:
    assert samples(figures())[PREFIX + name][tuple(sorted(labels.items()))] == value


def test_troubles_show_in_the_metrics() -> None:
    store = StoreState(trouble="no InfluxDB at ...", catching_up=True)
    found = samples(figures(store=store, broker_trouble="no MQTT broker", behind_s=99.0))
    assert found[PREFIX + "store_trouble"][()] == 1
    assert found[PREFIX + "store_catching_up"][()] == 1
    assert found[PREFIX + "store_behind_seconds"][()] == 99
    assert found[PREFIX + "broker_connected"][()] == 0
    assert found[PREFIX + "ready"][()] == 0


def test_before_the_first_round_there_is_nothing_to_say() -> None:
    assert not [name for name in samples(None) if name.startswith(PREFIX)]
    young = figures(counted=Counted())
    assert PREFIX + "snapshot_age_seconds" not in samples(young), "no snapshot, no age"


def test_no_label_is_about_a_person() -> None:
    """An administrator sees no personal signals (T17): no label names or counts one agent."""
    for name, _, labels, _ in (*COUNTERS, *GAUGES):
        assert set(labels) <= {"kind", "reason", "lane", "state", "event"}, name


def fired(kind: str) -> Outputs:
    fields = {"kind": kind, "event": "fire"}
    return Outputs(points=Gathered([Point(Measurement.TRANSITION, {"site": SITE}, fields, 1)]))


@pytest.mark.parametrize("enough", [True, False])
def test_a_site_smaller_than_the_smallest_group_tells_no_count_of_people(enough: bool) -> None:
    tally = Tally(tell_personal=enough)
    for kind in ("personal", "technical"):
        tally.stepped([], fired(kind), 0.0, 0.001)
    told = {kind for kind, _ in tally.frozen().alert_events}
    assert told == ({"personal", "technical"} if enough else {"technical"})


def test_the_lag_is_that_of_live_windows_by_the_servers_clock() -> None:
    tally = Tally()
    ends = [NOW - timedelta(seconds=s) for s in (0.2, 3.0, 400.0)]
    arrivals = [Arrival(n, NOW, "k1", reading(n, window_end_at=end)) for n, end in enumerate(ends)]
    ahead = reading(9, window_end_at=NOW + timedelta(seconds=60), clock_offset_ms=-60_500.0)
    tally.stepped([*arrivals, Arrival(9, NOW, "k1", ahead)], Outputs(), NOW.timestamp(), 0.02)
    counted = tally.frozen()
    assert counted.scored == 4
    assert sum(counted.lag_s.counts) == 3, "what came late is no lag of ours"
    assert counted.lag_s.total == pytest.approx(0.2 + 3.0 + 0.5)


def test_a_bound_belongs_to_its_bucket_and_nothing_is_below_zero() -> None:
    found = Distribution((0.1, 1.0))
    found.add([0.1, 0.5, 1.0, 2.0, -3.0])
    assert found.frozen() == Buckets((0.1, 1.0), (2, 2, 1), pytest.approx(3.6))
    assert found.frozen().cumulated() == [(0.1, 2), (1.0, 4), (float("inf"), 5)]


def test_the_store_is_behind_while_points_wait_and_none_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr("analytics.watching.figures.time.monotonic", lambda: clock[0])
    tally = Tally()
    assert tally.behind_s(10, 5) == 0
    clock[0] += 70
    assert tally.behind_s(10, 5) == 70
    assert tally.behind_s(11, 5) == 0, "it takes again"
    clock[0] += 70
    assert tally.behind_s(11, 0) == 0, "nothing waits"


@pytest.mark.parametrize(
    ("changes", "later_s", "live", "ready", "words"),
    [
        pytest.param({}, 0.0, True, True, "", id="well"),
        pytest.param({}, LIVE_WITHIN_S + 1, False, False, "stood still", id="hangs"),
        pytest.param({}, COMMIT_WITHIN_S + 1, True, False, "check the disk", id="disk hangs"),
        pytest.param({"broker_trouble": "no MQTT broker"}, 0.0, True, False, "MQTT", id="broker"),
        pytest.param({"behind_s": BEHIND_S + 1}, 0.0, True, False, "12 points wait", id="store"),
    ],
)
def test_health_says_what_is_wrong(
    changes: dict[str, Any], later_s: float, live: bool, ready: bool, words: str
) -> None:
    found = judge(figures(**changes), time.monotonic() + later_s)
    assert (found.live, found.ready) == (live, ready)
    assert words in "; ".join(found.troubles)


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_is_answered_over_http_while_the_loop_hangs() -> None:
    port = free_port()
    newest: list[Figures | None] = [None]
    with observed("127.0.0.1", port, lambda: newest[0]):
        assert fetch(port, "/health")[0] == 200, "starting is no reason to be killed"
        assert fetch(port, "/ready")[0] == 503
        newest[0] = figures()
        assert fetch(port, "/ready")[0] == 200
        assert PREFIX + "received_total" in fetch(port, "/metrics")[1]
        assert fetch(port, "/agents")[0] == 404
        newest[0] = figures(ticked_s=time.monotonic() - 1_000)
        status, body = fetch(port, "/health")
        assert status == 503
        assert "restart it" in json.loads(body)["troubles"][0]
        with pytest.raises(ConfigurationError, match=r"metrics_port \d+: .*free"):
            observed("127.0.0.1", port, lambda: None).__enter__()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30)


@pytest.mark.parametrize("host", ["a" * 70, "a..b"])
def test_a_host_that_is_none_is_named(host: str) -> None:
    with pytest.raises(ConfigurationError, match="metrics_host"):
        observed(host, free_port(), lambda: None).__enter__()


# What stands in deploy/ for operators.


def exported() -> set[str]:
    names = {PREFIX + "info", "up"}
    names |= {f"{PREFIX}{name}_total" for name, *_ in COUNTERS}
    names |= {PREFIX + name for name, *_ in GAUGES}
    return names | {
        f"{PREFIX}{name}_{part}" for name, *_ in HISTOGRAMS for part in ("bucket", "sum", "count")
    }


def metrics_in(expression: str) -> set[str]:
    """Return the metrics of a PromQL expression: its words that are no labels, functions, numbers."""
    bare = re.sub(
        r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"|\b(?:by|on|ignoring)\s*\([^)]*\)", "", expression
    )
    words = set(re.findall(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()", bare))
    return words - {"and", "or", "unless", "by", "bool", "s", "m", "h", "e"}


def test_every_metric_of_the_alerting_rules_exists() -> None:
    rules = yaml.safe_load((DEPLOY / "rules.yml").read_text())
    names = set()
    for group in rules["groups"]:
        for rule in group["rules"]:
            found = metrics_in(rule["expr"])
            assert found, rule
            assert found <= exported(), found - exported()
            assert rule["annotations"]["summary"]
            assert rule["annotations"]["do"], "every alert says what to do"
            names.add(rule["alert"])
    assert len(names) == sum(len(group["rules"]) for group in rules["groups"])


def test_every_metric_of_the_grafana_dashboard_exists_and_every_one_of_ours_is_shown() -> None:
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    shown = set()
    for panel in board["panels"]:
        for target in panel["targets"]:
            shown |= metrics_in(target["expr"].replace("$__rate_interval", "1m"))
    assert shown <= exported(), shown - exported()
    ours = {name for name in exported() if not name.endswith(("_sum", "_count"))} - {"up"}
    assert ours <= shown, ours - shown


def test_the_scrape_configuration_names_a_path_that_is_answered() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert config["rule_files"] == ["rules.yml"]


def test_the_operators_page_names_every_metric_and_no_other() -> None:
    page = (Path(__file__).parents[3] / "analytics" / "OPERATIONS.md").read_text()
    named = set(re.findall(rf"`({PREFIX}\w+)", page))
    families = {f"{PREFIX}{name}" for name, *_ in HISTOGRAMS} | {PREFIX + "info"}
    families |= {f"{PREFIX}{name}_total" for name, *_ in COUNTERS}
    families |= {PREFIX + name for name, *_ in GAUGES}
    assert named == families
