"""``[policy]``: the profile an installation runs under, and what it forbids.

One table, so that start-up can explain it and refuse what it forbids (TRUST,
*Profiles*). A profile is chosen by the operator; there is no default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Literal

from sensors.config import section
from sensors.errors import ConfigurationError
from sensors.signals import Channel

ALERTS_PER_SUPERVISOR_HOUR = 2
"""Personal alerts a supervisor can answer in an hour beside the work (TRUST A1)."""


class Alerts(StrEnum):
    """Who hears of a personal alert."""

    ON = "on"
    AGENT_ONLY = "agent_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One row of the table.

    Parameters
    ----------
    forbidden : frozenset of Channel
        Channels the server refuses, whoever consented.
    alerts : Alerts
        Who hears of a personal alert.
    basis_lifts : bool
        Whether a recorded safety or medical basis lifts both.
    smallest_group : int
        Figures about fewer people are not shown (T16).
    explanation : str
        What start-up says.
    """

    forbidden: frozenset[Channel]
    alerts: Alerts
    basis_lifts: bool
    smallest_group: int
    explanation: str


PROFILES: dict[str, Profile] = {
    "general": Profile(
        forbidden=frozenset(),
        alerts=Alerts.ON,
        basis_lifts=False,
        smallest_group=5,
        explanation="every channel after the agent's consent; supervisors see alerts",
    ),
    "cn": Profile(
        forbidden=frozenset(),
        alerts=Alerts.ON,
        basis_lifts=False,
        smallest_group=5,
        explanation=(
            "as general, with separate consent per channel (edges always ask so);"
            " keep broker and database inside the site (PIPL)"
        ),
    ),
    "eu": Profile(
        forbidden=frozenset({Channel.VOICE}),
        alerts=Alerts.AGENT_ONLY,
        basis_lifts=True,
        smallest_group=5,
        explanation=(
            "voice is forbidden and everything stays with the agent"
            " (EU AI Act Art. 5(1)(f)), unless a safety or medical basis is recorded"
        ),
    ),
}

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """``[policy]``.

    Parameters
    ----------
    profile : {"general", "cn", "eu"}
        No default: the operator chooses.
    basis : {"", "safety", "medical"}
        The recorded legal basis, for ``eu``.
    basis_by, basis_on, basis_document : str
        Who recorded it, on which day (``2026-01-31``), and the SHA-256 of the
        document; all are needed with `basis`.
    smallest_group : int
        May be raised above the profile's.
    alerts_per_supervisor_hour : int
        Ceiling of personal alerts that one supervisor is told in an hour, 1 to
        6 (TRUST A1); the server keeps it, the dashboard shows it.
    """

    profile: str = ""
    basis: Literal["", "safety", "medical"] = ""
    basis_by: str = ""
    basis_on: str = ""
    basis_document: str = ""
    smallest_group: int = 5
    alerts_per_supervisor_hour: int = ALERTS_PER_SUPERVISOR_HOUR

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            given = f"is {self.profile!r}" if self.profile else "is not set"
            raise ConfigurationError(
                f"[policy] profile {given}; choose "
                + ", ".join(f"{name} ({row.explanation})" for name, row in PROFILES.items())
            )
        smallest = PROFILES[self.profile].smallest_group
        if self.smallest_group < smallest:
            raise ConfigurationError(
                f"[policy] smallest_group is {self.smallest_group}; expected {smallest} or more"
            )
        if not 1 <= self.alerts_per_supervisor_hour <= 6:
            raise ConfigurationError(
                f"[policy] alerts_per_supervisor_hour is {self.alerts_per_supervisor_hour};"
                " expected 1 to 6 (more cannot be read and believed)"
            )
        if self.basis:
            self._check_basis()

    def _check_basis(self) -> None:
        if not self.basis_by.strip():
            raise ConfigurationError("[policy] basis_by is missing; say who recorded the basis")
        try:
            date.fromisoformat(self.basis_on)
        except ValueError:
            raise ConfigurationError(
                f"[policy] basis_on is {self.basis_on!r}; expected a day such as '2026-01-31'"
            ) from None
        if not _SHA256.fullmatch(self.basis_document):
            raise ConfigurationError(
                f"[policy] basis_document is {self.basis_document!r};"
                " expected the SHA-256 of the document, 64 hexadecimal digits"
            )

    @property
    def forbidden(self) -> frozenset[Channel]:
        """Channels the server refuses."""
        return frozenset() if self._lifted else PROFILES[self.profile].forbidden

    @property
    def alerts(self) -> Alerts:
        """Who hears of a personal alert."""
        return Alerts.ON if self._lifted else PROFILES[self.profile].alerts

    @property
    def _lifted(self) -> bool:
        return bool(self.basis) and PROFILES[self.profile].basis_lifts

    def require_server(self) -> None:
        """Refuse to send to, run or show a server where all stays with the agent.

        Raises
        ------
        ConfigurationError
            If personal alerts may reach the agent only.
        """
        if self.alerts is Alerts.AGENT_ONLY:
            raise ConfigurationError(
                f"[policy] profile {self.profile!r} forbids that anything leaves the agent"
                f" ({PROFILES[self.profile].explanation}); set basis, basis_by, basis_on and"
                " basis_document, or choose another profile"
            )

    @classmethod
    def check(cls, tables: Mapping[str, Any]) -> PolicySettings | None:
        """Return ``[policy]``, refusing what it forbids; ``None`` where there is none.

        For edges and dashboards: the choice itself is asked for by the server,
        but a file that forbids sending must stop whoever reads it.

        Raises
        ------
        ConfigurationError
            If the table is wrong, or everything is to stay with the agent.
        """
        if "policy" not in tables:
            return None
        found = section(tables, "policy", cls)
        found.require_server()
        return found

    def explain(self) -> str:
        """Return what start-up says about the choice, one line."""
        text = f"profile {self.profile}: {PROFILES[self.profile].explanation}"
        if self._lifted:
            text += f"; {self.basis} basis recorded by {self.basis_by} on {self.basis_on}"
        return text
