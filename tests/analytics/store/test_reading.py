"""A server that opens so many files at most is asked in pieces, and the answers are the same.

That is InfluxDB 3 Core, which no package here brings; so a real server of another version stands
in, behind a door that refuses in its words what would read more than three days at once.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest

from analytics.store.base import Aggregate, Query
from analytics.store.influx import InfluxStore
from analytics.store.influx_reading import Reader, TooWideError, halves
from analytics.store.points import Database, Measurement, Point, epoch_ns
from sensors.errors import StoreError
from tests.analytics.store.conftest import any_databases
from tests.analytics.store.scripted import scripted, store_at
from tests.rig.influx import ON_A_SERVER

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
DAY = timedelta(days=1)
DAYS = {Database.RAW: 30, Database.DERIVED: 90}
MOST = 3 * DAY
SPAN = 60 * DAY
SCORE = Measurement.SCORE

# What version 3 Core says, before and since December 2025
# (influxdb3_write/src/write_buffer/mod.rs): as an error of the request, or of the statement.
REFUSALS = [
    pytest.param(
        500,
        "query error: error while planning query: External error: Query would exceed file limit"
        " of 432 parquet files. Please specify a smaller time range for your query. You can"
        " increase the file limit with the `--query-file-limit` option in the serve command",
        id="3.0",
    ),
    pytest.param(
        200,
        '{"results":[{"statement_id":0,"error":"External error: Query would scan 1008 Parquet'
        " files, exceeding the file limit. InfluxDB 3 Core caps file access to prevent performance"
        ' degradation and memory issues."}]}',
        id="3.12",
    ),
]


class Narrow:
    """A server that answers for three days at once, and no more."""

    def __init__(self, store):
        self.store = store
        self.asked = 0

    def _refuse_wide(self, statement):
        self.asked += 1
        if statement.startswith("SHOW FIELD KEYS"):
            return  # it reads the catalogue only
        found = dict(re.findall(r"time (>=|<) (\d+)", statement))
        # Files there are of the time in which something was written.
        begin = max(int(found.get(">=", 0)), epoch_ns(NOW - SPAN))
        end = min(int(found.get("<", 2**63)), epoch_ns(NOW))
        if end - begin > MOST // timedelta(microseconds=1) * 1_000:
            raise TooWideError("too wide")

    def run(self, statement, policy=""):
        self._refuse_wide(statement)
        return self.store.run(statement, policy)

    def stream(self, statement, policy):
        self._refuse_wide(statement)
        yield from self.store.stream(statement, policy)

    def named(self):
        return self.store.named()

    def is_version(self, major):
        del major
        return False


@pytest.fixture(scope="module")
def store(request):
    """Return one store for all: nothing here changes what is in it."""
    with any_databases(request) as settings:
        opened = InfluxStore(settings)
        assert opened.write(list(points())).refused == []
        yield opened
        opened.close()


def points():
    for n in range(4 * SPAN // DAY):
        at = epoch_ns(NOW - n * DAY / 4)
        for agent in ("k1", "k2"):
            fields = {"seq": n, "score": n / 7, "state": "learning"}
            if n % 3 == 0 and agent == "k1":
                fields["evidence"] = float(n)
            yield Point(SCORE, {"site": "north", "agent": agent}, fields, at)
    for n, agent in ((170, "left"), (3, "came")):
        tags = {"site": "south", "agent": agent}
        yield Point(SCORE, tags, {"seq": n, "score": 1.0}, epoch_ns(NOW - n * DAY / 4))


def ask(**options):
    return Query(measurement=SCORE, site=options.pop("site", "north"), **options)


def figures(*aggregates, **options):
    return ask(fields=("score", "seq", "evidence"), aggregates=aggregates, **options)


MONTH = {"start_at": NOW - 31 * DAY, "end_at": NOW - DAY}
ALL = (Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.SUM, Aggregate.COUNT)
QUERIES = {
    "everything": ask(),
    "a month": ask(**MONTH),
    "from some time on": ask(start_at=NOW - 20 * DAY, agents=("k1",)),
    "until some time": ask(end_at=NOW - 40 * DAY),
    "the newest": ask(limit=5),
    "the newest of long ago": ask(limit=7, end_at=NOW - 50 * DAY),
    "the newest of each": ask(latest=True),
    "each one's newest, years apart": ask(site="south", latest=True),
    "the two newest of those": ask(site="south", latest=True, limit=1),
    "the newest of few": ask(site="south", limit=2),
    "looking back for a field": ask(latest=True, fields=("evidence",), end_at=NOW - 9 * DAY),
    "nobody": ask(agents=("nobody",)),
    "by day": figures(*ALL, every=DAY, **MONTH),
    "by a week": figures(Aggregate.MEAN, every=timedelta(hours=36), **MONTH),
    "in all": figures(*ALL, **MONTH),
    "the mean of all times": figures(Aggregate.MEAN),
    "how often a word": ask(fields=("state",), aggregates=(Aggregate.COUNT,)),
    "none in all": figures(*ALL, agents=("nobody",)),
}


@ON_A_SERVER
class TestTheSame:
    @pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
    def test_rows(self, store, query):
        narrow = Narrow(store)
        rows, whole = Reader(narrow, DAYS).read(query), store.read(query)
        assert [(r.time_ns, r.tags) for r in rows] == [(r.time_ns, r.tags) for r in whole]
        for row, expected in zip(rows, whole, strict=True):
            told = expected.fields
            assert row.fields == (pytest.approx(told, rel=1e-12) if query.aggregates else told)
            assert [type(v) for v in row.fields.values()] == [
                type(expected.fields[n]) for n in row.fields
            ]
        assert narrow.asked > 2

    @pytest.mark.parametrize("fields", [(), ("evidence",), ("evidence", "state")])
    def test_counts(self, store, fields):
        query = ask(fields=fields)
        assert Reader(Narrow(store), DAYS).count(query) == store.count(query)

    def test_sites_and_the_oldest(self, store):
        reader = Reader(Narrow(store), DAYS)
        assert reader.oldest_ns(SCORE, "north") == epoch_ns(NOW - 239 * DAY / 4)
        assert reader.oldest_ns(SCORE, "south") == epoch_ns(NOW - 170 * DAY / 4)
        with pytest.raises(StoreError, match="went away"):
            reader.oldest_ns(SCORE, "nowhere")

    def test_a_stretch_that_cannot_be_cut_is_refused(self, store):
        query = figures(Aggregate.MEAN, every=4 * DAY, **MONTH)
        with pytest.raises(TooWideError):
            Reader(Narrow(store), DAYS).read(query)


def test_the_end_of_the_cutting():
    query = ask(start_at=NOW, end_at=NOW + timedelta(minutes=1))
    assert halves(query, NOW, 90) is None
    earlier, later = halves(ask(), NOW, 90)
    assert (earlier.start_at, later.end_at) == (None, None)
    assert earlier.end_at == later.start_at
    assert NOW - 90 * DAY < earlier.end_at < NOW


@pytest.mark.parametrize(("status", "said"), REFUSALS)
def test_version_3_core_is_understood_and_asked_again(status, said):
    nothing = (200, '{"results":[{"statement_id":0}]}')
    with (
        scripted(
            version="3.12.0", answers={"/query": [(status, said), nothing, nothing]}
        ) as script,
        store_at(script) as store,
    ):
        assert store.read(ask(**MONTH)) == []
        times = [re.findall(r"time \S+ \d+", a.form["q"]) for a in script.requests("/query")]
        assert [len(found) for found in times] == [2, 2, 2]
        assert times[1][1] == times[0][1]  # the later half first


@pytest.mark.parametrize(("status", "said"), REFUSALS)
def test_what_cannot_be_cut_says_what_to_do(status, said):
    with (
        scripted(version="3.12.0", answers={"/query": [(status, said), ...]}) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match=r"file limit.*; ask for less time, or start the server"),
    ):
        store.read(ask(start_at=NOW, end_at=NOW + timedelta(minutes=1)))


def test_version_3_is_asked_for_sites_of_all_times():
    """Told no time, it looks at the last day only (iox_query_influxql, SHOW TAG VALUES)."""
    series = '{"name":"score","columns":["key","value"],"values":[["site","north"]]}'
    found = (200, f'{{"results":[{{"statement_id":0,"series":[{series}]}}]}}')
    with (
        scripted(version="3.12.0", answers={"/query": [found]}) as script,
        store_at(script) as store,
    ):
        assert store.sites(SCORE) == ["north"]
        (asked,) = script.requests("/query")
        statement = 'SHOW TAG VALUES FROM "score" WITH KEY = "site" WHERE time >= 0'
        assert asked.form["q"] == statement
