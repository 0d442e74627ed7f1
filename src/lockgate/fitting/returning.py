"""Taking a normalisation back: the values of before, where those that the step wrote still stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog import relations as catalog
from lockgate.catalog.relations import Column, Relation
from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.errors import Interrupted, RollbackRefused
from lockgate.ledger import chunks, normalisations, steps
from lockgate.ledger.normalisations import Normalisation
from lockgate.mapping.manners import behave
from lockgate.script.running import patiently

_AT_ONCE = 5_000  # values


@dataclass(frozen=True, slots=True)
class Back:
    """What became of the values of before.

    :param values: that were put back, in this run.
    :param changed: that stay away because somebody changed what the step wrote.
    :param gone: whose rows are not there any more, or have another key.
    """

    values: int
    changed: int
    gone: int


class Returning:
    """Puts the values of before back for one step.

    :param where: the step's place in the plan.
    :param lose: whether they may be forgotten where the table is gone.
    """

    def __init__(self, ctx: StepContext, conn: Connection[Any], of: Normalisation, where: str, *, lose: bool) -> None:
        self._ctx = ctx
        self._lose = lose
        self._conn = conn
        self._of = of
        self._where = where

    def run(self) -> Back:
        """Put them back, and forget the step.

        :raises RollbackRefused: if the table's key is not what it was, or the table itself is gone.
        :raises LockgateError: if the table refuses a value of before.
        """
        ctx, conn = self._ctx, self._conn
        table = self._table()
        if table is None:
            self._refuse_loss()
        patiently(ctx, conn, self._gather)
        fault("normalise.gathered")
        back = changed = gone = 0
        if table is not None:
            key = self._key(table)
            columns = self._columns(table)
            most = self._number("SELECT coalesce(max(n), 0)")
            for low in range(1, most + 1, _AT_ONCE):
                if ctx.stop.is_set():
                    raise Interrupted("Stopped between two batches", where=self._where)
                back += patiently(ctx, conn, partial(self._put_back, table, key, columns, low))
                fault("normalise.returned")
            changed = sum(self._changed(table, key, column) for column in columns)
            gone = sum(self._without_row(table, key, column) for column in columns)
        patiently(ctx, conn, self._forget)
        fault("normalise.forgotten")
        return Back(back, changed, gone)

    def _table(self) -> Relation | None:
        row = self._conn.execute("SELECT FROM pg_catalog.pg_class WHERE oid = %s", (self._of.relid,)).fetchone()
        return catalog.read(self._conn, self._of.relid) if row is not None else None

    def _refuse_loss(self) -> None:
        row = self._conn.execute(f"SELECT count(*) FROM {self._of.kept}".encode()).fetchone()
        if row and row[0] and not self._lose:
            raise RollbackRefused(
                "The table whose values would be put back is gone",
                where=self._where,
                why="It was dropped, or another one is in its place (by a `rewrite` or `partition` that is closed). "
                f"The values of before, {row[0]}, are in {self._of.kept}.",
                hint="Put back by hand what you need of them; `lockgate rollback --lose-rows` forgets them.",
            )

    def _key(self, table: Relation) -> list[Column]:
        key = table.present(self._of.key)
        if len(key) != len(self._of.key):
            raise RollbackRefused(
                f"The key of {table.label} is not what it was",
                where=self._where,
                why=f"Columns of it were dropped; the values of before are in {self._of.kept}.",
            )
        return [table.by_number(number) for number in self._of.key]

    def _columns(self, table: Relation) -> list[Column]:
        rows = self._conn.execute(f"SELECT DISTINCT number FROM {self._of.returning}".encode()).fetchall()
        return table.present([int(number) for (number,) in rows])

    def _gather(self) -> None:
        """Of each value that was written the last one, and what somebody else had written before it.

        What the step wrote over its own was nobody else's: then what was there before that counts.
        """
        # First of all: no worker may write behind what is taken back, and a step that begins again must cut anew.
        chunks.clear(self._conn, self._ctx.step_row.id)
        steps.record(self._conn, self._ctx.step_row.id, detail={"cut": None})
        of = self._of
        key = ", ".join(f"k{n}" for n in range(1, len(of.key) + 1))
        # IF NOT EXISTS: a killed run has left it, with what is still to be done.
        self._conn.execute(
            f"CREATE TABLE IF NOT EXISTS {of.returning} AS WITH written AS ("
            f"SELECT *, old IS DISTINCT FROM lag(new) OVER one OR lag(seq) OVER one IS NULL AS others FROM {of.kept} "
            f"WINDOW one AS (PARTITION BY {key}, number ORDER BY seq)), "
            f"last AS (SELECT DISTINCT ON ({key}, number) {key}, number, new FROM written "
            f"ORDER BY {key}, number, seq DESC), "
            f"before AS (SELECT DISTINCT ON ({key}, number) {key}, number, old FROM written WHERE others "
            f"ORDER BY {key}, number, seq DESC) "
            f"SELECT row_number() OVER (ORDER BY {key}, number) AS n, {key}, number, b.old, l.new "
            f"FROM last AS l JOIN before AS b USING ({key}, number)".encode()
        )
        self._conn.execute(f"ALTER TABLE {of.returning} REPLICA IDENTITY FULL".encode())
        name = of.returning.removeprefix("lockgate.")
        self._conn.execute(f"CREATE INDEX IF NOT EXISTS {name}_n ON {of.returning} (n)".encode())

    def _put_back(self, table: Relation, key: list[Column], columns: list[Column], low: int) -> int:
        behave(self._conn, "")
        done = 0
        for column in columns:
            statement = (
                f"WITH u AS (UPDATE {table.sql} AS t SET {column.sql} = r.old::{column.plain_type} "
                f"FROM {self._of.returning} AS r WHERE r.n >= {low} AND r.n < {low + _AT_ONCE} "
                f"AND r.number = {column.number} AND {_of_key(key)} "
                f'AND t.{column.sql}::text COLLATE "C" IS NOT DISTINCT FROM r.new COLLATE "C" RETURNING r.n) '
                f"DELETE FROM {self._of.returning} AS d USING u WHERE d.n = u.n"
            )
            try:
                done += self._conn.execute(statement.encode()).rowcount
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                what = f"{table.label} does not take the values of before"
                raise sqlerrors.explain(error, self._where, what) from error
        return done

    def _changed(self, table: Relation, key: list[Column], column: Column) -> int:
        return self._number(
            "SELECT count(*)",
            f" AS r JOIN {table.sql} AS t ON {_of_key(key)} WHERE r.number = {column.number} "
            f'AND t.{column.sql}::text COLLATE "C" IS DISTINCT FROM r.old COLLATE "C"',
        )

    def _without_row(self, table: Relation, key: list[Column], column: Column) -> int:
        return self._number(
            "SELECT count(*)",
            f" AS r WHERE r.number = {column.number} "
            f"AND NOT EXISTS (SELECT FROM {table.sql} AS t WHERE {_of_key(key)})",
        )

    def _forget(self) -> None:
        normalisations.forget(self._conn, self._of)

    def _number(self, what: str, of: str = "") -> int:
        row = self._conn.execute(f"{what} FROM {self._of.returning}{of}".encode()).fetchone()
        return int(row[0]) if row else 0


def _of_key(key: list[Column]) -> str:
    return " AND ".join(f"t.{column.sql} {column.equals} r.k{n}" for n, column in enumerate(key, 1))
