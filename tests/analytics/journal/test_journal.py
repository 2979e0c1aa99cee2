"""The journal: on the disk before anything is confirmed, once each, and found again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.journal.intake import BACKLOG, LIVE, Accepted, Cleared, Judged, Refused
from analytics.journal.journal import KEEP_SET_ASIDE, Appended, Journal
from analytics.state import state_file
from analytics.state.state_file import FILE_NAME, StateLock, open_for_reading, open_state
from sensors import codec, topics
from sensors.errors import Refusal, StateError
from sensors.messages import ConsentMessage, RequestKind, RequestMessage
from sensors.signals import Channel
from tests.analytics.server_rig import SITE, reading

NOW = datetime(2026, 11, 21, 10, 0, 0, 123_456, tzinfo=UTC)


def opened(directory: Path) -> Journal:
    return Journal(open_state(directory), directory / FILE_NAME)


def window(
    seq: int, *, agent: str = "k1", lane: int = LIVE, oldest_seq: int = 0, source: str = "pc"
) -> Accepted:
    message = reading(seq, window_end_at=NOW, oldest_seq=oldest_seq, source=source)
    return Accepted(topics.reading(SITE, agent), codec.encode(message), agent, message, lane)


def counters(journal: Journal) -> dict[str, int]:
    return dict(journal._db.execute("SELECT name, value FROM counters"))


def append(journal: Journal, *batch: Judged) -> Appended:
    return journal.append(batch, NOW)


def test_a_batch_is_there_again_after_a_restart(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    first = append(journal, window(0), window(1), window(2, lane=BACKLOG), window(0))
    assert [arrival.position for arrival in first.live] == [1, 2]
    assert (first.backlog, journal.position) == (1, 3)
    assert counters(journal) == {"readings": 3, "late": 1, "duplicates": 1}
    journal._db.close()

    again = opened(tmp_path)
    assert again.position == 3
    assert again.waiting_live(0) == first.live
    assert again.waiting_live(1) == first.live[1:]
    assert [a.position for a in again.waiting_backlog(0, 10)] == [3]
    assert again.backlog_size(0) == 1
    assert again.backlog_size(3) == 0
    for seq in range(3):
        assert append(again, window(seq)).live == []
    assert again.streams.high(("k1", "pc", "run00001")) == 2
    again._db.close()


@pytest.mark.parametrize("checkpoint_after", [0, 1, 2, 3])
def test_the_account_of_a_run_survives_wherever_the_checkpoint_fell(
    tmp_path: Path, checkpoint_after: int
) -> None:
    journal = opened(tmp_path)
    batches: Sequence[tuple[Judged, ...]] = [
        (window(0), window(2)),
        (window(9, oldest_seq=6), window(3)),
        (
            Refused(
                "t", b"x", Refusal.OUT_OF_RANGE, "d", "k1", codec.WindowKey("pc", "run00001", 6)
            ),
        ),
    ]
    for number, batch in enumerate(batches, 1):
        append(journal, *batch)
        if number == checkpoint_after:
            journal.checkpoint(NOW)
    account = journal.streams._all.copy()
    journal._db.close()
    again = opened(tmp_path)
    assert again.streams._all == account
    key = ("k1", "pc", "run00001")
    assert again.streams.high(key) == 6
    assert again.streams._all[key].seen.gaps == [(1, 1), (4, 5)]
    assert again.streams.missing == 3
    again._db.close()


def test_two_sources_and_two_agents_do_not_mix(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    found = append(journal, window(0), window(0, source="tablet"), window(0, agent="k2"))
    assert len(found.live) == 3
    journal._db.close()


def test_messages_count_once(tmp_path: Path) -> None:
    asked = RequestMessage(id="help0001", at=NOW, kind=RequestKind.HELP_NOW)
    topic = topics.request(SITE, "k1")
    request = Accepted(topic, codec.encode(asked), "k1", asked, key=f"{topic} help0001")
    journal = opened(tmp_path)
    assert len(append(journal, request, request).live) == 1
    journal._db.close()
    again = opened(tmp_path)
    assert append(again, request).live == []
    assert counters(again) == {"messages": 1, "duplicates": 2}
    again._db.close()


def consent(*channels: Channel, at_s: float = 0.0, digest: bytes = b"1") -> Accepted:
    message = ConsentMessage(version="1", at=NOW + timedelta(seconds=at_s), channels=channels)
    return Accepted(topics.consent(SITE, "k1"), codec.encode(message), "k1", message, digest=digest)


def test_a_retained_message_counts_again_only_when_it_changed(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    assert len(append(journal, consent(), consent()).live) == 1
    journal._db.close()
    again = opened(tmp_path)
    assert append(again, consent()).live == []
    assert len(append(again, consent(digest=b"2")).live) == 1
    # back to what it was: a will says the same each time, and must be heard each time
    assert len(append(again, consent()).live) == 1
    again._db.close()


def test_consent_is_known_again_after_a_restart(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    append(journal, consent(Channel.KEYBOARD, at_s=-60))
    journal._db.close()
    again = opened(tmp_path)
    assert again.consents.refused_channel("k1", reading(0, window_end_at=NOW)) is Channel.HEART
    again._db.close()


def test_refused_messages_are_set_aside_once_and_release_the_edge(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    window_key = codec.WindowKey("pc", "run00001", 0)
    refused = Refused("t/1", b"payload", Refusal.SCHEMA_VERSION, "schema is 9", "k1", window_key)
    unreadable = Refused("t/2", b"{", Refusal.MALFORMED, "not JSON", "k1")
    found = append(journal, refused, unreadable, refused, Cleared("t/3"))
    assert found.live == []
    assert found.touched == {("k1", "pc", "run00001")}
    assert journal.streams.high(("k1", "pc", "run00001")) == 0
    rows = journal._db.execute("SELECT topic, payload, refusal, detail FROM set_aside").fetchall()
    assert rows == [
        ("t/1", b"payload", "schema_version", "schema is 9"),
        ("t/2", b"{", "malformed", "not JSON"),
    ]
    assert counters(journal) == {
        "refused.schema_version": 1,
        "refused.malformed": 1,
        "duplicates": 1,
        "cleared": 1,
    }
    assert journal.waiting_live(0) == []
    journal._db.close()


def test_only_what_is_scored_and_old_is_forgotten(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    append(journal, *(window(seq) for seq in range(10)))
    day = timedelta(hours=24)

    def kept() -> int:
        return int(journal._db.execute("SELECT count(*) FROM journal").fetchone()[0])

    journal.prune(10, NOW + 2 * day, day, 10**6)
    assert kept() == 10  # no checkpoint: the account of the run still needs them
    journal.checkpoint(NOW)
    journal.prune(10, NOW + day / 2, day, 10**6)
    assert kept() == 10
    journal.prune(4, NOW + 2 * day, day, 10**6)
    assert kept() == 6
    journal.prune(10, NOW, day, 3)
    assert kept() == 3
    journal.prune(10, NOW + 2 * day, day, 10**6)
    assert kept() == 0
    journal._db.close()
    again = opened(tmp_path)
    assert again.position == 10  # positions are never given out twice
    assert append(again, window(5)).live == []
    again._db.close()


def test_set_aside_is_bounded(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    many = [Refused(f"t/{n}", b"{", Refusal.MALFORMED, "d") for n in range(KEEP_SET_ASIDE + 50)]
    append(journal, *many)
    journal.prune(0, NOW, timedelta(hours=24), 10**6)
    rows = journal._db.execute("SELECT topic FROM set_aside ORDER BY id").fetchall()
    assert len(rows) == KEEP_SET_ASIDE
    assert rows[0] == ("t/50",)
    assert counters(journal)["set_aside_dropped"] == 50
    journal._db.close()


def test_a_full_disk_is_one_line_and_nothing_is_half_there(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    append(journal, window(0))
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="the disk is full; free some space") as caught:
        append(journal, *(window(seq) for seq in range(1, 500)))
    assert "\n" not in str(caught.value)
    journal._db.close()
    again = opened(tmp_path)
    assert again.position == 1
    assert len(append(again, window(1)).live) == 1
    again._db.close()


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"This is no database, whatever its name says." * 100)
    with pytest.raises(StateError, match=r"is damaged .* move it away"):
        open_state(tmp_path)
    with pytest.raises(StateError, match="is damaged"):
        open_for_reading(tmp_path)


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    db = open_state(tmp_path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StateError, match="newer version"):
        open_state(tmp_path)
    with pytest.raises(StateError, match="version 99"):
        open_for_reading(tmp_path)


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateError, match="state_dir"):
        open_state(tmp_path / "file")
    with pytest.raises(StateError, match="has `wellbeing detect` run"):
        open_for_reading(tmp_path)


def test_an_older_file_migrates_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path)
    append(journal, window(0))
    journal._db.close()
    newer = (*state_file.MIGRATIONS, "CREATE TABLE later (x INTEGER)")
    monkeypatch.setattr(state_file, "MIGRATIONS", newer)
    monkeypatch.setattr(state_file, "VERSION", len(newer))
    again = opened(tmp_path)
    assert again._db.execute("SELECT count(*) FROM later").fetchone() == (0,)
    assert again._db.execute("PRAGMA user_version").fetchone() == (len(newer),)
    assert again.position == 1
    again._db.close()


def test_only_its_owner_may_read_the_state(tmp_path: Path) -> None:
    open_state(tmp_path / "state").close()
    assert (tmp_path / "state" / FILE_NAME).stat().st_mode & 0o077 == 0
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_one_server_per_directory(tmp_path: Path) -> None:
    first = StateLock(tmp_path)
    with pytest.raises(StateError, match="another `wellbeing detect` uses"):
        StateLock(tmp_path)
    first.release()
    StateLock(tmp_path).release()


def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    db: sqlite3.Connection = open_state(tmp_path)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    db.close()
