"""The catalogue of signals: the one table that names what may be measured.

Every number that travels in a message is described here: its unit, the range
outside which it is refused, how the values of one 5-second window become one,
what it means and where the definition comes from. Nothing else hard-codes
these. A section field of :mod:`sensors.messages` without an entry here fails a
test (TRUST T3), and so does an entry that no section can carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from sensors.errors import ConfigurationError


class Channel(StrEnum):
    """One kind of sensing that an agent consents to, or not, by itself."""

    HEART = "heart"
    KEYBOARD = "keyboard"
    POINTER = "pointer"
    VOICE = "voice"
    MODULES = "modules"


class Reduction(StrEnum):
    """How the readings of one window become the value in the message."""

    ALL = "all"  # every value is kept, oldest first
    MEAN = "mean"
    MEDIAN = "median"
    IQR = "iqr"  # interquartile range of the readings of `reduces`
    SUM = "sum"
    LAST = "last"
    MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One entry of the catalogue.

    Parameters
    ----------
    name : str
        Name on the wire, in recordings and in the store.
    channel : Channel
        What the agent consents to when this is read.
    unit : str
        Unit as written in figures; ``"1"`` for a pure number.
    low, high : float
        Inclusive range; a value outside is refused, not clipped.
    reduction : Reduction
        From the readings of one window to the value in the message.
    meaning : str
        One sentence a works council can read.
    source : str
        Where the definition or the range comes from.
    reduces : str or None
        The signal whose readings are reduced, when it is not this one.
    """

    name: str
    channel: Channel
    unit: str
    low: float
    high: float
    reduction: Reduction
    meaning: str
    source: str
    reduces: str | None = None

    def accepts(self, value: float) -> bool:
        """Return whether `value` is a number inside the range (NaN is not)."""
        return self.low <= value <= self.high


# Sources, cited by the entries below.
_BT_HRS = "Bluetooth SIG, Heart Rate Service 1.0"
_TASK_FORCE = "Task Force ESC/NASPE 1996, Circulation 93(5):1043"
_HID = "Dhakal et al. 2018, CHI, 136M keystrokes; range is the sensor's, not the person's"
_POINTER = "Freeman & Ambady 2010, MouseTracker; range is the sensor's"
_GEMAPS = "Eyben et al. 2016, GeMAPS, IEEE Trans. Affective Computing 7(2):190"
_EDA = "Boucsein et al. 2012, Psychophysiology 49(8):1017"
_MODULE = "range of the module's data sheet, see hardware.md"

_H, _K, _P, _V, _M = (
    Channel.HEART,
    Channel.KEYBOARD,
    Channel.POINTER,
    Channel.VOICE,
    Channel.MODULES,
)
_ALL, _MEAN, _MEDIAN, _IQR, _SUM, _LAST, _MAX = (
    Reduction.ALL,
    Reduction.MEAN,
    Reduction.MEDIAN,
    Reduction.IQR,
    Reduction.SUM,
    Reduction.LAST,
    Reduction.MAX,
)


def _entry(  # noqa: PLR0917 - the rows below read as a table
    name: str,
    channel: Channel,
    unit: str,
    bounds: tuple[float, float],
    reduction: Reduction,
    meaning: str,
    source: str,
    reduces: str | None = None,
) -> Signal:
    low, high = bounds
    return Signal(
        name=name,
        channel=channel,
        unit=unit,
        low=low,
        high=high,
        reduction=reduction,
        meaning=meaning,
        source=source,
        reduces=reduces,
    )


