"""The microphone's own process; the only file that imports sounddevice.

``python -m sensors.voice.listener`` reads one line of JSON, the settings, from
its standard input, and writes what it hears, features only, to its standard
output (:mod:`sensors.voice.heard`). A driver that aborts takes this process
with it and not the edge; one that hangs is killed with it. Sound is in the
memory of this process alone (TRUST T1): it never reaches the edge's, and no
core dump or debugger does reach it either, where the system lets us say so.

The end of its standard input is the order to end, so it also ends when the
edge was killed outright. PortAudio looks for devices once, when it is loaded:
each start is a new process and finds what was plugged in since.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from types import ModuleType
from typing import Any, BinaryIO

from sensors import codec
from sensors.errors import DeviceError
from sensors.messages import WINDOW_S
from sensors.voice.heard import Failed, Heard, Opened, Told, to_line
from sensors.voice.inputs import Input, choose, is_loopback, refuse_monitor
from sensors.voice.ring import SoundRing
from sensors.voice.routing import Route, routed_to
from sensors.voice.settings import MicrophoneSettings

SAMPLE_RATE = 16_000  # holds all that the features look at, 5 kHz, with room
SILENT_DRIVER_S = 5.0
"""A driver that gives no samples for so long is stuck. [s]"""

_RING_WINDOWS = 2
_FETCH_S = 0.1
_BLOCK_S = 0.1  # one call of Python for so much sound: 100 calls a second cost 1 % of a core
_RELEASE_S = 1.0  # a driver that does not close within it is left to the process's end
_SLEPT_S = 1.0  # more than the clock on the wall is corrected by while it runs
_PR_SET_DUMPABLE = 4  # linux/prctl.h


class Microphone:
    """An open input, and the ring that its sound waits in.

    Parameters
    ----------
    sound : module
        sounddevice.
    chosen : Input
    settings : MicrophoneSettings

    Attributes
    ----------
    overruns, underruns : int
        How often sound was lost, by the driver or by us, or the driver lacked some.
    """

    def __init__(self, sound: ModuleType, chosen: Input, settings: MicrophoneSettings) -> None:
        self.overruns = self.underruns = 0
        self.sample_rate = _sample_rate(sound, chosen, settings)
        self.window = round(WINDOW_S * self.sample_rate)
        self.ring = SoundRing(_RING_WINDOWS * self.window)
        self._channel = settings.channel
        try:
            self._stream = sound.InputStream(
                samplerate=self.sample_rate,
                blocksize=round(_BLOCK_S * self.sample_rate),
                device=chosen.index,
                channels=settings.channel + 1,
                dtype="float32",
                latency="high",
                callback=self._arrived,
            )
            self._stream.start()
        except (sound.PortAudioError, ValueError) as error:
            raise unusable(error) from None

    def _arrived(self, block: Any, _frames: int, _time: object, status: Any) -> None:
        gave_way = self.ring.overrun
        self.ring.put(block[:, self._channel])
        self.overruns += bool(status.input_overflow) or self.ring.overrun > gave_way
        self.underruns += bool(status.input_underflow)

    def close(self) -> None:
        """Let go of the device; a driver may hang here."""
        self._stream.abort()
        self._stream.close()


def unusable(error: Exception) -> DeviceError:
    """Return the driver's words as one line that says what to do."""
    words = " ".join(str(error).split())
    return DeviceError(
        f"no microphone can be opened: {words}; plug one in, allow this program to use it,"
        " or set [voice] device to its name"
    )


def _sample_rate(sound: ModuleType, chosen: Input, settings: MicrophoneSettings) -> int:
    """Return 16 kHz, or what the input can do if it cannot do that."""
    try:
        sound.check_input_settings(chosen.index, settings.channel + 1, "float32", None, SAMPLE_RATE)
    except sound.PortAudioError:
        return chosen.sample_rate
    return SAMPLE_RATE


def load() -> ModuleType:
    """Import sounddevice, which looks for PortAudio when it is imported.

    Raises
    ------
    DeviceError
        If PortAudio is not installed or finds no devices.
    """
    try:
        import sounddevice  # noqa: PLC0415 - fails where PortAudio is not installed
    except OSError as error:
        words = " ".join(str(error).split())
        raise DeviceError(
            f"no microphone can be opened: {words}; install PortAudio (libportaudio2)"
        ) from None
    return sounddevice  # type: ignore[no-any-return]


def known_inputs(sound: ModuleType) -> list[Input]:
    """Return the inputs that the driver knows, in its order."""
    try:
        hosts = sound.query_hostapis()
        default = int(sound.default.device[0])
        return [
            Input(
                index=index,
                name=str(device["name"]),
                host=str(hosts[device["hostapi"]]["name"]),
                channels=int(device["max_input_channels"]),
                sample_rate=int(device["default_samplerate"]),
                is_default=index == default,
            )
            for index, device in enumerate(sound.query_devices())
            if device["max_input_channels"] > 0
        ]
    except (sound.PortAudioError, ValueError) as error:
        raise unusable(error) from None


