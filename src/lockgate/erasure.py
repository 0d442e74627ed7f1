"""What a person may ask of the archive, and a court: erasing one person's rows, and holding tables as they are."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection

from lockgate.archive import dropping, erasing, holds, keptvalues
from lockgate.archive.dropping import Archived
from lockgate.archive.erasing import Rows
from lockgate.archive.holds import Hold
from lockgate.catalog import relations
from lockgate.catalog.dependents import dependents
from lockgate.engine import recording
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.engine.leasing import holding
from lockgate.engine.retry import Policy
from lockgate.engine.sqlerrors import explain
from lockgate.engine.strong import StrongLock
from lockgate.errors import GateRefused, PlanError, UsageError
from lockgate.ledger import backups, lease, require_home
from lockgate.plan.models import split_name

if TYPE_CHECKING:
    from lockgate.engine.context import Progress
    from lockgate.engine.session import Sessions

_QUERY = "DELETE by the column, then count and hash of what is left: {}"
_FAILED = "Nothing was erased"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose rows are to go, from where.

    :param tables: by the names that they had or have in the archive; none: all of the plan that have the column.
    :param value: as text; it is read as the column's type, and written down nowhere.
    :param because: such as the number of the request; it stands in the ledger and the report.
    """

    plan: str
    tables: tuple[str, ...]
    column: str
    value: str
    because: str
    by: str


@dataclass(frozen=True, slots=True)
class Part:
    """One table.

    :param label: its name before it was archived.
    :param rows: that have the value.
    :param left: rows that it has without them.
    """

    label: str
    archived_as: str
    rows: int
    left: int


