"""The server's figures as Prometheus metrics; every name and meaning stands in one table.

A registry of our own: importing this changes nothing in anybody's process.
What is scraped is what the loop published last, at most a second old.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from analytics.scoring.detector import DETECTOR_VERSION
from analytics.watching.figures import Buckets, Figures
from analytics.watching.health import judge

PREFIX = "wellbeing_server_"

_Samples = list[tuple[tuple[str, ...], float]]
"""Values of the labels, and the value."""

_Row = tuple[str, str, tuple[str, ...], Callable[[Figures], _Samples]]
"""Name, meaning, labels, what it is."""


def _one(get: Callable[[Figures], float]) -> Callable[[Figures], _Samples]:
    return lambda figures: [((), float(get(figures)))]


def _count(name: str) -> Callable[[Figures], _Samples]:
    return _one(lambda figures: figures.counters.get(name, 0))


def _refused(figures: Figures) -> _Samples:
    start = "refused."
    return [
        ((name.removeprefix(start),), float(count))
        for name, count in sorted(figures.counters.items())
        if name.startswith(start)
    ]


def _age(figures: Figures) -> _Samples:
    taken_s = figures.counted.snapshot.taken_s
    # Before the first snapshot there is no age: a number would be wrong.
    return [] if taken_s is None else [((), time.monotonic() - taken_s)]


COUNTERS: tuple[_Row, ...] = (
    (
        "received",
        "Messages taken into the journal.",
        ("kind",),
        lambda f: [
            (("window",), float(f.counters.get("readings", 0))),
            (("message",), float(f.counters.get("messages", 0))),
        ],
    ),
    ("refused", "Messages set aside, by reason.", ("reason",), _refused),
    ("duplicates", "Messages that came again and were not kept.", (), _count("duplicates")),
    ("late_windows", "Windows that came over 15 s after their end.", (), _count("late")),
    (
        "set_aside_dropped",
        "Set-aside messages dropped beyond the bound.",
        (),
        _count("set_aside_dropped"),
    ),
    ("steps", "Steps of the pipeline.", (), _one(lambda f: f.counted.steps)),
    ("windows_scored", "Windows the pipeline took.", (), _one(lambda f: f.counted.scored)),
    ("points_written", "Points the store took.", (), _one(lambda f: f.store.written)),
    ("points_refused", "Points the store refused.", (), _one(lambda f: f.store.refused)),
    (
        "points_dropped",
        "Points dropped from a full spool before the store had confirmed them.",
        (),
        _count("spool_dropped"),
    ),
    (
        "messages_dropped",
        "Messages to agents dropped, since too many waited for a broker that was away.",
        (),
        _count("publications_dropped"),
    ),
    (
        "writer_restarts",
        "How often the process that writes into the store died and was started again.",
        (),
        _one(lambda f: f.store.restarts),
    ),
    (
        "alert_events",
        "What happened to alerts: fire tells supervisors, hold waits for room.",
        ("kind", "event"),
        lambda f: [(key, float(count)) for key, count in sorted(f.counted.alert_events.items())],
    ),
)

GAUGES: tuple[_Row, ...] = (
    (
        "missing_windows",
        "Windows that their sender says are gone for good.",
        (),
        _one(lambda f: f.missing),
    ),
    (
        "waiting_windows",
        "Windows in the journal that wait to be scored.",
        ("lane",),
        lambda f: [
            (("live",), float(f.live_waiting)),
            (("backlog",), float(f.backlog_waiting)),
        ],
    ),
    (
        "journal_rows",
        "Positions between the oldest and the newest row of the journal.",
        (),
        _one(lambda f: f.journal_rows),
    ),
    (
        "spooled_points",
        "Points that wait on disk for the store.",
        (),
        _one(lambda f: f.spooled_points),
    ),
    ("spooled_bytes", "Their size on disk.", (), _one(lambda f: f.spooled_bytes)),
    (
        "store_held_points",
        "Points the store refuses in words nobody knows, tried again beside the others.",
        (),
        _one(lambda f: f.store.held),
    ),
    (
        "store_trouble",
        "1 while the store cannot be written.",
        (),
        _one(lambda f: bool(f.store.trouble)),
    ),
    (
        "store_catching_up",
        "1 while points of an earlier time are still being written.",
        (),
        _one(lambda f: f.store.catching_up),
    ),
    (
        "store_behind_seconds",
        "How long points have waited while the store took none.",
        (),
        _one(lambda f: f.behind_s),
    ),
    (
        "broker_connected",
        "1 while connected to the broker.",
        (),
        _one(lambda f: not f.broker_trouble),
    ),
    (
        "alerts",
        "Alerts that stand on the dashboards now.",
        ("kind", "state"),
        lambda f: [(key, float(count)) for key, count in sorted(f.alerts.items())],
    ),
    (
        "tick_age_seconds",
        "Time since the loop last went round.",
        (),
        _one(lambda f: time.monotonic() - f.ticked_s),
    ),
    ("snapshot_age_seconds", "Time since the newest snapshot was complete.", (), _age),
    (
        "snapshot_duration_seconds",
        "How long the newest snapshot took until it was on the disk.",
        (),
        _one(lambda f: f.counted.snapshot.took_s),
    ),
    (
        "snapshot_pause_seconds",
        "How long scoring stood still for it.",
        (),
        _one(lambda f: f.counted.snapshot.held_up_s),
    ),
    ("snapshot_bytes", "Its size.", (), _one(lambda f: f.counted.snapshot.size)),
    (
        "live",
        "1 if /health says so.",
        (),
        _one(lambda f: judge(f, time.monotonic()).live),
    ),
    (
        "ready",
        "1 if /ready says so.",
        (),
        _one(lambda f: judge(f, time.monotonic()).ready),
    ),
)

HISTOGRAMS: tuple[tuple[str, str, Callable[[Figures], Buckets]], ...] = (
    ("step_duration_seconds", "How long a step of the pipeline took.", lambda f: f.counted.step_s),
    (
        "lag_seconds",
        "From the end of a live window until it was scored.",
        lambda f: f.counted.lag_s,
    ),
)


class ServerCollector(Collector):
    """Turns the newest figures into metrics.

    Parameters
    ----------
    newest : callable
        Returns what the loop published last; ``None`` while it starts.
    """

    def __init__(self, newest: Callable[[], Figures | None]) -> None:
        self._newest = newest

    def collect(self) -> Iterable[Metric]:
        """Yield every metric; nothing before the server has started."""
        figures = self._newest()
        return [] if figures is None else list(_families(figures))

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: what there is depends on what has happened."""
        return []


