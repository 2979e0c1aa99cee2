"""Pseudonyms of one study: the same person has another in every study.

HMAC-SHA256 under a random key per study. Without the two keys nobody can tell
which pseudonym of one study is which of another; the key never leaves its file.
"""

from __future__ import annotations

import hmac
import os
import secrets
from base64 import b32encode
from hashlib import sha256
from pathlib import Path

from sensors.errors import StateError

KEY_NAME = "study.key"
_KEY_BYTES = 32
_LENGTH = 10  # 50 bits: among 10,000 people two share one with a chance of 1 in 20 million


class Pseudonyms:
    """Pseudonyms of one study.

    Parameters
    ----------
    key : bytes
        The study's secret, 32 bytes.
    site : str
    """

    def __init__(self, key: bytes, site: str) -> None:
        self._key = key
        self._site = site

    def of(self, agent: str) -> str:
        """Return the study's pseudonym of `agent`."""
        return "p" + self._hashed(f"agent/{self._site}/{agent}")

    def of_alert(self, alert_id: str) -> str:
        """Return the study's name of an alert: its own is made from the agent."""
        return "a" + self._hashed(f"alert/{self._site}/{alert_id}")

    def _hashed(self, text: str) -> str:
        digest = hmac.digest(self._key, text.encode(), sha256)
        return b32encode(digest).decode("ascii").lower()[:_LENGTH]


def study_key(folder: Path) -> bytes:
    """Return the key of the study in `folder`; made at the first call, mode 0600.

    Raises
    ------
    StateError
        If others can read it, it is damaged, or it can be neither read nor made.
    """
    path = folder / KEY_NAME
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept_key(path)
    except OSError as error:
        raise StateError(f"cannot make {path}: {error.strerror}") from None
    with os.fdopen(handle, "wb") as file:
        key = secrets.token_bytes(_KEY_BYTES)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


def _kept_key(path: Path) -> bytes:
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise StateError(f"{path} can be read by others; run: chmod 600 {path}")
        key = path.read_bytes()
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from None
    if len(key) != _KEY_BYTES:
        raise StateError(
            f"{path} is damaged; restore it from a backup, "
            "or remove it: pseudonyms of earlier exports then match no later ones"
        )
    return key
