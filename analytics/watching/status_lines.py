"""The server's status for people: one fact a line, then what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from analytics.watching.health import BEHIND_S
from analytics.watching.status import ServerStatus

STALE_S = 30.0
"""The server says how it is every second; silent for so long, it does not run or hangs. [s]"""

_FACT = 14
_REFUSALS = {
    "unknown_agent": "add them to teams.toml and restart the server",
    "schema_version": "upgrade the server first, then the edges",
    "malformed": "what is set aside below says who sends it",
    "out_of_range": "what is set aside below says who sends it",
    "fault": "a bug of this program: report the line that begins with 'a bug' in the log",
}
"""Refusals that somebody can do something about, and what."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong, and what to do about it."""

    what: str
    remedy: str


def troubles(status: ServerStatus) -> list[Trouble]:
    """Return what is wrong, the worst first."""
    service = status.service
    if not service:
        return [Trouble("no step yet", "look again in a moment, or at the server's log")]
    return [*_of_the_process(status), *_of_the_store(status), *_of_the_input(status)]


def _of_the_process(status: ServerStatus) -> Iterator[Trouble]:
    service, lag_s = status.service, status.lag_s or 0.0
    if service["broker"] == "stopped":
        yield Trouble("the server was stopped", "start it: wellbeing detect")
    elif lag_s > STALE_S:
        yield Trouble(
            f"its last step was {lag_s:.0f} s ago: it has died, or hangs",
            f"look at its log; if process {service['pid']} is there, restart it",
        )
    elif service["broker"] != "connected":
        yield Trouble(service["broker"], "edges keep their windows for 72 h; nothing is scored")


def _of_the_store(status: ServerStatus) -> Iterator[Trouble]:
    store = status.service["store"]
    if store["trouble"]:
        yield Trouble(store["trouble"], "wellbeing store check; points wait on disk")
    elif status.service.get("behind_s", 0.0) > BEHIND_S:
        yield Trouble("the store answers and takes nothing", "wellbeing store check")
    if store["refused"]:
        yield Trouble(
            f"the store refused {store['refused']} points", "wellbeing store set-aside list"
        )
    if store.get("doubt"):
        yield Trouble(store["doubt"], "set the clock; if it is right: [store] trust_clock = true")
    if store.get("held"):
        yield Trouble(
            f"the store refuses {store['held']} points in words nobody knows: {store['last_refusal']}",
            "what is not taken soon is set aside: wellbeing store set-aside list",
        )
    dropped = status.counters.get("spool_dropped", 0)
    if dropped:
        yield Trouble(
            f"{dropped} points were dropped from a full spool before the store had them",
            "raise [server] spool_mb",
        )
    unheard = status.counters.get("publications_dropped", 0)
    if unheard:
        yield Trouble(
            f"{unheard} messages to agents were dropped: the broker was away for too long",
            "keep the broker running",
        )


def _of_the_input(status: ServerStatus) -> Iterator[Trouble]:
    for refusal, remedy in _REFUSALS.items():
        count = status.counters.get(f"refused.{refusal}", 0)
        if count:
            yield Trouble(f"{count} messages refused: {refusal}", remedy)


def as_plain(status: ServerStatus) -> dict[str, Any]:
    """Return `status` with its troubles, for programs."""
    return {**asdict(status), "troubles": troubles(status)}


def as_lines(status: ServerStatus) -> list[str]:
    """Return `status` for people, one fact a line."""
    if not status.service:
        return ["the server has not run a step yet"]
    lines = [f"{name:<{_FACT}}{text}" for name, text in _facts(status)]
    for one in troubles(status):
        lines += [f"{'trouble':<{_FACT}}{one.what}", f"{'  do':<{_FACT}}{one.remedy}"]
    lines += [
        f"set aside     {one.received_at.isoformat()} {one.topic}: {one.refusal}: {one.detail}"
        for one in status.set_aside
    ]
    lines += [
        f"gap           {run.agent}/{run.source} run {run.run}: windows {first} to {last}"
        for run in status.runs
        for first, last in run.gaps
    ]
    return lines


def _facts(status: ServerStatus) -> Iterator[tuple[str, str]]:
    service, counts = status.service, status.counters
    store = service["store"]
    start = "refused."
    refused = {
        name.removeprefix(start): count for name, count in counts.items() if name.startswith(start)
    }
    twice = counts.get("duplicates", 0)
    windows, others = counts.get("readings", 0), counts.get("messages", 0)
    yield (
        "last step",
        f"{service['at']} ({status.lag_s:.1f} s ago, process {service['pid']})",
    )
    yield "broker", service["broker"]
    yield "received", f"{windows} windows, {others} other messages; {twice} came twice"
    yield "late", f"{counts.get('late', 0)} windows; {service['missing']} gone for good"
    yield "refused", _listed(refused)
    yield "waiting", f"{service['live_waiting']} live, {service['backlog_waiting']} late windows"
    yield from _pace(service)
    yield (
        "store",
        (
            f"{store['trouble'] or 'answers'}; {store['written']} points written,"
            f" {store['refused']} refused"
            + (f"; its writer died {store['restarts']} times" if store.get("restarts") else "")
        ),
    )
    dropped = counts.get("spool_dropped", 0)
    behind = ", catching up" if store.get("catching_up") else ""
    yield "spool", f"{status.spool_points} points wait{behind}; {dropped} dropped"
    yield "alerts", _listed(service["alerts"])
    if store["last_refusal"]:
        yield "store refused", store["last_refusal"]


def _pace(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield how fast it is, as far as it was said: an older server did not."""
    if service.get("step_ms") is not None:
        lag_ms = service.get("lag_ms")
        lag = f"; a live window waits {lag_ms:.0f} ms" if lag_ms is not None else ""
        yield "pace", f"{service['scored']} windows scored, {service['step_ms']:.1f} ms a step{lag}"
    snapshot = service.get("snapshot")
    if snapshot and snapshot["bytes"]:
        yield (
            "snapshot",
            (
                f"{snapshot['bytes'] / 1e6:.1f} MB in {snapshot['took_s']:.2f} s;"
                f" scoring stood still for {snapshot['held_up_s']:.3f} s"
            ),
        )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
