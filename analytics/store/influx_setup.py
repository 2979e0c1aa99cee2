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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from analytics.store import influx_replies, influxql
from analytics.store.base import Query
from analytics.store.findings import ROLES, Account
from analytics.store.influx_connection import Connection, Reply
from analytics.store.points import Database, Measurement
from analytics.store.settings import StoreSettings
from sensors import codec
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
_DAY_S = 86_400
_HOUR_NS = 3_600_000_000_000


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

    def accounts(self, *, renew: bool) -> tuple[list[Account], list[str]]:
        """Make the accounts that are missing (or all anew); return them and what else to know."""


def setup_for(
    version: str, settings: StoreSettings, connection: Connection, server: Server
) -> Setup:
    """Return what makes a server of `version` ready."""
    known: dict[str, Callable[[StoreSettings, Connection, Server], Setup]]
    known = {"1": Setup1, "2": Setup2, "3": Setup3}
    major = version.split(".", maxsplit=1)[0]
    return known.get(major, Setup3)(settings, connection, server)


@dataclass(frozen=True, slots=True)
class _Base:
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


class Setup1(_Base):
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
        made, told = [], []
        for role in ROLES:
            user = f"{self.settings.database}_{role}"
            if user in known and not renew:
                told.append(f"user {user} is there; --renew gives it a new password")
                continue
            made.append(self._user(role, user, is_known=user in known))
        return made, told

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


class Setup2(_Base):
    """Version 2: two buckets, their names for InfluxQL, tokens."""

    def databases(self) -> list[str]:
        """Create or adjust both buckets and the mapping that InfluxQL finds them by."""
        done: list[str] = []
        try:
            org = self._org()
            for policy, days in self.days.items():
                bucket = self._bucket(org, policy, days, done)
                self._map(org, policy, bucket, done)
        except _ForbiddenError:
            version, settings = "2.", self.settings
            done += influx_replies.bucket_commands(
                version, settings.database, settings.org, self.days
            )
        return done

    def _org(self) -> str:
        name = self.settings.org
        found = self._found("/api/v2/orgs", "orgs", **({"org": name} if name else {}))
        if len(found) != 1:
            raise StoreError(
                f"InfluxDB at {self.settings.url} knows {len(found)} organizations"
                f" {f'called {name!r}' if name else ''}; set [store] org to one of them"
            )
        return str(found[0]["id"])

    def _found(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        reply = self.call("GET", path, **query)
        return [] if reply.status == 404 else list(self.expect(reply).get(key) or [])

    def retention(self) -> dict[Database, str | None]:
        """Return how long each bucket keeps."""
        found: dict[Database, str | None] = {}
        for policy in Database:
            query = {"name": self.bucket(policy)}
            buckets = self._found("/api/v2/buckets", "buckets", **query)
            rules = [
                rule.get("everySeconds", 0) for one in buckets for rule in one["retentionRules"]
            ]
            hours = f"{rules[0] // 3600}h0m0s" if rules and rules[0] else ""
            found[policy] = hours if buckets else None
        return found

    def _bucket(self, org: str, policy: Database, days: int, done: list[str]) -> str:
        name = self.bucket(policy)
        rules = [{"type": "expire", "everySeconds": days * _DAY_S}]
        found = self._found("/api/v2/buckets", "buckets", orgID=org, name=name)
        if not found:
            payload = {"orgID": org, "name": name, "retentionRules": rules}
            made = self.expect(_allowed(self.call("POST", "/api/v2/buckets", payload)))
            done.append(f"created bucket {name}, kept {days} d")
            return str(made["id"])
        bucket = found[0]
        if [rule.get("everySeconds") for rule in bucket.get("retentionRules", [])] != [
            days * _DAY_S
        ]:
            path = f"/api/v2/buckets/{bucket['id']}"
            self.expect(_allowed(self.call("PATCH", path, {"retentionRules": rules})))
            done.append(f"bucket {name} is kept {days} d")
        return str(bucket["id"])

    def _map(self, org: str, policy: Database, bucket: str, done: list[str]) -> None:
        database = self.settings.database
        known = self._found("/api/v2/dbrps", "content", orgID=org, db=database, rp=policy)
        if any(one.get("bucketID") == bucket for one in known):
            return
        payload = {
            "orgID": org,
            "bucketID": bucket,
            "database": database,
            "retention_policy": policy,
            "default": policy is Database.RAW,
        }
        self.expect(_allowed(self.call("POST", "/api/v2/dbrps", payload)))
        done.append(f"InfluxQL finds bucket {self.bucket(policy)} as {database}.{policy}")

    def accounts(self, *, renew: bool) -> tuple[list[Account], list[str]]:
        """Create one token per role for these two buckets only."""
        made, told = [], []
        try:
            org = self._org()
            known = {
                one.get("description"): one["id"]
                for one in self._found("/api/v2/authorizations", "authorizations", orgID=org)
            }
            for role in ROLES:
                title = f"{self.settings.database} {role}"
                if title in known and not renew:
                    told.append(f"token '{title}' is there; --renew replaces it")
                    continue
                made.append(Account(role, "", self._token(org, role, title)))
                if title in known:
                    path = f"/api/v2/authorizations/{known[title]}"
                    self.expect(_allowed(self.call("DELETE", path)))
        except _ForbiddenError:
            told.append("tokens are made with an operator or all-access token: run this with one")
        return made, told

    def _token(self, org: str, role: str, title: str) -> str:
        permissions = []
        for policy in Database:
            (bucket,) = self._found(
                "/api/v2/buckets", "buckets", orgID=org, name=self.bucket(policy)
            )
            where = {"type": "buckets", "id": bucket["id"], "orgID": org}
            actions = ("read", "write") if role == "writer" else ("read",)
            permissions += [{"action": action, "resource": where} for action in actions]
        payload = {"orgID": org, "description": title, "permissions": permissions}
        made = self.expect(_allowed(self.call("POST", "/api/v2/authorizations", payload)))
        return str(made["token"])


class _ForbiddenError(StoreError):
    """The account at hand may not do that."""


def _allowed(reply: Reply) -> Reply:
    # 2.x says 401 as well to a token that is good, but not for this.
    if reply.status in {401, 403}:
        raise _ForbiddenError("forbidden")
    return reply


def _ended(duration: str | None) -> str | None:
    return "" if duration == "0s" else duration


def _hours(kept_ns: int | None) -> str:
    return f"{kept_ns // _HOUR_NS}h0m0s" if kept_ns else ""


class Setup3(_Base):
    """Version 3: two databases whose retention is set once they are there."""

    def databases(self) -> list[str]:
        """Create both databases and set their retention."""
        done: list[str] = []
        kept = self._kept()
        for policy, days in self.days.items():
            name = self.bucket(policy)
            if kept.get(name) == f"{days * 24}h0m0s":
                continue
            if name not in kept:
                self._create(policy)
                done.append(f"created database {name}")
            payload = {"db": name, "retention_period": f"{days}d"}
            reply = self.call("PUT", "/api/v3/configure/database", payload)
            if reply.status in {403, 404, 405}:
                command = f"influxdb3 update database --database {name} --retention-period {days}d"
                done.append(f"run as administrator: {command}")
                continue
            self.expect(reply)
            done.append(f"database {name} is kept {days} d")
        return done

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
