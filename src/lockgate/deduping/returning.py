"""Putting removed rows back, and what referred to them; the last batch first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog import relations
from lockgate.catalog.relations import Column, Relation
from lockgate.deduping import places
from lockgate.deduping.places import Places
from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.retry import passing
from lockgate.errors import Interrupted, PlanError
from lockgate.ledger import steps
from lockgate.script.running import patiently


@dataclass(frozen=True, slots=True)
class Returned:
    """What was put back.

    :param references: rows that refer to them again.
    :param changed: rows that the application has had refer to another since, or removed; they stay as they are.
    :param replaced: rows in whose place the application wrote others of the same key, which were removed, too: those
        come back.
    """

    rows: int = 0
    references: int = 0
    changed: int = 0
    replaced: int = 0

    def plus(self, other: Returned) -> Returned:
        """Both together."""
        return Returned(
            self.rows + other.rows,
            self.references + other.references,
            self.changed + other.changed,
            self.replaced + other.replaced,
        )


class Returner:
    """Puts back what a step removed."""

    def __init__(self, ctx: StepContext, conn: Connection[Any], where: str) -> None:
        self._ctx = ctx
        self._conn = conn
        self._where = where
        self._places = Places(ctx.step_row.id)
        self._detail = steps.get(conn, ctx.step_row.id).detail

    def run(self) -> Returned:
        """Put all back that is not back yet, then drop the quarantine.

        :raises LockgateError: if a row cannot come back, such as for a key that another one has now.
        :raises Interrupted: when the run was stopped, between two batches.
        """
        done = Returned()
        if self._detail.get("references") is None:
            return done
        table = self._read(int(self._detail["table"]))
        done = done.plus(Returned(replaced=patiently(self._ctx, self._conn, self._leave_replaced)))
        while (batch := self._next()) is not None:
            if self._ctx.stop.is_set():
                raise Interrupted("Stopped between two batches", where=self._where)
            done = done.plus(patiently(self._ctx, self._conn, partial(self._batch, table, batch)))
            fault("dedupe.returned")
        with self._ctx.fenced(self._conn):
            places.drop(self._conn, self._places, len(self._detail["references"]))
            steps.record(self._conn, self._ctx.step_row.id, detail={"references": None, "table": None})
        return done

    def _leave_replaced(self) -> int:
        kept = relations.named(self._conn, self._places.removed, self._where)
        key = [column for name in kept.primary_key if (column := kept.column(name)) and name != "lockgate_batch"]
        same = " AND ".join(f"r.{column.sql} {column.equals} l.{column.sql}" for column in key)
        return self._execute(
            f"DELETE FROM {self._places.removed} AS r WHERE EXISTS (SELECT FROM {self._places.removed} AS l "
            f"WHERE {same} AND l.lockgate_batch > r.lockgate_batch)"
        ).rowcount

    def _next(self) -> int | None:
        row = self._execute(f"SELECT max(lockgate_batch) FROM {self._places.removed}").fetchone()
        return row[0] if row else None

    def _batch(self, table: Relation, batch: int) -> Returned:
        # Columns that came since have their defaults; those that are gone have nowhere to go.
        kept = {column.name for column in relations.named(self._conn, self._places.removed, self._where).columns}
        columns = ", ".join(c.sql for c in table.columns if c.name in kept and not c.generated)
        rows = self._execute(
            f"INSERT INTO {table.sql} ({columns}) OVERRIDING SYSTEM VALUE "
            f"SELECT {columns} FROM {self._places.removed} WHERE lockgate_batch = {batch}"
        ).rowcount
        back = noted = 0
        # The last one first: where two are columns of one key, it was noted as the ones before had left it.
        for number, reference in reversed(list(enumerate(self._detail["references"]))):
            noted += self._noted(number, batch)
            back += self._point_back(number, reference, batch)
        self._execute(f"DELETE FROM {self._places.removed} WHERE lockgate_batch = {batch}")
        return Returned(rows, back, noted - back)

    def _noted(self, number: int, batch: int) -> int:
        query = f"SELECT count(*) FROM {self._places.repointed(number)} WHERE lockgate_batch = {batch}"
        row = self._execute(query).fetchone()
        return int(row[0]) if row else 0

    def _point_back(self, number: int, reference: dict[str, Any], batch: int) -> int:
        place = self._places.repointed(number)
        child = self._read(int(reference["child"]))
        columns = [child.by_number(each) for each in reference["columns"]]
        key = [child.by_number(each) for each in reference["key"]]
        assigned = ", ".join(f"{column.sql} = p.lockgate_o{i}" for i, column in enumerate(columns, 1))
        same = " AND ".join([*_held(key, "k"), *_held(columns, "n")])
        rows = self._execute(
            f"UPDATE {child.sql} AS c SET {assigned} FROM {place} AS p WHERE p.lockgate_batch = {batch} AND {same}"
        ).rowcount
        self._execute(f"DELETE FROM {place} WHERE lockgate_batch = {batch}")
        return rows

    def _read(self, oid: int) -> Relation:
        try:
            return relations.read(self._conn, oid)
        except PlanError as error:
            raise PlanError(
                "Rows cannot be put back",
                where=self._where,
                why=f"{error.what}. They are kept in {self._places.removed}.",
            ) from error

    def _execute(self, statement: str) -> psycopg.Cursor[Any]:
        try:
            return self._conn.execute(statement.encode())
        except psycopg.Error as error:
            if passing(error):
                raise
            raise sqlerrors.explain(error, self._where, "Rows that were removed could not be put back") from error


def _held(columns: list[Column], letter: str) -> list[str]:
    return [f"c.{column.sql} {column.equals} p.lockgate_{letter}{i}" for i, column in enumerate(columns, 1)]
