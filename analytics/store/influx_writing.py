"""Writing to an InfluxDB server: batches, two at a time, and which points it refuses.

A server writes what it likes of a batch and says that some were dropped, in
words that differ between versions. Whatever it does not blame has been
written, and telling it again changes nothing: so the batch is told again in
parts until those it refuses are alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from analytics.store import influx_replies
from analytics.store.base import WriteReport
from analytics.store.formatted import Formatted, Group, Section, grouped
from analytics.store.influx_connection import Reply
from analytics.store.line_protocol import Encoder
from analytics.store.line_reading import point_of
from analytics.store.points import Database, Point
from sensors.errors import StoreError, StoreRefusedError

BATCH = 5_000
"""Points in one request, as InfluxData recommends."""

FIRST_BATCH = 1_000
IN_FLIGHT = 2
"""Requests at a time: with one, the server waits for us between its answer and the next."""

ASKED_AT_MOST = 1_000
"""Requests that finding the refused points of one batch may cost: halving finds some sixty that are
strewn over it, or any number in as many series. What is refused after that is set aside undivided,
with others beside it that are written; replaying them changes nothing."""

_Entry = tuple[Point, bytes]


class Server(Protocol):
    """What is asked of the store."""

    def post(self, database: Database, lines: bytes) -> Reply:
        """Send lines to the endpoint that the server has."""

    def refused(self, reply: Reply) -> StoreError:
        """Return the error that says what `reply` means and what to do."""


@dataclass(frozen=True, slots=True)
class _Request:
    group: Group
    lines: bytes
    entries: Callable[[], list[_Entry]]


class Writer:
    """Writes to one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._encoder = Encoder()

    def write(self, points: Sequence[Point]) -> WriteReport:
        """Write `points`; refused ones are reported, the rest is written."""
        refused: list[tuple[Point, str]] = []
        requests = self._requests(points, refused)
        first, second = next(requests, None), next(requests, None)
        if first is not None and second is None:
            self._send(first, refused)
        elif first is not None and second is not None:
            self._send_many(chain((first, second), requests), refused)
        return WriteReport(written=len(points) - len(refused), refused=refused)

    def _requests(
        self, points: Sequence[Point], refused: list[tuple[Point, str]]
    ) -> Iterator[_Request]:
        """Yield what to send; formatting, as far as it is not done, follows the sending."""
        if isinstance(points, Formatted):
            for section in points.requests(BATCH):
                yield _Request(section.group, section.text, lambda s=section: _read_back(s))  # type: ignore[misc]
            points = points.others
        for group, batch in _batches(points):
            lines, accepted, bad = self._encoder.lines(batch)
            refused += bad
            if lines:
                entries = zip(accepted, lines, strict=True)
                yield _Request(group, b"\n".join(lines), lambda e=entries: list(e))  # type: ignore[misc]

    def _send_many(self, requests: Iterator[_Request], refused: list[tuple[Point, str]]) -> None:
        """Make one request while the server takes in another and digests the one before."""
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="store-write") as sender:
            sending: deque[Future[None]] = deque()
            for request in requests:
                # What is told anew comes after all else, one by one: the newest must come last.
                others = 0 if request.group.anew else IN_FLIGHT - 1
                while len(sending) > others:
                    sending.popleft().result()
                sending.append(sender.submit(self._send, request, refused))
            for sent in sending:
                sent.result()

    def _send(self, request: _Request, refused: list[tuple[Point, str]]) -> None:
        reply = self._server.post(request.group.database, request.lines)
        if not reply.ok:
            search = _Search(self._server, request.group.database, refused)
            search.narrow(request.entries(), reply)


