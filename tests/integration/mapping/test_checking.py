"""The check ``reconcile``: what it says, and when it does not pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lockgate.checks import REGISTRY
from lockgate.checks.base import CheckContext, CheckResult
from lockgate.engine.clock import SystemClock
from lockgate.errors import DatabaseError
from lockgate.plan.models import ReconcileCheck
from tests.integration.engine.plans import Told
from tests.integration.mapping.harness import PLAN, Bench


def check(bench: Bench, name: str) -> CheckResult:
    """Make the check of a mapping."""
    loaded: Any = SimpleNamespace(plan=SimpleNamespace(plan=PLAN))
    return REGISTRY[ReconcileCheck].evaluate(
        CheckContext(
            conn=bench.conn,
            sessions=bench.sessions,
            loaded=loaded,
            check=ReconcileCheck(reconcile=name),
            where="plan.yaml:9:9",
            clock=SystemClock(),
            progress=Told(),
            stop=lambda: False,
        )
    )


def test_keys_that_the_target_refuses_are_told_and_fail_the_check(bench: Bench) -> None:
    """The row that they are about is not there as it should be."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, v text); CREATE TABLE new.c (id int PRIMARY KEY, v varchar(5))",
        "INSERT INTO old.p VALUES (1, 'abcde')",
    )
    mapped = bench.map(map="t", into="new.c", key=["id"], from_="old.p", select="SELECT s.id, s.v FROM old.p s")
    assert check(bench, "t").passed
    bench.sql("UPDATE old.p SET v = 'abcdeXXX'")
    mapped.drain()
    found = check(bench, "t")
    assert not found.passed
    assert "keys that the target refuses: 1" in found.what
    assert "1 different" in found.what


NUMBERS = """
CREATE TABLE old.kind (kind text PRIMARY KEY, isnum bool NOT NULL);
CREATE TABLE old.p (id int PRIMARY KEY, kind text, code text);
CREATE TABLE new.c (k int PRIMARY KEY, id int);
INSERT INTO old.kind VALUES ('num', true), ('txt', false);
INSERT INTO old.p SELECT n, 'num', n::text FROM generate_series(1, 10) AS n;
INSERT INTO old.p SELECT n, 'txt', 'x' || n FROM generate_series(11, 20) AS n;
ANALYZE old.p, old.kind
"""


@pytest.mark.parametrize(
    "source", ["old.p s JOIN old.kind x ON x.kind = s.kind", "old.kind x JOIN old.p s USING (kind)"]
)
def test_a_key_that_is_computed_is_asked_of_yielded_rows_only(bench: Bench, source: str) -> None:
    """The join decides which texts are numbers; of the others no number is ever made."""
    bench.sql(NUMBERS)
    mapped = bench.map(
        map="t",
        into="new.c",
        key=["k"],
        from_="old.p",
        select=f"SELECT s.code::int AS k, s.id FROM {source} WHERE x.isnum",
        rejected={"no number": "s.kind = 'txt'"},
    )
    assert check(bench, "t").passed
    bench.sql("INSERT INTO old.p VALUES (100, 'txt', 'hello')", "UPDATE old.p SET code = '50' WHERE id = 5")
    mapped.drain()
    bench.sql("UPDATE old.kind SET isnum = false", "INSERT INTO old.p VALUES (101, 'txt', 'hello')")
    bench.sql("UPDATE old.kind SET isnum = true WHERE kind = 'num'")
    mapped.drain()
    assert mapped.poison() == []
    assert bench.rows("SELECT k, id FROM new.c WHERE k > 10") == [(50, 5)]
    found = check(bench, "t")
    assert found.passed, found.what


# Type of the target's column -> value that it refuses when it is assigned.
REFUSED = {"public.even": "3", "int": "3000000000", "numeric(4,2)": "1234"}


@pytest.mark.parametrize("type_", REFUSED)
def test_a_value_that_the_target_refuses_is_no_bug_of_the_comparison(bench: Bench, type_: str) -> None:
    """Either it differs, or it is said what was refused."""
    bench.sql(
        "CREATE DOMAIN public.even AS bigint CHECK (VALUE % 2 = 0)",
        "CREATE TABLE old.p (id int PRIMARY KEY, v bigint)",
        f"CREATE TABLE new.c (id int PRIMARY KEY, v {type_})",
        "INSERT INTO old.p VALUES (1, 2)",
    )
    mapped = bench.map(map="t", into="new.c", key=["id"], from_="old.p", select="SELECT s.id, s.v FROM old.p s")
    bench.sql(f"UPDATE old.p SET v = {REFUSED[type_]}")
    mapped.drain()
    assert len(mapped.poison()) == 1
    if type_ == "public.even":
        assert not check(bench, "t").passed
        return
    with pytest.raises(DatabaseError, match="What t yields cannot be compared") as error:
        check(bench, "t")
    assert error.value.where == "mapping t (select)"
    assert "22003" in str(error.value.why)
