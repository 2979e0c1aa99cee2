"""The voice collector: from the microphone, or from a sound file where one is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensors.collector import Collector
from sensors.voice import microphone, wavfile


def create(options: Mapping[str, Any]) -> Collector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        With a `path`, keys of :class:`~sensors.voice.wavfile.WavSettings`;
        without, of :class:`~sensors.voice.microphone.MicrophoneSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return wavfile.create(options) if "path" in options else microphone.create(options)
