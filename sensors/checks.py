"""Checks that messages make when they are built: each refuses with field, value and range."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import isfinite

from sensors.errors import MessageError, Refusal

SCHEMA_VERSION = 1
"""Version this code writes; it reads this one and the one before."""

MAX_SEQ = 2**53
"""Exactly representable by every JSON reader."""

MAX_TEXT = 500

_IDENTITY = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_TOKEN = re.compile(r"[a-z0-9]{8,32}")
_MAX_SHOWN = 60


def refuse(name: str, value: object, expected: str) -> MessageError:
    """Return the refusal of `value`, out of what field `name` may be."""
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
        raise refuse(name, value, "lower-case letters, digits, - and _, up to 32")
    return value


def check_person(name: str, value: str | None) -> None:
    """Refuse what is neither unknown nor an identity."""
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
        raise refuse(name, value, "8 to 32 lower-case letters and digits")


def check_count(name: str, value: int | None, limit: int = MAX_SEQ) -> None:
    """Refuse what is neither unknown nor 0 to `limit`."""
    if value is not None and not 0 <= value <= limit:
        raise refuse(name, value, f"0 to {limit}")


def check_finite(name: str, value: float | None) -> None:
    """Refuse NaN and the infinities."""
    # NaN would compare as "not late" and turn into null on the wire.
    if value is not None and not isfinite(value):
        raise refuse(name, value, "a finite number")


def check_utc(name: str, value: datetime | None) -> None:
    """Refuse a time that is not aware and in UTC."""
    # Most times are of the codec's own making: what they are is seen at a glance.
    if value is not None and value.tzinfo is not UTC and value.utcoffset() != timedelta(0):
        raise refuse(name, value.isoformat(), "a time in UTC")


def check_schema(value: int) -> None:
    """Refuse a schema version that this code does not read."""
    if value not in (SCHEMA_VERSION, SCHEMA_VERSION - 1) or value < 1:
        raise MessageError(
            Refusal.SCHEMA_VERSION,
            f"schema is {value}; this version reads {SCHEMA_VERSION}"
            + (f" and {SCHEMA_VERSION - 1}" if SCHEMA_VERSION > 1 else ""),
        )


def check_text(name: str, value: str | None, limit: int = MAX_TEXT) -> None:
    """Refuse a text longer than `limit` characters."""
    if value is not None and len(value) > limit:
        raise refuse(name, f"{len(value)} characters", f"at most {limit}")


def check_quality(value: float | None) -> None:
    """Refuse what is neither unknown nor 0 to 1."""
    if value is not None and not 0.0 <= value <= 1.0:
        raise refuse("quality", value, "0 to 1")
