"""Adding and dropping constraints beside writers; after a kill the next run goes on.

All that could be in the way is asked before anything is added. A constraint is added for what is written from now on,
under a lock that is had for a moment, and then proved of the rows that were there, which may be written meanwhile. A
key is made of an index that was built before. PostgreSQL has no such way for some constraints of partitioned tables:
these are added to each partition in that way, and then to the whole table, which takes those of its partitions as they
are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.constraints import state
from lockgate.constraints.checks import Checks
from lockgate.constraints.notes import Added, Notes
from lockgate.constraints.running import Statements
from lockgate.constraints.state import Placed
from lockgate.constraints.violations import Violations
from lockgate.constraints.wanted import Kind, Wanted, dropped, not_null
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.errors import DatabaseError
from lockgate.indexing.building import Builder
from lockgate.indexing.state import Table, look_for

_One = Callable[[Connection[Any], Placed], None]


class Adder:
    """Adds and drops constraints for one step; close it in the end."""

    def __init__(self, ctx: StepContext) -> None:
        self._ctx = ctx
        self._notes = Notes(ctx)
        self._builder = Builder(ctx)
        self._statements = Statements(ctx, self._notes)
        self._checks = Checks(self._notes, self._statements)

    def close(self) -> None:
        """Nothing is added or dropped any more."""
        self._statements.close()

    def added(self, conn: Connection[Any]) -> list[Added]:
        """What the step added; a column may have been NOT NULL before."""
        return self._notes.added(conn)

    def add(self, conn: Connection[Any], wanted: Sequence[Wanted]) -> list[Placed]:
        """Add constraints, or do what is left of that; each with its table.

        CHECKs and NOT NULLs come first, then the others in their order.

        :raises LockgateError: with its place, if rows stand against one. Nothing was added then, unless they are those
            that a key does not allow, or were written since the others were looked for.
        """
        placed = [state.placed(conn, each) for each in wanted]
        known = self._notes.added(conn)
        every = [each for each in _with_key_columns(placed) if each.key in known or not _is_there(conn, each)]
        self._refuse(conn, every, [each for each in every if each.key not in known])
        self._checks.add(conn, [each for each in every if each.wanted.kind.checked])
        for each in every:
            if not each.wanted.kind.checked and each.key not in self._notes.proved(conn):
                self._statements.go_on(each.wanted)
                self._add_one(conn, each)
        return placed

    def drop_all(self, conn: Connection[Any], where: str) -> int:
        """Drop what the step added, the last first, and what was built for what did not come to be; how many."""
        added = self._notes.added(conn)
        for each in reversed(added):
            if look_for(conn, each.table) is not None:
                item = dropped(each.kind, each.table, each.name, where)
                self._statements.locked(item, each, partial(self._notes.dropped_now, added=each), gone=True)
                fault("constraint.dropped")
        for stand_in in self._notes.stand_ins(conn):
            if look_for(conn, stand_in.table) is not None:
                self._statements.drop_stand_in(stand_in, where)
        for schema, name in self._builder.ours(conn):
            self._builder.drop(conn, schema, name, where)
        return len(added)

    # --- what is in the way ---------------------------------------------------------------------------------

    def _refuse(self, conn: Connection[Any], every: Sequence[Placed], new: Sequence[Placed]) -> None:
        for each in new:
            _refuse_taken(conn, each)
            if each.table.partitioned and each.wanted.kind.by_parts:
                for leaf in state.leaves(conn, each.table):
                    _refuse_foreign(each, leaf)
        looked = [each for each in new if each.wanted.kind.checked or each.wanted.kind is Kind.FOREIGN_KEY]
        if looked:
            Violations(conn, every).refuse(looked, self._statements.go_on)

    # --- the kinds ------------------------------------------------------------------------------------------

    def _add_one(self, conn: Connection[Any], each: Placed) -> None:
        match each.wanted.kind:
            case Kind.FOREIGN_KEY:
                self._by_parts(conn, each, self._foreign_key)
            case Kind.UNIQUE | Kind.PRIMARY_KEY:
                self._by_parts(conn, each, self._on_index)
            case Kind.EXCLUDE:
                self._at_once(each)

    def _foreign_key(self, conn: Connection[Any], each: Placed) -> None:
        self._statements.add_unproved(conn, each)
        self._statements.prove(conn, [each])

    def _on_index(self, conn: Connection[Any], each: Placed) -> None:
        if each.key in self._notes.added(conn):
            return
        try:
            self._builder.build(conn, each.wanted.index())
        except DatabaseError as error:
            if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
                Violations(conn, [each]).refuse([each], self._statements.go_on)
            raise
        self._statements.whole(each.wanted.added_on_index(), each.key)

    def _at_once(self, each: Placed) -> None:
        """Nothing can be built before: writers wait, so that it may take no longer than a lock may be waited for."""
        most = self._ctx.settings.lock_timeout
        try:
            self._statements.whole(each.wanted.added(), each.key, most=most)
        except DatabaseError as error:
            if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                raise DatabaseError(
                    f"The {each.wanted.title} cannot be added beside writers",
                    where=each.wanted.where,
                    why="PostgreSQL builds the index of an exclusion constraint while the table is locked, and that "
                    f"takes longer than lock_timeout ({round(most.total_seconds() * 1000)} ms).",
                    hint="Add it with `- sql: ...` when the application may wait, or raise lock_timeout.",
                ) from error
            raise

    def _by_parts(self, conn: Connection[Any], each: Placed, one: _One) -> None:
        """Add it to the table; to a partitioned one when its partitions have it, so that no row is read."""
        if not each.table.partitioned:
            one(conn, each)
            return
        for leaf in state.leaves(conn, each.table):
            name = each.wanted.name
            if each.wanted.kind.indexed:
                name = self._builder.name_of_part(conn, name, leaf)
            one(conn, each.on(leaf, name))
        self._statements.whole(each.wanted.added(), each.key)


def _with_key_columns(placed: Sequence[Placed]) -> Iterator[Placed]:
    """Those, each once, and what a primary key sets NOT NULL: it would read all rows for that under its lock."""
    keys = set[Added]()
    for each in placed:
        columns = each.wanted.columns if each.wanted.kind is Kind.PRIMARY_KEY else ()
        nulls = [Placed(not_null(each.table.sql, name, each.wanted.where), each.table) for name in columns]
        for one in (*nulls, each):
            if one.key not in keys:
                keys.add(one.key)
                yield one


def _is_there(conn: Connection[Any], each: Placed) -> bool:
    return each.wanted.kind is Kind.NOT_NULL and state.not_null(conn, each)


def _refuse_taken(conn: Connection[Any], each: Placed) -> None:
    wanted = each.wanted
    if wanted.kind is not Kind.NOT_NULL and state.evidence(conn, wanted.kind, each.table.sql, wanted.name) is not None:
        raise DatabaseError(
            f"The {wanted.title} exists already",
            where=wanted.where,
            why="It is there, and this step did not add it.",
            hint="Choose another name, or take it out of the step.",
        )


def _refuse_foreign(each: Placed, leaf: Table) -> None:
    if leaf.kind == "f":
        raise DatabaseError(
            f"{leaf.sql} cannot have the {each.wanted.title}",
            where=each.wanted.where,
            why=f"It is a foreign table, and a partition of {each.table.sql}.",
            hint="Add it to the other partitions, each by itself.",
        )
