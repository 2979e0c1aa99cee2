"""The catalogue names everything that is stored, and the demo stores nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analytics.hrv import TimeDomain
from analytics.research import demo
from analytics.research.catalogue import VARIABLES, Cover, Kind, variable
from analytics.signals.features import FEATURES
from analytics.simulation import Scenario, simulate
from analytics.store.points import Measurement
from sensors.errors import ConfigurationError
from sensors.signals import SIGNALS, Channel

SCHEMA = (Path(__file__).parents[3] / "analytics" / "store" / "README.md").read_text("utf-8")


def documented(measurement):
    section = SCHEMA.split(f"\n## {measurement}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \| (\w+) \|", section, re.MULTILINE)
    return {name for cell, _ in rows for name in re.findall(r"`(\w+)`", cell)}


def test_every_measured_signal_and_every_feature_can_be_asked_for():
    fields = {(v.measurement, v.field) for v in VARIABLES.values() if v.kind is not Kind.BEATS}
    for name in SIGNALS:
        if name != "beat_offset_ms":
            where = Measurement.BEAT if name == "rr_ms" else Measurement.READING
            assert (where, name) in fields
    assert {f.name for f in FEATURES} == {n for m, n in fields if m is Measurement.FEATURE}
    assert len(VARIABLES) == len({*VARIABLES})


def test_every_variable_lies_where_the_schema_says():
    for one in VARIABLES.values():
        assert one.field in documented(one.measurement), one
        assert one.meaning.endswith(".")
    assert {c.value for c in Channel} < set(Cover)


def test_figures_of_beats_are_figures_there_are():
    made = TimeDomain(*(np.zeros(1) for _ in range(9)))
    for one in VARIABLES.values():
        if one.kind is Kind.BEATS:
            assert hasattr(made, one.name)


def test_an_unknown_signal_names_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean log_rmssd"):
        variable("log_rmsd")


def test_the_demo_stores_what_the_schema_describes():
    floor = simulate(2, demo._UNTIL_H - 8.75, 7, Scenario(days=len(demo._DAYS), has_heart=1.0))
    found = {}
    for day in demo._days(floor, people=2):
        for point in (*demo._windows(floor, day), *demo._reports(day), *demo._alert(day)):
            found.setdefault(point.measurement, set()).update(point.fields)
    assert len(found) == 6
    for measurement, fields in found.items():
        assert fields <= documented(measurement)


def test_an_interrupted_demo_can_be_made_again(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.write_demo(tmp_path, interrupt)
    assert not list(tmp_path.iterdir())


def test_a_server_without_these_libraries_can_look_into_the_ledger():
    code = (
        "import sys; from analytics.research import exports_of;"
        "print([m for m in ('pandas', 'polars', 'pyarrow', 'statsmodels', 'matplotlib')"
        " if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.strip() == "[]"
