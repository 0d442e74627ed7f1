"""CHECKs and NOT NULLs: those of a table are added for what is written from now on, then one reading proves them all.

For a NOT NULL a CHECK stands in that makes SET NOT NULL quick, and is dropped again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from psycopg import Connection

from lockgate.constraints import state
from lockgate.constraints.notes import Added, Notes, StandIn
from lockgate.constraints.running import Statements
from lockgate.constraints.state import Placed
from lockgate.constraints.wanted import Kind, Wanted
from lockgate.engine.faults import fault
from lockgate.sql.ddl import free


class Checks:
    """Adds the CHECKs and the NOT NULLs of one step."""

    def __init__(self, notes: Notes, statements: Statements) -> None:
        self._notes = notes
        self._statements = statements

    def add(self, conn: Connection[Any], every: Sequence[Placed]) -> None:
        """Add them, or do what is left of that.

        A NOT NULL of a partitioned table is added to its partitions first, so that no row is read for the whole.
        """
        tables: dict[int, dict[Added, Placed]] = {}
        for part in (part for each in every for part in _parts(conn, each)):
            tables.setdefault(part.table.oid, {}).setdefault(part.key, part)
        for parts in tables.values():
            self._add_to_one(conn, list(parts.values()))
        for each in every:
            if _by_parts(each) and each.key not in self._notes.added(conn):
                self._statements.whole(each.wanted.added(), each.key)

    def _add_to_one(self, conn: Connection[Any], every: Sequence[Placed]) -> None:
        self._statements.go_on(every[0].wanted)
        checks = [each for each in every if each.wanted.kind is Kind.CHECK]
        for each in checks:
            self._statements.add_unproved(conn, each)
        added = self._notes.added(conn)
        nulls = [each for each in every if each.wanted.kind is Kind.NOT_NULL]
        lacking = [each for each in nulls if each.key not in added and not state.not_null(conn, each)]
        standing_in = [self._standing_in(conn, each) for each in lacking]
        self._statements.prove(conn, checks, standing_in)
        for each in lacking:
            self._statements.whole(each.wanted.added(), each.key)
        for each in nulls:
            known = self._stand_in(conn, each)
            if known is not None:
                self._statements.drop_stand_in(known, each.wanted.where)

    def _standing_in(self, conn: Connection[Any], each: Placed) -> Wanted:
        """The CHECK that stands in for a NOT NULL; it is added, unless it is there."""
        known = self._stand_in(conn, each)
        if known is not None:
            return each.wanted.standing_in(known.check)
        stand_in = StandIn(each.table.sql, each.wanted.name, _free_name(conn, each))
        wanted = each.wanted.standing_in(stand_in.check)
        self._statements.locked(wanted.added_unproved(), stand_in, partial(self._notes.stands_in, stand_in=stand_in))
        fault("constraint.standing_in")
        return wanted

    def _stand_in(self, conn: Connection[Any], each: Placed) -> StandIn | None:
        column = (each.table.sql, each.wanted.name)
        return next((known for known in self._notes.stand_ins(conn) if known[:2] == column), None)


def _by_parts(each: Placed) -> bool:
    return each.wanted.kind.by_parts and each.table.partitioned


def _parts(conn: Connection[Any], each: Placed) -> Iterator[Placed]:
    if _by_parts(each):
        yield from (each.on(leaf, each.wanted.name) for leaf in state.leaves(conn, each.table))
    else:
        yield each


def _free_name(conn: Connection[Any], column: Placed) -> str:
    """A name that no constraint of the table has."""
    table = column.table
    wanted = f"{table.name}_{column.wanted.name}_not_null"
    return free(wanted, lambda name: state.evidence(conn, Kind.CHECK, table.sql, name) is not None)
