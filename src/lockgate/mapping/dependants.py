"""Rows of other tables that refer to rows of a target, and what becomes of them when those are removed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

Condition = Callable[[str], str]
"""A condition on the row of a relation that has this alias."""

_CASCADES = "c"
_REFUSES = ("a", "r")
# Of a key that partitions share, the one that all of them have it from.
_FOREIGN_KEYS = b"""
SELECT c.conname AS name, c.confdeltype::text AS action, c.conrelid::bigint AS relid,
       pg_catalog.format('%%I.%%I', n.nspname, r.relname) AS sql, n.nspname || '.' || r.relname AS label,
       pg_catalog.format('%%I.%%I', pn.nspname, p.relname) AS parent,
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(
            pg_catalog.quote_ident(pa.attname), pg_catalog.format('OPERATOR(%%I.%%s)', opn.nspname, o.oprname),
            pg_catalog.quote_ident(a.attname)))
        FROM unnest(c.confkey, c.conpfeqop, c.conkey) AS k (pk, op, fk)
        JOIN pg_catalog.pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = k.pk
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.fk
        JOIN pg_catalog.pg_operator o ON o.oid = k.op
        JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace) AS pairs
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = c.confrelid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE c.contype = 'f' AND c.confrelid = ANY (%(oids)s) AND c.conrelid <> ALL (%(seen)s)
AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.oid = c.conparentid AND o.confrelid = ANY (%(oids)s))
ORDER BY label, name
"""


@dataclass(frozen=True, slots=True)
class _ForeignKey:
    name: str
    action: str
    relid: int
    sql: str
    label: str
    parent: str
    pairs: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Dependants:
    """Rows that refer to others which would be removed.

    :param name: of the foreign key.
    :param removed: whether they are removed, too; else they only lose the reference.
    :param refuses: whether they keep the others from being removed.
    """

    label: str
    name: str
    rows: int
    removed: bool
    refuses: bool


def dependants(
    conn: Connection[Any], oids: Sequence[int], condition: Condition, seen: Collection[int], level: int = 0
) -> Iterator[Dependants]:
    """The rows that refer to rows which would be removed, those included that go with them.

    :param oids: a relation and its partitions.
    :param condition: holds for the rows that would be removed.
    :param seen: relations that are accounted for already.
    """
    known = {*seen, *oids}
    with conn.cursor(row_factory=class_row(_ForeignKey)) as cursor:
        found = cursor.execute(_FOREIGN_KEYS, {"oids": list(oids), "seen": list(known)}).fetchall()
    for key in found:

        def refers(alias: str, key: _ForeignKey = key) -> str:
            parent = f"p{level}"
            pairs = " AND ".join(f"{parent}.{theirs} {equals} {alias}.{own}" for theirs, equals, own in key.pairs)
            return f"EXISTS (SELECT FROM {key.parent} AS {parent} WHERE {pairs} AND {condition(parent)})"

        row = conn.execute(f"SELECT count(*) FROM {key.sql} AS c WHERE {refers('c')}".encode()).fetchone()
        rows = int(row[0]) if row else 0
        if rows:
            removed = key.action == _CASCADES
            yield Dependants(key.label, key.name, rows, removed, key.action in _REFUSES)
            if removed:
                yield from dependants(conn, [key.relid], refers, known, level + 1)
