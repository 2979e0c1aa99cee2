"""What is scored: one row per feature, grouped into parts a supervisor has words for.

The detector, the explanation and the screens all follow from this table. It
is chosen to be small, physiologically signed and the same for everyone;
numbers were not fitted to the recordings they are judged on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sensors.signals import Channel


class Part(StrEnum):
    """A group of features under one word; what an explanation names."""

    HEART = "heart"
    SKIN = "skin"
    TYPING = "typing"
    POINTER = "pointer"
    VOICE = "voice"


PARTS: tuple[Part, ...] = tuple(Part)

PART_CHANNEL: dict[Part, Channel] = {
    Part.HEART: Channel.HEART,
    Part.SKIN: Channel.MODULES,
    Part.TYPING: Channel.KEYBOARD,
    Part.POINTER: Channel.POINTER,
    Part.VOICE: Channel.VOICE,
}
"""The consent each part rests on."""


@dataclass(frozen=True, slots=True)
class Response:
    """How a part responds to strain.

    Parameters
    ----------
    effect : float
        How strongly a deviation of one spread speaks for strain where the part
        reacts. [natural logarithm of a likelihood ratio]
    chance : float
        How often it reacts, 0 to 1: not everybody does in every part.
    """

    effect: float
    chance: float


RESPONSE: dict[Part, Response] = {
    Part.HEART: Response(1.0, 0.5),
    Part.SKIN: Response(1.0, 0.5),
    Part.TYPING: Response(0.5, 0.35),
    Part.POINTER: Response(0.3, 0.3),
    Part.VOICE: Response(0.7, 0.4),
}
"""What is expected of each part: rounded readings of the literature, fitted to nobody.

