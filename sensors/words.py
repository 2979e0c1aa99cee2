"""Every word a person reads: one gettext catalogue, English in the code, Chinese beside it.

Strings are written in English where they are used (``words.say("Take")``) and
translated by ``languages/<language>/LC_MESSAGES/wellbeing.po``, which is
compiled in memory when it is first needed, so that it cannot go stale. Who
speaks English needs nothing installed for it.
"""

from __future__ import annotations

import gettext
import io
from functools import lru_cache
from pathlib import Path

from sensors.errors import ConfigurationError, MissingExtraError

LANGUAGES: dict[str, str] = {"en": "English", "zh_CN": "简体中文"}
"""Languages by code, each named in itself."""

FOLDER = Path(__file__).parent / "languages"


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "translate this later"
    """Return `text` unchanged; marks it for the catalogue."""
    return text


class Words:
    """The words of one language.

    Parameters
    ----------
    language : str
        One of `LANGUAGES`.

    Raises
    ------
    ConfigurationError
        If there is no such language; names the known ones.
    MissingExtraError
        If it is not English and Babel is not installed.
    """

    def __init__(self, language: str = "en") -> None:
        if language not in LANGUAGES:
            raise ConfigurationError(f"language is {language!r}; known: {', '.join(LANGUAGES)}")
        self.language = language
        self._catalogue = catalogue(language)

    @property
    def tag(self) -> str:
        """The language as browsers and screen readers name it."""
        return "zh-Hans" if self.language == "zh_CN" else self.language

    def say(self, text: str, **values: object) -> str:
        """Return `text` in this language with `values` filled in."""
        said = self._catalogue.gettext(text)
        return said.format(**values) if values else said

    def say_n(self, one: str, many: str, n: int, **values: object) -> str:
        """Return the form of `one` / `many` that `n` asks for, with ``{n}`` filled in."""
        return self._catalogue.ngettext(one, many, n).format(n=n, **values)

    def join(self, *sentences: str) -> str:
        """Return `sentences` one after the other, spaced as this language does."""
        gap = "" if self.language == "zh_CN" else " "
        return gap.join(sentence for sentence in sentences if sentence)

    def listed(self, names: list[str]) -> str:
        """Return `names` as a list within a sentence."""
        return ("、" if self.language == "zh_CN" else ", ").join(names)

    def series(self, parts: list[str]) -> str:
        """Return `parts`, each of several words, as an enumeration within a sentence."""
        return self.say(", ").join(parts)


def language_for(wanted: str | None) -> str:
    """Return the language that a browser's or system's locale (``zh-CN``) comes closest to."""
    return "zh_CN" if (wanted or "").lower().startswith(("zh", "chinese")) else "en"


@lru_cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the compiled catalogue of `language`; English is the text itself."""
    path = FOLDER / language / "LC_MESSAGES" / "wellbeing.po"
    if language == "en":
        return gettext.NullTranslations()
    try:
        from babel.messages.mofile import write_mo  # noqa: PLC0415 - only for other languages
        from babel.messages.pofile import read_po  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError(
            f"{LANGUAGES[language]} needs Babel; run: pip install 'agent-wellbeing[page]'"
        ) from None
    with path.open("rb") as file:
        messages = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
