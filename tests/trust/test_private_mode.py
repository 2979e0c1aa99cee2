"""TRUST T11a: private mode sends nothing, and the strained person still gets their notice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics.commands.me import app
from analytics.one_machine import me
from analytics.one_machine.me import SITE, Wish
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement
from sensors.edge.asking.replies import parse_request
from sensors.edge.consent.permission import Permission
from sensors.edge.page.facts import Said
from sensors.edge.page.render import Page
from sensors.errors import ConfigurationError, StoreError
from sensors.messages import NoticeKind
from sensors.words import Words
from tests.rig import wait_until
from tests.sensors.edge.page.makings import BOTH, allowing, facts, notice
from tests.trust.test_nothing_leaves import ROOT, in_a_network_of_its_own


def wellbeing(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wellbeing", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.needs("unshare")
def test_a_strained_person_is_told_and_nothing_but_loopback_is_used(tmp_path: Path) -> None:
    """In an empty network namespace: broker, server, store, edge and page, the edge in a hurry."""
    state = tmp_path / "state"
    ended = subprocess.run(
        in_a_network_of_its_own(sys.executable, "-m", "tests.trust.alone_me", str(state)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["attempts"] == 0, "something tried to reach beyond this machine"
    # Broker, page and the edge's own door: all in the machine, of the two and the store's writer only.
    assert found["listening"] == ["127.0.0.1"]
    assert (found["processes"], found["passwords"]) == (3, 1)
    said = "".join(found["said"])
    assert "Private: nothing leaves this machine" in said
    assert "You differ from your own usual; nobody else is told." in said
    assert "If you do nothing, nothing happens." in said
    assert "Your supervisor was told" not in said
    assert "your own page is there" in said
    assert "Traceback" not in said
    assert found["code"] == 130, "one Ctrl-C ends both"
    assert "ready; nothing leaves this machine" in said
    assert "stopped" in said
    # Words of the other mode, which would frighten here: a broker, windows to be sent.
    assert "broker" not in said
    assert "sent yet" not in said
    _assert_kept_here(state / SITE / "me")


def _assert_kept_here(folder: Path) -> None:
    """What was measured and judged is in the person's own folder, and nobody else can read it."""
    store = EmbeddedStore(folder / "store.sqlite", read_only=True)
    states = {
        row.fields["state"] for row in store.read(Query(measurement=Measurement.SCORE, site=SITE))
    }
    store.close()
    assert {"learning", "as_usual", "different"} <= states
    assert folder.stat().st_mode & 0o077 == 0


