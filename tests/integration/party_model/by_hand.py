"""The plan's steps as a careful engineer would run them by hand, with nobody writing meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from lockgate.history.base import Migration, Script
from lockgate.history.naming import found
from lockgate.migrating import planned
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.plan.models import CutoverStep, MapStep, MigrateStep, Phase, TransformStep
from lockgate.sql.split import split

Connection = psycopg.Connection[Any]
PLAN = Path(__file__).parents[3] / "systems" / "party_model" / "plan"


def one(conn: Connection, query: str) -> Any:
    """The only value that the query yields."""
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


def migrations(loaded: LoadedPlan, step: MigrateStep) -> list[Migration]:
    """The files that a step applies when all steps before it are done."""
    steps = [each for phase in loaded.plan.phases for each in phase.steps if isinstance(each, MigrateStep)]
    known = list(planned.tool_of(loaded).migrations())
    ends = [known.index(found(known, each.migrate, "plan.yaml")) + 1 for each in steps]
    number = next(n for n, each in enumerate(steps) if each is step)
    return known[ends[number - 1] if number else 0 : ends[number]]


def run(conn: Connection, *scripts: Script | None) -> None:
    """Run the statements of files."""
    for script in scripts:
        assert script is not None
        for statement in split(script.text):
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
    loaded = load()
    for phase in until_cutover(loaded):
        for step in phase.steps:
            match step:
                case MigrateStep():
                    run(conn, *(migration.up for migration in migrations(loaded, step)))
                case MapStep():
                    fill(conn, step)
                case TransformStep():
                    transform(conn, step)
                case _:
                    pass
