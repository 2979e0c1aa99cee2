"""AES-GCM over everything the edge keeps on disk: the only importer of cryptography.

A sealed piece is ``version, key's name, nonce, ciphertext and tag``. The nonce
is 96 random bits: NIST SP 800-38D (8.3) allows 2**32 pieces under one key, and
an edge seals 17,280 windows a day and some 3,000 rows of its own record, so a
key would last for five centuries; nothing has to be counted, and so nothing can
be counted wrongly after a restored backup or a copied virtual machine. Version,
key's name and what the piece is about are authenticated with it: a piece that
was put in another one's place does not open.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sensors.errors import StateError

KEY_BYTES = 32
"""AES-256."""

HEAD_BYTES = 9
"""Version and key's name: what says which key opens a piece."""

_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16


class SealError(StateError):
    """A sealed piece does not open: another key's, damaged, or put in another's place."""


def new_key() -> bytes:
    """Return a fresh key from the system's source of randomness."""
    return os.urandom(KEY_BYTES)


def key_head(key: bytes) -> bytes:
    """Return how every piece sealed with `key` begins; says nothing about the key itself."""
    return _VERSION + hashlib.sha256(b"agent-wellbeing key name" + key).digest()[: HEAD_BYTES - 1]


class Cipher:
    """Seals with one key; opens with it and with those that came before it.

    Parameters
    ----------
    key : bytes, shape (32,)
        What seals from now on.
    older : iterable of bytes
        Keys that open what they once sealed.
    kept_in : str
        Where the key lies, in words for the agent.
    notes : iterable of str
        What the person at the machine should know about it.
    """

    def __init__(
        self,
        key: bytes,
        older: Iterable[bytes] = (),
        *,
        kept_in: str = "memory only",
        notes: Iterable[str] = (),
    ) -> None:
        self._head = key_head(key)
        self._keys = {key_head(each): AESGCM(each) for each in (key, *older)}
        self.kept_in = kept_in
        self._notes = list(notes)

    @property
    def heads(self) -> tuple[bytes, ...]:
        """How the pieces begin that this cipher has a key for."""
        return tuple(self._keys)

    def seal(self, data: bytes, about: bytes) -> bytes:
        """Return `data` sealed; only who names the same `about` can open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._keys[self._head].encrypt(nonce, data, self._head + about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Return what was sealed for `about`.

        Raises
        ------
        SealError
            If its key is not here, or it is not what was sealed.
        """
        head, rest = sealed[:HEAD_BYTES], sealed[HEAD_BYTES:]
        aes = self._keys.get(head)
        if aes is None:
            raise SealError("sealed with a key that is not here")
        if len(rest) < _NONCE_BYTES + _TAG_BYTES:
            raise SealError("cut short")
        try:
            return aes.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + about)
        except InvalidTag:
            raise SealError("changed since it was sealed, or put in another's place") from None

    def take_notes(self) -> list[str]:
        """Return what the person at the machine should know, once."""
        notes, self._notes = self._notes, []
        return notes
