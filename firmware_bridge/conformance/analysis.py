"""What a trace holds, put in order: counters, starts, descriptions, samples and clock; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.conformance.clockfit import Line, Observation, fit_steady
from firmware_bridge.conformance.trace import LATER_TYPE, Heard, Sent, Trace
from firmware_bridge.protocol.messages import (
    ContentError,
    Get,
    Hello,
    HelloRequest,
    Samples,
    Set,
    Setting,
    Stream,
    Time,
    TimeRequest,
)

Kind = TypeVar("Kind")

SILENCE_S = 2.0
"""Something is sent at least so often. [s]"""

ANSWER_S = 0.5
"""Requests are answered within this. [s]"""

_COUNTERS = 1 << 16
_HOST_TYPES = frozenset(kind.TYPE for kind in (HelloRequest, TimeRequest, Set, Get))
_APART = ("opening", "after garbage")
_CHANCE = 0.001
_HELLO_AGE_S = 0.5  # the host believes that a HELLO is on its way for no longer


@dataclass(slots=True)
class Counted:
    """What the counter says."""

    lost: int = 0
    repeated: int = 0
    late: int = 0
    disturbed_s: list[tuple[float, float]] = field(default_factory=list)
    """Stretches in which a frame was lost or could not be read. [s]"""


@dataclass(frozen=True, slots=True)
class Block:
    """One SAMPLES frame of a described stream.

    Parameters
    ----------
    at_s : float
        When it arrived. [s]
    counter : int
        Unwrapped, to find gaps.
    samples : Samples
    values : ndarray, shape (count, width)
    """

    at_s: float
    counter: int
    samples: Samples
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Boot:
    """Frames between two starts of the board, once each and in the order of their counters."""

    heard: list[Heard]
    counters: list[int]


class Analysis:
    """A trace, looked at from all sides; everything is found once, when it is asked for."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.slack_s = trace.slack_s
        self._of: dict[type, Any] = {}  # judgements ask for each frame: looking again is quadratic

    @cached_property
    def of_board(self) -> list[Heard]:
        """Frames without those that only a host sends, which are an echo."""
        ours = _HOST_TYPES | {LATER_TYPE} if self.echoes else _HOST_TYPES
        return [h for h in self.trace.heard if h.frame.type not in ours]

    @cached_property
    def refusals(self) -> list[tuple[float, str]]:
        """When what was refused, without the echo of what was damaged on purpose."""
        garbage_s = self.trace.garbage_s
        if not self.echoes or garbage_s is None:
            return self.trace.refusals
        end_s = garbage_s + ANSWER_S + self.slack_s
        return [(at_s, why) for at_s, why in self.trace.refusals if not garbage_s <= at_s <= end_s]

    @cached_property
    def echoes(self) -> list[Heard]:
        """Frames of types that only a host sends."""
        return [h for h in self.trace.heard if h.frame.type in _HOST_TYPES]

    @cached_property
    def starts(self) -> list[int]:
        """Positions in `of_board` at which a HELLO names another boot than the one before."""
        found, boot = [], None
        for at, heard in enumerate(self.of_board):
            if isinstance(heard.message, Hello):
                if boot is not None and heard.message.boot != boot:
                    found.append(at)
                boot = heard.message.boot
        return found

    @cached_property
    def counted(self) -> Counted:
        """What the counters say, over all boots."""
        return self._sorted[0]

    @cached_property
    def boots(self) -> list[Boot]:
        """Frames of each boot, in order."""
        return self._sorted[1]

    @cached_property
    def _sorted(self) -> tuple[Counted, list[Boot]]:
        counted, boots = Counted(), []
        edges = [0, *self.starts, len(self.of_board)]
        for first, last in pairwise(edges):
            boots.append(_sort(self.of_board[first:last], counted))
        return counted, boots

    @cached_property
    def heard(self) -> list[Heard]:
        """All frames, once each and in the order in which they were sent."""
        return [heard for boot in self.boots for heard in boot.heard]

    def of(self, kind: type[Kind]) -> list[tuple[float, Kind]]:
        """Return the messages of `kind` with their arrivals [s]; not to be changed."""
        if kind not in self._of:
            self._of[kind] = [
                (h.at_s, h.message) for h in self.heard if isinstance(h.message, kind)
            ]
        found: list[tuple[float, Kind]] = self._of[kind]
        return found

    def unreadable(self, kind: type[Kind]) -> list[Heard]:
        """Return the frames of `kind` whose payload cannot be read."""
        number = kind.TYPE  # type: ignore[attr-defined]
        return [h for h in self.heard if h.error and h.frame.type == number]

    @cached_property
    def silences(self) -> list[tuple[float, float]]:
        """Stretches without any byte that are longer than allowed, in s."""
        trace = self.trace
        end_s = trace.end_s if trace.gone_s is None else trace.gone_s
        times = [0.0, *trace.arrivals_s, end_s]
        limit_s = SILENCE_S + self.slack_s
        return [(a, b) for a, b in pairwise(times) if b - a > limit_s]

    def is_disturbed(self, from_s: float, to_s: float) -> bool:
        """Return whether something that is judged elsewhere got in the way."""
        stretches = [*self.counted.disturbed_s, *self.silences]
        if self.trace.gone_s is not None:
            stretches.append((self.trace.gone_s, float("inf")))
        stretches += [(self.of_board[at].at_s - ANSWER_S,) * 2 for at in self.starts]
        return any(a <= to_s and b >= from_s for a, b in stretches)

    # Requests and their answers.

    def requests(self, kind: type[Kind], purpose: str | None = None) -> list[Sent]:
        """Return the requests of `kind` whose time was over, or those for `purpose`.

        Those that open the conversation, and those after damaged frames, are
        judged by themselves.
        """
        garbage_s = self.trace.garbage_s
        return [
            s
            for s in self.trace.sent
            if isinstance(s.message, kind)
            and (s.purpose == purpose if purpose else s.purpose not in _APART)
            and (purpose is not None or garbage_s is None or s.at_s < garbage_s)
            and s.at_s + ANSWER_S + self.slack_s <= self.trace.end_s
        ]

    @cached_property
    def share_lost(self) -> float:
        """Share of the board's frames that were lost or could not be read."""
        lost = self.counted.lost + len(self.refusals)
        return lost / max(lost + len(self.of_board), 1)

    def is_all_excused(self, asked: list[Sent]) -> bool:
        """Return whether losses explain that none of `asked` was answered."""
        if not all(self.is_excused(sent) for sent in asked):
            return False
        # That each single one was lost by chance is not believed.
        silent = any(self.is_cut(sent) for sent in asked)
        return silent or self.share_lost ** len(asked) > _CHANCE

    def is_cut(self, sent: Sent) -> bool:
        """Return whether `sent` fell into a silence, or behind the end of the port."""
        to_s = sent.at_s + ANSWER_S + self.slack_s
        gone_s = self.trace.gone_s
        inside = any(a <= to_s and b >= sent.at_s for a, b in self.silences)
        return inside or (gone_s is not None and to_s >= gone_s)

    def is_excused(self, sent: Sent) -> bool:
        """Return whether a missing answer to `sent` is the fault of something judged elsewhere."""
        return self.is_disturbed(sent.at_s, sent.at_s + ANSWER_S + self.slack_s)

    def is_within(self, asked_s: float, at_s: float) -> bool:
        """Return whether an answer at `at_s` is in time."""
        return asked_s <= at_s <= asked_s + ANSWER_S + self.slack_s

    def answer(self, sent: Sent) -> tuple[float, Setting] | None:
        """Return the SETTING that answers `sent`; at a pinch what came before the next request."""
        asked = sent.message
        if not isinstance(asked, Get | Set):
            return None
        fitting = [
            (at_s, setting)
            for at_s, setting in self.of(Setting)
            if (setting.key, setting.index) == (asked.key, asked.index)
            and self.is_within(sent.at_s, at_s)
        ]
        exact = [one for one in fitting if one[1].reply_to == sent.counter]
        earlier, next_s = self._around(sent, asked)
        rest = [one for one in fitting if one[0] < next_s and one[1].reply_to not in earlier]
        return next(iter(exact or rest), None)

    def _around(self, sent: Sent, asked: Get | Set) -> tuple[set[int], float]:
        """Return counters of earlier requests for the same setting, and when the next one was."""
        same = [
            s
            for s in self.trace.sent
            if isinstance(s.message, Get | Set)
            and (s.message.key, s.message.index) == (asked.key, asked.index)
        ]
        earlier = {s.counter for s in same if s.at_s < sent.at_s}
        return earlier, min((s.at_s for s in same if s.at_s > sent.at_s), default=float("inf"))

    # Descriptions and samples.

    @cached_property
    def hellos(self) -> list[tuple[float, Hello]]:
        """Every HELLO that can be read."""
        return self.of(Hello)

    @cached_property
    def streams(self) -> dict[int, Stream]:
        """The newest description of each stream."""
        return {stream.stream: stream for _, stream in self.of(Stream)}

    @cached_property
    def short_samples(self) -> list[str]:
        """SAMPLES that hold fewer values than they announce."""
        return self._sampled[1]

    @cached_property
    def undescribed(self) -> dict[int, int]:
        """How many SAMPLES came of streams that were described later or never, by stream."""
        return self._sampled[2]

    @cached_property
    def blocks(self) -> dict[tuple[int, int], list[Block]]:
        """SAMPLES by boot and stream, as long as its description stays the same."""
        return self._sampled[0]

    @cached_property
    def _sampled(self) -> tuple[dict[tuple[int, int], list[Block]], list[str], dict[int, int]]:
        blocks: dict[tuple[int, int], list[Block]] = {}
        short: list[str] = []
        undescribed: dict[int, int] = {}
        for number, boot in enumerate(self.boots):
            known: dict[int, Stream] = {}
            for heard, counter in zip(boot.heard, boot.counters, strict=True):
                message = heard.message
                if isinstance(message, Stream):
                    known[message.stream] = message
                elif isinstance(message, Samples) and message.stream not in known:
                    if self._is_known_board(boot, heard):
                        undescribed[message.stream] = undescribed.get(message.stream, 0) + 1
                elif isinstance(message, Samples):
                    try:
                        values = known[message.stream].values(message)
                    except ContentError as error:
                        short.append(str(error))
                        continue
                    block = Block(heard.at_s, counter, message, values)
                    blocks.setdefault((number, message.stream), []).append(block)
        return blocks, short, undescribed

    def _is_known_board(self, boot: Boot, heard: Heard) -> bool:
        """Return whether the board should have described its streams before `heard`.

        A board may be listened to from any moment on, and a description may be lost.
        """
        hello_s = next((h.at_s for h in boot.heard if isinstance(h.message, Hello)), None)
        settled = hello_s is not None and heard.at_s > hello_s + ANSWER_S + self.slack_s
        return settled and not self.is_disturbed(hello_s or 0.0, heard.at_s)

    # The clock.

    @cached_property
    def observations(self) -> list[list[Observation]]:
        """What is known of the board's clock, for each boot."""
        asked = {
            s.message.token: s.at_s for s in self.trace.sent if isinstance(s.message, TimeRequest)
        }
        found = []
        for boot in self.boots:
            seen = []
            for heard in boot.heard:
                message = heard.message
                if isinstance(message, Hello):
                    low_s = heard.at_s - _HELLO_AGE_S - self.slack_s
                    seen.append(Observation(message.now, low_s, heard.at_s))
                elif isinstance(message, Time) and message.token in asked:
                    seen.append(Observation(message.sent, asked[message.token], heard.at_s))
            found.append(seen)
        return found

    @cached_property
    def tick_hz(self) -> int | None:
        """Ticks per second as the board says it; None without a HELLO."""
        return self.hellos[0][1].tick_hz if self.hellos else None

    @cached_property
    def clocks(self) -> list[Line | None]:
        """The clock of each boot; None where nothing is known of it."""
        if self.tick_hz is None:
            return [None for _ in self.boots]
        hz = self.tick_hz
        return [fit_steady(seen, hz) if len(seen) > 1 else None for seen in self.observations]

    def clock_open_s(self, boot: int) -> float:
        """Return by how much the clock of `boot` may be shifted and still fit all of it; in s.

        Of a board that is not asked only HELLO is known, and that may have been on its way.
        """
        clock = self.clocks[boot]
        return 0.0 if clock is None else max(-clock.miss_s, 0.0)

    def measured_s(self, boot: int, block: Block) -> NDArray[np.float64] | None:
        """Return when the samples of `block` were measured, on the host's clock [s]."""
        clock = self.clocks[boot]
        if clock is None:
            return None
        first_s = clock.host_s(block.samples.first, block.at_s)
        step_s = block.samples.step / (clock.tick_hz * (1 + clock.drift))
        return first_s + step_s * np.arange(block.samples.count, dtype=np.float64)


