"""Values that a row is made with where no mapping decides, as far as they can be told afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection

from lockgate.catalog.relations import Column, Relation
from lockgate.mapping import nodetree
from lockgate.mapping.queries import load

_MOMENTARY = ("SQLVALUEFUNCTION", "NEXTVALUEEXPR")


def steady_defaults(
    conn: Connection[Any], target: Relation, columns: Sequence[Column], on_insert: Mapping[str, str]
) -> dict[Column, str]:
    """The expression of the value that a column is made with, for each column where it always is the same."""
    found: dict[Column, str] = {}
    for column in columns:
        expression = on_insert.get(column.name) or _default(conn, target, column)
        if expression is not None and _is_steady(conn, expression):
            found[column] = expression
    return found


def _default(conn: Connection[Any], target: Relation, column: Column) -> str | None:
    if column.identity:
        return None
    row = conn.execute(
        "SELECT pg_catalog.pg_get_expr(adbin, adrelid) FROM pg_catalog.pg_attrdef WHERE adrelid = %s AND adnum = %s",
        (target.oid, column.number),
    ).fetchone()
    if row is not None:
        return str(row[0])
    return None if column.has_default else "NULL"  # a domain's default


def _is_steady(conn: Connection[Any], expression: str) -> bool:
    with conn.transaction(force_rollback=True):
        conn.execute(f"CREATE TEMPORARY VIEW lockgate_probe AS SELECT ({expression}\n) AS value".encode())
        row = conn.execute(load("probe")).fetchone()
        assert row is not None  # the view was just made
        tree = nodetree.parse(row[0])
        casts = nodetree.text_casts(tree)
        names = {
            "functions": sorted(nodetree.called_functions(tree)),
            "sources": sorted({source for source, _ in casts}),
            "targets": sorted({target for _, target in casts}),
        }
        momentary = any(nodetree.has_node(tree, name) for name in _MOMENTARY)
        return not momentary and conn.execute(load("volatile"), names).fetchone() is None