def _families(figures: Figures) -> Iterator[Metric]:
    site = figures.site
    info = InfoMetricFamily(PREFIX.removesuffix("_"), "What runs here.", labels=["site"])
    told = {"version": version("agent-wellbeing"), "detector_version": DETECTOR_VERSION}
    info.add_metric([site], told)
    yield info
    for rows, family in ((COUNTERS, CounterMetricFamily), (GAUGES, GaugeMetricFamily)):
        for name, meaning, labels, samples in rows:
            metric = family(PREFIX + name, meaning, labels=["site", *labels])
            for values, value in samples(figures):
                metric.add_metric([site, *values], value)
            yield metric
    for name, meaning, get in HISTOGRAMS:
        found = get(figures)
        histogram = HistogramMetricFamily(PREFIX + name, meaning, labels=["site"])
        buckets = [(_bound(upper), float(count)) for upper, count in found.cumulated()]
        histogram.add_metric([site], buckets, sum_value=found.total)
        yield histogram


def _bound(upper: float) -> str:
    return "+Inf" if upper == float("inf") else repr(upper)


def registry(newest: Callable[[], Figures | None]) -> CollectorRegistry:
    """Return a registry with the server's metrics and those of its process."""
    made = CollectorRegistry(auto_describe=False)
    made.register(ServerCollector(newest))
    ProcessCollector(registry=made)
    return made
