import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from sensors.edge.consent import file as consent_file
from sensors.edge.consent.file import ConsentFile
from sensors.edge.consent.permission import Event, Permission, Reason
from sensors.edge.words import CONSENT_VERSION
from sensors.errors import StateError
from sensors.signals import Channel
from tests.rig.waiting import PATIENCE_S

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_choices_outlive_the_process_with_version_time_and_history(tmp_path):
    file = ConsentFile(tmp_path / "a" / "consent.json")
    assert file.load() == Permission()
    permission = Permission().consenting([Channel.HEART, Channel.VOICE], NOW)
    file.change(lambda _: permission)
    permission = permission.withdrawing([Channel.VOICE], NOW + timedelta(hours=1))
    file.change(lambda _: permission.after(Event.PAUSE).after(Event.LOCK))
    loaded = file.load()
    assert loaded.channels == {Channel.HEART}
    assert loaded.reasons == {Reason.PAUSED}  # a lock ends with the session, a pause does not
    message = loaded.message()
    assert message is not None
    assert (message.version, message.at) == (CONSENT_VERSION, NOW + timedelta(hours=1))
    assert len(file._read().history) == 2  # nothing is deleted silently


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "consent.json"
    ConsentFile(path).change(lambda p: p.consenting([], NOW))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(tmp_path.iterdir()) == {path, path.with_suffix(".lock")}
    assert not path.with_suffix(".lock").stat().st_mode & 0o077


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "damaged"), (b"[]", "damaged"), (b'{"file_version": 9}', "upgrade")],
)
def test_consent_that_cannot_be_read_is_not_guessed(tmp_path, content, said):
    path = tmp_path / "consent.json"
    path.write_bytes(content)
    with pytest.raises(StateError, match=said):
        ConsentFile(path).load()


def test_what_is_said_to_one_edge_holds_for_the_other_and_is_not_undone(tmp_path):
    path = tmp_path / "consent.json"
    here, there = ConsentFile(path), ConsentFile(path)
    mine = Permission().consenting([Channel.HEART, Channel.VOICE], NOW).after(Event.LOCK)
    here.change(lambda _: mine)
    assert here.news() is None  # our own word is none
    other = Permission().following(there.news())
    assert other.channels == {Channel.HEART, Channel.VOICE}
    there.change(lambda _: other.after(Event.PAUSE).withdrawing([Channel.VOICE], NOW))
    mine = mine.following(here.news())
    assert mine.reasons == {Reason.PAUSED, Reason.LOCKED}  # the lock is this edge's own
    assert mine.channels == {Channel.HEART}
    path.write_text("{")
    with pytest.raises(StateError, match="damaged"):
        here.news()
    assert here.news() is None  # said once


def test_edges_that_write_in_the_same_moment_overwrite_nothing_of_each_other(tmp_path, monkeypatch):
    """T6: the withdrawal that was said to one of them must not be gone."""
    # Ten times four, one after the other and in no fair order: a slow disk takes seconds for it.
    monkeypatch.setattr(consent_file, "_LOCK_S", PATIENCE_S)
    path = tmp_path / "consent.json"

    def say(edge: int) -> None:
        file = ConsentFile(path)
        for word in range(10):
            at = NOW + timedelta(seconds=100 * edge + word)
            file.change(lambda allowed, at=at: allowed.consenting([Channel.HEART], at))

    with ThreadPoolExecutor(4) as edges:
        list(edges.map(say, range(4)))
    assert len({given.at for given in ConsentFile(path)._read().history}) == 40


def test_another_edge_that_does_not_finish_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(consent_file, "_LOCK_S", 0.05)
    path = tmp_path / "consent.json"
    db = sqlite3.connect(path.with_suffix(".lock"), isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StateError, match="another edge of yours"):
            ConsentFile(path).change(lambda allowed: allowed.after(Event.PAUSE))
    finally:
        db.close()
    ConsentFile(path).change(lambda allowed: allowed.after(Event.PAUSE))
    assert ConsentFile(path).load().reasons == {Reason.PAUSED}
