"""THE message schema: what may travel between edge, server and dashboard.

Frozen, slotted dataclasses, checked when they are built. Times are aware UTC.
Fields are an allow-list: each is described in :mod:`sensors.signals`, and a
test fails otherwise (TRUST T3). There is no field for audio, words, keys,
window titles or positions, so no message can carry them off the machine.

Unknown fields are ignored by readers, so that adding one breaks nobody;
`SCHEMA_VERSION` goes up when a reader must change. Servers read versions
``SCHEMA_VERSION`` and ``SCHEMA_VERSION - 1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import ClassVar

from sensors.errors import MessageError, Refusal
from sensors.signals import SIGNALS, Channel

SCHEMA_VERSION = 1
"""Version this code writes; it reads this one and the one before."""

WINDOW_S = 5.0
"""Length of one window. [s] DESIGN: one reading per source and 5-second window."""

MAX_MESSAGE_BYTES = 64 * 1024
"""No message of ours comes near it: 5 s of beats and features is about 1 KiB."""

_IDENTITY = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_TOKEN = re.compile(r"[a-z0-9]{8,32}")
_MAX_SEQ = 2**53  # exactly representable by every JSON reader
_MAX_TEXT = 500
_MAX_SHOWN = 60
_MAX_CONTRIBUTIONS = 3  # DESIGN, Scoring 6: the three signals that contributed most


class Absence(StrEnum):
    """Why a channel gave nothing. Never zero, never drawn as fine (TRUST T13).

    `WITHHELD` is the one word for every private reason (paused, refused,
    locked, off shift, private): nobody but the agent can tell them apart (T7).
    """

    WITHHELD = "withheld"
    DISCONNECTED = "disconnected"
    NOT_WORN = "not_worn"
    POOR = "poor"
    FAULT = "fault"


# Plain strings on the wire: a union of an enum and a literal cannot be decoded.
_LINK_STATES: tuple[str, ...] = ("ok", *Absence)
_FAULTS: tuple[str, ...] = ("offline", *Absence)


class RequestKind(StrEnum):
    """What an agent asks for; the first two outrank every detection (T9)."""

    HELP_NOW = "help_now"
    BREAK_PLEASE = "break_please"
    CANCEL = "cancel"
    EXPORT = "export"
    ERASE = "erase"


class ReplyKind(StrEnum):
    """What an agent answers."""

    FINE = "fine"
    DIFFERENT_TODAY = "different_today"
    WAS_IT_SO = "was_it_so"
    DID_IT_HELP = "did_it_help"
    SELF_REPORT = "self_report"


class ContextState(StrEnum):
    """Telephony or workforce-management state of an agent."""

    ON_CALL = "on_call"
    WRAP_UP = "wrap_up"
    READY = "ready"
    BREAK = "break"
    OFF = "off"


class AlertKind(StrEnum):
    """What a card on the supervisor's screen is about, most urgent first."""

    REQUEST = "request"
    TEAM = "team"
    PERSONAL = "personal"
    TECHNICAL = "technical"


