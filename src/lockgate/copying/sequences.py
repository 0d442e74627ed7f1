"""Sequences of copied columns, set past what was copied: what is inserted here next must take no number twice."""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

from lockgate.copying.pairs import Pair

# A sequence that counts down must be below the smallest value.
_SEQUENCE = b"""
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), s.seqincrement > 0
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
WHERE c.oid = pg_catalog.pg_get_serial_sequence(%s, %s)::pg_catalog.regclass
"""


def advance(conn: Connection[Any], pair: Pair) -> int:
    """Set the sequences of a table's columns past their values; how many were behind. None ever goes back."""
    moved = 0
    for held in pair.columns:
        found = conn.execute(_SEQUENCE, (pair.table.sql, held.column.name)).fetchone()
        if found is None:
            continue
        name, up = str(found[0]), bool(found[1])
        most, less = ("max", "<") if up else ("min", ">")
        query = (
            f"SELECT pg_catalog.setval({sql.Literal(name).as_string(conn)}, v.value, true) "
            f"FROM {name} AS q, (SELECT {most}({held.column.sql})::bigint AS value FROM {pair.table.sql}) AS v "
            f"WHERE q.last_value {less} v.value OR (q.last_value = v.value AND NOT q.is_called)"
        )
        moved += conn.execute(query.encode()).rowcount
    return moved
