"""One catalogue: nothing untranslated, nothing unused, no word that names a feeling."""

import re

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from sensors.errors import ConfigurationError
from sensors.words import FOLDER, LANGUAGES, Words, language_for
from tests.sensors.catalogue import ROOT, messages, used

FORBIDDEN = re.compile(
    r"\b(angry|anger|depress\w*|burn-?out|mood|stress_level|emotion\w*|diagnos\w*|ranking|rank|user)\b"
    r"|愤怒|抑郁|倦怠|情绪|用户|排名|压力",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(r"\{\w+\}")


def _entries(language: str) -> dict[tuple[str, ...], Message]:
    path = FOLDER / language / "LC_MESSAGES" / "wellbeing.po"
    with path.open("rb") as file:
        found = read_po(file, locale=language)
    return {(m.id,) if isinstance(m.id, str) else tuple(m.id): m for m in found if m.id}


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_catalogue_has_every_string_of_the_code_and_no_other(language: str) -> None:
    known = set(_entries(language))
    assert messages() - known == set(), "not in the catalogue"
    assert known - messages() == set(), "in the catalogue and never said"


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_string_is_translated_with_the_same_placeholders(language: str) -> None:
    for ids, entry in _entries(language).items():
        said = [entry.string] if isinstance(entry.string, str) else list(entry.string)
        assert not entry.fuzzy, ids
        for text in said:
            assert text, f"{ids} is not translated"
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(ids[0])), ids


def test_no_page_names_a_feeling_a_diagnosis_or_a_rank() -> None:
    found = [(where, text) for where, texts in used() for text in texts if FORBIDDEN.search(text)]
    assert found == []


def test_no_translation_names_a_feeling_a_diagnosis_or_a_rank() -> None:
    texts = [str(m.string) for code in LANGUAGES if code != "en" for m in _entries(code).values()]
    assert [text for text in texts if FORBIDDEN.search(text)] == []


def test_style_and_script_say_nothing() -> None:
    # Words in CSS or JavaScript would escape the catalogue.
    folders = (ROOT / "dashboard" / "components", ROOT / "sensors" / "edge" / "page")
    for path in (p for folder in folders for p in folder.glob("page.*") if p.suffix != ".html"):
        assert not re.search(r"content:\s*\"[^\"]*\w", path.read_text(encoding="utf-8")), path


def test_plural_forms() -> None:
    words = Words("en")
    assert words.say_n("{n} needs you", "{n} need you", 1) == "1 needs you"
    assert words.say_n("{n} needs you", "{n} need you", 2) == "2 need you"
    assert Words("zh_CN").say_n("{n} needs you", "{n} need you", 2) == "2 项需要您"


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("zh-CN", "zh_CN"), ("zh", "zh_CN"), ("de-DE", "en"), (None, "en"), ("", "en")],
)
def test_browser_language(wanted: str | None, language: str) -> None:
    assert language_for(wanted) == language


def test_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'fr'; known: en, zh_CN"):
        Words("fr")
