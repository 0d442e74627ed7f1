"""The plan's steps as a careful engineer would run them by hand, with nobody writing meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.plan.models import CutoverStep, MapStep, Phase, SqlStep, TransformStep
from lockgate.sql.split import split

Connection = psycopg.Connection[Any]
PLAN = Path(__file__).parents[3] / "systems" / "party_model" / "plan"


def one(conn: Connection, query: str) -> Any:
    """The only value that the query yields."""
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def run(conn: Connection, step: SqlStep) -> None:
    """Run a step's statements."""
    for statement in split(step.sql):
        conn.execute(statement.text)


def fill(conn: Connection, step: MapStep) -> None:
    """Fill a mapping's table, any row of those that yield one key."""
    key, inner = ", ".join(step.key), f"({step.select}) AS yielded"
    columns = ", ".join(column.name for column in conn.execute(f"SELECT * FROM {inner} LIMIT 0").description or ())
    conn.execute(
        f"INSERT INTO {step.into} ({columns}) SELECT DISTINCT ON ({key}) {columns} FROM {inner} ORDER BY {key}"
    )


def transform(conn: Connection, step: TransformStep) -> int:
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


def load() -> LoadedPlan:
    """The party model's plan."""
    return load_plan(PLAN)


def until_cutover(loaded: LoadedPlan) -> list[Phase]:
    """The phases that make the new model; those after them retire the old one."""
    phases = list(loaded.plan.phases)
    over = next(n for n, phase in enumerate(phases) if any(isinstance(step, CutoverStep) for step in phase.steps))
    return phases[: over + 1]


def migrate(conn: Connection) -> None:
    """Run the phases that make the new model."""
    for phase in until_cutover(load()):
        for step in phase.steps:
            match step:
                case SqlStep():
                    run(conn, step)
                case MapStep():
                    fill(conn, step)
                case TransformStep():
                    transform(conn, step)
                case _:
                    pass
