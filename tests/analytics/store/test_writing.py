"""Two requests at a time: faster, and in no other order where order matters."""

import pytest

from analytics.store import influx_writing
from analytics.store.base import Query
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point
from analytics.store.settings import StoreSettings
from tests.rig import Influxd
from tests.rig.front import front_of

pytestmark = pytest.mark.needs("influxd")

BEGIN_NS = 1_790_000_000 * 10**9
COUNT = influx_writing.FIRST_BATCH + 2 * influx_writing.BATCH + 50


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    influxd = Influxd(tmp_path_factory.mktemp("influxd"))
    influxd.start()
    yield influxd
    influxd.stop()


@pytest.fixture
def slow(server):
    """A front before the server that long requests take longer through than short ones."""
    with front_of(server.port) as front:
        front.bytes_per_s = 1e6
        yield front


@pytest.fixture
def store(slow, request):
    opened = InfluxStore(StoreSettings(kind="influxdb", url=slow.url, database=request.node.name))
    opened.prepare()
    yield opened
    opened.close()


def point(measurement, n, at=None):
    at_ns = BEGIN_NS + (n if at is None else at)
    return Point(measurement, {"site": "lab", "agent": "k1"}, {"n": n, "x": n / 7}, at_ns)


def test_what_is_told_anew_is_in_the_end_as_it_was_told_last(store):
    """The last request is the shortest: sent beside the one before it, it would be overtaken."""
    report = store.write([point(Measurement.SUMMARY, n, at=n % 40) for n in range(COUNT)])
    assert (report.written, report.refused) == (COUNT, [])
    rows = store.read(Query(measurement=Measurement.SUMMARY, site="lab"))
    assert sorted(row.fields["n"] for row in rows) == list(range(COUNT - 40, COUNT))


def test_two_requests_are_on_their_way_at_a_time(store, slow):
    report = store.write([point(Measurement.SCORE, n) for n in range(COUNT)])
    assert report.written == COUNT
    assert store.count(Query(measurement=Measurement.SCORE, site="lab", fields=("n",))) == COUNT
    assert slow.most_at_once == 2


def test_of_many_batches_only_the_bad_points_are_refused(store):
    store.write([point(Measurement.SCORE, 0)])
    bad = {3, influx_writing.BATCH, 2 * influx_writing.BATCH + 7}
    points = [
        Point(p.measurement, p.tags, {"n": "text"}, p.time_ns) if n in bad else p
        for n, p in enumerate(point(Measurement.SCORE, n) for n in range(COUNT))
    ]
    report = store.write(points)
    assert {one.time_ns - BEGIN_NS for one, _ in report.refused} == bad
    assert report.written == COUNT - len(bad)
    assert store.count(Query(measurement=Measurement.SCORE, site="lab", fields=("n",))) == (
        COUNT - len(bad)
    )
