"""Which microphone: the settings that the edge and its listening process share. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sensors.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrophoneSettings:
    """Which input.

    Parameters
    ----------
    device : str
        Name of the input, or a part of it; empty takes the system's default.
    channel : int
        Which of the input's channels, from 0.
    allow_monitor : bool
        Take an output's monitor, too. For trials with a virtual microphone
        only: a monitor hears the far end of a call.
    """

    device: str = ""
    channel: int = 0
    allow_monitor: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.channel < 64:
            raise ConfigurationError(f"[voice] channel is {self.channel}; expected 0 to 63")
