from __future__ import annotations

from typing import Any

import psycopg
import pytest

from lockgate.errors import CheckFailed, LockgateError
from lockgate.plan.models import ExplainCheck, Objects, ObjectsCheck, QueryCheck
from tests.integration.checks.checking import check

TABLES = """
CREATE SCHEMA s;
CREATE TABLE s.t (id bigint PRIMARY KEY, name varchar(20), at timestamptz);
CREATE TABLE s.part (x int) PARTITION BY LIST (x);
CREATE TABLE s.part1 PARTITION OF s.part FOR VALUES IN (1);
INSERT INTO s.t SELECT g, g, now() FROM generate_series(1, 20000) g;
CREATE INDEX t_name ON s.t (name);
CREATE TABLE s.child (id bigint);
ALTER TABLE s.child ADD CONSTRAINT good CHECK (id > 0), ADD CONSTRAINT later CHECK (id < 10) NOT VALID;
CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER on_ AFTER INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();
CREATE TRIGGER off_ AFTER INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();
ALTER TABLE s.t DISABLE TRIGGER off_;
CREATE VIEW s.v AS SELECT 1;
ANALYZE;
"""


@pytest.fixture
def filled(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(TABLES)
    return dsn


# --- query ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "passed", "what"),
    [
        ({"query": "SELECT 3", "equals": 3}, True, "SELECT 3: 3"),
        ({"query": "SELECT 3", "equals": 4}, False, "SELECT 3: 3, and it must be 4"),
        ({"query": "SELECT 3", "equals": "SELECT 1 + 2"}, True, "SELECT 3: 3"),
        ({"query": "SELECT 3", "equals": "SELECT 5", "title": "three"}, False, "three: 3, and it must be 5"),
        ({"query": "SELECT NULL", "equals": None}, True, "SELECT NULL: NULL"),
        ({"query": "SELECT 3 WHERE false", "equals": 3}, False, "SELECT 3 WHERE false: NULL, and it must be 3"),
        ({"query": "SELECT 3", "at_least": 3}, True, "SELECT 3: 3"),
        ({"query": "SELECT 2.5", "at_least": 3}, False, "SELECT 2.5: 2.5, and it must be at least 3"),
        ({"query": "SELECT 3", "at_most": 2}, False, "SELECT 3: 3, and it must be at most 2"),
        ({"query": "SELECT NULL::int", "at_most": 2}, False, "SELECT NULL::int: NULL, and it must be at most 2"),
        ({"query": "SELECT 1 WHERE false", "empty": True}, True, "SELECT 1 WHERE false: 0 rows"),
        ({"query": "SELECT 1", "empty": True}, False, "SELECT 1: 1 row, and there must be none"),
        ({"query": "SELECT 1", "empty": False}, True, "SELECT 1: 1 row"),
        (
            {"query": "SELECT generate_series(1, 20000)", "empty": True},
            False,
            "SELECT generate_series(1, 20000): more than 10000 rows, and there must be none",
        ),
        ({"query": "SELECT 5 % 3", "equals": 2}, True, "SELECT 5 % 3: 2"),
    ],
)
def test_query(dsn: str, wanted: dict[str, Any], passed: bool, what: str) -> None:
    result = check(dsn, QueryCheck.model_validate(wanted))
    assert (result.passed, result.what) == (passed, what)
    (evidence,) = result.evidence
    assert wanted["query"] in evidence.query
    assert evidence.result["passed"] is passed


@pytest.mark.parametrize("query", ["SELECT generate_series(1, 2)", "SELECT 1, 2"])
def test_a_query_must_yield_one_value(dsn: str, query: str) -> None:
    with pytest.raises(CheckFailed, match="must yield one value"):
        check(dsn, QueryCheck(query=query, equals=1))


def test_a_query_that_fails_is_placed(dsn: str) -> None:
    with pytest.raises(LockgateError) as caught:
        check(dsn, QueryCheck(query="SELECT nonsense", equals=1))
    assert caught.value.where == "plan.yaml:9:9"


