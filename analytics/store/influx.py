"""The store on an InfluxDB server.

Version 2 is the reference; 1.x and 3.x work from the same code. Writes choose
the endpoint that the server has, reads use InfluxQL over ``/query``, which
all three speak. Every failure becomes one line that names the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from analytics.store import influx_replies, influxql
from analytics.store.base import Query, Row, WriteReport
from analytics.store.findings import Account, Finding
from analytics.store.influx_check import Checker
from analytics.store.influx_connection import Connection, Reply
from analytics.store.influx_reading import Reader, TooWideError
from analytics.store.influx_setup import setup_for
from analytics.store.influx_setup_base import Setup
from analytics.store.influx_writing import Writer
from analytics.store.points import Database, Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors import codec
from sensors.errors import (
    CannotEraseError,
    StoreBusyError,
    StoreError,
    StoreUnreachableError,
)


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
        self._version: str | None = None
        days = {Database.RAW: settings.raw_days, Database.DERIVED: settings.derived_days}
        self._reader = Reader(self, days)
        self._writer = Writer(self)

    def _failed(self, what: str, remedy: str) -> StoreError:
        return StoreError(f"InfluxDB at {self._settings.url} {what}; {remedy}")

    def _refused(self, reply: Reply) -> StoreError:
        words = influx_replies.words(reply.body)
        what = "is not trusted" if reply.status == 0 else "answered"
        shown = influx_replies.shown(reply.status, words)
        what += f": {shown}" if reply.ok or not reply.status else f" {reply.status}: {shown}"
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
        return self._writer.write(points)

    def post(self, database: Database, lines: bytes) -> Reply:
        """Send lines to the endpoint that the server has."""
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
