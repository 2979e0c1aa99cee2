"""Technical faults: for whoever repairs, never a word about a person (TRUST T14).

A channel that says *disconnected* or *fault* for a minute, and an edge that
went silent in its shift, each raise one technical alert. *Withheld*, *not
worn* and *poor* are no faults: they are nobody's to repair, and withheld is
never counted per person (T7). An edge that was ended on purpose, or that went
silent while all was withheld (a locked PC falls asleep), is withheld, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics.alerts.alert_book import AlertBook
from analytics.alerts.alerting import UPDATE_EVERY, Alert, Event, alert_id
from analytics.alerts.common_cause import LEAST_AGENTS
from analytics.signals.features import PART_CHANNEL, Part
from sensors.codec import convert
from sensors.messages import (
    Absence,
    AlertKind,
    AlertMessage,
    AlertState,
    ReadingMessage,
    StatusMessage,
)
from sensors.signals import Channel

FAULT_AFTER_S = 60.0
"""A shorter interruption repairs itself: headsets reconnect within seconds. [s]"""

SILENT_AFTER = timedelta(seconds=30)
"""Six windows missing in a row: the edge, or the way to it, is down."""

LEAST_SILENT = 0.4
"""Share of a team's edges from which one fault of all is the simpler explanation."""

FORGOTTEN_AFTER = timedelta(hours=12)
"""An edge that stayed away so long has gone home; it is news again when it returns."""

DEAF_AFTER = timedelta(seconds=10)
"""If the server itself made no step for so long, silence says nothing about the edges."""

CHECK_EVERY = timedelta(seconds=5)
"""Faults are looked for once per window length."""

_OFFLINE = "offline"
_FAULTS = (Absence.DISCONNECTED, Absence.FAULT)


@dataclass(slots=True)
class _Fault:
    """A channel in trouble: since when, by the window's own clock."""

    reason: Absence
    since_s: float


@dataclass(slots=True)
class _Link:
    """One edge as the server last heard it."""

    agent: str
    source: str
    run: str
    seen_at: datetime
    window_s: float
    offline: bool = False
    private: bool = False  # its silence is the agent's own business
    faults: dict[Channel, _Fault] = field(default_factory=dict)
    gives: list[Channel] = field(default_factory=list)  # what its newest window measured


@dataclass(slots=True)
class _Kept:
    links: list[_Link]
    raised: dict[str, str]
    checked_at: datetime | None
    stepped_at: datetime | None
    listening_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """One thing that is broken now."""

    key: str
    team: str
    agent: str | None
    fault: str
    started_at: datetime
    channel: Channel | None = None
    source: str | None = None
    affected: int | None = None
    team_size: int | None = None

    @property
    def alert_id(self) -> str:
        """Identity of its alert, known before it is raised."""
        return alert_id(f"technical|{self.key}", self.started_at)


