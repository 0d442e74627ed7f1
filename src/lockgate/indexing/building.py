"""Building and dropping indexes beside writers, one after the other; after a kill the next run goes on.

Of a partitioned table the parent gets its index first, alone and invalid, so that each new partition has its part from
the beginning; then each partition is given its part, which is attached. With the last one the parent's index is valid.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from psycopg import Connection

from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.errors import DatabaseError, Interrupted
from lockgate.indexing import state
from lockgate.indexing.notes import Mark, Notes
from lockgate.indexing.state import Table
from lockgate.indexing.wanted import Wanted
from lockgate.plan.values import split_name
from lockgate.script.alone import Standalone
from lockgate.script.located import Located, located
from lockgate.script.running import execute, strong_lock
from lockgate.sql.ddl import dotted
from lockgate.sql.tree import literal


class Builder:
    """Builds and drops indexes for one step.

    :param again: whether they are those that the step had dropped.
    """

    def __init__(self, ctx: StepContext, *, again: bool = False) -> None:
        self._ctx = ctx
        self._notes = Notes(ctx, again=again)

    def build(self, conn: Connection[Any], wanted: Wanted) -> str:
        """Build an index, or what is left to build of it; its quoted name.

        :raises LockgateError: with its place; an index that was left INVALID is dropped first.
        """
        table = state.table(conn, wanted.table, wanted.where)
        if table.partitioned:
            _refuse_foreign(conn, wanted, table)
            self._of_partitioned(conn, wanted, table, wanted.name)
        else:
            self._of_table(conn, wanted, table)
        return dotted((table.schema, wanted.name))

    def drop(self, conn: Connection[Any], schema: str, name: str, where: str) -> None:
        """Drop an index; what is gone already is noted."""
        label = dotted((schema, name))
        found = state.find(conn, schema, name)
        if found is not None and found.partitioned:
            # IF EXISTS: the answer to a COMMIT may be lost, and then it is run once more.
            item = _statement(f"DROP INDEX IF EXISTS {label}", where)
            self._locked(item, partial(self._notes.dropped_now, name=label))
        else:
            # What a killed run still builds there is ended first.
            item = _statement(f"DROP INDEX CONCURRENTLY IF EXISTS {label}", where)
            Standalone(self._ctx, item, Mark(self._notes, label, drops=True)).run()
        fault("index.dropped")

    def ours(self, conn: Connection[Any]) -> list[tuple[str, str]]:
        """Schema and name of what the step has built, or begun to.

        Those of whole tables stand first: with these their parts go.
        """
        notes = self._notes
        begun = notes.current(conn).get("index")
        building = [begun] if begun and begun not in notes.replaced(conn) else []  # that one was about to be dropped
        names = [parts(label) for label in (*notes.built(conn), *building)]
        known = {name: state.find(conn, *name) for name in names}
        return sorted(known, key=lambda name: not ((index := known[name]) and index.partitioned and not index.attached))

    def comment(self, label: str, text: str, where: str) -> None:
        """Say of an index what was said of it before."""
        self._locked(_statement(f"COMMENT ON INDEX {label} IS {literal(text)}", where), _nothing)

    # --- one table ------------------------------------------------------------------------------------------

    def _of_table(self, conn: Connection[Any], wanted: Wanted, table: Table) -> None:
        label = dotted((table.schema, wanted.name))
        if label in self._notes.built(conn):
            return
        if self._ctx.stop.is_set():
            raise Interrupted(f"Stopped before index {label}", where=wanted.where)
        Standalone(self._ctx, wanted.built(), Mark(self._notes, label)).run()
        fault("index.built")

    # --- a partitioned one ----------------------------------------------------------------------------------

    def _of_partitioned(self, conn: Connection[Any], wanted: Wanted, table: Table, whole: str) -> None:
        label = dotted((table.schema, wanted.name))
        if label not in self._notes.built(conn):
            _refuse_taken(conn, wanted, table)
            self._of_parent(wanted, label)
            fault("index.parent")
        parent = state.find(conn, table.schema, wanted.name)
        if parent is None:
            raise DatabaseError(
                f"Index {label} is not there any more",
                where=wanted.where,
                why="Somebody dropped it while its parts were built.",
                hint="Take the phase back with `lockgate rollback`, then apply it again.",
            )
        for part in state.lacking(conn, table.oid, parent.oid):
            name = self.name_of_part(conn, whole, part)
            piece = wanted.on(part.schema, part.name, name)
            if part.partitioned:
                self._of_partitioned(conn, piece, part, whole)
            else:
                self._of_table(conn, piece, part)
            attach = f"ALTER INDEX {label} ATTACH PARTITION {dotted((part.schema, name))}"
            self._locked(_statement(attach, wanted.where), _nothing)
            fault("index.attached")

    def _of_parent(self, wanted: Wanted, label: str) -> None:
        item = wanted.of_parent()

        def work(conn: Connection[Any]) -> None:
            with self._ctx.fenced(conn):
                if label in self._notes.built(conn):
                    return  # its COMMIT had succeeded although the connection was lost
                execute(conn, item)
                self._notes.built_now(conn, label, "on the parent alone")

        strong_lock(self._ctx, item.where, [*item.shape.locks]).do(work)

    def name_of_part(self, conn: Connection[Any], whole: str, part: Table) -> str:
        """The name that the part of a partition has, or gets; noted before it is used.

        :param whole: the name of the whole table's index.
        """
        key = f"{part.oid} {whole}"
        known = self._notes.parts(conn).get(key)
        if known is None:
            known = [part.schema, state.free_name(conn, part.schema, f"{part.name}_{whole}")]
            with self._ctx.fenced(conn):
                self._notes.write(conn, parts={**self._notes.parts(conn), key: known})
        return known[1]

    def _locked(self, item: Located, note: Callable[[Connection[Any]], None]) -> None:
        """Run a statement that is short and may be run again, and what is noted of it, in one transaction."""

        def work(conn: Connection[Any]) -> None:
            with self._ctx.fenced(conn):
                execute(conn, item)
                note(conn)

        strong_lock(self._ctx, item.where, [*item.shape.locks]).do(work)


def parts(label: str) -> tuple[str, str]:
    """Schema and name of an index by its quoted name."""
    found = split_name(label)
    assert found is not None, "it was written by `dotted`"
    schema, name = found
    return schema, name


def _refuse_foreign(conn: Connection[Any], wanted: Wanted, table: Table) -> None:
    foreign = state.foreign(conn, table.oid)
    if foreign is not None:
        raise DatabaseError(
            f"{dotted((foreign.schema, foreign.name))} cannot have an index",
            where=wanted.where,
            why=f"It is a foreign table, and a partition of {table.sql}.",
            hint="Build the index on the other partitions, each by itself.",
        )


def _refuse_taken(conn: Connection[Any], wanted: Wanted, table: Table) -> None:
    if state.find(conn, table.schema, wanted.name) is not None:
        raise DatabaseError(
            f"Index {dotted((table.schema, wanted.name))} exists already",
            where=wanted.where,
            why="It is there, and this step did not build it.",
            hint="Choose another name, or take it out of the step.",
        )


def _statement(text: str, where: str) -> Located:
    (item,) = located(text, lambda offset: where)
    return item


def _nothing(conn: Connection[Any]) -> None:
    """Done again it changes nothing, so that nothing is noted of it."""
