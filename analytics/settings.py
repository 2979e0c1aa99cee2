"""``[server]`` of the configuration, and the checks that need more than one table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from sensors.config import BrokerSettings
from sensors.errors import ConfigurationError, MessageError
from sensors.messages import check_identity


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """``[server]``: one site's server process.

    Parameters
    ----------
    site : str
        The site it serves; one process per site.
    teams : str
        The ``teams.toml`` file.
    state_dir : str
        Directory of ``server.sqlite``; empty for the place the system has for
        an application's data, one folder per site.
    journal_hours : float
        How long scored input is kept, at most 24. [h] (TRUST T18)
    journal_rows : int
        And at most so many windows.
    spool_mb : int
        How much may wait on disk for the store; beyond it the oldest is
        dropped and counted. [MB]
    metrics_port : int
        Where `/metrics`, `/health` and `/ready` are answered; 0 is nowhere.
    metrics_host : str
        Address to answer on. They tell nothing about a person, and anybody who
        reaches the address may ask: without need, leave it at this machine.
    erase_on_request : bool
        Whether an agent's own request to be erased is carried out at once. Only
        where the broker lets each agent write their own topics alone
        (``deploy/mosquitto``): that is the proof of who asks. Otherwise an
        administrator carries it out (`wellbeing agent requests`).
    """

    site: str = "main"
    teams: str = ""
    state_dir: str = ""
    journal_hours: float = 24.0
    journal_rows: int = 500_000
    spool_mb: int = 4_096
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"
    erase_on_request: bool = False

    def __post_init__(self) -> None:
        try:
            check_identity("site", self.site)
        except MessageError as error:
            raise ConfigurationError(f"[server] {error.detail}") from None
        if not 0 < self.journal_hours <= 24:
            raise ConfigurationError(
                f"[server] journal_hours is {self.journal_hours}; expected above 0, at most 24"
            )
        if not 0 <= self.metrics_port <= 65_535:
            raise ConfigurationError(
                f"[server] metrics_port is {self.metrics_port}; expected 0 (off) to 65535"
            )
        for key in ("journal_rows", "spool_mb"):
            value = getattr(self, key)
            if value < 1:
                raise ConfigurationError(f"[server] {key} is {value}; expected 1 or more")

    def directory(self) -> Path:
        """Return where the state of this site is kept."""
        if self.state_dir:
            return Path(self.state_dir).expanduser()
        return platformdirs.user_data_path("agent-wellbeing") / f"server-{self.site}"

    def teams_file(self) -> Path:
        """Return the teams file.

        Raises
        ------
        ConfigurationError
            If none is named.
        """
        if not self.teams:
            raise ConfigurationError(
                "[server] teams is not set; name the teams.toml that says which agent"
                " belongs to which team (or pass --teams)"
            )
        return Path(self.teams).expanduser()


def may_erase_on_request(settings: ServerSettings, broker: BrokerSettings) -> bool:
    """Return whether agents are erased at their own request.

    Raises
    ------
    ConfigurationError
        If that is wanted and the broker knows nobody by name: it proves nothing then.
    """
    if settings.erase_on_request and not broker.username:
        raise ConfigurationError(
            "[server] erase_on_request is true and [broker] username is not set; a broker that"
            " lets anybody in cannot prove who asks: give it users and rules (deploy/mosquitto)"
        )
    return settings.erase_on_request
