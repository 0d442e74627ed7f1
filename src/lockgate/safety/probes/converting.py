"""Values that another type does not take, or does not keep as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from lockgate.safety.probes.asking import EXAMPLES, Answer, Looked, Prober, Rows, key, reason
from lockgate.safety.probes.rows import matching, raw
from lockgate.safety.records import Column, Relation

VALIDATES = 160_000
"""The first version whose server says whether a text is a value of a type without failing."""
_BLOCKS = 4096  # of a table, tried at once
_MOST_ROWS = 100
_MOST_TRIALS = 2000
_REFUSED = ("22", "23")  # SQLSTATE classes: a value is wrong, a domain's constraint is


def unreadable(prober: Prober, relation: Relation, column: Column, target: str) -> Answer:
    """Texts that are no value of a type. For servers that can say so.

    :param target: the type, as SQL.
    """
    name = sql.Identifier(column.name)
    condition = sql.SQL("NOT pg_catalog.pg_input_is_valid({}::text, {})").format(name, sql.Literal(target))
    return prober.ask(matching(prober.facts, relation, condition, [column.name]))


def too_long(prober: Prober, relation: Relation, column: Column, length: int) -> Answer:
    """Texts that an assignment to so many characters refuses: spaces at the end are cut off without a word."""
    condition = sql.SQL("pg_catalog.rtrim(pg_catalog.substr({}::text, {}), ' ') <> ''").format(
        sql.Identifier(column.name), sql.Literal(length + 1)
    )
    return prober.ask(matching(prober.facts, relation, condition, [column.name]))


def changed(prober: Prober, relation: Relation, column: Column, old: str, new: str) -> Answer:
    """Values that are not the same when they have been of another type: rounded, cut off.

    :param old, new: the types, as SQL.
    """
    name = sql.Identifier(column.name)
    condition = sql.SQL("(({}::{})::{})::text IS DISTINCT FROM {}::text").format(name, raw(new), raw(old), name)
    return prober.ask(matching(prober.facts, relation, condition, [column.name]))


def failing(prober: Prober, relation: Relation, expression: str) -> Answer:
    """Rows for which an expression fails, found by trying it on ever fewer of them.

    :param expression: SQL over the columns of the relation.
    """
    refusal = prober.refusal([relation])
    if refusal:
        return Answer(Looked.NOT, why=refusal)
    estimate = prober.facts.rows_of(relation)
    trial = _Trial(prober, relation, expression)
    try:
        with prober.looking():
            ended = trial.run()
    except psycopg.Error as error:
        if not trial.found:
            return Answer(Looked.NOT, why=reason(error))
        ended = False
    of = None if estimate is None else round(estimate)
    return Answer(Looked.EXACT, trial.found, 0, of, at_least=not ended, examples=tuple(trial.examples))


class _Trial:
    def __init__(self, prober: Prober, relation: Relation, expression: str) -> None:
        self._prober = prober
        self._conn = prober.conn
        self._relation = relation
        self._expression = raw(expression)
        self._left = _MOST_TRIALS
        self.found = 0
        self.examples: list[tuple[str | None, ...]] = []

    def run(self) -> bool:
        """Try all rows; whether it came to the end."""
        for leaf in self._leaves():
            blocks = self._blocks(leaf)
            for first in range(0, blocks, _BLOCKS):
                if not self._between(leaf, first, min(first + _BLOCKS, blocks)):
                    return False
        return True

    def _leaves(self) -> Iterator[Relation]:
        facts, relation = self._prober.facts, self._relation
        return (
            (part for part in facts.family(relation) if part.kind == "r") if relation.kind == "p" else iter([relation])
        )

    def _blocks(self, leaf: Relation) -> int:
        row = self._conn.execute(
            "SELECT pg_catalog.pg_relation_size(%s::oid) / current_setting('block_size')::bigint", (leaf.oid,)
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _between(self, leaf: Relation, first: int, end: int) -> bool:
        """Count in these blocks; False when it was too much."""
        place = sql.SQL("ctid >= {}::tid AND ctid < {}::tid").format(f"({first},0)", f"({end},0)")
        if self._works(leaf, place):
            return True
        if end - first > 1:
            middle = (first + end) // 2
            return self._between(leaf, first, middle) and self._between(leaf, middle, end)
        return self._rows(leaf, place)

    def _rows(self, leaf: Relation, place: sql.Composed) -> bool:
        for (ctid,) in self._conn.execute(self._query("ctid::text", leaf, place)).fetchall():
            if self.found >= _MOST_ROWS or self._left <= 0:
                return False
            here = sql.SQL("ctid = {}::tid").format(ctid)
            if not self._works(leaf, here):
                self.found += 1
                if self._prober.examples and len(self.examples) < EXAMPLES:
                    self.examples += self._key(leaf, here)
        return True

    def _key(self, leaf: Relation, here: sql.Composed) -> Rows:
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(key(self._prober.facts, self._relation), _only(leaf), here)
        return tuple(tuple(row) for row in self._conn.execute(query).fetchall())

    def _works(self, leaf: Relation, place: sql.Composed) -> bool:
        self._left -= 1
        query = sql.SQL("SELECT count(({}\n)) FROM {} WHERE {}").format(self._expression, _only(leaf), place)
        try:
            with self._conn.transaction():
                self._conn.execute(query)
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith(_REFUSED):
                raise
            return False
        return True

    @staticmethod
    def _query(columns: Any, leaf: Relation, place: sql.Composed) -> sql.Composed:
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(sql.SQL(columns), _only(leaf), place)


def _only(leaf: Relation) -> sql.Composed:
    return sql.SQL("ONLY {}").format(sql.Identifier(leaf.schema, leaf.name))
