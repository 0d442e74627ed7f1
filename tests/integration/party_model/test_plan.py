"""The plan's SELECTs, run as plain SQL, must yield the figures that the generator announces."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from lockgate.plan.load import LoadedPlan
from lockgate.plan.models import MapStep, MeasureStep, MigrateStep, QueryCheck, QueryGate, TransformStep
from systems.party_model.counts import MINIMUM_SCALE, expected
from systems.party_model.generate import generate

from .by_hand import fill, load, migrations, one, run, transform, until_cutover

Connection = psycopg.Connection[Any]


def _holds(conn: Connection, expectation: QueryGate | QueryCheck) -> bool:
    rows = conn.execute(expectation.query).fetchall()
    if expectation.empty is not None:
        return bool(rows) != expectation.empty
    wanted = expectation.equals
    return bool(rows[0][0] == (one(conn, wanted) if isinstance(wanted, str) else wanted))


def _accounts(conn: Connection, step: MapStep) -> dict[str, int]:
    """Reason -> rows of the driving relation that are rejected for it."""
    alias = step.select.split(f"FROM {step.from_} ")[1].split()[0]
    return {
        reason: int(one(conn, f"SELECT count(*) FROM {step.from_} {alias} WHERE {condition}"))
        for reason, condition in step.rejected.items()
    }


@pytest.fixture(scope="module")
def loaded() -> LoadedPlan:
    return load()


@pytest.mark.parametrize("scale", [MINIMUM_SCALE, 0.01, 0.05])
def test_the_new_model_is_what_was_announced(conn: Connection, loaded: LoadedPlan, scale: float) -> None:
    figures = generate(conn, scale)
    for phase in until_cutover(loaded):
        for gate in phase.before:
            assert isinstance(gate, QueryGate)
            assert _holds(conn, gate), gate.title
        for step in phase.steps:
            match step:
                case MigrateStep():
                    run(conn, *(migration.up for migration in migrations(loaded, step)))
                case MapStep():
                    rows_before = one(conn, f"SELECT count(*) FROM {step.into}")
                    fill(conn, step)
                    if step.map.startswith("contacts"):
                        assert _accounts(conn, step) == {**figures.rejected_by_reason[step.map], "no party yet": 0}
                        yields = one(conn, f"SELECT count(*) FROM ({step.select}) AS y")
                        gained = one(conn, f"SELECT count(*) FROM {step.into}") - rows_before
                        assert yields - gained == figures.merged_by_mapping[step.map]
                case TransformStep():
                    changed = {"financials": figures.financials, "transactions": 0}[step.transform]
                    assert (transform(conn, step), transform(conn, step)) == (changed, 0)
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
        assert (table, one(conn, f"SELECT count(*) FROM core.{table}")) == (table, rows)


def test_the_undo_takes_everything_back(conn: Connection, loaded: LoadedPlan) -> None:
    generate(conn, MINIMUM_SCALE)
    relations = (
        "SELECT array_agg(oid::regclass::text ORDER BY oid) FROM pg_catalog.pg_class"
        " WHERE relnamespace::regnamespace::text IN ('core', 'dim', 'ref')"
    )
    columns = "SELECT count(*) FROM pg_catalog.pg_attribute WHERE attrelid = 'core.property_transactions'::regclass"
    at_start = [one(conn, relations), one(conn, columns + " AND NOT attisdropped")]
    steps = [step for phase in until_cutover(loaded) for step in phase.steps if isinstance(step, MigrateStep)]
    done = [migration for step in steps for migration in migrations(loaded, step)]
    run(conn, *(migration.up for migration in done))
    run(conn, *(migration.down for migration in reversed(done)))
    assert [one(conn, relations), one(conn, columns + " AND NOT attisdropped")] == at_start
