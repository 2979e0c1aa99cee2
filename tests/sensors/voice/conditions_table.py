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


Windows = list[np.ndarray]
Case = tuple[str, Windows, list[float | None]]


def cases(folder: Path) -> Iterator[Case]:
    """Yield a name, windows, and the agent's level known before each (or not)."""
    speech = [
        w
        for v in VOICES
        for t in mixtures.TEXTS
        for w in mixtures.windows(mixtures.say(v, t, folder))
    ]
    yield _plain("clean speech", speech)
    real = [soundfile.read(p, dtype="float32")[0] for p in sorted(SPEECH.glob("*.wav"))]
    yield _plain("real speech (EmoDB, as recorded)", real)
    for over_db in (3, 6, 12):
        yield _plain(f"clipped by {over_db} dB", [mixtures.clip(w, over_db) for w in speech])
    turned_down = [mixtures.clip(w, 6, 0.2) for w in speech]
    yield _plain("clipped by 6 dB, then turned down", turned_down)
    yield from _music(speech, folder)
    yield from _far_end(speech, speech[7:] + speech[:7])
    yield from _noise(speech)
    yield _plain("muted", [np.zeros(mixtures.WINDOW, np.float32)])


def _plain(name: str, found: Windows) -> Case:
    return name, found, [None] * len(found)


def _music(speech: Windows, folder: Path) -> Iterator[Case]:
    tunes = [mixtures.chords(w, b, folder) for w, b in
             (("pluck", 0.45), ("triangle", 0.8), ("sawtooth", 0.5), ("sine", 0.7))]  # fmt: skip
    music = [w for tune in (*tunes, mixtures.organ(0.5)) for w in mixtures.windows(tune)]
    yield _plain("music: chords", music)
    yield _plain("music: one flute", mixtures.windows(mixtures.melody(0.4)))
    for ratio in (20, 10, 5, 0):
        mixed = [mixtures.mix(w, music[i % len(music)], ratio) for i, w in enumerate(speech)]
        yield _plain(f"speech, music {ratio} dB below", mixed)


def _far_end(speech: Windows, far: Windows) -> Iterator[Case]:
    pairs = list(zip(speech, far, strict=True))
    for below in (10, 15, 20, 25):
        turns = [mixtures.turns(w, f, below) for w, f in pairs]
        yield _plain(f"turns, far end {below} dB below", turns)
    for below in (10, 15, 20, 25):
        hushed, known = [], []
        for own_voice, other in pairs:
            own = OwnLevel()
            judge(own_voice, RATE, own)
            gain = np.std(own_voice) / np.std(other) / 10 ** (below / 20)
            hushed.append(
                mixtures.mix(gain * mixtures.telephone(other), mixtures.noise(other.size), 40)
            )
            known.append(own.level_db)
        yield f"far end alone {below} dB below, agent's level known", hushed, known
    both = [mixtures.mix(w, mixtures.telephone(f), 20) for w, f in pairs]
    yield _plain("both at once, far end 20 dB below", both)


def _noise(speech: Windows) -> Iterator[Case]:
    banded = [mixtures.telephone(w) for w in speech]
    yield _plain("telephone band", banded)
    hissing = [mixtures.mix(w, mixtures.noise(w.size), 40) for w in banded]
    yield _plain("telephone band, hiss 40 dB below", hissing)
    for ratio in (30, 20, 10, 5, 0):
        for color in ("white", "pink"):
            mixed = [mixtures.mix(w, mixtures.noise(w.size, color), ratio) for w in speech]
            yield _plain(f"{color} noise {ratio} dB below", mixed)
    room = [1e-3 * mixtures.noise(mixtures.WINDOW, c) for c in ("white", "pink")]
    yield _plain("room noise alone", room)


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
