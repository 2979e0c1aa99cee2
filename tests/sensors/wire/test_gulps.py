"""The same bytes in the same order, whoever takes or writes them in whatever pieces."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.wire import gulps
from sensors.wire.gulps import GULP, Gulps
from sensors.wire.packets import Published, confirmations

PING = b"\xd0\x00"
SUBACK = b"\x90\x03\0\x01\x01"
LOST = 7


def _message(number: int) -> bytes:
    body = b"\0\x01t" + str(number).encode()
    return bytes([0x30, len(body)]) + body


@pytest.fixture
def ends() -> Iterator[tuple[Gulps, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    sock = Gulps(ours)
    yield sock, theirs
    sock.close()
    theirs.close()


class Paho:
    """Reads what it is lent as paho does: the head byte by byte, packet by packet."""

    def __init__(self, sock: Gulps) -> None:
        self.sock, self.read = sock, b""

    def __call__(self) -> int:
        try:
            found = self.sock.recv(1)
            self.read += found
            if not found:
                return LOST
            size = self.sock.recv(1)
            self.read += size
            if size[0]:
                self.read += self.sock.recv(size[0])
        except BlockingIOError:
            pass
        except OSError:
            return LOST
        return 0


class Whole(Paho):
    """Takes whatever it is lent."""

    def __call__(self) -> int:
        with suppress(BlockingIOError):
            self.read += self.sock.recv(1 << 30)
        return 0


@given(
    st.lists(st.sampled_from(["message", "ping", "suback", "confirmed"]), max_size=12),
    st.lists(st.integers(1, 9), min_size=1, max_size=9),
)
def test_everything_reaches_paho_or_us_in_order_wherever_it_is_split(
    kinds: list[str], cuts: list[int]
) -> None:
    packets = {"ping": PING, "suback": SUBACK}
    pieces = [
        _message(n) if k == "message" else packets.get(k, confirmations([n + 1]))
        for n, k in enumerate(kinds)
    ]
    data = b"".join(pieces)
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        sock = Gulps(ours)
        paho, taken, at, turn = Paho(sock), [], 0, 0
        while at < len(data) or sock.pending():
            cut = cuts[turn % len(cuts)]
            turn += 1
            theirs.sendall(data[at : at + cut])
            at += cut
            assert sock.hand_out(paho, taken.append, 60.0) == 0
        sock.close()
    lent = [
        n if k == "confirmed" else int(_message(n)[5:])
        for n, k in enumerate(kinds)
        if k in {"message", "confirmed"} and pieces[n] in paho.read
    ]
    seen = [one - 1 if isinstance(one, int) else int(one.payload) for one in taken]
    assert seen == sorted(seen)
    assert sorted(seen + lent) == [n for n, k in enumerate(kinds) if k in {"message", "confirmed"}]
    assert paho.read.count(SUBACK) == kinds.count("suback")


def test_of_a_gulp_paho_sees_the_first_packet_and_what_is_none_of_ours(
    ends: tuple[Gulps, socket.socket],
) -> None:
    sock, theirs = ends
    paho, taken = Paho(sock), []
    theirs.sendall(b"".join([*map(_message, range(3)), PING, SUBACK, _message(3)]))
    assert sock.hand_out(paho, taken.append, 60.0) == 0
    assert paho.read == _message(0) + PING + SUBACK
    assert [one.payload for one in taken] == [b"1", b"2", b"3"]
    assert sock.pending() == 0


def test_the_system_is_asked_once_for_many_packets(ends: tuple[Gulps, socket.socket]) -> None:
    sock, theirs = ends
    asked: list[int] = []

    class Counted:
        def recv(self, size: int) -> bytes:
            asked.append(size)
            return inner.recv(size)

        def close(self) -> None:
            inner.close()

    inner, sock._sock = sock._sock, Counted()  # type: ignore[assignment]
    theirs.sendall(b"".join(map(_message, range(200))))
    taken: list[Published | int] = []
    sock.hand_out(Paho(sock), taken.append, 60.0)
    assert (len(taken), asked) == (199, [GULP])


def test_a_long_packet_is_joined_a_few_times_and_not_with_each_gulp(
    ends: tuple[Gulps, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    sock, theirs = ends
    looked: list[int] = []

    def counted(data: bytes, at: int) -> int:
        looked.append(len(data) - at)
        return end_of(data, at)

    end_of = gulps.end_of
    monkeypatch.setattr(gulps, "end_of", counted)
    body = b"\0\x01t" + b"x" * 1_000_000
    packet = b"\x30\xc3\x84\x3d" + body
    assert end_of(packet, 0) == len(packet)
    paho = Whole(sock)
    for at in range(0, len(packet), 1_000):
        theirs.sendall(packet[at : at + 1_000])
        assert sock.hand_out(paho, lambda _: None, 60.0) == 0
    assert paho.read == packet
    assert sum(looked) < 2 * len(packet)
    theirs.sendall(_message(1))
    sock.hand_out(paho, lambda _: None, 60.0)
    assert paho.read == packet + _message(1)


def test_a_flood_keeps_nothing_from_being_sent(
    ends: tuple[Gulps, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """paho writes, and tells the broker that it lives, only between two reads."""
    sock, theirs = ends
    now_s = [0.0]
    monkeypatch.setattr(gulps.time, "monotonic", lambda: now_s[0])
    taken: list[Published | int] = []

    def slowly(what: Published | int) -> None:
        now_s[0] += 0.015
        taken.append(what)

    theirs.sendall(b"".join(map(_message, range(8))))
    paho = Paho(sock)
    for count in (2, 4, 6, 7):
        assert sock.hand_out(paho, slowly, 0.02) == 0
        assert len(taken) == count
        assert bool(sock.pending()) == (count < 7)
    assert [one.payload for one in taken if isinstance(one, Published)] == [
        str(n).encode() for n in range(1, 8)
    ]


def test_what_came_before_the_end_is_handed_out_first(ends: tuple[Gulps, socket.socket]) -> None:
    sock, theirs = ends
    paho, taken = Paho(sock), []
    theirs.sendall(_message(0) + _message(1) + b"\x30")
    theirs.shutdown(socket.SHUT_WR)
    assert sock.hand_out(paho, taken.append, 60.0) == 0
    assert sock.hand_out(paho, taken.append, 60.0) == LOST
    assert [one.payload for one in taken] == [b"1"]


def test_what_is_written_goes_out_together_and_after_what_was_before(
    ends: tuple[Gulps, socket.socket],
) -> None:
    sock, theirs = ends
    assert not sock.is_behind
    assert sock.send(b"abc") == 3
    assert sock.send(b"de") == 2
    sock.post(b"fg")
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    assert sock.is_behind
    sock.flush()
    assert not sock.is_behind
    assert theirs.recv(10) == b"abcdefg"


def _written_until_it_blocks(sock: Gulps, piece: bytes) -> int:
    sent = 0
    while sent < 100_000_000:
        try:
            sent += sock.send(piece)
        except BlockingIOError:
            return sent
        sock.flush()
    raise AssertionError("whatever is written is taken")


def test_who_does_not_read_makes_us_wait_and_loses_nothing(
    ends: tuple[Gulps, socket.socket],
) -> None:
    sock, theirs = ends
    sent = _written_until_it_blocks(sock, b"x" * 1_000)
    sock.post(b"end")
    assert sock.is_behind
    found = b""
    while sock.is_behind:
        found += theirs.recv(1 << 20)
        sock.flush()
    while len(found) < sent + 3:
        found += theirs.recv(1 << 20)
    assert found == b"x" * sent + b"end"


def test_the_last_packet_is_sent_when_it_is_written_and_not_before_the_others(
    ends: tuple[Gulps, socket.socket],
) -> None:
    sock, theirs = ends
    sock.send(b"ab")
    sock.post(b"cd")
    sock.gather_no_more()
    sock.post(b"too late")
    assert sock.send(b"ef") == 2
    assert theirs.recv(10) == b"abcdef"
    theirs.close()
    sock.close()


def test_who_has_said_the_last_word_hears_the_other_out(
    ends: tuple[Gulps, socket.socket],
) -> None:
    """Closed on what still comes in, a broker would not look at what we had sent."""
    sock, theirs = ends
    sock.send(b"ab")
    sock.gather_no_more()
    sock.send(b"last")
    theirs.send(b"x" * 10_000)
    closes = threading.Thread(target=sock.close)
    closes.start()
    theirs.setblocking(True)
    theirs.sendall(b"y" * 3_000_000)  # more than fits: it is read
    assert closes.is_alive()
    assert theirs.recv(100) == b"ablast"
    assert theirs.recv(100) == b""
    theirs.close()
    closes.join(60)
    assert sock.fileno() == -1


def test_who_is_not_heard_does_not_wait_for_ever(
    ends: tuple[Gulps, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    sock, _ = ends
    monkeypatch.setattr(gulps, "_FAREWELL_S", 0.05)
    sock.gather_no_more()
    sock.send(b"last")
    sock.close()
    assert sock.fileno() == -1


def test_a_farewell_on_another_thread_puts_nothing_into_the_middle_of_a_packet(
    ends: tuple[Gulps, socket.socket],
) -> None:
    sock, theirs = ends
    inner = sock._sock

    class Slow:
        def send(self, data: bytes) -> int:
            sock.gather_no_more()  # while we write
            sock._sock = inner
            theirs_takes = inner.send(bytes(data[: gulps.GULP // 2]))
            sock._sock = Full()  # type: ignore[assignment]
            return theirs_takes

    class Full:
        def send(self, data: bytes) -> int:
            sock._sock = inner
            raise BlockingIOError

    sock.send(b"a" * gulps.GULP)
    sock._sock = Slow()  # type: ignore[assignment]
    assert sock.send(b"b") == 1
    sock.flush()
    found = b""
    while len(found) <= gulps.GULP:
        found += theirs.recv(1 << 20)
    assert found == b"a" * gulps.GULP + b"b"
    theirs.close()


def test_the_last_packet_waits_for_who_does_not_read(ends: tuple[Gulps, socket.socket]) -> None:
    sock, theirs = ends
    _written_until_it_blocks(sock, b"x" * 60_000)
    sock.gather_no_more()
    with pytest.raises(BlockingIOError):
        sock.send(b"end")
    found = b""
    while not found.endswith(b"end"):
        found += theirs.recv(1 << 20)
        try:
            sock.send(b"end")
        except BlockingIOError:
            continue
        found += theirs.recv(1 << 20)
    assert set(found[:-3]) == {ord("x")}
    theirs.close()


def test_what_sending_meets_ends_the_connection_at_the_next_read(
    ends: tuple[Gulps, socket.socket],
) -> None:
    sock, theirs = ends
    theirs.close()
    sock.send(b"abc")
    sock.flush()
    assert sock.pending()
    assert sock.hand_out(Paho(sock), lambda _: None, 60.0) == LOST
