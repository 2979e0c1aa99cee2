"""Captures: every byte and its time come back, and damage is said, not guessed at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.ports.capture import MAGIC, Capture, CaptureWriter, Chunk, Made
from sensors.errors import ConfigurationError

MADE = Made("/dev/ttyACM0", 115_200, "ppg,-", 100.0, "2026-11-22T09:00:00+00:00")
CHUNKS = st.lists(
    st.tuples(st.integers(0, 10**12), st.booleans(), st.binary(min_size=1, max_size=300)),
    max_size=20,
)


@given(CHUNKS)
def test_what_was_written_is_read(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("captures") / "raw.bin"
    at_ns, chunks = 0, []
    for gap_ns, from_board, data in found:
        at_ns += gap_ns
        chunks.append(Chunk(at_ns, from_board, data))
    with CaptureWriter(path, MADE) as writer:
        writer.write(Chunk(0, from_board=True, data=b""))  # nothing came: nothing is kept
        for chunk in chunks:
            writer.write(chunk)
    capture = Capture(path)
    assert capture.made == MADE
    assert list(capture.chunks()) == chunks
    assert not capture.is_cut
    assert writer.bytes == sum(len(chunk.data) for chunk in chunks)


def test_the_bytes_are_those_that_are_written_down(tmp_path):
    """Another program reads it by the text alone."""
    path = tmp_path / "raw.bin"
    with CaptureWriter(path, Made("p", 50)) as writer:
        writer.write(Chunk(256, from_board=False, data=b"ab"))
    head = b'{"port":"p","baud":50,"csv":null,"rate_hz":null,"began_at":""}\n'
    record = bytes.fromhex("0001000000000000 01 02000000") + b"ab"
    assert path.read_bytes() == MAGIC + head + record


def test_wherever_it_is_cut_the_whole_records_are_read(tmp_path):
    whole, path = tmp_path / "whole.bin", tmp_path / "cut.bin"
    chunks = [Chunk(n * 7, from_board=n % 2 == 0, data=bytes([n]) * (n + 1)) for n in range(5)]
    with CaptureWriter(whole, MADE) as writer:
        for chunk in chunks:
            writer.write(chunk)
    data = whole.read_bytes()
    start = data.index(b"\n", len(MAGIC)) + 1
    ends = [start]
    for chunk in chunks:
        ends.append(ends[-1] + 13 + len(chunk.data))
    for cut in range(start, len(data) + 1):
        path.write_bytes(data[:cut])
        capture = Capture(path)
        assert list(capture.chunks()) == chunks[: sum(end <= cut for end in ends) - 1], cut
        assert capture.is_cut == (cut not in ends), cut


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"t_s,signal,value\n", "is no capture; expected a file of `firmware-bridge record --raw`"),
        (b"", "is no capture"),
        (MAGIC + b"{}\n", "line 2"),
        (MAGIC + b"no json\n", "line 2"),
    ],
)
def test_what_is_no_capture(tmp_path, data, words):
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=words):
        Capture(path)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param("0000000000000000 02 01000000 00", id="direction"),
        pytest.param("0000000000000000 00 ffffffff 00", id="size"),
    ],
)
def test_a_damaged_record_is_said_with_its_place(tmp_path, record):
    path = tmp_path / "x.bin"
    with CaptureWriter(path, MADE) as writer:
        writer.write(Chunk(5, from_board=True, data=b"x"))
    at = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes.fromhex(record))
    chunks = Capture(path).chunks()
    assert next(chunks).data == b"x"
    with pytest.raises(ConfigurationError, match=rf"byte {at}: no record of a capture"):
        next(chunks)


def test_time_that_goes_back_is_damage(tmp_path):
    path = tmp_path / "x.bin"
    with CaptureWriter(path, MADE) as writer:
        writer.write(Chunk(5, from_board=True, data=b"x"))
        writer.write(Chunk(4, from_board=True, data=b"y"))
    with pytest.raises(ConfigurationError, match="the file is damaged"):
        list(Capture(path).chunks())


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigurationError, match=r"--raw is .*; No such file or directory"):
        CaptureWriter(tmp_path / "no" / "x.bin", MADE)
    with pytest.raises(ConfigurationError, match="No such file"):
        Capture(tmp_path / "none.bin")
