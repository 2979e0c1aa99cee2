"""The LD2410's frames: only what is whole and possible is read, the rest is counted."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.display.ld2410 import (
    MAX_DATA_BYTES,
    Answer,
    Command,
    Counts,
    Ld2410,
    Refusal,
    Report,
    command,
    resolution,
    version,
)
from tests.firmware_bridge.display.radar import (
    BASIC_EXAMPLE,
    ENGINEERING_EXAMPLE,
    VERSION_EXAMPLE,
    answer,
    basic,
    engineering,
)

MOST_HELD = MAX_DATA_BYTES + 10


def read(*pieces):
    decoder = Ld2410()
    return [item for piece in pieces for item in decoder.feed(piece)], decoder.counts


def test_the_makers_example_of_a_basic_report():
    (report,), counts = read(BASIC_EXAMPLE)
    assert (report.moving, report.stationary) == (False, True)
    assert (report.moving_cm, report.moving_energy) == (81, 0)
    assert (report.stationary_cm, report.stationary_energy) == (0, 59)
    assert (report.detection_cm, report.engineering) == (0, None)
    assert counts == Counts(reports=1)


def test_the_makers_example_of_an_engineering_report():
    (report,), counts = read(ENGINEERING_EXAMPLE)
    assert (report.moving, report.stationary) == (True, True)
    assert (report.moving_cm, report.moving_energy) == (30, 60)
    assert (report.stationary_cm, report.stationary_energy) == (0, 57)
    gates = report.engineering
    assert list(gates.moving) == [60, 34, 5, 3, 3, 4, 3, 6, 5]
    assert list(gates.stationary) == [0, 0, 57, 16, 19, 6, 6, 8, 4]
    assert (gates.light, gates.out) == (0x60, True)
    assert counts == Counts(reports=1)


def test_firmware_without_light_says_nothing_of_it():
    (report,), _ = read(engineering())
    assert (report.engineering.light, report.engineering.out) == (None, None)


@pytest.mark.parametrize(
    ("word", "value", "sent"),
    [
        (Command.CONFIGURE, "0100", "fdfcfbfa 0400 ff00 0100 04030201"),
        (Command.CONFIGURE_END, "", "fdfcfbfa 0200 fe00 04030201"),
        (Command.ENGINEERING_ON, "", "fdfcfbfa 0200 6200 04030201"),
        (Command.VERSION, "", "fdfcfbfa 0200 a000 04030201"),
        (Command.RESTART, "", "fdfcfbfa 0200 a300 04030201"),
        (Command.RESOLUTION, "", "fdfcfbfa 0200 ab00 04030201"),
        (Command.RESOLUTION_SET, "0100", "fdfcfbfa 0400 aa00 0100 04030201"),
    ],
    ids=lambda value: value.name if isinstance(value, Command) else "",
)
def test_commands_are_the_makers_examples(word, value, sent):
    assert command(word, bytes.fromhex(value)) == bytes.fromhex(sent)


def test_answers():
    (found,), counts = read(VERSION_EXAMPLE)
    assert version(found) == "V1.02.22062416"
    assert counts == Counts(answers=1)
    assert read(answer(0xAB, b"\x01\x00"))[0] == [Answer(0xAB, True, b"\x01\x00")]
    assert resolution(Answer(0xAB, True, b"\x01\x00")) == 0.2
    assert resolution(Answer(0xAB, True, b"\x00\x00")) == 0.75
    assert read(answer(0xAB, status=1))[0] == [Answer(0xAB, False)]
    nothing = [
        Answer(0xAB, False, b"\x01\x00"),
        Answer(0xAB, True, b"\x07\x00"),
        Answer(0xA0, True, b"\x00"),
        Answer(0x62, True),
    ]
    assert all(version(one) is None and resolution(one) is None for one in nothing)


def _with(frame, at, value):
    return frame[:at] + bytes([value]) + frame[at + 1 :]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(_with(BASIC_EXAMPLE, 4, 0x0E), Refusal.TAIL, id="length one more"),
        pytest.param(_with(BASIC_EXAMPLE, 5, 0x01), Refusal.LENGTH, id="longer than any"),
        pytest.param(_with(BASIC_EXAMPLE, 4, 0x02), Refusal.LENGTH, id="shorter than any"),
        pytest.param(_with(BASIC_EXAMPLE, 6, 0x03), Refusal.KIND, id="unknown report"),
        pytest.param(_with(BASIC_EXAMPLE, 6, 0x01), Refusal.LENGTH, id="engineering, no gates"),
        pytest.param(_with(BASIC_EXAMPLE, 7, 0xAB), Refusal.MARKER, id="inner head"),
        pytest.param(_with(BASIC_EXAMPLE, 17, 0x54), Refusal.MARKER, id="inner tail"),
        pytest.param(_with(BASIC_EXAMPLE, 18, 0x01), Refusal.MARKER, id="calibration"),
        pytest.param(_with(BASIC_EXAMPLE, 22, 0xF4), Refusal.TAIL, id="tail"),
        pytest.param(_with(BASIC_EXAMPLE, 8, 0x07), Refusal.RANGE, id="unknown state"),
        pytest.param(_with(BASIC_EXAMPLE, 11, 101), Refusal.RANGE, id="energy above 100"),
        pytest.param(_with(BASIC_EXAMPLE, 10, 0x51), Refusal.RANGE, id="207 m away"),
        pytest.param(_with(ENGINEERING_EXAMPLE, 17, 9), Refusal.LENGTH, id="ten gates"),
        pytest.param(command(Command.VERSION) + b"", Refusal.LENGTH, id="our own, too short"),
        pytest.param(command(Command.CONFIGURE, b"\1\0"), Refusal.KIND, id="our own, heard back"),
    ],
)
def test_a_wrong_frame_is_refused_by_its_reason_and_the_next_one_read(frame, reason):
    found, counts = read(frame, BASIC_EXAMPLE)
    assert found == read(BASIC_EXAMPLE)[0]
    assert counts.refused == {reason: 1}
    assert counts.skipped_bytes == len(frame)


STREAM = (
    b"\xf5\x00noise\xf4\xf3" + BASIC_EXAMPLE + BASIC_EXAMPLE[:11] + ENGINEERING_EXAMPLE
    + b"\xf4\xf3\xf2" + VERSION_EXAMPLE + _with(BASIC_EXAMPLE, 8, 0x70) + basic(3, (150, 66), (200, 85))
)  # fmt: skip


def test_a_split_at_every_byte_changes_nothing():
    whole, counts = read(STREAM)
    assert [type(item) for item in whole] == [Report, Report, Answer, Report]
    assert counts.refused == {Refusal.TAIL: 1, Refusal.RANGE: 1}
    for cut in range(len(STREAM) + 1):
        assert read(STREAM[:cut], STREAM[cut:]) == (whole, counts), cut
    assert read(*(bytes([byte]) for byte in STREAM)) == (whole, counts)


def test_no_single_changed_byte_hides_the_frame_after_it():
    """Corruption anywhere costs at most the frame it is in."""
    good, next_one = ENGINEERING_EXAMPLE, basic(1, (150, 66))
    for at, value in itertools.product(range(len(good)), (0x00, 0x55, 0xF4, 0xFD, 0xFF)):
        found, _ = read(_with(good, at, value) + next_one + next_one * 3)
        assert found[-4:] == read(next_one * 4)[0], (at, value)


def test_no_truncation_hides_the_frames_after_it():
    for cut in range(len(ENGINEERING_EXAMPLE)):
        found, counts = read(ENGINEERING_EXAMPLE[:cut] + BASIC_EXAMPLE * 4)
        assert found == read(BASIC_EXAMPLE * 4)[0], cut
        assert counts.skipped_bytes == cut


def test_repeated_and_reordered_frames_are_reports_like_any_other():
    """The protocol numbers nothing, so neither can be seen; each says how it was just then."""
    first, second = basic(1, (150, 66)), basic(0)
    assert read(second, first, first)[0] == read(second)[0] + 2 * read(first)[0]


def test_while_it_measures_its_background_there_is_no_target():
    for state in (4, 5, 6):
        (report,), _ = read(basic(state))
        assert report.measuring_background
        assert not report.moving
        assert not report.stationary


_FRAMES = st.sampled_from([BASIC_EXAMPLE, ENGINEERING_EXAMPLE, VERSION_EXAMPLE, STREAM])


@st.composite
def _mutated(draw):
    """Frames with bytes changed, lost or put in."""
    stream = bytearray(b"".join(draw(st.lists(_FRAMES, max_size=6))))
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, len(stream)))
        match draw(st.integers(0, 2)):
            case 0:
                stream[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                del stream[at : at + draw(st.integers(1, 8))]
            case _:
                stream[at:at] = draw(st.binary(max_size=8))
    return bytes(stream)


@given(st.one_of(_mutated(), st.binary(max_size=400)), st.lists(st.integers(0, 400), max_size=6))
@settings(deadline=None)
def test_whatever_arrives_is_read_or_counted_and_little_is_held(stream, cuts):
    decoder = Ld2410()
    found = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        found += decoder.feed(stream[start:end])
        assert len(decoder._pending) < MOST_HELD
    assert (found, decoder.counts) == read(stream)
    counts = decoder.counts
    assert (counts.reports, counts.answers) == tuple(
        sum(isinstance(item, kind) for item in found) for kind in (Report, Answer)
    )
    for report in found:
        if isinstance(report, Report):
            assert max(report.moving_energy, report.stationary_energy) <= 100
            assert max(report.moving_cm, report.stationary_cm, report.detection_cm) <= 1000
    # Every byte is inside a frame that was read, skipped, or still held.
    size = {Report: lambda item: len(item.data) + 10, Answer: lambda item: len(item.value) + 14}
    inside = sum(size[type(item)](item) for item in found)
    assert inside + counts.skipped_bytes + len(decoder._pending) == len(stream)


@given(_mutated())
@settings(deadline=None)
def test_after_anything_a_frame_comes_through(stream):
    """At most two frames are needed to find back: what waits for its end holds fewer bytes."""
    decoder = Ld2410()
    decoder.feed(stream)
    quiet = [BASIC_EXAMPLE] * 4
    assert [item for frame in quiet for item in decoder.feed(frame)][-1] == read(BASIC_EXAMPLE)[0][
        0
    ]