class _Search:
    """Finds out which points of a batch the server refuses.

    Parameters
    ----------
    refused : list
        To which they are added, with the reason.
    """

    def __init__(
        self, server: Server, database: Database, refused: list[tuple[Point, str]]
    ) -> None:
        self._server, self._database, self._refused = server, database, refused
        self._asked = 0
        self._at_fault = False

    def narrow(self, entries: list[_Entry], reply: Reply) -> None:
        """Settle `entries`, to which `reply` was the answer.

        The earlier part comes first: the later one may tell the same point anew.
        """
        pending: list[list[_Entry]] = []
        batch, answer = entries, reply
        while True:
            if not answer.ok:
                pending += reversed(self._parts(batch, answer))
            if not pending:
                return
            batch = pending.pop()
            answer = self._post(batch)

    def _post(self, batch: list[_Entry]) -> Reply:
        self._asked += 1
        return self._server.post(self._database, b"\n".join([line for _, line in batch]))

    def _parts(self, batch: list[_Entry], reply: Reply) -> list[list[_Entry]]:
        """Return what must still be told of a batch that was refused."""
        if influx_replies.is_too_large(reply.status, reply.body) and len(batch) > 1:
            return _halves(batch)
        answer = influx_replies.refusal(reply.status, reply.body, at_fault=self._at_fault)
        if answer is None and self._takes_others(batch, reply.status):
            self._at_fault = True
            answer = influx_replies.refusal(reply.status, reply.body, at_fault=True)
        if answer is None and reply.status == 413:
            self._refused.append((batch[0][0], f"too large: {influx_replies.words(reply.body)}"))
            return []
        if answer is None:
            raise self._refused_batch(reply)
        if self._asked >= ASKED_AT_MOST and len(batch) > 1 and not answer.lines:
            reason = f"{answer.reason} (of these {len(batch)}, nobody knows which)"
            self._refused += [(point, reason) for point, _ in batch]
            return []
        return _narrowed(batch, answer, self._refused)

    def _refused_batch(self, reply: Reply) -> StoreError:
        """Return the error that says whether other batches may do better."""
        failed = self._server.refused(reply)
        if influx_replies.may_mean_points(reply.status, reply.body):
            return StoreRefusedError(str(failed))
        return failed

    def _takes_others(self, batch: list[_Entry], status: int) -> bool:
        """Return whether a refusal in words we do not know is about points, not about us.

        If the server takes the first or the last of them alone, it is: else it
        would stand in the way of everything that follows, for ever.
        """
        if status not in influx_replies.POINTS_REFUSED or len(batch) < 2:
            return False
        return any(self._post([batch[i]]).ok for i in (0, -1))


def _read_back(section: Section) -> list[_Entry]:
    return [(point_of(line), line) for line in section.lines()]


def _batches(points: Sequence[Point]) -> Iterator[tuple[Group, list[Point]]]:
    for group, mine in grouped(points):
        # A short one first when there are several: the server has work while the rest is formatted.
        begin = FIRST_BATCH if len(mine) > BATCH else 0
        if begin:
            yield group, mine[:begin]
        for start in range(begin, len(mine), BATCH):
            yield group, mine[start : start + BATCH]


def _halves(batch: list[_Entry]) -> list[list[_Entry]]:
    """Return two halves, each series whole in one of them as long as there are several.

    A server that has too many series refuses all points of some: strewn over a
    batch they would be found one by one.
    """
    series: dict[bytes, list[_Entry]] = {}
    for entry in batch:
        # As far as the first space; the rest of a tag that has one changes nothing.
        series.setdefault(entry[1].partition(b" ")[0], []).append(entry)
    parts = list(series.values()) if len(series) > 1 else [[entry] for entry in batch]
    middle = len(parts) // 2
    return [list(chain.from_iterable(half)) for half in (parts[:middle], parts[middle:])]


def _narrowed(
    batch: list[_Entry], answer: influx_replies.Refusal, refused: list[tuple[Point, str]]
) -> list[list[_Entry]]:
    """Return what must still be told; add to `refused` what is certain."""
    if answer.lines:
        known = {i: reason for i, reason in answer.lines.items() if 0 <= i < len(batch)}
        refused += [(batch[i][0], reason) for i, reason in known.items()]
        # It names so many at most; there may be more.
        is_all = len(answer.lines) < influx_replies.MOST_NAMED
        rest = [entry for i, entry in enumerate(batch) if i not in known]
        return [] if is_all or not known or not rest else [rest]
    if len(batch) == 1 or answer.dropped == len(batch):
        refused += [(point, answer.reason) for point, _ in batch]
        return []
    blamed = set(influx_replies.suspects(answer, [point for point, _ in batch]))
    if blamed and len(blamed) < len(batch):
        return [
            [entry for i, entry in enumerate(batch) if i not in blamed],
            [entry for i, entry in enumerate(batch) if i in blamed],
        ]
    return _halves(batch)
