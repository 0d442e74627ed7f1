"""Rows that a key does not allow: more than one of a kind, or without the one that they refer to."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from lockgate.safety.facts import Facts
from lockgate.safety.probes.asking import EXAMPLES, Probe, key, source
from lockgate.safety.records import Relation


def duplicates(
    relation: Relation,
    keys: Sequence[sql.Composable],
    *,
    predicate: sql.Composable | None = None,
    nulls_distinct: bool = True,
    columns: Sequence[str] = (),
) -> Probe:
    """Rows that share a key with another one; the examples are such keys.

    :param keys: columns or expressions.
    :param predicate: of a partial index.
    :param nulls_distinct: whether rows without a value in the key never share it.
    """
    named = sql.SQL(", ").join(keys)
    conditions: list[sql.Composable] = [sql.SQL("({}\n)").format(predicate)] if predicate is not None else []
    if nulls_distinct:
        conditions += [sql.SQL("({}\n) IS NOT NULL").format(part) for part in keys]
    where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("")

    def count(rows: sql.Composable) -> sql.Composed:
        return sql.SQL(
            "SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (WHERE n > 1), 0) "
            "FROM (SELECT count(*) AS n FROM {}{} GROUP BY {}) AS g"
        ).format(rows, where, named)

    def examples(rows: sql.Composable) -> sql.Composed:
        texts = sql.SQL(", ").join(sql.SQL("({}\n)::text").format(part) for part in keys)
        return sql.SQL("SELECT {} FROM {}{} GROUP BY {} HAVING count(*) > 1 LIMIT {}").format(
            texts, rows, where, named, EXAMPLES
        )

    return Probe(relation, count, examples, tuple(columns))


def orphans(
    facts: Facts,
    relation: Relation,
    columns: Sequence[str],
    parent: Relation,
    referenced: Sequence[str],
    *,
    match_full: bool = False,
    total: bool = True,
) -> Probe:
    """Rows that refer to one that is not there.

    :param total: whether it is counted, too, how many were looked at, for which the table is read once more.
    """
    own = [sql.Identifier("child", name) for name in columns]
    pairs = zip(own, [sql.Identifier("parent", name) for name in referenced], strict=True)
    found = sql.SQL("EXISTS (SELECT FROM {} WHERE {})").format(
        source(parent, "parent"),
        sql.SQL(" AND ").join(sql.SQL("{} = {}").format(theirs, mine) for mine, theirs in pairs),
    )
    whole = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(column) for column in own)
    condition = sql.SQL("({} AND NOT {})").format(whole, found)
    if match_full:
        some = sql.SQL(" OR ").join(sql.SQL("{} IS NOT NULL").format(column) for column in own)
        condition = sql.SQL("({} OR (({}) AND NOT ({})))").format(condition, some, whole)

    def count(rows: sql.Composable) -> sql.Composed:
        # The condition stands in WHERE, so that the server can join the tables as a whole.
        looked = sql.SQL("(SELECT count(*) FROM {})").format(rows) if total else sql.SQL("0")
        return sql.SQL("SELECT {}, count(*) FROM {} WHERE {}").format(looked, rows, condition)

    def examples(rows: sql.Composable) -> sql.Composed:
        named = key(facts, relation, "child")
        return sql.SQL("SELECT {} FROM {} WHERE {} LIMIT {}").format(named, rows, condition, EXAMPLES)

    return Probe(relation, count, examples, tuple(columns), (parent,), "child")