class AlertState(StrEnum):
    """States of an alert; the table of transitions stands in analytics.alerting."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Action(StrEnum):
    """What a supervisor does with an alert: take it, decide, record what followed."""

    TAKE = "take"
    TALK = "talk"
    OFFER_BREAK = "offer_break"
    JOIN_OR_TAKE_OVER = "join_or_take_over"
    BRING_IN_EXPERT = "bring_in_expert"
    FIX_THE_WORK = "fix_the_work"
    AGENT_SAYS_FINE = "agent_says_fine"
    CANNOT_NOW = "cannot_now"
    NOT_USEFUL = "not_useful"
    OUTCOME = "outcome"


DECISIONS: frozenset[Action] = frozenset(Action) - {Action.TAKE, Action.OUTCOME}
"""The actions that answer an alert (SCREENS.md); all but *cannot now* close it."""


class Outcome(StrEnum):
    """What followed a decision."""

    HELPED = "helped"
    NO_CHANGE = "no_change"
    DECLINED = "declined"
    NOT_REACHED = "not_reached"


class NoticeKind(StrEnum):
    """What an agent is told about themselves (T10)."""

    ALERT_TOLD = "alert_told"
    ALERT_RESOLVED = "alert_resolved"
    TAKEN = "taken"
    DECIDED = "decided"
    LOOKED = "looked"
    REQUEST_RECEIVED = "request_received"
    REQUEST_PASSED_ON = "request_passed_on"
    WAS_IT_SO = "was_it_so"


class AuditKind(StrEnum):
    """What is written to the audit log."""

    VIEWED_PERSON = "viewed_person"
    SIGNED_IN = "signed_in"


def _refuse(name: str, value: object, expected: str) -> MessageError:
    # Shortened: a refusal is logged and shown, and must not carry a payload along.
    shown = repr(value)[:_MAX_SHOWN]
    return MessageError(Refusal.OUT_OF_RANGE, f"{name} is {shown}; expected {expected}")


def check_identity(name: str, value: str) -> str:
    """Return `value` if it is a site, agent, source or person identity.

    Raises
    ------
    MessageError
        If it does not match ``[a-z0-9][a-z0-9_-]{0,31}``.
    """
    if not _IDENTITY.fullmatch(value):
        raise _refuse(name, value, "lower-case letters, digits, - and _, up to 32")
    return value


def _check_person(name: str, value: str | None) -> None:
    if value is not None:
        check_identity(name, value)


def check_token(name: str, value: str | None) -> None:
    """Refuse a run or id that is not 8 to 32 lower-case letters and digits.

    Raises
    ------
    MessageError
        If it is anything else; ``None`` is let through.
    """
    if value is not None and not _TOKEN.fullmatch(value):
        raise _refuse(name, value, "8 to 32 lower-case letters and digits")


def _check_count(name: str, value: int | None, limit: int = _MAX_SEQ) -> None:
    if value is not None and not 0 <= value <= limit:
        raise _refuse(name, value, f"0 to {limit}")


def _check_finite(name: str, value: float | None) -> None:
    # NaN would compare as "not late" and turn into null on the wire.
    if value is not None and not isfinite(value):
        raise _refuse(name, value, "a finite number")


def _check_utc(name: str, value: datetime | None) -> None:
    if value is not None and value.utcoffset() != timedelta(0):
        raise _refuse(name, value.isoformat(), "a time in UTC")


def _check_schema(value: int) -> None:
    if value not in (SCHEMA_VERSION, SCHEMA_VERSION - 1) or value < 1:
        raise MessageError(
            Refusal.SCHEMA_VERSION,
            f"schema is {value}; this version reads {SCHEMA_VERSION}"
            + (f" and {SCHEMA_VERSION - 1}" if SCHEMA_VERSION > 1 else ""),
        )


def _check_text(name: str, value: str | None, limit: int = _MAX_TEXT) -> None:
    if value is not None and len(value) > limit:
        raise _refuse(name, f"{len(value)} characters", f"at most {limit}")


def _check_quality(value: float | None) -> None:
    if value is not None and not 0.0 <= value <= 1.0:
        raise _refuse("quality", value, "0 to 1")


def _check_contributions(value: tuple[Contribution, ...]) -> None:
    if len(value) > _MAX_CONTRIBUTIONS:
        raise _refuse("contributions", len(value), f"at most {_MAX_CONTRIBUTIONS}")


class _Section:
    """Range checks shared by the channel sections, driven by the catalogue."""

    __slots__ = ()
    channel: ClassVar[Channel]

    def _check(self) -> None:
        for name, low, high in _SECTION_BOUNDS[type(self)]:
            value = getattr(self, name)
            if value is None:
                continue
            values = value if isinstance(value, tuple) else (value,)
            for number in values:
                if not low <= number <= high:
                    raise _refuse(name, number, f"{low:g} to {high:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heart(_Section):
    """What the headset measured in one window; `rr_ms` and `beat_offset_ms` pair up."""

    channel: ClassVar[Channel] = Channel.HEART
    quality: float
    hr_bpm: float | None = None
    rr_ms: tuple[float, ...] = ()
    beat_offset_ms: tuple[float, ...] = ()
    contact: float | None = None

    def __post_init__(self) -> None:
        _check_quality(self.quality)
        if len(self.rr_ms) != len(self.beat_offset_ms):
            raise _refuse(
                "beat_offset_ms",
                len(self.beat_offset_ms),
                f"one for each of {len(self.rr_ms)} rr_ms",
            )
        self._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyboard(_Section):
    """Counts and timing of one window; no key, no character, no order."""

    channel: ClassVar[Channel] = Channel.KEYBOARD
    quality: float
    key_presses: float = 0.0
    dwell_ms: float | None = None
    dwell_iqr_ms: float | None = None
    flight_ms: float | None = None
    flight_iqr_ms: float | None = None
    key_pauses: float = 0.0
    key_corrections: float = 0.0

    def __post_init__(self) -> None:
        _check_quality(self.quality)
        self._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer(_Section):
    """Movement statistics of one window; no position."""

    channel: ClassVar[Channel] = Channel.POINTER
    quality: float
    pointer_speed_px_s: float | None = None
    pointer_acceleration_px_s2: float | None = None
    pointer_straightness: float | None = None
    pointer_clicks: float = 0.0
    click_dwell_ms: float | None = None
    scroll_steps: float = 0.0

    def __post_init__(self) -> None:
        _check_quality(self.quality)
        self._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice(_Section):
    """Acoustic features of one window of the agent's own voice; no audio, no words."""

    channel: ClassVar[Channel] = Channel.VOICE
    quality: float
    speech_ratio: float | None = None
    pause_ratio: float | None = None
    speech_rate_hz: float | None = None
    f0_hz: float | None = None
    f0_spread_st: float | None = None
    f0_slope_st_s: float | None = None
    voiced_ratio: float | None = None
    jitter_local: float | None = None
    shimmer_local: float | None = None
    hnr_db: float | None = None
    loudness_db: float | None = None
    alpha_ratio_db: float | None = None
    hammarberg_db: float | None = None
    slope_0_500_db_hz: float | None = None
    slope_500_1500_db_hz: float | None = None

    def __post_init__(self) -> None:
        _check_quality(self.quality)
        self._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules:
    """What serial and third-party modules measured, by catalogue name."""

    channel: ClassVar[Channel] = Channel.MODULES
    quality: float
    values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_quality(self.quality)
        for name, value in self.values.items():
            known = SIGNALS.get(name)
            if known is None or known.channel is not Channel.MODULES:
                raise MessageError(
                    Refusal.UNKNOWN_SIGNAL, f"modules carry {name!r}, not a module signal"
                )
            if not known.accepts(value):
                raise _refuse(name, value, f"{known.low:g} to {known.high:g}")


