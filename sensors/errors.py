"""The error tree of the whole project: every error says who must act.

Each error derives from :class:`WellbeingError` *and* from the nearest
built-in, so that callers who know nothing about this project still catch it.
`exit_code` is what the command line returns for it.
"""

from __future__ import annotations

from enum import StrEnum


class WellbeingError(Exception):
    """Anything this project raises on purpose; its text says what to do next."""

    exit_code = 1


class ConfigurationError(WellbeingError, ValueError):
    """You must act: a key, value, file or argument is not what was expected."""

    exit_code = 2


class RecordingError(ConfigurationError):
    """You must act: a recording cannot be read; names file, line and remedy."""


class DeviceError(WellbeingError, OSError):
    """The device or module must be looked at: absent, silent or talking nonsense."""

    exit_code = 3


class MissingExtraError(WellbeingError, ImportError):
    """You must install an optional part; the text holds the pip command."""

    exit_code = 4


class BrokerError(WellbeingError, ConnectionError):
    """The MQTT broker cannot be reached or refuses us."""

    exit_code = 5


class StoreError(WellbeingError, OSError):
    """The database cannot be reached, refuses us, or refused a batch."""

    exit_code = 6


class StoreUnreachableError(StoreError):
    """The database does not answer: it may have been restarted since it last did."""


class StoreBusyError(StoreError):
    """The database has too much to do just now; `retry_after_s` is what it asked for, if it did."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreRefusedError(StoreError):
    """The database refuses a batch, in words that do not tell whether its points are at fault."""


class CannotEraseError(StoreError):
    """A database that deletes no points: a person must choose what to do instead."""


class StateError(WellbeingError, RuntimeError):
    """A file of our own state (outbox, journal, snapshot) is damaged or too new."""

    exit_code = 7


class InsufficientDataError(WellbeingError, ValueError):
    """Too few values to compute the quantity; unknown is not zero."""


class Refusal(StrEnum):
    """Why a message was set aside: one word each, used in counters and tables."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    SCHEMA_VERSION = "schema_version"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_SIGNAL = "unknown_signal"
    UNKNOWN_AGENT = "unknown_agent"
    UNKNOWN_TOPIC = "unknown_topic"
    NOT_CONSENTED = "not_consented"
    ERASED = "erased"  # of somebody who was erased, and from before they consented anew
    FAULT = "fault"  # ours, not the sender's: accepted, and then our own program failed on it


class MessageError(WellbeingError, ValueError):
    """The sender must act: a message cannot be accepted and is set aside.

    Parameters
    ----------
    refusal : Refusal
        The class of the fault, for counters.
    detail : str
        What was wrong, naming field and value; never a whole payload.
    """

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(f"{refusal}: {detail}")
        self.refusal = refusal
        self.detail = detail
