"""The SQL that finds rows that are alike, keeps and removes them, and puts them back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lockgate.catalog.relations import Column
from lockgate.deduping.definition import Alike, Reference
from lockgate.deduping.places import Places
from lockgate.sql.tree import quote

REASON = "like another row"


class Statements:
    """The statements of one step."""

    def __init__(self, alike: Alike, places: Places) -> None:
        self._alike = alike
        self._places = places
        self._table = alike.table.sql
        self._called = quote(alike.table.name)

    # --- looking --------------------------------------------------------------------------------------------

    def surplus(self) -> str:
        """Count the groups of rows that are alike, and the rows that are too many."""
        return (
            "SELECT count(*) AS groups, coalesce(sum(n - 1), 0)::bigint AS surplus FROM (SELECT count(*) AS n "
            f"FROM {self._table}{self._condition()} GROUP BY {_names(self._alike.by)} HAVING count(*) > 1) AS g"
        )

    def find(self, since: int | None = None) -> str:
        """Yield the keys of such rows, each group with a number from 1 on, in its order.

        :param since: a transaction: only groups are looked for that have a row which that one or a later one wrote.
        """
        alike = self._alike
        key = ", ".join(f"t.{column.sql}" for column in alike.key)
        rows = f"SELECT {_names(dict.fromkeys((*alike.key, *alike.by)))} FROM {self._table}{self._condition()}"
        by = _names(alike.by)
        if alike.nulls_alike:
            found = (
                f"SELECT dense_rank() OVER (ORDER BY {by}) AS lockgate_group, {key} FROM (SELECT *, count(*) OVER "
                f"(PARTITION BY {by}) AS lockgate_n FROM ({rows}) AS r) AS t WHERE lockgate_n > 1"
            )
        else:
            groups = f"{self._table}{self._condition()}"
            if since is not None:
                groups = (
                    f"({rows}) AS lockgate_r WHERE EXISTS (SELECT FROM {self._table} AS {self._called} "
                    f"{self._condition()} AND {_equal(alike.by, self._called, 'lockgate_r')} "
                    f"AND {_written(self._called, since)})"
                )
            found = (
                f"SELECT g.lockgate_group, {key} FROM ({rows}) AS t JOIN (SELECT row_number() OVER () AS "
                f"lockgate_group, {by} FROM {groups} GROUP BY {by} HAVING count(*) > 1) AS g "
                f"ON {_equal(alike.by, 't', 'g')}"
            )
        return f"{found} ORDER BY 1"

    # --- removing, a batch in one transaction -----------------------------------------------------------------

    def keep(self, first: int, last: int) -> str:
        """Lock the rows of some groups, from number ``first`` to ``last``, and copy those that do not stay.

        What was written to them since they were found counts.
        """
        alike = self._alike
        columns = _names(alike.table.columns)
        order = ", ".join((*alike.order, *(column.sql for column in alike.key)))
        stayed = "".join(
            f", first_value({column.sql}) OVER w AS lockgate_s{i}" for i, column in enumerate(alike.key, 1)
        )
        names = "".join(f", lockgate_s{i}" for i, _ in enumerate(alike.key, 1))
        return (
            f"WITH locked AS MATERIALIZED (SELECT t.* FROM {self._table} AS t JOIN {self._places.alike} AS a "
            f"ON {_equal(alike.key, 't', 'a')} WHERE a.lockgate_group BETWEEN {first} AND {last} "
            f"ORDER BY {', '.join(f't.{column.sql}' for column in alike.key)} FOR UPDATE OF t), "
            f"placed AS (SELECT *, row_number() OVER w AS lockgate_place{stayed} FROM locked AS {self._called} "
            f"{self._condition()} "
            f"WINDOW w AS (PARTITION BY {_names(alike.by)} ORDER BY {order})) "
            f"INSERT INTO {self._places.removed} ({columns}, lockgate_batch, lockgate_reason{names}) "
            f"SELECT {columns}, {_BATCH}, '{REASON}'{names} FROM placed WHERE lockgate_place > 1"
        )

    def repoint(self, number: int, reference: Reference) -> str:
        """Have what refers to the rows of this batch refer to those that stay, and note each.

        Not where the row that stays has no value to refer to: the reference would be cut. ``left`` tells of it.
        """
        old = ", ".join(f"r.{column.sql} AS o{i}" for i, column in enumerate(reference.referenced, 1))
        new = ", ".join(f"s.{column.sql} AS n{i}" for i, column in enumerate(reference.referenced, 1))
        stays = " AND ".join(
            f"s.{column.sql} {column.equals} r.lockgate_s{i}" for i, column in enumerate(self._alike.key, 1)
        )
        assigned = ", ".join(f"{column.sql} = g.n{i}" for i, column in enumerate(reference.columns, 1))
        refers = " AND ".join(f"c.{column.sql} {column.equals} g.o{i}" for i, column in enumerate(reference.columns, 1))
        there = "".join(f" AND s.{column.sql} IS NOT NULL" for column in reference.referenced if not column.not_null)
        # The key as it is afterwards: a column of it may be the one that refers.
        key = ", ".join(f"c.{column.sql} AS k{i}" for i, column in enumerate(reference.key, 1))
        both = ", ".join(f"g.{letter}{i}" for letter in "on" for i, _ in enumerate(reference.columns, 1))
        return (
            f"WITH g AS (SELECT {old}, {new} FROM {self._places.removed} AS r JOIN {self._table} AS s ON {stays} "
            f"WHERE r.lockgate_batch = {_BATCH}{there}), "
            f"moved AS (UPDATE {reference.child.sql} AS c SET {assigned} FROM g WHERE {refers} "
            f"RETURNING {key}, {both}) "
            f"INSERT INTO {self._places.repointed(number)} SELECT {_BATCH}, moved.* FROM moved"
        )

    def left(self, reference: Reference) -> str:
        """Count what refers to the rows of this batch still: what a DELETE may take along."""
        pairs = zip(reference.columns, reference.referenced, strict=True)
        refers = " AND ".join(f"c.{column.sql} {column.equals} r.{other.sql}" for column, other in pairs)
        return (
            f"SELECT count(*) FROM {reference.child.sql} AS c JOIN {self._places.removed} AS r ON {refers} "
            f"WHERE r.lockgate_batch = {_BATCH}"
        )

    def remove(self) -> str:
        """Delete the rows of this batch, which are kept."""
        return (
            f"DELETE FROM {self._table} AS t USING {self._places.removed} AS r "
            f"WHERE r.lockgate_batch = {_BATCH} AND {_equal(self._alike.key, 't', 'r')}"
        )

    def _condition(self) -> str:
        """The WHERE clause that rows are looked at with; names stand in it as in the plan, also that of the table."""
        parts = [f"({self._alike.where}\n)"] if self._alike.where else []
        if not self._alike.nulls_alike:
            parts += [f"{column.sql} IS NOT NULL" for column in self._alike.by]
        return f" WHERE {' AND '.join(parts)}" if parts else ""


def _written(row: str, since: int) -> str:
    """The condition that a transaction, or a later one, wrote a row.

    A row that was written 2,000 million transactions ago may seem to be such, too; it is looked at in vain.
    """
    return f"pg_catalog.age({row}.xmin) <= pg_catalog.age('{since % 2**32}'::xid)"


_BATCH = "pg_catalog.pg_current_xact_id()::text::bigint"


def _names(columns: Iterable[Column]) -> str:
    return ", ".join(column.sql for column in columns)


def _equal(columns: Sequence[Column], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{column.sql} {column.equals} {right}.{column.sql}" for column in columns)
