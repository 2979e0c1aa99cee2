"""The tidy table: arrays here, a pandas, polars or Arrow one on the way out.

The only importer of pandas, polars and pyarrow.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sensors.errors import ConfigurationError, MissingExtraError

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Words = NDArray[np.object_]

Format = Literal["pandas", "polars", "arrow"]

NS_PER_MIN = 60_000_000_000
_MS = 1_000_000


@dataclass(slots=True)
class Tidy:
    """Values, one a row.

    Parameters
    ----------
    agent : ndarray of object, shape (n,)
        Pseudonym of the study.
    at_ns : ndarray of int64, shape (n,)
        UTC. [ns]
    offset_min : ndarray of float64, shape (n,)
        Local time minus UTC; NaN is unknown. [min]
    signal : ndarray of object, shape (n,)
    value : ndarray of float64, shape (n,)
    n : ndarray of int64, shape (n,)
        How many values (beats, for figures of beats) are in it.
    quality : ndarray of float64, shape (n,)
        0 to 1; NaN is unknown.
    context : ndarray of object, shape (n,)
        What telephony said; ``None`` is unknown.
    """

    agent: Words
    at_ns: Times
    offset_min: Floats
    signal: Words
    value: Floats
    n: Times
    quality: Floats
    context: Words

    def __len__(self) -> int:
        return len(self.at_ns)

    def take(self, rows: NDArray[Any]) -> Tidy:
        """Return the rows that a mask or an index chooses."""
        return Tidy(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def local_ns(self) -> Times:
        """Local wall time; NaT (the least number) where the offset is unknown, in ns."""
        known = np.isfinite(self.offset_min)
        shift = np.where(known, self.offset_min, 0).astype(np.int64) * NS_PER_MIN
        return np.where(known, self.at_ns + shift, np.iinfo(np.int64).min)

    def between_hours(self, begin_h: float, end_h: float) -> Tidy:
        """Return what lies between two local times of day; the end may be after midnight."""
        local = self.local_ns
        known = local != np.iinfo(np.int64).min
        hour = (local // _MS % 86_400_000) / 3_600_000
        if begin_h <= end_h:
            inside = (hour >= begin_h) & (hour < end_h)
        else:
            inside = (hour >= begin_h) | (hour < end_h)
        return self.take(known & inside)


def empty() -> Tidy:
    """Return a table without rows."""
    whole, real, words = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, object)
    return Tidy(words, whole, real, words, real, whole, real, words)


def words(value: str | None, n: int) -> Words:
    """Return `value` n times."""
    return np.full(n, value, dtype=object)


def stacked(parts: Sequence[Tidy]) -> Tidy:
    """Return the rows of all `parts`, one after the other."""
    every = (empty(), *parts)
    return Tidy(*(np.concatenate([getattr(p, f.name) for p in every]) for f in fields(Tidy)))


def joined(parts: Sequence[Tidy]) -> Tidy:
    """Return the rows of all `parts`, in order of agent, signal and time."""
    whole = stacked(parts)
    order = np.lexsort((whole.at_ns, whole.signal.astype(str), whole.agent.astype(str)))
    return whole.take(order)


COLUMNS: dict[str, str] = {
    "agent": "Pseudonym, of this study only.",
    "at": "When, in UTC, to the millisecond: end of the 5-second window, the beat's or the answer's own time; with a grid, begin of the stretch.",
    "local_at": "The same moment by the agent's own clock; missing where that is unknown.",
    "signal": "Name; see signals.",
    "value": "Value, in the signal's unit.",
    "n": "How many values the value is the mean of; beats, for figures of beats.",
    "quality": "How far the value can be trusted, 0 to 1; missing where unknown. Mean of the stretch.",
    "context": "What telephony said: on_call, wrap_up, ready, break, off; with a grid, most of the stretch. Missing where the form does not cover context.",
}  # fmt: skip
"""The columns of the frame, in order, with what they mean."""


def load(name: str) -> Any:
    """Return an optional library.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtraError(
            f"{name} is not installed; run: pip install 'agent-wellbeing[research]'"
        ) from None


def columns(table: Tidy) -> dict[str, NDArray[Any]]:
    """Return the columns of the frame; times as NumPy has them, without a zone."""
    return {
        "agent": table.agent,
        # To the millisecond: below it a point's time says which run it is of.
        "at": _times(table.at_ns),
        "local_at": _times(table.local_ns),
        "signal": table.signal,
        "value": table.value,
        "n": table.n,
        "quality": table.quality,
        "context": table.context,
    }


def _times(ns: Times) -> NDArray[Any]:
    nothing = np.iinfo(np.int64).min
    return np.where(ns == nothing, nothing, ns // _MS).astype("datetime64[ms]")


def arrow(found: dict[str, NDArray[Any]]) -> Any:
    """Return `found` as a pyarrow table: dictionaries for words, null for unknown."""
    pa = load("pyarrow")
    arrays: dict[str, Any] = {}
    for name, values in found.items():
        if values.dtype == object:
            # One type whatever is in it, so that the parts of an export agree.
            arrays[name] = pa.array(values.tolist(), pa.string())
        elif name == "at":
            arrays[name] = pa.array(values, pa.timestamp("ms")).cast(pa.timestamp("ms", "UTC"))
        else:
            arrays[name] = pa.array(values, from_pandas=True)
    return pa.table(arrays)


def frame(found: dict[str, NDArray[Any]], kind: Format) -> Any:
    """Return `found` as the frame that `kind` names.

    Raises
    ------
    ConfigurationError
        If there is no such kind.
    MissingExtraError
        If the library is not installed.
    """
    if kind == "arrow":
        return arrow(found)
    if kind == "polars":
        return load("polars").from_arrow(arrow(found))
    if kind == "pandas":
        pandas = load("pandas")
        made = pandas.DataFrame(found)
        if "at" in found:
            made["at"] = made["at"].dt.tz_localize("UTC")
        return made
    raise ConfigurationError(f"there is no frame {kind!r}; expected pandas, polars or arrow")
