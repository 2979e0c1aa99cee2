"""What making a server ready and checking it have in common, whatever its version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from analytics.store import influxql
from analytics.store.base import Query
from analytics.store.findings import ROLES, Account, AccountsError, Finding, Level
from analytics.store.influx_connection import Connection, Reply
from analytics.store.points import Database, Measurement
from analytics.store.settings import StoreSettings
from sensors import codec
from sensors.errors import StoreError

DAY_S = 86_400

TOO_MANY_RIGHTS = Finding(
    "rights",
    Level.WARNING,
    "this account may do everything on the server",
    "use one that may not: wellbeing store init --accounts",
)


class Server(Protocol):
    """What is asked of the store."""

    def run(self, statement: str, policy: str = "") -> influxql.Answers:
        """Return the answers to one InfluxQL statement."""

    def refused(self, reply: Reply) -> StoreError:
        """Return the error that says what `reply` means."""

    def select(self, query: Query) -> influxql.Answers:
        """Return the answers to a typed query."""

    def field_kinds(self, measurement: Measurement) -> dict[str, set[str]]:
        """Return every type that each field has anywhere."""


class Setup(Protocol):
    """Makes one version of the server ready."""

    def databases(self) -> list[str]:
        """Make what is missing; return what was done or is left to an administrator."""

    def retention(self) -> dict[Database, str | None]:
        """Return how long each database is kept (``720h0m0s``; empty: for ever; None: missing)."""

    def obstacle(self) -> Finding | None:
        """Return what must be done before anything else, if anything."""

    def doubts(self) -> Iterator[Finding]:
        """Yield what else is wrong with this version."""

    def accounts(self, *, renew: bool) -> tuple[list[Account], list[str]]:
        """Make the accounts that are missing (or all anew); return them and what else to know."""


@dataclass(frozen=True, slots=True)
class Base:
    """What every version needs."""

    settings: StoreSettings
    connection: Connection
    server: Server

    @property
    def days(self) -> dict[Database, int]:
        """How many days each database keeps what it holds."""
        return {Database.RAW: self.settings.raw_days, Database.DERIVED: self.settings.derived_days}

    def bucket(self, policy: Database) -> str:
        """Return the name that 2.x and 3.x know a database by."""
        return f"{self.settings.database}/{policy}"

    def call(self, method: str, path: str, payload: object = None, **query: str) -> Reply:
        """Send JSON and return the answer, whatever it is."""
        return self.connection.call_json(method, path, query, payload)

    def expect(self, reply: Reply) -> Any:
        """Return the decoded answer; raise what it means if it is a refusal."""
        if not reply.ok:
            raise self.server.refused(reply)
        return codec.load_json(reply.body) if reply.body.strip() else {}

    def obstacle(self) -> Finding | None:
        """Return what must be done before anything else: nothing, for most."""
        return None

    def doubts(self) -> Iterator[Finding]:
        """Yield what else is wrong with this version: nothing, for most."""
        yield from ()

    def each_role(self, make: Callable[[str], Account | None]) -> list[Account]:
        """Make an account for each role that wants one.

        Raises
        ------
        AccountsError
            With those that are made, if it cannot go on after the first.
        """
        made: list[Account] = []
        for role in ROLES:
            try:
                account = make(role)
            except StoreError as error:
                if not made:
                    raise
                raise AccountsError(str(error), made) from None
            made += [] if account is None else [account]
        return made
