import os
import signal
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sensors.edge.outbox.outbox import Key, Outbox
from sensors.edge.sealing.cipher import Cipher
from sensors.errors import StateError
from sensors.messages import Heart, ReadingMessage

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CIPHER = Cipher(bytes(range(32)))


def window(run: str = "run00000", seq: int = 0) -> ReadingMessage:
    return ReadingMessage(
        source="pc",
        run=run,
        seq=seq,
        window_end_at=NOW + timedelta(seconds=5 * seq),
        heart=Heart(quality=1.0, hr_bpm=60.0 + seq % 50),
    )


def filled(path: Path, count: int, **bounds) -> Outbox:
    outbox = Outbox(path, CIPHER, **bounds)
    outbox.put([window(seq=seq) for seq in range(count)], NOW)
    return outbox


class OutboxMachine(RuleBasedStateMachine):
    """Against a plain list: order, bounds, release by run, several runs, restarts."""

    BOUND = 7

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.model: list[Key] = []
        self.dropped = 0
        self.run = 0
        self.seq = 0
        self.outbox = self.opened()

    def opened(self) -> Outbox:
        return Outbox(Path(self.folder.name) / "outbox.sqlite", CIPHER, max_windows=self.BOUND)

    @rule(count=st.integers(1, 4))
    def put(self, count: int) -> None:
        run = f"run{self.run:05d}"
        batch = [window(run, self.seq + n) for n in range(count)]
        self.seq += count
        self.model += [Key(m.run, m.seq) for m in batch]
        excess = max(0, len(self.model) - self.BOUND)
        assert self.outbox.put(batch, NOW) == self.model[:excess]
        self.model = self.model[excess:]
        self.dropped += excess

    @rule(run=st.integers(0, 3), seq=st.integers(-1, 20))
    def release(self, run: int, seq: int) -> None:
        name = f"run{run:05d}"
        gone = {key for key in self.model if key.run == name and key.seq <= seq}
        assert set(self.outbox.release(name, seq)) == gone
        self.model = [key for key in self.model if key not in gone]

    @rule()
    def restart(self) -> None:
        self.outbox.close()
        self.outbox = self.opened()
        self.run, self.seq = self.run + 1, 0

    @invariant()
    def holds_what_it_should(self) -> None:
        assert self.outbox.keys() == self.model
        assert self.outbox.held == len(self.model)
        assert self.outbox.dropped == self.dropped
        for key in self.model:
            message = self.outbox.load(key)
            assert message is not None
            assert (message.run, message.seq) == key
            assert message.oldest_seq == min(k.seq for k in self.model if k.run == key.run)

    def teardown(self) -> None:
        self.outbox.close()
        self.folder.cleanup()


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_what_is_too_old_goes_and_is_counted(tmp_path):
    outbox = filled(tmp_path / "o.sqlite", 3)
    gone = outbox.put([window(seq=3)], NOW + timedelta(hours=72, seconds=1))
    assert [key.seq for key in gone] == [0, 1, 2]
    assert (outbox.held, outbox.dropped) == (1, 3)
    outbox.close()


def test_a_window_is_on_disk_when_put_returns(tmp_path):
    """Killed right after `put`, in another process: everything is there."""
    script = (
        "import os, sys; from pathlib import Path\n"
        "from tests.sensors.edge.outbox.test_outbox import filled\n"
        "filled(Path(sys.argv[1]), 50); os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "o.sqlite"
    root = Path(__file__).parents[4]
    ended = subprocess.run([sys.executable, "-c", script, str(path)], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    outbox = Outbox(path, CIPHER)
    assert [key.seq for key in outbox.keys()] == list(range(50))  # noqa: SIM118 - not a mapping
    outbox.close()


def test_synchronous_full_and_write_ahead_log(tmp_path):
    outbox = Outbox(tmp_path / "o.sqlite", CIPHER)
    assert outbox._file.db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert outbox._file.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    outbox.close()


def test_only_one_edge_at_a_time(tmp_path):
    outbox = Outbox(tmp_path / "o.sqlite", CIPHER)
    with pytest.raises(StateError, match="another edge runs"):
        Outbox(tmp_path / "o.sqlite", CIPHER)
    outbox.close()
    Outbox(tmp_path / "o.sqlite", CIPHER).close()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_only_its_owner_can_read_it(tmp_path):
    outbox = filled(tmp_path / "deep" / "o.sqlite", 1)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "deep").iterdir()}
    outbox.close()
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", ["not a database, only words" * 400, "header", "page"])
def test_a_damaged_file_is_moved_aside_and_said(tmp_path, damage):
    path = tmp_path / "o.sqlite"
    filled(path, 300).close()
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[100:200] = bytes(100)
    elif damage == "page":
        data[8192 : 8192 + 4096] = b"\xff" * 4096
    else:
        data = bytearray(damage.encode())
    path.write_bytes(data)
    outbox = Outbox(path, CIPHER)
    (note,) = outbox.take_notes()
    assert "damaged" in note
    assert "moved to" in note
    assert outbox.take_notes() == []
    assert (tmp_path / "o.sqlite.damaged-1").read_bytes() == data
    if damage in {"header", "page"}:  # neither holds a window
        assert outbox.keys() == [Key("run00000", seq) for seq in range(300)]
        assert outbox.dropped == 0
    else:
        assert outbox.keys() == []
        assert "not known" in note
    outbox.put([window("run00001", 1)], NOW)
    assert outbox.keys()[-1] == Key("run00001", 1)
    outbox.close()


def test_a_file_damaged_while_open_is_replaced_and_the_window_kept(tmp_path, monkeypatch):
    outbox = filled(tmp_path / "o.sqlite", 5)
    real = outbox._insert
    calls = []

    def fails_once(rows, now):
        calls.append(1)
        if len(calls) == 1:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        return real(rows, now)

    monkeypatch.setattr(outbox, "_insert", fails_once)
    assert outbox.put([window(seq=5)], NOW) == []
    assert outbox.keys() == [Key("run00000", seq) for seq in range(6)]
    assert outbox.generation == 1
    assert outbox.dropped == 0
    assert "5 windows that could be read, 0 lost" in outbox.take_notes()[0]
    outbox.close()


def test_a_full_disk_is_an_error_that_loses_nothing_and_passes(tmp_path):
    outbox = filled(tmp_path / "o.sqlite", 5)
    pages = outbox._file.db.execute("PRAGMA page_count").fetchone()[0]
    outbox._file.db.execute(f"PRAGMA max_page_count = {pages}")
    kept = 5
    with pytest.raises(StateError, match=r"full.*free space"):  # noqa: PT012 - until it is full
        for seq in range(5, 500):
            outbox.put([window(seq=seq)], NOW)
            kept += 1
    assert [key.seq for key in outbox.keys()] == list(range(kept))  # noqa: SIM118 - not a mapping
    assert outbox.held == kept
    outbox._file.db.execute("PRAGMA max_page_count = 100000")
    outbox.put([window(seq=kept)], NOW)
    assert outbox.held == kept + 1
    outbox.close()


def test_a_newer_file_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "o.sqlite"
    filled(path, 1).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StateError, match=r"version 99.*upgrade"):
        Outbox(path, CIPHER)
    assert not list(tmp_path.glob("*damaged*"))


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="state_dir"):
        Outbox(tmp_path / "file" / "o.sqlite", CIPHER)
