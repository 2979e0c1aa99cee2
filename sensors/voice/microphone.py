"""The agent's own microphone, through a process of its own.

A sound driver can abort the process that loaded it, or hang when it is to be
closed. Both happen beside the edge, in :mod:`sensors.voice.listener`: that
process holds the sound and tells features. The edge only reads these, and ends
that process when consent ends, whatever the driver does (TRUST T1, T6).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import asdict
from typing import Any, cast

from sensors import codec
from sensors.collector import Clock, Link, Note, Reading
from sensors.config import ENVIRONMENT_PREFIX, section
from sensors.errors import DeviceError, MissingExtraError
from sensors.messages import WINDOW_S
from sensors.signals import Channel
from sensors.voice.heard import Failed, Heard, Opened, Told, from_line
from sensors.voice.settings import MicrophoneSettings

_COMMAND = (sys.executable, "-m", "sensors.voice.listener")
_OPEN_WITHIN_S = 30.0  # a cold disk, and a Bluetooth headset that changes its profile
# The listener itself says after 5 s that a driver is silent; this is for one that hangs. The
# first window waits for a cold disk, too, and any of them for a machine busy with others.
_WINDOW_WITHIN_S = WINDOW_S + 25.0
_RELEASE_WITHIN_S = 1.5  # then the process is killed; T6 leaves 5 s to everything
_WORDS_WITHIN_S = 0.5  # what an ended process wrote is there already
_LIST_WITHIN_S = 20.0
_EARLY_S = 0.3  # windows are passed on as regularly as they were heard, so much later
_LONGEST_LINE = 65_536  # a window takes less than a thousand
_LONGEST_WORDS = 200
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class Beat:
    """Evens out when windows are passed on; pure.

    The listener's windows come every 5 s but for the time that computing took.
    Near the end of one of the edge's own windows, two would now and then fall
    into one and none into the next.
    """

    def __init__(self) -> None:
        self._due_s = float("-inf")

    def due_s(self, arrived_s: float) -> float:
        """Return when to pass on what arrived at `arrived_s`. [s]."""
        due_s = self._due_s + WINDOW_S
        if not arrived_s <= due_s <= arrived_s + 2 * _EARLY_S:
            due_s = arrived_s + _EARLY_S
        self._due_s = due_s
        return due_s


class _Streams(asyncio.subprocess.SubprocessStreamProtocol):
    """The pipes, and the end of the process itself.

    `asyncio.subprocess.Process.wait` waits for the pipes, too (Python 3.11):
    for ever where what a driver started holds one, or where nobody reads on.
    """

    def __init__(self) -> None:
        super().__init__(limit=_LONGEST_LINE, loop=asyncio.get_running_loop())
        self.has_exited = asyncio.Event()

    def process_exited(self) -> None:
        self.has_exited.set()
        super().process_exited()


class Listener:
    """The listening process, seen from the edge."""

    def __init__(self, transport: asyncio.SubprocessTransport, streams: _Streams) -> None:
        self._transport = transport
        self._has_exited = streams.has_exited
        self._input = cast("asyncio.StreamWriter", streams.stdin)
        self._output = cast("asyncio.StreamReader", streams.stdout)
        self._error_output = cast("asyncio.StreamReader", streams.stderr)
        self._last_words = ""
        self._errors = asyncio.create_task(self._read_errors())

    @classmethod
    async def start(cls, settings: MicrophoneSettings) -> Listener:
        """Start one; it finds the devices that are there now."""
        transport, streams = await asyncio.get_running_loop().subprocess_exec(
            _Streams,
            *_COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            creationflags=_NO_WINDOW,
        )
        listener = cls(transport, streams)
        listener._input.write(codec.dump_json(asdict(settings)) + b"\n")
        return listener

    async def receive(self, within_s: float) -> Told:
        """Return what it says next.

        Raises
        ------
        DeviceError
            If it says nothing, or nothing that can be understood, or is gone.
        """
        try:
            line = await asyncio.wait_for(self._output.readline(), within_s)
            if not line:
                raise await self._gone()
            return from_line(line)
        except TimeoutError:
            raise DeviceError(
                "the microphone's driver hangs; plug the microphone in again"
            ) from None
        except (ValueError, RecursionError):
            raise DeviceError(
                "the microphone's process talks nonsense; update the sound driver"
            ) from None

    async def end(self) -> None:
        """Close its input; kill it when it has not let go of the device soon after."""
        # Before anything is awaited: a second cancellation must not leave it alive.
        late = asyncio.get_running_loop().call_later(_RELEASE_WITHIN_S, self._kill)
        self._input.close()
        try:
            await self._has_exited.wait()
        finally:
            late.cancel()
            self._transport.close()  # the pipes; and the process, where we may not wait for it
        await self._errors

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._transport.kill()

    async def _gone(self) -> DeviceError:
        await self._has_exited.wait()
        await asyncio.wait({self._errors}, timeout=_WORDS_WITHIN_S)
        code = cast("int", self._transport.get_returncode())
        how = f"ended with {code}"
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        words = f" ({self._last_words})" if self._last_words else ""
        return DeviceError(
            f"the microphone's process {how}{words}: often a fault of the sound driver;"
            " plug the microphone in again, or set [voice] device to another input"
        )

    async def _read_errors(self) -> None:
        """Keep the last line of what the driver says about itself."""
        while block := await self._error_output.read(4096):
            lines = block.decode(errors="replace").split("\n")
            words = next((line.strip() for line in reversed(lines) if line.strip()), "")
            self._last_words = words[:_LONGEST_WORDS] or self._last_words


def environment() -> dict[str, str]:
    """Return our environment without the broker's password and the like."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(f"{ENVIRONMENT_PREFIX}_")}
    # One window in 5 s needs no second thread: its waiting costs more than it brings.
    return {"OPENBLAS_NUM_THREADS": "1", **kept}


