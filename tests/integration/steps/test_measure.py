from __future__ import annotations

import threading
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.errors import CheckFailed, LockgateError, PrivilegeMissing
from tests.copies import EMPTY
from tests.integration.engine.plans import one, rows, sessions, write_plan


@pytest.fixture
def table(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE old (x int, y text); INSERT INTO old SELECT g, 'é' || g FROM generate_series(1, 9) g"
        )
        conn.execute("CREATE TABLE new AS SELECT * FROM old ORDER BY x DESC")
    return dsn


def measure(dsn: str, folder: Path, **step: Any) -> dict[str, Any]:
    lines = "".join(f"          {key}: {value}\n" for key, value in step.items())
    plan = write_plan(
        folder, f"phases:\n  - id: a\n    steps:\n      - measure: m\n{lines.replace('  ' * 5, '  ' * 4)}"
    )
    runner.apply(plan, sessions(dsn))
    (payload,) = rows(dsn, "SELECT payload FROM lockgate.chain WHERE payload->>'name' ~ 'measure[d]?:m'")[0]
    assert isinstance(payload, dict)
    return payload


def test_times_both_queries_and_keeps_their_plans(table: str, tmp_path: Path) -> None:
    payload = measure(table, tmp_path, before="SELECT * FROM old", after="SELECT * FROM new", runs=5)
    result = payload["result"]
    assert payload["query"] == "-- before\nSELECT * FROM old\n-- after\nSELECT * FROM new"
    assert (result["runs"], result["same_rows"], result["rows"]) == (5, True, 9)
    for side in ("before", "after"):
        times = result[side]
        assert len(times["times_ms"]) == 5
        assert times["fastest_ms"] <= times["median_ms"] <= times["slowest_ms"]
        assert times["quartile_low_ms"] <= times["quartile_high_ms"]
        assert result["plans"][side]["Node Type"] == "Seq Scan"
    assert result["factor"] == pytest.approx(result["before"]["median_ms"] / result["after"]["median_ms"])


def test_takes_its_parameters_from_a_query(table: str, tmp_path: Path) -> None:
    result = measure(
        table,
        tmp_path,
        before="SELECT y FROM old WHERE x %% 5 = %(x)s",
        after="SELECT y FROM new WHERE x %% 5 = %(x)s",
        parameters="SELECT x FROM old WHERE x < 4",
        runs=4,
    )["result"]
    assert (result["parameter_sets"], result["rows"]) == (3, 6)


@pytest.mark.parametrize(
    ("change", "only"),
    [
        ("DELETE FROM new WHERE x = 3", "1 rows come only from `before` and 0 only from `after`"),
        ("INSERT INTO new SELECT * FROM new WHERE x = 3", "0 rows come only from `before` and 1 only"),
        ("UPDATE new SET y = NULL WHERE x = 3", "1 rows come only from `before` and 1 only"),
    ],
)
def test_different_rows_fail(
    table: str, tmp_path: Path, change: str, only: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockgate.steps.measure._SETTLING", 0.3)
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute(change.encode())
    with pytest.raises(CheckFailed) as caught:
        measure(table, tmp_path, before="SELECT * FROM old", after="SELECT * FROM new")
    assert only in str(caught.value.why)
    assert caught.value.where == "plan.yaml:5:9"


def test_a_table_that_follows_may_catch_up(table: str, tmp_path: Path) -> None:
    with psycopg.connect(table, autocommit=True) as conn:
        conn.execute("DELETE FROM new WHERE x = 3")
        late = threading.Timer(0.7, conn.execute, ("INSERT INTO new SELECT * FROM old WHERE x = 3",))
        late.start()
        measure(table, tmp_path, before="SELECT * FROM old", after="SELECT * FROM new", runs=3)
        late.join()


def test_rows_may_differ_if_the_plan_says_so(table: str, tmp_path: Path) -> None:
    result = measure(table, tmp_path, before="SELECT 1", after="SELECT 2", same_rows="false", runs=3)["result"]
    assert "same_rows" not in result


@pytest.mark.parametrize("side", ["before", "after", "parameters"])
def test_a_query_that_fails_is_placed(table: str, tmp_path: Path, side: str) -> None:
    step = {"before": "SELECT 1", "after": "SELECT 1", "parameters": "SELECT 1 AS x", side: "SELECT nonsense"}
    with pytest.raises(LockgateError) as caught:
        measure(table, tmp_path, **step)
    assert caught.value.where == f"plan.yaml:{6 + list(step).index(side)}:{len(side) + 11}"


def test_without_parameters_nothing_is_measured_which_is_told(table: str, tmp_path: Path) -> None:
    payload = measure(table, tmp_path, before="SELECT 1", after="SELECT 1", parameters="SELECT 1 WHERE false")
    assert payload["name"] == "not_measured:m"
    assert payload["query"] == "SELECT 1 WHERE false"
    assert payload["result"] == {"parameter_sets": 0}


def test_cannot_write(table: str, tmp_path: Path) -> None:
    with pytest.raises(LockgateError, match="failed"):
        measure(table, tmp_path, before="DELETE FROM old RETURNING x", after="SELECT 1")
    assert one(table, "SELECT count(*) FROM old") == 9


# --- analyze ----------------------------------------------------------------------------------------------


def test_analyze(table: str, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "phases: [{id: a, steps: [{analyze: [public.old, public.new]}]}]")
    runner.apply(plan, sessions(table))
    found = rows(table, "SELECT payload->'result' FROM lockgate.chain WHERE kind = 'evidence' ORDER BY seq")
    assert [result for (result,) in found] == [
        {"table": "public.old", "estimated_rows": 9},
        {"table": "public.new", "estimated_rows": 9},
    ]


def test_analyze_of_a_table_that_is_not_there(table: str, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "phases: [{id: a, steps: [{analyze: [public.old, public.nowhere]}]}]")
    with pytest.raises(LockgateError) as caught:
        runner.apply(plan, sessions(table))
    assert caught.value.where == "plan.yaml:2:49"


@pytest.mark.parametrize("template", [EMPTY])  # the ledger is to be the role's own
def test_analyze_that_the_server_only_warns_about(table: str, tmp_path: Path) -> None:
    role = f"analyst_{token_hex(4)}"
    with psycopg.connect(table, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT CREATE ON DATABASE \"{name}\" TO {role}".encode())
        try:
            dsn = psycopg.conninfo.make_conninfo(table, options=f"-c role={role}")
            plan = write_plan(tmp_path, "phases: [{id: a, steps: [{analyze: [public.old]}]}]")
            with pytest.raises(PrivilegeMissing) as caught:
                runner.apply(plan, sessions(dsn))
        finally:
            admin.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())
    assert "skipping" in str(caught.value.why)
    assert "owner" in str(caught.value.hint)
