"""What a study may see: which signals, whose, of which time. Whatever is not named is denied; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from analytics.research import asked
from analytics.research.catalogue import VARIABLES, Variable, variable
from analytics.research.pseudonyms import Pseudonyms
from analytics.research.study_file import Grant, StudyFile
from sensors.errors import ConfigurationError

Moment = str | date | datetime | None


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one study.

    Parameters
    ----------
    file : StudyFile
    names : Pseudonyms
    """

    file: StudyFile
    names: Pseudonyms

    def need_consent(self) -> None:
        """Refuse unless somebody takes part.

        Raises
        ------
        ConfigurationError
            If nobody consented, or everybody withdrew.
        """
        if self.file.grants:
            return
        gone = len(self.file.withdrawn)
        why = f"; {gone} withdrew" if gone else ""
        raise ConfigurationError(
            f"nobody has consented to study {self.file.study.id}{why}: add a [[consent]] for each "
            f"signed form to study.toml in {self.file.folder}"
        )

    def covered(self) -> tuple[Variable, ...]:
        """Return every signal that the study covers."""
        return tuple(v for v in VARIABLES.values() if v.cover in self.file.study.covers)

    def signal(self, name: str) -> Variable:
        """Return the signal called `name`.

        Raises
        ------
        ConfigurationError
            If there is none, or the study does not cover it.
        """
        found = variable(name)
        if found.cover not in self.file.study.covers:
            raise ConfigurationError(
                f"study {self.file.study.id} does not cover {found.cover}, so not {name}; "
                "add it to covers in study.toml if the forms do"
            )
        return found

    def everybody(self) -> dict[str, str]:
        """Return pseudonym to agent, by pseudonym: their order tells nothing."""
        return dict(sorted((self.names.of(agent), agent) for agent in self.file.grants))

    def grants(self, pseudonyms: Sequence[str] | None) -> list[Grant]:
        """Return the grants of those asked for, ``None`` for all.

        Raises
        ------
        ConfigurationError
            If one is not in the study.
        """
        known = self.everybody()
        chosen = known if pseudonyms is None else dict.fromkeys(pseudonyms)
        for one in chosen:
            if one not in known:
                raise ConfigurationError(
                    f"nobody in study {self.file.study.id} is called {one!r}; "
                    "wellbeing research agents lists them"
                )
        return [self.file.grants[known[one]] for one in chosen]

    def range(self, start: Moment, end: Moment) -> tuple[datetime, datetime]:
        """Return what is left of the study's time.

        Raises
        ------
        ConfigurationError
            If the end is not after the start.
        """
        table = self.file.study
        first, last = asked.moment(table.start), asked.moment(table.end, is_end=True)
        begin = first if start is None else asked.moment(start)
        until = last if end is None else asked.moment(end, is_end=True)
        if until <= begin:
            raise ConfigurationError(
                f"end {until:%Y-%m-%d %H:%M} is not after start {begin:%Y-%m-%d %H:%M} UTC; "
                f"the study is from {table.start} to {table.end}"
            )
        return max(begin, first), min(until, last)


def cut(grants: Sequence[Grant], start_at: datetime, end_at: datetime) -> Iterator[Grant]:
    """Yield what is left of the grants between two moments."""
    for grant in grants:
        since, until = max(grant.start_at, start_at), min(grant.end_at, end_at)
        if since < until:
            yield replace(grant, start_at=since, end_at=until)
