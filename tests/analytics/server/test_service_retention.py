"""What the service forgets, and that it believes no clock that jumped (TRUST T18)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from analytics.clock import now_utc
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement
from analytics.watching.status_lines import as_lines
from sensors import codec, topics
from sensors.signals import Channel
from tests.analytics.server_rig import (
    SITE,
    StandInEdge,
    reading,
)
from tests.analytics.service_rig import Serve, status
from tests.rig import Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")


MEASURED = (Measurement.READING, Measurement.BEAT, Measurement.SCORE)


def kept(folder: Path) -> dict[str, int]:
    """Return how much there is of everything that is deleted by age."""
    found = status(folder)
    store = EmbeddedStore(folder / "store.sqlite", read_only=True)
    counts = {m.value: store.count(Query(measurement=m, site=SITE)) for m in MEASURED}
    store.close()
    return {"journal": found.journal_rows, "set_aside": found.set_aside_kept, **counts}


def doubted(folder: Path) -> str:
    return str(status(folder).service["store"]["doubt"])


@pytest.fixture
def filled(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StandInEdge]:
    """Leave three windows and something set aside, by a right clock; then everything is quick."""
    monkeypatch.setattr("analytics.server.service.MAINTAIN_EVERY_S", 0.2)
    monkeypatch.setattr("analytics.server.snapshots.EVERY_S", 0.2)
    monkeypatch.setattr("analytics.writing.spool.DOUBT_EVERY_S", 0.2)
    monkeypatch.setattr("analytics.writing.spool.EXPIRE_EVERY_S", 0.2)
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    with serve():
        edge.send(3)
        edge.wait_released()
        edge.publish_raw(topics.reading(SITE, "k1"), b"no json")
        wait_until(lambda: status(tmp_path).set_aside_kept == 1)
        wait_until(lambda: all(kept(tmp_path).values()), what="all of it in the store")
    yield edge
    edge.close()


def test_a_month_later_nothing_of_it_is_kept(
    tmp_path: Path, serve: Serve, filled: StandInEdge
) -> None:
    """Time travel (T18): input and what was set aside after a day, readings after a month."""

    def a_window(seq: int, after: timedelta) -> None:
        """Let somebody work then, too: without a witness no clock is believed."""
        window = reading(seq, window_end_at=now_utc() + after)
        filled.publish_raw(topics.reading(SITE, "k1"), codec.encode(window))

    day, month = timedelta(hours=25), timedelta(days=32)
    with serve(clock=lambda: now_utc() + day):
        wait_until(lambda: doubted(tmp_path), what="a clock that nobody confirms yet")
        assert kept(tmp_path)["set_aside"] == 1
        a_window(3, day)
        wait_until(lambda: kept(tmp_path)["set_aside"] == 0, what="a day later")
        wait_until(lambda: kept(tmp_path)["journal"] == 1, what="what came then alone")
        wait_until(lambda: kept(tmp_path)["reading"] == 4, what="it and those before in the store")
        wait_until(lambda: not doubted(tmp_path), what="the clock is believed")
    with serve(clock=lambda: now_utc() + month):
        a_window(4, month)
        wait_until(lambda: kept(tmp_path)["reading"] == 1, what="a month later")
        wait_until(lambda: kept(tmp_path)["beat"] == 2, what="a month later")
        what = "all that was made of them, which stays for 90 days"
        wait_until(lambda: kept(tmp_path)["score"] == 5, what=what)


def test_a_clock_that_jumped_ahead_deletes_nothing(
    tmp_path: Path, serve: Serve, filled: StandInEdge, caplog: pytest.LogCaptureFixture
) -> None:
    before = kept(tmp_path)
    with serve(clock=lambda: now_utc() + timedelta(days=400)):
        why = wait_until(lambda: doubted(tmp_path), what="the doubt")
        assert "nothing is deleted by age until they agree" in why
        filled.send(2)  # by the right clock of the agent's machine
        filled.wait_released()
        wait_until(lambda: kept(tmp_path)["reading"] == 5, what="what came meanwhile")
        assert "trust_clock = true" in caplog.text
        assert any("the server's clock says" in line for line in as_lines(status(tmp_path)))
    found = kept(tmp_path)
    assert all(found[name] >= before[name] for name in before), found
    with serve():
        filled.send(1)
        filled.wait_released()
        wait_until(lambda: not doubted(tmp_path), what="they agree")
        assert kept(tmp_path)["reading"] >= 5


def test_an_operator_may_say_that_the_clock_is_right(
    tmp_path: Path, serve: Serve, filled: StandInEdge
) -> None:
    """After a year in which nobody worked."""
    with serve(clock=lambda: now_utc() + timedelta(days=400), trust_clock=True):
        wait_until(lambda: kept(tmp_path)["reading"] == 0, what="the readings")
        wait_until(lambda: kept(tmp_path)["score"] == 0, what="the scores")
        wait_until(lambda: kept(tmp_path)["journal"] == 0, what="the journal")
