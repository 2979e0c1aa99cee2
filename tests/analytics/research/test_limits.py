"""What a study never gets, or not without a line in the ledger; and how many comparisons cost."""

import json
import math
import os
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from analytics.research import coverage
from analytics.research.catalogue import LOOK_BACK, SLOW_LOOK_BACK, VARIABLES, variable
from analytics.research.compare import By, compare, holm, lines
from analytics.scoring import evidence
from analytics.store.opening import open_store
from analytics.store.points import Measurement, Point, point_time_ns
from analytics.store.settings import StoreSettings
from tests.analytics.research.conftest import (
    CONSENTED,
    DAY,
    LATER_AT,
    SITE,
    STUDY,
    end_of,
    form,
)

WITHOUT = STUDY.replace(', "context"]', "]").replace(
    'covers = ["heart"', 'covers = ["score", "heart"'
)


def test_when_somebody_was_on_a_call_is_given_only_where_their_form_says_so(make, monkeypatch):
    """Default no: neither shown nor even read."""
    forms = form("k1") + form("k2", covers='["heart"]')
    covered = make(STUDY + forms, "covered")
    by_agent = covered.frame("hr_bpm").groupby("agent")["context"].agg(lambda c: set(c.dropna()))
    assert sorted(by_agent, key=len) == [set(), {"on_call", "wrap_up"}]
    study = make(WITHOUT + forms, "without")
    asked = []
    read = study.store.read
    monkeypatch.setattr(study.store, "read", lambda query: asked.append(query) or read(query))
    assert study.frame("hr_bpm")["context"].isna().all()
    study.frame("rmssd_ms")
    study.events()
    assert asked
    assert not any("context" in query.fields or not query.fields for query in asked)


def test_what_looks_back_further_begins_later_after_the_signature(make, tmp_path):
    store = open_store(StoreSettings(path=str(tmp_path / "own.sqlite")))
    tags = {"site": SITE, "agent": "later"}
    store.write(
        [
            Point(
                Measurement.SCORE, tags, {"evidence": 1.0, "score": 2.0, "seq": window},
                point_time_ns(end_of(window), "aaaaaaaa"),
            )
            for window in range(720)
        ]
    )  # fmt: skip
    study = make(WITHOUT + form("later", at=LATER_AT.isoformat()), store=store)
    frame = study.frame(["score", "evidence"])
    first = frame.groupby("signal")["at"].min()
    window = timedelta(seconds=5)
    assert timedelta(0) <= first["score"] - (LATER_AT + LOOK_BACK) <= window
    assert timedelta(0) <= first["evidence"] - (LATER_AT + SLOW_LOOK_BACK) <= window
    alone = study.frame("evidence")["at"].min()
    assert alone == first["evidence"], "what is asked for beside it changed it"


def test_less_than_a_hundredth_of_what_was_before_the_signature_is_left() -> None:
    left = math.exp(-SLOW_LOOK_BACK.total_seconds() / evidence.LASTING_S)
    assert left < 0.01
    assert {v.name for v in VARIABLES.values() if v.look_back > LOOK_BACK} == {"evidence"}


def test_alerts_begin_when_their_evidence_may_be_told(make):
    alerts = make(STUDY + form("later", at=LATER_AT.isoformat())).events()
    # fire, take and resolve stand at minutes 25, 35 and 40, what people did at 45; signed at 30.
    assert alerts.empty
    earlier = LATER_AT - timedelta(minutes=15)
    some = make(STUDY + form("later", at=earlier.isoformat()), "earlier").events()
    assert set(some["event"]) == {"take", "resolve", "talk", "did_it_help"}


def test_a_young_record_tells_no_reasons(make):
    """With few windows each further one shows, and with it whose hand was on the pause key."""
    study = make()
    pinned = study._pinned(None)
    source = study._coverage()
    young = coverage.absences(source, pinned, DAY)
    assert all(len(column) == 0 for column in young.values())
    over = coverage.absences(source, pinned, DAY + timedelta(days=1))
    assert set(over["reason"]) == {"measured", "withheld"}
    assert set(over["windows"]) == {6 * 720 + 300}
    assert set(over["start"]) == {np.datetime64(DAY.replace(tzinfo=None), "ms")}
    # Of a day on which only four had signed nothing is told, of the others as before.
    late = "".join(form(a, at=(DAY + timedelta(hours=20)).isoformat()) for a in CONSENTED[4:])
    fewer = make(STUDY + "".join(form(a) for a in CONSENTED[:4]) + late, "fewer")
    assert fewer.absences().empty


def test_several_comparisons_are_corrected_for_their_number() -> None:
    p = [0.001, 0.2, 0.04, 0.03, 0.04, 1.0]
    assert list(holm(p)) == pytest.approx(multipletests(p, method="holm")[1])
    assert list(holm([])) == []


def test_the_uncorrected_value_stands_beside_the_corrected_one() -> None:
    rng = np.random.default_rng(5)
    monday = pd.Timestamp("2026-03-02")
    rows = [
        (f"p{person}", monday + pd.Timedelta(days=day, hours=13), 40 + person + rng.normal(0, 2))
        for person in range(8)
        for day in range(5)
    ]
    frame = pd.DataFrame(rows, columns=["agent", "local_at", "value"])
    found = compare(frame, variable("hr_bpm"), By.WEEKDAY, 5)
    alone = [level.p for level in found.levels[1:]]
    corrected = [level.p_holm for level in found.levels[1:]]
    assert corrected == pytest.approx(multipletests(alone, method="holm")[1])
    said = lines(found)
    assert said[0].endswith("p  p (Holm)")
    assert "one of 4 comparisons" in said[-1]
    two = lines(compare(frame[frame["local_at"].dt.day_of_week < 2], variable("hr_bpm"), By.DAY, 5))
    assert said[0] != two[0]
    assert "Holm" not in "".join(two)


@pytest.fixture
def desk(monkeypatch, tmp_path, small_file):
    """Return a folder of the small study, and the environment of its commands."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY + "".join(map(form, CONSENTED)), encoding="utf-8")
    environment = {
        **os.environ,
        "WELLBEING_STORE_PATH": str(small_file),
        "WELLBEING_RESEARCH_LEDGER": str(tmp_path / "exports.jsonl"),
    }
    return folder, environment


def test_what_leaves_by_standard_output_stands_in_the_ledger_first(desk, tmp_path):
    folder, environment = desk
    target = tmp_path / "values.csv"
    query = [sys.executable, "-m", "wellbeing", "research", "query", "hr_bpm", "--every", "15min"]
    with target.open("wb") as out:
        subprocess.run([*query, "--study", str(folder)], stdout=out, env=environment, check=True)
    (line,) = (tmp_path / "exports.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["file"] == str(target)
    assert record["rows"] == len(target.read_text().splitlines()) - 1 == 6 * 4
    assert record["agents"] == list(CONSENTED)
    assert record["signals"] == ["hr_bpm"]
    # Where the ledger cannot be written nothing leaves.
    (tmp_path / "exports.jsonl").unlink()
    (tmp_path / "exports.jsonl").mkdir()
    done = subprocess.run(
        [*query, "--study", str(folder)], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stdout == ""
    assert "nothing was exported" in done.stderr
