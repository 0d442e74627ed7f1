"""Adding and dropping constraints beside writers, one after the other; after a kill the next run goes on.

A constraint is added for what is written from now on, under a lock that is had for a moment, and then proved of the
rows that were there, which may be written meanwhile. A key is made of an index that was built before. PostgreSQL has no
such way for some constraints of partitioned tables: these are added to each partition in that way, and then to the
whole table, which takes those of its partitions as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.constraints import state
from lockgate.constraints.notes import Added, Notes, StandIn
from lockgate.constraints.violations import Violations
from lockgate.constraints.wanted import Kind, Wanted, dropped, not_null
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.locks import Watch
from lockgate.errors import DatabaseError, Interrupted, LockgateError
from lockgate.indexing.building import Builder
from lockgate.indexing.state import Table, look_for
from lockgate.script.located import Located
from lockgate.script.running import execute, strong_lock
from lockgate.sql.ddl import free

_One = Callable[[Connection[Any], Wanted, Table], None]


class Adder:
    """Adds and drops constraints for one step."""

    def __init__(self, ctx: StepContext) -> None:
        self._ctx = ctx
        self._notes = Notes(ctx)
        self._builder = Builder(ctx)
        self._violations: Violations | None = None

    def added(self, conn: Connection[Any], wanted: Wanted, table: Table) -> bool:
        """Whether the step added it; a column may have been NOT NULL before."""
        return _key(table, wanted) in self._notes.added(conn)

    def add(self, conn: Connection[Any], wanted: Wanted) -> Table:
        """Add a constraint, or do what is left of that; its table.

        :raises LockgateError: with its place, if rows stand against it; then nothing is left of it.
        """
        table = state.table(conn, wanted)
        if _key(table, wanted) in self._notes.proved(conn) and wanted.kind is not Kind.NOT_NULL:
            return table
        if self._ctx.stop.is_set():
            raise Interrupted(f"Stopped before the {wanted.title}", where=wanted.where)
        match wanted.kind:
            case Kind.NOT_NULL:
                self._set_not_null(conn, wanted, table)
            case Kind.CHECK:
                self._refuse_taken(conn, wanted, table)
                self._refuse_rows(conn, wanted, table)
                self._unproved(conn, wanted, table)
            case Kind.FOREIGN_KEY:
                self._refuse_taken(conn, wanted, table)
                self._refuse_rows(conn, wanted, table)
                self._by_parts(conn, wanted, table, self._unproved)
            case Kind.UNIQUE | Kind.PRIMARY_KEY:
                self._refuse_taken(conn, wanted, table)
                self._key_columns(conn, wanted, table)
                self._by_parts(conn, wanted, table, self._on_index)
            case Kind.EXCLUDE:
                self._refuse_taken(conn, wanted, table)
                self._at_once(wanted, table)
        return table

    def drop_all(self, conn: Connection[Any], where: str) -> int:
        """Drop what the step added, the last first, and what was built for what did not come to be; how many."""
        added = self._notes.added(conn)
        for each in reversed(added):
            if look_for(conn, each.table) is not None:
                item = dropped(each.kind, each.table, each.name, where)
                self._locked(item, each, partial(self._notes.dropped_now, added=each), gone=True)
                fault("constraint.dropped")
        for stand_in in self._notes.stand_ins(conn):
            if look_for(conn, stand_in.table) is not None:
                self._drop_stand_in(stand_in, where)
        for schema, name in self._builder.ours(conn):
            self._builder.drop(conn, schema, name, where)
        return len(added)

    # --- the kinds ------------------------------------------------------------------------------------------

    def _unproved(self, conn: Connection[Any], wanted: Wanted, table: Table) -> None:
        key = _key(table, wanted)
        if key in self._notes.proved(conn):
            return
        if key not in self._notes.added(conn):
            self._locked(wanted.added_unproved(), key, partial(self._notes.added_now, added=key))
            fault("constraint.added")
        self._prove(wanted)
        fault("constraint.proved")
        with self._ctx.fenced(conn):
            self._notes.proved_now(conn, key)

    def _on_index(self, conn: Connection[Any], wanted: Wanted, table: Table) -> None:
        key = _key(table, wanted)
        if key in self._notes.added(conn):
            return
        try:
            self._builder.build(conn, wanted.index())
        except DatabaseError as error:
            if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
                self._refuse_rows(conn, wanted, table)
            raise
        self._whole(wanted.added_on_index(), key)

    def _not_null(self, conn: Connection[Any], wanted: Wanted, table: Table) -> None:
        """A CHECK is proved that makes SET NOT NULL quick, and dropped again."""
        key = _key(table, wanted)
        known = [each for each in self._notes.stand_ins(conn) if each[:2] == (table.sql, wanted.name)]
        if key not in self._notes.added(conn):
            if state.not_null(conn, table.sql, wanted.name, wanted.where):
                return
            if not known:
                name = _free_name(conn, table, f"{table.name}_{wanted.name}_not_null")
                known = [StandIn(table.sql, wanted.name, name)]
                note = partial(self._notes.stands_in, stand_in=known[0])
                self._locked(wanted.standing_in(name).added_unproved(), known[0], note)
                fault("constraint.standing_in")
            self._prove(wanted.standing_in(known[0].check))
            fault("constraint.stand_in_proved")
            self._whole(wanted.added(), key)
        for stand_in in known:
            self._drop_stand_in(stand_in, wanted.where)

    def _drop_stand_in(self, stand_in: StandIn, where: str) -> None:
        item = dropped(Kind.CHECK, stand_in.table, stand_in.check, where)
        self._locked(item, stand_in, partial(self._notes.stood_in, stand_in=stand_in), gone=True)
        fault("constraint.stood_in")

    def _at_once(self, wanted: Wanted, table: Table) -> None:
        """Nothing can be built before: writers wait, so that it may take no longer than a lock may be waited for."""
        most = self._ctx.settings.lock_timeout
        try:
            self._whole(wanted.added(), _key(table, wanted), most=most)
        except DatabaseError as error:
            if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                raise DatabaseError(
                    f"The {wanted.title} cannot be added beside writers",
                    where=wanted.where,
                    why="PostgreSQL builds the index of an exclusion constraint while the table is locked, and that "
                    f"takes longer than lock_timeout ({round(most.total_seconds() * 1000)} ms).",
                    hint="Add it with `- sql: ...` when the application may wait, or raise lock_timeout.",
                ) from error
            raise

    def _key_columns(self, conn: Connection[Any], wanted: Wanted, table: Table) -> None:
        """A primary key sets NOT NULL, and would read all rows for that under its lock."""
        if wanted.kind is Kind.PRIMARY_KEY:
            for column in wanted.columns:
                self._set_not_null(conn, not_null(table.sql, column, wanted.where), table)

    def _set_not_null(self, conn: Connection[Any], wanted: Wanted, table: Table) -> None:
        ours = _key(table, wanted) in self._notes.added(conn)
        if ours or not state.not_null(conn, table.sql, wanted.name, wanted.where):
            self._refuse_rows(conn, wanted, table)
            self._by_parts(conn, wanted, table, self._not_null)

    def _by_parts(self, conn: Connection[Any], wanted: Wanted, table: Table, one: _One) -> None:
        """Add it to the table; to a partitioned one when its partitions have it, so that no row is read."""
        if not table.partitioned:
            one(conn, wanted, table)
            return
        leaves = state.leaves(conn, table)
        for leaf in leaves:
            _refuse_foreign(wanted, table, leaf)
        for leaf in leaves:
            name = wanted.name
            if wanted.kind.indexed:
                name = self._builder.name_of_part(conn, name, leaf)
            one(conn, wanted.on(leaf.schema, leaf.name, name), leaf)
        self._whole(wanted.added(), _key(table, wanted))

    # --- how ------------------------------------------------------------------------------------------------

    def _prove(self, wanted: Wanted) -> None:
        item = wanted.proved()

        def work(conn: Connection[Any]) -> None:
            # Writers go on; who stops the run need not wait until all rows are read.
            with Watch(self._ctx.sessions, conn, 0.5, stop=self._ctx.stop) as watch:
                try:
                    execute(conn, item)
                except LockgateError as error:
                    if watch.cancelled and isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                        raise Interrupted(f"Stopped while the {wanted.title} was proved", where=item.where) from None
                    raise

        strong_lock(self._ctx, item.where, ()).do(work)

    def _whole(self, item: Located, key: Added, *, most: timedelta | None = None) -> None:
        """Add what holds for all rows from the beginning."""

        def note(conn: Connection[Any]) -> None:
            self._notes.added_now(conn, key)
            self._notes.proved_now(conn, key)

        self._locked(item, key, note, most=most)
        fault("constraint.whole")

    def _locked(
        self,
        item: Located,
        key: Added | StandIn,
        note: Callable[[Connection[Any]], None],
        *,
        gone: bool = False,
        most: timedelta | None = None,
    ) -> None:
        """Run a statement that is short, and what is noted of it, in one transaction.

        :param gone: whether it drops.
        :param most: how long it may take.
        """

        def work(conn: Connection[Any]) -> None:
            with self._ctx.fenced(conn):
                there = key in (self._notes.added(conn) if isinstance(key, Added) else self._notes.stand_ins(conn))
                if there is not gone:
                    return  # its COMMIT had succeeded although the connection was lost
                if most is not None:
                    limit = f"{max(1, round(most.total_seconds() * 1000))}ms"
                    conn.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (limit,))
                execute(conn, item)
                note(conn)

        strong_lock(self._ctx, item.where, [*item.shape.locks]).do(work)

    def _refuse_taken(self, conn: Connection[Any], wanted: Wanted, table: Table) -> None:
        if _key(table, wanted) in self._notes.added(conn):
            return
        if state.evidence(conn, wanted.kind, table.sql, wanted.name) is not None:
            raise DatabaseError(
                f"The {wanted.title} exists already",
                where=wanted.where,
                why="It is there, and this step did not add it.",
                hint="Choose another name, or take it out of the step.",
            )

    def _refuse_rows(self, conn: Connection[Any], wanted: Wanted, table: Table) -> None:
        if _key(table, wanted) in self._notes.added(conn):
            return
        if self._violations is None:
            self._violations = Violations(conn)
        self._violations.refuse(wanted, table)


def _key(table: Table, wanted: Wanted) -> Added:
    return Added(wanted.kind, table.sql, wanted.name)


def _refuse_foreign(wanted: Wanted, table: Table, leaf: Table) -> None:
    if leaf.kind == "f":
        raise DatabaseError(
            f"{leaf.sql} cannot have the {wanted.title}",
            where=wanted.where,
            why=f"It is a foreign table, and a partition of {table.sql}.",
            hint="Add it to the other partitions, each by itself.",
        )


def _free_name(conn: Connection[Any], table: Table, wanted: str) -> str:
    """A name that no constraint of the table has."""
    return free(wanted, lambda name: state.evidence(conn, Kind.CHECK, table.sql, name) is not None)
