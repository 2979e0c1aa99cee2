"""A real server stopped, killed, frozen, full, slow or refusing under load: nothing is lost.

Every test commits points as the service does while the fault is there, and
counts at the server itself, past our own code.
"""

import resource
import threading
from datetime import UTC, datetime, timedelta

import pytest

from analytics.journal.steps import Commit, Step, StepLog
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from analytics.writing import lanes as spool_lanes
from analytics.writing import set_aside
from analytics.writing.spool import SpoolWriter
from tests.rig import Influxd, wait_until
from tests.rig.front import front_of

NOW = datetime.now(UTC) - timedelta(hours=1)
PER_COMMIT = 200
PATIENCE_S = 60.0


class Load:
    """Commits points until told to stop, as the service does."""

    def __init__(self, directory, url, *, timeout_s=10.0):
        self.log = StepLog(open_state(directory), directory / FILE_NAME, as_lines=True)
        self.settings = StoreSettings(kind="influxdb", url=url, timeout_s=timeout_s)
        self.writer = SpoolWriter(directory, lambda: InfluxStore(self.settings), lambda: NOW)
        self.committed = 0
        self.refused = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        number = 0
        while not self._stop.wait(0.02):
            number += 1
            points = [self.point(self.committed + n) for n in range(PER_COMMIT)]
            self.log.commit(Commit(steps=[Step(number, number, number, NOW)], points=points))
            self.committed += PER_COMMIT
            self.writer.notify()

    @staticmethod
    def point(n):
        tags = {"site": "north", "agent": f"k{n % 50}"}
        fields = {"evidence": n / 7, "seq": n, "state": "as_usual"}
        return Point(Measurement.SCORE, tags, fields, epoch_ns(NOW) + n)

    def start(self):
        self.writer.start()
        self._thread.start()

    def more(self, count=2_000):
        """Wait until so many more points are committed."""
        target = self.committed + count
        wait_until(lambda: self.committed >= target, PATIENCE_S)

    def end(self):
        """Stop committing and wait until the spool is empty, and what was in doubt told again."""
        self._stop.set()
        self._thread.join()

        def is_empty():
            return self.log.spool_size()[0] == 0 and not self.writer.state.catching_up

        wait_until(is_empty, PATIENCE_S, "spool is empty")

    def close(self):
        self._stop.set()
        if self._thread.ident:
            self._thread.join()
        self.writer.stop()
        self.log._db.close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_lanes, "BACK_OFF_MAX_S", 0.5)
    influxd = Influxd(tmp_path / "influxd")
    influxd.start()
    yield influxd
    influxd.stop()


@pytest.fixture
def load_on(tmp_path):
    """Return a function that puts load on the server at an address."""
    made = []

    def start(url, *, started=True, **options):
        store = InfluxStore(StoreSettings(kind="influxdb", url=url))
        store.prepare()
        store.close()
        made.append(Load(tmp_path / "state", url, **options))
        if started:
            made[-1].start()
        return made[-1]

    yield start
    for load in made:
        load.close()


def assert_all_there(server, load):
    """Compare what was committed with what the server itself counts."""
    load.end()
    counted = server.query('SELECT count("seq") FROM "wellbeing"."derived"."score"')
    assert counted[0]["values"][0][1] == load.committed
    assert load.writer.state.refused == 0
    assert set_aside.listed(load.log._db, load.log._path) == []
    assert load.writer.state.trouble == ""


def in_trouble(load, words=""):
    wait_until(lambda: words in load.writer.state.trouble and load.writer.state.trouble, PATIENCE_S)


pytestmark = pytest.mark.needs("influxd")


@pytest.mark.parametrize("fault", ["stop", "kill"])
def test_stopped_or_killed_and_started_again(server, load_on, fault):
    load = load_on(server.url)
    load.more()
    getattr(server, fault)()
    in_trouble(load, "is it running")
    load.more()
    server.start()
    load.more()
    assert_all_there(server, load)


def test_killed_again_and_again_in_the_middle_of_writes(server, load_on):
    load = load_on(server.url)
    for _ in range(3):
        load.more(1_000)
        server.kill()
        load.more(1_000)
        server.start()
    assert_all_there(server, load)


def test_frozen(server, load_on):
    load = load_on(server.url, timeout_s=0.5)
    load.more()
    server.pause()
    in_trouble(load, "did not answer within 0.5 s")
    load.more()
    server.resume()
    load.settings = StoreSettings(kind="influxdb", url=server.url)
    load.more()
    assert_all_there(server, load)


