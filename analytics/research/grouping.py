"""Figures about a study's groups, by the rule of :mod:`analytics.store.groups` (TRUST T16)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from analytics.research.catalogue import Variable
from analytics.research.source import Source
from analytics.store.base import Row
from analytics.store.groups import GRID, Blocks, GroupQuery, ask, cells, figures, pin
from analytics.store.points import epoch_ns
from sensors import codec
from sensors.errors import ConfigurationError, StateError

RECORD_NAME = "groups.json"


@dataclass(frozen=True, slots=True)
class Pinned:
    """Groups of which figures may be given: agents of the site, and their names."""

    blocks: Blocks


def pinned(
    folder: Path,
    groups: Mapping[str, Sequence[str]] | None,
    everybody: Mapping[str, str],
    smallest: int,
) -> Pinned:
    """Return the groups of a study, and keep that they were asked for.

    Parameters
    ----------
    folder : Path
        The study's; ``groups.json`` in it holds pseudonyms only.
    groups : mapping or None
        Name to pseudonyms; ``None`` takes those asked for before, else everybody.
    everybody : mapping
        Pseudonym to agent.
    smallest : int

    Raises
    ------
    ConfigurationError
        If they overlap, differ from those asked for before, or hold somebody
        who is not in the study.
    """
    before = _recorded(folder / RECORD_NAME)
    named: Mapping[str, Iterable[str]] = {"everybody": everybody} if groups is None else groups
    if groups is None and before is not None:
        named = before.members
    asked = Blocks({name: frozenset(members) for name, members in named.items()}, smallest)
    chosen = pin(before, asked)
    strangers = sorted(frozenset().union(*asked.members.values()) - everybody.keys())
    if strangers:
        raise ConfigurationError(
            f"{strangers[0]} is not, or no more, in the study; figures about the others of their "
            "group could tell what was theirs: earlier figures stand, no further ones are given"
        )
    _record(folder / RECORD_NAME, chosen)
    by_agent = {n: frozenset(everybody[p] for p in m) for n, m in asked.members.items()}
    return Pinned(Blocks(by_agent, smallest))


def _recorded(path: Path) -> Blocks | None:
    try:
        kept = codec.load_json(path.read_bytes())
        return Blocks({n: frozenset(m) for n, m in kept["groups"].items()}, int(kept["smallest"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StateError(
            f"{path} is damaged: which groups were asked for is unknown; restore it from a backup"
        ) from None


def _record(path: Path, blocks: Blocks) -> None:
    kept = {
        "smallest": blocks.smallest,
        "groups": {name: sorted(members) for name, members in blocks.members.items()},
    }
    fresh = path.with_suffix(".new")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(codec.dump_json(kept))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}; no figure was given") from None


def means(source: Source, groups: Pinned, one: Variable, every: timedelta) -> dict[str, Any]:
    """Return the figures of each group in each stretch."""
    rows: list[tuple[str, int, float, int]] = []
    found = cells(groups.blocks, _rows(source, groups.blocks, one), one.field)
    for name in groups.blocks.askable:
        rows += [(name, f.begin_ns, f.mean, f.fewest_people) for f in figures(found, [name], every)]
    group = np.full(len(rows), None, dtype=object)
    group[:] = [row[0] for row in rows]
    return {
        "group": group,
        "at": np.array([row[1] // 1_000_000 for row in rows], dtype="datetime64[ms]"),
        "signal": np.array([one.name] * len(rows), dtype=object),
        "mean": np.array([row[2] for row in rows], dtype=float),
        "fewest_people": np.array([row[3] for row in rows], dtype=np.int64),
    }


def _rows(source: Source, blocks: Blocks, one: Variable) -> list[Row]:
    """Return the sums of everybody's cells that their consent covers as a whole."""
    grants = {g.agent: g for g in source.grants if one.cover in g.covers}
    if not grants:
        return []
    question = ask(
        blocks,
        GroupQuery(
            measurement=one.measurement,
            site=source.site,
            field=one.field,
            start_at=_on_grid(min(g.start_at for g in grants.values())),
            end_at=_on_grid(max(g.end_at for g in grants.values())),
        ),
    )
    if question is None:
        return []
    grid_ns = GRID // timedelta(microseconds=1) * 1_000
    return [
        row
        for row in source.store.read(question)
        if (grant := grants.get(row.tags.get("agent", ""))) is not None
        and epoch_ns(grant.begins(one.look_back)) <= row.time_ns <= epoch_ns(grant.end_at) - grid_ns
    ]


def _on_grid(at: datetime) -> datetime:
    step_s = int(GRID.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // step_s * step_s, UTC)
