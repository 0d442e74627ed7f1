"""Rows of one table that a condition holds for."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from lockgate.safety.facts import Facts
from lockgate.safety.probes.asking import EXAMPLES, Probe, key
from lockgate.safety.records import Relation

_BTREE_LIMIT = 2704  # bytes of an entry, on pages of 8 kB
_BTREE_HEAD = 12  # bytes of an entry's head and of the value's own, before it is rounded up to 8


def matching(facts: Facts, relation: Relation, condition: sql.Composable, columns: Sequence[str] = ()) -> Probe:
    """Rows for which a condition is true.

    :param columns: those that it reads.
    """

    def count(rows: sql.Composable) -> sql.Composed:
        return sql.SQL("SELECT count(*), count(*) FILTER (WHERE {}) FROM {}").format(condition, rows)

    def examples(rows: sql.Composable) -> sql.Composed:
        named = key(facts, relation)
        return sql.SQL("SELECT {} FROM {} WHERE {} LIMIT {}").format(named, rows, condition, EXAMPLES)

    return Probe(relation, count, examples, tuple(columns))


def nulls(facts: Facts, relation: Relation, columns: Sequence[str]) -> Probe:
    """Rows that have no value in one of these columns."""
    return matching(facts, relation, null(columns), columns)


def null(columns: Sequence[str]) -> sql.Composed:
    """The condition of a row that has no value in one of these columns."""
    return sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(sql.Identifier(name)) for name in columns)


def violating(facts: Facts, relation: Relation, check: str) -> Probe:
    """Rows that a CHECK refuses.

    :param check: its condition, as SQL.
    """
    return matching(facts, relation, refused(check))


def refused(check: str) -> sql.Composed:
    """The condition of a row that a CHECK refuses.

    :param check: its condition, as SQL.
    """
    return sql.SQL("({}\n) IS FALSE").format(raw(check))


def oversized(facts: Facts, relation: Relation, columns: Sequence[str], predicate: str | None = None) -> Probe:
    """Rows whose values in these columns do not fit into an entry of a btree index together."""
    sizes = sql.SQL(" + ").join(
        sql.SQL("coalesce(pg_catalog.pg_column_size({}), 0)").format(sql.Identifier(name)) for name in columns
    )
    condition: sql.Composable = sql.SQL("{} + {} > {}").format(sizes, _BTREE_HEAD, _BTREE_LIMIT)
    if predicate:
        condition = sql.SQL("{} AND ({}\n)").format(condition, raw(predicate))
    return matching(facts, relation, condition, columns)


def raw(text: str) -> sql.SQL:
    """SQL that a statement of the migration holds, and that runs there anyway."""
    return sql.SQL(text)