def test_a_query_cannot_write(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as conn:
        conn.execute("CREATE SEQUENCE s.seq")
    with pytest.raises(LockgateError, match="read-only"):
        check(filled, QueryCheck(query="SELECT nextval('s.seq')", equals=1))
    with pytest.raises(LockgateError):
        check(filled, QueryCheck(query="WITH w AS (DELETE FROM s.t RETURNING 1) SELECT count(*) FROM w", equals=1))


# --- objects ----------------------------------------------------------------------------------------------


def test_objects_that_are_as_they_must_be(filled: str) -> None:
    wanted = Objects(
        tables=("s.t", "s.part"),
        columns={"s.t.name": "varchar(20)", "s.t.at": "timestamp with time zone", "s.t.id": "int8"},
        indexes=("s.t_name", "s.t_pkey"),
        constraints=("s.child.good", "s.t.t_pkey"),
        triggers=("s.t.on_",),
        absent=("s.gone",),
    )
    result = check(filled, ObjectsCheck(objects=wanted))
    assert (result.passed, result.what) == (True, "all 11 objects are as they must be")
    assert {item.name for item in result.evidence} == {
        "objects:tables",
        "objects:columns",
        "objects:indexes",
        "objects:constraints",
        "objects:triggers",
        "objects:absent",
    }


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"tables": ["s.tt"]}, "table s.tt is not there"),
        ({"tables": ["s.v"]}, "table s.v is a view"),
        ({"tables": ["s.chlid"]}, "table s.chlid is not there (there is s.child)"),
        ({"indexes": ["s.nothing"]}, "index s.nothing is not there"),
        ({"columns": {"s.t.name": "text"}}, "column s.t.name is of type character varying(20), not text"),
        ({"columns": {"s.t.nam": "text"}}, "column s.t.nam is not there (there is s.t.name)"),
        ({"constraints": ["s.child.later"]}, "constraint s.child.later is not validated"),
        ({"constraints": ["s.child.never"]}, "constraint s.child.never is not there"),
        ({"triggers": ["s.t.off_"]}, "trigger s.t.off_ is disabled"),
        ({"absent": ["s.v"]}, "s.v exists"),
    ],
)
def test_objects_that_are_not(filled: str, wanted: dict[str, Any], problem: str) -> None:
    result = check(filled, ObjectsCheck(objects=Objects.model_validate(wanted)))
    assert (result.passed, result.what) == (False, problem)


def test_an_invalid_index(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as conn:
        conn.execute("INSERT INTO s.t SELECT id + 100000, name FROM s.t WHERE id < 3")
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("CREATE UNIQUE INDEX CONCURRENTLY bad ON s.t (name)")
    result = check(filled, ObjectsCheck(objects=Objects(indexes=("s.bad",))))
    assert result.what == "index s.bad is INVALID: its build failed or is going on"


def test_tells_all_problems_at_once(filled: str) -> None:
    result = check(filled, ObjectsCheck(objects=Objects(tables=("s.a_b_c", "s.t"), absent=("s.v",))))
    assert result.what == "table s.a_b_c is not there; s.v exists"


def test_a_type_that_there_is_not(filled: str) -> None:
    with pytest.raises(LockgateError, match="no type nonsense"):
        check(filled, ObjectsCheck(objects=Objects(columns={"s.t.name": "nonsense"})))
    with pytest.raises(CheckFailed, match="not the name of a type"):
        check(filled, ObjectsCheck(objects=Objects(columns={"s.t.name": "int; DROP TABLE s.t"})))


# --- explain ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "passed", "what"),
    [
        ({"explain": "SELECT * FROM s.t WHERE name = '7'", "uses_index": "t_name"}, True, "uses index t_name"),
        ({"explain": "SELECT * FROM s.t WHERE name = '7'", "uses_index": "s.t_name"}, True, "uses index s.t_name"),
        (
            {"explain": "SELECT * FROM s.t WHERE id = 7", "uses_index": "t_name"},
            False,
            "index t_name is not used (used: t_pkey)",
        ),
        ({"explain": "SELECT * FROM s.t WHERE at > now()", "no_seq_scan": ["s.t"]}, False, "s.t is scanned"),
        ({"explain": "SELECT * FROM s.t WHERE id = 7", "no_seq_scan": ["s.t"]}, True, "does not scan s.t"),
        ({"explain": "SELECT * FROM s.part", "no_seq_scan": ["s.part"]}, False, "s.part1 is scanned"),
        ({"explain": "SELECT pg_sleep(0.05)", "at_most": "10ms"}, False, "more than 10ms"),
        ({"explain": "SELECT 1", "at_most": "10s"}, True, "takes at most 10s"),
    ],
)
def test_explain(filled: str, wanted: dict[str, Any], passed: bool, what: str) -> None:
    result = check(filled, ExplainCheck.model_validate(wanted))
    assert result.passed is passed
    assert what in result.what
    assert "Node Type" in result.evidence[0].result["plan"]
    assert ("milliseconds" in result.evidence[0].result) is ("at_most" in wanted)
