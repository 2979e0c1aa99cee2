"""Statements and answers, by example."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.store import influxql
from analytics.store.base import Query
from analytics.store.points import Database, Measurement

AT = datetime(2026, 1, 1, tzinfo=UTC)
AT_NS = 1_767_225_600_000_000_000


def test_a_statement_names_database_policy_and_measurement():
    query = Query(measurement=Measurement.READING, site="north", agents=("k1", "k2"), start_at=AT)
    assert influxql.select("wellbeing", query) == (
        'SELECT *::field FROM "wellbeing"."raw"."reading" WHERE "site" = \'north\''
        " AND (\"agent\" = 'k1' OR \"agent\" = 'k2')"
        f' AND time >= {AT_NS} GROUP BY "site", "agent", "source"'
    )


@given(st.text())
def test_whatever_is_quoted_stays_inside_its_quotes(text):
    for quoted, quote in ((influxql.name(text), '"'), (influxql.text(text), "'")):
        assert quoted[0] == quoted[-1] == quote
        i, inside = 0, quoted[1:-1]
        while i < len(inside):
            assert inside[i] not in {quote, "\n"}
            i += 2 if inside[i] == "\\" else 1
        assert i == len(inside)


@given(st.text())
def test_an_agent_in_a_regular_expression_is_nothing_but_itself(text):
    made = influxql.literal(text)
    assert re.fullmatch(r"(?:[A-Za-z0-9]|\\x\{[0-9a-f]+\})*", made)
    points = [int(h, 16) if h else ord(c) for c, h in re.findall(r"(.)(?:x\{([0-9a-f]+)\})?", made)]
    assert "".join(map(chr, points)) == text


@pytest.mark.parametrize(
    ("existing", "verbs"),
    [
        pytest.param(None, ["CREATE DATABASE", "CREATE RETENTION"], id="nothing there"),
        pytest.param({"autogen": "0s"}, ["CREATE RETENTION"] * 2, id="only the server's own"),
        pytest.param({"raw": "720h0m0s", "derived": "2160h0m0s"}, [], id="all there"),
        pytest.param({"raw": "0s", "derived": "2160h0m0s"}, ["ALTER RETENTION"], id="endless"),
    ],
)
def test_only_what_is_missing_is_made(existing, verbs):
    days = {Database.RAW: 30, Database.DERIVED: 90}
    statements = influxql.policy_statements("wellbeing", days, existing)
    assert [" ".join(s.split()[:2]) for s in statements] == verbs


def test_two_types_of_one_field_are_read_as_float():
    answer = {"results": [{"series": [{"values": [["a", "integer"], ["a", "float"]]}]}]}
    assert influxql.kinds_of([answer]) == {"a": "float"}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"error": "no"}, id="of the request"),
        pytest.param({"results": [{}, {"error": "no"}]}, id="of a statement"),
    ],
)
def test_an_error_inside_an_answer_is_found(answer):
    assert influxql.error_in([{"results": [{}]}, answer]) == "no"
    assert influxql.error_in([{"results": [{}]}]) is None