class MicrophoneCollector:
    """Features of every 5 s of the agent's own voice.

    Parameters
    ----------
    settings : MicrophoneSettings

    Attributes
    ----------
    opened : Opened or None
        The input in use.
    reasons : tuple of str
        What lowered the quality of the last window.
    overruns, underruns : int
        How often the driver lost sound, or lacked some, so far.
    """

    channels = frozenset({Channel.VOICE})

    def __init__(self, settings: MicrophoneSettings) -> None:
        self.opened: Opened | None = None
        self.reasons: tuple[str, ...] = ()
        self.overruns = self.underruns = 0
        self._settings = settings

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link | Note, None]:
        """Yield the features of one window after the other until closed.

        Raises
        ------
        DeviceError
            If there is no microphone, it is taken or refused, falls silent, or
            its driver crashes or hangs.
        MissingExtraError
            If a package is missing.
        RuntimeError
            If our own program failed there.
        """
        listener = await Listener.start(self._settings)
        try:
            told = await listener.receive(_OPEN_WITHIN_S)
            link, beat = Link(Channel.VOICE, "ok"), Beat()
            while not isinstance(told, Failed):
                if isinstance(told, Opened):
                    self.opened = told
                    yield link
                    yield Note(device=self.device)
                else:
                    now_s = clock.monotonic_s()
                    await clock.sleep_until(beat.due_s(now_s))
                    if told.link != link:
                        yield (link := told.link)
                    if self._take(told):
                        yield Note(device=self.device)
                    if told.overruns:
                        yield Note(lost=told.overruns)
                    for reading in told.readings(now_s - told.age_s):
                        yield reading
                told = await listener.receive(_WINDOW_WITHIN_S)
            raise _error(told)
        finally:
            await listener.end()

    @property
    def device(self) -> str:
        """The input in use, and what is wrong with its sound, for the agent's own eyes."""
        return ", ".join([self.opened.device if self.opened else "", *self.reasons])

    def _take(self, heard: Heard) -> bool:
        """Take what was counted; return whether there is something else to say about it."""
        before, self.reasons = self.reasons, heard.reasons
        self.overruns += heard.overruns
        self.underruns += heard.underruns
        return before != heard.reasons


def _error(failed: Failed) -> Exception:
    if failed.kind == "missing":
        return MissingExtraError(f"{failed.words}; run: pip install 'agent-wellbeing[voice]'")
    return DeviceError(failed.words) if failed.kind == "device" else RuntimeError(failed.words)


def known_inputs() -> list[dict[str, Any]]:
    """Return the inputs of this machine, without opening any.

    Returns
    -------
    list of dict
        `name`, `host` (the system's interface), `is_default`, `is_monitor`.

    Raises
    ------
    DeviceError
        If the sound driver cannot be asked.
    MissingExtraError
        If a package is missing.
    """
    try:
        done = subprocess.run(
            _COMMAND,
            input=b"null\n",
            capture_output=True,
            env=environment(),
            timeout=_LIST_WITHIN_S,
            check=False,
            creationflags=_NO_WINDOW,
        )
    except subprocess.TimeoutExpired:
        raise DeviceError("the sound driver hangs; restart the sound server") from None
    if not done.stdout:
        raise DeviceError(f"the sound driver crashes (exit {done.returncode}); update it")
    found = codec.load_json(done.stdout)
    if isinstance(found, list):
        return found
    raise _error(cast("Failed", from_line(done.stdout)))


def create(options: Mapping[str, Any]) -> MicrophoneCollector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Keys of :class:`~sensors.voice.settings.MicrophoneSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return MicrophoneCollector(section({"voice": options}, "voice", MicrophoneSettings, environ={}))


__all__ = ["MicrophoneCollector", "MicrophoneSettings", "create", "known_inputs"]
