"""``[edge]``: who sends, from where, with which collectors."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from sensors.desk.combination import parse_combination
from sensors.edge.consent.shift import Shift
from sensors.edge.outbox.outbox import MAX_AGE_S, MAX_WINDOWS
from sensors.edge.telling.reminder import EVERY_MIN, LONGEST_MIN
from sensors.errors import ConfigurationError, MessageError
from sensors.messages import check_identity
from sensors.words import LANGUAGES


def default_source() -> str:
    """Return this computer's name as an identity."""
    name = re.sub(r"[^a-z0-9_-]+", "-", socket.gethostname().partition(".")[0].lower())
    return name.strip("-_")[:32] or "pc"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """``[edge]``: the agent's process.

    Parameters
    ----------
    site, agent, source : str
        Identities; `agent` is a pseudonym. `source` names this edge, by
        default after the computer.
    state_dir : str
        Where outbox and consent are kept; empty takes the system's place for
        a person's program state.
    collectors : tuple of str
        Which collectors run: simulated, replay, heart_rate, hid, voice, or a
        third party's by its entry-point name.
    options : dict
        ``[edge.options.NAME]``: the options of one collector.
    shifts : tuple of Shift
        When capture may happen; none declared means whenever the edge runs.
    max_windows, max_age_s : int, float
        Bounds of the outbox. [s]
    backlog_per_s : float
        Most windows a second sent beside the live ones. [1/s]
    resend_after_s : float
        How long a window may stay unconfirmed by the server. [s]
    keyring : bool
        Whether the key of what waits here may lie in the system's keyring;
        otherwise it lies in a file that only its owner can read.
    page : bool
        Whether the agent's own page is served on the loopback address.
    language : str
        Of terminal and page, en or zh_CN; empty asks the system and the browser.
    watch_lock : bool
        Whether measuring stops while the screen is locked.
    idle_min : float
        After how many minutes without a key or the mouse, outside calls, it
        stops likewise; 0 for never. Looked at only while keyboard or mouse
        may be measured. [min]
    hotkey : str
        Pauses and resumes, such as ``<ctrl>+<alt>+p``; empty for none.
    """

    site: str = "main"
    agent: str = ""
    source: str = field(default_factory=default_source)
    state_dir: str = ""
    collectors: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    shifts: tuple[Shift, ...] = ()
    max_windows: int = MAX_WINDOWS
    max_age_s: float = MAX_AGE_S
    backlog_per_s: float = 20.0
    resend_after_s: float = 10.0
    keyring: bool = True
    page: bool = True
    watch_lock: bool = True
    idle_min: float = 10.0
    hotkey: str = ""
    language: str = ""
    break_reminder_min: float = EVERY_MIN
    private: bool = False

    def __post_init__(self) -> None:
        for key in ("site", "agent", "source"):
            value = getattr(self, key)
            if key == "agent" and not value:
                continue  # checked by `require_agent` where one is needed
            try:
                check_identity(key, value)
            except MessageError as error:
                raise ConfigurationError(f"[edge] {error.detail}") from None
        if self.hotkey:
            parse_combination(self.hotkey)
        bounds = {
            "max_windows": 1,
            "max_age_s": 1,
            "backlog_per_s": 0.1,
            "resend_after_s": 0.1,
            "idle_min": 0,
        }
        for key, least in bounds.items():
            if not getattr(self, key) >= least:
                raise ConfigurationError(
                    f"[edge] {key} is {getattr(self, key)!r}; expected {least} or more"
                )
        if not 0 <= self.break_reminder_min <= LONGEST_MIN:
            raise ConfigurationError(
                f"[edge] break_reminder_min is {self.break_reminder_min:g};"
                f" expected 1 to {LONGEST_MIN:g} minutes, or 0 for no reminder"
            )
        if self.language and self.language not in LANGUAGES:
            raise ConfigurationError(
                f"[edge] language is {self.language!r}; expected one of {', '.join(LANGUAGES)}"
            )
        if self.max_age_s > MAX_AGE_S:
            raise ConfigurationError(
                f"[edge] max_age_s is {self.max_age_s:g}; at most {MAX_AGE_S:g} (72 hours) are kept"
            )

    def require_agent(self) -> str:
        """Return the agent.

        Raises
        ------
        ConfigurationError
            If none was given.
        """
        if not self.agent:
            raise ConfigurationError(
                "[edge] agent is not set; give the agent's pseudonym there or with --agent"
            )
        return self.agent

    @property
    def root(self) -> Path:
        """The folder of all state."""
        if self.state_dir:
            return Path(self.state_dir).expanduser()
        return user_state_path("agent-wellbeing", appauthor=False)

    @property
    def folder(self) -> Path:
        """The folder of this agent's state."""
        return self.root / self.site / self.require_agent()

    def options_of(self, collector: str) -> dict[str, Any]:
        """Return one collector's options; the headset's is told where a claim is kept."""
        remembered = {"claim_path": str(self.claim_path)} if collector == "heart_rate" else {}
        return {**remembered, **self.options.get(collector, {})}

    @property
    def claim_path(self) -> Path:
        """Where the agent's claim of a headset is kept."""
        return self.folder / "headset.json"

    @property
    def consent_path(self) -> Path:
        """Where the agent's choices are kept; one file for all of a person's edges here."""
        return self.folder / "consent.json"

    @property
    def outbox_path(self) -> Path:
        """Where windows wait."""
        return self.folder / f"outbox-{self.source}.sqlite"

    @property
    def told_path(self) -> Path:
        """Where it stands when the agent was interrupted; one file for all of a person's edges here."""
        return self.folder / "told.json"

    @property
    def own_path(self) -> Path:
        """Where the agent's own record is kept."""
        return self.folder / f"own-{self.source}.sqlite"

    @property
    def page_path(self) -> Path:
        """Where the agent's page keeps what it remembers."""
        return self.folder / "page.json"

    @property
    def control_path(self) -> Path:
        """Where a running edge says how to talk to it."""
        return self.folder / f"control-{self.source}.json"
