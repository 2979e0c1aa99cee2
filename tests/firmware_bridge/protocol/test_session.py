"""A session with a board: described, counted, timed, asked; with everything that goes wrong."""

from dataclasses import replace

import numpy as np
import pytest

from firmware_bridge.protocol.events import (
    Answered,
    Beaten,
    Described,
    Faulted,
    Measured,
    Powered,
    Restarted,
    Said,
    Touched,
)
from firmware_bridge.protocol.framing import Frame, encode
from firmware_bridge.protocol.messages import (
    UNKNOWN,
    Battery,
    Beat,
    Beats,
    Contact,
    Fault,
    Get,
    HelloRequest,
    Key,
    Log,
    Part,
    Samples,
    Setting,
    Status,
    Time,
    TimeRequest,
)
from firmware_bridge.protocol.session import Session
from tests.firmware_bridge.protocol.talking import (
    EDA,
    PPG,
    TEMPERATURE,
    Talking,
    numbered,
    said_to,
)

HOST_S = 500.0


def kinds(events):
    return [type(event) for event in events]


def described(*streams, **options):
    board, session = Talking(**options), Session()
    session.feed(b"\0" + board.hello(0, *streams), HOST_S)
    return board, session


def test_hello_is_asked_for_until_it_comes():
    session, board = Session(start=0xFFFF), Talking()
    asked = [now / 10 for now in range(160) if session.due(now / 10)]
    assert asked == [0, 1, 3, 7, 11, 15]
    assert session.due(19.0).startswith(b"\0"), "it ends whatever another program has sent"
    session.feed(b"\0" + board.hello(16, EDA), 16.0)
    requests = [said_to(session.due(now)) for now in (16.0, 17.0, 25.9, 26.0)]
    assert requests == [
        [(TimeRequest(0x1_0000), 6)],
        [],
        [],
        [(TimeRequest(0x1_0001), 7)],
    ]


def test_it_is_asked_for_again_while_a_stream_is_missing():
    session, board = Session(), Talking()
    *most, last = board.hello(0, *numbered(EDA, TEMPERATURE)).split(b"\0")[:-1]
    assert session.due(0.0)
    assert session.feed(b"\0" + b"\0".join(most) + b"\0", 0.1) == []
    assert session.due(0.9) == b""
    assert [m for m, _ in said_to(session.due(1.2))] == [HelloRequest()]
    assert kinds(session.feed(last + b"\0", 1.3)) == [Described]


def test_it_describes_itself_once_and_again_when_something_changes():
    board, session = Talking(), Session()
    streams = numbered(EDA, PPG)
    (event,) = session.feed(b"\0" + board.hello(0, *streams), 0.0)
    assert event.streams == dict(enumerate(streams)) == session.streams
    assert (event.hello.model, session.hello) == ("Clip", event.hello)
    assert session.feed(board.hello(8, *streams), 8.0) == []
    streams[0] = replace(EDA, rate_mhz=1_000)
    (event,) = session.feed(board.frame(streams[0]), 9.0)
    assert event.streams[0].rate_mhz == 1_000
    (event,) = session.feed(board.hello(16, *streams, device_id="clip-1"), 16.0)
    assert event.hello.device_id == "clip-1"
    (event,) = session.feed(board.hello(17, *streams[:1], device_id="clip-1"), 17.0)
    assert list(event.streams) == [0]


def test_samples_have_the_times_of_the_boards_clock_not_of_their_arrival():
    board, session = described(EDA)
    board_s, at_s = [], []
    for turn in range(1, 60):
        held_s = 2.5 if turn % 7 == 0 else 0.0
        data = board.values(EDA, turn, 1.0, 2.0, 3.0, 4.0)
        (event,) = session.feed(data, HOST_S + turn + held_s)
        assert event.values[:, 0].tolist() == [1, 2, 3, 4]
        assert event.stream == EDA
        board_s += event.board_s.tolist()
        at_s += event.at_s.tolist()
    assert np.diff(board_s) == pytest.approx(0.25)
    assert np.diff(at_s) == pytest.approx(0.25, abs=1e-3)
    assert at_s[-1] == pytest.approx(HOST_S + 59, abs=1e-3)
    assert session.clock.latency_s == pytest.approx(0, abs=1e-3)