Between two normal distributions of the same spread, d apart, one spread more
changes the log-likelihood ratio by d. Heart rate and skin conductance respond
by about one spread and most often (Kim et al. 2018; Boucsein 2012), pitch by
about 0.6 to 0.7 (Giddens et al. 2013), typing by about 0.4 to 0.8 (Vizer et
al. 2009), the pointer least and least surely (Freihaut & Goeritz 2021).
"""

UNKNOWN_LEVEL = -128
"""Level of a part that could not be judged: unknown is a state of its own (TRUST T13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One scored feature.

    Parameters
    ----------
    name : str
        Name in the store.
    part : Part
    unit : str
    sign : int
        +1 if strain raises it, -1 if strain lowers it.
    weight : float
        Share within its part, >= 0; 0 is measured and stored, never scored.
    horizon_s : float
        Time constant of the agent's own reference. [s]
    scale : float
        Usual spread around that reference before the agent's own is known: the
        shipped prior. [unit]
    floor : float
        The agent's own spread is never taken below this. [unit]
    source : str
        Where sign and scale come from.
    """

    name: str
    part: Part
    unit: str
    sign: int
    weight: float
    horizon_s: float
    scale: float
    floor: float
    source: str


_HOUR = 3600.0
"""Heart, hands and voice are compared with the last hour. [s]"""

_TWENTY_MINUTES = 1200.0
"""Skin conductance drifts with skin, room and electrode: only its recent past compares. [s]"""

_KIM = "Kim et al. 2018, Psychiatry Investig. 15(3):235: under stress rate rises, RMSSD falls"
_STRESS_PREDICT = "Iqbal et al. 2022, Sensors 22(21):8135: +3.9 bpm, the plain reference's floor"
_DEVICE = "smoothed by the device in its own way; stands in where it delivers no beats"
_BOUCSEIN = "Boucsein 2012, Electrodermal Activity, 2nd ed.: the level rises with arousal"
_COARSE = "Boucsein 2012: responses come more often; from 5 s medians only some are seen"
_VINKERS = "Vinkers et al. 2013, Stress 16(5):520: fingers cool under stress, other skin may not"
_MOVEMENT = "disturbs heart and skin; what it says by itself is not settled"
_VIZER = "Vizer et al. 2009, Int. J. Hum.-Comput. Stud. 67:870: hesitant, corrected typing"
_HERNANDEZ = "Hernandez et al. 2014, CHI: keys are struck harder under stress, hence shorter"
_FREIHAUT = "Freihaut & Goeritz 2021, Behav. Res. Methods 53:2281: small, uncertain effects"
_GIDDENS = "Giddens et al. 2013, J. Voice 27(3):390: pitch rises; rate and level less surely"
_STORED = "stored for research; its direction under strain is not settled"


def _f(  # noqa: PLR0917 - the rows below read as a table
    name: str,
    part: Part,
    unit: str,
    sign: int,
    weight: float,
    horizon_s: float,
    spread: tuple[float, float],
    source: str,
) -> Feature:
    scale, floor = spread
    return Feature(
        name=name,
        part=part,
        unit=unit,
        sign=sign,
        weight=weight,
        horizon_s=horizon_s,
        scale=scale,
        floor=floor,
        source=source,
    )


# fmt: off
FEATURES: tuple[Feature, ...] = (
    _f("heart_rate_bpm", Part.HEART, "1/min", +1, 1.0, _HOUR, (6.0, 4.0), _STRESS_PREDICT),
    _f("device_rate_bpm", Part.HEART, "1/min", +1, 0.7, _HOUR, (6.0, 4.0), _DEVICE),
    _f("log_rmssd", Part.HEART, "ln(ms)", -1, 0.0, _HOUR, (0.35, 0.25), _KIM),
    _f("log_sdnn", Part.HEART, "ln(ms)", -1, 0.0, _HOUR, (0.35, 0.25), _STORED),
    _f("log_rmssd_5min", Part.HEART, "ln(ms)", -1, 0.0, _HOUR, (0.3, 0.2), _KIM),
    _f("log_sdnn_5min", Part.HEART, "ln(ms)", -1, 0.0, _HOUR, (0.3, 0.2), _STORED),
    _f("log_eda", Part.SKIN, "ln(uS)", +1, 1.0, _TWENTY_MINUTES, (0.25, 0.2), _BOUCSEIN),
    _f("eda_rises_per_min", Part.SKIN, "1/min", +1, 0.0, _HOUR, (1.5, 1.0), _COARSE),
    _f("skin_temp_c", Part.SKIN, "degC", -1, 0.0, _TWENTY_MINUTES, (0.5, 0.3), _STORED),
    _f("skin_temp_slope_c_min", Part.SKIN, "degC/min", -1, 0.0, _HOUR, (0.05, 0.02), _VINKERS),
    _f("movement_g", Part.SKIN, "g", +1, 0.0, _HOUR, (0.03, 0.02), _MOVEMENT),
    _f("dwell_ms", Part.TYPING, "ms", -1, 0.5, _HOUR, (15.0, 8.0), _HERNANDEZ),
    _f("flight_ms", Part.TYPING, "ms", -1, 0.0, _HOUR, (60.0, 30.0), _STORED),
    _f("typing_rate_hz", Part.TYPING, "1/s", +1, 0.0, _HOUR, (1.0, 0.5), _STORED),
    _f("correction_ratio", Part.TYPING, "1", +1, 1.0, _HOUR, (0.05, 0.03), _VIZER),
    _f("typing_pause_ratio", Part.TYPING, "1", +1, 0.0, _HOUR, (0.1, 0.05), _VIZER),
    _f("pointer_speed_px_s", Part.POINTER, "px/s", +1, 1.0, _HOUR, (150.0, 80.0), _FREIHAUT),
    _f("click_rate_hz", Part.POINTER, "1/s", +1, 0.0, _HOUR, (0.2, 0.1), _STORED),
    _f("f0_st", Part.VOICE, "semitone", +1, 1.0, _HOUR, (1.0, 0.6), _GIDDENS),
    _f("loudness_db", Part.VOICE, "dB", +1, 0.5, _HOUR, (3.0, 2.0), _GIDDENS),
    _f("speech_rate_hz", Part.VOICE, "1/s", +1, 0.5, _HOUR, (0.6, 0.4), _GIDDENS),
    _f("pause_ratio", Part.VOICE, "1", -1, 0.0, _HOUR, (0.15, 0.1), _STORED),
    _f("jitter_local", Part.VOICE, "1", +1, 0.0, _HOUR, (0.005, 0.003), _STORED),
)
# fmt: on

FEATURE_INDEX: dict[str, int] = {feature.name: i for i, feature in enumerate(FEATURES)}
"""Column of each feature in every ``(n, d)`` array."""
