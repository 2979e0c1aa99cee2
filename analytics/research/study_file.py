"""``study.toml``: what a study may see, of whom, since when; whatever it does not name is denied.

The record of research consent (TRUST T17). Consent to research is given to
one study, on a form that whoever approved the study has seen, to a person who
is not the employer's supervisor; so it is no channel of the edge but a file
that the study's operator keeps from the signed forms. It only ever narrows:
a channel that an agent does not consent to at the edge was never recorded.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from analytics.research.catalogue import LOOK_BACK, Cover
from analytics.store.groups import SMALLEST
from analytics.store.settings import StoreSettings
from sensors.checks import check_identity
from sensors.config import section
from sensors.errors import ConfigurationError

FILE_NAME = "study.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """``[[consent]]``: one person's signed form.

    Parameters
    ----------
    agent : str
        Pseudonym at the site.
    version : str
        Version of the form.
    at : datetime
        When it was signed.
    covers : tuple of Cover
        Narrower than the study's, if given.
    covers_from : datetime or None
        If the form covers what was measured before it was signed.
    withdrawn_at : datetime or None
        Once this is there, nothing of the person is given any more.
    """

    agent: str
    version: str
    at: datetime
    covers: tuple[Cover, ...] = ()
    covers_from: datetime | None = None
    withdrawn_at: datetime | None = None

    def __post_init__(self) -> None:
        check_identity("agent", self.agent)
        if not self.version:
            raise ConfigurationError(
                f"[consent] version of {self.agent} is empty; expected the form's version"
            )
        for key in ("at", "covers_from", "withdrawn_at"):
            value = getattr(self, key)
            if value is not None and value.tzinfo is None:
                raise ConfigurationError(
                    f"[consent] {key} of {self.agent} is {value}; expected a time with an offset, "
                    "like 2026-01-31T09:00:00Z"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTable:
    """``[study]``: what was approved.

    Parameters
    ----------
    id : str
        Names the study in pseudonyms' key, ledger and exports.
    site : str
    approved_by : str
        Who approved it, and under which number.
    start, end : date
        First and last day, in UTC.
    covers : tuple of Cover
        What it may see.
    title : str
    smallest_group : int
        5 or more.
    """

    id: str
    site: str
    approved_by: str
    start: date
    end: date
    covers: tuple[Cover, ...]
    title: str = ""
    smallest_group: int = SMALLEST

    def __post_init__(self) -> None:
        check_identity("id", self.id)
        check_identity("site", self.site)
        if not self.approved_by.strip():
            raise ConfigurationError("[study] approved_by is empty; expected who approved it")
        if self.end < self.start:
            raise ConfigurationError(
                f"[study] end is {self.end}; expected {self.start} (start) or later"
            )
        if not self.covers:
            raise ConfigurationError(
                f"[study] covers is empty; expected some of {', '.join(Cover)}"
            )
        if self.smallest_group < SMALLEST:
            raise ConfigurationError(
                f"[study] smallest_group is {self.smallest_group}; expected {SMALLEST} or more"
            )


@dataclass(frozen=True, slots=True)
class Grant:
    """What one person's consent opens: some covers, from a time until another.

    `since` is what the form covers from; what looks back begins later.
    """

    agent: str
    version: str
    covers: frozenset[Cover]
    start_at: datetime
    end_at: datetime
    since: datetime

    def begins(self, look_back: timedelta) -> datetime:
        """Return from when on is given what looks so far back."""
        return max(self.start_at, self.since + look_back)


@dataclass(frozen=True, slots=True)
class StudyFile:
    """A study's file, read and checked."""

    folder: Path
    study: StudyTable
    grants: Mapping[str, Grant]
    """By agent; nobody who is not in it is ever read."""
    withdrawn: tuple[str, ...]
    store: StoreSettings | None
    """``[store]`` of the file, if it names one of its own."""


def read_study(path: Path) -> StudyFile:
    """Return the study at `path`, a folder or its ``study.toml``.

    Raises
    ------
    ConfigurationError
        Naming file, table, key, value and what was expected.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"no study at {file}; wellbeing research new FOLDER writes one to fill in, "
            "wellbeing research demo FOLDER one with simulated people"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}") from None
    try:
        return _checked(file, tables)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}") from None


def _checked(file: Path, tables: dict[str, Any]) -> StudyFile:
    unknown = sorted(tables.keys() - {"study", "consent", "store"})
    if unknown:
        raise ConfigurationError(
            f"unknown table [{unknown[0]}]; expected [study], [[consent]] and, if need be, [store]"
        )
    for name in ("study", "store"):
        if not isinstance(tables.get(name, {}), dict):
            raise ConfigurationError(f"{name} is no table; expected [{name}]")
    study = section(tables, "study", StudyTable, environ={})
    entries = tables.get("consent", [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise ConfigurationError("consent is no list; expected one [[consent]] for each person")
    forms = [section({"consent": e}, "consent", Given, environ={}) for e in entries]
    store = None
    if "store" in tables:
        own = dict(tables["store"])
        if own.get("path") and isinstance(
            own["path"], str
        ):  # beside the file, so that the folder can be moved
            own["path"] = str(file.parent / own["path"])
        store = section({"store": own}, "store", StoreSettings)
    grants, withdrawn = _grants(study, forms)
    return StudyFile(file.parent, study, grants, withdrawn, store)


def _grants(study: StudyTable, forms: Sequence[Given]) -> tuple[dict[str, Grant], tuple[str, ...]]:
    """Return what the newest form of each person opens, and who withdrew."""
    newest: dict[str, Given] = {}
    for form in sorted(forms, key=lambda f: f.at):
        before = newest.get(form.agent)
        if before is not None and before.at == form.at:
            raise ConfigurationError(f"[consent] {form.agent} signed twice at {form.at}; keep one")
        newest[form.agent] = form
    # Also where it stands beside an older form: not signed again since, it counts.
    withdrew = {
        f.agent for f in forms
        if f.withdrawn_at is not None
        and (f is newest[f.agent] or f.withdrawn_at >= newest[f.agent].at)
    }  # fmt: skip
    start_at = datetime.combine(study.start, time(), UTC)
    end_at = datetime.combine(study.end + timedelta(days=1), time(), UTC)
    covered = frozenset(study.covers)
    grants: dict[str, Grant] = {}
    for agent, form in sorted(newest.items()):
        if agent in withdrew:
            continue
        since = min(form.at, form.covers_from or form.at).astimezone(UTC)
        begin_at = max(since + LOOK_BACK, start_at)
        own = covered & frozenset(form.covers or study.covers)
        if own and begin_at < end_at:
            grants[agent] = Grant(agent, form.version, own, begin_at, end_at, since)
    return grants, tuple(sorted(withdrew))


TEMPLATE = """\
# What this study may see, of whom, since when. Whatever is not named here is denied.

[study]
id = "{id}"                      # in every export; the key of its pseudonyms lies beside this file
title = ""
site = "{site}"
approved_by = ""                 # who approved it and under which number; empty is refused
start = {start}
end = {end}                      # last day; both in UTC
covers = ["heart", "self_report"]  # some of: {covers}
                                   # context: what telephony said, so when they worked

# One for each signed form. An agent without one is never read.
# [[consent]]
# agent = "k7"                   # the pseudonym at the site
# version = "1"                  # of the form
# at = 2026-01-31T09:00:00Z      # nothing from before, unless the form covers it:
# covers_from = 2026-01-01T00:00:00Z
# withdrawn_at = 2026-03-01T12:00:00Z   # from then on nothing of theirs is given
"""
"""What `wellbeing research new` writes."""
