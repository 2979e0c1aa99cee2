"""How each voice feature changes with noise, gain and the telephone's band: a drawing.

Every sound is spoilt in every way, and what each feature then is compared with
what it was. The colour tells the median change in units of how much the
feature differs between the sounds themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfiltfilt

from sensors.signals import Channel, of_channel
from sensors.voice.features import extract

Sound = NDArray[np.float32]
Spoil = Callable[[Sound, int], tuple[Sound, int]]

_CELL, _ROW, _LEFT, _TOP = 62, 22, 170, 64
_SHADES = (
    "#e8f1f7",
    "#bcd7e8",
    "#7fb2d3",
    "#3f86b5",
    "#1d5a86",
)  # light to dark: also readable in grey
_LIMITS = (0.1, 0.25, 0.5, 1.0)


def _noise(snr_db: float) -> Spoil:
    def spoil(sound: Sound, rate: int) -> tuple[Sound, int]:
        rng = np.random.default_rng(1)
        # The level of the speech, not of its pauses.
        loud = np.sort(sound.astype(np.float64) ** 2)[sound.size // 2 :].mean()
        noise = rng.standard_normal(sound.size) * np.sqrt(loud / 10 ** (snr_db / 10))
        return (sound + noise).astype(np.float32), rate

    return spoil


def _gain(db: float) -> Spoil:
    # 16 bits: what a quiet microphone loses is lost.
    def spoil(sound: Sound, rate: int) -> tuple[Sound, int]:
        return (np.round(sound * 10 ** (db / 20) * 32768) / 32768).astype(np.float32), rate

    return spoil


def _telephone(sound: Sound, rate: int) -> tuple[Sound, int]:
    band = butter(4, [300, 3400], "bandpass", fs=rate, output="sos")
    return sosfiltfilt(band, sound).astype(np.float32), rate


def _slow(sound: Sound, rate: int) -> tuple[Sound, int]:
    narrow, _ = _telephone(sound, rate)
    return resample_poly(narrow, 8000, rate).astype(np.float32), 8000


SPOILT: dict[str, Spoil] = {
    **{f"noise {snr} dB": _noise(snr) for snr in (20, 15, 10, 5, 0)},
    **{f"gain {db} dB": _gain(db) for db in (-10, -20, -30, -40)},
    "300-3400 Hz": _telephone,
    "8 kHz": _slow,
}


def measure(
    sounds: Sequence[tuple[Sound, int]],
) -> tuple[dict[str, dict[str, float | None]], dict[str, float]]:
    """Return the median change of every feature by what was done, and its spread over sounds."""
    names = [signal.name for signal in of_channel(Channel.VOICE)]
    clear = [extract(sound, rate) for sound, rate in sounds]
    table = {n: np.array([_value(f, n) for f in clear]) for n in names}
    spread = {n: float(np.subtract(*np.nanpercentile(v, [84, 16])) / 2) for n, v in table.items()}
    changes: dict[str, dict[str, float | None]] = {}
    for how, spoil in SPOILT.items():
        found = [extract(*spoil(sound, rate)) for sound, rate in sounds]
        changes[how] = {}
        for name in names:
            values = np.array([_value(f, name) for f in found])
            known = np.isfinite(values) & np.isfinite(table[name])
            # A feature that is mostly unknown has no change to tell.
            usual = known.sum() > 0.5 * np.isfinite(table[name]).sum()
            changes[how][name] = float(np.median((values - table[name])[known])) if usual else None
    return changes, spread


def _value(found: object, name: str) -> float:
    value = getattr(found, name)
    return np.nan if value is None else float(value)


def draw(path: Path, sounds: Sequence[tuple[Sound, int]], kind: str) -> dict[str, object]:
    """Write the drawing and return what it shows."""
    changes, spread = measure(sounds)
    path.write_text(_svg(changes, spread, f"{len(sounds)} sounds ({kind})"), encoding="utf-8")
    return {"sounds": len(sounds), "kind": kind, "spread": spread, "change": changes}


def _svg(changes: dict[str, dict[str, float | None]], spread: dict[str, float], what: str) -> str:
    hows, names = list(changes), list(spread)
    width, height = _LEFT + _CELL * len(hows) + 10, _TOP + _ROW * len(names) + 62
    title = f"Median change of each voice feature, in its unit; {what}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' font-family="sans-serif" font-size="11"><title>{escape(title)}</title>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
        f'<text x="8" y="18" font-size="13">{escape(title)}</text>'
    )
    parts = [head]
    for column, how in enumerate(hows):
        first, _, rest = how.partition(" ")
        x = _LEFT + _CELL * (column + 0.5)
        parts.append(f'<text x="{x}" y="42" text-anchor="middle">{escape(first)}</text>')
        parts.append(f'<text x="{x}" y="56" text-anchor="middle">{escape(rest)}</text>')
    for row, name in enumerate(names):
        y = _TOP + _ROW * row
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{name}</text>')
        for column, how in enumerate(hows):
            parts.append(_cell(_LEFT + _CELL * column, y, changes[how][name], spread[name]))
    parts += _legend(_TOP + _ROW * len(names) + 16)
    return "\n".join([*parts, "</svg>\n"])


def _cell(x: int, y: int, change: float | None, spread: float) -> str:
    if change is None:
        words, fill, ink = "unknown", "#eeeeee", "#444"
    else:
        size = abs(change) / max(spread, 1e-9)
        shade = sum(size >= limit for limit in _LIMITS)
        # What would round to zero is zero, without a sign.
        words = "0" if size < 0.005 else f"{change:+.2g}"
        fill, ink = _SHADES[shade], "#fff" if shade >= 3 else "#000"
    return (
        f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_ROW - 2}" fill="{fill}"/>'
        f'<text x="{x + _CELL / 2 - 1}" y="{y + 14}" text-anchor="middle" fill="{ink}"'
        f' font-size="10">{words}</text>'
    )


def _legend(y: int) -> list[str]:
    bounds = ["below 0.1", "0.1 to 0.25", "0.25 to 0.5", "0.5 to 1", "1 or more"]
    parts = [
        f'<text x="8" y="{y + 14}">change over the spread</text>',
        f'<text x="8" y="{y + 28}">between the sounds:</text>',
    ]
    for i, (shade, words) in enumerate(zip(_SHADES, bounds, strict=True)):
        x = _LEFT + 110 * i
        parts.append(f'<rect x="{x}" y="{y + 6}" width="16" height="16" fill="{shade}"/>')
        parts.append(f'<text x="{x + 22}" y="{y + 18}">{words}</text>')
    return parts
