"""Which windows of one run have been seen: a high-water mark and the few ranges beyond it.

Pure. A run numbers its windows from 0 without gaps, so a handful of integers
says exactly what is there, what came twice and what is missing, for as long
as the run lasts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

Range = tuple[int, int]
"""First and last number of a stretch, both included."""


@dataclass(slots=True)
class SequenceSet:
    """The windows of one run that the server has accounted for.

    Parameters
    ----------
    high : int
        Everything up to and including this is accounted for; -1 means nothing.
    beyond : list of (first, last)
        Seen above `high`, sorted, apart from each other.
    gaps : list of (first, last)
        Below `high` and gone for good: the edge said it holds nothing older
        than a later number. Sorted.
    """

    high: int = -1
    beyond: list[Range] = field(default_factory=list)
    gaps: list[Range] = field(default_factory=list)

    def add(self, seq: int, oldest_seq: int = 0) -> bool:
        """Account for window `seq`; return whether it is new.

        Parameters
        ----------
        seq : int
            Number of the window. [1]
        oldest_seq : int
            What lies below and was never seen will not come. [1]
        """
        if seq == self.high + 1 and oldest_seq <= seq and not self.beyond:  # the usual case
            self.high = seq
            return True
        new = self._fill(seq) if seq <= self.high else _insert(self.beyond, seq)
        self._give_up_below(oldest_seq)
        self._absorb()
        return new

    @property
    def missing(self) -> int:
        """How many windows are gone for good."""
        return sum(last - first + 1 for first, last in self.gaps)

    @property
    def awaited(self) -> int:
        """How many windows above `high` have not come yet but still may."""
        if not self.beyond:
            return 0
        seen = sum(last - first + 1 for first, last in self.beyond)
        return self.beyond[-1][1] - self.high - seen

    def _fill(self, seq: int) -> bool:
        """Take `seq` out of the gaps if it was one: it came after all."""
        index = bisect_right(self.gaps, (seq, _LAST)) - 1
        if index < 0 or self.gaps[index][1] < seq:
            return False
        first, last = self.gaps.pop(index)
        pieces = [(first, seq - 1), (seq + 1, last)]
        self.gaps[index:index] = [piece for piece in pieces if piece[0] <= piece[1]]
        return True

    def _give_up_below(self, oldest_seq: int) -> None:
        while self.high < oldest_seq - 1:
            next_seen = self.beyond[0][0] if self.beyond else oldest_seq
            last = min(next_seen, oldest_seq) - 1
            if last > self.high:
                self.gaps.append((self.high + 1, last))
                self.high = last
            self._absorb()

    def _absorb(self) -> None:
        while self.beyond and self.beyond[0][0] <= self.high + 1:
            self.high = max(self.high, self.beyond.pop(0)[1])


_LAST = 2**63


def _insert(ranges: list[Range], seq: int) -> bool:
    """Put `seq` into sorted, separate `ranges`; return whether it was not there."""
    index = bisect_left(ranges, (seq + 1, -1))
    if index and ranges[index - 1][1] >= seq:
        return False
    joins_left = bool(index) and ranges[index - 1][1] == seq - 1
    joins_right = index < len(ranges) and ranges[index][0] == seq + 1
    first = ranges[index - 1][0] if joins_left else seq
    last = ranges[index][1] if joins_right else seq
    ranges[index - joins_left : index + joins_right] = [(first, last)]
    return True
