"""What every store promises, tried on each of them: the file and a real server."""

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analytics.store.base import Query, Store
from analytics.store.points import Measurement, Point, epoch_ns, point_time_ns
from sensors import codec
from sensors.errors import CannotEraseError
from tests.analytics.store.conftest import Kind

# Yesterday noon: a server refuses what its retention would delete, and decides
# the types of fields once for each day.
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
SCORE = Measurement.SCORE
OPEN = Callable[[], Store]


def score(agent="k1", ago_s=0, run="abcdefgh", **fields):
    at = NOW - timedelta(seconds=ago_s)
    tags = {"site": "north", "agent": agent}
    return Point(SCORE, tags, fields or {"state": "as_usual", "seq": 1}, point_time_ns(at, run))


def ask(**options):
    return Query(measurement=options.pop("measurement", SCORE), site="north", **options)


def can_erase(store):
    """Return whether this kind of database deletes points; if not, it must say so."""
    try:
        store.erase("nowhere", "nobody")
    except CannotEraseError as error:
        assert "of version" in str(error)  # noqa: PT017 - the others may not raise at all
        return False
    return True


def test_what_was_written_is_read(store):
    point = score(state="learning", seq=7, evidence=0.25, late=False)
    report = store.write([point])
    assert (report.written, report.refused) == (1, [])
    (row,) = store.read(ask())
    assert row.time_ns == point.time_ns
    assert row.tags == {"site": "north", "agent": "k1"}
    assert row.fields == {"state": "learning", "seq": 7, "evidence": 0.25, "late": False}
    assert [type(row.fields[n]) for n in ("state", "seq", "evidence", "late")] == [
        str,
        int,
        float,
        bool,
    ]


def test_an_empty_store_answers_with_nothing(store):
    assert store.read(ask()) == []
    assert store.read(ask(latest=True, fields=("state",))) == []
    assert store.count(ask()) == 0
    assert store.count(ask(fields=("state",))) == 0
    assert not can_erase(store) or store.erase("north", "k1") == 0
    assert store.write([]).written == 0


def test_writing_twice_leaves_one(store):
    points = [score(ago_s=s, seq=s, state="as_usual") for s in range(5)]
    store.write(points)
    store.write(points)
    assert store.count(ask()) == 5
    assert [r.fields["seq"] for r in store.read(ask())] == [4, 3, 2, 1, 0]


def test_a_retelling_overwrites_its_fields_and_keeps_the_others(store):
    store.write([score(state="learning", evidence=1.0)])
    store.write([score(state="as_usual", quality=0.5)])
    (row,) = store.read(ask())
    assert row.fields == {"state": "as_usual", "evidence": 1.0, "quality": 0.5}


def test_two_runs_in_the_same_instant_are_two_points(store):
    store.write([score(run="aaaaaaaa"), score(run="bbbbbbbb")])
    assert store.count(ask()) == 2


def test_the_same_instant_in_two_places_is_two_points(store):
    at = epoch_ns(NOW)
    tags = [{"site": "north", "agent": "k1", "source": s} for s in ("pc", "cloud")]
    tags += [{"site": "south", "agent": "k1", "source": "pc"}]
    store.write([Point(Measurement.READING, t, {"hr_bpm": 61.0}, at) for t in tags])
    rows = store.read(ask(measurement=Measurement.READING))
    assert [r.tags for r in rows] == sorted(tags[:2], key=lambda t: t["source"])


def test_a_point_without_agent_keeps_its_tags(store):
    team = Point(Measurement.TRANSITION, {"site": "north"}, {"team": "billing"}, epoch_ns(NOW))
    store.write([team])
    assert [r.tags for r in store.read(ask(measurement=Measurement.TRANSITION))] == [
        {"site": "north"}
    ]


