"""A damaged outbox: what can be read goes on, what cannot is counted, nothing is made up."""

import errno
import os
import random
import sqlite3
import time

import pytest

from sensors.edge.outbox import rescue
from sensors.edge.outbox.outbox import Key, Outbox
from sensors.errors import StateError
from tests.sensors.edge.outbox.test_outbox import CIPHER, NOW, filled, window

COUNT = 60


def damaged(content: bytes, luck: random.Random) -> bytes:
    """Return `content` with a page, a few bytes or its end gone."""
    changed = bytearray(content)
    kind = luck.choice(("page", "bytes", "zeros", "end"))
    at = luck.randrange(0, len(changed) - 4096)
    if kind == "page":
        at -= at % 4096
        changed[at : at + 4096] = luck.randbytes(4096)
    elif kind == "zeros":
        changed[at : at + 512] = bytes(512)
    elif kind == "end":
        del changed[at:]
    else:
        for _ in range(luck.randrange(1, 20)):
            changed[luck.randrange(len(changed))] ^= 1 << luck.randrange(8)
    return bytes(changed)


def test_whatever_is_damaged_nothing_is_made_up_and_the_loss_is_counted(tmp_path):
    original = tmp_path / "original.sqlite"
    filled(original, COUNT).close()
    content = original.read_bytes()
    luck = random.Random(3)
    rescued = 0
    for number in range(60):
        path = tmp_path / str(number) / "o.sqlite"
        path.parent.mkdir()
        path.write_bytes(damaged(content, luck))
        outbox = Outbox(path, CIPHER)
        first = outbox.take_notes()
        loaded = [outbox.load(key) for key in outbox.keys()]  # noqa: SIM118 - not a mapping
        good = [message.seq for message in loaded if message is not None]
        for message in filter(None, loaded):
            assert message.heart == window(seq=message.seq).heart
        assert outbox.held == len(good) + outbox.locked  # its head damaged: like another key
        lost = COUNT - len(good)
        said = [*first, *outbox.take_notes()]
        if lost:
            assert said, f"damage {number}: {lost} windows lost without a word"
        rescued += bool(first) and bool(good)
        outbox.put([window("run00001", 0)], NOW)
        outbox.close()
        outbox = Outbox(path, CIPHER)
        assert outbox.keys()[-1] == Key("run00001", 0)
        outbox.close()
    assert rescued > 8


@pytest.mark.parametrize("page", range(4, 12))
def test_of_one_lost_page_every_window_is_counted(tmp_path, page):
    path = tmp_path / "o.sqlite"
    filled(path, COUNT).close()
    content = bytearray(path.read_bytes())
    content[4096 * page : 4096 * (page + 1)] = b"\xee" * 4096
    path.write_bytes(content)
    outbox = Outbox(path, CIPHER)
    assert outbox.held + outbox.dropped == COUNT
    assert outbox.held >= COUNT - 30
    outbox.close()


def test_a_damaged_file_on_a_full_disk_waits_for_room_and_loses_nothing(tmp_path, monkeypatch):
    path = tmp_path / "o.sqlite"
    filled(path, COUNT).close()
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 6] = b"\xee" * 4096
    path.write_bytes(content)
    real = rescue.shutil.copyfile

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rescue.shutil, "copyfile", full)
    with pytest.raises(StateError, match=r"damaged .*No space left on device; free space"):
        Outbox(path, CIPHER)
    assert path.read_bytes() == content
    monkeypatch.setattr(rescue.shutil, "copyfile", real)
    outbox = Outbox(path, CIPHER)
    assert outbox.held >= COUNT - 30
    assert outbox.held + outbox.dropped == COUNT
    outbox.close()


def test_a_file_damaged_while_open_and_no_room_is_replaced_when_there_is(tmp_path, monkeypatch):
    outbox = filled(tmp_path / "o.sqlite", 5)
    real_insert, real_copy = outbox._insert, rescue.shutil.copyfile

    def malformed(*_):
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outbox, "_insert", malformed)
    monkeypatch.setattr(rescue.shutil, "copyfile", full)
    for seq in (5, 6):
        with pytest.raises(StateError):
            outbox.put([window(seq=seq)], NOW)
        monkeypatch.setattr(outbox, "_insert", real_insert)
        path = tmp_path / "o.sqlite"
        path.write_bytes(b"\xee" * 200 + path.read_bytes()[200:])  # and so it is on disk too
    monkeypatch.setattr(rescue.shutil, "copyfile", real_copy)
    outbox.put([window(seq=7)], NOW)
    assert [key.seq for key in outbox.keys()] == [0, 1, 2, 3, 4, 7]  # noqa: SIM118 - not a mapping
    assert outbox.dropped == 2
    assert len(outbox.take_notes()) == 2  # said once, and once that it is over
    outbox.close()


def test_a_damaged_file_is_kept_no_longer_than_what_it_held(tmp_path):
    path = tmp_path / "o.sqlite"
    path.write_bytes(b"not a database, only words" * 400)
    Outbox(path, CIPHER, max_age_s=3600).close()
    (aside,) = tmp_path.glob("*.damaged-*")
    Outbox(path, CIPHER, max_age_s=3600).close()
    assert aside.exists()
    an_hour_ago = time.time() - 3601
    os.utime(aside, (an_hour_ago, an_hour_ago))
    Outbox(path, CIPHER, max_age_s=3600).close()
    assert not aside.exists()
