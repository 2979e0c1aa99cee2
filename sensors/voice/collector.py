"""The voice collector: from the microphone, or from a sound file where one is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensors.collector import Collector
from sensors.voice import microphone


def create(options: Mapping[str, Any]) -> Collector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        With a `path`, keys of :class:`~sensors.voice.wavfile.WavSettings`;
        without, of :class:`~sensors.voice.settings.MicrophoneSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    if "path" not in options:
        return microphone.create(options)
    # Only here: what a file needs would cost the edge 60 MB that a microphone does not.
    from sensors.voice import wavfile  # noqa: PLC0415

    return wavfile.create(options)