class Technical:
    """The faults of a site.

    Parameters
    ----------
    book : AlertBook
    team_of : callable
        Agent and time to the team, or ``None``.
    in_shift : callable
        Team and time to whether it works.
    smallest_group : int
        Teams with fewer edges are given no figures (T16).
    """

    def __init__(
        self,
        book: AlertBook,
        team_of: Callable[[str, datetime], str | None],
        in_shift: Callable[[str, datetime], bool],
        smallest_group: int,
    ) -> None:
        self._book = book
        self._team_of = team_of
        self._in_shift = in_shift
        self._smallest_group = smallest_group
        self._links: dict[tuple[str, str], _Link] = {}
        self._faulty: dict[tuple[str, str], None] = {}
        self._raised: dict[str, str] = {}
        self._checked_at: datetime | None = None
        self._stepped_at: datetime | None = None
        self._listening_since: datetime | None = None

    def window(
        self, agent: str, message: ReadingMessage, window_s: float, now: datetime, *, late: bool
    ) -> None:
        """Take in what one window says about its edge and, if it is live, about its devices."""
        key = (agent, message.source)
        link = self._links.get(key)
        if link is None:
            link = _Link(agent, message.source, message.run, now, window_s)
            self._links[key] = link
        link.seen_at, link.offline = now, False
        if late:
            return
        _skip(link, window_s - link.window_s)
        link.run, link.window_s = message.run, window_s
        link.gives = [channel for channel in Channel if message.section(channel) is not None]
        link.private = not link.gives and _is_private(message)
        if not message.absent and not link.faults:
            return
        faults: dict[Channel, _Fault] = {}
        for channel, reason in message.absent.items():
            if reason in _FAULTS:
                known = link.faults.get(channel)
                faults[channel] = _Fault(reason, known.since_s if known else window_s)
        link.faults = faults
        if faults:
            self._faulty[key] = None
        else:
            self._faulty.pop(key, None)

    def status(self, agent: str, message: StatusMessage) -> None:
        """Take in an edge's word, or last will, about itself; an old run's counts no more."""
        key = (agent, message.source)
        link = self._links.get(key)
        if link is None or link.run != message.run:
            return
        link.offline = not message.online
        if message.goodbye:
            link.private, link.faults = True, {}
            self._faulty.pop(key, None)
        elif message.links:
            # The PC may sleep before the window ends that would say so.
            link.private = all(state == Absence.WITHHELD for state in message.links.values())

    def faulty_channels(self, agent: str) -> dict[Channel, str]:
        """Return the channels of `agent` in trouble, and the alert each has or will have.

        A channel that another source measures is not in trouble: its device is.
        """
        found: dict[Channel, str] = {}
        for key in self._faulty:
            if key[0] == agent:
                link = self._links[key]
                for channel, fault in link.faults.items():
                    one = _finding(link, channel, fault, "")
                    found[channel] = self._raised.get(one.key, one.alert_id)
        for channel in self._measured(agent) if found else ():
            found.pop(channel, None)
        return found

    def _measured(self, agent: str) -> set[Channel]:
        """Return the channels of `agent` that some source that is heard measures."""
        now = self._stepped_at
        heard = (
            link
            for link in self._links.values()
            if link.agent == agent and now is not None and now - link.seen_at < SILENT_AFTER
        )
        return {channel for link in heard for channel in link.gives}

    def inhibitor(self, alert: Alert) -> str | None:
        """Return the technical alert that a personal one rests on, if on nothing else."""
        agent, parts = alert.message.agent, alert.message.contributions
        if agent is None or not parts or not self._faulty:
            return None
        faulty = self.faulty_channels(agent)
        rests_on = [PART_CHANNEL[Part(found.part)] for found in parts]
        return faulty[rests_on[0]] if all(c in faulty for c in rests_on) else None

    def step(self, now: datetime) -> None:
        """Raise what has lasted long enough; resolve what works again."""
        if self._stepped_at is None or now - self._stepped_at > DEAF_AFTER:
            self._listening_since = now
        self._stepped_at = now
        if self._checked_at is not None and now - self._checked_at < CHECK_EVERY:
            return
        self._checked_at = now
        broken = {f.key: f for f in (*self._find_faults(now), *self._find_silent(now))}
        for finding in broken.values():
            self._raise(finding, now)
        for key, identity in tuple(self._raised.items()):
            if key not in broken:
                self._clear(key, identity, now)

    def _find_faults(self, now: datetime) -> list[_Finding]:
        found: list[_Finding] = []
        for key in self._faulty:
            link = self._links[key]
            team = self._team_of(link.agent, now)
            if team is None:
                continue
            found.extend(
                _finding(link, channel, fault, team)
                for channel, fault in link.faults.items()
                if link.window_s - fault.since_s >= FAULT_AFTER_S
            )
        return found

    def _find_silent(self, now: datetime) -> list[_Finding]:
        """Return edges that are silent in their shift; a team's together as one."""
        deaf_until = self._listening_since or now
        silent: dict[str, list[_Link]] = {}
        tracked: dict[str, int] = {}
        working: dict[str, bool] = {}
        for key, link in tuple(self._links.items()):
            if now - link.seen_at >= FORGOTTEN_AFTER:
                del self._links[key]
                self._faulty.pop(key, None)
                continue
            team = self._team_of(link.agent, now)
            if team is None:
                continue
            if team not in working:
                working[team] = self._in_shift(team, now)
            if link.private or not working[team]:
                continue
            tracked[team] = tracked.get(team, 0) + 1
            if link.offline or now - max(link.seen_at, deaf_until) >= SILENT_AFTER:
                silent.setdefault(team, []).append(link)
        found: list[_Finding] = []
        for team, links in silent.items():
            shown = tracked[team] >= self._smallest_group
            found.extend(_of_team(team, links, tracked[team], shown=shown))
        return found

    def _raise(self, finding: _Finding, now: datetime) -> None:
        known = self._raised.get(finding.key)
        if known is not None:
            self._follow(known, finding, now)
            return
        message = AlertMessage(
            alert_id=finding.alert_id,
            kind=AlertKind.TECHNICAL,
            state=AlertState.PENDING,
            team=finding.team,
            agent=finding.agent,
            started_at=finding.started_at,
            fault=finding.fault,
            channel=finding.channel,
            affected=finding.affected,
            team_size=finding.team_size,
        )
        self._raised[finding.key] = message.alert_id
        if self._book.open(Alert(message=message, source=finding.source), now):
            self._book.apply(message.alert_id, Event.FIRE, now)

    def _follow(self, known: str, finding: _Finding, now: datetime) -> None:
        """Let an alert return whose fault is back; keep the figures of one that stands."""
        alert = self._book.get(known)
        if alert is None:
            return
        facts: dict[str, Any] = {"affected": finding.affected, "team_size": finding.team_size}
        if alert.message.resolved_at is not None:
            self._book.apply(known, Event.RETURN, now, **facts)
            return
        due = alert.updated_at is None or now - alert.updated_at >= UPDATE_EVERY
        # Edges fall silent one after the other: the first look sees few of them.
        if due and any(getattr(alert.message, name) != value for name, value in facts.items()):
            self._book.apply(known, Event.UPDATE, now, **facts)

    def _clear(self, key: str, identity: str, now: datetime) -> None:
        alert = self._book.get(identity)
        if alert is None:
            del self._raised[key]
        elif alert.message.resolved_at is None:
            self._book.apply(identity, Event.RESOLVE, now)

    def to_plain(self) -> Any:
        """Return the state as plain values."""
        return {
            "kept": _Kept(
                links=list(self._links.values()),
                raised=self._raised,
                checked_at=self._checked_at,
                stepped_at=self._stepped_at,
                listening_since=self._listening_since,
            ),
            "faulty": list(self._faulty),
        }

    def restore(self, plain: Any) -> None:
        """Become the faults that :meth:`to_plain` described."""
        kept = convert(plain["kept"], _Kept)
        self._links = {(link.agent, link.source): link for link in kept.links}
        self._raised = kept.raised
        self._checked_at = kept.checked_at
        self._stepped_at = kept.stepped_at
        self._listening_since = kept.listening_since
        self._faulty = dict.fromkeys(convert(plain["faulty"], list[tuple[str, str]]))


