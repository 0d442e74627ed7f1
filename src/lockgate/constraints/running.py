"""Running a step's statements, each with what is noted of it, so that a later run does not do it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.constraints.notes import Added, Notes, StandIn
from lockgate.constraints.state import Placed
from lockgate.constraints.wanted import Kind, Wanted, dropped, proved
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.locks import Watch
from lockgate.engine.strong import Seat
from lockgate.errors import Interrupted, LockgateError
from lockgate.script.located import Located
from lockgate.script.running import execute, strong_lock


class Statements:
    """Runs the statements of one step, short ones on one connection; close it in the end."""

    def __init__(self, ctx: StepContext, notes: Notes) -> None:
        self._ctx = ctx
        self._notes = notes
        self._seat = Seat()

    def close(self) -> None:
        """No statement follows."""
        self._seat.close()

    def go_on(self, wanted: Wanted) -> None:
        """:raises Interrupted: if the run shall stop."""
        if self._ctx.stop.is_set():
            raise Interrupted(f"Stopped before the {wanted.title}", where=wanted.where)

    def add_unproved(self, conn: Connection[Any], each: Placed) -> None:
        """Add a constraint for the rows that are written from now on."""
        if each.key not in self._notes.added(conn):
            self.locked(each.wanted.added_unproved(), each.key, partial(self._notes.added_now, added=each.key))
            fault("constraint.added")

    def prove(self, conn: Connection[Any], every: Sequence[Placed], beside: Sequence[Wanted] = ()) -> None:
        """Prove constraints of one table that were added unproved, all CHECKs by one reading of the rows.

        :param beside: CHECKs that only stand in for something: of them nothing is noted.
        :raises LockgateError: with the place of the constraint that rows stand against.
        """
        known = self._notes.proved(conn)
        left = [each for each in every if each.key not in known]
        wanted = [*(each.wanted for each in left), *beside]
        if not wanted:
            return
        self._validate(wanted)
        fault("constraint.proved")
        with self._ctx.fenced(conn):
            for each in left:
                self._notes.proved_now(conn, each.key)

    def whole(self, item: Located, key: Added, *, most: timedelta | None = None) -> None:
        """Add what holds for all rows from the beginning."""

        def note(conn: Connection[Any]) -> None:
            self._notes.added_now(conn, key)
            self._notes.proved_now(conn, key)

        self.locked(item, key, note, most=most)
        fault("constraint.whole")

    def drop_stand_in(self, stand_in: StandIn, where: str) -> None:
        """Drop a CHECK that stood in for a NOT NULL."""
        item = dropped(Kind.CHECK, stand_in.table, stand_in.check, where)
        self.locked(item, stand_in, partial(self._notes.stood_in, stand_in=stand_in), gone=True)
        fault("constraint.stood_in")

    def locked(
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

        strong_lock(self._ctx, item.where, [*item.shape.locks], self._seat).do(work)

    def _validate(self, every: Sequence[Wanted]) -> None:
        item = proved(every)

        def work(conn: Connection[Any]) -> None:
            # Writers go on; who stops the run need not wait until all rows are read.
            with Watch(self._ctx.sessions, conn, 0.5, stop=self._ctx.stop) as watch:
                try:
                    execute(conn, item)
                except LockgateError as error:
                    cause = error.__cause__
                    if watch.cancelled and isinstance(cause, psycopg.errors.QueryCanceled):
                        titles = " and ".join(f"the {each.title}" for each in every)
                        were = "was" if len(every) == 1 else "were"
                        raise Interrupted(f"Stopped while {titles} {were} proved", where=item.where) from None
                    if isinstance(cause, psycopg.errors.CheckViolation):
                        violated = (each.where for each in every if each.name == cause.diag.constraint_name)
                        error.where = next(violated, error.where)
                    raise

        # On a connection of its own: what cancels it may come late, and must not meet the statement that follows.
        strong_lock(self._ctx, item.where, ()).do(work)