def test_the_range_is_half_open(store):
    whole = [Point(SCORE, {"site": "north", "agent": "k1"}, {"seq": s}, _at(s)) for s in range(6)]
    store.write(whole)
    query = ask(start_at=NOW + timedelta(seconds=1), end_at=NOW + timedelta(seconds=4))
    assert [r.fields["seq"] for r in store.read(query)] == [1, 2, 3]
    assert store.count(query) == 3
    assert [r.fields["seq"] for r in store.read(ask(start_at=NOW + timedelta(seconds=4)))] == [4, 5]


def _at(seconds):
    return epoch_ns(NOW + timedelta(seconds=seconds))


def test_only_the_agents_asked_for(store):
    store.write([score(agent=f"k{n}") for n in range(5)])
    rows = store.read(ask(agents=("k1", "k3", "nobody")))
    assert [r.tags["agent"] for r in rows] == ["k1", "k3"]
    assert store.count(ask(agents=("k1", "k3"))) == 2


def test_only_the_fields_asked_for_and_only_points_that_have_one(store):
    store.write([score(ago_s=2, a=1, b=2, c=3), score(ago_s=1, b=5), score(ago_s=0, c=9)])
    rows = store.read(ask(fields=("a", "b", "unheard_of")))
    assert [r.fields for r in rows] == [{"a": 1, "b": 2}, {"b": 5}]
    assert store.count(ask(fields=("a", "b"))) == 2
    assert store.count(ask(fields=("a",))) == 1
    assert store.count(ask()) == 3
    assert store.read(ask(fields=("unheard_of",))) == []


def test_latest_is_the_newest_of_each_agent_and_source(store):
    for agent in ("k1", "k2"):
        store.write([score(agent=agent, ago_s=s, seq=s) for s in (3, 1, 2)])
    rows = store.read(ask(latest=True))
    assert [(r.tags["agent"], r.fields["seq"]) for r in rows] == [("k1", 1), ("k2", 1)]


def test_latest_looks_back_for_the_fields_asked_for(store):
    store.write([score(ago_s=9, evidence=2.0, seq=1), score(ago_s=1, seq=2)])
    (row,) = store.read(ask(latest=True, fields=("evidence",)))
    assert row.fields == {"evidence": 2.0}
    assert store.read(ask(latest=True, fields=("evidence",), start_at=NOW)) == []


def test_limit_takes_the_newest_over_all_and_gives_them_oldest_first(store):
    store.write([score(agent=f"k{s % 3}", ago_s=s, seq=s) for s in range(20)])
    rows = store.read(ask(limit=4))
    assert [(r.tags["agent"], r.fields["seq"]) for r in rows] == [
        ("k0", 3),
        ("k2", 2),
        ("k1", 1),
        ("k0", 0),
    ]
    assert [r.fields["seq"] for r in store.read(ask(latest=True, limit=2))] == [1, 0]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(v, id=i)
        for i, v in {
            "whole float": 5.0,
            "small float": 5e-324,
            "big float": 1.7e308,
            "inexact float": 0.1,
            "big integer": 2**63 - 1,
            "small integer": -(2**63),
            "true": True,
            "false": False,
            "empty text": "",
            "quotes and backslashes": 'a "b" \\ c\\\\ \\" d\\',
            "injection": "x' OR 1=1; DROP DATABASE wellbeing --",
            "lines": "first\nsecond\r\tthird",
            "unicode": "小王 Łódź 😀 \u2028\x85",
            "line protocol": "a,b=c d=1i 5",
        }.items()
    ],
)
def test_every_value_comes_back_as_itself(store, value):
    store.write([score(value=value)])
    (row,) = store.read(ask())
    assert row.fields == {"value": value}
    assert type(row.fields["value"]) is type(value)


@pytest.mark.parametrize(
    "name", ["with space", "a,b=c", 'a"b', "a'b", "back\\slash", "größe", "f0"]
)
def test_every_field_name_comes_back_as_itself(store, name):
    store.write([score(**{name: 1.5, "Case": 1, "case": 2})])
    (row,) = store.read(ask(fields=(name, "case")))
    assert row.fields == {name: 1.5, "case": 2}
    assert store.count(ask(fields=(name,))) == 1


