"""What `wellbeing agent` refuses, and what it says of places that cannot be erased."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

import wellbeing
from analytics.rights.erasure import compact, erase_from_store
from analytics.rights.receipt import Done, Receipt, as_lines, from_json
from analytics.settings import ServerSettings, may_erase_on_request
from analytics.state.state_file import open_state
from analytics.store.base import Store
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point
from sensors.config import BrokerSettings
from sensors.errors import CannotEraseError, ConfigurationError
from tests.analytics.rights_rig import (
    GONE,
)
from tests.analytics.server_rig import SITE


def test_a_database_that_deletes_nothing_is_a_stated_refusal() -> None:
    class Core:
        def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
            raise CannotEraseError(f"no rows of {agent} at {site} are deleted before {before}")

    place = erase_from_store(cast("Store", Core()), SITE, GONE)
    receipt = Receipt(
        id="x", site=SITE, agent=GONE, at=datetime.now(UTC), by="agent", places=(place,)
    )
    assert not receipt.is_complete
    assert "NOT COMPLETE" in as_lines(receipt)[-1]
    assert from_json(receipt.to_json()) == receipt


def test_erasing_asks_first_and_refuses_what_cannot_be_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = ("--anyway", "--state-dir", str(tmp_path / "nowhere"), "--profile", "general")
    monkeypatch.setattr("sys.stdin", io.StringIO("kestrel\n"))
    assert wellbeing.main(["agent", "erase", GONE, *nowhere]) == 2
    assert "confirmed 'kestrel', not 'zarathustra'; nothing was erased" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GONE}\n"))
    assert wellbeing.main(["agent", "erase", GONE, *nowhere]) == 7
    assert "no server.sqlite" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert wellbeing.main(["agent", "erase", GONE, *nowhere]) == 2
    assert "nothing was erased: add --yes" in capsys.readouterr().err
    assert wellbeing.main(["agent", "erase", "Not A Pseudonym", "--yes", *nowhere]) == 2
    for verb in ("erase", "export", "requests", "receipt"):
        assert wellbeing.main(["agent", verb, "--help"]) == 0


@pytest.fixture
def known(tmp_path: Path) -> Callable[..., int]:
    """Return `wellbeing agent` on a floor of k17, k171 in teams, m4 by consent, z9 in the store."""
    teams, state = tmp_path / "teams.toml", tmp_path / "state"
    teams.write_text(
        '[billing]\nsupervisors = ["ana"]\ntime_zone = "UTC"\nagents = ["k17", "k171"]\n'
    )
    with closing(open_state(state)) as db:
        db.execute("INSERT INTO consent VALUES ('m4', 1, '1', '[\"heart\"]')")
        # Somebody erased: nobody is reminded of them by a suggestion.
        db.execute("INSERT INTO tombstone VALUES ('k711', 'x', 1, 1)")
    store = EmbeddedStore(tmp_path / "store.sqlite")
    store.write([Point(Measurement.READING, {"site": SITE, "agent": "z9"}, {"a": 1.0}, 1)])
    store.close()
    options = (
        "--site", SITE, "--state-dir", str(state), "--store", "embedded",
        "--store-path", str(tmp_path / "store.sqlite"),
    )  # fmt: skip

    def run(verb: str, agent: str, *more: str) -> int:
        named = ("--teams", str(teams)) if verb == "erase" else ()
        return wellbeing.main(["agent", verb, agent, *more, *options, *named])

    return run


@pytest.mark.parametrize("agent", ["k17", "m4", "z9"])
def test_who_is_in_teams_consents_or_store_is_known(
    known: Callable[..., int], tmp_path: Path, agent: str
) -> None:
    assert known("erase", agent, "--dry-run") == 0
    if agent != "k17":  # export takes its teams from the configuration
        assert known("export", agent, "--to", str(tmp_path / "copy.zip")) == 0


def test_a_mistyped_pseudonym_is_not_called_erased_or_empty(
    known: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in (("--yes",), ("--dry-run",), ()):
        assert known("erase", "k71", *more) == 7
        said = capsys.readouterr().err
        assert "nobody called 'k71' is known at site" in said
        assert "did you mean k171 or k17?" in said
        assert "add --anyway" in said
    assert known("export", "k71", "--to", str(tmp_path / "copy.zip")) == 7
    said = capsys.readouterr().err
    assert "nobody called 'k71'" in said
    assert "--anyway" not in said
    assert not (tmp_path / "copy.zip").exists()
    assert known("export", "nothing-like-it", "--to", str(tmp_path / "copy.zip")) == 7
    assert "did you mean" not in capsys.readouterr().err


def test_one_that_only_an_old_backup_knows_can_be_erased(
    known: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert known("erase", "k71", "--anyway", "--dry-run") == 0
    assert "k71" in capsys.readouterr().out


def test_a_store_that_is_away_is_not_taken_for_one_that_knows_nobody(
    known: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store.sqlite").unlink()
    assert known("erase", "z9", "--dry-run") == 6
    said = capsys.readouterr().err
    assert "the store cannot be asked" in said
    assert "add --anyway" in said


def test_no_erasing_at_the_word_of_a_broker_that_knows_nobody() -> None:
    wanted = ServerSettings(erase_on_request=True)
    with pytest.raises(ConfigurationError, match="cannot prove who asks"):
        may_erase_on_request(wanted, BrokerSettings())
    assert may_erase_on_request(wanted, BrokerSettings(username="server", password="word"))
    assert not may_erase_on_request(ServerSettings(), BrokerSettings(username="server"))


def test_old_pages_that_somebody_still_reads_are_not_called_gone(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite"
    with (
        closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as db,
        closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as reader,
    ):
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE held AS SELECT 1 AS row")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM held").fetchall()
        assert compact(db, path).done is Done.ELSEWHERE
        reader.execute("COMMIT")
        assert compact(db, path).done is Done.ERASED
