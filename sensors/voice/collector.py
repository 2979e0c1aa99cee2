"""The voice collector: from the microphone, or from a file or stream where one is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensors.collector import Collector
from sensors.voice import microphone


def create(options: Mapping[str, Any]) -> Collector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Without a `path`, keys of :class:`~sensors.voice.settings.MicrophoneSettings`;
        with that of a sound file, of :class:`~sensors.voice.wavfile.WavSettings`;
        with ``-`` or that of a named pipe, of :class:`~sensors.voice.pcm.PcmSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    if "path" not in options:
        return microphone.create(options)
    # Only here: what reads sound in the edge costs memory that a microphone does not.
    if str(options["path"]) == "-" or Path(str(options["path"])).is_fifo():
        from sensors.voice import pcm  # noqa: PLC0415

        return pcm.create(options)
    from sensors.voice import wavfile  # noqa: PLC0415

    return wavfile.create(options)
