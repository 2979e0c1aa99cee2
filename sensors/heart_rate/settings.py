"""Options of the heart-rate collector, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensors.config import section
from sensors.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartRateSettings:
    """Which headset, and how patient to be with it.

    Parameters
    ----------
    address : str
        Bluetooth address (a UUID on macOS); wins over `name`.
    name : str
        Advertised name. With neither, the only device near that offers the
        Heart Rate Service is taken; with several near, none is: another
        agent's heart must not be read by mistake.
    scan_s : float
        How long one look around lasts. [s]
    connect_s : float
        Longest wait for a connection with its services. [s]
    silence_s : float
        Connected but without data for this long means dead. [s]
    backoff_cap_s : float
        Longest pause between two attempts. [s] Short, since the target is to
        have beats again within 5 s of the headset's return.
    """

    address: str = ""
    name: str = ""
    scan_s: float = 5.0
    connect_s: float = 20.0
    silence_s: float = 15.0
    backoff_cap_s: float = 4.0

    def __post_init__(self) -> None:
        for key in ("scan_s", "connect_s", "silence_s", "backoff_cap_s"):
            value = getattr(self, key)
            if not 0.0 < value <= 600.0:
                raise ConfigurationError(f"[heart_rate] {key} is {value!r}; expected 0 to 600 s")


def from_options(options: Mapping[str, Any]) -> HeartRateSettings:
    """Return the settings in the collector's table of the configuration.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return section({"heart_rate": options}, "heart_rate", HeartRateSettings, environ={})
