"""Print how well the conditions of a window are recognised: ``CONDITIONS.md``'s table.

``python -m tests.sensors.voice.conditions_table``; needs espeak-ng and sox.
The speakers, sentences and music are others than those the thresholds were set on.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from sensors.voice.conditions import OwnLevel, judge
from sensors.voice.windows import WindowReader
from tests.sensors.voice import mixtures
from tests.sensors.voice.synthesis import RATE

SPEECH = Path(__file__).parents[3].parent / "shared" / "data" / "speech"
VOICES = ("en+m2", "en+f1", "en+f5", "en-us+m6", "de+m1", "de+f4", "fr+m4")
FLAGS = ("clipping", "music", "bleed", "is_telephone", "noise", "is_silent")


def cases(folder: Path) -> Iterator[tuple[str, list[np.ndarray], list[float | None]]]:
    """Yield a name, windows, and the agent's level known before each (or not)."""
    speech = [
        w
        for v in VOICES
        for t in mixtures.TEXTS
        for w in mixtures.windows(mixtures.say(v, t, folder))
    ]
    far = speech[7:] + speech[:7]
    tunes = [mixtures.chords(w, b, folder) for w, b in
             (("pluck", 0.45), ("triangle", 0.8), ("sawtooth", 0.5), ("sine", 0.7))]  # fmt: skip
    music = [w for tune in (*tunes, mixtures.organ(0.5)) for w in mixtures.windows(tune)]
    alone = mixtures.windows(mixtures.melody(0.4))

    def plain(found: list[np.ndarray]) -> tuple[list[np.ndarray], list[float | None]]:
        return found, [None] * len(found)

    yield "clean speech", *plain(speech)
    real = [soundfile.read(p, dtype="float32")[0] for p in sorted(SPEECH.glob("*.wav"))]
    yield "real speech (EmoDB, as recorded)", *plain(real)
    for over_db in (3, 6, 12):
        yield f"clipped by {over_db} dB", *plain([mixtures.clip(w, over_db) for w in speech])
    yield "clipped by 6 dB, then turned down", *plain([mixtures.clip(w, 6, 0.2) for w in speech])
    yield "music: chords", *plain(music)
    yield "music: one flute", *plain(alone)
    for ratio in (20, 10, 5, 0):
        mixed = [mixtures.mix(w, music[i % len(music)], ratio) for i, w in enumerate(speech)]
        yield f"speech, music {ratio} dB below", *plain(mixed)
    for below in (10, 15, 20, 25):
        yield (
            f"turns, far end {below} dB below",
            *plain([mixtures.turns(w, f, below) for w, f in zip(speech, far, strict=True)]),
        )
    for below in (10, 15, 20, 25):
        hushed, known = [], []
        for own_voice, other in zip(speech, far, strict=True):
            own = OwnLevel()
            judge(own_voice, RATE, own)
            gain = np.std(own_voice) / np.std(other) / 10 ** (below / 20)
            hushed.append(
                mixtures.mix(gain * mixtures.telephone(other), mixtures.noise(other.size), 40)
            )
            known.append(own.level_db)
        yield f"far end alone {below} dB below, agent's level known", hushed, known
    yield (
        "both at once, far end 20 dB below",
        *plain(
            [mixtures.mix(w, mixtures.telephone(f), 20) for w, f in zip(speech, far, strict=True)]
        ),
    )
    yield "telephone band", *plain([mixtures.telephone(w) for w in speech])
    yield (
        "telephone band, hiss 40 dB below",
        *plain([mixtures.mix(mixtures.telephone(w), mixtures.noise(w.size), 40) for w in speech]),
    )
    for ratio in (30, 20, 10, 5, 0):
        for color in ("white", "pink"):
            mixed = [mixtures.mix(w, mixtures.noise(w.size, color), ratio) for w in speech]
            yield f"{color} noise {ratio} dB below", *plain(mixed)
    yield (
        "room noise alone",
        *plain([1e-3 * mixtures.noise(mixtures.WINDOW, c) for c in ("white", "pink")]),
    )
    yield "muted", *plain([np.zeros(mixtures.WINDOW, np.float32)])


def main() -> None:
    """Print one line of Markdown a case."""
    names = [f.removeprefix("is_") for f in FLAGS]
    sys.stdout.write(f"| windows | n | {' | '.join(names)} | quality p5, median | poor |\n")
    sys.stdout.write("|---|--:|" + "--:|" * len(names) + "--:|--:|\n")
    with tempfile.TemporaryDirectory() as folder:
        for name, found, known in cases(Path(folder)):
            shares, qualities, poor = dict.fromkeys(FLAGS, 0), [], 0
            for window, level_db in zip(found, known, strict=True):
                own = OwnLevel()
                own.level_db = level_db
                said = judge(window, RATE, own)
                for flag in FLAGS:
                    shares[flag] += bool(getattr(said, flag))
                reader = WindowReader(RATE)
                reader._own.level_db = level_db
                heard = reader.read(np.array(window, dtype=np.float32))
                qualities.append(heard.quality)
                poor += not heard.values
            if not found:
                continue
            cells = [f"{shares[flag] / len(found):.0%}" if shares[flag] else "" for flag in FLAGS]
            low, middle = np.percentile(qualities, [5, 50])
            sys.stdout.write(
                f"| {name} | {len(found)} | {' | '.join(cells)} | {low:.2f}, {middle:.2f}"
                f" | {poor / len(found):.0%} |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
