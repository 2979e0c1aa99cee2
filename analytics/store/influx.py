"""The store on an InfluxDB server.

Version 2 is the reference; 1.x and 3.x work from the same code. Writes choose
the endpoint that the server has, reads use InfluxQL over ``/query``, which
all three speak. Every failure becomes one line that names the server.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from analytics.store import influx_replies, influxql
from analytics.store.base import Query, Row, WriteReport
from analytics.store.findings import Account, Finding
from analytics.store.influx_check import Checker
from analytics.store.influx_connection import Connection, Reply
from analytics.store.influx_reading import Reader, TooWideError
from analytics.store.influx_setup import setup_for
from analytics.store.influx_setup_base import Setup
from analytics.store.line_protocol import Encoder
from analytics.store.points import Database, Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors import codec
from sensors.errors import (
    CannotEraseError,
    StoreBusyError,
    StoreError,
    StoreRefusedError,
    StoreUnreachableError,
)

BATCH = 5_000
"""Points in one request, as InfluxData recommends."""

FIRST_BATCH = 1_000
IN_FLIGHT = 2
"""Requests at a time: with one, the server waits for us between its answer and the next."""

_Entry = tuple[Point, bytes]

# Where a point goes, and whether it may be told anew with other values, as a summary is while its
# minute fills. Every other point is told again only as it was: their order is no matter.
_GROUP = {m: (m.database, m is Measurement.SUMMARY) for m in Measurement}
_GROUPS = ((Database.RAW, False), (Database.DERIVED, False), (Database.DERIVED, True))


class InfluxStore:
    """Points on an InfluxDB server; see :class:`analytics.store.base.Store`.

    Parameters
    ----------
    settings : StoreSettings
    compress : bool or None
        Compress what is sent; ``None`` does so unless the server is on this
        machine.
    """

    def __init__(self, settings: StoreSettings, *, compress: bool | None = None) -> None:
        self._settings = settings
        self._connection = Connection(settings, compress=compress)
        self._encoder = Encoder()
        self._version: str | None = None
        days = {Database.RAW: settings.raw_days, Database.DERIVED: settings.derived_days}
        self._reader = Reader(self, days)

    def _failed(self, what: str, remedy: str) -> StoreError:
        return StoreError(f"InfluxDB at {self._settings.url} {what}; {remedy}")

    def _refused(self, reply: Reply) -> StoreError:
        words = influx_replies.words(reply.body)
        what = "is not trusted" if reply.status == 0 else "answered"
        what += f": {words}" if reply.ok or not reply.status else f" {reply.status}: {words}"
        remedy = influx_replies.remedy(reply.status, words, self._settings.database)
        failed = self._failed(what, remedy)
        if influx_replies.is_too_wide(words):
            return TooWideError(str(failed))
        asked_s = influx_replies.retry_after_s(reply.headers)
        if reply.status == 429 or (reply.status == 503 and asked_s is not None):
            return StoreBusyError(str(failed), asked_s)
        # A proxy answers so while the server behind it starts anew.
        return StoreUnreachableError(str(failed)) if reply.status in {502, 503, 504} else failed

    def server_version(self) -> str:
        """Return the server's version, asking it once."""
        if self._version is None:
            for path in ("/ping", "/health"):
                reply = self._connection.request("GET", path)
                if reply.status in {0, 401, 403, 429} or reply.status >= 500:
                    raise self._refused(reply)
                self._version = influx_replies.version_of(reply.headers, reply.body)
                if self._version is not None:
                    break
            else:
                raise self._failed("does not say that it is InfluxDB", "check [store] url")
        return self._version

    def is_version(self, major: str) -> bool:
        """Return whether the server is of that major version."""
        if self._settings.api != "auto":
            return self._settings.api == major
        return self.server_version().startswith(f"{major}.")

    def _writes_by_1(self) -> bool:
        # A 2.x server takes a password only on the endpoint of 1.x. A 3.x server takes a name
        # with a slash, and names the lines that it refuses, only there.
        by_password = bool(self._settings.username and not self._settings.token)
        if by_password and self._settings.api != "2":
            return True
        return self.is_version("1") or self.is_version("3")

    def named(self) -> str:
        """Return how statements name the database: 3.x is told beside the statement."""
        return "" if self.is_version("3") else self._settings.database

    def _scope(self, policy: str) -> tuple[str, str]:
        """Return database and retention policy as they stand beside a statement."""
        database = self._settings.database
        if policy and self.is_version("3"):
            return f"{database}/{policy}", ""
        return database, policy

    def write(self, points: Sequence[Point]) -> WriteReport:
        """Write `points`; refused ones are reported, the rest is written."""
        refused: list[tuple[Point, str]] = []
        batches = list(_batches(points))
        if len(batches) == 1:
            self._settle(*self._encoded(*batches[0], refused), refused)
        elif batches:
            self._write_many(batches, refused)
        return WriteReport(written=len(points) - len(refused), refused=refused)

    def _write_many(
        self, batches: list[tuple[Database, list[Point]]], refused: list[tuple[Point, str]]
    ) -> None:
        """Format one batch while the server takes in another and digests the one before."""
        with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="store-write") as sender:
            sending: deque[Future[None]] = deque()
            for database, batch in batches:
                encoded = self._encoded(database, batch, refused)
                # What is told anew comes after all else, one by one: the newest must come last.
                others = 0 if _GROUP[batch[0].measurement][1] else IN_FLIGHT - 1
                while len(sending) > others:
                    sending.popleft().result()
                sending.append(sender.submit(self._settle, *encoded, refused))
            for sent in sending:
                sent.result()

    def _encoded(
        self, database: Database, points: list[Point], refused: list[tuple[Point, str]]
    ) -> tuple[Database, list[_Entry]]:
        lines, accepted, bad = self._encoder.lines(points)
        refused += bad
        return database, list(zip(accepted, lines, strict=True))

    def _settle(
        self, database: Database, entries: list[_Entry], refused: list[tuple[Point, str]]
    ) -> None:
        """Write `entries`, and find out which of them the server refuses.

        The server says how many it dropped, not which. Whatever it does not blame has been
        written; telling it again changes nothing, so the batch is split until the dropped ones
        are alone, the earlier part first: the later one may tell the same point anew.
        """
        pending = [entries] if entries else []
        at_fault = False
        while pending:
            batch = pending.pop()
            reply = self._post(database, batch)
            if reply.ok:
                continue
            if influx_replies.is_too_large(reply.status, reply.body) and len(batch) > 1:
                pending += reversed(_halves(batch))
                continue
            answer = influx_replies.refusal(reply.status, reply.body, at_fault=at_fault)
            if answer is None and self._takes_others(database, batch, reply.status):
                at_fault = True
                answer = influx_replies.refusal(reply.status, reply.body, at_fault=True)
            if answer is None and reply.status == 413:
                refused.append((batch[0][0], f"too large: {influx_replies.words(reply.body)}"))
                continue
            if answer is None:
                raise self._refused_batch(reply)
            pending += reversed(_narrowed(batch, answer, refused))

    def _refused_batch(self, reply: Reply) -> StoreError:
        """Return the error that says whether other batches may do better."""
        failed = self._refused(reply)
        if influx_replies.may_mean_points(reply.status, reply.body):
            return StoreRefusedError(str(failed))
        return failed

    def _takes_others(self, database: Database, batch: list[_Entry], status: int) -> bool:
        """Return whether a refusal in words we do not know is about points, not about us.

        If the server takes the first or the last of them alone, it is: else it
        would stand in the way of everything that follows, for ever.
        """
        if status not in influx_replies.POINTS_REFUSED or len(batch) < 2:
            return False
        return any(self._post(database, [batch[i]]).ok for i in (0, -1))

    def _post(self, database: Database, batch: list[_Entry]) -> Reply:
        lines = b"\n".join([line for _, line in batch])
        name = self._settings.database
        if self._writes_by_1():
            return self._connection.write_1(lines, name, database)
        return self._connection.write_2(lines, f"{name}/{database}")

    def read(self, query: Query) -> list[Row]:
        """Return matching rows, oldest first."""
        return self._reader.read(query)

    def count(self, query: Query) -> int:
        """Return how many points match (`latest` and `limit` do not apply)."""
        return self._reader.count(query)

    def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
        """Delete the points of `agent` (until `before`); return how many there were.

        A 1.x server with the index "tsi1" goes on listing the pseudonym among
        its tag values, with no series behind it, until it compacts that index.
        """
        if self.is_version("3"):
            raise CannotEraseError(
                f"InfluxDB at {self._settings.url} is of version 3, which deletes no points;"
                " copy everybody else to version 1 or 2 and drop the database, or wait for the"
                " end of its retention"
            )
        if self.is_version("2") and not self._settings.token and self._settings.username:
            raise CannotEraseError(
                f"InfluxDB at {self._settings.url} is of version 2, which erases only for a token;"
                " set token_file in [store]"
            )
        erased = 0
        for measurement in Measurement:
            erased += self.count(
                Query(measurement=measurement, site=site, agents=(agent,), end_at=before)
            )
            if self.is_version("1"):
                # Where all goes not DELETE: that would leave the series in the index.
                self.run(
                    influxql.drop_series(measurement, site, agent)
                    if before is None
                    else influxql.delete_before(measurement, site, agent, before)
                )
        if not self.is_version("1"):
            self._delete_from_buckets(site, agent, before)
        return erased

    def _delete_from_buckets(self, site: str, agent: str, before: datetime | None) -> None:
        predicate = f"site={influxql.name(site)} AND agent={influxql.name(agent)}"
        for database in Database:
            bucket = f"{self._settings.database}/{database}"
            before_ns = None if before is None else epoch_ns(before)
            reply = self._connection.delete_2(predicate, bucket, before_ns)
            if not reply.ok:
                raise self._refused(reply)

    def expire(self, now: datetime) -> int:  # noqa: ARG002 - the server has its own clock
        """Delete nothing: the server itself keeps the retention that :meth:`prepare` set up."""
        return 0

    def check(self) -> str:
        """Return one line that says what this is and that it answers."""
        version, settings = self.server_version(), self._settings
        for measurement in (Measurement.BEAT, Measurement.SCORE):
            # Of an hour: version 3 Core opens so many files at most.
            start = datetime.now(UTC) - timedelta(hours=1)
            self.select(Query(measurement=measurement, site="-", start_at=start, limit=1))
        return f"InfluxDB {version} at {settings.url}, database {settings.database}, answers"

    def prepare(self) -> list[str]:
        """Make the databases with their retention; return what was done or is left to do."""
        return self._setup().databases()

    def accounts(self, *, renew: bool = False) -> tuple[list[Account], list[str]]:
        """Make an account per role with the least rights it needs.

        Parameters
        ----------
        renew : bool
            Give those that are there a new secret.

        Returns
        -------
        list of Account, list of str
            The new ones, whose secrets cannot be asked for again, and what
            else an administrator must know.
        """
        return self._setup().accounts(renew=renew)

    def _setup(self) -> Setup:
        version = self.server_version() if self._settings.api == "auto" else self._settings.api
        return setup_for(version, self._settings, self._connection, self)

    def findings(self, now: datetime) -> Iterator[Finding]:
        """Yield what is right and what is wrong with the server and our account there.

        Parameters
        ----------
        now : datetime
            Our clock, to compare the server's with.
        """
        yield from Checker(
            self._settings,
            self._connection,
            self,
            version=self.server_version,
            setup=self._setup,
            writes_by_1=self._writes_by_1,
        ).findings(now)

    def select(self, query: Query) -> influxql.Answers:
        """Return the answers to `query` as they came, for the check."""
        return self._reader.select(query)

    def field_kinds(self, measurement: Measurement) -> dict[str, set[str]]:
        """Return every type that each field of `measurement` has anywhere."""
        return self._reader.field_kinds(measurement)

    def sites(self, measurement: Measurement) -> list[str]:
        """Return the sites that have points of `measurement`."""
        return self._reader.sites(measurement)

    def oldest_ns(self, measurement: Measurement, site: str) -> int:
        """Return the time of the oldest point of a site that has some. [ns]."""
        return self._reader.oldest_ns(measurement, site)

    def run(self, statement: str, policy: str = "") -> influxql.Answers:
        """Return the answers to one InfluxQL statement."""
        reply = self._connection.query(statement, *self._scope(policy))
        if not reply.ok:
            raise self._refused(reply)
        answers = [codec.load_json(line) for line in reply.body.split("\n") if line.strip()]
        failure = influxql.error_in(answers)
        if failure is not None:
            raise self._refused(Reply(reply.status, failure))
        return answers

    def stream(self, statement: str, policy: str) -> Iterator[influxql.Answers]:
        """Yield the answers to one InfluxQL statement as they come."""
        for line in self._connection.stream(statement, *self._scope(policy)):
            if not line.strip():
                continue
            answers = [codec.load_json(line)]
            failure = influxql.error_in(answers)
            if failure is not None:
                raise self._refused(Reply(400, failure))
            yield answers

    def refused(self, reply: Reply) -> StoreError:
        """Return the error that says what `reply` means and what to do."""
        return self._refused(reply)

    def close(self) -> None:
        """Release connections and files."""
        self._connection.close()


def _batches(points: Sequence[Point]) -> Iterator[tuple[Database, list[Point]]]:
    for database, anew in _GROUPS:
        group = (database, anew)
        mine = [point for point in points if _GROUP[point.measurement] == group]
        # A short one first when there are several: the server has work while the rest is formatted.
        begin = FIRST_BATCH if len(mine) > BATCH else 0
        if begin:
            yield database, mine[:begin]
        for start in range(begin, len(mine), BATCH):
            yield database, mine[start : start + BATCH]


def _halves(batch: list[_Entry]) -> list[list[_Entry]]:
    middle = len(batch) // 2
    return [batch[:middle], batch[middle:]]


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
