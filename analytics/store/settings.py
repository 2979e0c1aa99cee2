"""``[store]`` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import platformdirs

from sensors.errors import ConfigurationError
from sensors.mqtt import LOOPBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """``[store]``: where what was measured, scored and decided is kept.

    Parameters
    ----------
    kind : {"embedded", "influxdb"}
        One SQLite file, or an InfluxDB server.
    path : str
        The file, for ``embedded``; empty for the place the system has for
        an application's data.
    url : str
        The server, for ``influxdb``. ``https`` is required off this machine.
    api : {"auto", "1", "2", "3"}
        Version to speak to; ``auto`` asks the server, and is right unless a
        proxy hides what it is.
    org : str
        Organization, for InfluxDB 2.x.
    username : str
        Account with a password (InfluxDB 1.x); empty when a token is used or
        the server lets anybody in.
    password_file, token_file : str
        File that only its owner can read; or set ``WELLBEING_STORE_PASSWORD``
        or ``WELLBEING_STORE_TOKEN``.
    database : str
        Database of InfluxDB 1.x; buckets of 2.x are ``<database>/raw`` and
        ``<database>/derived``.
    ca_file : str
        Private certificate authority; empty trusts the system's.
    timeout_s : float
        How long one request may take. [s]
    raw_days, derived_days : int
        How long readings and beats, and everything derived from them, are
        kept. [d] (TRUST T18)
    trust_clock : bool
        Whether the server's clock is right although the newest window is days
        behind it (a long holiday); otherwise nothing is deleted by age then.
    """

    kind: Literal["embedded", "influxdb"] = "embedded"
    path: str = ""
    url: str = "http://127.0.0.1:8086"
    api: Literal["auto", "1", "2", "3"] = "auto"
    org: str = ""
    username: str = ""
    password_file: str = ""
    token_file: str = ""
    database: str = "wellbeing"
    ca_file: str = ""
    timeout_s: float = 10.0
    raw_days: int = 30
    derived_days: int = 90
    trust_clock: bool = False
    # Filled from the environment or *_file only; repr=False keeps them out of logs.
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ConfigurationError(f"[store] timeout_s is {self.timeout_s}; expected above 0")
        for key in ("raw_days", "derived_days"):
            days = getattr(self, key)
            if days < 1:
                raise ConfigurationError(f"[store] {key} is {days}; expected 1 or more")
        if not self.database or not self.database.isprintable() or "/" in self.database:
            raise ConfigurationError(
                f"[store] database is {self.database!r}; expected a name without a slash"
            )
        self._check_url()

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            host = parts.hostname or ""
            _ = parts.port
        except ValueError:
            host = ""
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
            raise ConfigurationError(
                f"[store] url is {self.url!r}; expected like http://127.0.0.1:8086"
            )
        if parts.username or parts.password:
            # Not shown: it holds a secret.
            raise ConfigurationError(
                "[store] url holds a user or password; use username and password_file"
            )
        if parts.scheme == "http" and host not in LOOPBACK:
            raise ConfigurationError(
                f"[store] url is {self.url!r}; off this machine it must be https"
            )

    def file(self) -> Path:
        """Return the file of the embedded store."""
        if self.path:
            return Path(self.path).expanduser()
        return platformdirs.user_data_path("agent-wellbeing") / "store.sqlite"
