"""What the check `explain` finds in a plan, and how it tells it."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import Connection

from lockgate.checks.base import CheckResult
from lockgate.errors import LockgateError
from lockgate.plan.models import ExplainCheck
from tests.integration.checks.checking import check

TABLES = """
CREATE SCHEMA s;
CREATE TABLE s.m (id int, at date, phone text) PARTITION BY RANGE (at);
CREATE TABLE s.m_1 PARTITION OF s.m FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE s.m_2 PARTITION OF s.m FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE s.m_3 PARTITION OF s.m FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
INSERT INTO s.m SELECT g, '2026-01-01'::date + g % 90, g FROM generate_series(1, 9000) g;
CREATE INDEX m_phone ON s.m (phone);
CREATE TABLE s.skewed (a int, b int);
INSERT INTO s.skewed SELECT g % 100, g % 100 FROM generate_series(1, 10000) g;
ANALYZE;
"""


@pytest.fixture
def filled(dsn: str, conn: Connection[Any]) -> str:
    conn.execute(TABLES)
    return dsn


def explained(dsn: str, query: str, **wanted: Any) -> CheckResult:
    return check(dsn, ExplainCheck.model_validate({"explain": query, **wanted}))


JANUARY = "SELECT * FROM s.m WHERE at = '2026-01-05'"


@pytest.mark.parametrize(
    ("query", "wanted", "problem"),
    [
        ("SELECT * FROM s.m WHERE phone = '7'", {"uses_index": "s.m_phone"}, ""),
        ("SELECT * FROM s.m WHERE phone = '7'", {"uses_index": "m_1_phone_idx"}, ""),
        (
            "SELECT * FROM s.skewed",
            {"uses_index": "m_phon"},
            "index m_phon is not there (there is m_phone) (used: none). The plan: Seq Scan on s.skewed",
        ),
        ("SELECT * FROM s.skewed", {"no_seq_scan": ["s.skewd"]}, "table s.skewd is not there"),
        (
            JANUARY,
            {"no_seq_scan": ["s.m"]},
            "s.m_1 is scanned from end to end. The plan: Seq Scan on s.m_1 (Filter: (m.at = '2026-01-05'::date))",
        ),
        (JANUARY, {"partitions": {"s.m": ["m_1"]}, "partitions_at_most": {"s.m": 1}}, ""),
        (JANUARY, {"partitions": {"s.m": ["s.m_2"]}}, "1 more partition of s.m are read: m_1"),
        (JANUARY, {"partitions": {"s.m": ["m_1", "m_9"]}}, "s.m has no partition m_9"),
        (
            "SELECT * FROM s.m WHERE at >= '2026-02-05'",
            {"partitions_at_most": {"s.m": 1}},
            "2 of 3 partitions of s.m are read: m_2, m_3",
        ),
        ("SELECT * FROM s.m WHERE at = (SELECT '2026-01-05'::date)", {"partitions_at_most": {"s.m": 1}}, "3 of 3"),
        (
            "SELECT * FROM s.m WHERE at = (SELECT '2026-01-05'::date)",
            {"partitions_at_most": {"s.m": 1}, "analyze": True, "runs": 1},
            "",
        ),
        ("SELECT * FROM s.skewed WHERE a = 1", {"estimate_within": 2}, ""),
        (
            "SELECT * FROM s.skewed WHERE a = 1 AND b = 1",
            {"estimate_within": 10},
            "expects 1 and yields 100 rows. The plan: Seq Scan on s.skewed",
        ),
        ("SELECT * FROM s.skewed LIMIT 1", {"estimate_within": 2}, ""),
        ("SELECT pg_sleep(0.02)", {"at_most": "10ms", "runs": 1}, "more than 10ms"),
    ],
)
def test_explain(filled: str, query: str, wanted: dict[str, Any], problem: str) -> None:
    result = explained(filled, query, **wanted)
    assert result.passed is not bool(problem), result.what
    assert problem in result.what


def test_it_is_run_as_often_as_is_asked(filled: str) -> None:
    [evidence] = explained(filled, JANUARY, at_most="10s", runs=5).evidence
    assert len(evidence.result["milliseconds"]) == 5
    assert evidence.result["median_milliseconds"] == sorted(evidence.result["milliseconds"])[2]


def test_it_cannot_write(filled: str) -> None:
    with pytest.raises(LockgateError, match="read-only"):
        explained(filled, "DELETE FROM s.skewed", at_most="1s")
