"""The language that is spoken now: the terminal's, or that of whoever asks at this moment.

Texts are marked where they stand and said in a language where they are used:
a terminal and the agent's page may speak different ones at the same time.
What is sent over the wire never passes through here.
"""

from __future__ import annotations

import contextlib
import locale
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

from sensors.words import Words, language_for


class _Terminal:
    """The language of this process's terminal; English until `speak` was called."""

    words = Words()


_asked_in: ContextVar[Words | None] = ContextVar("_asked_in", default=None)


def speak(language: str) -> None:
    """Let `say` speak `language` from now on, one of `sensors.words.LANGUAGES`.

    Raises
    ------
    ConfigurationError, MissingExtraError
        As :class:`sensors.words.Words` does.
    """
    _Terminal.words = Words(language)


@contextlib.contextmanager
def answering_in(words: Words) -> Iterator[None]:
    """Let `say` speak as `words` do while one question is answered, whatever the terminal speaks."""
    token = _asked_in.set(words)
    try:
        yield
    finally:
        _asked_in.reset(token)


def say(text: str, **values: object) -> str:
    """Return `text` in the language that is spoken now, with `values` filled in."""
    return spoken().say(text, **values)


def spoken() -> Words:
    """Return the words of the language that is spoken now."""
    return _asked_in.get() or _Terminal.words


def terminal_language(environ: Mapping[str, str]) -> str:
    """Return the language that a terminal's `environ` asks for, as programs on POSIX read it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return language_for(environ[name])
    return language_for(locale.getlocale()[0])  # Windows sets none of them
