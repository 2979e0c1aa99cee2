"""Whether anybody of a name is known here: a mistyped pseudonym must not pass for one with no data."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from analytics.journal.steps import StepLog
from analytics.people.teams import Teams, load_teams
from analytics.research.ledger import exports_of
from analytics.rights.agent_state import agents_in
from analytics.rights.purge import Purge
from analytics.state.state_file import FILE_NAME, open_for_reading, state_errors
from analytics.store.base import Query, Store
from analytics.store.points import Measurement
from sensors.errors import ConfigurationError, StateError, StoreError

_TABLES = ("consent", "sequences", "rights", "tombstone", "journal")
"""Tables of the state with a column of agents."""

_OF_ERASED = ("rights", "tombstone")
"""Tables that keep whom an erasure was about: known, but nobody to be suggested."""

_NEAR = 3
_SIMILAR = 0.5  # k71 is as near to k17 as 0.67, and as far from m42 as 0


def require_known(
    agent: str,
    *,
    site: str,
    directory: Path,
    teams: Path | None,
    ledger: Path,
    open_store: Callable[[], Store],
    remedy: str = "",
) -> None:
    """Refuse `agent` if nobody of that name is in teams, state, store or ledger of exports.

    Parameters
    ----------
    agent, site : str
    directory : Path
        Of the server's state.
    teams : Path or None
        The teams file, if one is named.
    ledger : Path
        Of exports for research.
    open_store : callable
        Opens the store; only asked for who is known nowhere else.
    remedy : str
        What to do if the name is right all the same.

    Raises
    ------
    StateError
        If nobody of that name is known; names who is, and nearly so.
    ConfigurationError
        If the teams file cannot be read.
    StoreError
        If only the store could tell and it does not answer.
    """
    named = _in_teams(teams)
    known, there, held = _in_state(directory, agent)
    if agent in named | known or held or exports_of(agent, site=site, ledger=ledger):
        return
    if _in_store(agent, site, open_store, remedy):
        return
    near = difflib.get_close_matches(agent, sorted(named | there), _NEAR, _SIMILAR)
    did_you_mean = f"; did you mean {' or '.join(near)}?" if near else ""
    raise StateError(
        f"nobody called {agent!r} is known at site {site}: not in teams, consents, messages,"
        f" store or exports{did_you_mean}{remedy}"
    )


def _in_teams(path: Path | None) -> set[str]:
    if path is None:
        return set()
    try:
        teams: Teams = load_teams(path)
    except ConfigurationError:
        if path.exists():
            raise
        return set()  # the server's teams file may have gone with the server
    return {agent for version in teams.versions for agent in version.agents}


def _in_state(directory: Path, agent: str) -> tuple[set[str], set[str], bool]:
    """Return whose names the state holds, whose data, and whether any row is about `agent`."""
    path = directory / FILE_NAME
    db = open_for_reading(directory)
    try:
        with state_errors(path):
            found = {table: set(_agents_of(db, table)) for table in _TABLES}
            there = set(_scored(StepLog(db, path)))
            there.update(*(found[table] for table in _TABLES if table not in _OF_ERASED))
            known = there.union(*found.values())
            held = agent not in known and any(Purge(db, agent).count().values())
            return known, there, held
    finally:
        db.close()


def _agents_of(db: sqlite3.Connection, table: str) -> Iterable[str]:
    rows = db.execute(f"SELECT DISTINCT agent FROM {table} WHERE agent IS NOT NULL")  # noqa: S608
    return [str(name) for (name,) in rows]


def _scored(steps: StepLog) -> Collection[str]:
    """Return who has a row in the pipeline's state, those erased aside."""
    snapshot = steps.snapshot()
    return () if snapshot is None else agents_in(snapshot.data)


def _in_store(agent: str, site: str, open_store: Callable[[], Store], remedy: str) -> bool:
    try:
        store = open_store()
        try:
            held = (Query(measurement=m, site=site, agents=(agent,)) for m in Measurement)
            return any(store.count(query) for query in held)
        finally:
            store.close()
    except StoreError as error:
        raise StoreError(
            f"{agent!r} is in neither teams nor state, and the store cannot be asked: {error}{remedy}"
        ) from None