# fmt: off
_CATALOGUE: tuple[Signal, ...] = (
    # heart
    _entry("hr_bpm", _H, "1/min", (20, 250), _MEAN, "Heart rate as the device reports it.", _BT_HRS),
    _entry("rr_ms", _H, "ms", (200, 3000), _ALL, "Time between two beats; from an optical sensor a pulse interval.", _TASK_FORCE),
    _entry("beat_offset_ms", _H, "ms", (-600_000, 5_000), _ALL, "Time of the beat that ends each interval, relative to the window's end.", "this project: DESIGN, beats keep their own times", "rr_ms"),
    _entry("contact", _H, "1", (0, 1), _MEAN, "Share of the device's reports that say it touches the skin.", _BT_HRS),
    # keyboard: timing only; the identity of a key never leaves the callback
    _entry("key_presses", _K, "1", (0, 500), _SUM, "How many keys were pressed.", _HID),
    _entry("dwell_ms", _K, "ms", (0, 5_000), _MEDIAN, "How long a key is held down.", _HID),
    _entry("dwell_iqr_ms", _K, "ms", (0, 5_000), _IQR, "How much the holding time varies.", _HID, "dwell_ms"),
    _entry("flight_ms", _K, "ms", (-5_000, 5_000), _MEDIAN, "Time from releasing a key to pressing the next; negative when they overlap.", _HID),
    _entry("flight_iqr_ms", _K, "ms", (0, 10_000), _IQR, "How much the time between keys varies.", _HID, "flight_ms"),
    _entry("key_pauses", _K, "1", (0, 500), _SUM, "How many pauses of more than half a second lie between two keys.", _HID),
    _entry("burst_presses", _K, "1", (1, 100_000), _MEDIAN, "How many keys are pressed between two such pauses.", _HID),
    _entry("key_corrections", _K, "1", (0, 500), _SUM, "How many of the presses were corrections (backspace or delete); the only class of key ever looked at.", _HID),
    # pointer: no positions
    _entry("pointer_speed_px_s", _P, "px/s", (0, 50_000), _MEDIAN, "Speed of the pointer while it moves.", _POINTER),
    _entry("pointer_acceleration_px_s2", _P, "px/s2", (0, 10_000_000), _MEDIAN, "Size of the pointer's acceleration while it moves.", _POINTER),
    _entry("pointer_straightness", _P, "1", (0, 1), _MEDIAN, "Straight distance over travelled distance of one movement.", _POINTER),
    _entry("pointer_clicks", _P, "1", (0, 500), _SUM, "How many clicks.", _POINTER),
    _entry("click_dwell_ms", _P, "ms", (0, 10_000), _MEDIAN, "How long a mouse button is held down.", _POINTER),
    _entry("scroll_steps", _P, "1", (0, 5_000), _SUM, "How many scroll steps, either way.", _POINTER),
    # voice: acoustic features of the agent's own microphone; no audio, no words
    _entry("speech_ratio", _V, "1", (0, 1), _MEAN, "Share of the window in which the agent speaks.", _GEMAPS),
    _entry("pause_ratio", _V, "1", (0, 1), _MEAN, "Share of silence between the first and last speech of the window.", _GEMAPS),
    _entry("speech_rate_hz", _V, "1/s", (0, 15), _MEAN, "Loudness peaks (about syllables) per second of speech.", _GEMAPS),
    _entry("f0_hz", _V, "Hz", (50, 700), _MEDIAN, "Median pitch of the voice.", _GEMAPS),
    _entry("f0_spread_st", _V, "semitone", (0, 48), _MEDIAN, "Spread of pitch: 20th to 80th percentile.", _GEMAPS),
    _entry("f0_slope_st_s", _V, "semitone/s", (-200, 200), _MEDIAN, "Slope of pitch within voiced stretches.", _GEMAPS),
    _entry("voiced_ratio", _V, "1", (0, 1), _MEAN, "Share of the speech that is voiced.", _GEMAPS),
    _entry("jitter_local", _V, "1", (0, 0.5), _MEDIAN, "Cycle-to-cycle change of the period over the mean period.", "Boersma & Weenink, Praat: PointProcess, jitter (local)"),
    _entry("shimmer_local", _V, "1", (0, 1), _MEDIAN, "Cycle-to-cycle change of the amplitude over the mean amplitude.", "Boersma & Weenink, Praat: shimmer (local)"),
    _entry("hnr_db", _V, "dB", (-30, 60), _MEDIAN, "Harmonic to noise energy.", "Boersma 1993, IFA Proceedings 17:97"),
    _entry("loudness_db", _V, "dBFS", (-120, 0), _MEDIAN, "Level of the speech, A-weighted, relative to full scale.", "IEC 61672-1 A-weighting"),
    _entry("alpha_ratio_db", _V, "dB", (-80, 80), _MEDIAN, "Energy of 50-1000 Hz over 1-5 kHz.", _GEMAPS),
    _entry("hammarberg_db", _V, "dB", (-80, 80), _MEDIAN, "Strongest peak of 0-2 kHz over the strongest of 2-5 kHz.", _GEMAPS),
    _entry("slope_0_500_db_hz", _V, "dB/Hz", (-1, 1), _MEDIAN, "Slope of the spectrum, 0-500 Hz.", _GEMAPS),
    _entry("slope_500_1500_db_hz", _V, "dB/Hz", (-1, 1), _MEDIAN, "Slope of the spectrum, 500-1500 Hz.", _GEMAPS),
    # modules
    _entry("eda_us", _M, "uS", (0.001, 200), _MEDIAN, "Skin conductance; below 1 nS an electrode is open.", _EDA),
    _entry("skin_temp_c", _M, "degC", (0, 50), _MEDIAN, "Skin temperature.", _MODULE),
    _entry("acc_rms_g", _M, "g", (0, 32), _MEAN, "Movement: root mean square of acceleration without gravity.", _MODULE),
    _entry("presence", _M, "1", (0, 1), _MEAN, "Share of the window in which somebody sits at the display.", _MODULE),
    _entry("distance_m", _M, "m", (0, 10), _MEDIAN, "Distance from the display to the person.", _MODULE),
    _entry("breathing_rate_per_min", _M, "1/min", (2, 80), _MEDIAN, "Breathing rate.", _MODULE),
    _entry("ambient_light_lux", _M, "lux", (0, 200_000), _MEDIAN, "Light at the desk.", _MODULE),
    _entry("noise_level_db", _M, "dB", (0, 140), _MEDIAN, "Sound level at the desk; a level, no sound.", _MODULE),
)
# fmt: on

