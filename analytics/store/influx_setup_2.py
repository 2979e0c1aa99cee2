"""Making version 2 ready: buckets, their names for InfluxQL, tokens.

References
----------
.. [1] InfluxData, "InfluxDB OSS v2 API": /api/v2/setup, /buckets, /dbrps, /authorizations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from analytics.store import influx_replies
from analytics.store.findings import Account, AccountsError, Finding, Level
from analytics.store.influx_connection import Reply
from analytics.store.influx_setup_base import DAY_S, TOO_MANY_RIGHTS, Base
from analytics.store.points import Database
from sensors import codec
from sensors.errors import StoreError

_NEVER_SET_UP = "nobody has set this server up"
_SET_UP = "open its page in a browser, or run influx setup; then: wellbeing store init --accounts"
_FEW_RIGHTS = "user and password may write and read, but not make or tell buckets, nor erase"
_MORE_RIGHTS = "set token_file in [store], or WELLBEING_STORE_TOKEN"


class Setup2(Base):
    """Version 2: two buckets, their names for InfluxQL, tokens."""

    @property
    def _by_password(self) -> bool:
        return bool(self.settings.username and not self.settings.token)

    def obstacle(self) -> Finding | None:
        """Return that nobody has set the server up, if so: it takes no token before."""
        reply = self.connection.request("GET", "/api/v2/setup")
        if reply.ok and reply.body.strip() and codec.load_json(reply.body).get("allowed"):
            return Finding("set up", Level.WRONG, _NEVER_SET_UP, _SET_UP)
        return None

    def doubts(self) -> Iterator[Finding]:
        """Yield where InfluxQL would read another bucket; rights too many or too few."""
        if self._by_password:
            yield Finding("rights", Level.WARNING, _FEW_RIGHTS, _MORE_RIGHTS)
            return
        if self._found("/api/v2/authorizations", "authorizations"):
            # A token for two buckets is told of none.
            yield TOO_MANY_RIGHTS
        for policy in Database:
            for bucket in self._buckets(policy):
                known = self._mappings(str(bucket["orgID"]), policy)
                if not any(one.get("bucketID") == bucket["id"] for one in known):
                    name = f"{self.settings.database}.{policy}"
                    said = f"finds {'another' if known else 'no'} bucket as {name}"
                    remedy = "run: wellbeing store init"
                    yield Finding(f"InfluxQL {policy}", Level.WRONG, said, remedy)

    def databases(self) -> list[str]:
        """Create or adjust both buckets and the mapping that InfluxQL finds them by."""
        self._may_begin()
        done: list[str] = []
        try:
            org = self._org()
            for policy, days in self.days.items():
                bucket = self._bucket(org, policy, days, done)
                self._map(org, policy, bucket, done)
        except _ForbiddenError:
            done += self._commands()
        return done

    def _commands(self) -> list[str]:
        """Return what somebody with more rights must type."""
        kept, settings = self.retention(), self.settings
        lacking = {p: days for p, days in self.days.items() if kept.get(p) != f"{days * 24}h0m0s"}
        return influx_replies.bucket_commands("2.", settings.database, settings.org, lacking)

    def _may_begin(self) -> None:
        obstacle = self.obstacle()
        if obstacle is not None:
            raise self._failed(f"takes nothing: {obstacle.said}", obstacle.remedy)
        if self._by_password:
            raise self._failed("makes no buckets for a user with a password", _MORE_RIGHTS)

    def _failed(self, what: str, remedy: str) -> StoreError:
        return StoreError(f"InfluxDB at {self.settings.url} {what}; {remedy}")

    def _org(self) -> str:
        name = self.settings.org
        found = self._found("/api/v2/orgs", "orgs", **({"org": name} if name else {}))
        if len(found) == 1:
            return str(found[0]["id"])
        known = [str(org["name"]) for org in self._found("/api/v2/orgs", "orgs")]
        if not known:
            raise _ForbiddenError("a token with few rights is told of no organization")
        called = f" called {name!r}" if name else ""
        what = f"knows {len(found)} organizations{called} (there are: {', '.join(known)})"
        raise self._failed(what, "set [store] org to one of them")

    def _found(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        reply = self.call("GET", path, **query)
        return [] if reply.status == 404 else list(self.expect(reply).get(key) or [])

    def _buckets(self, policy: Database) -> list[dict[str, Any]]:
        """Return the bucket, if there is one."""
        query = {"name": self.bucket(policy)}
        query |= {"org": self.settings.org} if self.settings.org else {}
        reply = self.call("GET", "/api/v2/buckets", **query)
        if reply.status == 404 and "organization" not in reply.body:
            return []
        return list(self.expect(reply).get("buckets") or [])

    def retention(self) -> dict[Database, str | None]:
        """Return how long each bucket keeps; nothing is told to a user with a password."""
        if self._by_password:
            return {}
        found: dict[Database, str | None] = {}
        for policy in Database:
            buckets = self._buckets(policy)
            rules = [
                rule.get("everySeconds", 0) for one in buckets for rule in one["retentionRules"]
            ]
            hours = f"{rules[0] // 3600}h0m0s" if rules and rules[0] else ""
            found[policy] = hours if buckets else None
        return found

    def _bucket(self, org: str, policy: Database, days: int, done: list[str]) -> str:
        name = self.bucket(policy)
        rules = [{"type": "expire", "everySeconds": days * DAY_S}]
        found = self._found("/api/v2/buckets", "buckets", orgID=org, name=name)
        if not found:
            payload = {"orgID": org, "name": name, "retentionRules": rules}
            made = self.expect(_allowed(self.call("POST", "/api/v2/buckets", payload)))
            done.append(f"created bucket {name}, kept {days} d")
            return str(made["id"])
        bucket = found[0]
        if [rule.get("everySeconds") for rule in bucket.get("retentionRules", [])] != [
            days * DAY_S
        ]:
            path = f"/api/v2/buckets/{bucket['id']}"
            self.expect(_allowed(self.call("PATCH", path, {"retentionRules": rules})))
            done.append(f"bucket {name} is kept {days} d")
        return str(bucket["id"])

    def _mappings(self, org: str, policy: Database) -> list[dict[str, Any]]:
        query = {"orgID": org, "db": self.settings.database, "rp": policy}
        return self._found("/api/v2/dbrps", "content", **query)

    def _map(self, org: str, policy: Database, bucket: str, done: list[str]) -> None:
        """Let InfluxQL find the bucket; a bucket that is called so is found by itself since 2.3."""
        database = self.settings.database
        known = self._mappings(org, policy)
        if any(one.get("bucketID") == bucket for one in known):
            return
        for one in known:
            self._forget(org, one)
        payload = {
            "orgID": org,
            "bucketID": bucket,
            "database": database,
            "retention_policy": policy,
            "default": policy is Database.RAW,
        }
        self.expect(_allowed(self.call("POST", "/api/v2/dbrps", payload)))
        done.append(f"InfluxQL finds bucket {self.bucket(policy)} as {database}.{policy}")

    def _forget(self, org: str, mapping: dict[str, Any]) -> None:
        """Remove a mapping to a bucket that is gone; one to a bucket that is there is not ours."""
        known = f"{mapping['database']}.{mapping['retention_policy']}"
        if self.call("GET", f"/api/v2/buckets/{mapping['bucketID']}").status != 404:
            what = f"finds another bucket as {known} (id {mapping['bucketID']})"
            remedy = f"influx v1 dbrp delete --id {mapping['id']}, then run this again"
            raise self._failed(what, f"choose another [store] database, or: {remedy}")
        self.expect(
            _allowed(self.call("DELETE", f"/api/v2/dbrps/{mapping['id']}", orgID=org)),
        )

    def accounts(self, *, renew: bool) -> tuple[list[Account], list[str]]:
        """Create one token per role for these two buckets only."""
        self._may_begin()
        told: list[str] = []
        try:
            org = self._org()
            tokens = self._found("/api/v2/authorizations", "authorizations", orgID=org)
            known = {one.get("description"): one["id"] for one in tokens}

            def make(role: str) -> Account | None:
                title = self._title(role)
                if title in known and not renew:
                    told.append(f"token '{title}' is there; --renew replaces it")
                    return None
                return Account(role, "", self._token(org, role, title))

            made = self.each_role(make)
            self._revoke([known[t] for a in made if (t := self._title(a.role)) in known], made)
        except _ForbiddenError:
            return [], ["tokens are made with an operator or all-access token: run this with one"]
        return made, told

    def _title(self, role: str) -> str:
        return f"{self.settings.database} {role}"

    def _revoke(self, tokens: list[str], made: list[Account]) -> None:
        """Delete tokens that others have taken the place of."""
        for token in tokens:
            try:
                self.expect(self.call("DELETE", f"/api/v2/authorizations/{token}"))
            except StoreError as error:
                raise AccountsError(f"an old token is still good: {error}", made) from None

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
