"""TRUST T3, T7, T12: what may be said at all. A new field fails here until it is described."""

import ast
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

import pytest

from sensors import messages, signals
from sensors.signals import FIELDS, SIGNALS, Channel

ROOT = Path(__file__).parents[2]
LEAVES = (str, int, float, bool, datetime, type(None))


def _walk(hint, seen):
    """Yield (dataclass, field name, None) and (None, "", leaf type) for all a type reaches."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint):
        if hint in seen:
            return
        seen.add(hint)
        hints = typing.get_type_hints(hint)
        for field in fields(hint):
            yield hint, field.name, None
            yield from _walk(hints[field.name], seen)
    elif origin is typing.Literal:
        assert all(isinstance(word, str) for word in arguments)
    elif origin in (typing.Union, types.UnionType, tuple, dict, Mapping):
        for argument in arguments:
            if argument is not Ellipsis:
                yield from _walk(argument, seen)
    else:
        yield None, "", hint


@pytest.fixture(scope="module")
def reachable():
    return list(_walk(messages.Message, set()))


def test_every_field_of_every_message_is_described(reachable):
    described = {*SIGNALS, *FIELDS}
    unknown = {
        (kind.__name__, name) for kind, name, _ in reachable if kind and name not in described
    }
    # A channel's section carries the channel's name; its fields are walked themselves.
    unknown -= {("ReadingMessage", channel.value) for channel in Channel}
    assert unknown == set()


def test_only_plain_types_travel(reachable):
    """No bytes, no Any, no object: nothing that could hold audio or a key."""
    leaves = {leaf for _, _, leaf in reachable if leaf is not None}
    assert {leaf for leaf in leaves if not issubclass(leaf, (*LEAVES, Enum))} == set()


def test_every_field_entry_is_used(reachable):
    used = {name for kind, name, _ in reachable if kind}
    assert set(FIELDS) - used == set()


def test_every_signal_is_carried_by_its_section():
    carried = {}
    for channel, kind in messages.SECTIONS.items():
        names = {f.name for f in fields(kind)} - {"quality", "values"}
        if kind is messages.Modules:
            names = {s.name for s in signals.of_channel(channel)}
        carried |= dict.fromkeys(names, channel)
    assert carried == {name: entry.channel for name, entry in SIGNALS.items()}


def test_a_new_field_would_be_found():
    """The walk itself must be able to fail."""
    found = list(_walk(messages.ReadingMessage, set()))
    assert {"rr_ms", "absent", "contact", "seq"} <= {name for _, name, _ in found}
    assert {float, int, str, datetime, messages.Absence} <= {leaf for _, _, leaf in found}


def test_withheld_is_the_only_private_reason():
    assert {reason.value for reason in messages.Absence} == {
        "withheld", "disconnected", "not_worn", "poor", "fault",
    }  # fmt: skip


PRIVATE = re.compile(r"paused|refused|lock(ed)?|off_shift|private|withdrawn", re.IGNORECASE)
FEELINGS = re.compile(
    r"angr(y|ier)|anger|annoyed|depress\w*|burn-?out|mood\w*|emotion\w*|happy|unhappy|sad(ness)?"
    r"|frustrat\w*|anxi(ous|ety)|mental(ly)?|生气|愤怒|抑郁|倦怠|情绪|沮丧|焦虑",
    re.IGNORECASE,
)
NAMES = re.compile(r"stress_level|stress|burnout|risk|alarm|user(_id)?|client", re.IGNORECASE)


def _words_of_schema(reachable):
    yield from {name for kind, name, _ in reachable if kind}
    yield from {kind.__name__ for kind, _, _ in reachable if kind}
    for leaf in {leaf for _, _, leaf in reachable if leaf is not None}:
        if issubclass(leaf, Enum):
            yield from (str(member.value) for member in leaf)


def _whole(pattern, text):
    """Return the forbidden words in `text` as whole words; `_` parts words too."""
    flat = re.sub(r"[_\W]+", " ", text) + " " + text
    return [
        found.group()
        for found in pattern.finditer(flat)
        if not re.match(r"[a-z]", flat[found.end() : found.end() + 1], re.IGNORECASE)
        and not re.search(r"[a-z]$", flat[: found.start()], re.IGNORECASE)
    ]


def test_no_forbidden_word_in_the_schema(reachable):
    words = list(_words_of_schema(reachable))
    assert len(words) > 100
    bad = {w for w in words if _whole(FEELINGS, w) or _whole(NAMES, w) or _whole(PRIVATE, w)}
    assert bad == set()


def test_no_feeling_in_the_catalogue():
    texts = [f"{s.name} {s.meaning}" for s in SIGNALS.values()]
    texts += [f"{f.name} {f.bounds} {f.meaning}" for f in FIELDS.values()]
    assert [t for t in texts if _whole(FEELINGS, t) or _whole(NAMES, t)] == []


def _strings(path):
    """Return what a page may show: string constants that are not docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.value


PAGES = sorted(
    path
    for folder in (ROOT / "dashboard", ROOT / "sensors" / "edge")
    for path in folder.rglob("*")
    if path.suffix in {".py", ".json", ".toml", ".po", ".html", ".css", ".js", ".md"}
    and "__pycache__" not in path.parts
)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_feeling_on_a_page(path):
    text = path.read_text(encoding="utf-8")
    shown = list(_strings(path)) if path.suffix == ".py" else [text]
    assert [word for piece in shown for word in _whole(FEELINGS, piece)] == []


@pytest.mark.parametrize("text", ["mood_score", "is angry", "burnout", "Burn-out", "情绪不好"])
def test_the_word_test_finds_words(text):
    assert _whole(FEELINGS, text)


@pytest.mark.parametrize("text", ["sadly", "moodle", "private_mode"])
def test_the_word_test_leaves_others_alone(text):
    assert not _whole(re.compile("sad|mood"), text)