SIGNALS: Mapping[str, Signal] = MappingProxyType({s.name: s for s in _CATALOGUE})
"""Every signal by name, in catalogue order."""

UNSCORED = frozenset(
    {"presence", "distance_m", "breathing_rate_per_min", "ambient_light_lux", "noise_level_db"}
)
"""Signals of modules on which no score rests: they are shown and stored."""

HEADER = ("t_s", "signal", "value")
"""Columns of a recording."""

LABEL = "label"
"""Name of the optional rows of a recording: 1 strained, 0 not, -1 not labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A part of a message that is not a measured signal: what it is and may be."""

    name: str
    unit: str
    bounds: str
    meaning: str


def _field(name: str, unit: str, bounds: str, meaning: str) -> Field:
    return Field(name=name, unit=unit, bounds=bounds, meaning=meaning)


_ID = "[a-z0-9][a-z0-9_-]{0,31}"

# fmt: off
FIELDS: Mapping[str, Field] = MappingProxyType({f.name: f for f in (
    # envelope
    _field("schema", "1", "SCHEMA_VERSION or one below", "Version of the message schema."),
    _field("source", "-", _ID, "The edge (a PC, a cloud desktop) that sends."),
    _field("run", "-", "[a-z0-9]{8,32}", "One start of the edge."),
    _field("seq", "1", "0 to 2^53", "Number of the window within its run, without gaps."),
    _field("oldest_seq", "1", "0 to seq", "Oldest window of this run that the edge still holds or will send; what lies below and never arrived is gone."),
    _field("window_end_at", "-", "UTC", "End of the 5-second window."),
    _field("utc_offset_min", "min", "-1080 to 1080", "The agent's local time minus UTC."),
    _field("sent_at", "-", "UTC", "When the window was handed to the broker."),
    _field("clock_offset_ms", "ms", "any", "Server clock minus this clock, where known."),
    _field("clock_error_ms", "ms", ">= 0", "Half-width of the interval that holds the clock offset."),
    _field("absent", "-", "channel -> reason", "Channels that gave nothing and why; one word, withheld, for every private reason."),
    _field("quality", "1", "0 to 1", "How far the channel's values can be trusted in this window."),
    _field("values", "-", "signal -> value", "What modules measured, by catalogue name."),
    # status
    _field("online", "-", "true or false", "False is what the last will says."),
    _field("goodbye", "-", "true or false", "Ended on purpose, like a pause; never in the last will."),
    _field("version", "-", "up to 32 characters", "Version of the edge's software, or of the consent text."),
    _field("links", "-", "channel -> ok or reason", "State of each collector's device."),
    _field("held", "1", ">= 0", "Windows kept in the outbox."),
    _field("dropped", "1", ">= 0", "Windows of all runs dropped because the outbox was full or too old."),
    # consent, replies, requests
    _field("channels", "-", "channels", "Channels the agent consents to."),
    _field("research", "-", "true or false", "Whether the agent consents to pseudonymous research."),
    _field("at", "-", "UTC", "When it happened."),
    _field("id", "-", "[a-z0-9]{8,32}", "Identity of this message, so that a retelling counts once."),
    _field("kind", "-", "one of the kinds", "What sort of reply, request, notice, alert or audit entry."),
    _field("answer", "-", "true or false", "The agent's yes or no."),
    _field("demanding", "1", "0 to 10", "Self-report: how demanding the work is."),
    _field("recovered", "1", "0 to 10", "Self-report: how recovered the agent feels."),
    _field("alert_id", "-", "[a-z0-9]{8,32}", "Hash of agent (or team) and the start of the episode."),
    # clock, context
    _field("edge_sent_at", "-", "UTC", "Edge clock when the question left."),
    _field("server_at", "-", "UTC", "Server clock when it answered."),
    _field("state", "-", "one of the states", "Telephony state, state of an alert, or the word on a person's row."),
    # alerts
    _field("agent", "-", _ID, "Pseudonym of the agent concerned."),
    _field("team", "-", _ID, "Team concerned."),
    _field("started_at", "-", "UTC", "Start of the episode."),
    _field("told_at", "-", "UTC", "When supervisors were told."),
    _field("resolved_at", "-", "UTC", "When the evidence was gone."),
    _field("closed_at", "-", "UTC", "When a decision closed it."),
    _field("contributions", "-", "up to 3", "Which parts differ most and in which direction."),
    _field("part", "-", "heart, typing, pointer, voice, skin, ...", "Group of signals in words a supervisor knows."),
    _field("level", "1", "-2 to 2", "Well below, below, as usual, above, well above the agent's own usual range."),
    _field("unknown", "-", "channels", "Channels that could not be judged."),
    _field("affected", "1", ">= 0", "Agents of the team that differ together."),
    _field("team_size", "1", ">= 0", "Agents of the team that could be judged."),
    _field("taken_by", "-", _ID, "Supervisor who took it."),
    _field("taken_at", "-", "UTC", "When it was taken."),
    _field("decision", "-", "one of the decisions", "What the supervisor decided."),
    _field("escalated", "1", ">= 0", "How often it went on to the next supervisor on duty."),
    _field("repeated_at", "-", "UTC", "When it was last told again, because everybody was told and nobody took it."),
    _field("told_to", "-", "supervisors", "Who is told, in order."),
    _field("detector_version", "-", "up to 64 characters", "Version of the detector that scored."),
    # decisions, audit, notices
    _field("by", "-", _ID, "The authenticated person."),
    _field("action", "-", "one of the actions", "Take, decide or record what followed."),
    _field("to", "-", _ID, "Supervisor it is handed to."),
    _field("reason", "-", "up to 64 characters", "Reason from a short list."),
    _field("note", "-", "up to 500 characters", "Free words of the supervisor."),
    _field("follow_up_at", "-", "UTC", "When to look again."),
    _field("outcome", "-", "one of the outcomes", "What followed."),
    _field("until_at", "-", "UTC", "When a silence ends."),
    _field("request", "-", "one of the requests", "What the agent asked for."),
    _field("fault", "-", "one of the faults", "Class of a technical fault."),
    _field("channel", "-", "channel", "Channel concerned."),
    # mirror: what is held about an agent, for the agent alone
    _field("strain_index", "1", "0 to 100", "This project's composite of deviations; the agent's own to see."),
    _field("evidence", "1", ">= 0", "What has gathered so far in the sequential test."),
    _field("threshold", "1", ">= 0", "Evidence from which a supervisor would be told."),
    _field("usual", "-", "up to 64", "The agent's usual range of each scored feature."),
    _field("feature", "-", "a feature's name", "Scored feature, from the detector's table."),
    _field("unit", "-", "up to 16 characters", "Unit of the feature."),
    _field("low", "unit", "<= high", "Lower end of the usual range."),
    _field("high", "unit", ">= low", "Upper end of the usual range."),
    _field("hours", "h", ">= 0", "How much measuring the range rests on."),
    _field("now", "unit", "any", "The feature's present value."),
)})
# fmt: on


@cache
def of_channel(channel: Channel) -> tuple[Signal, ...]:
    """Return the signals of `channel` in catalogue order."""
    return tuple(s for s in _CATALOGUE if s.channel is channel)


def signal(name: str) -> Signal:
    """Return the catalogue entry called `name`.

    Raises
    ------
    ConfigurationError
        If there is none; the text lists the known names.
    """
    try:
        return SIGNALS[name]
    except KeyError:
        known = ", ".join(SIGNALS)
        raise ConfigurationError(f"unknown signal {name!r}; known signals: {known}") from None


def readable_names() -> Iterable[str]:
    """Return the names a collector or recording may deliver (not the derived ones)."""
    return (s.name for s in _CATALOGUE if s.reduces is None)
