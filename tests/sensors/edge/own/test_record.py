import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors import codec, topics
from sensors.edge.own.keeper import OwnKeeper
from sensors.edge.own.means import added, minute_of, values_of
from sensors.edge.own.record import OwnRecord
from sensors.edge.sealing.cipher import Cipher, new_key
from sensors.messages import (
    Absence,
    Heart,
    Keyboard,
    MirrorMessage,
    Modules,
    NoticeKind,
    NoticeMessage,
    PersonState,
    ReadingMessage,
)
from sensors.signals import Channel
from tests.rig.waiting import wait_until_async
from tests.sensors.edge.scripted import SECRET
from tests.sensors.edge.standin import StandIn

CIPHER_KEY = bytes(range(32))
CIPHER = Cipher(CIPHER_KEY)
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET_BPM = 77.125


def window(after_s: float = 0.0, bpm: float = 60.0, run: str = "run00000") -> ReadingMessage:
    return ReadingMessage(
        source="pc",
        run=run,
        seq=max(0, round(after_s / 5)),
        window_end_at=NOW + timedelta(seconds=after_s),
        heart=Heart(quality=1.0, hr_bpm=bpm, rr_ms=(800.0,), beat_offset_ms=(-100.0,)),
    )


def notice(number: int, at: datetime = NOW) -> NoticeMessage:
    return NoticeMessage(id=f"notice{number:06d}", at=at, kind=NoticeKind.LOOKED, by="ana")


def mirror(after_s: float, index: float = 5.0) -> MirrorMessage:
    at = NOW + timedelta(seconds=after_s)
    return MirrorMessage(at=at, state=PersonState.AS_USUAL, strain_index=index)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own-pc.sqlite"


@pytest.fixture
def record(path):
    record = OwnRecord(path, CIPHER)
    yield record
    record.close()


def test_values_are_those_of_every_section_and_never_beats():
    message = ReadingMessage(
        source="pc",
        run="run00000",
        seq=0,
        window_end_at=NOW,
        heart=Heart(quality=0.5, hr_bpm=61.0, rr_ms=(800.0,), beat_offset_ms=(-1.0,)),
        keyboard=Keyboard(quality=1.0, key_presses=7, key_pauses=0, key_corrections=1),
        modules=Modules(quality=1.0, values={"eda_us": 4.5}),
        absent={Channel.VOICE: Absence.WITHHELD},
    )
    values = values_of(message)
    assert values["hr_bpm"] == 61.0
    assert values["key_presses"] == 7.0
    assert values["eda_us"] == 4.5
    assert "rr_ms" not in values
    assert "quality" not in values
    assert "dwell_ms" not in values  # unknown is not zero


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.integers(0, 20))
def test_sums_do_not_depend_on_where_they_are_cut(values, cut):
    def sums(part):
        total = {}
        for value in part:
            total = added(total, {"x": (value, 1)})
        return total

    whole, (total, count) = sums(values), added(sums(values[:cut]), sums(values[cut:]))["x"]
    assert count == whole["x"][1] == len(values)
    assert total == pytest.approx(whole["x"][0])


def test_a_window_belongs_to_the_minute_of_its_middle():
    assert minute_of(window(0.0)) == NOW.timestamp() - 60
    assert minute_of(window(3.0)) == NOW.timestamp()


def test_day_by_minute_month_by_hour_gaps_missing(record):
    for n in range(1, 12 * 90 + 2):  # 90 minutes and a window
        if 12 * 30 < n <= 12 * 40:
            continue  # ten minutes without the machine
        record.add_window(window(5.0 * n, bpm=60.0 + n % 12))
    now = NOW + timedelta(minutes=91)
    day = record.history("hr_bpm", "day", now)
    assert [at for at, _ in day] == [
        NOW + timedelta(minutes=m) for m in range(90) if not 30 <= m < 40
    ]
    assert {round(mean, 6) for _, mean in day} == {65.5}
    month = record.history("hr_bpm", "month", now)
    assert [at for at, _ in month] == [NOW, NOW + timedelta(hours=1)]
    assert month[0][1] == pytest.approx(65.5)
    assert record.history("eda_us", "day", now) == []


