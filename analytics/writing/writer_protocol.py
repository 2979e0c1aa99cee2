"""What the server and its writer's process say to each other: one JSON object a line; pure.

Only orders, figures and words pass here. The points themselves lie in the
spool on disk, which both have open.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from analytics.store.settings import StoreSettings
from analytics.writing.report import StoreState
from sensors import codec, errors
from sensors.errors import StoreError, WellbeingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The first line to the writer: what it works on. It holds secrets, and goes nowhere else."""

    directory: str
    max_bytes: int
    store: dict[str, Any] = field(repr=False)

    def settings(self) -> StoreSettings:
        """Return how to open the store."""
        return StoreSettings(**self.store)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A later line to the writer: ``notify``, ``stop``, or ``erase`` with whom."""

    do: str
    id: int = 0
    site: str = ""
    agent: str = ""
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line from the writer.

    Parameters
    ----------
    state : StoreState or None
        How the store is, with `written_id` and `live_id`.
    log : str or None
        A line for the log, at `level`.
    answers : int or None
        Which erasure this answers: with `count`, or with `error`.
    error : Failure or None
        Without `answers`: why the writer ends, which only a person can mend.
    """

    state: StoreState | None = None
    written_id: int = 0
    live_id: int = 0
    log: str | None = None
    level: int = 0
    answers: int | None = None
    count: int = 0
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An error by its class and its words."""

    kind: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return `error` as it can be told; of a bug not its words, which may quote points."""
        if isinstance(error, WellbeingError):
            return cls(type(error).__name__, str(error))
        said = f"a bug of this program, please report it: {type(error).__name__}"
        return cls(StoreError.__name__, said)

    def error(self) -> WellbeingError:
        """Return the error again."""
        found = getattr(errors, self.kind, StoreError)
        kind = found if issubclass(found, WellbeingError) else StoreError
        return kind(self.text)


def begin(directory: str, store: StoreSettings, max_bytes: int) -> Begin:
    """Return the first line for a writer of the spool in `directory` into `store`."""
    return Begin(directory=directory, max_bytes=max_bytes, store=asdict(store))


def line(said: Begin | Order | Told) -> bytes:
    """Return `said` as one line."""
    return codec.dump_json(said) + b"\n"


def read_begin(data: bytes) -> Begin:
    """Return the first line to the writer; ValueError if it is none."""
    return codec.convert(codec.load_json(data), Begin)


def read_order(data: bytes) -> Order:
    """Return a later line to the writer; ValueError if it is none."""
    return codec.convert(codec.load_json(data), Order)


def read_told(data: bytes) -> Told:
    """Return a line from the writer; ValueError if it is none."""
    return codec.convert(codec.load_json(data), Told)
