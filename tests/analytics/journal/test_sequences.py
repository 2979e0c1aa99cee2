"""Sequence sets against a slow, obvious oracle."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.journal.sequences import SequenceSet


class Oracle:
    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.given_up = 0

    def add(self, seq: int, oldest: int) -> bool:
        new = seq not in self.seen
        self.seen.add(seq)
        self.given_up = max(self.given_up, oldest)
        return new

    @property
    def high(self) -> int:
        high = -1
        while high + 1 in self.seen or high + 1 < self.given_up:
            high += 1
        return high

    @property
    def missing(self) -> int:
        return len(set(range(self.high + 1)) - self.seen)

    @property
    def awaited(self) -> int:
        return len(set(range(self.high + 1, max(self.seen, default=-1))) - self.seen)


windows = st.integers(0, 30).flatmap(lambda seq: st.tuples(st.just(seq), st.integers(0, seq)))


@given(st.lists(windows, max_size=60))
def test_equals_the_oracle(told: list[tuple[int, int]]) -> None:
    ours, oracle = SequenceSet(), Oracle()
    for seq, oldest in told:
        assert ours.add(seq, oldest) is oracle.add(seq, oldest)
        assert ours.high == oracle.high
        assert ours.missing == oracle.missing
        assert ours.awaited == oracle.awaited
    flat = [n for first, last in ours.beyond for n in range(first, last + 1)]
    assert flat == sorted(n for n in oracle.seen if n > oracle.high)


def test_stays_small_over_a_long_run() -> None:
    ours = SequenceSet()
    for seq in range(20_000):
        assert ours.add(seq)
    assert ours == SequenceSet(high=19_999)


def test_what_came_after_all_is_new_once() -> None:
    ours = SequenceSet()
    ours.add(9, oldest_seq=9)
    assert (ours.high, ours.missing) == (9, 9)
    assert ours.add(4, oldest_seq=0)
    assert not ours.add(4)
    assert ours.gaps == [(0, 3), (5, 8)]
