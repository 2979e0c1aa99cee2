"""A combination of keys as people write it: ``<ctrl>+<alt>+p``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sensors.errors import ConfigurationError

MODIFIERS = ("ctrl", "alt", "shift", "cmd")
_ALIASES = {"control": "ctrl", "option": "alt", "super": "cmd", "win": "cmd", "windows": "cmd"}
_ALONE = re.compile(r"f([1-9]|1\d|2[0-4])|pause|scroll_lock")  # used for nothing else by themselves
_EXAMPLE = "<ctrl>+<alt>+p"


@dataclass(frozen=True, slots=True)
class Combination:
    """Modifiers held down and one key.

    Parameters
    ----------
    modifiers : frozenset of str
        Of :data:`MODIFIERS`; ``cmd`` is the Windows, Super or Command key.
    key : str
        A letter, a digit, ``f1`` to ``f24``, ``pause`` or ``scroll_lock``.
    """

    modifiers: frozenset[str]
    key: str

    def __str__(self) -> str:
        """Return it as people write it."""
        key = f"<{self.key}>" if len(self.key) > 1 else self.key
        return "+".join([*(f"<{m}>" for m in MODIFIERS if m in self.modifiers), key])


def parse_combination(text: str) -> Combination:
    """Return the combination that `text` writes.

    Raises
    ------
    ConfigurationError
        If it is none, or one that ordinary typing would hit.

    Examples
    --------
    >>> str(parse_combination("<Alt>+<Control>+P"))
    '<ctrl>+<alt>+p'
    """
    parts = [part.strip().lower() for part in text.split("+")]
    names = [part[1:-1] if re.fullmatch(r"<\w+>", part) else part for part in parts]
    names = [_ALIASES.get(name, name) for name in names]
    modifiers = frozenset(name for name in names[:-1] if name in MODIFIERS)
    key = names[-1]
    is_key = re.fullmatch(r"[a-z0-9]", key) or _ALONE.fullmatch(key)
    if not is_key or len(modifiers) != len(names) - 1:
        raise ConfigurationError(
            f"[edge] hotkey is {text!r}; expected keys joined by +, such as {_EXAMPLE}: any of "
            f"<{'>, <'.join(MODIFIERS)}>, then a letter, a digit, <f1> to <f24> or <pause>"
        )
    if not _ALONE.fullmatch(key) and not modifiers & {"ctrl", "alt", "cmd"}:
        raise ConfigurationError(
            f"[edge] hotkey is {text!r}; typing would hit it: add <ctrl>, <alt> or <cmd>, "
            f"such as {_EXAMPLE}"
        )
    return Combination(modifiers, key)