def test_its_disk_full(server, load_on):
    """A limit on the size of its files refuses its writes as a full disk does."""
    load = load_on(server.url)
    load.more()
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4_096, hard))
    in_trouble(load)
    load.more()
    if server.is_running:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))
    # What it had begun to write is torn: like after a full disk, it is started anew.
    server.kill()
    server.start()
    load.more()
    assert_all_there(server, load)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        pytest.param(401, {}, '{"error":"authorization failed"}', id="401"),
        pytest.param(429, {"Retry-After": "0"}, "too many requests", id="429"),
        pytest.param(500, {}, '{"error":"timeout"}', id="500"),
        pytest.param(503, {}, "unavailable", id="503"),
        pytest.param(404, {}, '{"error":"database not found: \\"wellbeing\\""}', id="404"),
    ],
)
def test_refusing(server, load_on, status, headers, body):
    with front_of(server.port) as front:
        load = load_on(front.url)
        load.more(1_000)
        front.refusal = (status, headers, body)
        in_trouble(load, f"answered {status}")
        load.more(1_000)
        front.refusal = None
        load.more(1_000)
        assert_all_there(server, load)
        load.close()
    assert front.refused > 0


def test_a_server_that_asks_for_patience_is_left_alone_as_long(server, load_on):
    with front_of(server.port) as front:
        load = load_on(front.url)
        load.more(1_000)
        front.refusal = (429, {"Retry-After": "2"}, "too many requests")
        in_trouble(load, "answered 429")
        refused_at = front.times[-1]
        front.refusal = None
        wait_until(lambda: front.times[-1] > refused_at, PATIENCE_S)
        assert next(at for at in front.times if at > refused_at) - refused_at > 1.9
        assert_all_there(server, load)
        load.close()


def test_lying(server, load_on):
    """Confirmed and then lost when it went down: what it confirmed lately is told again."""
    with front_of(server.port) as front:
        load = load_on(front.url)
        load.more(1_000)
        front.refusal = (204, {}, "")
        wait_until(lambda: front.refused > 3, PATIENCE_S)
        load.more(1_000)
        lost = load.writer.written_id
        unsettled = "SELECT count(*) FROM spool WHERE id <= ?"
        wait_until(lambda: load.log._db.execute(unsettled, (lost,)).fetchone() == (0,))
        server.kill()
        front.refusal = None
        in_trouble(load, "answered 502")
        server.start()
        load.more(1_000)
        assert_all_there(server, load)
        load.close()


def test_refused_in_words_nobody_knows(server, load_on, monkeypatch):
    """It refuses a few points for ever, and others in their batch with them: all else is written."""
    monkeypatch.setattr(spool_lanes, "HELD_FOR_S", 1.0)
    with front_of(server.port) as front:
        front.refusal, front.marked = (400, {}, "a dog ate it"), b"cursed="
        load = load_on(front.url, started=False)
        tags = {"site": "north", "agent": "k99"}
        cursed = [Point(Measurement.SCORE, tags, {"cursed": 1.0}, n) for n in range(3)]
        load.log.commit(Commit(points=[cursed[0], *map(load.point, range(-5, 0)), *cursed[1:]]))
        load.start()
        load.more(3_000)
        wait_until(lambda: load.writer.state.refused == 3, PATIENCE_S)
        load.end()
        counted = server.query('SELECT count("seq") FROM "wellbeing"."derived"."score"')
        assert counted[0]["values"][0][1] == load.committed + 5
        (kept,) = set_aside.listed(load.log._db, load.log._path)
        assert (kept.points, kept.measurements) == (3, {"score": 3})
        assert "a dog ate it" in kept.reason
        load.close()


def test_slow(server, load_on):
    """Slower than what is made: the spool grows, and is worked off afterwards."""
    with front_of(server.port) as front:
        load = load_on(front.url)
        front.bytes_per_s = 100_000.0
        load.more(4_000)
        wait_until(lambda: load.log.spool_size()[0] > PER_COMMIT, PATIENCE_S)
        front.bytes_per_s = 0.0
        assert_all_there(server, load)
        load.close()


def test_what_is_new_is_not_held_up_by_what_waited(server, load_on, monkeypatch):
    """After an outage the newest points are there while old ones still wait."""
    monkeypatch.setattr("analytics.writing.spool.OLDER_AT_ONCE", PER_COMMIT)
    monkeypatch.setattr(spool_lanes, "REPLAY_SHARE", 0.2)
    load = load_on(server.url)
    load.more(1_000)
    server.kill()
    in_trouble(load)
    load.more(10_000)
    waited = load.log._db.execute("SELECT max(id) FROM spool").fetchone()[0]
    server.start()

    def is_new_before_old():
        is_catching_up = load.writer.state.catching_up  # asked first: it ends with the old ones
        return load.writer.live_id > waited > load.writer.written_id and is_catching_up

    wait_until(is_new_before_old, PATIENCE_S, "new before old")
    assert_all_there(server, load)
    wait_until(lambda: not load.writer.state.catching_up, PATIENCE_S)
