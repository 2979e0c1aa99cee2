"""A thread is woken once for many reasons, and never not at all."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from sensors.wire.bell import Bell


@pytest.fixture
def bell() -> Iterator[tuple[Bell, socket.socket]]:
    inner, outer = socket.socketpair()
    inner.setblocking(False)
    outer.setblocking(False)
    bell = Bell(inner, outer)
    yield bell, outer
    bell.close()


def _is_woken(bell: Bell) -> bool:
    return bool(select.select([bell], [], [], 0)[0])


def test_who_rings_often_is_heard_once(bell: tuple[Bell, socket.socket]) -> None:
    ours, _ = bell
    assert not _is_woken(ours)
    for _ in range(1_000):
        assert ours.send(b"\0") == 1
    assert _is_woken(ours)
    assert ours.recv(10_000) == b"\0"
    assert not _is_woken(ours)
    ours.send(b"\0")
    assert _is_woken(ours)


def test_who_rings_while_it_is_answered_silences_nobody_after(
    bell: tuple[Bell, socket.socket],
) -> None:
    """Rung as it is emptied: what that was about is seen to, and the next one wakes again."""
    ours, _ = bell
    inner = ours._inner

    class RungMeanwhile:
        def recv(self, size: int) -> bytes:
            ours.send(b"\0")
            return inner.recv(size)

    ours.send(b"\0")
    ours._inner = RungMeanwhile()  # type: ignore[assignment]
    assert ours.recv(10_000)
    ours._inner = inner
    ours.send(b"\0")
    assert _is_woken(ours)


def test_what_was_rung_under_it_is_heard(bell: tuple[Bell, socket.socket]) -> None:
    ours, outer = bell
    outer.send(b"\0")
    assert _is_woken(ours)
    ours.recv(10_000)
    with pytest.raises(BlockingIOError):
        ours.recv(10_000)
    ours.send(b"\0")
    assert _is_woken(ours)


def test_who_rings_as_it_is_taken_down_meets_no_error(bell: tuple[Bell, socket.socket]) -> None:
    ours, _ = bell
    ours.close()
    ours._has_rung = False  # looked at before it was closed
    assert ours.send(b"\0") == 1
