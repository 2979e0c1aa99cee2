"""What an InfluxDB server answers, understood; pure.

Versions 1, 2 and 3 word the same refusals differently; everything that
depends on their words is here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from analytics.store.admission import KINDS
from analytics.store.points import Database, Point
from sensors import codec

_MAX_WORDS = 300

# Words of a refusal that is the points' fault, seen in 1.6 and in the sources
# of 1.x, 2.x and 3.x (tsdb.PartialWriteError, models.ParsePoints).
_POINTS_AT_FAULT = (
    "partial write",
    "unable to parse",
    "field type conflict",
    "line protocol",
    "write_lp",
    "invalid column type",
    "max-",
    "invalid field",
)

POINTS_REFUSED = frozenset({400, 422})
"""Answers that may be about the points; others never are."""

MOST_NAMED = 100
"""Version 3 names at most so many refused lines (InfluxDB 3 Core, "Troubleshoot writing data")."""

_DROPPED = re.compile(r"dropped=(\d+)")
_CONFLICT = re.compile(r'input field "(?P<field>(?:[^"\\]|\\.)*)" on measurement "(?P<of>\w+)"')


@dataclass(frozen=True, slots=True)
class Refusal:
    """Some points of a batch were refused.

    Parameters
    ----------
    reason : str
        The server's words, on one line.
    dropped : int or None
        How many, if it said so.
    lines : dict of int to str
        Index of a refused line and the reason, if it said so (version 3).
    """

    reason: str
    dropped: int | None
    lines: dict[int, str]


# What a server quotes of somebody's points: 2.x the oldest and the newest of those that it drops,
# 1.x and 2.x a line that they cannot read, or the value that is one too many of a tag.
_QUOTED = (
    (re.compile(r" - oldest point .*?(?= dropped=|$)"), ""),
    (re.compile(r"unable to parse '.*':"), "unable to parse a line:"),
    (re.compile(r'(?<= tag="agent") value=".*?"(?= dropped=|$)'), ""),
)


def words(body: str) -> str:
    """Return the server's explanation on one line, quoting no point: it is kept, and logged."""
    return _explanation(body)[:_MAX_WORDS]


# What a server that fails may say of why; whatever else it says may quote what it was told.
_TROUBLES = re.compile(
    r"queue is full|no space left on device|file too large|read-only file system|disk (?:is )?full"
    r"|disk quota exceeded|input/output error|permission denied|too many open files|out of memory"
    r"|cache-max-memory-size exceeded|timeout|timed out|deadline exceeded|too many requests"
    r"|unavailable|overload(?:ed)?|shutting down|not ready|engine is closed|connection refused"
    r"|bad gateway|internal (?:server )?error|exceed\w*(?: the)? file limit|nobody there",
    re.IGNORECASE,
)


def shown(status: int, said: str) -> str:
    """Return what of the server's words may be logged and shown to whoever looks at status.

    Of a failure of its own only known words: nobody knows what the rest quotes (TRUST T5).
    """
    if status < 500:
        return said
    known = dict.fromkeys(found.lower() for found in _TROUBLES.findall(said))
    return ", ".join(known) or "for a reason that stands in its own log"


def _explanation(body: str) -> str:
    try:
        answer = codec.load_json(body)
    except ValueError:
        found = body
    else:
        found = body
        if isinstance(answer, dict):
            found = str(answer.get("error") or answer.get("message") or body)
    said = " ".join(found.split())
    for quoted, instead in _QUOTED:
        said = quoted.sub(instead, said)
    return said


def refusal(status: int, body: str, *, at_fault: bool = False) -> Refusal | None:
    """Return which points were refused; ``None`` if the points are not to blame.

    Parameters
    ----------
    at_fault : bool
        They are to blame, whatever the words.
    """
    if status not in POINTS_REFUSED:
        return None
    reason = words(body)
    if not at_fault and not any(phrase in reason for phrase in _POINTS_AT_FAULT):
        return None
    found = _DROPPED.search(_explanation(body))
    dropped = int(found[1]) if found else None
    return Refusal(_DROPPED.sub("", reason).strip(), dropped, _named_lines(body))


# Words of a 400 that is about what the operator set up, seen in the sources of 1.x to 3.x.
_NOT_THE_POINTS = ("not found", "could not find", "required", "authoriz", "precision", "databases")


def may_mean_points(status: int, body: str) -> bool:
    """Return whether a refusal in words we do not know may be about the points."""
    said = words(body).lower()
    return status in POINTS_REFUSED and not any(phrase in said for phrase in _NOT_THE_POINTS)