def listen(settings: MicrophoneSettings, pipe: BinaryIO, stop: threading.Event) -> None:
    """Say what is heard until told to stop.

    Raises
    ------
    DeviceError
        If there is no microphone, it is taken or refused, or it falls silent.
    """
    sound = load()
    inputs = known_inputs(sound)
    chosen = choose(inputs, settings.device, allow_monitor=settings.allow_monitor)
    if chosen.is_routed and not settings.allow_monitor and is_loopback(source := routed_to()):
        refuse_monitor(source, inputs)
    microphone = Microphone(sound, chosen, settings)
    try:
        route = Route(inputs, is_routed=chosen.is_routed, allow_monitor=settings.allow_monitor)
        route.check()
        tell(pipe, Opened(device=chosen.name, sample_rate=microphone.sample_rate))
        _windows(microphone, pipe, stop, route)
    finally:
        microphone.ring.silence()
        microphone.close()


def _windows(microphone: Microphone, pipe: BinaryIO, stop: threading.Event, route: Route) -> None:
    # After the device is open: loading takes its time while the first window fills.
    from sensors.voice.windows import WindowReader, warm  # noqa: PLC0415

    warm()
    reader = WindowReader(microphone.sample_rate)
    ring, told = microphone.ring, (0, 0)
    held, since_s, ahead_s = ring.held, time.monotonic(), _ahead_s()
    while not stop.wait(_FETCH_S):
        if abs(_ahead_s() - ahead_s) > _SLEPT_S:
            # What was said before the machine slept is not continued with what is said now.
            ring.silence()
            held, since_s, ahead_s = ring.held, time.monotonic(), _ahead_s()
        if ring.held != held:
            held, since_s = ring.held, time.monotonic()
        elif time.monotonic() - since_s > SILENT_DRIVER_S:
            raise DeviceError("the microphone gives no sound any more; plug it in again")
        if ring.held < microphone.window:
            continue
        route.check()  # before anything is looked at: the input may have been moved meanwhile
        window = ring.take(microphone.window)
        if window is None:
            continue
        end_s = time.monotonic() - ring.held / microphone.sample_rate
        counted = (microphone.overruns, microphone.underruns)
        lost = [now - before for now, before in zip(counted, told, strict=True)]
        told = counted
        heard = reader.read(window, losses=sum(lost))
        tell(
            pipe,
            Heard(
                values=heard.values,
                quality=heard.quality,
                reasons=heard.reasons,
                age_s=max(0.0, time.monotonic() - end_s),
                overruns=lost[0],
                underruns=lost[1],
            ),
        )


def _ahead_s() -> float:
    """Return how far the clock on the wall is ahead: a sleeping machine's own one stands still.

    Where it does not (Windows), the driver is found silent instead.
    """
    return time.time() - time.monotonic()


def tell(pipe: BinaryIO, told: Told) -> None:
    """Write one line; where nobody reads it there is nobody left to listen for."""
    with contextlib.suppress(BrokenPipeError):
        pipe.write(to_line(told))
        pipe.flush()


def harden() -> None:
    """Leave no trace of the memory when a driver crashes, and the ending to the edge."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Ctrl-C reaches us too; the edge closes our input
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    with contextlib.suppress(ImportError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _own_output() -> BinaryIO:
    """Return the standard output for us alone: what a driver prints goes to the errors."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def _await_the_end(stop: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    stop.set()
    time.sleep(_RELEASE_S)
    os._exit(0)  # the driver hangs, and this is our last chance


def main() -> int:
    """Entry point of ``python -m sensors.voice.listener``."""
    harden()
    pipe = _own_output()
    order = codec.load_json(_first_line())
    stop = threading.Event()
    if order is not None:  # a list's order ends at once, and looking may take its time
        threading.Thread(target=_await_the_end, args=(stop,), daemon=True, name="edge").start()
    try:
        if order is None:
            listed = [{"name": i.name, "host": i.host, "is_default": i.is_default,
                       "is_monitor": is_loopback(i.name)} for i in known_inputs(load())]  # fmt: skip
            pipe.write(json.dumps(listed).encode() + b"\n")
        else:
            listen(codec.convert(order, MicrophoneSettings), pipe, stop)
    except DeviceError as error:
        tell(pipe, Failed(words=str(error)))
        return error.exit_code
    except ModuleNotFoundError as error:
        tell(pipe, Failed(words=f"{error.name} is not installed", kind="missing"))
        return 1
    except Exception as error:  # noqa: BLE001 - told to the edge, which says it and tries again
        tell(pipe, Failed(words=f"{type(error).__name__}: {error}", kind="fault"))
        return 1
    finally:
        pipe.flush()
    return 0


def _first_line() -> bytes:
    """Return the first line of the standard input, and nothing of what follows it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return line


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # no farewell of a driver's library: it may hang, and nothing is left to save
