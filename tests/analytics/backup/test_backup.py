"""Backup and restore: sound, whole, brought forward, and erasures stay."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import wellbeing
from analytics.backup import restore
from analytics.journal.intake import Intake
from analytics.journal.journal import Journal
from analytics.journal.steps import Commit, Snapshot, Step, StepLog
from analytics.people import tombstones
from analytics.people.teams import load_teams
from analytics.people.tombstones import Tombstone
from analytics.pipeline.pipeline import Pipeline
from analytics.rights import requests as rights_requests
from analytics.rights.purge import Purge
from analytics.rights.requests import AGENT, Kind, Request, State
from analytics.state import state_file
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point
from sensors import codec, topics
from tests.analytics.server_rig import SITE, reading, snapshot_of, write_teams

NOW = datetime.now(UTC)
GONE, STAYS = "k1", "k2"


class Server:
    """What a server leaves on the disk, in one folder, and the commands about it."""

    def __init__(self, directory: Path, ledger: Path) -> None:
        self.state, self.store = directory / "state", directory / "store.sqlite"
        self.stones = directory / "store.sqlite.tombstones.json"
        config = directory / "wellbeing.toml"
        directory.mkdir(exist_ok=True)
        self.teams = write_teams(directory)
        config.write_text(
            f'[server]\nsite = "{SITE}"\nstate_dir = "{self.state}"\nteams = "{self.teams}"\n'
            f'[store]\nkind = "embedded"\npath = "{self.store}"\n'
            f'[research]\nledger = "{ledger}"\n'
        )
        self.config = ("--config", str(config))

    def fill(self) -> None:
        db = open_state(self.state)
        path = self.state / FILE_NAME
        journal, steps = Journal(db, path), StepLog(db, path)
        teams = load_teams(self.teams)
        pipeline, intake = Pipeline(SITE, teams), Intake(teams, journal.consents)
        points: list[Point] = []
        for seq in range(4):
            for agent in (GONE, STAYS):
                at = NOW - timedelta(seconds=60 - 5 * seq)
                payload = codec.encode(reading(seq, run="run" + agent + "abc", window_end_at=at))
                judged = intake.judge(topics.reading(SITE, agent), payload, at)
                found = journal.append([judged], at)
                points += pipeline.step(found.live, at).points
        done = Step(1, journal.position, 0, NOW)
        steps.commit(Commit(steps=[done], points=points[:5]))
        steps.save_snapshot(Snapshot(done, pipeline.snapshot()))
        journal.checkpoint(NOW)
        db.close()
        store = EmbeddedStore(self.store)
        assert store.write(points).refused == []
        store.close()

    def backup(self, to: Path, *more: str) -> int:
        return wellbeing.main(["backup", str(to), *self.config, *more])

    def restore(self, source: Path, *more: str) -> int:
        return wellbeing.main(["restore", str(source), *self.config, *more])

    def points_of(self, agent: str) -> int:
        store = EmbeddedStore(self.store, read_only=True)
        asked = (Query(measurement=m, site=SITE, agents=(agent,)) for m in Measurement)
        found = sum(store.count(query) for query in asked)
        store.close()
        return found

    def rows_of(self, agent: str) -> int:
        db = open_state(self.state)
        found = sum(Purge(db, agent).count().values())
        # What clears a retained topic names the agent, and holds nothing.
        clears = [
            topic for (topic,) in db.execute("SELECT topic FROM publications WHERE payload = x''")
        ]
        db.close()
        return found - sum(f"/{agent}" in topic for topic in clears)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path / "one", tmp_path / "exports.jsonl")
    made.fill()
    return made


def stone(at: datetime = NOW) -> Tombstone:
    return Tombstone(id="abcdef0123456789", agent=GONE, at=at, consent_after=at)


def test_what_is_restored_is_what_was_backed_up(server: Server, tmp_path: Path) -> None:
    archive = tmp_path / "b.zip"
    assert server.backup(archive) == 0
    assert archive.stat().st_mode & 0o077 == 0
    assert server.restore(archive, "--verify") == 0
    other = Server(tmp_path / "two", tmp_path / "exports2.jsonl")
    other.teams.unlink()
    assert other.restore(archive) == 0
    assert snapshot_of(other.state) == snapshot_of(server.state)
    for agent in (GONE, STAYS):
        assert other.points_of(agent) == server.points_of(agent) > 0
        assert other.rows_of(agent) == server.rows_of(agent) > 0
    assert other.teams.read_text() == server.teams.read_text()
    assert not list(other.state.glob(".restore*"))


def test_restoring_erases_again_what_was_erased_since(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "b.zip"
    assert server.backup(archive) == 0
    # Known beside the store alone: the state folder was lost with the disk.
    other = Server(tmp_path / "two", tmp_path / "exports2.jsonl")
    other.teams.unlink()
    tombstones.merge_into(other.stones, [stone()])
    assert other.restore(archive) == 0
    assert f"erased again: {GONE}" in capsys.readouterr().out
    assert other.points_of(GONE) == 0
    assert other.rows_of(GONE) == 0
    assert f'"{GONE}"'.encode() not in snapshot_of(other.state)
    assert other.points_of(STAYS) == server.points_of(STAYS)
    for path in (other.state / FILE_NAME, other.store):
        assert f"run{GONE}abc".encode() not in path.read_bytes()
    assert tombstones.read_file(other.state / tombstones.FILE_NAME) == [stone()]
    # The next backup carries the tombstone with it, wherever it goes.
    assert other.backup(tmp_path / "c.zip") == 0
    third = Server(tmp_path / "three", tmp_path / "exports3.jsonl")
    third.teams.unlink()
    assert third.restore(tmp_path / "c.zip") == 0
    assert third.restore(archive, "--replace") == 0
    assert third.points_of(GONE) == third.rows_of(GONE) == 0


def test_a_named_file_of_erasures_is_heeded(server: Server, tmp_path: Path) -> None:
    assert server.backup(tmp_path / "b.zip") == 0
    named = tmp_path / "from-elsewhere.json"
    named.write_bytes(tombstones.dump([stone()]))
    assert server.restore(tmp_path / "b.zip", "--replace", "--tombstones", str(named)) == 0
    assert server.points_of(GONE) == 0


def test_an_older_state_is_brought_forward(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    with monkeypatch.context() as before:
        before.setattr(state_file, "VERSION", 1)
        open_state(old).close()
    with closing(sqlite3.connect(old / FILE_NAME)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        db.execute("INSERT INTO counters VALUES ('readings', 7)")
        db.commit()
    options = ("--site", SITE, "--store", "influxdb")
    archive = str(tmp_path / "old.zip")
    assert wellbeing.main(["backup", archive, *options, "--state-dir", str(old)]) == 0
    new = tmp_path / "new"
    assert wellbeing.main(["restore", archive, *options, "--state-dir", str(new)]) == 0
    with closing(sqlite3.connect(new / FILE_NAME)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (state_file.VERSION,)
        assert db.execute("SELECT value FROM counters").fetchall() == [(7,)]


def test_what_stands_there_is_not_overwritten_unasked(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "b.zip"
    assert server.backup(archive) == 0
    assert server.backup(archive) == 7
    assert "add --replace" in capsys.readouterr().err
    before = snapshot_of(server.state)
    assert server.restore(archive) == 7
    assert "would be overwritten" in capsys.readouterr().err
    assert snapshot_of(server.state) == before
    assert server.restore(archive, "--site", "elsewhere", "--replace") == 7
    assert "is of site lab" in capsys.readouterr().err


def test_a_running_server_is_not_restored_over(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "b.zip"
    assert server.backup(archive) == 0
    lock = state_file.StateLock(server.state)
    assert server.backup(tmp_path / "running.zip") == 0
    assert server.restore(archive, "--replace") == 7
    assert "another `wellbeing detect` uses" in capsys.readouterr().err
    lock.release()


@pytest.mark.parametrize("where", ["byte", "end", "manifest", "name"])
def test_a_damaged_archive_restores_nothing(
    server: Server, tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, bad = tmp_path / "b.zip", tmp_path / "bad.zip"
    assert server.backup(archive) == 0
    data = bytearray(archive.read_bytes())
    if where == "byte":
        data[len(data) // 3] ^= 0xFF
        bad.write_bytes(data)
    elif where == "end":
        bad.write_bytes(data[:-200])
    else:
        with zipfile.ZipFile(archive) as good, zipfile.ZipFile(bad, "w") as changed:
            manifest = json.loads(good.read("manifest.json"))
            if where == "manifest":
                manifest["files"]["server.sqlite"]["sha256"] = "0" * 64
            else:
                manifest["files"]["../evil"] = {"size": 1, "sha256": "0" * 64}
                changed.writestr("../evil", b"x")
            for name in good.namelist():
                if name != "manifest.json":
                    changed.writestr(name, good.read(name))
            changed.writestr("manifest.json", json.dumps(manifest))
    before = snapshot_of(server.state)
    assert server.restore(bad, "--verify") == 7
    assert server.restore(bad, "--replace") == 7
    assert snapshot_of(server.state) == before
    assert server.points_of(GONE) > 0
    assert not (tmp_path / "evil").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_an_interrupted_backup_leaves_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("analytics.state.archive.hashlib.sha256", interrupted)
    assert server.backup(tmp_path / "b.zip") == 130
    assert [path.name for path in tmp_path.iterdir() if "b.zip" in path.name] == []


def test_packed_data_that_is_damaged_is_told_in_one_line(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, bad = tmp_path / "b.zip", tmp_path / "bad.zip"
    assert server.backup(archive) == 0
    data = archive.read_bytes()
    with zipfile.ZipFile(archive) as file:
        start = file.getinfo("server.sqlite").header_offset + 200
    bad.write_bytes(data[:start] + b"\xff" * 64 + data[start + 64 :])
    assert server.restore(bad, "--verify") == 7
    assert "damaged" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_not_blamed_on_the_archive(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "b.zip"
    assert server.backup(archive) == 0
    server.store.unlink()
    server.store.mkdir()
    assert server.restore(archive, "--replace") == 7
    said = capsys.readouterr().err
    assert f"cannot put {server.store} in place" in said
    assert "cannot read" not in said


def test_checking_leaves_nothing_anywhere_not_even_when_interrupted(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive holds what was measured: a copy beside it, on a share, would be read by others."""
    share, private = tmp_path / "share", tmp_path / "private"
    share.mkdir()
    private.mkdir()
    archive = share / "b.zip"
    assert server.backup(archive) == 0
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    seen: list[tuple[int, list[str]]] = []

    def interrupted(path: Path) -> None:
        (folder,) = private.iterdir()
        seen.append((folder.stat().st_mode & 0o077, [p.name for p in share.iterdir()]))
        assert path.parent == folder
        raise KeyboardInterrupt

    monkeypatch.setattr(restore, "_check_sound", interrupted)
    assert server.restore(archive, "--verify") == 130
    assert seen == [(0, ["b.zip"])]
    assert list(private.iterdir()) == []
    share.chmod(0o500)  # where nothing can be written an archive can still be checked
    monkeypatch.undo()
    assert server.restore(archive, "--verify") == 0


