"""Random points written and read back, on every kind of store; part of the contract."""

import random
import re
from datetime import UTC, datetime, timedelta

import pytest

from analytics.store.base import Query
from analytics.store.points import Measurement, Point, epoch_ns

# Yesterday noon: a server refuses what its retention would delete.
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
SCORE = Measurement.SCORE
SCORES = Query(measurement=SCORE, site="north")

NASTY = "aZ09 _-,=\"'\\/%#{}<>;:|\t\n\r.\u00e4\u0141\u738b\U0001f600\u2028\u00a0\u0301"
"""What ends names, values or lines somewhere, and letters of one to four bytes."""


def made_value(kind, rng):
    if kind == "f":
        return rng.choice(
            [0.0, -0.0, 5e-324, 1e22, -1e-7, rng.gauss(0, 1e6), float(rng.randrange(9))]
        )
    if kind == "i":
        return rng.choice([0, -1, 2**63 - 1, -(2**63), rng.randrange(-(10**9), 10**9)])
    return rng.random() < 0.5 if kind == "b" else made_text(rng, NASTY)


def made_text(rng, letters):
    return "".join(rng.choices(letters, k=rng.randrange(1, 12)))


def made_name(rng):
    """Return printable text with no backslash before what would have to be escaped."""
    printable = "".join(letter for letter in NASTY if letter.isprintable())
    return re.sub(r"\\+([,= ])", r"\1", made_text(rng, printable)) + "z"


@pytest.mark.parametrize("seed", range(3))
def test_whatever_can_be_stored_comes_back(store, seed):
    """Names, tags, times and values of all kinds at random; a name says its type."""
    rng = random.Random(seed)
    names = [rng.choice("fibs") + made_name(rng) for _ in range(20)]
    told = {}
    for n in range(300):
        tags = {"site": "north", "agent": made_name(rng)}
        fields = {name: made_value(name[0], rng) for name in rng.sample(names, 4)}
        at = epoch_ns(NOW) - rng.randrange(10**9) * 100 - n
        told[tags["agent"], at] = Point(SCORE, tags, fields, at)
    assert store.write(list(told.values())).refused == []
    rows = {(row.tags["agent"], row.time_ns): row.fields for row in store.read(SCORES)}
    assert rows == {key: point.fields for key, point in told.items()}
    for key, fields in rows.items():
        assert {k: type(v) for k, v in fields.items()} == {
            k: type(v) for k, v in told[key].fields.items()
        }


def test_times_out_of_order_and_clock_steps_are_only_times(store):
    """A clock that was set back tells older points after newer ones."""
    steps = [0, 5, 10, -3_600, -3_595, 15, -7_200, 20]
    tags = {"site": "north", "agent": "k1"}
    for n, at_s in enumerate(steps):
        at = epoch_ns(NOW + timedelta(seconds=at_s))
        store.write([Point(SCORE, tags, {"seq": n}, at)])
    assert [r.fields["seq"] for r in store.read(SCORES)] == [6, 3, 4, 0, 1, 2, 5, 7]
