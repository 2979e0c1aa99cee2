"""What is wrong with a server, finding by finding, and how to mend each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from analytics.signals.features import FEATURES
from analytics.store import influx_replies
from analytics.store.base import Query
from analytics.store.findings import Finding, Level
from analytics.store.influx_connection import Connection
from analytics.store.influx_setup_base import Server, Setup
from analytics.store.points import Database, Measurement
from analytics.store.settings import StoreSettings
from sensors.errors import StoreError
from sensors.mqtt import LOOPBACK
from sensors.signals import SIGNALS

MOST_SKEW_S = 10.0
"""Further apart, clocks make *now* on a screen something else than now."""


_MISSING = "no such database"
_INIT = "run: wellbeing store init"


def expected_kinds() -> dict[tuple[Measurement, str], str]:
    """Return the type of the fields that every installation has."""
    kinds = {(Measurement.READING, signal): "float" for signal in SIGNALS}
    kinds |= {(Measurement.FEATURE, feature.name): "float" for feature in FEATURES}
    kinds |= {(Measurement.SCORE, n): "float" for n in ("score", "evidence", "strain_index")}
    for measurement in (Measurement.READING, Measurement.SCORE):
        kinds |= {(measurement, "late"): "boolean"}
    for measurement in (Measurement.READING, Measurement.FEATURE, Measurement.SCORE):
        kinds |= {(measurement, "seq"): "integer", (measurement, "run"): "string"}
    return kinds


@dataclass(frozen=True, slots=True)
class Checker:
    """Looks at one server; writes nothing.

    Parameters
    ----------
    settings : StoreSettings
    connection : Connection
    server : Server
    version : callable
        Asks the server what it is.
    setup : callable
        Returns what makes this version ready.
    writes_by_1 : callable
        Says which endpoint writes.
    """

    settings: StoreSettings
    connection: Connection
    server: Server
    version: Callable[[], str]
    setup: Callable[[], Setup]
    writes_by_1: Callable[[], bool]

    def findings(self, now: datetime) -> Iterator[Finding]:
        """Yield what was found, the first things first; ends early if nothing answers."""
        try:
            version = self.version()
        except StoreError as error:
            yield _wrong("reachable", error)
            return
        yield Finding("reachable", Level.GOOD, f"InfluxDB {version} at {self.settings.url}")
        yield self._encryption()
        yield self._clock(now)
        setup = self.setup()
        obstacle = setup.obstacle()
        if obstacle is not None:
            yield obstacle
            return
        account = self._account()
        yield account
        if account.level is Level.WRONG:
            return  # whatever else is asked is refused for the same reason
        missing = set()
        for finding in self._retention(setup):
            missing |= {finding.what} if finding.said == _MISSING else set()
            yield finding
        for database in Database:
            if f"retention {database}" in missing:
                # Asked to write nothing, version 3 might make the database.
                yield Finding(f"writing {database}", Level.WRONG, _MISSING, _INIT)
            else:
                yield self._may_write(database)
        yield from self._may_read(now)
        yield from self._doubts(setup)
        yield from self._types()

    def _encryption(self) -> Finding:
        settings = self.settings
        if settings.url.startswith("https"):
            by = f"by {settings.ca_file}" if settings.ca_file else "by the system's authorities"
            return Finding("encryption", Level.GOOD, f"TLS, its certificate verified {by}")
        here = any(f"//{host}" in settings.url for host in LOOPBACK)
        said = "not encrypted, within this machine" if here else "not encrypted"
        return Finding("encryption", Level.GOOD if here else Level.WRONG, said)

    def _clock(self, now: datetime) -> Finding:
        stated = self.connection.request("GET", "/ping").headers.get("Date", "")
        try:
            skew_s = (parsedate_to_datetime(stated) - now).total_seconds()
        except (ValueError, TypeError):
            return Finding("clock", Level.GOOD, "the server does not tell its time")
        if abs(skew_s) <= MOST_SKEW_S:
            return Finding("clock", Level.GOOD, "within seconds of ours")
        where = "ahead of" if skew_s > 0 else "behind"
        said = f"{abs(skew_s):.0f} s {where} ours"
        return Finding("clock", Level.WARNING, said, "let both follow one time server (NTP)")

    def _account(self) -> Finding:
        settings = self.settings
        reply = self.connection.query("SHOW DATABASES", "")
        if influx_replies.has_no_administrator(reply.body):
            said = "the server wants one, and has none yet"
            return Finding("account", Level.WRONG, said, influx_replies.FIRST_ADMINISTRATOR)
        if settings.token or settings.username:
            if reply.status == 401:
                return _wrong("account", self.server.refused(reply))
            who = f"user {settings.username}" if not settings.token else "token"
            return Finding("account", Level.GOOD, who)
        if reply.status in {401, 403}:
            remedy = "set token_file, or username and password_file, in [store]"
            return Finding("account", Level.WRONG, "none, and the server wants one", remedy)
        remedy = "turn authentication on in the server, then: wellbeing store init"
        return Finding("account", Level.WARNING, "the server lets anybody in", remedy)

    def _retention(self, setup: Setup) -> Iterator[Finding]:
        settings = self.settings
        days = {Database.RAW: settings.raw_days, Database.DERIVED: settings.derived_days}
        try:
            kept = setup.retention()
        except StoreError as error:
            yield _wrong("retention", error)
            return
        for database, wanted in days.items() if kept else ():
            what, found = f"retention {database}", kept.get(database)
            if found is None:
                yield Finding(what, Level.WRONG, _MISSING, _INIT)
            elif found == f"{wanted * 24}h0m0s":
                yield Finding(what, Level.GOOD, f"{wanted} d")
            else:
                said = f"{found or 'for ever'}, but {wanted} d are configured"
                yield Finding(what, Level.WRONG, said, _INIT)

    def _may_write(self, database: Database) -> Finding:
        """Ask to write nothing: who may not write is told so before the body is looked at."""
        name = self.settings.database
        if self.writes_by_1():
            reply = self.connection.write_1(b"", name, database)
        else:
            query = {"bucket": f"{name}/{database}", "org": self.settings.org, "precision": "ns"}
            reply = self.connection.call_json("POST", "/api/v2/write", query)
        what = f"writing {database}"
        # Version 3 refuses an empty request so, version 2 what is wrong with the address.
        if reply.ok or (reply.status == 400 and self.writes_by_1()):
            return Finding(what, Level.GOOD, "allowed")
        if reply.status == 403:
            return Finding(what, Level.WRONG, "not allowed", "right only for screens and research")
        return _wrong(what, self.server.refused(reply))

    def _may_read(self, now: datetime) -> Iterator[Finding]:
        for measurement in (Measurement.READING, Measurement.SCORE):
            # Of an hour: version 3 Core opens so many files at most.
            start = now - timedelta(hours=1)
            query = Query(measurement=measurement, site="-", start_at=start, limit=1)
            what = f"reading {measurement.database}"
            try:
                self.server.select(query)
            except StoreError as error:
                yield _wrong(what, error)
            else:
                yield Finding(what, Level.GOOD, "allowed")

    def _doubts(self, setup: Setup) -> Iterator[Finding]:
        try:
            yield from setup.doubts()
        except StoreError:
            return  # said above: it may not be asked

    def _types(self) -> Iterator[Finding]:
        """Compare the types of fields: a point with another type is refused."""
        expected, wrong = expected_kinds(), 0
        for measurement in Measurement:
            try:
                known = self.server.field_kinds(measurement)
            except StoreError:
                return  # said above: it may not be read
            for name, kinds in known.items():
                right = expected.get((measurement, name))
                if len(kinds) == 1 and right in {None, *kinds}:
                    continue
                wrong += 1
                said = f"is {' and '.join(sorted(kinds))}" + (f", not {right}" if right else "")
                yield Finding(f"{measurement}.{name}", Level.WARNING, said, _SET_ASIDE)
        if not wrong:
            yield Finding("types of fields", Level.GOOD, "as expected")


_SET_ASIDE = (
    "points of the other type are set aside: see wellbeing store set-aside list,"
    " and replay them into a new database"
)


def _wrong(what: str, error: StoreError) -> Finding:
    said, _, remedy = str(error).rpartition("; ")
    return Finding(what, Level.WRONG, said or remedy, remedy if said else "")
