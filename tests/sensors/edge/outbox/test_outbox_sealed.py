"""What the outbox does with keys: sealed rows, another key, changed rows, an open older file."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from sensors import codec
from sensors.edge.outbox.outbox import Key, Outbox
from sensors.edge.sealing.cipher import Cipher, new_key
from sensors.errors import StateError
from tests.sensors.edge.outbox.test_outbox import CIPHER, NOW, filled, window

KEY = bytes(range(32))
OPEN_TEXT = (b"hr_bpm", b"window_end_at", b'"heart"')


def content(folder: Path) -> bytes:
    return b"".join(part.read_bytes() for part in folder.iterdir())


def version_1(path: Path, count: int, journal: str = "WAL") -> None:
    """Write a file as the first version did, windows lying open."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA journal_mode={journal}")
    db.executescript("""
        CREATE TABLE window (
            id INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL,
            kept_at REAL NOT NULL, payload BLOB NOT NULL, UNIQUE (run, seq)
        );
        CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
        INSERT INTO counter VALUES ('dropped', 4);
        PRAGMA user_version = 1;
    """)
    for seq in range(count):
        row = ("run00000", seq, NOW.timestamp(), codec.encode(window(seq=seq)))
        db.execute("INSERT INTO window (run, seq, kept_at, payload) VALUES (?, ?, ?, ?)", row)
    db.close()


def test_nothing_in_the_files_lies_open(tmp_path):
    outbox = filled(tmp_path / "o.sqlite", 20)
    outbox.release("run00000", 3)
    for text in OPEN_TEXT:
        assert text not in content(tmp_path)
    outbox.close()
    for text in OPEN_TEXT:
        assert text not in content(tmp_path)


def test_an_older_open_file_is_sealed_and_leaves_no_trace(tmp_path):
    path = tmp_path / "o.sqlite"
    version_1(path, 300)
    assert b"hr_bpm" in content(tmp_path)
    outbox = Outbox(path, CIPHER)
    assert outbox.keys() == [Key("run00000", seq) for seq in range(300)]
    assert outbox.load(Key("run00000", 7)) == window(seq=7)
    assert outbox.dropped == 4
    for text in OPEN_TEXT:
        assert text not in content(tmp_path)
    outbox.close()
    Outbox(path, CIPHER).close()  # once is enough


def test_windows_of_another_key_wait_and_are_sent_when_it_is_back(tmp_path):
    path = tmp_path / "o.sqlite"
    filled(path, 5).close()
    other = Outbox(path, Cipher(new_key()))
    (note,) = other.take_notes()
    assert note.startswith("5 windows here are sealed with a key that is not here")
    assert (other.keys(), other.held, other.locked, other.dropped) == ([], 5, 5, 0)
    other.put([window("run00001", 0)], NOW)
    assert other.keys() == [Key("run00001", 0)]
    other.close()
    back = Outbox(path, Cipher(new_key(), [KEY]))
    assert back.keys() == [Key("run00000", seq) for seq in range(5)]
    assert back.load(Key("run00000", 3)) == window(seq=3)
    assert back.locked == 1  # what the key in between sealed
    back.close()


def test_windows_whose_key_never_comes_back_are_dropped_and_counted(tmp_path):
    path = tmp_path / "o.sqlite"
    filled(path, 5).close()
    other = Outbox(path, Cipher(new_key()))
    gone = other.put([window("run00001", 0)], NOW + timedelta(hours=72, seconds=1))
    assert len(gone) == 5
    assert (other.held, other.locked, other.dropped) == (1, 0, 5)
    other.close()


def test_what_the_server_has_goes_also_without_its_key(tmp_path):
    path = tmp_path / "o.sqlite"
    filled(path, 5).close()
    other = Outbox(path, Cipher(new_key()))
    assert len(other.release("run00000", 2)) == 3
    assert (other.held, other.locked, other.dropped) == (2, 2, 0)
    other.close()


@pytest.mark.parametrize("change", ["bytes", "swapped", "cut"])
def test_a_changed_row_is_dropped_counted_and_said_once(tmp_path, change):
    path = tmp_path / "o.sqlite"
    filled(path, 6).close()
    db = sqlite3.connect(path)
    sealed = [row[0] for row in db.execute("SELECT payload FROM window ORDER BY id")]
    changed = {
        "bytes": (sealed[2][:-1] + b"\x00\x01", sealed[3][:40] + b"x" + sealed[3][41:]),
        "swapped": (sealed[3], sealed[2]),
        "cut": (sealed[2][:20], sealed[3][:-3]),
    }[change]
    for seq, payload in zip((2, 3), changed, strict=True):
        db.execute("UPDATE window SET payload = ? WHERE seq = ?", (payload, seq))
    db.commit()
    db.close()
    outbox = Outbox(path, CIPHER)
    loaded = [outbox.load(key) for key in outbox.keys()]  # noqa: SIM118 - not a mapping
    assert [message.seq for message in loaded if message] == [0, 1, 4, 5]
    assert (outbox.held, outbox.dropped) == (4, 2)
    (note,) = outbox.take_notes()
    assert "does not open" in note
    assert "counted" in note
    outbox.close()
    outbox = Outbox(path, CIPHER)
    assert (outbox.held, outbox.dropped) == (4, 2)
    outbox.close()


def test_what_was_lost_is_counted_across_restarts(tmp_path):
    """Dropped for space, lost with a damaged file, refused by a full disk: one sum, kept."""
    path = tmp_path / "o.sqlite"
    outbox = filled(path, 8, max_windows=5)
    assert outbox.dropped == 3
    outbox._file.db.execute("PRAGMA query_only = ON")
    with pytest.raises(StateError):
        outbox.put([window(seq=8)], NOW)
    assert outbox.dropped == 4
    outbox._file.db.execute("PRAGMA query_only = OFF")
    outbox.put([window(seq=9)], NOW)  # one more for space
    assert outbox.dropped == 5
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    def damaged():
        raise error

    path.write_bytes(b"nothing of it can be read")
    path.with_name("o.sqlite-wal").write_bytes(b"")
    outbox._file.guard(damaged, None)
    assert outbox.dropped == 10
    outbox.put([window(seq=10)], NOW)
    outbox.close()
    outbox = Outbox(path, CIPHER)
    assert (outbox.held, outbox.dropped) == (1, 10)
    outbox.close()


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_a_clock_set_by_hours_loses_nothing(tmp_path, hours):
    outbox = filled(tmp_path / "o.sqlite", 5)
    assert outbox.put([window("run00001", 0)], NOW + timedelta(hours=hours)) == []
    assert outbox.put([window("run00002", 0)], NOW) == []
    assert outbox.held == 7
    outbox.close()


def test_a_clock_that_was_ahead_keeps_nothing_longer_than_promised(tmp_path):
    outbox = Outbox(tmp_path / "o.sqlite", CIPHER)
    outbox.put([window(seq=0)], NOW + timedelta(days=900))
    outbox.put([window(seq=1)], NOW)
    gone = outbox.put([window(seq=2)], NOW + timedelta(hours=72, seconds=1))
    assert [key.seq for key in gone] == [0, 1]
    outbox.close()