_TOO_WIDE = re.compile(r"exceed(?:ing the)? file limit", re.IGNORECASE)
"""InfluxDB 3 Core: "Query would exceed file limit of 432 parquet files", and since 3.8
"Query would scan 433 Parquet files, exceeding the file limit"."""

_TOO_MANY = re.compile(r"would exceed limit of \d+ databases")


def is_too_wide(said: str) -> bool:
    """Return whether the server refuses a query because it would open too many files."""
    return _TOO_WIDE.search(said) is not None


def is_too_large(status: int, body: str) -> bool:
    """Return whether a request is refused for its size, which version 3 says with any status."""
    return status == 413 or "max request size" in body


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long the server asks to be left alone, if it does. [s].

    Either a number of seconds or a time, which counts from the server's own
    clock (RFC 9110, 10.2.3).
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return float(asked)
    try:
        then, now = parsedate_to_datetime(asked), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _named_lines(body: str) -> dict[int, str]:
    """Return what InfluxDB 3 says about each line, by index."""
    try:
        answer = codec.load_json(body)
    except ValueError:
        return {}
    details = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(details, list):
        return {}
    return {
        int(d["line_number"]) - 1: str(d.get("error_message", "refused"))
        for d in details
        if isinstance(d, dict) and isinstance(d.get("line_number"), int)
    }


def suspects(refused: Refusal, points: Sequence[Point]) -> list[int]:
    """Return the indices of the points that the refusal may mean; empty if it does not tell."""
    if refused.lines:
        return [i for i in refused.lines if 0 <= i < len(points)]
    found = _CONFLICT.search(refused.reason)
    if found is None:
        return []
    field = found["field"]
    # Only one of the two types is at fault, but which one depends on the
    # shard: those of the minority are asked about first.
    by_kind: dict[str, list[int]] = {}
    for i, point in enumerate(points):
        if point.measurement == found["of"] and field in point.fields:
            kind = KINDS.get(type(point.fields[field]), "")
            by_kind.setdefault(kind, []).append(i)
    named = re.search(r"is type (\w+), already exists", refused.reason)
    return by_kind.get(named[1], []) if named else []


FIRST_ADMINISTRATOR = (
    "make the first: influx -execute \"CREATE USER root WITH PASSWORD '…' WITH ALL PRIVILEGES\","
    " then: wellbeing store init --accounts as that one"
)


def has_no_administrator(body: str) -> bool:
    """Return whether a 1.x server wants to know who asks, and there is nobody yet."""
    return "create admin user first" in body


def remedy(status: int, body: str, database: str) -> str:
    """Return what to do about an answer that is not about the points."""
    reason = words(body)
    is_missing = any(
        known in reason for known in ("not found", "could not find bucket", "no dbrp mapping")
    )
    is_org = "organization name" in reason or "orgID or org" in reason
    known = (
        (has_no_administrator(reason), FIRST_ADMINISTRATOR),
        (status in {401, 403}, "check username and password_file, or token_file, in [store]"),
        (is_too_wide(reason), "ask for less time, or start the server with a higher limit"),
        (_TOO_MANY.search(reason), f"version 3 Core keeps five: delete some, {database} wants two"),
        (is_org, "set [store] org to the name of the organization"),
        (is_missing, f"run: wellbeing store init (creates {database})"),
        (status == 0, "check ca_file in [store] and the server's certificate"),
        (
            status in {429, 503},
            "it has too much to do; nothing is lost meanwhile, give it more if it stays so",
        ),
        (status == 404, "check url in [store]; is this an InfluxDB server?"),
    )
    return next((said for holds, said in known if holds), "look at the server's log")


def version_of(headers: Mapping[str, str], body: str) -> str | None:
    """Return the version a server says it has, in its headers or in a JSON body."""
    stated = headers.get("X-Influxdb-Version")
    if not stated:
        try:
            answer = codec.load_json(body)
        except ValueError:
            return None
        stated = answer.get("version") if isinstance(answer, dict) else None
    return str(stated).lstrip("v") if stated else None


def bucket_commands(
    version: str, database: str, org: str, days: Mapping[Database, int]
) -> list[str]:
    """Return the commands with which an administrator makes the buckets (2.x, 3.x)."""
    if version.startswith("3."):
        return [
            f"run: influxdb3 create database --retention-period {kept}d {database}/{policy}"
            for policy, kept in days.items()
        ]
    return [
        f"run: influx bucket create --org '{org}' --name {database}/{policy} --retention {kept}d"
        for policy, kept in days.items()
    ]
