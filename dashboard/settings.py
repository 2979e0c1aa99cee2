"""``[dashboard]``: whose screen this is, of which site, and where it listens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analytics.store.groups import SMALLEST
from analytics.store.settings import StoreSettings
from sensors import config
from sensors.command_line import broker_settings, read_tables
from sensors.config import BrokerSettings
from sensors.errors import ConfigurationError, MessageError
from sensors.messages import check_identity
from sensors.mqtt import LOOPBACK
from sensors.policy import ALERTS_PER_SUPERVISOR_HOUR, PolicySettings
from sensors.words import LANGUAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """The table ``[dashboard]``.

    Parameters
    ----------
    site : str
        Site shown; one dashboard shows one.
    supervisor : str
        Login of the person in front of it, as in ``teams.toml``; ``--as`` on
        the command line. There is no sign-in yet, hence `address`.
    teams, roster : str
        Paths of ``teams.toml`` and ``roster.toml``; an empty roster shows pseudonyms.
    language : str
        ``en``, ``zh_CN`` or empty for the browser's.
    address : str
        Loopback only until there are roles (TRUST, first paragraph).
    port : int
    """

    site: str = ""
    supervisor: str = ""
    teams: str = "teams.toml"
    roster: str = ""
    language: str = ""
    address: str = "127.0.0.1"
    port: int = 8501

    def __post_init__(self) -> None:
        for key, flag in (("site", "--site"), ("supervisor", "--as")):
            value = getattr(self, key)
            if not value:
                raise ConfigurationError(
                    f"[dashboard] {key} is not set; give it there or as {flag}"
                )
            try:
                check_identity(key, value)
            except MessageError as error:
                raise ConfigurationError(f"[dashboard] {error.detail}") from None
        if self.language and self.language not in LANGUAGES:
            raise ConfigurationError(
                f"[dashboard] language is {self.language!r}; expected one of {', '.join(LANGUAGES)}"
            )
        if self.address not in LOOPBACK:
            raise ConfigurationError(
                f"[dashboard] address is {self.address!r}; only 127.0.0.1 is served until there "
                "are roles: whoever reaches this page sees people's states"
            )
        if not 1 <= self.port <= 65_535:
            raise ConfigurationError(f"[dashboard] port is {self.port}; expected 1 to 65535")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything one dashboard needs to know.

    `alerts_per_supervisor_hour` is the ceiling in ``[policy]`` that the server keeps,
    `smallest_group` the fewest people that a figure may be about.
    """

    dashboard: DashboardSettings
    broker: BrokerSettings
    store: StoreSettings
    alerts_per_supervisor_hour: int = ALERTS_PER_SUPERVISOR_HOUR
    smallest_group: int = SMALLEST


def load(
    path: Path | None, broker: str | None = None, /, **overrides: str | int | None
) -> Settings:
    """Return the settings in the file at `path`, the environment and `overrides`.

    Parameters
    ----------
    path : Path or None
        Configuration file; ``None`` takes defaults and the environment.
    broker : str or None
        ``HOST`` or ``HOST:PORT`` instead of what stands in ``[broker]``.
    overrides
        Keys of ``[dashboard]`` from the command line; ``None`` means not given.

    Raises
    ------
    ConfigurationError
        Naming table, key, value and what was expected; or if the profile in
        the file lets no supervisor see anything.
    """
    tables = read_tables(path)
    policy = PolicySettings.check(tables)
    ceiling = policy.alerts_per_supervisor_hour if policy else ALERTS_PER_SUPERVISOR_HOUR
    return Settings(
        dashboard=config.section(tables, "dashboard", DashboardSettings, None, **overrides),
        broker=broker_settings(tables, broker),
        store=config.section(tables, "store", StoreSettings),
        alerts_per_supervisor_hour=ceiling,
        smallest_group=policy.smallest_group if policy else SMALLEST,
    )
