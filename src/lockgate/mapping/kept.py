"""What was kept of before the mappings wrote, and the statements that put it back: they need no SELECT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Column, Relation
from lockgate.mapping.compiled import equal, names
from lockgate.sql.tree import literal


class Kept:
    """The tables of the ledger that keep what a target held of the application's own.

    :param columns: those that the mappings decide beside the key.
    :param stored: those of a row that is made again.
    """

    def __init__(
        self,
        target_id: int,
        target: Relation,
        key: Sequence[Column],
        columns: Sequence[Column],
        stored: Sequence[Column],
    ) -> None:
        self.target_id = target_id
        self.target = target
        self.key = tuple(key)
        self.columns = tuple(columns)
        self.outputs = self.key + self.columns
        self.stored = tuple(stored)
        self.born = f"lockgate.born_{target_id}"
        self.replaced = f"lockgate.replaced_{target_id}"
        self.before = f"lockgate.before_{target_id}"

    def restore_before(self, leaf: str, place: str, *, over_own: bool) -> str:
        """Put the old values of the rows of a place back, where they are not back already.

        :param over_own: also where the application has written another value since.
        """
        assignments = ", ".join(f"{c.sql} = b.lockgate_o{c.number}" for c in self.columns)
        wanted = self._is_not("o") if over_own else f"{self._is_not('o')} AND NOT {self._is_not('n')}"
        return (
            f"UPDATE ONLY {leaf} AS t SET {assignments} FROM {self.before} AS b "
            f"WHERE {place} AND {equal(self.key, 't', 'b')} AND {wanted}"
        )

    def changed_since(self) -> str:
        """Count the rows whose values are neither what the transform wrote nor what was there before."""
        return (
            f"SELECT count(*) FROM {self.target.sql} AS t JOIN {self.before} AS b ON {equal(self.key, 't', 'b')} "
            f"WHERE {self._is_not('n')} AND {self._is_not('o')}"
        )

    def _is_not(self, side: str) -> str:
        """The condition that a row, ``t``, does not hold the old (``o``) or the new (``n``) values of ``b``."""
        kept = ", ".join(f"b.lockgate_{side}{c.number}" for c in self.columns)
        held = ", ".join(f"t.{c.sql}::{c.plain_type}" for c in self.columns)
        return f"pg_catalog.record_image_ne(ROW({held}), ROW({kept}))"

    def put_back(self, leaf: str, place: str) -> str:
        """Give the rows of a place the values that the application had written before they were replaced.

        What no mapping decides stays as it is. A row that has its values is left alone, or it would move for ever.
        """
        assignments = ", ".join(f"{c.sql} = {kept_value(c)}" for c in self.outputs)
        return (
            f"UPDATE ONLY {leaf} AS t SET {assignments} FROM {self.replaced} AS r WHERE {place} "
            f"AND {equal(self.key, 't', 'r')} AND {self.replaced_otherwise()}"
        )

    def count_replaced(self) -> str:
        """Count the rows that the application had written otherwise than the old model says: those are only there."""
        gone = f"t.{self.key[0].sql} IS NOT DISTINCT FROM NULL"
        return (
            f"SELECT count(*) FROM {self.replaced} AS r LEFT JOIN {self.target.sql} AS t "
            f"ON {equal(self.key, 't', 'r')} WHERE {gone} OR {self.replaced_otherwise()}"
        )

    def replaced_otherwise(self, alias: str = "t") -> str:
        """The condition that a row does not hold what the application had written there before, ``r``."""
        held = ", ".join(f"{alias}.{c.sql}::{c.plain_type}" for c in self.outputs)
        kept = ", ".join(f"{kept_value(c)}::{c.plain_type}" for c in self.outputs)
        return f"pg_catalog.record_image_ne(ROW({held}), ROW({kept}))"

    def put_back_absent(self) -> str:
        """Make the rows again that were replaced and are gone."""
        return (
            f"INSERT INTO {self.target.sql} ({names(self.stored)}) OVERRIDING SYSTEM VALUE "
            f"SELECT {', '.join(map(kept_value, self.stored))} FROM {self.replaced} AS r "
            f"WHERE NOT EXISTS (SELECT FROM {self.target.sql} AS t WHERE {equal(self.key, 't', 'r')})"
        )


def kept_value(column: Column) -> str:
    """The value of a column in the image of a replaced row, ``r``."""
    return f"(r.lockgate_image ->> {literal(column.name)})::{column.type}"


def values_of_before(conn: Connection[Any], target_id: int, target: Relation) -> tuple[list[Column], list[str]] | None:
    """The columns of a transform's target whose values of before can be put back, and what others are called now.

    None if the transform keeps no such values.
    """
    oid = catalog.find(conn, "lockgate", f"before_{target_id}")
    if oid is None:
        return None
    present = {column.number: column for column in target.columns}
    fit: list[Column] = []
    others: list[str] = []
    for kept in catalog.read(conn, oid).columns:
        if not kept.name.startswith("lockgate_o"):
            continue
        column = present.get(int(kept.name.removeprefix("lockgate_o")))
        if column is not None and column.plain_type == kept.plain_type and not column.generated:
            fit.append(column)
        else:
            others.append(column.name if column is not None else "a column that was dropped")
    return fit, others
