"""What the server tells an agent about themselves, and nobody else (TRUST T10).

Everything that is held about the person and used to judge: the state others
see, the index, the evidence and its threshold, and each feature's usual range
with the hours it rests on. It travels on the agent's own topic only; no
supervisor's screen and no store of others ever carries it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import inf

from sensors.checks import (
    SCHEMA_VERSION,
    check_finite,
    check_quality,
    check_schema,
    check_text,
    check_utc,
    refuse,
)
from sensors.vocabulary import PersonState

_MAX_USUAL = 64  # more features than the detector will ever have; bounds the message
_MAX_NAME, _MAX_UNIT = 32, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualRange:
    """One scored feature: the agent's own usual range, and where it lies now.

    Parameters
    ----------
    feature : str
        Name from the detector's table of features.
    unit : str
    low, high : float
        The usual range. [unit]
    hours : float
        How many hours of measuring the range rests on; 0 means that it is
        still everybody's, not this agent's own. [h]
    now : float or None
        The present value, ``None`` when unknown. [unit]
    """

    feature: str
    unit: str
    low: float
    high: float
    hours: float
    now: float | None = None

    def __post_init__(self) -> None:
        # A server makes thousands a minute: one look for what is right, more for what is not.
        if (
            -inf < self.low <= self.high < inf
            and 0 <= self.hours < inf
            and (self.now is None or -inf < self.now < inf)
            and len(self.feature) <= _MAX_NAME
            and len(self.unit) <= _MAX_UNIT
        ):
            return
        self._refuse()

    def _refuse(self) -> None:
        check_text("feature", self.feature, _MAX_NAME)
        check_text("unit", self.unit, _MAX_UNIT)
        for name in ("low", "high", "hours", "now"):
            check_finite(name, getattr(self, name))
        if self.low > self.high:
            raise refuse("low", self.low, f"at most high, {self.high}")
        if self.hours < 0:
            raise refuse("hours", self.hours, "0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorMessage:
    """What is held about the agent at `at`, for the agent alone.

    Parameters
    ----------
    at : datetime
        UTC.
    state : PersonState
        The word the supervisor's screen shows.
    strain_index : float or None
        0 to 100; ``None`` when unknown.
    evidence, threshold : float or None
        What has gathered, and from where on a supervisor would be told.
    quality : float or None
        0 to 1.
    usual : tuple of UsualRange
        One per feature that this agent's channels can give.
    detector_version : str
    """

    at: datetime
    state: PersonState
    schema: int = SCHEMA_VERSION
    strain_index: float | None = None
    evidence: float | None = None
    threshold: float | None = None
    quality: float | None = None
    usual: tuple[UsualRange, ...] = ()
    detector_version: str = ""

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_utc("at", self.at)
        if self.strain_index is not None and not 0 <= self.strain_index <= 100:
            raise refuse("strain_index", self.strain_index, "0 to 100")
        for name in ("evidence", "threshold"):
            check_finite(name, getattr(self, name))
        check_quality(self.quality)
        check_text("detector_version", self.detector_version, 64)
        if len(self.usual) > _MAX_USUAL:
            raise refuse("usual", len(self.usual), f"at most {_MAX_USUAL}")
