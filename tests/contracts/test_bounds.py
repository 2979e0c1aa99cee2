"""The bounds that the catalogue promises for identities, texts and counts are enforced."""

from dataclasses import fields
from functools import cache
from typing import get_args, get_type_hints

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from sensors import messages
from sensors.errors import MessageError, Refusal
from tests.contracts.strategies import KINDS

one = settings(
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=1,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@cache
def _example(kind):
    """Return one valid message of `kind`."""
    found = []

    @one
    @given(KINDS[kind])
    def collect(message):
        found.append(message)

    collect()
    return found[0]


def _fields_of(*plain):
    """Return (message, field) pairs whose type, without None, is one of `plain`."""
    for kind in get_args(messages.Message):
        hints = get_type_hints(kind)
        for field in fields(kind):
            hint = hints[field.name]
            options = {a for a in get_args(hint) if a is not type(None)} or {hint}
            if hint in plain or options <= set(plain):
                yield kind, field.name


def _with(kind, name, value):
    """Return a valid message of `kind` in which only `name` is replaced."""
    good = _example(kind)
    values = {f.name: getattr(good, f.name) for f in fields(kind)} | {name: value}
    return kind(**values)


def _ids(pairs):
    return [f"{kind.__name__}.{name}" for kind, name in pairs]


TEXTS = list(_fields_of(str))
COUNTS = list(_fields_of(int))


@pytest.mark.parametrize(("kind", "name"), TEXTS, ids=_ids(TEXTS))
def test_no_text_is_unbounded(kind, name):
    with pytest.raises(MessageError) as caught:
        _with(kind, name, "a" * 501)
    assert caught.value.refusal is Refusal.OUT_OF_RANGE
    assert name in caught.value.detail


@pytest.mark.parametrize(("kind", "name"), COUNTS, ids=_ids(COUNTS))
def test_no_count_is_negative(kind, name):
    below = -1_081 if name == "utc_offset_min" else -1
    assert not _accepts(kind, name, below)


def _accepts(kind, name, value):
    try:
        _with(kind, name, value)
    except MessageError:
        return False
    return True


FREE_TEXT = {"version", "detector_version", "reason", "note", "part"}
IDENTITIES = [(kind, name) for kind, name in TEXTS if name not in FREE_TEXT]


@pytest.mark.parametrize(("kind", "name"), IDENTITIES, ids=_ids(IDENTITIES))
@pytest.mark.parametrize("bad", ["", "Kim Sato", "a/b", "a#", "abcdefgh\n", "../../etc"])
def test_an_identity_is_never_a_name_or_a_topic(kind, name, bad):
    assert not _accepts(kind, name, bad)


def test_told_to_holds_identities():
    assert not _accepts(messages.AlertMessage, "told_to", ("Ana Lopez",))


@pytest.mark.parametrize("kind", [messages.AlertMessage, messages.NoticeMessage])
def test_an_explanation_has_three_parts_at_most(kind):
    part = messages.Contribution(part="heart", level=1)
    assert _accepts(kind, "contributions", (part,) * 3)
    assert not _accepts(kind, "contributions", (part,) * 4)


def test_a_share_is_a_share():
    assert not _accepts(messages.AlertMessage, "quality", 1.5)
    assert not _accepts(messages.AlertMessage, "quality", float("nan"))
