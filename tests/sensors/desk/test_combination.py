"""Combinations of keys as people write them."""

from __future__ import annotations

import pytest

from sensors.desk.combination import Combination, parse_combination
from sensors.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "modifiers", "key", "written"),
    [
        ("<ctrl>+<alt>+p", {"ctrl", "alt"}, "p", "<ctrl>+<alt>+p"),
        ("<Alt> + <Control> + P", {"ctrl", "alt"}, "p", "<ctrl>+<alt>+p"),
        ("<win>+<shift>+9", {"cmd", "shift"}, "9", "<shift>+<cmd>+9"),
        ("<shift>+<f12>", {"shift"}, "f12", "<shift>+<f12>"),
        ("<pause>", set(), "pause", "<pause>"),
    ],
)
def test_what_is_understood(text, modifiers, key, written):
    found = parse_combination(text)
    assert found == Combination(frozenset(modifiers), key)
    assert str(found) == written
    assert parse_combination(written) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<ctrl>+<alt>+", "expected keys joined by +"),
        ("<ctrl>+<ctrl>", "expected keys joined by +"),
        ("<hyper>+p", "expected keys joined by +"),
        ("ctrl alt p", "expected keys joined by +"),
        ("<ctrl>+é", "expected keys joined by +"),
        ("<f25>", "expected keys joined by +"),
        ("p", "typing would hit it: add <ctrl>"),
        ("<shift>+p", "typing would hit it: add <ctrl>"),
    ],
)
def test_what_is_refused_names_value_and_remedy(text, words):
    with pytest.raises(ConfigurationError) as error:
        parse_combination(text)
    assert f"[edge] hotkey is {text!r}; " in str(error.value)
    assert words in str(error.value)
    assert "<ctrl>+<alt>+p" in str(error.value)
    assert "\n" not in str(error.value)
