"""What a store holds at all: its sites, and how far back each goes. For copying a store whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from analytics.store.base import Query, Store
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement

if TYPE_CHECKING:
    from analytics.store.influx import InfluxStore


def sites(store: Store, measurement: Measurement) -> list[str]:
    """Return the sites that have points of `measurement`."""
    if isinstance(store, EmbeddedStore):
        return store.sites(measurement)
    # A heavy client, only if it is used: named here for the types alone.
    return cast("InfluxStore", store).sites(measurement)


def ends_ns(store: Store, measurement: Measurement, site: str) -> tuple[int, int] | None:
    """Return the times of the oldest and the newest point of a site, if there is one. [ns]."""
    newest = store.read(Query(measurement=measurement, site=site, limit=1))
    if not newest:
        return None
    if isinstance(store, EmbeddedStore):
        oldest = store.oldest_ns(measurement, site)
    else:
        oldest = cast("InfluxStore", store).oldest_ns(measurement, site)
    return oldest, newest[-1].time_ns
