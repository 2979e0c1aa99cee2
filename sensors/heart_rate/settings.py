"""Options of the heart-rate collector, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensors.config import section
from sensors.errors import ConfigurationError

TABLE = "edge.options.heart_rate"
"""The table of the configuration, as errors name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartRateSettings:
    """Which headset, how it may be reached, and how patient to be with it.

    Parameters
    ----------
    address : str
        Bluetooth address (a UUID on macOS); wins over a claim and over `name`.
    name : str
        Advertised name. With no address, no claim and no name the only device
        near that offers the Heart Rate Service is taken; with several near,
        none is: another agent's heart must not be read by mistake.
    allow_unencrypted : bool
        Whether a headset may be read that is not paired, so that anybody near
        with a receiver can read along. Without it the headset is paired first.
    scan_s : float
        How long one look around lasts. [s]
    connect_s : float
        Longest wait for a connection with its services. [s]
    pair_s : float
        Longest wait for pairing, which may ask a person. [s]
    silence_s : float
        Connected but without a beat for this long means dead. [s]
    backoff_cap_s : float
        Longest pause between two attempts. [s] Short, since the target is to
        have beats again within 5 s of the headset's return.
    claim_path : str
        Where the agent's claim is kept; set by the edge.
    """

    address: str = ""
    name: str = ""
    allow_unencrypted: bool = False
    scan_s: float = 5.0
    connect_s: float = 20.0
    pair_s: float = 30.0
    silence_s: float = 15.0
    backoff_cap_s: float = 4.0
    claim_path: str = ""

    def __post_init__(self) -> None:
        for key in ("scan_s", "connect_s", "pair_s", "silence_s", "backoff_cap_s"):
            value = getattr(self, key)
            if not 0.0 < value <= 600.0:
                raise ConfigurationError(f"[{TABLE}] {key} is {value!r}; expected 0 to 600 s")


def from_options(options: Mapping[str, Any]) -> HeartRateSettings:
    """Return the settings in the collector's table of the configuration.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return section({TABLE: options}, TABLE, HeartRateSettings, environ={})
