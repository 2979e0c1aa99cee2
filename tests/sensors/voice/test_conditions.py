"""What is wrong with a window: synthetic speakers, music, and mixtures at known ratios."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from sensors.voice import activity
from sensors.voice.conditions import Conditions, OwnLevel, clipping_of, judge
from sensors.voice.windows import WindowReader
from tests.sensors.voice import mixtures
from tests.sensors.voice.synthesis import RATE, voice

SPEECH = Path(__file__).parents[3].parent / "shared" / "data" / "speech"
pytestmark = pytest.mark.needs("espeak-ng")


@pytest.fixture(scope="module")
def speakers(tmp_path_factory) -> list[np.ndarray]:
    """One window each of four synthetic speakers."""
    folder = tmp_path_factory.mktemp("said")
    kinds = zip(("en+m2", "en+f5", "en-us+m6", "de+f4"), mixtures.TEXTS * 2, strict=True)
    return [mixtures.windows(mixtures.say(v, t, folder))[0] for v, t in kinds]


@pytest.fixture
def sentence(speakers) -> np.ndarray:
    return speakers[0].copy()


def test_clean_speech_keeps_its_quality(speakers):
    for window in speakers:
        heard = WindowReader(RATE).read(window.copy())
        # One of the synthetic voices is monotonous enough to sound a little like music.
        assert heard.quality > 0.75, heard.reasons
        assert heard.values


def test_real_speech_keeps_its_quality_where_there_is_some(record_property):
    paths = sorted(SPEECH.glob("*.wav"))
    record_property("recordings", len(paths))
    sys.stdout.write(f"{len(paths)} recordings of speech found\n")
    left = [judge(soundfile.read(p, dtype="float32")[0], RATE).factor for p in paths]
    assert all(factor > 0.8 for factor in left)
    assert sum(factor > 0.99 for factor in left) >= 0.9 * len(left)


@pytest.mark.parametrize("peak", [1.0, 0.2], ids=["at full scale", "turned down afterwards"])
def test_clipping_is_seen_wherever_the_top_was_cut(sentence, peak):
    shares = [clipping_of(mixtures.clip(sentence, over, peak)) for over in (0, 3, 6, 12)]
    assert shares[0] == 0.0
    assert all(less < more or more == 1.0 for less, more in pairwise(shares))
    heard = WindowReader(RATE).read(mixtures.clip(sentence, 20, peak))
    assert (heard.values, heard.quality) == ({}, 0.0)
    assert "clipped: turn the microphone down" in heard.reasons


def test_what_was_cut_off_is_counted_once_wherever_the_top_is(sentence):
    cut, turned_down = (WindowReader(RATE).read(mixtures.clip(sentence, 3, p)) for p in (1.0, 0.2))
    assert 0.1 < cut.quality < 0.99
    assert cut.quality == pytest.approx(turned_down.quality, abs=0.1)


@pytest.mark.parametrize("direct", [0.4, 0.7, -0.5])
def test_clipping_beside_direct_current_is_seen_though_one_side_is_whole(sentence, direct):
    """The whole side was the largest, and the flat one below it no top."""
    driven = 0.9 * sentence / np.abs(sentence).max()
    assert clipping_of(driven + np.float32(direct)) == 0.0
    cut = np.clip(driven + np.float32(direct), -1.0, 1.0)
    assert clipping_of(cut) > 0.02
    again = 0.3 * (cut - cut.mean())  # as after a coupling that lets no direct current through
    assert clipping_of(again.astype(np.float32)) == pytest.approx(clipping_of(cut), rel=0.2)


def test_zeros_between_clicks_to_one_side_are_no_top():
    sound = np.zeros(RATE, dtype=np.float32)
    sound[::1000] = 0.5
    assert clipping_of(sound) == 0.0


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
@pytest.mark.parametrize("hz", [50.0, 100.0, 300.0])
@pytest.mark.parametrize("level", [0.003, 0.3])
def test_a_hum_is_not_clipped(hz, level, rate):
    # Its top is flat at a high rate, and by the steps of 16 bits.
    hum = level * np.sin(2 * np.pi * hz * np.arange(rate) / rate)
    for sound in (hum, np.round(hum * 32_768) / 32_768, hum + 0.05):
        assert clipping_of(sound.astype(np.float32)) == 0.0


def test_a_quiet_room_beside_direct_current_is_not_clipped():
    noise = np.random.default_rng(3).standard_normal(RATE)
    assert clipping_of((0.02 + 1e-5 * noise).astype(np.float32)) == 0.0


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_microphone_that_gives_one_value_is_muted(rate):
    heard = WindowReader(rate).read(np.full(5 * rate, 0.01, dtype=np.float32))
    assert (heard.values, heard.reasons) == ({}, ("the microphone is muted",))


@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.44])
def test_short_windows_are_looked_at(seconds):
    sound = voice(150, seconds=1.0).samples[: round(seconds * RATE)]
    assert activity.find(sound, RATE).speech_s == pytest.approx(seconds, abs=0.1)


@pytest.mark.needs("sox")
def test_chords_are_music_and_give_nothing(tmp_path):
    tunes = [mixtures.chords("pluck", 0.5, tmp_path), mixtures.organ(0.5)]
    for tune in tunes:
        heard = WindowReader(RATE).read(mixtures.windows(tune)[0])
        assert (heard.values, heard.quality) == ({}, 0.0)
        assert "music or a tone" in heard.reasons


def test_one_pitch_held_is_not_trusted_but_could_be_a_voice():
    """A flute alone cannot be told from a held vowel: no quality, but no fault either."""
    for window in (mixtures.windows(mixtures.melody(0.4))[0], voice(180, jitter=0.01).samples):
        heard = WindowReader(RATE).read(window.copy())
        assert heard.quality == 0.0
        assert heard.values


def test_music_behind_speech_takes_more_the_louder_it_is(speakers):
    tune = mixtures.windows(mixtures.organ(0.5))[0]
    means = [
        np.mean([judge(mixtures.mix(w, tune, ratio), RATE).music for w in speakers])
        for ratio in (40, 20, 10, 0)
    ]
    assert means[0] < 0.3
    assert means == sorted(means)
    assert means[-1] > 0.9


@pytest.mark.parametrize("below_db", [15, 20, 25])
def test_a_second_much_lower_level_in_a_window_is_bleed(speakers, below_db):
    found = [
        judge(mixtures.turns(own, far, below_db), RATE)
        for own, far in zip(speakers, speakers[1:] + speakers[:1], strict=True)
    ]
    assert sum(said.bleed > 0.1 for said in found) >= 3
    assert all(said.is_usable for said in found)  # the agent spoke, too


def test_the_far_end_alone_is_known_by_the_agents_own_level(speakers):
    reader, own, far = WindowReader(RATE), speakers[0].copy(), mixtures.telephone(speakers[1])
    leaking = (far * np.std(own) / np.std(far) / 10.0).astype(np.float32)
    # Nobody was heard before: from one microphone this could be a quiet agent.
    assert judge(leaking, RATE, OwnLevel()).bleed == 0.0
    assert reader.read(own).values
    heard = reader.read(leaking.copy())
    assert heard.values == {}
    assert "some of the speech is much quieter, as if from the other end" in heard.reasons


def test_a_key_struck_while_the_agent_speaks_makes_nobody_a_far_end(speakers):
    """Its level was taken for the agent's own: for five minutes the agent was bleed, and poor."""
    reader = WindowReader(RATE)
    soft = 0.02 * speakers[0] / np.abs(speakers[0]).max()
    struck = soft.copy()
    loudest = int(np.abs(soft).argmax())
    struck[loudest : loudest + 64] += np.exp(-np.arange(64) / 12)
    for window in (soft, struck, soft):
        heard = reader.read(window.astype(np.float32))
        assert heard.values
        assert heard.quality > 0.75, heard.reasons


