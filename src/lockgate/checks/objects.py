"""Check ``objects``: schema objects are present and valid, or absent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.checks.base import CheckContext, CheckResult
from lockgate.engine import queries, sqlerrors
from lockgate.engine.evidence import Evidence
from lockgate.errors import CheckFailed
from lockgate.plan.models import Objects, ObjectsCheck, split_name
from lockgate.suggest import nearest

_TYPE = re.compile(r'[\w\s"().,\[\]]+')
_KINDS = ("tables", "indexes", "constraints", "triggers")


class Runner:
    """Looks each object up in the catalog."""

    def evaluate(self, ctx: CheckContext) -> CheckResult:
        """Name everything that is wrong, not only the first thing."""
        wanted: Objects = ctx.check.objects
        evidence = []
        problems: list[str] = []
        for kind in _KINDS:
            if names := getattr(wanted, kind):
                found = _look(ctx.conn, kind, names)
                problems += found
                evidence.append(_evidence(kind, names, found))
        if wanted.columns:
            found = list(_columns(ctx, wanted.columns))
            problems += found
            evidence.append(_evidence("columns", wanted.columns, found))
        if wanted.absent:
            found = [f"{name} exists" for name in wanted.absent if _states(ctx.conn, "relation", name)]
            problems += found
            evidence.append(_evidence("absent", wanted.absent, found))
        count = sum(len(getattr(wanted, name)) for name in type(wanted).model_fields)
        what = "; ".join(problems) if problems else f"all {count} objects are as they must be"
        return CheckResult(not problems, what, tuple(evidence))

    def describe(self, check: ObjectsCheck) -> str:
        """What must be there."""
        parts = [f"{len(names)} {kind}" for kind in (*_KINDS, "columns") if (names := getattr(check.objects, kind))]
        if check.objects.absent:
            parts.append(f"absent: {', '.join(check.objects.absent)}")
        return f"schema objects: {', '.join(parts)}"


def _evidence(kind: str, names: Any, problems: list[str]) -> Evidence:
    query = queries.load(f"objects_{'tables' if kind == 'absent' else kind}").decode()
    return Evidence(f"objects:{kind}", query, {"wanted": list(names), "problems": problems, "passed": not problems})


def _look(conn: Connection[Any], kind: str, names: tuple[str, ...]) -> list[str]:
    one = {"tables": "table", "indexes": "index", "constraints": "constraint", "triggers": "trigger"}[kind]
    problems = []
    for name in names:
        rows = _states(conn, one, name)
        if not rows:
            problems.append(f"{one} {name} is not there{_suggestion(conn, kind, name)}")
        elif rows[0]:
            problems.append(f"{one} {name} is {rows[0]}")
    return problems


def _states(conn: Connection[Any], kind: str, name: str) -> list[str]:
    """What is wrong with the object of that name: one empty text if nothing, none if it is not there."""
    file = {"table": "tables", "relation": "tables", "index": "indexes"}.get(kind, f"{kind}s")
    any_kind = kind == "relation"
    rows = conn.execute(queries.load(f"objects_{file}"), {"name": list(_parts(name)), "any": any_kind}).fetchall()
    return [str(row[0]) for row in rows]


def _suggestion(conn: Connection[Any], kind: str, name: str) -> str:
    if kind not in {"tables", "indexes"}:
        return ""
    schema, last = _parts(name)
    rows = conn.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s", (schema,)
    ).fetchall()
    close = nearest(last, [row[0] for row in rows])
    return f" (there is {schema}.{close})" if close else ""


def _columns(ctx: CheckContext, wanted: dict[str, str]) -> Iterator[str]:
    for name, type_name in wanted.items():
        row = ctx.conn.execute(queries.load("objects_columns"), {"name": list(_parts(name))}).fetchone()
        if row is None:
            yield f"column {name} is not there"
        elif row[0] != (canonical := _type(ctx, type_name)):
            yield f"column {name} is of type {row[0]}, not {canonical}"


def _type(ctx: CheckContext, name: str) -> str:
    """The type as the server writes it: ``varchar(20)`` is ``character varying(20)``."""
    if not _TYPE.fullmatch(name):
        raise CheckFailed(f"{name!r} is not the name of a type", where=ctx.where)
    try:
        cursor = ctx.conn.execute(f"SELECT NULL::{name}".encode())
    except psycopg.Error as error:
        raise sqlerrors.explain(error, ctx.where, f"There is no type {name}") from error
    result = cursor.pgresult
    assert result is not None
    row = ctx.conn.execute("SELECT format_type(%s, %s)", (result.ftype(0), result.fmod(0))).fetchone()
    assert row is not None
    return str(row[0])


def _parts(name: str) -> tuple[str, ...]:
    parts = split_name(name)
    assert parts is not None, "the plan's model lets no other name through"
    return parts