def test_a_round_trip_bounds_the_error():
    board, session = described(EDA)
    ((request, _),) = said_to(session.due(HOST_S))
    answer = Time(request.token, board.ticks(0.010), board.ticks(0.011))
    assert session.clock.error_s is None
    assert session.feed(board.frame(answer), HOST_S + 0.030) == []
    # HELLO came without delay; how long the question took is not known, up to 10 ms.
    assert session.clock.error_s == pytest.approx(0.005, abs=0.001)
    before = session.clock.error_s
    session.feed(board.frame(Time(4711, 0, 0)), HOST_S + 1)  # of another program, or long ago
    assert session.clock.error_s == before
    assert session.clock.steps == 0


def test_everything_else_a_board_says():
    board, session = described(EDA)
    at = board.ticks(2.0)
    fault = Fault(at, 3, 0, active=True, text="open")
    setting = Setting(4, Key.RATE, 0, Status.KEPT, bytes(4))
    beats = Beats((Beat(board.ticks(1.0), 0, UNKNOWN), Beat(at, 9_876, 50)))
    said = (beats, Contact(at, Part.SKIN, on=True), Battery(80, 0, 0), Log(1, "hi"), fault, setting)
    events = session.feed(b"".join(map(board.frame, said)), HOST_S + 2.0)
    first, second, touched, powered, spoke, faulted, answered = events
    assert kinds(events[:2]) == [Beaten, Beaten]
    assert (first.rr_ms, first.quality) == (None, None)
    assert (second.rr_ms, second.quality) == (987.6, 0.5)
    assert second.board_s - first.board_s == pytest.approx(1.0)
    assert touched == Touched(Part.SKIN, on=True, at_s=pytest.approx(HOST_S + 2))
    assert powered == Powered(Battery(80, 0, 0))
    assert spoke == Said(Log(1, "hi"))
    assert faulted == Faulted(fault, pytest.approx(HOST_S + 2), HOST_S + 2)
    assert answered == Answered(setting)


@pytest.mark.parametrize("ago", [5, (1 << 31) + 5, (1 << 32) - 99_000])
def test_a_change_is_never_in_the_future_however_long_ago_it_was(ago):
    board, session = described(EDA)
    ticks = board.ticks(3) - ago & 0xFFFF_FFFF
    (event,) = session.feed(board.frame(Contact(ticks, Part.PULSE, on=False)), HOST_S + 3)
    assert event.at_s <= HOST_S + 3


def test_what_was_not_described_is_not_believed():
    board, session = Talking(), Session()
    early = board.values(EDA, 0, 1.0) + board.frame(Contact(0, Part.PULSE, on=True))
    assert session.feed(b"\0" + early, 0.0) == []
    assert kinds(session.feed(board.frame(Log(0, "x")), 0.0)) == [Said]
    session.feed(board.hello(0, EDA), 0.0)
    assert session.feed(board.values(replace(EDA, stream=1), 1, 1.0), 1.0) == []
    assert session.counts.undescribed == 3
    assert session.feed(board.frame(replace(EDA, stream=1)), 1.0) == []
    assert session.counts.content == 1
    assert kinds(session.feed(board.values(EDA, 1, 1.0), 1.0)) == [Measured]


def test_content_that_cannot_be_is_counted_and_not_lost():
    board, session = described(EDA)
    bad = [
        board.frame(Samples(0, 3, 0, 100, bytes(8))),  # three values announced, two there
        board.frame(Samples(0, 2, 0, 0xFFFF_FFFF, bytes(8))),  # longer than half a wrap
        encode(Frame(Contact.TYPE, board.counter, bytes(2))),
    ]
    assert session.feed(b"".join(bad), HOST_S + 1) == []
    assert (session.counts.content, session.counts.lost) == (3, 0)


def test_a_restart_is_told_and_everything_begins_anew():
    board, session = described(EDA)
    session.feed(board.values(EDA, 1, 1.0), HOST_S + 1)
    board.restart(counter=40_000)
    hello, stream = board.hello(20, EDA).split(b"\0")[:2]
    assert kinds(session.feed(b"\0boot\0" + hello + b"\0", HOST_S + 20)) == [Restarted]
    assert session.feed(board.values(EDA, 21, 1.0), HOST_S + 21) == []
    assert kinds(session.feed(stream + b"\0", HOST_S + 21)) == [Described]
    (event,) = session.feed(board.values(EDA, 22, 5.0), HOST_S + 22)
    assert event.at_s[0] == pytest.approx(HOST_S + 22, abs=0.01)
    counts = session.counts
    assert (counts.restarts, counts.undescribed, counts.refused.stuffing) == (1, 1, 1)


