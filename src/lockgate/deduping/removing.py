"""Removing rows that are alike, a batch of groups in one transaction, until none are left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from lockgate.catalog import relations
from lockgate.deduping import places
from lockgate.deduping.definition import Alike, Reference
from lockgate.deduping.places import Places
from lockgate.deduping.statements import Statements
from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.engine.retry import passing
from lockgate.errors import DatabaseError, Interrupted
from lockgate.ledger import steps
from lockgate.script.running import patiently

_PASSES = 20
_WORK_MEM = "128MB"


@dataclass(frozen=True, slots=True)
class Groups:
    """What was found: groups of rows that are alike, and their rows."""

    count: int
    rows: int


class Remover:
    """Removes the surplus rows of one table."""

    def __init__(self, ctx: StepContext, conn: Connection[Any], alike: Alike, where: str) -> None:
        self._ctx = ctx
        self._conn = conn
        self._alike = alike
        self._where = where
        self._places = Places(ctx.step_row.id)
        self._sql = Statements(alike, self._places)

    def run(self) -> Evidence:
        """Remove them; that none are left.

        :raises DatabaseError: if new ones come faster than they are removed, or one cannot be removed.
        :raises Interrupted: when the run was stopped, between two batches.
        """
        self._prepare()
        since = None
        for _ in range(_PASSES):
            begins = self._oldest()
            # What is alike afterwards was written after the last look began: only that is asked for then.
            query = self._sql.find(since)
            found = self._find(query)
            fault("dedupe.found")
            if not found.count:
                self._end()
                label = self._alike.table.label
                return Evidence(f"duplicates:{label}", query, {"table": label, "groups": found.count})
            self._remove(found)
            since = begins
        raise DatabaseError(
            f"{self._alike.table.label} has new rows that are alike, again and again",
            where=self._where,
            why=f"They were removed {_PASSES} times, and more have come each time.",
            hint="Have the application stop writing them, then run the phase again.",
        )

    # --- a pass ---------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        kept = [
            {
                "name": each.name,
                "child": each.child.oid,
                "columns": [column.number for column in each.columns],
                "key": [column.number for column in each.key],
            }
            for each in self._alike.references
        ]
        begun = self._detail("references")
        if begun is not None:
            if (begun, self._detail("table")) != (kept, self._alike.table.oid):
                raise DatabaseError(
                    f"What refers to {self._alike.table.label} is not what it was when the step began",
                    where=self._where,
                    why="Rows that were made to refer to another one could not be told apart any more.",
                    hint="Take the phase back with `lockgate rollback`, then apply it again.",
                )
            self._refuse_changed()
            return
        with self._ctx.fenced(self._conn):
            places.create(self._conn, self._places, self._alike)
            self._record(references=kept, table=self._alike.table.oid)
        fault("dedupe.prepared")

    def _refuse_changed(self) -> None:
        """:raises DatabaseError: if rows of the table do not fit any more into the table that keeps them."""
        kept = relations.named(self._conn, self._places.removed, self._where)
        own = {"lockgate_batch", "lockgate_at", "lockgate_reason"} | {
            f"lockgate_s{i + 1}" for i in range(len(self._alike.key))
        }
        there = {(column.name, column.type) for column in kept.columns if column.name not in own}
        differs = sorted(
            {name for name, _ in there ^ {(column.name, column.type) for column in self._alike.table.columns}}
        )
        if differs:
            raise DatabaseError(
                f"{self._alike.table.label} is not what it was when the step began: {', '.join(differs)}",
                where=self._where,
                why=f"Columns came, went, or have another type, and {self._places.removed} cannot keep its rows.",
                hint="Take the phase back with `lockgate rollback`, then apply it again.",
            )

    def _oldest(self) -> int:
        """The oldest transaction at work: what a look from now on does not see, that one or a later one writes."""
        query = "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint"
        row = self._conn.execute(query).fetchone()
        assert row is not None, "it is one value"
        return int(row[0])

    def _find(self, query: str) -> Groups:
        # What was found before a kill may be out of date: it is looked for anew.
        with self._ctx.fenced(self._conn):
            self._roomy()
            self._execute(f"DROP TABLE IF EXISTS {self._places.alike}")
            self._execute(f"CREATE UNLOGGED TABLE {self._places.alike} AS {query}")
            self._execute(f"CREATE INDEX ON {self._places.alike} (lockgate_group)")
            self._execute(f"ANALYZE {self._places.alike}")
            row = self._execute(
                f"SELECT coalesce(max(lockgate_group), 0), count(*) FROM {self._places.alike}"
            ).fetchone()
        assert row is not None, "they are counts"
        return Groups(int(row[0]), int(row[1]))

    def _remove(self, found: Groups) -> None:
        first = 1
        while first <= found.count:
            if not self._ctx.health.permit(self._ctx.stop):
                raise Interrupted("Stopped between two batches", where=self._where)
            some = max(1, self._ctx.health.chunk_rows() * found.count // found.rows)
            began = self._ctx.clock.monotonic()
            work = partial(self._batch, first, first + some - 1)
            rows = patiently(self._ctx, self._conn, work)
            fault("dedupe.batch")
            self._ctx.health.after_chunk(max(1, rows), self._ctx.clock.monotonic() - began, self._ctx.stop)
            first += some

    def _batch(self, first: int, last: int) -> int:
        kept = self._execute(self._sql.keep(first, last)).rowcount
        if kept:
            fault("dedupe.kept")
            for number, reference in enumerate(self._alike.references):
                self._execute(self._sql.repoint(number, reference))
            for reference in self._alike.references:
                self._refuse_left(reference)
            removed = self._execute(self._sql.remove()).rowcount
            if removed != kept:
                raise DatabaseError(
                    f"{kept - removed} rows of {self._alike.table.label} would not go",
                    where=self._where,
                    why="A trigger, or row security, keeps them.",
                    hint="Nothing of this batch was done. Look at the triggers and policies of the table.",
                )
        return kept

    def _refuse_left(self, reference: Reference) -> None:
        """:raises DatabaseError: if rows refer still to what is removed: they could go with it."""
        row = self._execute(self._sql.left(reference)).fetchone()
        assert row is not None, "it is a count"
        if row[0]:
            label, without = self._alike.table.label, [c.name for c in reference.referenced if not c.not_null]
            raise DatabaseError(
                f"{row[0]} rows of {reference.child.label} would not refer to the rows of {label} that stay",
                where=self._where,
                why=(f"One that stays has no value in ({', '.join(without)}), or a trigger" if without else "A trigger")
                + " keeps them as they are. They could be removed with what they refer to.",
                hint=f"Nothing of this batch was done. Look at foreign key {reference.name}"
                + (", and let `keep` prefer rows with a value." if without else " and at the triggers."),
            )

    def _end(self) -> None:
        with self._ctx.fenced(self._conn):
            self._execute(f"DROP TABLE IF EXISTS {self._places.alike}")

    # --- looking --------------------------------------------------------------------------------------------

    def kept(self) -> Evidence:
        """How many rows are in quarantine, and how many references were changed."""
        counts = [f"(SELECT count(*) FROM {self._places.removed}) AS removed"]
        counts += [
            f"(SELECT count(*) FROM {self._places.repointed(number)}) AS repointed_{number}"
            for number, _ in enumerate(self._alike.references)
        ]
        query = f"SELECT {', '.join(counts)}"
        row = self._conn.cursor(row_factory=dict_row).execute(query.encode()).fetchone()
        assert row is not None, "they are counts"
        repointed: Counter[str] = Counter()
        for number, each in enumerate(self._alike.references):
            repointed[each.child.label] += row[f"repointed_{number}"]
        label = self._alike.table.label
        return Evidence(
            f"quarantined:{label}",
            query,
            {"table": label, "kept in": self._places.removed, "rows": row["removed"], "repointed": dict(repointed)},
        )

    def _roomy(self) -> None:
        self._conn.execute(
            "SELECT pg_catalog.set_config('work_mem', %s, true) WHERE pg_catalog.pg_size_bytes(%s) "
            "> pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem'))",
            (_WORK_MEM, _WORK_MEM),
        )

    def _execute(self, statement: str) -> psycopg.Cursor[Any]:
        try:
            return self._conn.execute(statement.encode())
        except psycopg.Error as error:
            if passing(error):
                raise
            what = f"Rows of {self._alike.table.label} that are alike could not be removed"
            raise sqlerrors.explain(error, self._where, what) from error

    def _detail(self, name: str) -> Any:
        return steps.get(self._conn, self._ctx.step_row.id).detail.get(name)

    def _record(self, **values: Any) -> None:
        steps.record(self._conn, self._ctx.step_row.id, detail=values)