def test_it_ends_by_itself_when_told_to_and_can_begin_again(tmp_path: Path) -> None:
    for _ in range(2):
        ended = wellbeing(
            "me", "--collector", "simulated", "--consent", "heart", "--no-page",
            "--state-dir", tmp_path, "--for", "3",
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert f"everything is kept in {tmp_path}" in ended.stdout
        assert (tmp_path / SITE / "me" / "server" / "server.sqlite").exists()


def test_erasing_takes_everything_on_this_machine(tmp_path: Path) -> None:
    own = subprocess.Popen(
        [sys.executable, "-m", "wellbeing", "me", "--collector", "simulated", "--consent", "heart",
         "--no-page", "--state-dir", str(tmp_path)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        kept = tmp_path / SITE / "me" / "store.sqlite"
        wait_until(lambda: kept.exists() and _points(kept) > 0, 120, "something is kept")
        again = wellbeing("me", "--collector", "simulated", "--state-dir", tmp_path)
        assert again.returncode != 0
        assert "it already runs for 'me' on this machine; to see it: wellbeing edge page" in (
            again.stderr
        )
        ended = wellbeing(
            "edge", "--state-dir", tmp_path, "--site", SITE, "--agent", "me", "erase", "--yes"
        )
        assert ended.returncode == 0, ended.stderr
        assert "everything about you but your settings" in ended.stdout
        wait_until(lambda: _points(kept) == 0, 120, "all of it is gone")
        status = wellbeing(
            "edge", "--state-dir", tmp_path, "--agent", "me", "--site", SITE, "status"
        )
        assert "allowed: none" in status.stdout
    finally:
        own.send_signal(signal.SIGINT)
        own.communicate(timeout=60)


def _points(path: Path) -> int:
    try:
        store = EmbeddedStore(path, read_only=True)
    except StoreError:  # it is just being made
        return -1
    try:
        queries = (
            Query(measurement=m, site=SITE) for m in (Measurement.READING, Measurement.SCORE)
        )
        return sum(store.count(query) for query in queries)
    finally:
        store.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--agent", "Me!"), "--agent is 'Me!'", id="agent"),
        pytest.param(("--state-dir", "/proc/none"), "try --state-dir", id="folder"),
        pytest.param(("--config", "none.toml"), "cannot read none.toml", id="config"),
    ],
)
def test_a_mistake_is_told_in_one_line(words: tuple[str, ...], said: str) -> None:
    ended = wellbeing("me", *words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_a_profile_forbids_stays_forbidden_and_the_rest_is_allowed_here(
    tmp_path: Path,
) -> None:
    """`eu` forbids a server that supervisors see; on one's own machine it is the way to go."""
    config = tmp_path / "eu.toml"
    config.write_text('[policy]\nprofile = "eu"\n')
    options = ("--config", config, "--state-dir", tmp_path, "--no-page", "--consent", "none")
    refused = wellbeing("me", *options, "--collector", "voice", "--for", "1")
    assert refused.returncode == 2
    assert "forbids voice" in refused.stderr
    allowed = wellbeing("me", *options, "--collector", "simulated", "--for", "1")
    assert allowed.returncode == 0, allowed.stderr


def test_what_the_configuration_says_of_the_edge_counts(tmp_path: Path, monkeypatch) -> None:
    """Above all, which sensors: others than those named there must not be opened."""
    wishes: list[Wish] = []
    monkeypatch.setattr(me, "live_alone", lambda wish: wishes.append(wish) or 0)
    config = tmp_path / "own.toml"
    config.write_text(
        '[edge]\nsite = "floor"\nagent = "k7"\ncollectors = ["simulated"]\n'
        f'state_dir = "{tmp_path}"\n[broker]\nhost = "broker.example"\ntls = true\n'
    )
    for words in ([], ["--agent", "own", "--collector", "hid"]):
        done = CliRunner().invoke(app, ["--config", str(config), *words])
        assert done.exit_code == 0, done.output
    from_file, given = wishes
    assert from_file.folder == tmp_path / SITE / "k7"
    assert _collectors(from_file) == ["simulated"]
    assert given.folder == tmp_path / SITE / "own"
    assert _collectors(given) == ["hid"]


def _collectors(wish: Wish) -> list[str]:
    options = wish.edge_options
    return [after for before, after in pairwise(options) if before == "--collector"]


def test_a_private_edge_speaks_to_no_other_machine(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WELLBEING_EDGE_PRIVATE", "true")
    ended = wellbeing(
        "edge", "--agent", "k7", "--state-dir", tmp_path, "--broker", "broker.example:1883"
    )
    assert ended.returncode == 2
    assert "private mode sends nothing off this machine" in ended.stderr


@pytest.mark.parametrize("is_private", [False, True])
def test_ones_page_offers_to_ask_only_where_somebody_is(is_private: bool) -> None:
    notices = (notice(NoticeKind.ALERT_TOLD, alert_id="alert0001"),)
    shown = Page().html(
        Words(), facts(is_private=is_private, notices=notices), Said(), is_whole=True
    )
    assert ("Help now" in shown) is not is_private
    assert ("Your supervisor was told" in shown) is not is_private
    assert ("nobody else is told" in shown) is is_private
    assert "How demanding is the work?" in shown


@pytest.mark.parametrize("is_private", [False, True])
@pytest.mark.parametrize("is_asked", [False, True])
def test_ones_page_names_a_supervisor_only_where_there_is_one(
    is_private: bool, is_asked: bool
) -> None:
    some = facts(is_private=is_private, permission=allowing(*BOTH) if is_asked else Permission())
    shown = Page().html(Words(), some, Said(), is_whole=True)
    assert ("upervisor" in shown) is not is_private
    assert ("you decide what may be" in shown) is not is_asked


@pytest.mark.parametrize("what", ["help_now", "break_please", "export", "erase"])
def test_nobody_is_asked_where_nobody_is(what: str) -> None:
    with pytest.raises(ConfigurationError, match="speak to a person"):
        parse_request((what,), is_private=True)