def test_who_could_read_the_teams_can_read_the_restored_ones(
    server: Server, tmp_path: Path
) -> None:
    archive = tmp_path / "b.zip"
    assert server.backup(archive) == 0
    server.teams.write_text("[other]\n")
    server.teams.chmod(0o644)
    assert server.restore(archive, "--replace") == 0
    assert "billing" in server.teams.read_text()
    assert server.teams.stat().st_mode & 0o777 == 0o644
    assert (server.state / FILE_NAME).stat().st_mode & 0o077 == 0
    server.teams.unlink()
    assert server.restore(archive, "--replace") == 0
    assert server.teams.stat().st_mode & 0o777 == 0o600


def test_what_a_killed_restore_left_is_removed(server: Server, tmp_path: Path) -> None:
    archive = tmp_path / "b.zip"
    assert server.backup(archive) == 0
    left = server.state / ".restore-killed"
    left.mkdir()
    (left / FILE_NAME).write_bytes(b"all that was known of everybody")
    assert server.restore(archive, "--replace") == 0
    assert not left.exists()


def test_a_restore_forgets_no_request_and_no_erasure_that_waits(
    server: Server, tmp_path: Path
) -> None:
    archive = tmp_path / "b.zip"
    assert server.backup(archive) == 0
    asked = Request(
        id="k2-12345678", agent=STAYS, kind=Kind.ERASE, by=AGENT, asked_at=NOW, state=State.ASKED
    )
    db = open_state(server.state)
    rights_requests.put(db, asked)
    db.close()
    tombstones.merge_into(server.stones, [stone()])
    assert server.restore(archive, "--replace") == 0
    db = open_state(server.state)
    by_agent = {one.agent: one for one in rights_requests.find(db)}
    assert by_agent[STAYS] == asked
    again = by_agent[GONE]
    assert again.state is State.WAITING
    assert again.receipt is not None
    assert again.receipt.id == stone().id
    cleared = {
        topic for (topic,) in db.execute("SELECT topic FROM publications WHERE payload = x''")
    }
    assert {topics.consent(SITE, GONE), topics.status(SITE, GONE, "pc")} <= cleared
    # Once it is over it is over: a consent given anew stands on the broker.
    db.execute("DELETE FROM publications")
    rights_requests.settle(db, again.id, State.DONE)
    db.close()
    assert server.restore(archive, "--replace") == 0
    db = open_state(server.state)
    assert db.execute("SELECT count(*) FROM publications WHERE payload = x''").fetchone() == (0,)
    assert rights_requests.find(db, request_id=again.id)[0].state is State.DONE
    assert server.rows_of(GONE) == 0
    db.close()
