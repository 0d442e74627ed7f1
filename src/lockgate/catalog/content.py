"""What a table holds, as a count and a hash that are the same after dump and restore in another database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from psycopg import Connection, sql

from lockgate.catalog import relations
from lockgate.catalog.relations import Column, Relation
from lockgate.errors import PlanError

Way = Literal["xor", "sums"]

_XOR = "pg_catalog.bit_xor({hash}), NULL"
_SUMS = "pg_catalog.sum({hash} >> 32), pg_catalog.sum({hash} & 4294967295)"

# Types of the server whose own hash is of the value alone. An enum's is of its label's OID, and a reg* type's of an
# OID: another database has others.
_PLAIN = b"""
SELECT t.oid::bigint FROM pg_catalog.pg_type t
WHERE t.typnamespace = 'pg_catalog'::regnamespace
  AND t.typname = ANY (ARRAY['bool', 'char', 'name', 'text', 'varchar', 'bpchar', 'bytea', 'uuid', 'oid',
                             'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'date', 'time', 'timetz',
                             'timestamp', 'timestamptz', 'interval', 'inet', 'cidr', 'macaddr', 'macaddr8', 'jsonb'])
"""
_MONEY = 790  # its text depends on the database's lc_monetary


@dataclass(frozen=True, slots=True)
class Content:
    """All rows of a table, whatever their order.

    :param hash: of equal values it is equal: numeric 1.0 and 1.00 are not told apart where the type's own hash is
        taken, and differ where a column goes by its text.
    :param way: how the rows' hashes were put together; two contents compare only if they have the same.
    :param query: the SQL that yielded them.
    """

    rows: int
    hash: str
    way: Way
    query: str


def content(
    conn: Connection[Any],
    oid: int,
    way: Way | None = None,
    *,
    only: sql.Composed | None = None,
) -> Content:
    """Count and hash a table in one query that the server can run in parallel; reads all of it.

    A partitioned table is taken as a whole, any other without the tables that inherit from it. The texts of values
    depend on the settings that our sessions pin.

    :param way: that of the content to compare with; a table that was restored without its key has lost what decides.
    :param only: a condition of the rows that are meant; all of them without.
    :raises PlanError: if it was dropped, or holds no rows of its own.
    """
    relation = relations.read(conn, oid)
    if relation.kind not in {"r", "p", "m"}:
        raise PlanError(f"{relation.label} holds no rows of its own", hint="name a table")
    plain = {int(row[0]) for row in conn.execute(_PLAIN)}
    chosen = way or ("xor" if _has_key(relation) else "sums")
    query = _query(relation, plain, chosen)
    if only is not None:
        query = f"{query} WHERE {only.as_string(conn)}"
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    rows, first, second = row
    if chosen == "xor":
        return Content(int(rows), f"{int(first or 0) & (2**64 - 1):016x}", chosen, query)
    return Content(int(rows), f"{int(first or 0):x}:{int(second or 0):x}", chosen, query)


def _has_key(relation: Relation) -> bool:
    """Whether no two rows are equal. Where two may be, their hashes would cancel each other in an XOR."""
    needed = {column.name for column in relation.columns if column.not_null}
    return any(needed.issuperset(index.columns) and index.identifies(index.columns) for index in relation.indexes)


def _query(relation: Relation, plain: set[int], way: Way) -> str:
    alias = "t"
    while relation.column(alias):  # a column of that name would be meant
        alias += "_"
    items = [_item(column, alias, plain) for column in relation.columns]
    row = alias if items == [f"{alias}.{column.sql}" for column in relation.columns] else f"ROW({', '.join(items)})"
    one = f"pg_catalog.hash_record_extended({row}, 0)"
    made = (_XOR if way == "xor" else _SUMS).replace("{hash}", one)
    only = "" if relation.kind == "p" else "ONLY "
    return f"SELECT count(*), {made} FROM {only}{relation.sql} {alias}"


def _item(column: Column, alias: str, plain: set[int]) -> str:
    """The column where its hash is of the value alone, else its text as the type writes it."""
    value = f"{alias}.{column.sql}"
    if column.base_type_oid == _MONEY:
        return f"pg_catalog.cash_send({value})"
    if column.base_type_oid in plain and column.deterministic:
        return value
    # Of all ways to a text this one always asks the type itself, never a cast that somebody made, and NULL differs.
    return f"""pg_catalog.format('%L', {value}) COLLATE pg_catalog."C\""""