def test_a_restart_whose_hello_was_lost_is_asked_about():
    board, session = described(EDA, counter=50_000)
    session.due(HOST_S)
    board.restart(counter=10_000)
    board.hello(20, EDA)  # nobody heard it
    assert session.feed(board.values(EDA, 21, 1.0), HOST_S + 21) == []
    assert session.counts.stale == 1
    asked = [message for message, _ in said_to(session.due(HOST_S + 21))]
    assert HelloRequest() in asked
    events = session.feed(board.hello(22, EDA) + board.values(EDA, 22, 1.0), HOST_S + 22)
    assert kinds(events) == [Restarted, Described, Measured]
    assert session.due(HOST_S + 24) == b""


def test_a_counter_that_ran_on_unheard_is_found_again_by_hello():
    board, session = described(EDA, counter=0)
    board.counter = 40_000
    assert session.feed(board.values(EDA, 900, 1.0), HOST_S + 900) == []
    events = session.feed(board.hello(901, EDA) + board.values(EDA, 901, 1.0), HOST_S + 901)
    assert kinds(events) == [Measured]
    assert session.counts.restarts == 0


def test_our_own_words_come_back():
    _, session = described(EDA)
    echoed, _ = session.request(Get(Key.RATE, 0))
    assert session.feed(echoed + session.due(HOST_S), HOST_S + 1) == []
    counts = session.counts
    assert (counts.echoed, counts.lost, counts.stale) == (2, 0, 0)


def test_an_answer_names_the_request():
    session = Session(start=9)
    data, counter = session.request(Get(Key.DEVICE_ID, 0))
    assert said_to(data) == [(Get(Key.DEVICE_ID, 0), 9)]
    assert (counter, session.request(HelloRequest())[1]) == (9, 10)


def test_a_later_versions_message_is_counted_and_does_no_harm():
    board, session = described(EDA)
    later = encode(Frame(0x33, board.counter, b"?"))
    board.counter += 1
    events = session.feed(later + board.values(EDA, 1, 1.0), HOST_S + 1)
    assert kinds(events) == [Measured]
    assert (session.counts.unknown, session.counts.lost) == (1, 0)


def test_however_the_stream_is_cut_the_events_are_the_same():
    """A split at every byte."""
    board = Talking()
    data = b"boot 1.0\0" + board.hello(0, *numbered(EDA, PPG)) + board.values(EDA, 1, 2.0, 3.0)
    data += b"\x07noise\0" + board.frame(Log(1, "here")) + board.values(EDA, 2, 4.0)
    wanted = _told([data])
    assert len(wanted) == 4
    for at in range(len(data) + 1):
        assert _told([data[:at], data[at:]]) == wanted
    assert _told([bytes((byte,)) for byte in data]) == wanted


def _told(pieces):
    session = Session()
    events = [event for piece in pieces for event in session.feed(piece, HOST_S)]
    assert session.counts.refused.total == 1
    return [
        (event.stream, event.values.tolist(), event.board_s.tolist())
        if isinstance(event, Measured)
        else event
        for event in events
    ]


def test_what_comes_back_of_our_own_is_no_sign_of_life():
    _, session = described(EDA)
    echoed, _ = session.request(TimeRequest(7))
    session.feed(echoed, HOST_S + 30.0)
    assert (session.heard_s, session.counts.echoed) == (HOST_S, 1)


def test_a_port_opened_again_is_asked_anew_and_half_a_frame_is_forgotten():
    board, session = described(EDA)
    session.due(HOST_S + 0.5)
    session.feed(board.values(EDA, 1.0, 3.0)[:12], HOST_S + 1.0)
    session.reopened()
    asked = [message for message, _ in said_to(session.due(HOST_S + 2.0))]
    assert asked == [HelloRequest()]
    assert session.counts.refused.total == 0
    session.feed(b"\x05\x06\0" + board.values(EDA, 2.0, 3.0), HOST_S + 2.0)
    assert session.counts.refused.total == 0, "the tail of a frame is none"


def test_changes_of_long_ago_do_not_move_the_clock():
    """With 10 MHz half a wrap is 214 s; boards say contact and faults again with each HELLO."""
    board, session = described(EDA, tick_hz=10_000_000)
    changed = [board.ticks(second) for second in (300, 400)]
    for now in range(0, 700, 50):
        session.feed(board.values(EDA, now, 1.0), HOST_S + now)
    old = [Contact(at, Part.SKIN, on=True) for at in changed]
    told = session.feed(b"".join(map(board.frame, old)), HOST_S + 650)
    assert [event.at_s for event in told] == pytest.approx([HOST_S + 300, HOST_S + 400], abs=0.01)
    (event,) = session.feed(board.values(EDA, 651, 1.0), HOST_S + 651)
    assert event.board_s.item() == pytest.approx(651, abs=1e-3)
    assert session.clock.steps == 0
