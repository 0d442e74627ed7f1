"""The chunk of a map: its rows inserted in the order of the target's key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import Connection

from lockgate.mapping.compiled import Compiled, equal_as_held, names
from lockgate.mapping.group import Group
from lockgate.mapping.hashing import hash_of_key

Meet = Callable[[Sequence[int]], list[int]]
"""Is told the hashes of the keys of a chunk, and tells which of them another chunk is inserting at this moment."""


def insert_chunk(
    conn: Connection[Any], group: Group, compiled: Compiled, yields: str, meet: Meet | None
) -> tuple[int, int]:
    """Insert what a query yields; return the rows yielded and the rows inserted.

    A key that another transaction has just inserted is waited for until that ends, and two chunks that share
    a single key would go on one after the other. So such keys are left out, and looked at when both have ended.

    :param meet: None where no key can come twice, or nobody else is at work.
    """
    busy: list[int] = []
    if meet is not None:
        yields = _kept(conn, group, compiled, yields)
        busy = meet(_hashes(conn, compiled, yields))
    row = conn.execute(_statement(group, compiled, yields, busy).encode()).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _kept(conn: Connection[Any], group: Group, compiled: Compiled, yields: str) -> str:
    """Evaluate a query once for two statements; a query of what it yielded."""
    table = f"lockgate_chunk_{group.target_id}_{group.compiled.index(compiled)}"
    # Of this chunk only: the next one may find a column of another type.
    conn.execute(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {yields}".encode())
    return f"SELECT * FROM pg_temp.{table}"


def _hashes(conn: Connection[Any], compiled: Compiled, yields: str) -> list[int]:
    row = conn.execute(
        f"SELECT pg_catalog.array_agg({hash_of_key(compiled.key, 'y')}) FROM ({yields}) AS y "
        f"WHERE {compiled.not_null('y')}".encode()
    ).fetchone()
    return list(row[0] or ()) if row else []


def _statement(group: Group, compiled: Compiled, yields: str, busy: Sequence[int]) -> str:
    key = names(compiled.key)
    columns, values = group.evaluation.insert_lists("w")
    theirs = f"{hash_of_key(compiled.key, 'y')} = ANY ('{{{', '.join(map(str, busy))}}}'::bigint[])"
    free = f" AND NOT {theirs}" if busy else ""
    # Without sync nobody looks before the last chunk has ended, and no older transaction need be waited for.
    fence = "pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())" if compiled.definition.sync else "'0'::xid8"
    left_out = f" UNION SELECT {names(compiled.key, 'y')}, {fence} FROM y WHERE {compiled.not_null('y')} AND {theirs}"
    return (
        f"WITH y AS MATERIALIZED ({yields}), "
        f"w AS MATERIALIZED (SELECT DISTINCT ON ({names(compiled.key, 'y')}) y.* FROM y "
        f"WHERE {compiled.not_null('y')}{free} ORDER BY {names(compiled.key, 'y')}, {compiled.order('y')}), "
        f"made AS (INSERT INTO {compiled.target.sql} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values} FROM w "
        f"ORDER BY {names(compiled.key, 'w')} ON CONFLICT ({key}) DO NOTHING RETURNING {key}), "
        f"again AS (INSERT INTO {group.recheck} ({key}, lockgate_fence) "
        f"SELECT {names(compiled.key, 'w')}, '0'::xid8 FROM w "
        f"WHERE (SELECT count(*) FROM made) < (SELECT count(*) FROM w) "
        f"AND NOT EXISTS (SELECT FROM made AS m WHERE {equal_as_held(compiled.key, 'm', 'w')})"
        f"{left_out if busy else ''}) "
        "SELECT (SELECT count(*) FROM y), (SELECT count(*) FROM made)"
    )
