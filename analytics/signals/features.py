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
    Part.TYPING: Response(1.0, 0.5),
    Part.POINTER: Response(0.5, 0.5),
    Part.VOICE: Response(1.0, 0.5),
}
"""What is expected of each part: this project's judgement, fitted to nobody.

Between two normal distributions of the same spread, d apart, one spread more
changes the log-likelihood ratio by d. Only the heart's effect rests on a
pooled size: 0.85 in social stress tests (Helminen et al. 2021). Of the others
the literature tells a direction and no size: skin conductance and pitch mostly
rise (Wearne et al. 2019, Giddens et al. 2013), more mistakes are typed (Naegelin
et al. 2023). What is not known is taken to be as large: who reacts in hands or
voice alone would else hardly be found. For the pointer 994 people showed nothing
clear (Freihaut et al. 2021): half.
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
        Where the sign comes from. Scales and floors are this project's own
        judgement of a calm adult at a desk.
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

_KIM = "Kim et al. 2018, Psychiatry Investig. 15(3):235: vagal part mostly falls in stress"
_HELMINEN = "Helminen et al. 2021, Psychosom. Med. 83(3):200: rises in stress tests, effect 0.85"
_DEVICE = "smoothed by the device in its own way; stands in where it delivers no beats"
_WEARNE = "Wearne et al. 2019, Int. J. Psychophysiol. 141:76: rises in a social stress test"
_COARSE = "stored for research: rises with arousal; 5 s medians see only some responses"
_VINKERS = "Vinkers et al. 2013, Stress 16(5):520: fingers cool under stress, other skin may not"
_MOVEMENT = "disturbs heart and skin; what it says by itself is not settled"
_NAEGELIN = "Naegelin et al. 2023, J. Biomed. Inform. 139:104299: more mistakes under stress"
_HERNANDEZ = "Hernandez et al. 2014, CHI: keys are pressed harder in stress; shorter: our guess"
_FREIHAUT = "our guess; Freihaut et al. 2021, Behav. Res. Methods 53:2281: no clear effect"
_GIDDENS = "Giddens et al. 2013, J. Voice 27(3):390.e21: pitch mostly rises, not in everybody"
_LIVELIER = "our guess: livelier speech is louder and faster; the literature is divided"
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
    _f("heart_rate_bpm", Part.HEART, "1/min", +1, 1.0, _HOUR, (6.0, 4.0), _HELMINEN),
    _f("device_rate_bpm", Part.HEART, "1/min", +1, 0.7, _HOUR, (6.0, 4.0), _DEVICE),
    _f("log_rmssd", Part.HEART, "ln(ms)", -1, 0.0, _HOUR, (0.35, 0.25), _KIM),
    _f("log_sdnn", Part.HEART, "ln(ms)", -1, 0.0, _HOUR, (0.35, 0.25), _STORED),
    _f("log_rmssd_5min", Part.HEART, "ln(ms)", -1, 0.0, _HOUR, (0.3, 0.2), _KIM),
    _f("log_sdnn_5min", Part.HEART, "ln(ms)", -1, 0.0, _HOUR, (0.3, 0.2), _STORED),
    _f("log_eda", Part.SKIN, "ln(uS)", +1, 1.0, _TWENTY_MINUTES, (0.25, 0.2), _WEARNE),
    _f("eda_rises_per_min", Part.SKIN, "1/min", +1, 0.0, _HOUR, (1.5, 1.0), _COARSE),
    _f("skin_temp_c", Part.SKIN, "degC", -1, 0.0, _TWENTY_MINUTES, (0.5, 0.3), _STORED),
    _f("skin_temp_slope_c_min", Part.SKIN, "degC/min", -1, 0.0, _HOUR, (0.05, 0.02), _VINKERS),
    _f("movement_g", Part.SKIN, "g", +1, 0.0, _HOUR, (0.03, 0.02), _MOVEMENT),
    _f("dwell_ms", Part.TYPING, "ms", -1, 0.5, _HOUR, (15.0, 4.0), _HERNANDEZ),
    _f("flight_ms", Part.TYPING, "ms", -1, 0.0, _HOUR, (60.0, 30.0), _STORED),
    _f("typing_rate_hz", Part.TYPING, "1/s", +1, 0.0, _HOUR, (1.0, 0.5), _STORED),
    _f("correction_ratio", Part.TYPING, "1", +1, 1.0, _HOUR, (0.05, 0.015), _NAEGELIN),
    _f("typing_pause_ratio", Part.TYPING, "1", +1, 0.0, _HOUR, (0.1, 0.05), _STORED),
    _f("pointer_speed_px_s", Part.POINTER, "px/s", +1, 1.0, _HOUR, (150.0, 40.0), _FREIHAUT),
    _f("click_rate_hz", Part.POINTER, "1/s", +1, 0.0, _HOUR, (0.2, 0.1), _STORED),
    _f("f0_st", Part.VOICE, "semitone", +1, 1.0, _HOUR, (1.0, 0.3), _GIDDENS),
    _f("loudness_db", Part.VOICE, "dB", +1, 0.5, _HOUR, (3.0, 1.0), _LIVELIER),
    _f("speech_rate_hz", Part.VOICE, "1/s", +1, 0.5, _HOUR, (0.6, 0.2), _LIVELIER),
    _f("pause_ratio", Part.VOICE, "1", -1, 0.0, _HOUR, (0.15, 0.1), _STORED),
    _f("jitter_local", Part.VOICE, "1", +1, 0.0, _HOUR, (0.005, 0.003), _STORED),
)
# fmt: on

FEATURE_INDEX: dict[str, int] = {feature.name: i for i, feature in enumerate(FEATURES)}
"""Column of each feature in every ``(n, d)`` array."""
