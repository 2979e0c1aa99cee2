"""Named arrays with one row per agent: they grow, start blank and survive a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Ring:
    """What one array holds for each agent.

    Parameters
    ----------
    shape : tuple of int
        Of one agent's row.
    dtype : str
    blank : float
        What it holds before anything is known.
    """

    shape: tuple[int, ...]
    dtype: str
    blank: float


class Rings:
    """The arrays of a table of :class:`Ring`, by name.

    Parameters
    ----------
    table : mapping of str to Ring
    """

    def __init__(self, table: Mapping[str, Ring]) -> None:
        self._table = dict(table)
        self._n = 0
        self._arrays: dict[str, NDArray[Any]] = {
            name: np.zeros((0, *ring.shape), ring.dtype) for name, ring in self._table.items()
        }

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def ensure(self, n_rows: int) -> None:
        """Make room for agents 0 to n_rows - 1; never shrinks."""
        have = len(next(iter(self._arrays.values())))
        if n_rows > have:
            room = max(n_rows, have + have // 4)
            for name, ring in self._table.items():
                new = np.full((room, *ring.shape), ring.blank, dtype=ring.dtype)
                new[:have] = self._arrays[name]
                self._arrays[name] = new
        self._n = max(self._n, n_rows)

    def forget(self, rows: Rows) -> None:
        """Begin again with `rows`."""
        for name, ring in self._table.items():
            self._arrays[name][rows] = ring.blank

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the whole state."""
        return {name: array[: self._n].copy() for name, array in self._arrays.items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become the state of :meth:`to_arrays`, bit for bit.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        self._arrays = {name: arrays[name].copy() for name in self._table}
        self._n = len(next(iter(self._arrays.values())))
