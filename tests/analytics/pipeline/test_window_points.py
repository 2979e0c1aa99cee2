"""What stands in the store for one window: complete, absent where unknown, once."""

from datetime import timedelta

from analytics.pipeline.pipeline import Pipeline
from analytics.store.points import Measurement, epoch_ns, point_time_ns
from sensors.messages import Absence, Heart, Keyboard, Modules, Pointer, ReadingMessage, Voice
from sensors.signals import Channel
from tests.analytics.synthetic_floor import SITE, START, Floor, Person, teams

FULL = ReadingMessage(
    source="pc",
    run="run00009",
    seq=4,
    window_end_at=START,
    utc_offset_min=60,
    heart=Heart(quality=0.5, hr_bpm=71, rr_ms=(800.0, 810.5), beat_offset_ms=(-900.0, -89.5)),
    keyboard=Keyboard(quality=1.0, key_presses=3, dwell_ms=90.0),
    pointer=Pointer(quality=0.8, pointer_speed_px_s=100.0),
    modules=Modules(quality=1.0, values={"eda_us": 2.5}),
    absent={Channel.VOICE: Absence.POOR},
)


def test_reading_holds_every_value_and_no_invented_one() -> None:
    f = Floor([], Pipeline(SITE, teams(1)))
    f.say("k0", FULL)
    (reading,) = f.of(Measurement.READING)
    assert reading.tags == {"site": SITE, "agent": "k0", "source": "pc"}
    assert reading.time_ns == point_time_ns(START, "run00009")
    assert reading.fields == {
        "run": "run00009",
        "seq": 4,
        "utc_offset_min": 60,
        "late": False,
        "quality_heart": 0.5,
        "hr_bpm": 71.0,
        "quality_keyboard": 1.0,
        "key_presses": 3.0,
        "dwell_ms": 90.0,
        "key_pauses": 0.0,
        "key_corrections": 0.0,
        "quality_pointer": 0.8,
        "pointer_speed_px_s": 100.0,
        "pointer_clicks": 0.0,
        "scroll_steps": 0.0,
        "quality_modules": 1.0,
        "eda_us": 2.5,
        "absent_voice": "poor",
    }
    assert isinstance(reading.fields["hr_bpm"], float), "a field never changes its type"


def test_every_scalar_of_every_section_is_written() -> None:
    f = Floor([], Pipeline(SITE, teams(1)))
    voice = Voice(quality=1.0, speech_ratio=0.5, f0_hz=120.0, hnr_db=12.0)
    f.say(
        "k0", ReadingMessage(source="pc", run="run00009", seq=0, window_end_at=START, voice=voice)
    )
    fields = f.of(Measurement.READING)[0].fields
    assert {k: fields[k] for k in ("speech_ratio", "f0_hz", "hnr_db", "quality_voice")} == {
        "speech_ratio": 0.5,
        "f0_hz": 120.0,
        "hnr_db": 12.0,
        "quality_voice": 1.0,
    }


def test_beats_keep_their_own_times() -> None:
    f = Floor([], Pipeline(SITE, teams(1)))
    f.say("k0", FULL)
    first, second = f.of(Measurement.BEAT)
    assert [b.fields["rr_ms"] for b in (first, second)] == [800.0, 810.5]
    assert second.fields["seq"] == 4
    whole = point_time_ns(START, "run00009") - epoch_ns(START)
    assert first.time_ns == epoch_ns(START - timedelta(milliseconds=900)) + whole


def test_a_retelling_lands_on_the_same_points_and_two_sources_on_two() -> None:
    def points(source: str, run: str) -> set[tuple[object, ...]]:
        f = Floor([], Pipeline(SITE, teams(1)))
        f.say("k0", ReadingMessage(source=source, run=run, seq=4, window_end_at=START))
        return {(p.measurement, *p.tags.values(), p.time_ns) for p in f.points}

    assert points("pc", "run00009") == points("pc", "run00009")
    assert points("pc", "run00009").isdisjoint(points("desk", "run00010"))


def test_two_sources_of_one_moment_are_both_stored() -> None:
    f = Floor([Person("k0"), Person("k0", source="desk", run="run00002")], Pipeline(SITE, teams(1)))
    f.run(60)
    assert len(f.of(Measurement.READING)) == 24
    assert len({(p.time_ns, p.tags["source"]) for p in f.of(Measurement.READING)}) == 24
    assert len({p.time_ns for p in f.of(Measurement.SCORE)}) == 24