def test_a_restart_goes_on_in_the_same_minute_and_hour(path):
    for bpm in (60.0, 70.0):
        record = OwnRecord(path, CIPHER)
        record.add_window(window(5.0, bpm=bpm))
        record.close()
    record = OwnRecord(path, CIPHER)
    assert record.history("hr_bpm", "day", NOW + timedelta(minutes=1)) == [(NOW, 65.0)]
    assert record.history("hr_bpm", "month", NOW + timedelta(minutes=1)) == [(NOW, 65.0)]
    assert record.last_window() == window(5.0, bpm=70.0)
    record.close()


def test_a_window_alone_touches_no_disk(record):
    record.add_window(window(3.0))
    before = record._file.db.total_changes
    for n in range(1, 12):
        record.add_window(window(3.0 + 5 * n))
    assert record._file.db.total_changes == before
    record.add_window(window(63.0))
    assert record._file.db.total_changes > before


def test_notices_newest_first_each_once(record):
    for n in (1, 2, 2, 3):
        record.add_notice(notice(n, NOW + timedelta(minutes=n)))
    assert [each.id for each in record.notices()] == [
        "notice000003",
        "notice000002",
        "notice000001",
    ]
    assert record.notices(limit=1) == [notice(3, NOW + timedelta(minutes=3))]


def test_only_the_newest_mirror(path):
    record = OwnRecord(path, CIPHER)
    assert record.mirror() is None
    record.add_mirror(mirror(60, 7.0))
    record.add_mirror(mirror(0, 1.0))  # came late
    record.close()
    record = OwnRecord(path, CIPHER)
    assert record.mirror() == mirror(60, 7.0)
    record.close()


def test_nothing_can_be_read_in_the_files(path):
    record = OwnRecord(path, CIPHER)
    record.add_window(window(0.0, SECRET_BPM))
    record.add_window(window(120.0, SECRET_BPM))
    record.add_notice(notice(1))
    record.add_mirror(mirror(0, SECRET_BPM))
    content = b"".join(part.read_bytes() for part in path.parent.iterdir())
    record.close()
    content += b"".join(part.read_bytes() for part in path.parent.iterdir())
    for secret in (b"77.125", b"hr_bpm", b"as_usual", b"ana", b"looked"):
        assert secret not in content


def test_what_is_older_than_its_span_goes_also_when_nothing_new_comes(record):
    record.add_window(window(0.0))
    record.add_window(window(60.0))
    record.add_notice(notice(1))
    record.prune(NOW + timedelta(days=2))
    assert record._rows("SELECT count(*) FROM minute") == [(0,)]
    assert record._rows("SELECT count(*) FROM hour") == [(1,)]
    record.prune(NOW + timedelta(days=32))
    assert record._rows("SELECT count(*) FROM hour") == [(0,)]
    assert record.notices() == []


def test_its_size_is_bounded_and_what_a_wrong_clock_dated_goes_first(record):
    ahead = NOW + timedelta(days=400)
    rows = [(int((ahead + timedelta(minutes=n)).timestamp()), b"") for n in range(2000)]
    record._file.db.executemany("INSERT INTO minute VALUES (?, ?)", rows)
    record.add_window(window(0.0))
    record.add_window(window(60.0))
    assert record._rows("SELECT count(*) FROM minute") == [(1500,)]
    assert record._rows("SELECT min(at) FROM minute") == [(minute_of(window(0.0)),)]


def test_forget_leaves_nothing(path):
    record = OwnRecord(path, CIPHER)
    record.add_window(window(0.0))
    record.add_window(window(60.0))
    record.add_notice(notice(1))
    record.add_mirror(mirror(0))
    sealed = record._rows("SELECT sealed FROM hour")[0][0]
    record.forget()
    assert record.last_window() is None
    assert record.mirror() is None
    assert record.notices() == []
    assert record.history("hr_bpm", "day", NOW) == []
    assert sealed not in b"".join(part.read_bytes() for part in path.parent.iterdir())
    record.close()
    record = OwnRecord(path, CIPHER)
    assert record.last_window() is None
    record.close()


def test_another_key_shows_nothing_says_so_once_and_goes_on(path):
    record = OwnRecord(path, CIPHER)
    record.add_window(window(0.0))
    record.add_notice(notice(1))
    record.close()
    record = OwnRecord(path, Cipher(new_key()))
    assert record.last_window() is None
    assert record.notices() == []
    assert len(record.take_notes()) == 1
    record.add_window(window(0.0, 80.0))
    record.close()
    record = OwnRecord(path, Cipher(new_key(), [CIPHER_KEY]))
    assert record.notices() == [notice(1)]  # the key is back
    record.close()


