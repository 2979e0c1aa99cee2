"""Where the identity of a key ends: inside the callback (TRUST T2).

A release must find its press, and backspace and delete count as corrections;
for nothing else does it matter which key it was. The callback hands the key
to :class:`KeyDropper`, which

- looks at it once, for the one class *correction*;
- turns it into a token, a keyed hash under a random key of this run, and
  keeps the token only while the key is held down (and for the moment after,
  in which it may turn out to repeat), to find the press again;
- passes on a running number and a time.

So what is queued, logged or sent holds numbers and times only. While a key
is held, its token is in memory; whoever can read the process's memory can
also read the keyboard, and nobody else can: the token says nothing without
this run's random key, and two runs give the same key different tokens.
"""

from __future__ import annotations

import hashlib
import secrets

from sensors.collector import Reading
from sensors.hid.timing import KeyTiming

_LOST_S = 10.0
"""A key held for longer has lost its release (screen lock, session switch). [s]"""

_REPEAT_S = 0.004
"""X reports a key that repeats as released and pressed at one time. [s]
Nobody presses a key twice within this."""


class KeyDropper:
    """Drop the identity of keys and keep their timing.

    Parameters
    ----------
    renamed : bool
        Whether a key may have another name when it is released, as a
        character has once Shift was let go.
    """

    def __init__(self, *, renamed: bool = True) -> None:
        self._renamed = renamed
        self._secret = secrets.token_bytes(32)
        self._timing = KeyTiming()
        self._held: dict[bytes, tuple[int, float]] = {}  # token -> number, last sign of life
        self._count = 0
        self._lifted: tuple[bytes, int, float] | None = None

    def press(self, key: str, at_s: float, *, correction: bool) -> list[Reading]:
        """Return what pressing `key` tells; a repeat of a held key tells nothing.

        Parameters
        ----------
        key : str
            Any name of the key; not kept.
        at_s : float
            When. [s]
        correction : bool
            Whether it is backspace or delete.
        """
        token = self._token(key)
        if self._lifted and self._lifted[0] == token and at_s - self._lifted[2] < _REPEAT_S:
            self._held[token] = self._lifted[1], at_s
            self._lifted = None
            return []
        found = self.settle(at_s, anyway=True)
        if token in self._held:
            self._held[token] = self._held[token][0], at_s
            return found
        self._forget_lost(at_s)
        self._count += 1
        self._held[token] = self._count, at_s
        return found + self._timing.press(self._count, at_s, correction=correction)

    def release(self, key: str, at_s: float) -> list[Reading]:
        """Return what releasing keys has told so far.

        A release is held back for a moment, to see whether it belongs to a
        key that repeats; :meth:`settle` gives it out.
        """
        token = self._token(key)
        found = self.settle(at_s, anyway=True)
        if self._renamed and token not in self._held and len(self._held) == 1:
            # Shift was let go in between, and the key now has another name.
            token = next(iter(self._held))
        if token in self._held:
            number, _ = self._held.pop(token)
            self._lifted = token, number, at_s
        return found

    def settle(self, now_s: float, *, anyway: bool = False) -> list[Reading]:
        """Return what became known because nothing happened until `now_s`.

        That is what the last release tells, once it cannot be a repeat any
        more, and the burst that a pause has ended.
        """
        found: list[Reading] = []
        if self._lifted is not None:
            _, number, at_s = self._lifted
            if not anyway and now_s - at_s < _REPEAT_S:
                return []
            self._lifted = None
            found = self._timing.release(number, at_s)
        return found + self._timing.rest(now_s)

    def lose(self) -> None:
        """Give up what is held: events were lost, and their releases may be among them."""
        for number, _ in self._held.values():
            self._timing.forget(number)
        self._held.clear()
        self._lifted = None

    def _token(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode(), key=self._secret, digest_size=8).digest()

    def _forget_lost(self, now_s: float) -> None:
        for token, (number, since_s) in list(self._held.items()):
            if now_s - since_s > _LOST_S:
                del self._held[token]
                self._timing.forget(number)
