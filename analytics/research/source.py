"""The store as one study may ask it: by those who consented, each for their own time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.research.pseudonyms import Pseudonyms
from analytics.research.study_file import Grant
from analytics.store.base import Aggregate, Query, Store
from analytics.store.points import Measurement

_COUNT = (Aggregate.COUNT,)


@dataclass(frozen=True, slots=True)
class Source:
    """Where to look, and of whom."""

    store: Store
    site: str
    grants: tuple[Grant, ...]
    names: Pseudonyms

    def by_pseudonym(self) -> list[tuple[str, Grant]]:
        """Return the grants by pseudonym: another order would tell who is who."""
        return sorted((self.names.of(grant.agent), grant) for grant in self.grants)

    def query(self, grant: Grant, measurement: Measurement, fields: Sequence[str]) -> Query:
        """Return the question for all values of a person."""
        return Query(
            measurement=measurement,
            site=self.site,
            fields=tuple(fields),
            agents=(grant.agent,),
            start_at=grant.start_at,
            end_at=grant.end_at,
        )

    def counts(self, grant: Grant, measurement: Measurement, fields: Sequence[str]) -> Counter[str]:
        """Return how many values of each field a person has."""
        asked = self.query(grant, measurement, fields)
        found: Counter[str] = Counter()
        counted = Query(
            measurement=measurement, site=self.site, fields=asked.fields, agents=asked.agents,
            start_at=asked.start_at, end_at=asked.end_at, aggregates=_COUNT,
        )  # fmt: skip
        for row in self.store.read(counted):
            for field in asked.fields:
                found[field] += int(row.fields.get(Aggregate.COUNT.column(field), 0))
        return found
