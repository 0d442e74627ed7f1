"""The plan's SELECTs, run as plain SQL, must yield the figures that the generator announces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.plan.models import MapStep, MeasureStep, QueryCheck, QueryGate, SqlStep, TransformStep
from lockgate.sql.split import split
from systems.party_model.counts import MINIMUM_SCALE, expected
from systems.party_model.generate import generate

Connection = psycopg.Connection[Any]
PLAN = Path(__file__).parents[3] / "systems" / "party_model" / "plan"


def _one(conn: Connection, query: str) -> Any:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def _run(conn: Connection, step: SqlStep) -> None:
    for statement in split(step.sql):
        conn.execute(statement.text)


def _fill(conn: Connection, step: MapStep) -> None:
    key, inner = ", ".join(step.key), f"({step.select}) AS yielded"
    columns = ", ".join(column.name for column in conn.execute(f"SELECT * FROM {inner} LIMIT 0").description or ())
    conn.execute(
        f"INSERT INTO {step.into} ({columns}) SELECT DISTINCT ON ({key}) {columns} FROM {inner} ORDER BY {key}"
    )


def _transform(conn: Connection, step: TransformStep) -> int:
    """Apply a transform by hand; how many rows it changed."""
    inner = f"({step.select}) AS q"
    names = [column.name for column in conn.execute(f"SELECT * FROM {inner} LIMIT 0").description or ()]
    values = [name for name in names if name not in step.key]
    return conn.execute(
        f"UPDATE {step.table} t SET {', '.join(f'{name} = q.{name}' for name in values)} FROM {inner}"
        f" WHERE {' AND '.join(f't.{name} = q.{name}' for name in step.key)}"
        f" AND ROW({', '.join(f't.{name}' for name in values)})"
        f" IS DISTINCT FROM ROW({', '.join(f'q.{name}' for name in values)})"
    ).rowcount


def _holds(conn: Connection, expectation: QueryGate | QueryCheck) -> bool:
    rows = conn.execute(expectation.query).fetchall()
    if expectation.empty is not None:
        return bool(rows) != expectation.empty
    wanted = expectation.equals
    return bool(rows[0][0] == (_one(conn, wanted) if isinstance(wanted, str) else wanted))


def _accounts(conn: Connection, step: MapStep) -> dict[str, int]:
    """Reason -> rows of the driving relation that are rejected for it."""
    alias = step.select.split(f"FROM {step.from_} ")[1].split()[0]
    return {
        reason: int(_one(conn, f"SELECT count(*) FROM {step.from_} {alias} WHERE {condition}"))
        for reason, condition in step.rejected.items()
    }


@pytest.fixture(scope="module")
def loaded() -> LoadedPlan:
    return load_plan(PLAN)


@pytest.mark.parametrize("scale", [MINIMUM_SCALE, 0.01, 0.05])
def test_the_new_model_is_what_was_announced(conn: Connection, loaded: LoadedPlan, scale: float) -> None:
    figures = generate(conn, scale)
    for phase in loaded.plan.phases:
        for gate in phase.before:
            assert isinstance(gate, QueryGate)
            assert _holds(conn, gate), gate.title
        for step in phase.steps:
            match step:
                case SqlStep():
                    _run(conn, step)
                case MapStep():
                    rows_before = _one(conn, f"SELECT count(*) FROM {step.into}")
                    _fill(conn, step)
                    if step.map.startswith("contacts"):
                        assert _accounts(conn, step) == figures.rejected_by_reason[step.map]
                        yields = _one(conn, f"SELECT count(*) FROM ({step.select}) AS y")
                        gained = _one(conn, f"SELECT count(*) FROM {step.into}") - rows_before
                        assert yields - gained == figures.merged_by_mapping[step.map]
                case TransformStep():
                    changed = {"financials": figures.financials, "transactions": 0}[step.transform]
                    assert (_transform(conn, step), _transform(conn, step)) == (changed, 0)
                case MeasureStep():
                    parameters = conn.execute(step.parameters or "").fetchall()
                    assert len(parameters) == 20
                    for (national_id,) in parameters:
                        before, after = (
                            conn.execute(query, {"national_id": national_id}).fetchall()
                            for query in (step.before, step.after)
                        )
                        assert before == after
        for check in phase.after:
            if isinstance(check, QueryCheck):
                assert _holds(conn, check), check.title
    born = expected(scale).born  # they come from the service
    for table, rows in {
        "parties": figures.parties - born,
        "people": figures.people - born,
        "companies": figures.companies,
        "party_contacts": figures.contacts,
        "party_addresses": figures.addresses,
        "party_addresses WHERE is_primary": figures.primary_addresses,
        "party_enrichments": figures.enrichments,
        "party_enrichments WHERE normalized_data ? 'financials'": figures.financials,
    }.items():
        assert (table, _one(conn, f"SELECT count(*) FROM core.{table}")) == (table, rows)


def test_the_undo_takes_everything_back(conn: Connection, loaded: LoadedPlan) -> None:
    generate(conn, MINIMUM_SCALE)
    relations = (
        "SELECT array_agg(oid::regclass::text ORDER BY oid) FROM pg_catalog.pg_class"
        " WHERE relnamespace::regnamespace::text IN ('core', 'dim', 'ref')"
    )
    columns = "SELECT count(*) FROM pg_catalog.pg_attribute WHERE attrelid = 'core.property_transactions'::regclass"
    at_start = [_one(conn, relations), _one(conn, columns + " AND NOT attisdropped")]
    for phase in loaded.plan.phases:
        for step in phase.steps:
            if isinstance(step, SqlStep):
                _run(conn, step)
    for phase in reversed(loaded.plan.phases):
        for undo in phase.undo or ():
            _run(conn, undo)
    assert [_one(conn, relations), _one(conn, columns + " AND NOT attisdropped")] == at_start
