"""DETECTOR.md says what the code does: constants, tables of features, examples, plots."""

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.special import expit

from analytics.scoring import (
    baseline,
    detector,
    electrode,
    episodes,
    evidence,
    floor,
    fusion,
    measured,
    site_prior,
    together,
)
from analytics.signals.features import FEATURES, PARTS, RESPONSE

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "analytics/DETECTOR.md").read_text(encoding="utf-8")
PLOTS = ROOT / "analytics/plots"
MODULES = {
    "baseline": baseline,
    "detector": detector,
    "electrode": electrode,
    "episodes": episodes,
    "evidence": evidence,
    "floor": floor,
    "fusion": fusion,
    "measured": measured,
    "site_prior": site_prior,
    "together": together,
}
LARGEST = 60_000


def constants() -> dict[str, float]:
    """Return every number by name that the detector's own modules define in public."""
    found = {}
    for name, module in MODULES.items():
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        lines = re.findall(r"^([A-Z][A-Z0-9_, ]+)(?::[^=]+)? =", source, re.MULTILINE)
        for constant in ", ".join(lines).split(", "):
            value = getattr(module, constant)
            if isinstance(value, int | float):
                found[f"{name}.{constant}"] = float(value)
    return found


def test_every_constant_stands_there_with_its_value() -> None:
    rows = re.findall(r"^\| `(\w+\.[A-Z][A-Z0-9_]+)` \| ([0-9.]+) \|", PAGE, re.MULTILINE)
    assert {name: float(value) for name, value in rows} == constants()


def test_constants_named_in_the_text_exist() -> None:
    known = {name.partition(".")[2] for name in constants()} | {"NULL_CURVE"}
    text = re.sub(r"`\w+\.[A-Z_]+`", "", PAGE)
    assert set(re.findall(r"`?\b([A-Z]+(?:_[A-Z]+)+)\b", text)) <= known | {"WELLBEING_RECORDINGS"}


def test_scored_features_stand_there_with_every_number() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (rises|falls) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (.+) \|$",
        PAGE,
        re.MULTILINE,
    )
    said = [
        (name, part, way, *(float(x) for x in numbers), unit)
        for name, part, way, *numbers, unit in rows
    ]
    assert said == [
        (
            f.name,
            f.part.value,
            {1: "rises", -1: "falls"}[f.sign],
            f.weight,
            f.horizon_s / 60,
            f.scale,
            f.floor,
            f.unit,
        )
        for f in FEATURES
        if f.weight > 0
    ]


def test_responses_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\w+) \| ([0-9.]+) \| ([0-9.]+) \| [A-Z]", PAGE, re.MULTILINE)
    assert [(part, float(d), float(q)) for part, d, q in rows] == [
        (part.value, RESPONSE[part].effect, RESPONSE[part].chance) for part in PARTS
    ]


@pytest.mark.parametrize(
    ("words", "deviations"),
    [
        ("all as usual", dict.fromkeys(PARTS, 0.0)),
        ("heart +2, no other known", {"heart": 2.0}),
        ("heart +2, skin +2", {"heart": 2.0, "skin": 2.0}),
        ("heart +2, skin -2", {"heart": 2.0, "skin": -2.0}),
        ("all five +2", dict.fromkeys(PARTS, 2.0)),
        ("all five -2", dict.fromkeys(PARTS, -2.0)),
    ],
)
def test_the_worked_examples_come_out(words: str, deviations: dict[str, float]) -> None:
    z = np.array([[deviations.get(part, 0.0)] for part in PARTS], np.float32)
    total = float(fusion.log_ratios(z, (z != 0).astype(np.float32)).sum())
    assert f"| {words} | {total:.2f} | {100 * expit(total):.0f} |" in PAGE


def test_numbers_within_sentences_are_those_of_the_code() -> None:
    usual, far = fusion.LEVELS
    assert f"from {usual:g} spreads on, *well above* or *well below* from {far:g}." in PAGE
    counts, sure = together.TOGETHER_COUNTS, together.TOGETHER_SURE
    assert f"min(1, {counts:g} r) x min(1, {sure:g} r)" in PAGE


def test_the_version_is_that_of_the_code() -> None:
    assert f"This page describes detector version {detector.DETECTOR_VERSION};" in PAGE


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("_detector_tables")


@pytest.fixture(scope="module")
def figures() -> dict[str, object]:
    found: dict[str, object] = json.loads((PLOTS / "figures.json").read_text(encoding="utf-8"))
    return found


def test_the_tables_are_those_of_figures_and_code(
    figures: dict[str, object], tables: ModuleType
) -> None:
    written = PAGE
    for name, table in tables.TABLES.items():
        written = tables.put(written, name, table(figures))
    assert written == PAGE, "run: python benchmarks/_detector_plots.py --write"


def test_a_constant_that_moved_is_written_anew_and_its_words_stay(
    tables: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tables.refresh_constants(PAGE) == PAGE
    monkeypatch.setattr(fusion, "SQUASH", 2.5)
    assert tables.refresh_constants(PAGE) == PAGE.replace(
        "| `fusion.SQUASH` | 2 |", "| `fusion.SQUASH` | 2.5 |"
    )


def test_a_page_without_a_place_for_a_table_is_refused(tables: ModuleType) -> None:
    with pytest.raises(ValueError, match="0 places for the table people"):
        tables.put("# A page", "people", "|a|")


def test_plots_are_drawn_from_the_figures(
    figures: dict[str, object], tables: ModuleType, tmp_path: Path
) -> None:
    plots = importlib.import_module("_detector_plots")
    plots.draw(figures, tmp_path)
    drawn = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.svg")}
    assert drawn.keys() == {path.name for path in PLOTS.glob("*.svg")}
    for text in drawn.values():
        assert "<title>" in text
        assert "<desc>" in text


def test_figures_hold_nothing_of_a_single_person(figures: dict[str, object]) -> None:
    text = json.dumps(figures)
    assert not re.search(r"\bS\d\d\b|per_recording", text)
    assert str(figures["detector_version"]) == detector.DETECTOR_VERSION


def test_every_plot_is_shown_told_in_words_and_small() -> None:
    shown = re.findall(r"^!\[(.+)\]\(plots/(\w+\.svg)\)$", PAGE, re.MULTILINE)
    assert {name for _, name in shown} == {path.name for path in PLOTS.glob("*.svg")}
    for words, name in shown:
        drawn = (PLOTS / name).read_text(encoding="utf-8")
        assert len(words) > 60
        assert "<title>" in drawn
        assert "<desc>" in drawn
        assert len(drawn.encode()) < LARGEST, f"{name} is {len(drawn.encode())} bytes"


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "analytics" / target).exists(), f"{target} is not there"
