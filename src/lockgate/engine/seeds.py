"""Rows that the plan itself has made of its own text, and that nobody has written since.

A row carries the transaction that wrote it, and the catalog the one that made the table. A step that runs in one
transaction and writes nothing but values of its text notes that transaction; a row of a table of the same one is the
plan's own then: whoever changes a row, or has the table written anew, puts another transaction there.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from lockgate.ledger import steps

_NOTE = "seeds"
# A server gives the same numbers to other transactions: another one, and the same after four billion of them.
_SERVER = b"SELECT system_identifier::text FROM pg_catalog.pg_control_system()"
_ALLOWED = b"SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"
_MADE_BY = b"""
SELECT m.tableoid, m.xid FROM (
    SELECT a.attrelid::text AS tableoid, a.xmin::text AS xid
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname = 'heap'
    -- The row of a system column: nothing that is done to a table later writes it.
    WHERE a.attnum = -1 AND (a.attrelid = %(oid)s OR a.attrelid IN (
        SELECT t.relid FROM pg_catalog.pg_partition_tree(%(oid)s::oid::regclass) AS t))
) AS m
JOIN lockgate.steps s ON s.plan = %(plan)s AND s.detail -> %(note)s ->> 'server' = %(server)s
    AND m.xid = ((s.detail -> %(note)s ->> 'transaction')::numeric %% 4294967296)::text
    AND pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::numeric
        - (s.detail -> %(note)s ->> 'transaction')::numeric < 4294967296
"""


def note(conn: Connection[Any], step_id: int) -> None:
    """Note the open transaction as one of a step that writes nothing but values of its text."""
    server = _server(conn)
    if server is None:
        return
    row = conn.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
    assert row is not None
    facts = {"transaction": row[0], "server": server}
    steps.record(conn, step_id, detail={_NOTE: facts})


def count_others(conn: Connection[Any], plan: str, oid: int, table: str) -> int:
    """How many rows of a table are not known to be the plan's own."""
    server = _server(conn)
    values = {"oid": oid, "plan": plan, "note": _NOTE, "server": server}
    made = conn.execute(_MADE_BY, values).fetchall() if server is not None else []
    own = " OR ".join(f"(t.tableoid = {tableoid}::oid AND t.xmin = '{xid}'::xid)" for tableoid, xid in made)
    row = conn.execute(f"SELECT count(*) FROM {table} AS t WHERE NOT ({own or 'false'})".encode()).fetchone()
    return int(row[0]) if row else 0


def _server(conn: Connection[Any]) -> str | None:
    """What tells this server from those to which its tables may be copied; None where the role may not know."""
    allowed = conn.execute(_ALLOWED).fetchone()
    if not allowed or not allowed[0]:
        return None
    row = conn.execute(_SERVER).fetchone()
    return str(row[0]) if row else None