def test_a_row_put_in_another_ones_place_is_not_shown(path):
    record = OwnRecord(path, CIPHER)
    record.add_window(window(0.0, 60.0))
    record.add_window(window(60.0, 120.0))
    record.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE minute SET sealed = (SELECT sealed FROM minute ORDER BY at DESC LIMIT 1)")
    db.commit()
    db.close()
    record = OwnRecord(path, CIPHER)
    assert [mean for _, mean in record.history("hr_bpm", "day", NOW + timedelta(1))] == [120.0]
    record.close()


def test_a_damaged_file_is_moved_aside(path: Path):
    path.write_bytes(b"not a database, only words" * 400)
    record = OwnRecord(path, CIPHER)
    assert "moved to" in record.take_notes()[0]
    record.add_notice(notice(1))
    assert len(record.notices()) == 1
    assert list(path.parent.glob("*.damaged-*"))
    record.forget()
    assert not list(path.parent.glob("*.damaged-*"))  # it may hold what is to be forgotten
    record.close()


async def test_a_full_disk_is_said_once_and_passes(path):
    record = OwnRecord(path, CIPHER)
    lines: list[str] = []
    keeper = OwnKeeper(record)
    keeper._tell = lines.append
    pages = record._file.db.execute("PRAGMA page_count").fetchone()[0]
    record._file.db.execute(f"PRAGMA max_page_count = {pages}")
    for n in range(200):
        keeper.take_told(notice(n))
    await keeper._disk.within(60.0, lambda: None)
    assert len(lines) == 1
    assert "free space" in lines[0]
    record._file.db.execute("PRAGMA max_page_count = 100000")
    keeper.take_told(notice(999))
    await keeper._disk.within(60.0, lambda: None)
    assert notice(999) in record.notices()
    record.close()


def test_it_can_be_read_from_another_thread_and_after_the_end(record):
    found: list[object] = []
    record.add_notice(notice(1))
    thread = threading.Thread(target=lambda: found.append(record.notices()))
    thread.start()
    thread.join()
    assert found == [[notice(1)]]
    record.close()
    assert record.notices() == []


def test_a_window_does_not_wait_for_a_page_that_reads_a_month(record, monkeypatch):
    record.add_window(window(0.0))
    record.add_window(window(60.0))
    opens, reads, may_go_on = CIPHER.open, threading.Event(), threading.Event()

    def slowly(sealed: bytes, about: bytes) -> bytes:
        if threading.current_thread() is page:
            reads.set()
            may_go_on.wait(60)
        return opens(sealed, about)

    monkeypatch.setattr(CIPHER, "open", slowly)
    found: list[object] = []
    page = threading.Thread(
        target=lambda: found.append(record.history("hr_bpm", "day", NOW + timedelta(minutes=5)))
    )
    page.start()
    assert reads.wait(60)
    edge = threading.Thread(target=record.add_window, args=(window(120.0, 90.0),))
    edge.start()
    edge.join(50)  # less than the page waits
    waits = edge.is_alive()
    may_go_on.set()
    for thread in (page, edge):
        thread.join()
    assert not waits
    assert len(found[0]) == 1  # as it was when it began to read
    assert (
        len(record.history("hr_bpm", "day", NOW + timedelta(minutes=5))) == 2
    )  # and nothing old is kept


@pytest.mark.needs("mosquitto")
async def test_an_edge_feeds_it_and_writes_what_is_in_memory_when_it_ends(
    mosquitto, run_edge, path
):
    record = OwnRecord(path, CIPHER)
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, [Channel.HEART], companions=[OwnKeeper(record)]):
            await wait_until_async(lambda: len(server.windows) >= 3)
            where = topics.notice("main", "k7")
            told = notice(1, datetime.now(UTC))
            server.connection.publish(where, codec.encode(told), qos=1)
            await wait_until_async(lambda: record.notices() == [told])
            await wait_until_async(lambda: record.last_window().heart is not None)
            heard = record.last_window()
    assert record.notices() == []  # closed with the edge
    record = OwnRecord(path, CIPHER)
    last = record.last_window()
    # In one that ended since, a machine too busy to read may have measured nothing.
    assert last.heart.hr_bpm == SECRET if last.heart else last.seq > heard.seq
    assert record.notices() == [told]
    now = last.window_end_at + timedelta(minutes=1)
    assert [mean for _, mean in record.history("hr_bpm", "day", now)][-1] == pytest.approx(SECRET)
    record.close()
