"""Who is at a port: recognised from what it sends, whatever that is."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.bench.scanning import Probe, newest_line
from firmware_bridge.protocol.framing import Frame, encode
from firmware_bridge.protocol.messages import Hello, HelloRequest
from firmware_bridge.simulation.board import Board, BoardSettings, Kept

HELLO = Hello(1, 1_000, 0, 0, "Ac\x1b[2Jme", "Clip", "1.4", "h12")


def recognised(data, pieces=1):
    probe = Probe("p")
    assert probe.due(0.0)  # it is asked
    size = max(1, len(data) // pieces)
    for at in range(0, len(data), size):
        probe.feed(data[at : at + size], at * 1e-3)
    return probe.result()


def test_a_board_is_known_by_its_hello_however_it_arrives():
    board = Board(BoardSettings(), kept=Kept("h12"))
    data = board.step(0.0) + board.step(0.2)
    for pieces in (1, 7, len(data)):
        found = recognised(data, pieces)
        assert (found.kind, found.device_id) == ("board", "h12")
        assert found.signals == ("ppg", "eda_us", "skin_temp_c", "acc_g")
    assert found.words() == (
        "Agent Wellbeing Simulated headset, firmware 1.0, device id h12: "
        "ppg, eda_us, skin_temp_c, acc_g"
    )


def test_probing_ends_once_all_is_said_and_no_sooner():
    board, probe = Board(), Probe("p")
    asked = probe.due(0.0)
    assert encode(Frame(HelloRequest.TYPE, 0, b"")) in asked
    data = board.step(0.0)
    first_frame = data.index(b"\0", 1) + 1
    probe.feed(data[:first_frame], 0.1)
    assert not probe.is_done
    probe.feed(data[first_frame:], 0.2)
    assert probe.is_done


def test_one_without_streams_and_with_a_name_that_would_move_the_cursor():
    found = recognised(b"\0" + encode(Frame(Hello.TYPE, 0, HELLO.pack())))
    assert found.words() == "Ac [2Jme Clip, firmware 1.4, device id h12: no streams"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "silent; is it running, and wired to this port?", id="silent"),
        pytest.param(b"\0", "silent; is it running", id="switched on and stuck"),
        pytest.param(
            b"3.4\r\n3.42,33.1\r\n",
            "prints lines like '3.42,33.1'; try: --csv with 2 columns",
            id="numbers",
        ),
        pytest.param(b"boot\nHR: 72\n", "prints lines like 'HR: 72'", id="words"),
        pytest.param(b"x" * 90 + b"\n", f"prints lines like {'x' * 40!r}", id="long"),
        pytest.param(bytes(range(1, 256)), "sends bytes that mean nothing here", id="noise"),
        pytest.param(b"no line end", "sends bytes that mean nothing here", id="no line"),
    ],
)
def test_one_that_does_not_speak_the_protocol(data, words):
    assert recognised(data).words().startswith(words)


def test_another_version_is_told_apart_from_noise():
    body = bytes([7, 1, 1, 0])
    whole = body + crc32(body).to_bytes(4, "little")
    stuffed = b"".join(bytes((len(p) + 1,)) + p for p in whole.split(b"\0"))
    assert recognised(b"\0" + stuffed + b"\0").kind == "other version"


@given(st.binary(max_size=400), st.integers(1, 9))
def test_anything_can_be_at_a_port(data, pieces):
    found = recognised(data, pieces)
    assert found.words().isprintable()
    assert len(found.line) <= 40
    assert newest_line(data).isprintable()
