"""TRUST T11: an agent is erased, everything old is played again, and every query finds nothing."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import wellbeing
from analytics.research.ledger import ExportRecord, Ledger
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point, epoch_ns
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.messages import (
    NoticeKind,
    NoticeMessage,
    RequestKind,
    RequestMessage,
)
from sensors.mqtt import Connection
from sensors.signals import Channel
from tests.analytics.rights_rig import (
    GONE,
    STAYS,
    assert_exported,
    assert_no_bytes_left,
    assert_nothing_left,
    play_everything_old,
    points_of,
    retained,
    rows_of,
    running,
)
from tests.analytics.server_rig import SITE, reading
from tests.rig import Mosquitto, wait_until
from tests.rig.influx import Breakable, environment

pytestmark = pytest.mark.needs("mosquitto")


def test_erased_while_the_server_runs_and_everything_old_is_refused(
    tmp_path: Path, mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, mosquitto.port) as floor:
        floor.fill()
        edge, state = floor.edges[GONE], floor.server.state
        store = EmbeddedStore(floor.server.store, read_only=True)
        wait_until(lambda: points_of(store, GONE) > 20, 60, "points of both in the store")
        wait_until(lambda: points_of(store, STAYS) > 20, 60, "points of both in the store")
        old = {t: body for t, body in retained(floor.port).items() if f"/agent/{GONE}/" in t}
        assert len(old) == 2
        assert set(rows_of(state, GONE)) >= {"journal", "consent", "set_aside"}

        assert_exported(floor, store)
        capsys.readouterr()
        assert floor.agent("erase", GONE, "--dry-run") == 0
        assert "nothing was changed" in capsys.readouterr().out
        assert points_of(store, GONE) > 20

        assert floor.agent("erase", GONE, "--yes", "--json") == 0
        receipt = json.loads(capsys.readouterr().out)
        assert receipt["complete"]
        counts = {place["name"]: place["count"] for place in receipt["places"]}
        assert counts["store"] > 20
        assert counts["journal"] >= 8
        assert counts["set_aside"] == 1
        assert counts["pipeline state"] >= 3  # the row, the request's alert, the link
        assert_nothing_left(floor, store)
        assert_no_bytes_left(floor, edge.run)

        play_everything_old(floor, old)
        assert_nothing_left(floor, store)

        # After a new consent the agent goes on, with what is measured from then on.
        edge.consent(Channel.HEART, Channel.KEYBOARD)
        wait_until(lambda: "consent" in rows_of(state, GONE), 60, "the new consent")
        later = datetime.now(UTC) + timedelta(seconds=6)
        for seq in range(3):
            end = later + timedelta(seconds=5 * seq)
            window = reading(seq, run="runafresh", window_end_at=end)
            edge.publish_raw(topics.reading(SITE, GONE), codec.encode(window))
        readings = Query(measurement=Measurement.READING, site=SITE, agents=(GONE,))
        wait_until(lambda: store.count(readings) == 3, 60, "what came after the new consent")

        # A restart erases again what a restored store holds, and leaves what is new.
        floor.server.kill()
        an_hour_ago = epoch_ns(datetime.now(UTC) - timedelta(hours=1))
        writer = EmbeddedStore(floor.server.store)
        writer.write(
            [Point(Measurement.READING, {"site": SITE, "agent": GONE}, {"a": 1.0}, an_hour_ago)]
        )
        writer.close()
        assert store.count(readings) == 4
        floor.server.start()
        wait_until(lambda: store.count(readings) == 3, 60, "the old point is gone again")
        assert points_of(store, STAYS) > 20
        assert GONE not in floor.server.text, "a line of the log is about a person"
        store.close()


def test_erased_from_a_database_once_it_answers(
    tmp_path: Path,
    mosquitto: Mosquitto,
    breakable_influx: Breakable,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = InfluxStore(breakable_influx.settings)
    for name, value in environment(breakable_influx.settings).items():
        monkeypatch.setenv(name, value)
    more = ("--store", "influxdb", "--store-url", breakable_influx.settings.url)
    with running(tmp_path, mosquitto.port, *more) as floor:
        floor.fill()
        for name in (GONE, STAYS):
            wait_until(lambda who=name: points_of(store, who) > 20, 60, "points in the database")
        kept = points_of(store, STAYS)
        if store.is_version("3"):
            assert floor.agent("erase", GONE, "--yes", "--wait", "30") == 6
            said = capsys.readouterr().out
            assert "NOT COMPLETE" in said
            assert "version 3, which deletes no points" in said
            store.close()
            return
        breakable_influx.break_off()
        # A busy server may need longer than that to hear of it: then nothing was erased, and 7.
        wait_until(lambda: floor.agent("erase", GONE, "--yes", "--wait", "3") == 6)
        said = capsys.readouterr().out
        assert "NOT COMPLETE" in said
        assert "waiting" in said
        breakable_influx.come_back()
        state = ("--state-dir", str(floor.server.state), "--site", SITE)
        wait_until(
            lambda: wellbeing.main(["agent", "receipt", GONE, *state]) == 0, 120, "all is erased"
        )
        assert_nothing_left(floor, store)
        assert points_of(store, STAYS) >= kept
    store.close()


def test_erased_while_no_server_runs(
    tmp_path: Path,
    mosquitto: Mosquitto,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(tmp_path, mosquitto.port) as floor:
        floor.fill()
        store = EmbeddedStore(floor.server.store, read_only=True)
        wait_until(lambda: points_of(store, GONE) > 20, 60, "points in the store")
        old = {t: body for t, body in retained(floor.port).items() if f"/agent/{GONE}/" in t}
        assert floor.server.stop() == 0
        before = tmp_path / "state-before"
        shutil.copytree(floor.server.state, before)
        ledger = tmp_path / "exports.jsonl"
        monkeypatch.setenv("WELLBEING_RESEARCH_LEDGER", str(ledger))
        at = datetime.now(UTC)
        Ledger(ledger).append(
            ExportRecord(
                at=at, study="lunch", site=SITE, file="lunch.parquet", sha256="0" * 64, rows=1,
                signals=("hr_bpm",), start_at=at, end_at=at, by="rita", agents=(GONE,),
            )
        )  # fmt: skip
        assert floor.agent("erase", GONE, "--yes") == 0
        said = capsys.readouterr().out
        assert "complete: whatever was measured before" in said
        assert "lunch.parquet (study lunch, " in said
        assert_nothing_left(floor, store)
        assert_no_bytes_left(floor, floor.edges[GONE].run)
        floor.server.start()
        play_everything_old(floor, old)
        assert_nothing_left(floor, store)
        state = ("--state-dir", str(floor.server.state), "--site", SITE)
        assert wellbeing.main(["agent", "receipt", GONE, *state]) == 0

        # The whole folder put back as it was, with journal, spool, snapshot and consent.
        assert floor.server.stop() == 0
        shutil.rmtree(floor.server.state)
        shutil.copytree(before, floor.server.state)
        assert rows_of(floor.server.state, GONE)
        floor.server.start()
        wait_until(lambda: "erasing again" in floor.server.text, 60, "it is found")
        wait_until(lambda: rows_of(floor.server.state, GONE) == {}, 60, "it is gone")
        assert_nothing_left(floor, store)
        store.close()


@pytest.mark.parametrize("at_once", [True, False])
def test_an_agents_own_request(
    tmp_path: Path, mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str], *, at_once: bool
) -> None:
    with running(tmp_path, mosquitto.port) as floor:
        if at_once:
            floor.server._env |= {
                "WELLBEING_SERVER_ERASE_ON_REQUEST": "true",
                "WELLBEING_BROKER_USERNAME": "server",
                "WELLBEING_BROKER_PASSWORD": "word",
            }
            floor.server.kill()
            floor.server.log.unlink()
            floor.server.start()
        floor.fill()
        store = EmbeddedStore(floor.server.store, read_only=True)
        wait_until(lambda: points_of(store, GONE) > 20, 60, "points in the store")
        notices: list[NoticeKind] = []
        ear = Connection(
            BrokerSettings(port=floor.port),
            client_id="ear",
            subscriptions=(topics.notice(SITE, GONE),),
            on_message=lambda m: notices.append(codec.decode(m.payload, NoticeMessage).kind),
        )
        ear.start()
        ear.wait_connected(60)
        asked = RequestMessage(id="eraseme01", at=datetime.now(UTC), kind=RequestKind.ERASE)
        for _ in range(2):  # told twice, done once
            floor.edges[GONE].publish_raw(topics.request(SITE, GONE), codec.encode(asked))
        told = NoticeKind.ERASED if at_once else NoticeKind.RIGHTS_NOTED
        wait_until(lambda: told in notices, 60, f"told {told}")
        state = ("--state-dir", str(floor.server.state), "--site", SITE)
        assert wellbeing.main(["agent", "requests", *state]) == 0
        listed = capsys.readouterr().out
        if at_once:
            assert f"{GONE} erase by agent: done" in listed
            assert_nothing_left(floor, store)
        else:
            assert f"{GONE} erase by agent: asked" in listed
            assert points_of(store, GONE) > 20
            assert floor.agent("erase", GONE, "--yes") == 0
            wait_until(lambda: NoticeKind.ERASED in notices, 60, "told that it is done")
        assert notices.count(told) == 1
        ear.stop()
        store.close()
