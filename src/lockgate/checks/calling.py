"""Parts of the check ``objects`` that run something: calls of functions, and what makes triggers fire.

All of it is rolled back, each by itself, so that one that fails hides nothing of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.checks.base import CheckContext
from lockgate.checks.expectation import same
from lockgate.checks.explaining import explain
from lockgate.checks.names import family, near, parts, rows
from lockgate.sql import tree
from lockgate.sql.tree import SqlSyntaxError

_WRITES = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})


def calls(ctx: CheckContext, wanted: Mapping[str, Any]) -> Iterator[str]:
    """Calls that fail, or yield another value than is expected."""
    with ctx.sessions.open("check", plan_sql=True) as conn:
        for call, expected in wanted.items():
            problem = _called(conn, call, expected)
            if problem:
                yield f"{call} {problem}"


def _called(conn: Connection[Any], call: str, expected: Any) -> str:
    """What is wrong with a call; empty: nothing."""
    try:
        if tree.kind(tree.expression(call)) != "FuncCall":
            return "is not a call of a function"
        found = _yields(conn, call)
    except SqlSyntaxError as error:
        return f"is not a call of a function: {error.what}"
    except psycopg.Error as error:
        return f"fails: {error.diag.message_primary}"
    if expected is None:
        return ""
    if len(found) != 1:
        return f"yields {'several rows' if found else 'no row'}, and must yield {expected}"
    value = found[0][0]
    return "" if same(value, expected) else f"yields {'NULL' if value is None else value}, and must yield {expected}"


def _yields(conn: Connection[Any], call: str) -> list[tuple[Any, ...]]:
    """The rows of a call, which a procedure has none of; what it did is rolled back."""
    try:
        with conn.transaction(force_rollback=True):
            return conn.execute(f"SELECT {call}".encode()).fetchall()
    except psycopg.errors.WrongObjectType as error:
        if "CALL" not in (error.diag.message_hint or ""):
            raise
    with conn.transaction(force_rollback=True):
        conn.execute(f"CALL {call}".encode())
    return []


def fires(ctx: CheckContext, wanted: Mapping[str, str]) -> Iterator[str]:
    """Triggers that a statement does not make fire, by what EXPLAIN ANALYZE counts of them.

    One that refuses the statement has fired, too: the server says in which function it was refused.
    """
    known = {tuple(row["name"]) for row in rows(ctx.conn, "triggers")}
    with ctx.sessions.open("check", plan_sql=True) as conn:
        for name, statement in wanted.items():
            if parts(name) not in known:
                yield f"trigger {name} is not there{near(parts(name), known)}"
            elif problem := _not_fired(conn, parts(name), statement):
                yield f"trigger {name} {problem}"


def _not_fired(conn: Connection[Any], name: tuple[str, ...], statement: str) -> str:
    try:
        if tree.kind(tree.parse_one(statement).stmt) not in _WRITES:
            return "cannot be tried: its statement is no INSERT, UPDATE, DELETE or MERGE"
        with conn.transaction(force_rollback=True):
            conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
            fired = explain(conn, statement, run=True).triggers
        own = {table for _, table in family(conn, name[0], name[1])}
    except SqlSyntaxError as error:
        return f"cannot be tried: {error.what}"
    except psycopg.Error as error:
        return "" if _refused(conn, name, error) else f"cannot be tried: {error.diag.message_primary}"
    return "" if any((table, name[2]) in fired for table in own) else "does not fire for its statement"


_FUNCTION = b"""
SELECT t.tgfoid::pg_catalog.regprocedure::text FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname, t.tgname) = (%s, %s, %s) AND t.tgenabled <> 'D'
"""


def _refused(conn: Connection[Any], name: tuple[str, ...], error: psycopg.Error) -> bool:
    """Whether it is the trigger's own function that raised the error."""
    row = conn.execute(_FUNCTION, name).fetchone()
    raised = (error.diag.context or "").split("\n")[0]
    return row is not None and raised.startswith(f"PL/pgSQL function {row[0]} line ") and raised.endswith(" at RAISE")