@pytest.mark.parametrize("agent", ["with space", "a,b=c", 'a"b', "a' OR 'a'='a", "b\\c", "größe"])
def test_every_tag_comes_back_as_itself_and_is_never_a_query(store, agent):
    store.write([score(agent=agent), score(agent="other")])
    assert [r.tags["agent"] for r in store.read(ask(agents=(agent,)))] == [agent]
    if not can_erase(store):
        return
    assert store.erase("north", agent) == 1
    assert [r.tags["agent"] for r in store.read(ask())] == ["other"]


def test_numpy_values_and_words_of_enumerations_are_plain(store):
    store.write([score(a=np.float64(1.5), b=np.int8(-2), c=np.float32(0.5), d=Measurement.BEAT)])
    (row,) = store.read(ask())
    assert row.fields == {"a": 1.5, "b": -2, "c": 0.5, "d": "beat"}


def test_values_that_are_not_finite_are_left_out(store):
    report = store.write([score(a=math.nan, b=math.inf, c=-math.inf, d=1.0)])
    assert report.refused == []
    (row,) = store.read(ask())
    assert row.fields == {"d": 1.0}


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        pytest.param(score(a=math.nan), "no field with a value", id="nothing finite"),
        pytest.param(Point(SCORE, {"site": "north"}, {}, 1), "no field", id="no fields"),
        pytest.param(Point(SCORE, {}, {"a": 1}, 1), "no tag 'site'", id="no site"),
        pytest.param(Point(SCORE, {"site": "n", "team": "t"}, {"a": 1}, 1), "'team'", id="tag"),
        pytest.param(Point(SCORE, {"site": "a\nb"}, {"a": 1}, 1), "printable", id="line in tag"),
        pytest.param(Point(SCORE, {"site": "a\\"}, {"a": 1}, 1), "backslash", id="backslash"),
        pytest.param(Point(SCORE, {"site": "a\\ b"}, {"a": 1}, 1), "before a comma", id="escape"),
        pytest.param(score(**{"a\\,b": 1}), "before a comma", id="escape in a name"),
        pytest.param(Point(SCORE, {"site": "n"}, {"a": 1}, 2**63), "1677 to 2262", id="time"),
        pytest.param(score(a=2**63), "64 bits", id="too big"),
        pytest.param(score(time=1), "'time'", id="field called time"),
        pytest.param(score(agent="k1", site=1), "'site'", id="field like a tag"),
        pytest.param(score(**{"": 1}), "empty", id="no name"),
        pytest.param(score(a=[1]), "type list", id="type"),
        pytest.param(score(a="x" * 70_000), "65535", id="too long"),
        pytest.param(score(a="\ud800"), "Unicode", id="not unicode"),
    ],
)
def test_a_bad_point_is_refused_with_a_reason_and_the_rest_is_written(store, point, reason):
    report = store.write([score(ago_s=1), point, score(ago_s=2)])
    assert report.written == 2
    ((refused, why),) = report.refused
    assert refused is point
    assert reason in why
    assert store.count(ask()) == 2


def test_a_field_keeps_its_first_type_and_only_the_points_against_it_are_refused(store):
    store.write([score(ago_s=100, a=1, b=1.0)])
    points = [score(ago_s=s, a=s) for s in range(50)]
    points[7] = score(ago_s=7, a=7.5)
    points[8] = score(ago_s=8, a="text")
    points[30] = score(ago_s=30, a=30, b="text")
    report = store.write(points)
    assert report.written == 47
    refused = {id(p): why for p, why in report.refused}
    assert refused.keys() == {id(points[7]), id(points[8]), id(points[30])}
    assert all(("'a'" in w or '"a"' in w) or ("'b'" in w or '"b"' in w) for w in refused.values())
    assert store.count(ask()) == 48


def test_a_batch_that_is_all_wrong_is_all_refused(store):
    store.write([score(ago_s=9_000, a=1)])
    report = store.write([score(ago_s=s, a=0.5) for s in range(3_000)])
    assert report.written == 0
    assert len(report.refused) == 3_000
    assert store.count(ask()) == 1


