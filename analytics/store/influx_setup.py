"""Making a server ready: databases, retention, names for InfluxQL, accounts with least rights.

Every version wants it said differently; saying it again changes nothing. What
the account at hand may not do is left to an administrator, in words that can
be typed.

References
----------
.. [1] InfluxData, "Authentication and authorization in InfluxDB" (v1.8).
.. [2] InfluxData, "InfluxDB OSS v2 API": /api/v2/buckets, /dbrps, /authorizations.
.. [3] InfluxData, "InfluxDB 3 Core API": /api/v3/configure/database; what its own command
   ``influxdb3 show retention`` asks: system.databases.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from analytics.store import influxql
from analytics.store.findings import Account, Finding
from analytics.store.influx_connection import Connection
from analytics.store.influx_setup_2 import Setup2
from analytics.store.influx_setup_base import TOO_MANY_RIGHTS, Base, Server, Setup
from analytics.store.points import Database
from analytics.store.settings import StoreSettings
from sensors.errors import StoreError

_OPEN = (
    "the server lets anybody in: set [http] auth-enabled = true in its configuration,"
    " create an administrator, and run this again as that one"
)
_CORE = (
    "InfluxDB 3 Core has only tokens that may do everything: make one"
    " (influxdb3 create token --admin --name wellbeing-writer) for the server alone, and"
    " put a proxy that lets only /query through in front of it for screens and research"
)
_ENTERPRISE = (
    "InfluxDB 3 Enterprise has tokens with less: influxdb3 create token"
    " --permission 'db:{both}:read' --name wellbeing-dashboard"
)
_SETUP_TABLE = "wellbeing_setup"
_RETENTION = "SELECT database_name, retention_period_ns FROM system.databases WHERE NOT deleted"
_HOUR_NS = 3_600_000_000_000


def setup_for(
    version: str, settings: StoreSettings, connection: Connection, server: Server
) -> Setup:
    """Return what makes a server of `version` ready."""
    known: dict[str, Callable[[StoreSettings, Connection, Server], Setup]]
    known = {"1": Setup1, "2": Setup2, "3": Setup3}
    major = version.split(".", maxsplit=1)[0]
    return known.get(major, Setup3)(settings, connection, server)


class Setup1(Base):
    """Version 1: two retention policies, users with a password."""

    def databases(self) -> list[str]:
        """Create or adjust both retention policies."""
        name = self.settings.database
        existing = None
        if name in influxql.names_of(self.server.run("SHOW DATABASES")):
            existing = self._policies()
        statements = influxql.policy_statements(name, self.days, existing)
        for statement in statements:
            self.server.run(statement)
        return statements

    def _policies(self) -> dict[str, str]:
        statement = influxql.show_policies(self.settings.database)
        return influxql.policies_of(self.server.run(statement))

    def retention(self) -> dict[Database, str | None]:
        """Return how long each retention policy keeps."""
        try:
            kept = self._policies()
        except StoreError as error:
            if "database not found" not in str(error):
                raise
            kept = {}
        return {one: _ended(kept.get(one)) for one in Database}

    def accounts(self, *, renew: bool) -> tuple[list[Account], list[str]]:
        """Create one user per role that may use this database only."""
        if not self._asks_who():
            return [], [_OPEN]
        known = influxql.names_of(self.server.run("SHOW USERS"))
        told: list[str] = []

        def make(role: str) -> Account | None:
            user = f"{self.settings.database}_{role}"
            if user in known and not renew:
                told.append(f"user {user} is there; --renew gives it a new password")
                return None
            return self._user(role, user, is_known=user in known)

        return self.each_role(make), told

    def doubts(self) -> Iterator[Finding]:
        """Yield that the account may do more than its work."""
        if self.settings.username and self._asks_who():
            try:
                self.server.run("SHOW USERS")
            except StoreError:
                return  # as it should be
            yield TOO_MANY_RIGHTS

    def _asks_who(self) -> bool:
        reply = self.connection.request("GET", "/query?q=SHOW+USERS", anonymous=True)
        return reply.status == 401

    def _user(self, role: str, user: str, *, is_known: bool) -> Account:
        secret = secrets.token_urlsafe(24)
        named, password = influxql.name(user), influxql.text(secret)
        if is_known:
            self.server.run(f"SET PASSWORD FOR {named} = {password}")
        else:
            self.server.run(f"CREATE USER {named} WITH PASSWORD {password}")
        # ALL is of one database: what the server process needs to write, count and erase.
        right = "ALL" if role == "writer" else "READ"
        self.server.run(f"GRANT {right} ON {influxql.name(self.settings.database)} TO {named}")
        return Account(role, user, secret)


def _ended(duration: str | None) -> str | None:
    return "" if duration == "0s" else duration


def _hours(kept_ns: int | None) -> str:
    return f"{kept_ns // _HOUR_NS}h0m0s" if kept_ns else ""


class Setup3(Base):
    """Version 3: two databases, made with their retention."""

    def databases(self) -> list[str]:
        """Create both databases, and set their retention where that could not be done at once."""
        done: list[str] = []
        kept = self._kept()
        for policy, days in self.days.items():
            name, wanted = self.bucket(policy), f"{days * 24}h0m0s"
            if name not in kept:
                self._create(policy)
                kept = self._kept()
                is_done = kept.get(name) == wanted
                done.append(f"created database {name}" + (f", kept {days} d" if is_done else ""))
            if kept.get(name) != wanted:
                done.append(self._keep(name, days))
        return done

    def _keep(self, name: str, days: int) -> str:
        """Change the retention of a database; return what was done or is left to do."""
        payload = {"db": name, "retention_period": f"{days}d"}
        reply = self.call("PUT", "/api/v3/configure/database", payload)
        if reply.status in {403, 404, 405}:
            return (
                f"cannot change how long {name} is kept here: run as administrator:"
                f" influxdb3 update database --database {name} --retention-period {days}d"
                f" (or, while it is empty, influxdb3 delete database {name}, then this again)"
            )
        self.expect(reply)
        return f"database {name} is kept {days} d"

    def retention(self) -> dict[Database, str | None]:
        """Return how long each database keeps."""
        kept = self._kept()
        return {one: kept.get(self.bucket(one)) for one in Database}

    def _kept(self) -> dict[str, str]:
        """Return the databases there are, with how long each is kept; empty: for ever."""
        query = {"db": "_internal", "format": "json", "q": _RETENTION}
        reply = self.call("GET", "/api/v3/query_sql", **query)
        if not reply.ok and "not found" in reply.body:
            # Before 3.2 there is no such table, and nothing that would end.
            listed = self.call("GET", "/api/v3/configure/database", format="json")
            return {row["iox::database"]: "" for row in self.expect(listed)}
        rows = self.expect(reply)
        return {row["database_name"]: _hours(row.get("retention_period_ns")) for row in rows}

    def _create(self, policy: Database) -> None:
        """Create a database.

        Some versions refuse its name for the slash; there a point creates it,
        and the table of that point goes again.
        """
        name = self.bucket(policy)
        payload = {"db": name, "retention_period": f"{self.days[policy]}d"}
        reply = self.call("POST", "/api/v3/configure/database", payload)
        if reply.ok or reply.status == 409:
            return
        line = f"{_SETUP_TABLE} made=true".encode()
        written = self.connection.write_1(line, self.settings.database, policy)
        if not written.ok:
            raise self.server.refused(written)
        self.call("DELETE", "/api/v3/configure/table", db=name, table=_SETUP_TABLE)

    def accounts(self, *, renew: bool) -> tuple[list[Account], list[str]]:  # noqa: ARG002 - none
        """Create none: what there is to know."""
        both = ",".join(self.bucket(policy) for policy in Database)
        return [], [_CORE, _ENTERPRISE.format(both=both)]
