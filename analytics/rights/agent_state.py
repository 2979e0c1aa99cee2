"""Taking one agent out of the pipeline's state. Pure: a snapshot in, a snapshot out.

The rest of the floor stays as it was, bit for bit. The agent's row becomes a
row that was never used, under a name that no agent can have; rows are not
moved, since everything else counts them.

What stays is what is about nobody: the site's prior (a median over the floor,
:mod:`analytics.scoring.site_prior`), team alerts (figures without names), and the
random ids by which messages that came once are recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from analytics.people.teams import Teams
from analytics.pipeline.mirror import Mirrors
from analytics.pipeline.summaries import Summaries
from analytics.scoring.floor import Floor
from analytics.state import snapshot
from sensors.errors import StateError

_LAST_AXIS = "detector."
"""Its arrays hold agents on their last axis; all others on their first."""


_OF_THE_SITE = "site"
"""So begin the names of figures of the whole site, which hold no row of anybody."""


@dataclass(slots=True)
class Forgotten:
    """What was taken out.

    Parameters
    ----------
    alert_ids : set of str
        Every alert about the agent that the state still knew.
    shown : set of str
        Those of them that stand on a retained topic.
    rows : int
        Rows of arrays: 1, or 0 if nothing was ever read from the agent.
    entries : int
        Entries of lists and tables: alerts, links, silences and the like.
    """

    alert_ids: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    rows: int = 0
    entries: int = 0


def forget(data: bytes, agent: str) -> tuple[bytes, Forgotten]:
    """Return the snapshot `data` without `agent`, and what was in it of theirs.

    Raises
    ------
    StateError
        If `data` is no snapshot that this version reads.
    """
    arrays, values = snapshot.unpack(data)
    found = Forgotten()
    try:
        _forget_values(values, agent, found)
        _forget_row(arrays, values, agent, found)
    except (KeyError, ValueError, IndexError) as error:
        raise StateError(
            f"snapshot is of another build of this program ({error!r}); start the server of this"
            " build once, then erase again"
        ) from error
    return snapshot.pack(arrays, values), found


def agents_in(data: bytes) -> list[str]:
    """Return who has a row in the snapshot `data`; none of a snapshot of another build.

    Raises
    ------
    StateError
        If `data` is no snapshot that this version reads.
    """
    _, values = snapshot.unpack(data)
    return [agent for agent in values.get("agents", ()) if not agent.startswith("#")]


def _forget_row(arrays: dict[str, NDArray[Any]], values: Any, agent: str, found: Forgotten) -> None:
    agents: list[str] = values["agents"]
    if agent not in agents:
        return
    row = agents.index(agent)
    # "#" is in no identity, so no agent is ever called that.
    agents[row] = f"#{row}"
    found.rows = 1
    blank = _never_used(values["site"], len(agents))
    for name, array in arrays.items():
        if not name.partition(".")[2].startswith(_OF_THE_SITE):
            mine: Any = (..., row) if name.startswith(_LAST_AXIS) else row
            new = blank[name][mine] if name in blank else None
            # An array of another build, in a restored backup: it is not read, only emptied.
            array[mine] = new if new is not None and new.shape == array[mine].shape else 0


def _never_used(site: str, count: int) -> Mapping[str, NDArray[Any]]:
    """Return the arrays of a floor whose `count` agents never gave anything."""
    floor = Floor(Teams([]))
    for number in range(count):
        floor.row(f"#{number}")
    parts = (floor, Mirrors(site, floor), Summaries(site, floor))
    return {name: array for part in parts for name, array in part.to_arrays().items()}


def _forget_values(values: Any, agent: str, found: Forgotten) -> None:
    _forget_alerts(values["book"], agent, found)
    ids = found.alert_ids
    for told in values["budget"].values():
        if isinstance(told, dict):
            found.entries += _drop(told, ids)
    found.entries += _drop(values["context"], {agent})
    found.entries += _drop(values.get("personal", {}), {agent})
    technical = values["technical"]
    kept = technical["kept"]
    kept["links"] = _without(kept["links"], lambda link: link["agent"] == agent, found)
    mine = {key for key in kept["raised"] if key.split("|", 1)[0] == agent}
    found.entries += _drop(kept["raised"], mine)
    technical["faulty"] = _without(technical["faulty"], lambda pair: pair[0] == agent, found)


def _forget_alerts(book: Any, agent: str, found: Forgotten) -> None:
    def is_theirs(alert: Any) -> bool:
        return bool(alert["message"]["agent"] == agent)

    for name in ("alerts", "closed"):
        found.alert_ids |= {a["message"]["alert_id"] for a in book[name] if is_theirs(a)}
        book[name] = _without(book[name], is_theirs, found)
    ids = found.alert_ids
    found.shown = ids & set(book["shown"])
    for name in ("shown", "unasked"):
        book[name] = [identity for identity in book[name] if identity not in ids]
    _drop(book["retired"], ids)
    _drop(book.get("answers", {}), ids)
    book["silences"] = _without(book["silences"], lambda s: s.get("agent") == agent, found)


def _drop(table: dict[str, Any], keys: set[str]) -> int:
    """Remove `keys` from `table`; return how many were there."""
    there = [key for key in table if key in keys]
    for key in there:
        del table[key]
    return len(there)


def _without(entries: list[Any], is_theirs: Callable[[Any], bool], found: Forgotten) -> list[Any]:
    kept = [entry for entry in entries if not is_theirs(entry)]
    found.entries += len(entries) - len(kept)
    return kept
