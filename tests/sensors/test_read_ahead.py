"""Reading in gulps gives the same bytes in the same order, whoever asks for how many."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.read_ahead import GULP, ReadAhead


@pytest.fixture
def ends() -> Iterator[tuple[ReadAhead, socket.socket]]:
    ours, theirs = socket.socketpair()
    ahead = ReadAhead(ours)
    ahead.setblocking(False)
    yield ahead, theirs
    ahead.close()
    theirs.close()


@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=8),
    st.lists(st.sampled_from([1, 2, 7, 60, GULP, 2 * GULP]), min_size=1, max_size=9),
)
def test_what_is_sent_arrives_whatever_is_asked_for(sent: list[bytes], sizes: list[int]) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ahead = ReadAhead(ours)
        ahead.setblocking(False)
        found = b""
        for number, piece in enumerate(sent):
            theirs.sendall(piece)
            found += ahead.recv(sizes[number % len(sizes)])
        while len(found) < len(b"".join(sent)):
            asked = sizes[len(found) % len(sizes)]
            piece = ahead.recv(asked)
            assert 0 < len(piece) <= asked
            found += piece
        assert found == b"".join(sent)
        assert not ahead.pending()
        ahead.close()


def test_the_system_is_asked_once_for_many_small_pieces(
    ends: tuple[ReadAhead, socket.socket],
) -> None:
    ahead, theirs = ends
    theirs.sendall(b"abcdef")
    assert ahead.recv(1) == b"a"
    assert ahead.pending() == 5
    theirs.sendall(b"gh")
    assert ahead.recv(10) == b"bcdef"
    assert ahead.pending() == 0
    assert ahead.recv(10) == b"gh"


def test_nothing_there_says_so_and_the_end_is_empty(ends: tuple[ReadAhead, socket.socket]) -> None:
    ahead, theirs = ends
    with pytest.raises(BlockingIOError):
        ahead.recv(1)
    assert ahead.pending() == 0
    theirs.sendall(b"ab")
    theirs.shutdown(socket.SHUT_WR)
    assert ahead.recv(1) == b"a"
    assert ahead.recv(1) == b"b"
    assert ahead.recv(1) == b""
    assert ahead.recv(1) == b""
    ahead.send(b"still")
    assert theirs.recv(10) == b"still"