def _skip(link: _Link, ahead_s: float) -> None:
    """Count no time as broken that no window tells of: a clock was set, or a machine slept."""
    if abs(ahead_s) > SILENT_AFTER.total_seconds():
        for fault in link.faults.values():
            fault.since_s += ahead_s  # it has been so for as long as before


def _is_private(message: ReadingMessage) -> bool:
    """Return whether nothing but the agent's choice says why channels give nothing."""
    return all(reason is Absence.WITHHELD for reason in message.absent.values())


def _finding(link: _Link, channel: Channel, fault: _Fault, team: str) -> _Finding:
    return _Finding(
        key=f"{link.agent}|{link.source}|{channel.value}",
        team=team,
        agent=link.agent,
        source=link.source,
        fault=fault.reason,
        channel=channel,
        started_at=datetime.fromtimestamp(fault.since_s, UTC),
    )


def _of_team(team: str, silent: list[_Link], tracked: int, *, shown: bool) -> list[_Finding]:
    """Return one finding for a team that went silent together, else one per edge."""
    if len(silent) >= max(LEAST_AGENTS, LEAST_SILENT * tracked):
        return [
            _Finding(
                key=f"{team}|{_OFFLINE}",
                team=team,
                agent=None,
                fault=_OFFLINE,
                started_at=min(link.seen_at for link in silent),
                affected=len(silent) if shown else None,
                team_size=tracked if shown else None,
            )
        ]
    return [
        _Finding(
            key=f"{link.agent}|{link.source}|{_OFFLINE}",
            team=team,
            agent=link.agent,
            source=link.source,
            fault=_OFFLINE,
            started_at=link.seen_at,
        )
        for link in silent
    ]
