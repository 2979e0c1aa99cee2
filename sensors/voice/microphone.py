"""The agent's own microphone; the only file that imports sounddevice.

Only an input is opened, never an output's monitor unless it is named: the far
end of a call is not read (TRUST T1).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sensors.collector import Clock, Link, Reading
from sensors.config import section
from sensors.errors import ConfigurationError, DeviceError, MissingExtraError
from sensors.messages import WINDOW_S
from sensors.signals import Channel
from sensors.voice.ring import SoundRing
from sensors.voice.windows import readings_of

SAMPLE_RATE = 16_000  # holds all that the features look at, 5 kHz, with room
_RING_WINDOWS = 2
_FETCH_S = 0.2
_SILENT_DRIVER_S = 5.0  # a driver that gives no samples for so long is stuck


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrophoneSettings:
    """Which input.

    Parameters
    ----------
    device : str
        Name of the input, or a part of it; empty takes the system's default.
    channel : int
        Which of the input's channels, from 0.
    """

    device: str = ""
    channel: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.channel < 64:
            raise ConfigurationError(f"[voice] channel is {self.channel}; expected 0 to 63")


def _load() -> ModuleType:
    """Import sounddevice, which looks for PortAudio when it is imported."""
    try:
        import sounddevice  # noqa: PLC0415 - fails where PortAudio is not installed
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; run: pip install 'agent-wellbeing[voice]'"
        ) from None
    except OSError as error:
        words = " ".join(str(error).split())
        raise DeviceError(
            f"no microphone can be opened: {words}; install PortAudio (libportaudio2)"
        ) from None
    return sounddevice  # type: ignore[no-any-return]


class MicrophoneCollector:
    """Features of every 5 s of the agent's own voice.

    Parameters
    ----------
    settings : MicrophoneSettings

    Attributes
    ----------
    overrun : int
        Samples that were lost, in the driver or here.
    """

    channels = frozenset({Channel.VOICE})

    def __init__(self, settings: MicrophoneSettings) -> None:
        self.overrun = 0
        self._settings = settings

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link, None]:
        """Yield the features of one window after the other until closed.

        Raises
        ------
        DeviceError
            If there is no microphone, it is taken or refused, or it falls silent.
        """
        sound = _load()
        sample_rate = self._sample_rate(sound)
        window = round(WINDOW_S * sample_rate)
        ring = SoundRing(_RING_WINDOWS * window)
        try:
            stream = await asyncio.to_thread(self._open, sound, sample_rate, ring)
            try:
                yield Link(Channel.VOICE, "ok")
                while True:
                    await self._fill(ring, window)
                    taken = ring.take(window)
                    if taken is not None:
                        end_s = clock.monotonic_s() - ring.held / sample_rate
                        for reading in await asyncio.to_thread(
                            readings_of, taken, sample_rate, end_s
                        ):
                            yield reading
            finally:
                self.overrun += ring.overrun
                await asyncio.to_thread(stream.close)
        finally:
            ring.silence()

    async def _fill(self, ring: SoundRing, window: int) -> None:
        """Return once a whole window waits."""
        loop = asyncio.get_running_loop()
        held, since_s = ring.held, loop.time()
        while ring.held < window:
            await asyncio.sleep(_FETCH_S)
            if ring.held != held:
                held, since_s = ring.held, loop.time()
            elif loop.time() - since_s > _SILENT_DRIVER_S:
                raise DeviceError("the microphone gives no sound any more; plug it in again")

    def _sample_rate(self, sound: ModuleType) -> int:
        """Return 16 kHz, or what the input can do if it cannot do that."""
        device = self._settings.device or None
        try:
            known = sound.query_devices(device, "input")
            try:
                sound.check_input_settings(
                    device, self._settings.channel + 1, "float32", None, SAMPLE_RATE
                )
            except sound.PortAudioError:
                return int(known["default_samplerate"])
        except (sound.PortAudioError, ValueError) as error:
            raise _unusable(error) from None
        return SAMPLE_RATE

    def _open(self, sound: ModuleType, sample_rate: int, ring: SoundRing) -> Any:
        channel = self._settings.channel

        def arrived(block: Any, _frames: int, _time: object, status: Any) -> None:
            self.overrun += bool(status.input_overflow)
            ring.put(block[:, channel])

        try:
            stream = sound.InputStream(
                samplerate=sample_rate,
                device=self._settings.device or None,
                channels=channel + 1,
                dtype="float32",
                callback=arrived,
            )
            stream.start()
        except (sound.PortAudioError, ValueError) as error:
            raise _unusable(error) from None
        return stream


def _unusable(error: Exception) -> DeviceError:
    words = " ".join(str(error).split())
    return DeviceError(
        f"no microphone can be opened: {words}; plug one in, allow this program to use it,"
        " or set [voice] device to its name"
    )


def create(options: Mapping[str, Any]) -> MicrophoneCollector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Keys of :class:`MicrophoneSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return MicrophoneCollector(section({"voice": options}, "voice", MicrophoneSettings, environ={}))
