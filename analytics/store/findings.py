"""What set-up and check tell: findings with their remedy, accounts with their secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sensors.errors import StoreError

ROLES = ("writer", "dashboard", "researcher")
"""Who gets an account: the server process, the screens, people who study."""


class Level(StrEnum):
    """How bad a finding is."""

    GOOD = "good"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    what : str
        The thing: ``reachable``, ``account``, ``retention raw``, ...
    said : str
        What was found.
    remedy : str
        What to do; empty if nothing is to be done.
    """

    what: str
    level: Level
    said: str
    remedy: str = ""

    def line(self) -> str:
        """Return it as one line."""
        mark = {Level.GOOD: "ok", Level.WARNING: "!!", Level.WRONG: "XX"}[self.level]
        return f"{mark}  {self.what:<18} {self.said}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Account:
    """A new account; its secret is shown once, and kept nowhere here.

    Parameters
    ----------
    role : str
        One of :data:`ROLES`.
    username : str
        Empty where a token is all there is.
    """

    role: str
    username: str
    secret: str = field(repr=False)


class AccountsError(StoreError):
    """The server went away, or refused, while accounts were made.

    Parameters
    ----------
    message : str
        What happened.
    made : list of Account
        Those that are made: their secrets are known nowhere else.
    """

    def __init__(self, message: str, made: list[Account]) -> None:
        super().__init__(message)
        self.made = made
