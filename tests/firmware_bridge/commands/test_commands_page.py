"""firmware_bridge/COMMANDS.md says what the command does: every verb, option and transcript."""

import re

import pytest

from firmware_bridge.commands.verbs import VERBS
from tests.firmware_bridge.commands_page import (
    PAGE,
    options,
    transcripts,
    typed_anew,
    verbs,
    with_tables,
)

ANEW = "run: python -m tests.firmware_bridge.commands_page"
TEXT = PAGE.read_text(encoding="utf-8")

# What a look may hold or not, by when it is taken, and beats, which take ten seconds.
SOMETIMES = set(
    re.findall(
        r"\w+",
        "battery said log information script rest undescribed no beats yet the first come ten "
        "seconds after sensor lies still on not known drift ppm pulse rr_ms min ms times to",
    )
)


def words(shown):
    """Return the words of a transcript: no figures, no plots, nothing that depends on the moment."""
    return set(re.findall(r"[A-Za-z_][A-Za-z_-]+", shown)) - SOMETIMES


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_and_option_is_documented(verb):
    assert f"\n## {verb}\n" in TEXT, f"write a section for it, then {ANEW}"
    section = TEXT.split(f"\n## {verb}\n")[1].split("\n## ")[0]
    assert f"<!-- options: {verb} -->" in section
    assert verbs()[verb].help
    for names, text in options(verb):
        assert text, f"{verb} {names} has no help"
        assert f"| {names} | {text.replace('|', chr(92) + '|')} |" in section, f"{ANEW} --options"
    assert with_tables(section) == section, f"{ANEW} --options"


@pytest.mark.parametrize("verb", VERBS)
def test_the_list_of_all_says_of_a_verb_what_its_own_help_begins_with(verb):
    assert verbs()[verb].help.split("\n\n")[0] == VERBS[verb].help


def test_nothing_is_documented_that_there_is_not():
    assert re.findall(r"\n## (\w+)\n", TEXT) == list(verbs())


def test_every_transcript_is_what_a_terminal_shows():
    written = transcripts(TEXT)
    assert len(written) > 9
    screen = next(shown for typed, shown in written if typed == "monitor --port headset")
    now = dict(typed_anew(TEXT, is_enough=lambda frame: words(screen) <= words(frame)))
    for typed, shown in written:
        assert words(now[typed]) == words(shown), f"{typed}: {ANEW}"
        assert (
            len(now[typed].splitlines()) == len(shown.splitlines())
            or "monitor" in typed
            or ("replay" in typed)
        ), f"{typed}: {ANEW}"
