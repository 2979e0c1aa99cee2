"""Alerts, decisions, replies and requests of those who consented, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.research import asked
from analytics.research.catalogue import SLOW_LOOK_BACK, Cover
from analytics.research.pseudonyms import Pseudonyms
from analytics.research.slices import Slice, SliceReader
from analytics.research.study_file import Grant
from analytics.research.table import NS_PER_MIN
from analytics.store.base import Query, Row, Store
from analytics.store.points import Measurement

COLUMNS: dict[str, str] = {
    "event_id": "Number of the row; the same question gives the same numbers.",
    "agent": "Pseudonym, of this study only.",
    "at": "When, in UTC.",
    "local_at": "The same moment by the agent's own clock; missing where that is unknown.",
    "kind": "alert: what the server told; decision, reply, request: what a person did.",
    "alert_kind": "personal, request or technical.",
    "event": "Of an alert what happened to it (fire, take, resolve, ...), else the action.",
    "alert": "Name of the alert in this study; all its rows carry it.",
    "state": "Of an alert: its state afterwards.",
    "effect": "Of what a person did: applied, recorded, or why it changed nothing.",
    "answer": "The agent's yes or no.",
    "outcome": "What followed a decision.",
    "quality": "Of an alert: quality of what it rests on, 0 to 1.",
}  # fmt: skip
"""The columns of the table, in order, with what they mean."""

_TRANSITION = ("alert_id", "kind", "event", "state", "quality")
_DECISION = ("alert_id", "alert_kind", "kind", "action", "effect", "answer", "outcome")
# An agent's wish for their data, and who looked at whom, are no matter of research.
_KINDS = frozenset({"decision", "reply", "request"})
_NOT = frozenset({"export", "erase", "self_report"})


class EventReader:
    """Reads the events of agents whose form covers alerts."""

    def __init__(self, store: Store, site: str, names: Pseudonyms, slices: SliceReader) -> None:
        self._store = store
        self._site = site
        self._names = names
        self._slices = slices

    def read(self, grants: Sequence[Grant]) -> dict[str, NDArray[Any]]:
        """Return the columns of the table, by time.

        Parameters
        ----------
        grants : sequence of Grant
            Cut to the time that is asked for.
        """
        found: list[dict[str, Any]] = []
        for grant in grants:
            if Cover.ALERTS in grant.covers:
                found += self._of(grant)
        found.sort(key=lambda event: (event["at_ns"], event["agent"], event["event"]))
        return _columns(found)

    def _of(self, grant: Grant) -> list[dict[str, Any]]:
        events = [
            *map(self._told, self._rows(grant, Measurement.TRANSITION, _TRANSITION)),
            *filter(None, map(self._done, self._rows(grant, Measurement.DECISION, _DECISION))),
        ]
        offsets = self._offsets(grant, [event["at_ns"] for event in events])
        for event, offset in zip(events, offsets, strict=True):
            event |= {"agent": self._names.of(grant.agent), "offset_min": offset}
        return events

    def _rows(self, grant: Grant, measurement: Measurement, fields: Sequence[str]) -> list[Row]:
        query = Query(
            measurement=measurement,
            site=self._site,
            fields=tuple(fields),
            agents=(grant.agent,),
            # An alert rests on evidence, which looks back.
            start_at=grant.begins(SLOW_LOOK_BACK),
            end_at=grant.end_at,
        )
        return self._store.read(query)

    def _told(self, row: Row) -> dict[str, Any]:
        values = row.fields
        return {
            "at_ns": row.time_ns,
            "kind": "alert",
            "alert_kind": values.get("kind"),
            "event": values.get("event"),
            "alert": self._alert(row),
            "state": values.get("state"),
            "quality": values.get("quality"),
        }

    def _done(self, row: Row) -> dict[str, Any] | None:
        values = row.fields
        if values.get("kind") not in _KINDS or values.get("action") in _NOT:
            return None
        return {
            "at_ns": row.time_ns,
            "kind": values["kind"],
            "alert_kind": values.get("alert_kind"),
            "event": values.get("action"),
            "alert": self._alert(row),
            "effect": values.get("effect"),
            "answer": values.get("answer"),
            "outcome": values.get("outcome"),
        }

    def _alert(self, row: Row) -> str | None:
        alert_id = row.fields.get("alert_id")
        return None if alert_id is None else self._names.of_alert(str(alert_id))

    def _offsets(self, grant: Grant, at_ns: Sequence[int]) -> Iterator[float]:
        times = np.array(at_ns, dtype=np.int64)
        offset = np.full(len(times), np.nan)
        days = times // (1440 * NS_PER_MIN)
        for day in np.unique(days):
            begin = datetime.fromtimestamp(int(day) * 86_400, UTC)
            piece = Slice(
                grant, max(begin, grant.start_at), min(begin + timedelta(days=1), grant.end_at)
            )
            mine = days == day
            offset[mine] = self._slices.timeline(piece).offset(times[mine])
        return iter(offset.tolist())


def _columns(found: Sequence[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    at_ms = np.array([e["at_ns"] // 1_000_000 for e in found], dtype="datetime64[ms]")
    offset = np.array([e["offset_min"] for e in found], dtype=float)
    known = np.isfinite(offset)
    shift = np.where(known, offset, 0).astype("timedelta64[m]")
    local = np.where(known, at_ms + shift, np.datetime64("NaT", "ms"))
    columns: dict[str, NDArray[Any]] = {
        "event_id": np.arange(len(found)),
        "agent": _words(found, "agent"),
        "at": at_ms,
        "local_at": local.astype("datetime64[ms]"),
    }
    for name in ("kind", "alert_kind", "event", "alert", "state", "effect", "answer", "outcome"):
        columns[name] = _words(found, name)
    columns["quality"] = np.array(
        [np.nan if e.get("quality") is None else e["quality"] for e in found], dtype=float
    )
    return columns


def _words(found: Sequence[dict[str, Any]], name: str) -> NDArray[Any]:
    column = np.full(len(found), None, dtype=object)
    for at, event in enumerate(found):
        value = event.get(name)
        column[at] = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
    return column


def event_rows(events: Any) -> Iterator[tuple[int, str, datetime]]:
    """Yield number, agent and time of the rows of a pandas, polars or Arrow table."""
    wanted = [np.asarray(events[name]) for name in ("event_id", "agent", "at")]
    for number, agent, at in zip(*wanted, strict=True):
        stamp = np.datetime64(at, "ms") if not hasattr(at, "to_datetime64") else at.to_datetime64()
        yield int(number), str(agent), asked.moment(stamp.astype("datetime64[ms]").item())