Section = Heart | Keyboard | Pointer | Voice | Modules

SECTIONS: dict[Channel, type[Section]] = {
    kind.channel: kind for kind in (Heart, Keyboard, Pointer, Voice, Modules)
}
"""The section that carries each channel."""

_SECTION_BOUNDS: dict[type, tuple[tuple[str, float, float], ...]] = {
    kind: tuple(
        (f.name, SIGNALS[f.name].low, SIGNALS[f.name].high)
        for f in fields(kind)
        if f.name in SIGNALS
    )
    for kind in SECTIONS.values()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingMessage:
    """One source's one 5-second window: a section or an absence for each channel.

    Empty windows are sent too, so that a gap is always a loss and never a pause.
    """

    source: str
    run: str
    seq: int
    window_end_at: datetime
    schema: int = SCHEMA_VERSION
    oldest_seq: int = 0
    utc_offset_min: int = 0
    sent_at: datetime | None = None
    clock_offset_ms: float | None = None
    clock_error_ms: float | None = None
    heart: Heart | None = None
    keyboard: Keyboard | None = None
    pointer: Pointer | None = None
    voice: Voice | None = None
    modules: Modules | None = None
    absent: dict[Channel, Absence] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_identity("source", self.source)
        check_token("run", self.run)
        _check_count("seq", self.seq)
        if not 0 <= self.oldest_seq <= self.seq:
            raise _refuse("oldest_seq", self.oldest_seq, f"0 to seq, {self.seq}")
        _check_utc("window_end_at", self.window_end_at)
        _check_utc("sent_at", self.sent_at)
        if not -1080 <= self.utc_offset_min <= 1080:
            raise _refuse("utc_offset_min", self.utc_offset_min, "-1080 to 1080")
        _check_finite("clock_offset_ms", self.clock_offset_ms)
        _check_finite("clock_error_ms", self.clock_error_ms)
        if self.clock_error_ms is not None and self.clock_error_ms < 0:
            raise _refuse("clock_error_ms", self.clock_error_ms, "0 or more")
        for channel in self.absent:
            if getattr(self, channel) is not None:
                raise _refuse("absent", channel.value, "only channels without a section")

    def section(self, channel: Channel) -> Section | None:
        """Return what `channel` measured, or ``None`` when it gave nothing."""
        found: Section | None = getattr(self, channel)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMessage:
    """An edge's word about itself; retained, and its last will says offline."""

    source: str
    run: str
    online: bool
    at: datetime
    schema: int = SCHEMA_VERSION
    version: str = ""
    links: Mapping[Channel, str] = field(default_factory=dict)  # "ok" or an Absence
    held: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_identity("source", self.source)
        check_token("run", self.run)
        _check_utc("at", self.at)
        _check_text("version", self.version, 32)
        _check_count("held", self.held)
        _check_count("dropped", self.dropped)
        for channel, state in self.links.items():
            if state not in _LINK_STATES:
                raise _refuse(f"links.{channel}", state, f"one of {', '.join(_LINK_STATES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentMessage:
    """Which channels the agent consents to, under which text, since when; retained."""

    version: str
    at: datetime
    channels: tuple[Channel, ...] = ()
    schema: int = SCHEMA_VERSION
    research: bool = False

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        _check_utc("at", self.at)
        _check_text("version", self.version, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMessage:
    """What the agent answers: I'm fine, was it so, did it help, a self-report."""

    id: str
    at: datetime
    kind: ReplyKind
    schema: int = SCHEMA_VERSION
    alert_id: str | None = None
    answer: bool | None = None
    demanding: int | None = None
    recovered: int | None = None

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_token("id", self.id)
        _check_utc("at", self.at)
        check_token("alert_id", self.alert_id)
        _check_count("demanding", self.demanding, 10)
        _check_count("recovered", self.recovered, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMessage:
    """What the agent asks for; works with no channel at all (T9)."""

    id: str
    at: datetime
    kind: RequestKind
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_token("id", self.id)
        _check_utc("at", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMessage:
    """A question about the clock, and its echo with `server_at` filled in."""

    id: str
    edge_sent_at: datetime
    schema: int = SCHEMA_VERSION
    server_at: datetime | None = None

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_token("id", self.id)
        _check_utc("edge_sent_at", self.edge_sent_at)
        _check_utc("server_at", self.server_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """Every window of `run` up to and including `seq` is in the journal (or gone for good)."""

    run: str
    seq: int
    at: datetime
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_token("run", self.run)
        _check_count("seq", self.seq)
        _check_utc("at", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeMessage:
    """What is shown about the agent, to whom, and who looked (T10).

    The words are the edge's own, in the agent's language; this carries facts.
    """

    id: str
    at: datetime
    kind: NoticeKind
    schema: int = SCHEMA_VERSION
    alert_id: str | None = None
    by: str | None = None
    decision: Action | None = None
    contributions: tuple[Contribution, ...] = ()

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_token("id", self.id)
        _check_utc("at", self.at)
        check_token("alert_id", self.alert_id)
        _check_person("by", self.by)
        _check_contributions(self.contributions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextMessage:
    """What the agent is doing, from telephony or workforce management."""

    at: datetime
    state: ContextState
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        _check_utc("at", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One part of the body or the work that differs: words and bands, no raw value (T12)."""

    part: str
    level: int

    def __post_init__(self) -> None:
        _check_text("part", self.part, 32)
        if not -2 <= self.level <= 2:
            raise _refuse("level", self.level, "-2 to 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """One card on the supervisor's screen; retained while open, cleared after.

    Evidence and decision are independent: `resolved_at` says that the
    evidence is gone, `closed_at` that a person decided.
    """

    alert_id: str
    kind: AlertKind
    state: AlertState
    team: str
    started_at: datetime
    schema: int = SCHEMA_VERSION
    agent: str | None = None
    request: RequestKind | None = None
    fault: str | None = None  # an Absence, or "offline"
    channel: Channel | None = None
    told_at: datetime | None = None
    told_to: tuple[str, ...] = ()
    escalated: int = 0
    taken_by: str | None = None
    taken_at: datetime | None = None
    decision: Action | None = None
    reason: str | None = None
    follow_up_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    quality: float | None = None
    contributions: tuple[Contribution, ...] = ()
    unknown: tuple[Channel, ...] = ()
    affected: int | None = None
    team_size: int | None = None
    detector_version: str = ""

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_token("alert_id", self.alert_id)
        check_identity("team", self.team)
        _check_person("agent", self.agent)
        _check_person("taken_by", self.taken_by)
        for supervisor in self.told_to:
            check_identity("told_to", supervisor)
        for name in ("escalated", "affected", "team_size"):
            _check_count(name, getattr(self, name))
        _check_text("reason", self.reason, 64)
        _check_text("detector_version", self.detector_version, 64)
        _check_quality(self.quality)
        _check_contributions(self.contributions)
        if self.fault is not None and self.fault not in _FAULTS:
            raise _refuse("fault", self.fault, f"one of {', '.join(_FAULTS)}")
        for name in ("started_at", "told_at", "taken_at", "resolved_at", "closed_at"):
            _check_utc(name, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMessage:
    """A person's answer to an alert (T15): authenticated, with an id, so it counts once."""

    id: str
    at: datetime
    alert_id: str
    by: str
    action: Action
    schema: int = SCHEMA_VERSION
    to: str | None = None
    reason: str | None = None
    note: str | None = None
    follow_up_at: datetime | None = None
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_token("id", self.id)
        check_token("alert_id", self.alert_id)
        check_identity("by", self.by)
        _check_person("to", self.to)
        _check_utc("at", self.at)
        _check_utc("follow_up_at", self.follow_up_at)
        _check_text("reason", self.reason, 64)
        _check_text("note", self.note)
        if (self.action is Action.OUTCOME) != (self.outcome is not None):
            raise _refuse("outcome", self.outcome, "given exactly when the action is outcome")
        if self.action is Action.CANNOT_NOW and self.to is None:
            raise _refuse("to", None, "who takes it instead, when the action is cannot_now")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMessage:
    """What a supervisor's screen did that the agent will see (T10)."""

    id: str
    at: datetime
    by: str
    kind: AuditKind
    schema: int = SCHEMA_VERSION
    agent: str | None = None

    def __post_init__(self) -> None:
        _check_schema(self.schema)
        check_token("id", self.id)
        check_identity("by", self.by)
        _check_utc("at", self.at)
        _check_person("agent", self.agent)


Message = (
    ReadingMessage
    | StatusMessage
    | ConsentMessage
    | ReplyMessage
    | RequestMessage
    | TimeMessage
    | StoredMessage
    | NoticeMessage
    | ContextMessage
    | AlertMessage
    | DecisionMessage
    | AuditMessage
)
