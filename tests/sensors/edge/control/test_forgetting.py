"""The agent erases what their machine keeps: with a running edge, and without one."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sensors.edge.control.offline import command_everywhere
from sensors.edge.own.keeper import OwnKeeper
from sensors.edge.own.record import OwnRecord
from sensors.edge.sealing.cipher import Cipher
from sensors.edge.settings import EdgeSettings
from sensors.errors import StateError
from sensors.signals import Channel
from tests.rig import wait_until_async
from tests.sensors.edge.commands.test_edge import wellbeing
from tests.sensors.edge.outbox.test_outbox import filled
from tests.sensors.edge.standin import StandIn

BOTH = frozenset({Channel.HEART, Channel.KEYBOARD})


def test_an_outbox_forgets_everything_it_ever_held(tmp_path: Path) -> None:
    outbox = filled(tmp_path / "outbox-pc.sqlite", 20)
    sealed = outbox._file.db.execute("SELECT payload FROM window").fetchone()[0]
    aside = tmp_path / "outbox-pc.sqlite.damaged-1"
    aside.write_bytes(sealed)
    assert outbox.forget() == 20
    assert outbox.held == 0
    assert outbox.keys() == []
    assert not aside.exists()
    assert sealed not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert outbox.forget() == 0
    outbox.close()


@pytest.mark.needs("mosquitto")
async def test_a_running_edge_forgets_and_goes_on(mosquitto, run_edge, tmp_path):
    record = OwnRecord(tmp_path / "own-pc.sqlite", Cipher(bytes(32)))
    keeper = OwnKeeper(record)
    with StandIn(mosquitto.port, stores=False) as server:
        async with run_edge(mosquitto.port, BOTH, companions=[keeper]) as edge:
            await wait_until_async(lambda: edge.process.report()["held"] >= 3 and server.windows)
            old = max(w.seq for w in server.windows)
            told = await asyncio.to_thread(
                command_everywhere, edge.process._settings, None, "forget", ()
            )
            assert "Erased on this machine" in told[0]["text"]
            assert told[0]["held"] < told[0]["windows"] - old  # some may have ended since
            # What comes next is kept and sent as ever; what was erased does not come back.
            await wait_until_async(lambda: any(w.seq > old + 3 for w in server.windows))
            report = edge.process.report()
            assert report["held"] < report["windows"] - old
            server.stores = True
            await wait_until_async(lambda: edge.process.report()["held"] <= 1)
    assert record.history("hr_bpm", "day", datetime.now(UTC)) == []


def test_files_of_an_edge_that_does_not_run_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "main" / "k7"
    folder.mkdir(parents=True)
    filled(folder / "outbox-pc.sqlite", 3).close()
    gone = ["own-pc.sqlite", "own-pc.sqlite-wal", "outbox-pc.sqlite.damaged-2", "page.json"]
    # An edge was killed while it wrote one, and while it saved what a damaged outbox held.
    gone += ["page.jsonx81k2", "told.jsonab12"]
    for name in (*gone, "consent.json", "key"):
        (folder / name).write_text("{}")
    (folder / "rescue-ab12").mkdir()
    (folder / "rescue-ab12" / "copy").write_text("every window")
    settings = EdgeSettings(agent="k7", state_dir=str(tmp_path))
    (report,) = command_everywhere(settings, None, "forget", ())
    assert "Erased on this machine" in report["text"]
    assert sorted(path.name for path in folder.iterdir()) == ["consent.json", "key"]


def test_the_command_asks_first(tmp_path: Path) -> None:
    folder = tmp_path / "main" / "k7"
    folder.mkdir(parents=True)
    (folder / "own-pc.sqlite").write_text("x")
    ended = wellbeing("edge", "--agent", "k7", "--state-dir", tmp_path, "erase")
    assert ended.returncode == 2
    assert "nothing was erased" in ended.stderr
    assert (folder / "own-pc.sqlite").exists()
    ended = wellbeing("edge", "--agent", "k7", "--state-dir", tmp_path, "erase", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert "Erased on this machine" in ended.stdout
    assert not (folder / "own-pc.sqlite").exists()


def test_what_cannot_be_removed_is_named(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "main" / "k7"
    folder.mkdir(parents=True)
    (folder / "page.json").write_text("{}")

    def refuse(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    settings = EdgeSettings(agent="k7", state_dir=str(tmp_path))
    with pytest.raises(StateError, match=r"page\.json \(Permission denied\)"):
        command_everywhere(settings, None, "forget", ())
