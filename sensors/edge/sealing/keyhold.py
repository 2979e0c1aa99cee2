"""Where the key of what waits on this machine lies: the system's keyring, else a file.

The only importer of keyring. A keyring may be absent, locked, pretend to keep
(its null backend) or wait for somebody to click: it is asked in a thread with
a limit, believed only when it returns what it was given, and otherwise a file
takes its place that only its owner can read. Both open what they once sealed,
so a keyring that is locked at one start loses nothing: what its key sealed
waits in the outbox until a start at which it answers.
"""

from __future__ import annotations

import base64
import binascii
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import NamedTuple

from sensors.edge.sealing.cipher import KEY_BYTES, Cipher, new_key
from sensors.errors import StateError
from sensors.replacing import alone

KEYRING_WITHIN_S = 3.0
"""Longest wait for the keyring at a start; the first window takes 5 s anyway. [s]"""

SERVICE = "agent-wellbeing"
KEY_FILE = "key"
_LOCK_FILE = "key.lock"
_LOCK_S = KEYRING_WITHIN_S + 2.0
_WORDS = {"NoKeyringError": "there is none", "KeyringLocked": "locked"}


class _Answer(NamedTuple):
    key: bytes | None
    why_not: str = ""
    is_new: bool = False


def load_cipher(folder: Path, *, use_keyring: bool = True) -> Cipher:
    """Return the cipher of the agent whose state is in `folder`; make its key if there is none.

    Parameters
    ----------
    folder : Path
        ``.../site/agent``; these two name the key in the keyring.
    use_keyring : bool
        ``False`` keeps the key in a file whatever the system offers.

    Raises
    ------
    StateError
        If neither can keep a key; names the file and the remedy.
    """
    path = folder / KEY_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(folder / _LOCK_FILE, _LOCK_S):  # two that start together make one key, not two
            answer = _Answer(None, "not wanted")
            if use_keyring:
                answer = _ask_keyring(f"{folder.parent.name}/{folder.name}")
            return _with_file(path, answer)
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise StateError(f"cannot keep a key in {path}: {why}; check [edge] state_dir") from None


def _with_file(path: Path, answer: _Answer) -> Cipher:
    """Return the cipher of the keyring's key, with the file's beside or in its place."""
    notes: list[str] = []
    filed = _read_file(path, notes)
    if answer.key is not None:
        if answer.is_new:
            notes.append("what waits here is encrypted; its key is new, in the system's keyring")
        older = [filed] if filed else []
        return Cipher(answer.key, older, kept_in="the system's keyring", notes=notes)
    if filed is None:
        filed = new_key()
        _write_file(path, filed)
        notes.append(
            f"what waits here is encrypted; its key is new, in {path}, "
            f"readable by you only (keyring: {answer.why_not})"
        )
    return Cipher(filed, kept_in=str(path), notes=notes)


def _ask_keyring(account: str) -> _Answer:
    """Return what the keyring holds for `account`, within the time limit."""
    answers: list[_Answer] = []
    too_late = threading.Event()

    def ask() -> None:
        try:
            answers.append(_keyring_key(account, too_late))
        except ImportError:
            answers.append(_Answer(None, "not installed"))
        except Exception as error:  # noqa: BLE001 - every backend has errors of its own
            kind = type(error).__name__
            answers.append(_Answer(None, _WORDS.get(kind, kind)))

    thread = threading.Thread(target=ask, name="keyring", daemon=True)
    thread.start()
    thread.join(KEYRING_WITHIN_S)
    too_late.set()
    return answers[0] if answers else _Answer(None, f"no answer in {KEYRING_WITHIN_S:g} s")


def _keyring_key(account: str, too_late: threading.Event) -> _Answer:
    import keyring  # noqa: PLC0415 - an extra; its import costs 0.2 s

    held = keyring.get_password(SERVICE, account)
    if held is not None:
        return _Answer(_decoded(held), "holds something else under our name")
    if too_late.is_set():  # by now another edge may have put there what it seals with
        return _Answer(None, "too late")
    made = base64.b64encode(new_key()).decode("ascii")
    keyring.set_password(SERVICE, account, made)
    if keyring.get_password(SERVICE, account) != made:
        return _Answer(None, "keeps nothing")
    return _Answer(_decoded(made), is_new=True)


def _decoded(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _read_file(path: Path, notes: list[str]) -> bytes | None:
    """Return the file's key; one that is damaged is moved aside, with a note."""
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None
    if os.name == "posix" and mode & 0o077:
        path.chmod(0o600)
        notes.append(f"others could read {path}; now only you can")
    key = _decoded(text)
    if key is None:
        aside = free_name(path)
        path.rename(aside)
        notes.append(
            f"{path} held no key; moved to {aside}: what it sealed cannot be read "
            "unless the right file is put back"
        )
    return key


def _write_file(path: Path, key: bytes) -> None:
    """Put `key` into `path` so that a power cut leaves all of it or nothing."""
    made = path.with_name(f"{path.name}.new")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(base64.b64encode(key))
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def free_name(path: Path) -> Path:
    """Return the first ``PATH.damaged-N`` that is not taken."""
    return next(
        aside
        for n in range(1, 1_000_000)
        if not (aside := path.with_name(f"{path.name}.damaged-{n}")).exists()
    )