def _sort(heard: list[Heard], counted: Counted) -> Boot:
    """Return frames of one boot in the order of their counters; count what is amiss."""
    newest, newest_s = -1, 0.0
    taken: dict[int, Heard] = {}
    missing: dict[int, tuple[float, float]] = {}
    refused = 0
    for one in heard:
        if not taken:
            newest = one.frame.counter - 1
        ahead = (one.frame.counter - newest + _COUNTERS // 2) % _COUNTERS - _COUNTERS // 2
        number = newest + ahead
        if ahead > 0:
            refused += min(one.refused, ahead - 1)
            for lost in range(newest + 1, number):
                missing[lost] = (newest_s, one.at_s)
            newest, newest_s = number, one.at_s
            taken[number] = one
        elif number in missing:
            del missing[number]
            counted.late += 1
            taken[number] = one
        else:
            counted.repeated += 1
    counted.lost += max(len(missing) - refused, 0)
    counted.disturbed_s += missing.values()
    ordered = sorted(taken)
    return Boot([taken[number] for number in ordered], ordered)


def stretches(blocks: list[Block], analysis: Analysis) -> Iterator[tuple[Block, Block]]:
    """Yield pairs of successive SAMPLES of one stream between which nothing was lost."""
    for before, after in pairwise(blocks):
        if not analysis.is_disturbed(before.at_s, after.at_s):
            yield before, after
