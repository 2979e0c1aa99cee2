"""What a simulated board can measure: descriptions, and raw values of a wearer; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol.messages import Encoding, Samples, Stream
from firmware_bridge.simulation.physiology import Wearer
from sensors.errors import ConfigurationError

Floats = NDArray[np.float64]

_FRAME_S = 0.25  # samples wait at most so long for their frame to fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One sensor: how it is described, and how it measures.

    Parameters
    ----------
    unit, width, encoding, rate_hz, scale, offset
        As in STREAM.
    rates_hz : tuple of float
        Slowest and fastest that it can. [1/s]
    measure : callable
        From a wearer and times [s] to values in `unit`, shape (n,) or (n, width).
    needs_skin : bool
        Whether it measures nothing while it is not worn.
    """

    unit: str
    width: int
    encoding: Encoding
    rate_hz: float
    scale: float
    offset: float
    rates_hz: tuple[float, float]
    measure: Callable[[Wearer, Floats], Floats]
    needs_skin: bool = True


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "ppg": Source(
            unit="1", width=1, encoding=Encoding.I32, rate_hz=100.0, scale=0.0001, offset=0.0,
            rates_hz=(25.0, 200.0), measure=Wearer.ppg,
        ),
        "eda_us": Source(
            unit="uS", width=1, encoding=Encoding.F32, rate_hz=8.0, scale=1.0, offset=0.0,
            rates_hz=(1.0, 50.0), measure=Wearer.eda_us,
        ),
        "skin_temp_c": Source(
            unit="degC", width=1, encoding=Encoding.I16, rate_hz=1.0, scale=0.005, offset=20.0,
            rates_hz=(0.1, 10.0), measure=Wearer.skin_temp_c,
        ),
        "acc_g": Source(
            unit="g", width=3, encoding=Encoding.I16, rate_hz=50.0, scale=4 / 32768, offset=0.0,
            rates_hz=(10.0, 200.0), measure=Wearer.acc_g, needs_skin=False,
        ),
    }
)  # fmt: skip
"""What can be asked for, in the order of the reference build."""


def source(signal: str) -> Source:
    """Return the sensor of `signal`.

    Raises
    ------
    ConfigurationError
        If the simulated board has none; lists those it has.
    """
    if signal not in SOURCES:
        raise ConfigurationError(
            f"signal {signal!r} is not simulated; expected some of: {', '.join(SOURCES)}"
        )
    return SOURCES[signal]


@dataclass(slots=True)
class Sampler:
    """Samples one stream in the board's own time.

    Parameters
    ----------
    number : int
        Of the stream.
    signal : str
        One of :data:`SOURCES`.
    wearer : Wearer
    rate_hz : float
        Described rate. [1/s]
    next_s : float
        When the next sample is taken, on the board's clock. [s]
    off : float
        By how much the sensor's own oscillator is fast, as a share.
    """

    number: int
    signal: str
    wearer: Wearer
    rate_hz: float
    next_s: float
    off: float = 0.004
    _source: Source = field(init=False)

    def __post_init__(self) -> None:
        self._source = source(self.signal)

    def describe(self) -> Stream:
        """Return the STREAM of it."""
        s = self._source
        rate_mhz = round(self.rate_hz * 1000)
        return Stream(
            self.number, self.signal, s.unit, s.width, s.encoding, rate_mhz, s.scale, s.offset
        )

    def nearest_rate(self, rate_mhz: int) -> float:
        """Return the rate next to `rate_mhz` that the sensor can, in 1/s."""
        slowest, fastest = self._source.rates_hz
        return min(max(rate_mhz / 1000, slowest), fastest)

    def due(
        self,
        until_s: float,
        tick: Callable[[float], int],
        slower: float = 1.0,
        *,
        is_open: bool = False,
    ) -> list[tuple[float, Samples]]:
        """Return the frames that are full at `until_s`, each with the time of its last sample.

        Parameters
        ----------
        until_s : float
            The board's time. [s]
        tick : callable
            From the board's time [s] to ticks.
        slower : float
            Factor on the time between samples.
        is_open : bool
            Whether its electrode is, so that nothing is measured.
        """
        period_s = slower / (self.rate_hz * (1 + self.off))
        count = min(max(int(_FRAME_S * self.rate_hz), 1), self._most())
        found = []
        while self.next_s + (count - 1) * period_s <= until_s:
            t_s: Floats = self.next_s + np.arange(count, dtype=np.float64) * period_s
            step = round((tick(float(t_s[0]) + period_s * 64) - tick(float(t_s[0]))) % 2**32 / 64)
            values = self._source.measure(self.wearer, t_s)
            worn = self.wearer.is_worn(float(t_s[-1]))
            if is_open or (self._source.needs_skin and not worn):
                values = np.full_like(values, np.nan)
            raw = self._raw(values)
            samples = Samples(self.number, count, tick(float(t_s[0])), step, raw)
            found.append((float(t_s[-1]), samples))
            self.next_s += count * period_s
        return found

    def _most(self) -> int:
        """Return how many samples a frame has room for."""
        return 230 // (self._source.width * self._source.encoding.dtype.itemsize)

    def _raw(self, values: Floats) -> bytes:
        """Return `values` as they are sent; NaN becomes *not measured*."""
        raw = (values - self._source.offset) / self._source.scale
        dtype = self._source.encoding.dtype
        if dtype.kind == "i":
            limits = np.iinfo(dtype.str)
            missing = np.isnan(raw)
            raw = np.where(missing, 0.0, np.round(raw))
            raw = np.where(missing, limits.min, np.clip(raw, -limits.max, limits.max))
        return raw.astype(dtype).tobytes()
