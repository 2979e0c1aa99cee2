"""A study: what `wellbeing research` and notebooks ask, of those who consented to it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from analytics.research import asked, coverage, grouping
from analytics.research.access import Access, Moment, cut
from analytics.research.catalogue import Kind
from analytics.research.events import EventReader, event_rows
from analytics.research.export import Exporter
from analytics.research.ledger import ExportRecord, Ledger, ResearchSettings
from analytics.research.printing import Printed, printing
from analytics.research.pseudonyms import Pseudonyms, study_key
from analytics.research.slices import Plan, Slice, SliceReader, Wanted
from analytics.research.source import Source
from analytics.research.study_file import StudyFile, read_study
from analytics.research.table import Format, Tidy, columns, joined, stacked
from analytics.research.table import frame as _frame
from analytics.store.base import Store
from analytics.store.opening import open_store
from analytics.store.settings import StoreSettings
from sensors.config import read_file, section
from sensors.errors import ConfigurationError

Length = str | timedelta
Hours = str | tuple[float, float]


class Study(AbstractContextManager["Study"]):
    """What those who consented to one study measured, under the study's own pseudonyms.

    Made by :func:`open_study`. Every answer is a data frame: pandas, or polars
    or an Arrow table with ``frame="polars"`` or ``"arrow"``.

    Parameters
    ----------
    file : StudyFile
    store : Store
    ledger : Ledger
    """

    def __init__(self, file: StudyFile, store: Store, ledger: Ledger) -> None:
        self.file = file
        self.store = store
        self.ledger = ledger
        self.names = Pseudonyms(study_key(file.folder), file.study.site)
        self._access = Access(file, self.names)
        self._slices = SliceReader(store, file.study.site, self.names)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the store."""
        self.store.close()

    def __repr__(self) -> str:
        table = self.file.study
        return (
            f"Study {table.id}: {len(self.file.grants)} agents, {table.start} to {table.end}, "
            f"covers {', '.join(table.covers)}"
        )

    # What there is

    def signals(self, *, frame: Format = "pandas") -> Any:
        """Return the signals the study covers: unit, range, meaning, source, and whose there are.

        Column `agents` counts those who have at least one value in the
        study's time; for figures of beats, who has beats.
        """
        return _frame(coverage.signals(self._coverage(), self._access.covered()), frame)

    def agents(self, *, frame: Format = "pandas") -> Any:
        """Return who takes part: pseudonym, version of the form, from, until.

        With the hours measured of each channel. Why a channel was silent is
        nobody's to count per person (TRUST T7).
        """
        return _frame(coverage.agents(self._coverage()), frame)

    def gaps(self, signal: str, *, longer_than: Length = "10min", frame: Format = "pandas") -> Any:
        """Return the stretches without a value of `signal` between two that have one.

        Breaks, nights, pauses and faults alike: the cause is not told.

        Parameters
        ----------
        signal : str
        longer_than : str or timedelta
        """
        found = coverage.gaps(
            self._coverage(), self._access.signal(signal), asked.length(longer_than)
        )
        return _frame(found, frame)

    def absences(self, *, frame: Format = "pandas") -> Any:
        """Return of what share of all windows each channel was measured, or why it was not.

        Over everybody, of whole UTC days that are over and on which they were
        enough (TRUST T7, T16): in a younger record each window would show.
        """
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return _frame(coverage.absences(self._coverage(), self._pinned(None), today), frame)

    def _coverage(self) -> Source:
        self._access.need_consent()
        study = self.file.study
        return Source(self.store, study.site, tuple(self.file.grants.values()), self.names)

    # Series

    def frame(
        self,
        signals: str | Sequence[str],
        *,
        every: Length | None = None,
        start: Moment = None,
        end: Moment = None,
        hours: Hours | None = None,
        agents: Sequence[str] | None = None,
        frame: Format = "pandas",
    ) -> Any:
        """Return values, one a row: `agent, at, local_at, signal, value, n, quality, context`.

        Parameters
        ----------
        signals : str or sequence of str
            Names from :meth:`signals`.
        every : str or timedelta, optional
            Means over such stretches, like ``"5min"``. Left out, every value;
            figures of beats are then of five minutes each.
        start, end : str, date or datetime, optional
            Cut the study's time further. A bare date as `end` is in it. UTC.
        hours : str or (float, float), optional
            Only these local times of day, like ``"13-14"``.
        agents : sequence of str, optional
            Only these pseudonyms of the study.

        Raises
        ------
        ConfigurationError
            If a signal is unknown or not covered, an argument is not what was
            expected, or nobody consented.
        StoreError
            If the store cannot be read.
        """
        plan = self.plan(signals, every=every, start=start, end=end, hours=hours, agents=agents)
        whole = joined([part for _, part in self.parts(plan)])
        if not len(whole):
            warnings.warn(self.nothing(plan), stacklevel=2)
        return _frame(columns(whole), frame)

    def plan(
        self,
        signals: str | Sequence[str],
        *,
        every: Length | None = None,
        start: Moment = None,
        end: Moment = None,
        hours: Hours | None = None,
        agents: Sequence[str] | None = None,
    ) -> Plan:
        """Return what :meth:`frame` would read with the same arguments."""
        self._access.need_consent()
        names = (signals,) if isinstance(signals, str) else tuple(dict.fromkeys(signals))
        if not names:
            raise ConfigurationError("no signal is named; wellbeing research signals lists them")
        wanted = Wanted(
            tuple(map(self._access.signal, names)),
            None if every is None else asked.length(every),
            None if hours is None else asked.hours(hours),
        )
        start_at, end_at = self._access.range(start, end)
        slices = [
            piece
            for grant in self._access.grants(agents)
            for piece in self._slices.plan(grant, wanted.variables, start_at, end_at)
        ]
        members = tuple(dict.fromkeys(piece.grant.agent for piece in slices))
        return Plan(wanted, tuple(slices), start_at, end_at, members)

    def parts(self, plan: Plan) -> Iterator[tuple[Slice, Tidy]]:
        """Yield the values of a plan, one agent's one day at a time."""
        for piece in plan.slices:
            yield piece, self._slices.read(piece, plan.wanted)

    def nothing(self, plan: Plan) -> str:
        """Return the line that says why a plan gave nothing, and what to do."""
        names = ", ".join(v.name for v in plan.wanted.variables)
        when = f"{plan.start_at:%Y-%m-%d %H:%M} to {plan.end_at:%Y-%m-%d %H:%M} UTC"
        if plan.slices:
            return f"no value of {names} in these hours of the day: widen hours (local time)"
        return (
            f"no value of {names} from {when}: wellbeing research agents says what was measured "
            "of whom; readings and beats are kept for a month only"
        )

    # Events

    def events(self, *, start: Moment = None, end: Moment = None, frame: Format = "pandas") -> Any:
        """Return alerts, decisions, replies and requests, one a row, by time.

        Only of people, only where the form covers `alerts`; no notes.
        """
        self._access.need_consent()
        start_at, end_at = self._access.range(start, end)
        reader = EventReader(self.store, self.file.study.site, self.names, self._slices)
        return _frame(reader.read(list(cut(self._access.grants(None), start_at, end_at))), frame)

    def around(
        self,
        events: Any,
        signals: str | Sequence[str],
        *,
        before: Length = "10min",
        after: Length = "30min",
        every: Length | None = None,
        frame: Format = "pandas",
    ) -> Any:
        """Return values around events: the frame with `event_id` and `offset_s`.

        Parameters
        ----------
        events : DataFrame
            Rows of :meth:`events`: those around which to look.
        signals : str or sequence of str
        before, after : str or timedelta
        every : str or timedelta, optional
            As for :meth:`frame`.

        Notes
        -----
        `offset_s` is the value's time minus the event's. [s]
        """
        found: list[Tidy] = []
        numbers: list[Any] = []
        offsets: list[Any] = []
        earlier, later = asked.length(before), asked.length(after)
        for number, agent, at in event_rows(events):
            plan = self.plan(
                signals, every=every, start=at - earlier, end=at + later, agents=[agent]
            )
            part = joined([one for _, one in self.parts(plan)])
            found.append(part)
            numbers.append(np.full(len(part), number))
            at_ms = round(at.timestamp() * 1000)
            offsets.append((part.at_ns // 1_000_000 - at_ms) / 1000.0)
        whole = stacked(found)
        nothing = np.zeros(0)
        return _frame(
            {
                "event_id": np.concatenate([nothing.astype(int), *numbers]),
                "offset_s": np.concatenate([nothing, *offsets]),
                **columns(whole),
            },
            frame,
        )

    # Groups

    def group_means(
        self,
        signal: str,
        groups: Mapping[str, Sequence[str]] | None = None,
        *,
        every: Length = "1d",
        frame: Format = "pandas",
    ) -> Any:
        """Return the mean of groups of five people or more, each person with equal weight.

        Parameters
        ----------
        signal : str
            Stored numbers only, no figures of beats.
        groups : mapping of str to sequence of str, optional
            Name to pseudonyms; may not overlap. Left out, everybody is one.
            The first division that is asked for is kept, and others refused:
            a difference could be about one person.
        every : str or timedelta
            A multiple of 15 minutes.
        """
        self._access.need_consent()
        one = self._access.signal(signal)
        if one.kind is Kind.BEATS:
            raise ConfigurationError(
                f"{signal} is computed from beats; for groups ask for log_rmssd_5min or log_sdnn_5min"
            )
        found = grouping.means(self._coverage(), self._pinned(groups), one, asked.length(every))
        return _frame(found, frame)

    def _pinned(self, groups: Mapping[str, Sequence[str]] | None) -> grouping.Pinned:
        everybody = self._access.everybody()
        smallest = self.file.study.smallest_group
        return grouping.pinned(self.file.folder, groups, everybody, smallest)

    # Away from here

    def export(
        self,
        path: str | Path,
        signals: str | Sequence[str],
        *,
        every: Length | None = None,
        start: Moment = None,
        end: Moment = None,
        hours: Hours | None = None,
        agents: Sequence[str] | None = None,
        progress: Any = None,
    ) -> ExportRecord:
        """Write values to a ``.parquet``, ``.csv`` or ``.feather`` file, and a dictionary beside it.

        Never holds more than one agent's one day. The ledger names the file
        and everybody in it before it appears.

        Parameters
        ----------
        path : str or Path
            Must not exist.
        progress : callable, optional
            Called with the number of slices done and their total.

        Raises
        ------
        ConfigurationError
            If the file exists, its ending is unknown, or there is nothing to export.
        StateError
            If the ledger cannot be written; then nothing is exported.
        """
        plan = self.plan(signals, every=every, start=start, end=end, hours=hours, agents=agents)
        if not plan.slices:
            raise ConfigurationError(f"nothing to export: {self.nothing(plan)}")
        exporter = Exporter(Path(path), self.file, self.ledger)
        return exporter.run(plan, self.parts(plan), progress or (lambda _done, _total: None))

    def printing(
        self, what: Sequence[str], *, start: Moment, end: Moment
    ) -> AbstractContextManager[Printed]:
        """Return where to print values of `what`: the ledger knows what goes to no terminal."""
        return printing(self.file.study, self.ledger, what, *self._access.range(start, end))

    def at_the_site(self, pseudonyms: Sequence[str]) -> set[str]:
        """Return whom the site knows by other names than these of the study."""
        everybody = self._access.everybody()
        return {everybody[one] for one in pseudonyms}

    def exports(self) -> list[ExportRecord]:
        """Return the exports of this study, oldest first."""
        study = self.file.study
        return [r for r in self.ledger.records() if (r.study, r.site) == (study.id, study.site)]


def open_study(path: str | Path = ".", *, config: str | Path | None = None) -> Study:
    """Open the study at `path`, a folder or its ``study.toml``.

    Parameters
    ----------
    path : str or Path
    config : str or Path, optional
        Configuration with ``[store]`` and ``[research]``; left out, the store
        that the study's file names, or else the system's own.

    Raises
    ------
    ConfigurationError
        If file or configuration are not what was expected.
    StoreError
        If there is no store.

    Examples
    --------
    >>> study = open_study("lunch")  # doctest: +SKIP
    >>> study.frame("rmssd_ms", every="5min", hours="13-14")  # doctest: +SKIP
    """
    file = read_study(Path(path))
    tables = {} if config is None else read_file(Path(config))
    settings = section(tables, "store", StoreSettings)
    if file.store is not None and "store" not in tables:
        settings = file.store
    ledger = Ledger(section(tables, "research", ResearchSettings).file())
    return Study(file, open_store(settings, read_only=True), ledger)
