"""What a sound server connects to our input: asked before it is open, and as long as it is.

A sound server may move an input that is open: where a headset is unplugged,
PulseAudio puts the default source in its place, and that is an output's monitor
where no other microphone is left. Nothing in what arrives says so.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from sensors.voice.inputs import (
    Input,
    default_source,
    is_loopback,
    refuse_monitor,
    source_names,
    streams_of,
)

_ASK_S = 2.0


def routed_to() -> str:
    """Return what the sound server connects to a default input, or nothing where it is not known.

    PulseAudio takes an output's monitor for its default source where no
    microphone is plugged in: nothing in ALSA's names says so.
    """
    if os.environ.get("PULSE_SOURCE"):
        return os.environ["PULSE_SOURCE"]
    return default_source(_asked("info") or "")


class Route:
    """What this process hears through a sound server, once its input is open.

    Parameters
    ----------
    inputs : sequence of Input
        What there is instead of a monitor.
    is_routed : bool
        Whether a sound server decides what is behind our input. Of another
        input it is asked once, and on only if it knows that.
    allow_monitor : bool
        Nothing is asked, nothing refused.
    """

    def __init__(
        self, inputs: Sequence[Input], *, is_routed: bool, allow_monitor: bool = False
    ) -> None:
        self._inputs = inputs
        self._names: dict[int, str] = {}
        self._is_asked = not allow_monitor
        if not is_routed:
            self._is_asked = bool(self._streams())

    def check(self) -> None:
        """Look what is heard now.

        Raises
        ------
        DeviceError
            If it is an output's monitor.
        """
        streams = self._streams()
        if not streams <= self._names.keys():
            self._names = source_names(_asked("list", "short", "sources") or "")
        for source in sorted(streams):
            if is_loopback(name := self._names.get(source, "")):
                refuse_monitor(name, self._inputs)

    def _streams(self) -> set[int]:
        if not self._is_asked:
            return set()
        said = _asked("list", "source-outputs")
        self._is_asked = said is not None  # no such sound server: then nothing is routed
        return streams_of(os.getpid(), said or "")


def _asked(*words: str) -> str | None:
    """Return what ``pactl`` says; nothing where it is slow, ``None`` where there is none."""
    try:
        done = subprocess.run(
            ["pactl", *words],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,  # ours is the edge's order to end
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    except OSError:
        return None
    return done.stdout