def test_loud_hold_music_is_not_how_loud_the_agent_is(speakers):
    reader = WindowReader(RATE)
    reader.read(mixtures.windows(mixtures.organ(0.5))[0])
    heard = reader.read((0.03 * speakers[0] / np.abs(speakers[0]).max()).astype(np.float32))
    assert heard.values
    assert heard.quality > 0.75, heard.reasons


def test_a_microphone_moved_away_is_believed_after_some_minutes(speakers):
    own = OwnLevel()
    judge(speakers[0], RATE, own)
    farther = 0.1 * speakers[0]
    windows = next(n for n in range(200) if judge(farther, RATE, own).bleed == 0.0)
    assert 12 <= windows <= 120  # one to ten minutes


def test_the_telephones_band_is_seen_at_either_rate(sentence):
    assert not judge(sentence, RATE).is_telephone
    narrow = mixtures.telephone(sentence)
    assert judge(narrow, RATE).is_telephone
    assert judge(mixtures.mix(narrow, mixtures.noise(narrow.size), 45), RATE).is_telephone
    assert judge(sentence[::2].copy(), RATE // 2).is_telephone
    heard = WindowReader(RATE).read(narrow.copy())
    assert heard.quality == pytest.approx(0.8, abs=0.05)
    assert "f0_hz" in heard.values
    assert "alpha_ratio_db" not in heard.values


def test_noise_takes_more_the_louder_it_is(sentence):
    hiss = mixtures.noise(sentence.size)
    left = [judge(mixtures.mix(sentence, hiss, r), RATE).factor for r in (30, 10, 5, 0)]
    assert left[0] > 0.95
    assert all(less > more for less, more in pairwise(left))


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_mains_hum_below_the_voice_is_noise(sentence, hz):
    """As loud as the voice it moved the pitch by an octave, and nothing was said about it."""
    hum = np.sin(2 * np.pi * hz * np.arange(sentence.size) / RATE)
    left = [judge(mixtures.mix(sentence, hum, r), RATE).factor for r in (30, 10, 0)]
    assert left[0] > 0.95
    assert left[0] > left[1] > left[2]
    assert left[2] < 0.5
    assert "noise" in judge(mixtures.mix(sentence, hum, 10), RATE).reasons


def without(sentence: np.ndarray, count: int, packet_s: float, rate: int) -> np.ndarray:
    """Return the sentence after a link lost `count` packets while somebody spoke."""
    cut, size = sentence.copy(), round(packet_s * rate)
    loud = np.argsort(-np.abs(sentence))
    lost: list[int] = []
    for at in loud:
        if len(lost) < count and all(abs(at - other) > 5 * size for other in lost):
            lost.append(int(at))
            cut[at + 1 : at + 1 + size] = 0.0
    return cut


@pytest.mark.parametrize("packet_s", [0.00375, 0.0075, 0.1])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_packets_that_a_headsets_link_lost_count_as_the_drivers_losses(sentence, packet_s, rate):
    sound = sentence if rate == RATE else soxr.resample(sentence, RATE, rate)
    for count, left in ((0, 1.0), (2, 0.6), (9, 0.0)):
        heard = WindowReader(rate).read(without(sound, count, packet_s, rate))
        assert heard.quality == pytest.approx(left, abs=0.12), heard.reasons
        assert ("sound is lost on the way" in heard.reasons) == (count > 0)


def test_a_gate_that_closes_between_words_loses_nothing(sentence):
    level = np.convolve(np.abs(sentence), np.ones(800) / 800, mode="same")
    gated = np.where(level > 0.02 * level.max(), sentence, 0.0).astype(np.float32)
    assert (gated == 0.0).mean() > 0.05
    assert judge(gated, RATE).losses == 0
    soft = np.round(0.0005 * sentence / np.abs(sentence).max() * 32_768) / 32_768
    assert judge(soft.astype(np.float32), RATE).losses == 0  # the last bits have zeros of their own
    assert judge(np.zeros(RATE, dtype=np.float32), RATE).losses == 0


def test_silence_is_a_measurement_and_a_muted_microphone_is_not():
    room = 1e-3 * mixtures.noise(mixtures.WINDOW, "pink")
    said = judge(room, RATE)
    assert said.is_silent
    assert said.is_usable
    assert said.reasons == ("nobody speaks",)
    muted = judge(np.zeros(mixtures.WINDOW, np.float32), RATE)
    assert muted.is_muted
    assert not muted.is_usable


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.01])
def test_turning_the_microphone_down_changes_nothing(sentence, gain):
    said = judge(gain * sentence, RATE)
    assert said.factor > 0.8
    assert said.is_usable


