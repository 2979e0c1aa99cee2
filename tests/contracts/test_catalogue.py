"""The catalogue of signals is consistent with itself and with the sections."""

import re
import typing
from collections import Counter
from dataclasses import MISSING, fields
from itertools import pairwise
from math import isfinite, nan
from pathlib import Path

import pytest

from sensors import messages, signals
from sensors.errors import ConfigurationError
from sensors.signals import FIELDS, SIGNALS, Channel, Reduction

# A name that ends so is measured in this unit (glossary of STYLE).
UNIT_OF_SUFFIX = {
    "_ms": "ms", "_bpm": "1/min", "_hz": "Hz", "_db": "dB", "_us": "uS", "_c": "degC", "_g": "g",
    "_lux": "lux", "_m": "m", "_st": "semitone", "_px_s": "px/s", "_px_s2": "px/s2",
    "_per_min": "1/min", "_st_s": "semitone/s", "_db_hz": "dB/Hz",
}  # fmt: skip
EXCEPTIONS = {"speech_rate_hz": "1/s", "loudness_db": "dBFS"}

every_signal = pytest.mark.parametrize("entry", SIGNALS.values(), ids=SIGNALS)


def test_names_are_unique():
    source = Path(signals.__file__).read_text(encoding="utf-8")
    names = re.findall(r'^    _(?:entry|field)\("(\w+)"', source, re.MULTILINE)
    assert len(names) == len(SIGNALS) + len(FIELDS)
    assert [name for name, number in Counter(names).items() if number > 1] == []


@every_signal
def test_an_entry_is_complete_and_sane(entry):
    assert re.fullmatch(r"[a-z][a-z0-9_]*", entry.name)
    assert isfinite(entry.low)
    assert isfinite(entry.high)
    assert entry.low < entry.high
    assert entry.unit
    assert entry.meaning.endswith(".")
    assert entry.source
    assert entry.accepts(entry.low)
    assert entry.accepts(entry.high)
    assert not entry.accepts(nan)
    assert not entry.accepts(entry.high * 1.001 + 1e-6)


@every_signal
def test_the_unit_is_the_one_the_name_says(entry):
    suffixes = [s for s in UNIT_OF_SUFFIX if entry.name.endswith(s)]
    expected = UNIT_OF_SUFFIX[max(suffixes, key=len)] if suffixes else "1"
    assert entry.unit == EXCEPTIONS.get(entry.name, expected)
    if entry.name.endswith(("_ratio", "contact", "presence")):
        assert (entry.low, entry.high) == (0, 1)


@every_signal
def test_a_derived_signal_names_another_of_its_channel(entry):
    assert (entry.reduction is Reduction.IQR) == ("_iqr_" in entry.name)
    if entry.reduces is None:
        assert entry.reduction is not Reduction.IQR
        return
    parent = SIGNALS[entry.reduces]
    assert parent.channel is entry.channel
    assert parent.unit == entry.unit
    assert parent.reduces is None
    assert entry.name not in set(signals.readable_names())


def _field(entry):
    kind = messages.SECTIONS[entry.channel]
    hint = typing.get_type_hints(kind)[entry.name]
    return hint, next(f for f in fields(kind) if f.name == entry.name)


@pytest.mark.parametrize(
    "entry", [s for s in SIGNALS.values() if s.channel is not Channel.MODULES], ids=lambda s: s.name
)
def test_the_section_fits_the_reduction(entry):
    hint, field = _field(entry)
    assert field.default is not MISSING
    if entry.reduction is Reduction.ALL:
        assert hint == tuple[float, ...]
    elif entry.reduction is Reduction.SUM:
        # A count of nothing is zero; a measurement of nothing is unknown.
        assert hint is float
        assert field.default == 0.0
        assert entry.low == 0
    else:
        assert hint == float | None
        assert field.default is None


def test_modules_are_single_values():
    reductions = {s.reduction for s in signals.of_channel(Channel.MODULES)}
    assert reductions <= {Reduction.MEAN, Reduction.MEDIAN, Reduction.LAST, Reduction.MAX}


def test_channels_stand_together_in_catalogue_order():
    order = [entry.channel for entry in SIGNALS.values()]
    changes = sum(a is not b for a, b in pairwise(order))
    assert changes == len(Channel) - 1
    assert {c: len(signals.of_channel(c)) for c in Channel} == Counter(order)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"unknown signal 'hrv'; known signals: hr_bpm, "):
        signals.signal("hrv")
    assert signals.signal("hr_bpm") is SIGNALS["hr_bpm"]


def test_every_field_says_what_it_is():
    for entry in FIELDS.values():
        assert entry.unit
        assert entry.bounds
        assert entry.meaning.endswith(".")