@dataclass(frozen=True, slots=True)
class StillHeld:
    """A backup that may hold rows that were erased.

    :param place: its folder, or its address.
    :param tables: by the names under which it holds them.
    """

    id: int
    kind: str
    host: str
    place: str
    snapshot_at: datetime
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, or would be.

    :param at: when; None if nothing was.
    :param without: tables of the plan that do not have the column.
    :param copies: materialized views that were made from such tables, and hold the rows until they are refreshed.
    """

    parts: tuple[Part, ...]
    without: tuple[str, ...]
    backups: tuple[StillHeld, ...]
    copies: tuple[str, ...]
    at: datetime | None

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(part.rows for part in self.parts)


def look(sessions: Sessions, wanted: Wanted) -> Erased:
    """How many rows an erasure would take, table by table, and which backups would still hold them.

    :raises GateRefused: if a table that has such rows is under legal hold.
    :raises UsageError: if a table or the column is not there, or the value is none of its type.
    """
    with sessions.open("erase") as conn:
        require_home(conn)
        tables, without = _tables(conn, wanted)
        with conn.transaction():
            found = _matching(conn, wanted, tables)
        if held := [hold for table, _, rows in found if rows for hold in holds.stand(conn, archived=table.id)]:
            raise GateRefused(holds.words(held), where="lockgate archive erase", hint=holds.RELEASE)
        parts = tuple(_part(table, rows) for table, _, rows in found)
        hit = [table for table, _, rows in found if rows]
        return Erased(parts, without, tuple(_still_held(conn, hit)), _copies(conn, hit), None)


def erase(sessions: Sessions, wanted: Wanted, *, progress: Progress, stop: threading.Event) -> Erased:
    """Erase the rows from all tables in one transaction, under the lease; their content is measured in it.

    :raises GateRefused: if a table that has such rows is under legal hold.
    :raises LeaseHeld: while a runner is at work.
    :raises LockNotAcquired: if somebody holds one of the tables.
    :raises LockgateError: if anything else than these rows would go, or a table is not what was measured. Nothing is
        erased then.
    """
    with sessions.open("erase") as conn:
        require_home(conn)
        tables, without = _tables(conn, wanted)
        with conn.transaction():
            found = _matching(conn, wanted, tables)
    if not any(rows for _, _, rows in found):
        return Erased(tuple(_part(table, 0) for table, _, _ in found), without, (), (), None)
    request = uuid4()
    with holding(sessions, f"archive erase by {wanted.by}", progress=progress, stop=stop) as held:
        locking = StrongLock(
            sessions=sessions,
            policy=Policy(sessions.settings.lock_retries),
            clock=sessions.clock,
            progress=progress,
            stop=stop,
            purpose="erase",
            where=", ".join(table.now.label for table, _, rows in found if rows),
            relations=[table.now.named().as_string(None) for table, _, rows in found if rows],
        )

        def attempt(on: Connection[Any]) -> tuple[list[Part], datetime]:
            with on.transaction():
                lease.assert_held(on, held.epoch)
                recording.own_role(on)
                at = sessions.clock.of(on)
                parts = _erase(on, request, wanted, tables, at)
                fault("erase.commit")
            return parts, at

        try:
            parts, at = locking.do(attempt)
        except psycopg.errors.ForeignKeyViolation as error:
            raise PlanError(
                f"Rows of {error.diag.schema_name}.{error.diag.table_name} refer to rows that are to be erased",
                where=locking.where,
                why=f"Its foreign key {error.diag.constraint_name} refuses that; nothing was erased.",
                hint="Erase its rows first, by the column in which it refers to them.",
            ) from None
        except psycopg.Error as error:
            raise explain(error, locking.where, _FAILED) from None
    with sessions.open("erase") as conn:
        gone = {part.label for part in parts if part.rows}
        hit = [table for table in tables if table.was.label in gone]
        return Erased(tuple(parts), without, tuple(_still_held(conn, hit, at)), _copies(conn, hit), at)


def hold(sessions: Sessions, plan: str, names: Sequence[str], because: str, by: str) -> list[Hold]:
    """Put a legal hold on tables of the archive, on all of the plan for no names; all or none.

    :raises UsageError: if one is not there, or there is none.
    """
    with sessions.open("hold") as conn:
        require_home(conn)
        tables = _named(conn, plan, names)
        if not tables:
            raise UsageError(f"Plan {plan} has no table in the archive")
        with conn.transaction():
            at = sessions.clock.of(conn)
            made = [holds.place(conn, table, because, by, at) for table in tables]
            for each in made:
                _tell(conn, each, "legal_hold", {"held_because": because, "held_by": by, "held_at": at})
    return made


def release(
    sessions: Sessions, plan: str, names: Sequence[str], number: int | None, because: str, by: str
) -> list[Hold]:
    """Release holds: of tables, of all tables of the plan for no names, or the one of this number.

    :raises UsageError: if there is none, or a table has several and it was not said which one.
    """
    with sessions.open("hold") as conn:
        require_home(conn)
        standing = holds.stand(conn, plan=plan)
        if number is not None:
            chosen = [each for each in standing if each.id == number]
        else:
            ids = {table.id for table in _named(conn, plan, names)} if names else {each.archived for each in standing}
            chosen = [each for each in standing if each.archived in ids]
            _refuse_several(chosen)
        if not chosen:
            raise UsageError("There is no such legal hold", hint="`lockgate status` lists those that stand.")
        with conn.transaction():
            at = sessions.clock.of(conn)
            for each in chosen:
                holds.release(conn, each, because, by, at)
                facts = {"released_because": because, "released_by": by, "released_at": at}
                _tell(conn, each, "hold_released", facts)
    return chosen


# --- what is meant ----------------------------------------------------------------------------------------------


def _named(conn: Connection[Any], plan: str, names: Sequence[str]) -> list[Archived]:
    """The tables by their names, each once; without names all of the plan."""
    if not names:
        return dropping.of_plan(conn, plan, f"plan {plan}")
    found: dict[int, Archived] = {}
    for name in names:
        parts = split_name(name)
        if parts is None or len(parts) != 2:
            hint = 'Write schema.table; odd names are quoted: core."Odd one".'
            raise UsageError(f"{name} is no name of a table", hint=hint)
        table = dropping.find(conn, plan, parts, name)
        found[table.id] = table
    return list(found.values())


def _tables(conn: Connection[Any], wanted: Wanted) -> tuple[list[Archived], tuple[str, ...]]:
    """The tables that are meant, and the labels of those that do not have the column."""
    tables = _named(conn, wanted.plan, wanted.tables)
    if wanted.tables:
        return tables, ()
    have = [table for table in tables if relations.read(conn, table.now.oid).column(wanted.column) is not None]
    if not have:
        raise UsageError(f"No table that plan {wanted.plan} has in the archive has a column {wanted.column}")
    return have, tuple(table.was.label for table in tables if table not in have)


def _matching(conn: Connection[Any], wanted: Wanted, tables: Sequence[Archived]) -> list[tuple[Archived, Rows, int]]:
    """The tables with the rows that are meant, and how many they are; those that refer to others first."""
    erasing.mean(conn, wanted.value)
    found = []
    for table in erasing.in_order(conn, tables):
        rows = erasing.with_value(conn, table, wanted.column, table.now.label)
        found.append((table, rows, erasing.count(conn, table, rows, table.now.label)))
    return found


def _part(table: Archived, rows: int) -> Part:
    return Part(table.was.label, table.now.label, rows, table.rows - rows)


def _refuse_several(chosen: Sequence[Hold]) -> None:
    by_table: dict[int, list[Hold]] = {}
    for each in chosen:
        by_table.setdefault(each.archived, []).append(each)
    several = [found for found in by_table.values() if len(found) > 1]
    if several:
        raise UsageError(
            f"{several[0][0].label} has {len(several[0])} legal holds",
            why="; ".join(str(each) for each in several[0]),
            hint="Say which one is released: --number N.",
        )


def _still_held(conn: Connection[Any], tables: Sequence[Archived], at: datetime | None = None) -> list[StillHeld]:
    """Backups from before, under whichever name they hold the tables."""
    found = []
    for row in backups.known(conn):
        names = [name for table in tables for name in (table.now.label, table.was.label) if name in row.tables]
        if names and (at is None or row.snapshot_at <= at):
            found.append(StillHeld(row.id, row.kind, row.host, row.folder, row.snapshot_at, tuple(names)))
    return found


def _copies(conn: Connection[Any], tables: Sequence[Archived]) -> tuple[str, ...]:
    hanging = dependents(conn, [table.now.oid for table in tables]) if tables else None
    return tuple(each.name for each in hanging.found if each.kind == "materialized view") if hanging else ()


# --- what is done -----------------------------------------------------------------------------------------------


def _erase(
    conn: Connection[Any], request: UUID, wanted: Wanted, tables: Sequence[Archived], at: datetime
) -> list[Part]:
    """In the open transaction; looks at everything anew, with nobody else writing."""
    erasing.lock(conn, [table.now for table in tables])
    tables = [dropping.find(conn, wanted.plan, (table.now.schema, table.now.name), table.now.label) for table in tables]
    if done := erasing.done(conn, request):  # a connection was lost at its COMMIT, which came through
        return [Part(table.was.label, table.now.label, done.get(table.id, 0), table.rows) for table in tables]
    matching = _matching(conn, wanted, tables)
    todo = [(table, rows, count) for table, rows, count in matching if count]
    expected = {}
    for table, rows, _ in todo:
        holds.refuse(conn, table.id, table.was.label, table.now.label)
        erasing.refuse_rules(conn, table, table.now.label)
        dropping.refuse_changed(conn, table, dropping.state(conn, table.now), table.now.label)
        expected[table.id] = erasing.remainder(conn, table, rows)
    others = erasing.beside(conn, {table.now.oid: (table, rows) for table, rows, _ in todo}, "lockgate archive erase")
    kept = {table.id: keptvalues.erase(conn, table, rows) for table, rows, _ in todo}
    with erasing.writable(conn, [*(table.now for table, _, _ in todo), *others]):
        for table, rows, _ in todo:
            erasing.delete(conn, table, rows)
            fault("erase.deleted")
    for table, _, count in todo:
        left = erasing.measured(conn, table, expected[table.id], table.now.label)
        erasing.keep(
            conn,
            wanted.plan,
            table,
            request=request,
            column=wanted.column,
            rows=count,
            left=left,
            because=wanted.because,
            by=wanted.by,
            at=at,
        )
        facts = {
            "table": table.now.label,
            "by_column": wanted.column,
            "rows": count,
            "rows_before": table.rows,
            "content_before": table.content,
            "rows_after": left.rows,
            "digest": f"{left.way}:{left.hash}",
            "erased_because": wanted.because,
            "erased_by": wanted.by,
            "erased_at": at,
            "kept_values": kept[table.id],
        }
        fact = Evidence(f"erased:{table.was.label}", _QUERY.format(left.query), facts)
        recording.evidence(conn, wanted.plan, None, None, [fact], run_id=None)
    return [_part(table, count) for table, _, count in matching]


def _tell(conn: Connection[Any], hold: Hold, name: str, facts: dict[str, Any]) -> None:
    """Write into the chain what became of a hold."""
    query = (
        "SELECT because, held_by, held_at, released_because, released_by, released_at FROM lockgate.holds WHERE id = "
    )
    fact = Evidence(f"{name}:{hold.label}", f"{query}{hold.id}", {"hold": hold.id, **facts})
    recording.evidence(conn, hold.plan, None, None, [fact], run_id=None)
