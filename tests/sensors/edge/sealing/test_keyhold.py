"""Where the key lies, whatever the keyring does; never the keyring of who runs the tests."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from sensors.edge.sealing import keyhold
from sensors.edge.sealing.keyhold import load_cipher
from sensors.errors import StateError
from tests.rig.waiting import PATIENCE_S

ABOUT = b"about"


class _Keyring(keyring.backend.KeyringBackend):
    """In memory; misbehaves as `manner` says."""

    priority = -1  # only where a test chooses it

    def __init__(self, manner: str = "") -> None:
        super().__init__()
        self.manner = manner
        self.held: dict[tuple[str, str], str] = {}
        self.release = threading.Event()

    def get_password(self, service, username):
        if self.manner == "locked":
            raise keyring.errors.KeyringLocked("Failed to unlock the collection!")
        if self.manner == "breaks":
            raise ZeroDivisionError
        if self.manner == "hangs":
            self.release.wait(60)
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        if self.manner != "null":
            self.held[service, username] = password


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "main" / "k7"


@pytest.fixture
def ring(monkeypatch):
    monkeypatch.setattr(keyhold, "KEYRING_WITHIN_S", PATIENCE_S)
    before, ours = keyring.get_keyring(), _Keyring()
    keyring.set_keyring(ours)
    yield ours
    ours.release.set()
    keyring.set_keyring(before)


def test_the_keyring_keeps_it_where_there_is_one(folder, ring):
    first = load_cipher(folder)
    assert list(ring.held) == [("agent-wellbeing", "main/k7")]
    assert first.kept_in == "the system's keyring"
    (note,) = first.take_notes()
    assert "keyring" in note
    assert not (folder / "key").exists()
    second = load_cipher(folder)
    assert second.open(first.seal(b"data", ABOUT), ABOUT) == b"data"
    assert second.take_notes() == []  # said once


@pytest.mark.parametrize("manner", ["locked", "breaks", "hangs", "null"])
def test_a_keyring_that_does_not_keep_it_is_replaced_by_a_file(folder, ring, manner, monkeypatch):
    ring.manner = manner
    if manner == "hangs":
        monkeypatch.setattr(keyhold, "KEYRING_WITHIN_S", 0.2)
    first = load_cipher(folder)
    (note,) = first.take_notes()
    assert str(folder / "key") in note
    assert "readable by you only" in note
    assert first.kept_in == str(folder / "key")
    assert load_cipher(folder).open(first.seal(b"data", ABOUT), ABOUT) == b"data"
    if os.name == "posix":
        assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600


def test_a_keyring_that_was_locked_once_comes_back_and_both_keys_open(folder, ring):
    in_ring = load_cipher(folder).seal(b"ring", ABOUT)
    ring.manner = "locked"
    in_file = load_cipher(folder).seal(b"file", ABOUT)
    ring.manner = ""
    back = load_cipher(folder)
    assert (back.open(in_ring, ABOUT), back.open(in_file, ABOUT)) == (b"ring", b"file")
    assert back.seal(b"", b"")[:9] == in_ring[:9]


def test_it_can_be_told_to_leave_the_keyring_alone(folder, ring):
    load_cipher(folder, use_keyring=False)
    assert ring.held == {}
    assert (folder / "key").exists()


def test_a_key_file_that_others_could_read_is_closed_and_said(folder):
    load_cipher(folder).take_notes()
    (folder / "key").chmod(0o644)
    if os.name == "posix":
        assert "others could read" in load_cipher(folder).take_notes()[0]
        assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 44])
def test_a_damaged_key_file_is_moved_aside_and_said(folder, content):
    load_cipher(folder)
    (folder / "key").write_bytes(content)
    notes = load_cipher(folder).take_notes()
    assert "moved to" in notes[0]
    assert (folder / "key.damaged-1").read_bytes() == content
    assert load_cipher(folder).take_notes() == []


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="state_dir"):
        load_cipher(tmp_path / "file" / "k7")


def test_edges_that_start_together_make_one_key(folder):
    script = (
        "import sys; from pathlib import Path; from sensors.edge.sealing import keyhold\n"
        "keyhold._LOCK_S = 60.0  # a busy machine may load the keyring for seconds, three times\n"
        "sys.stdout.buffer.write(keyhold.load_cipher(Path(sys.argv[1])).heads[0].hex().encode())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder)],
            cwd=Path(__file__).parents[4],
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    assert len({process.communicate(timeout=60)[0] for process in started}) == 1


def test_a_keyring_that_answers_too_late_is_not_written_to(folder, ring, monkeypatch):
    """By then another edge may have put there what it seals with."""
    ring.manner = "hangs"
    monkeypatch.setattr(keyhold, "KEYRING_WITHIN_S", 0.2)
    load_cipher(folder)
    (late,) = [t for t in threading.enumerate() if t.name == "keyring"]
    ring.release.set()
    late.join(60)
    assert not late.is_alive()
    assert ring.held == {}
