"""The power is cut at every write, the disk full at every write: what was promised is there."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sensors.edge.outbox.outbox import Key, Outbox
from sensors.errors import StateError
from tests.sensors.edge.outbox.test_outbox import CIPHER, NOW, window
from tests.sensors.edge.outbox.test_outbox_sealed import version_1
from tests.sensors.edge.power import Disk, Op, after_cut

State = tuple[list[Key], int]
"""What is held, and how many were dropped."""


def working_day(path: Path, disk: Disk) -> None:
    """Keep, release, drop for space, and write the log back into the file several times."""
    outbox = Outbox(path, CIPHER, max_windows=12)
    outbox._file.db.execute("PRAGMA wal_autocheckpoint = 8")  # several in this short day
    disk.promise((outbox.keys(), outbox.dropped))
    for seq in range(24):
        outbox.put([window(seq=seq)], NOW)
        disk.promise((outbox.keys(), outbox.dropped))
        if seq % 7 == 6:
            outbox.release("run00000", seq - 3)
            disk.promise((outbox.keys(), outbox.dropped))
    del outbox  # the cut: nobody closes anything


def allowed(ops: list[Op], cut: int) -> list[State]:
    """Return what may be found after a cut: the last promise, or the change under way."""
    before = [op.promise for op in ops[:cut] if op.kind == "promise"]
    after = [op.promise for op in ops[cut:] if op.kind == "promise"]
    return [before[-1] if before else ([], 0), *after[:1]]


def found_after(files: dict[str, bytes], folder: Path) -> tuple[State, list[str]]:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    outbox = Outbox(folder / "o.sqlite", CIPHER, max_windows=12)
    keys = outbox.keys()
    for key in keys:
        assert outbox.load(key) == replace(window(seq=key.seq), oldest_seq=keys[0].seq)
    found = (keys, outbox.dropped), outbox.take_notes()
    outbox.close()
    return found


def test_a_power_cut_at_every_write_loses_nothing_promised(tmp_path):
    (tmp_path / "real").mkdir()
    with Disk().installed() as disk:
        working_day(tmp_path / "real" / "o.sqlite", disk)
    kinds = {op.kind for op in disk.ops}
    assert kinds >= {"write", "sync", "promise"}
    assert {op.name for op in disk.ops if op.kind == "write"} >= {"o.sqlite", "o.sqlite-wal"}
    luck = random.Random(7)
    for cut in range(len(disk.ops) + 1):
        chance = (luck, None)[cut % 3 == 0]
        found, notes = found_after(after_cut(disk.ops[:cut], chance), tmp_path / f"cut{cut}")
        assert notes == [], f"cut after {cut} of {len(disk.ops)} operations"
        assert found in allowed(disk.ops, cut), f"cut after {cut} of {len(disk.ops)} operations"


def test_a_power_cut_while_an_older_file_is_sealed(tmp_path):
    """Either still open and whole, or sealed and whole; the next start goes on."""
    (tmp_path / "real").mkdir()
    path = tmp_path / "real" / "o.sqlite"
    version_1(path, 12)
    before = path.read_bytes()
    with Disk().installed() as disk:
        Outbox(path, CIPHER).close()
    luck = random.Random(11)
    for cut in range(len(disk.ops) + 1):
        wrote = [*_as_ops(before), *disk.ops[:cut]]
        found, notes = found_after(after_cut(wrote, luck), tmp_path / f"cut{cut}")
        assert notes == []
        assert found == ([Key("run00000", seq) for seq in range(12)], 4)


def _as_ops(content: bytes) -> list[Op]:
    return [Op("write", "o.sqlite", 0, content), Op("sync", "o.sqlite")]


def test_a_log_cut_at_every_byte_of_its_last_window_is_a_whole_prefix(tmp_path):
    (tmp_path / "real").mkdir()
    path = tmp_path / "real" / "o.sqlite"
    outbox = Outbox(path, CIPHER)
    wal = path.with_name("o.sqlite-wal")
    outbox.put([window(seq=0)], NOW)
    whole = wal.stat().st_size
    outbox.put([window(seq=1)], NOW)
    log, main = wal.read_bytes(), path.read_bytes()
    outbox.close()
    for size in (*range(whole, len(log), 97), len(log) - 1, len(log)):
        files = {"o.sqlite": main, "o.sqlite-wal": log[:size]}
        (keys, _), notes = found_after(files, tmp_path / f"cut{size}")
        assert notes == []
        expected = 2 if size == len(log) else 1
        assert keys == [Key("run00000", seq) for seq in range(expected)]


def test_a_disk_full_at_every_write_refuses_and_loses_nothing(tmp_path):
    refused = 0
    for writes in range(40):
        folder = tmp_path / f"full{writes}"
        with Disk().installed() as disk:
            outbox = Outbox(folder / "o.sqlite", CIPHER)
            outbox._file.db.execute("PRAGMA wal_autocheckpoint = 4")
            disk.writes_left = writes
            kept = []
            for seq in range(8):
                try:
                    outbox.put([window(seq=seq)], NOW)
                    kept.append(Key("run00000", seq))
                except StateError:
                    refused += 1
            assert (outbox.keys(), outbox.held + outbox.dropped) == (kept, 8)
            disk.writes_left = None  # somebody made room
            outbox.put([window(seq=8)], NOW)
            kept.append(Key("run00000", 8))
            assert (outbox.keys(), outbox.dropped) == (kept, 9 - len(kept))
            outbox.close()
        outbox = Outbox(folder / "o.sqlite", CIPHER)
        assert (outbox.keys(), outbox.dropped) == (kept, 9 - len(kept))
        outbox.close()
    assert refused > 40


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are POSIX's")
def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path):
    """The system's own refusal, not ours: the process may write no file beyond 128 KiB."""
    script = (
        "import resource, sys; from pathlib import Path\n"
        # Before the limit: it would cut off what Python compiles, for every process after it.
        "from sensors.errors import StateError\n"
        "from tests.sensors.edge.outbox.test_outbox import CIPHER, NOW, Outbox, window\n"
        "sys.dont_write_bytecode = True\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (131072, 131072))\n"
        "outbox = Outbox(Path(sys.argv[1]), CIPHER); kept = refused = 0\n"
        "for seq in range(400):\n"
        "    try: outbox.put([window(seq=seq)], NOW); kept += 1\n"
        "    except StateError: refused += 1\n"
        "print(kept, refused, outbox.dropped, len(outbox.take_notes()))\n"
    )
    path = tmp_path / "o.sqlite"
    command = [sys.executable, "-c", script, str(path)]
    root = Path(__file__).parents[4]
    ended = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    kept, refused, dropped, notes = map(int, ended.stdout.split())
    assert kept > 5
    assert refused > 300
    assert kept + refused == 400
    assert dropped == refused
    assert notes == 1
    outbox = Outbox(path, CIPHER)
    assert outbox.held == kept
    outbox.close()
