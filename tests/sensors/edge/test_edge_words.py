"""The language of the terminal, and of whoever asks at the same time."""

import asyncio
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from sensors import spoken
from sensors.edge.words import (
    CONSENT_INTRODUCTION,
    CONSENT_TEXT,
    PRIVATE_INTRODUCTION,
    measured,
    names,
)
from sensors.errors import ConfigurationError
from sensors.signals import Channel
from sensors.spoken import answering_in, say, speak, terminal_language
from sensors.words import Words

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def english_again():
    yield
    speak("en")


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh_CN"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_terminal_speaks_what_the_system_does(environ, language):
    assert terminal_language(environ) == language


@pytest.mark.parametrize(
    ("system", "language"),
    [("Chinese (Simplified)_China", "zh_CN"), ("English_United States", "en"), (None, "en")],
)
def test_where_the_environment_says_nothing_the_system_is_asked(monkeypatch, system, language):
    monkeypatch.setattr(spoken.locale, "getlocale", lambda: (system, "UTF-8"))
    assert terminal_language({}) == language


def test_consent_is_asked_in_the_language_that_is_spoken():
    english = say(CONSENT_INTRODUCTION)
    speak("zh_CN")
    assert "在测量任何内容之前" in say(CONSENT_INTRODUCTION)
    assert say(CONSENT_INTRODUCTION) != english
    assert say(PRIVATE_INTRODUCTION) != PRIVATE_INTRODUCTION
    assert "主管" not in say(PRIVATE_INTRODUCTION)
    assert "supervisor" not in PRIVATE_INTRODUCTION
    assert all(say(text) != text for text in CONSENT_TEXT.values())
    assert "心率" in measured(Channel.HEART)
    assert names([]) == "无"


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_what_one_consents_to_is_read_in_a_terminal_of_80_columns(language):
    speak(language)
    texts = [say(CONSENT_INTRODUCTION), say(PRIVATE_INTRODUCTION)]
    texts += [say(text) for text in CONSENT_TEXT.values()] + [measured(c) for c in Channel]
    assert [line for text in texts for line in text.split("\n") if columns(line) > 80] == []


async def test_a_question_is_answered_in_its_own_language_while_others_go_on():
    async def other() -> str:
        return names([])

    with answering_in(Words("zh_CN")):
        assert names([]) == "无"
    assert await asyncio.create_task(other()) == "none"
    assert names([]) == "none"


def test_an_unknown_language_is_refused():
    with pytest.raises(ConfigurationError, match="known: en, zh_CN"):
        speak("fr")


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "DISPLAY"))}
    return subprocess.run(
        [sys.executable, "-m", "wellbeing", "edge", *arguments],
        cwd=ROOT, env={**plain, **environ}, capture_output=True, text=True, timeout=60, check=False,
        encoding="utf-8",
    )  # fmt: skip


def test_the_command_line_speaks_it_too(tmp_path):
    given = ("--agent", "k7", "--state-dir", str(tmp_path))
    assert "未运行" in run(*given, "status", LANG="zh_CN.UTF-8", PYTHONUTF8="1").stdout
    assert "not running" in run(*given, "status", LANG="C.UTF-8").stdout
    asked = run(*given, "--language", "zh_CN", "status", LANG="C.UTF-8", PYTHONUTF8="1")
    assert "未运行" in asked.stdout
    wrong = run(*given, "--language", "fr", "status")
    assert wrong.returncode != 0
    assert "[edge] language is 'fr'; expected one of en, zh_CN" in wrong.stderr


def test_the_page_of_an_edge_that_does_not_run_is_one_line(tmp_path):
    done = run("--agent", "k7", "--state-dir", str(tmp_path), "page")
    assert done.returncode != 0
    assert "no edge is running, and page needs one; start: wellbeing edge" in done.stderr
    assert done.stderr.count("\n") == 1