@pytest.mark.parametrize("rate", [8_000, 11_025, 12_000, 16_000])
@pytest.mark.parametrize("hiss", [1e-4, 5e-3])
def test_speech_is_found_where_it_is(rate, hiss):
    sound = voice(140, seconds=2.0, jitter=0.02, rate=rate).samples
    padded = np.concatenate([np.zeros(2 * rate), sound, np.zeros(rate)]).astype(np.float32)
    padded += np.float32(hiss) * mixtures.noise(padded.size)
    at_s = np.flatnonzero(activity.find(padded, rate).speech) * activity.HOP_S
    assert at_s.min() == pytest.approx(2.0, abs=0.1)
    assert at_s.max() == pytest.approx(4.0, abs=0.1)


def test_each_condition_takes_its_share_and_no_more_than_all():
    clean = Conditions(speech_s=3.0)
    assert (clean.factor, clean.reasons, clean.is_usable) == (1.0, (), True)
    for one in ({"clipping": 1.0}, {"music": 1.0}, {"losses": 9}, {"bleed": 1.0}):
        assert Conditions(speech_s=3.0, **one).factor == 0.0
    assert Conditions(speech_s=0.25).factor == 0.5
    assert Conditions(speech_s=3.0, noise=1.0).factor == pytest.approx(0.2)
    worst = Conditions(speech_s=0.0, music=1.0, bleed=1.0, losses=99, is_telephone=True)
    assert worst.factor == 0.0