def test_a_huge_batch(store):
    points = [
        score(agent=f"k{n % 200}", ago_s=5 * (n // 200), seq=n, evidence=n / 7)
        for n in range(20_000)
    ]
    assert store.write(points).written == 20_000
    assert store.count(ask()) == 20_000
    rows = store.read(ask())
    assert [r.time_ns for r in rows] == sorted(r.time_ns for r in rows)
    assert {r.fields["seq"]: r.fields["evidence"] for r in rows} == {
        n: n / 7 for n in range(20_000)
    }
    assert len(store.read(ask(latest=True))) == 200


def test_erasing_takes_one_agent_at_one_site_from_every_measurement(store):
    tags = {"site": "north", "agent": "k1"}
    for measurement in Measurement:
        store.write([Point(measurement, tags, {"a": 1.0}, epoch_ns(NOW) + n) for n in range(3)])
    store.write([score(agent="k11"), Point(SCORE, {**tags, "site": "south"}, {"a": 1.0}, _at(0))])
    if not can_erase(store):
        return
    assert store.erase("north", "k1") == 3 * len(Measurement)
    assert not any(store.count(ask(measurement=m, agents=("k1",))) for m in Measurement)
    assert store.count(ask()) == 1
    assert store.count(Query(measurement=SCORE, site="south")) == 1
    # What is told again after an erasure is new, not a ghost with old fields.
    store.write([score(b=2.0)])
    (row,) = store.read(ask(agents=("k1",)))
    assert row.fields == {"b": 2.0}


def test_erasing_until_a_time_leaves_what_came_after_a_new_consent(store):
    for measurement in Measurement:
        tags = {"site": "north", "agent": "k1"}
        store.write([Point(measurement, tags, {"a": float(n)}, _at(-n)) for n in range(4)])
    store.write([score(agent="k2", ago_s=3, b=1.0)])
    if not can_erase(store):
        return
    assert store.erase("north", "k1", NOW - timedelta(seconds=1)) == 2 * len(Measurement)
    for measurement in Measurement:
        kept = store.read(ask(measurement=measurement, agents=("k1",)))
        assert [row.fields["a"] for row in kept] == [1.0, 0.0]
    assert store.count(ask(agents=("k2",))) == 1


def test_a_store_opened_again_holds_what_was_written(store, reopen):
    store.write([score(a=1.5, b=True)])
    reader = reopen()
    assert [r.fields for r in reader.read(ask())] == [{"a": 1.5, "b": True}]
    # A field that is new since the reader opened, too.
    store.write([score(ago_s=1, c="new")])
    assert [r.fields for r in reader.read(ask(limit=2))] == [{"c": "new"}, {"a": 1.5, "b": True}]


def test_another_process_reads_while_this_one_writes(store, kind: Kind):
    store.write([score(ago_s=1_000, seq=0)])
    settings = codec.dump_json(asdict(kind.settings)).decode()
    with subprocess.Popen(
        [sys.executable, "-c", _READER, settings],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "1\n"
        for n in range(1, 40):
            assert store.write([score(ago_s=1_000 - n, seq=n)]).written == 1
        reader.stdin.close()
        counts = [int(line) for line in reader.stdout.read().split()]
    assert reader.returncode == 0
    assert counts == sorted(counts)
    assert counts[-1] == 40


_READER = """
import json, select, sys
from analytics.store.base import Query
from analytics.store.points import Measurement
from analytics.store.opening import open_store
from analytics.store.settings import StoreSettings
store = open_store(StoreSettings(**json.loads(sys.argv[1])), read_only=True)
query = Query(measurement=Measurement.SCORE, site="north")
while True:
    ended = bool(select.select([sys.stdin], [], [], 0)[0])
    print(len(store.read(query)), flush=True)
    if ended:
        break
store.close()
"""


def test_it_says_in_one_line_what_it_is(store):
    assert "\n" not in store.check()
    assert "answers" in store.check()
