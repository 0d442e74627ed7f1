"""What ``lockgate partitions`` does: the partitions that a plan declares are there, and old ones are in the archive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import Connection, errors

from lockgate.archive import place as archive_place
from lockgate.archive import tables
from lockgate.archive.queries import load as archive_query
from lockgate.archive.tables import Table
from lockgate.engine import recording, sqlerrors
from lockgate.engine.clock import Clock
from lockgate.engine.context import Progress
from lockgate.engine.evidence import Evidence
from lockgate.engine.faults import fault
from lockgate.engine.job import Job
from lockgate.engine.retry import Policy, lost_connection
from lockgate.engine.run import RunResult, run
from lockgate.engine.session import Sessions
from lockgate.engine.strong import StrongLock
from lockgate.errors import ConnectionLost, Interrupted, LeaseLost, LockgateError, PlanError
from lockgate.ledger import lease
from lockgate.partitioning import deciding, family, making, retiring
from lockgate.partitioning.deciding import Decision, Wanted
from lockgate.partitioning.family import Family
from lockgate.partitioning.retiring import Leaving
from lockgate.plan.models import Partitions
from lockgate.replacing import shape

if TYPE_CHECKING:
    from lockgate.plan.load import LoadedPlan

PHASE = "partitions"
"""What the ledger has for the phase of what is archived here; the step is the table."""


@dataclass(slots=True)
class Tended:
    """What was done with a table, or with ``dry_run`` would be.

    :param made: new partitions, with the rows of the default one that moved into each.
    :param retired: partitions that went into the archive.
    :param finished: partitions that somebody else had begun to detach, and that are tables of their own now.
    :param in_default: rows in the default partition that have no partition of their own.
    :param fails_from: when inserts begin to fail since no partition fits; None for never, or long after.
    :param troubles: what is not as it is declared, in words.
    """

    table: str
    made: dict[str, int] = field(default_factory=dict)
    retired: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    in_default: int = 0
    fails_from: datetime | None = None
    troubles: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.made or self.retired or self.finished)


@dataclass(frozen=True, slots=True)
class _Seen:
    family: Family
    decision: Decision
    leaving: list[Leaving]
    in_default: int
    now: datetime


def look(loaded: LoadedPlan, sessions: Sessions, clock: Clock) -> list[Tended]:
    """What would be done now; changes nothing, and needs no ledger."""
    ours = sessions.with_settings(loaded.plan.settings, clock)
    ours.preflight()
    found = []
    with ours.open("partitions", read_only=True) as conn:
        for number, care in enumerate(loaded.plan.partitions):
            seen = _see(conn, care, clock, loaded.where("partitions", number, "table"))
            tended = _tended(care, seen)
            tended.made = dict.fromkeys((f"{seen.family.schema}.{each.name}" for each in seen.decision.make), 0)
            leaving = [each.table.label for each in seen.leaving]
            tended.retired = [*leaving, *(part.label for part in seen.decision.retire)]
            tended.finished = [part.label for part in seen.decision.finish if part.label not in leaving]
            tended.troubles = list(seen.decision.troubles)
            found.append(tended)
    return found


def tend(
    loaded: LoadedPlan,
    sessions: Sessions,
    *,
    progress: Progress | None = None,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> tuple[list[Tended], RunResult]:
    """Make and retire what is declared, under the lease; may be called again at any time, and after any kill.

    What fails with one partition is a trouble of its table, and holds up no other.

    :raises PlanError: if a declared table is not there, or not partitioned in a way that the calendar knows.
    """
    found: list[Tended] = []

    def work(job: Job) -> Iterator[str]:
        for number, care in enumerate(loaded.plan.partitions):
            found.append(_Care(job, care, loaded.where("partitions", number, "table")).do())
        yield from ()

    result = run(loaded, sessions, PHASE, work, progress=progress, clock=clock, stop=stop)
    return found, result


def _see(conn: Connection[Any], care: Partitions, clock: Clock, where: str) -> _Seen:
    known = family.read(conn, care.table, where)
    now = clock.of(conn).astimezone(UTC)
    strays, in_default = making.strays(conn, known, care.interval)
    decision = deciding.decide(known, care, now.date(), strays)
    row = conn.execute("SELECT pg_catalog.to_regclass('lockgate.retiring') IS NOT NULL").fetchone()
    leaving = retiring.leaving(conn, known) if row and row[0] else []
    return _Seen(known, decision, leaving, in_default, now)


def _tended(care: Partitions, seen: _Seen) -> Tended:
    fails = deciding.fails_from(seen.family, seen.now.replace(tzinfo=None))
    return Tended(care.table, in_default=seen.in_default, fails_from=fails.replace(tzinfo=UTC) if fails else None)


class _Care:
    """One table, in one run."""

    def __init__(self, job: Job, care: Partitions, where: str) -> None:
        self._job = job
        self._care = care
        self._where = where

    def do(self) -> Tended:
        with self._job.sessions.open("partitions") as conn:
            seen = self._see(conn)
            tended = Tended(self._care.table, troubles=list(seen.decision.troubles))
            for wanted in seen.decision.make:
                self._try(tended, f"{wanted.name} was not made", self._make, conn, wanted, tended)
            for left in seen.leaving:
                self._try(tended, f"{left.name} was not retired", self._retire, conn, seen.family, left, tended)
            for part in (*seen.decision.finish, *seen.decision.retire):
                if any(part.oid == left.oid for left in seen.leaving):
                    continue
                left = Leaving(part.oid, part.schema, part.name, attached=True, pending=part.pending)
                if part.pending:
                    self._try(tended, f"{part.label} was not detached", self._finish, seen.family, left, tended)
                elif part.kind != "r":
                    tended.troubles.append(f"{part.label} was not retired: it is no plain table")
                else:
                    self._try(tended, f"{part.label} was not retired", self._begin, conn, seen.family, left, tended)
            after = self._see(conn)
        final = _tended(self._care, after)
        tended.in_default, tended.fails_from = final.in_default, final.fails_from
        return tended

    def _see(self, conn: Connection[Any]) -> _Seen:
        return _see(conn, self._care, self._job.clock, self._where)

    def _try(self, tended: Tended, what: str, work: Callable[..., None], *given: Any) -> None:
        """Do one thing; what it fails with is told, and the next one is done."""
        self._job.goes_on(self._where)
        try:
            work(*given)
        except (LeaseLost, Interrupted, ConnectionLost):
            raise
        except LockgateError as error:
            tended.troubles.append(": ".join(filter(None, (what, error.what, error.why))))
        except errors.QueryCanceled:
            hold = self._care.hold.total_seconds()
            tended.troubles.append(f"{what}: it takes longer than {hold:g} s, for which writers may wait (`hold`)")
        except psycopg.Error as error:
            if lost_connection(error):
                raise
            tended.troubles.append(f"{what}: {sqlerrors.message(error)}")

    # --- making -------------------------------------------------------------------------------------------------

    def _make(self, conn: Connection[Any], wanted: Wanted, tended: Tended) -> None:
        known = family.read(conn, self._care.table, self._where)
        if shape.taken(conn, known.schema, wanted.name):
            raise PlanError(f"something else is called {known.schema}.{wanted.name}", where=self._where)
        others = [known.default.named().as_string(conn)] if known.default is not None else []

        def attempt(on: Connection[Any]) -> int:
            with self._fenced(on):
                held = f"{round(self._care.hold.total_seconds() * 1000)}ms"
                on.execute("SELECT pg_catalog.set_config('statement_timeout', %s, true)", (held,))
                moved = making.make(on, known, wanted)
                fault("partitions.make")
                return moved

        name = f"{known.schema}.{wanted.name}"
        tended.made[name] = self._strong(others).do(attempt)
        self._keep(conn, f"partition:{name}", "rows moved out of the default partition", {"moved": tended.made[name]})
        self._job.progress.event(f"{name} is made, for {wanted.period.start} to {wanted.period.end}")
        fault("partitions.made")

    # --- retiring -----------------------------------------------------------------------------------------------

    def _begin(self, conn: Connection[Any], known: Family, left: Leaving, tended: Tended) -> None:
        mapped = conn.execute(archive_query("tables.mapped"), {"oid": known.oid}).fetchone()
        if mapped is not None:
            raise PlanError(f"mapping {mapped[0]} reads or fills {known.label}", where=self._where)
        tables.refuse_clashes(conn, [(left.table, self._where)], self._care.archive)
        part = next(part for part in known.parts if part.oid == left.oid)
        with self._fenced(conn):
            retiring.note(conn, self._job.plan, known, part)
        fault("partitions.noted")
        self._retire(conn, known, left, tended)

    def _retire(self, conn: Connection[Any], known: Family, left: Leaving, tended: Tended) -> None:
        self._detach(known, left.table)
        fault("partitions.detached")
        self._archive(conn, left.table, known)
        tended.retired.append(left.table.label)
        fault("partitions.archived")

    def _finish(self, known: Family, left: Leaving, tended: Tended) -> None:
        self._detach(known, left.table)
        tended.finished.append(left.table.label)

    def _detach(self, known: Family, part: Table) -> None:
        """Concurrently; where there is a default partition the server does not do that, and a short lock is needed."""

        def attempt(on: Connection[Any]) -> None:
            now = retiring.state(on, known, part.oid)
            with self._fenced(on):  # it may be the last one here that does not know that the lease was lost
                pass
            if now is None or not now.attached:
                return
            if now.pending:
                retiring.finalize(on, known, part)
            elif known.default is None:
                retiring.detach(on, known, part, concurrently=True)
            else:
                with self._fenced(on):
                    retiring.detach(on, known, part, concurrently=False)
                    fault("partitions.detach")

        default = [known.default.named().as_string(None)] if known.default is not None else []
        exclusive = [known.named().as_string(None), *default] if default else []
        self._strong(exclusive).do(attempt)

    def _archive(self, conn: Connection[Any], part: Table, known: Family) -> None:
        care, where = self._care, self._where
        keys = retiring.foreign_keys(conn, part)
        for name, _, other in keys:
            self._under(lambda on, name=name: retiring.drop_key(on, part, name), _sql(part), other)  # type: ignore[misc]
        tables.refuse(conn, part, [part], where)
        tables.refuse_clashes(conn, [(part, where)], care.archive)
        with self._fenced(conn):
            archive_place.prepare(conn, care.archive, where)
        self._under(lambda on: tables.freeze(on, part, f"Write to {known.label} instead."), _sql(part))
        fault("partitions.frozen")
        measured = tables.measure(conn, part)
        held: dict[str, Any] = {"rows": measured.rows, "bytes": measured.bytes, "digest": measured.content}
        held["foreign_keys"] = [f"{name}: {definition}" for name, definition, _ in keys]

        def move(on: Connection[Any]) -> None:
            now = self._job.clock.of(on)
            held.update(archived_at=now, retain_until=now + care.retain)
            tables.move(on, part, care.archive)
            tables.keep(
                on,
                part,
                measured,
                step=(self._job.plan, PHASE, care.table),
                into=care.archive,
                said={
                    "why": f"An old partition of {known.label}",
                    "replacement": None,
                    "purpose": None,
                    "basis": None,
                },
                at=now,
                until=held["retain_until"],
            )
            retiring.gone(on, part.oid)
            fault("partitions.archive")

        self._under(move, _sql(part))
        self._keep(conn, f"archived:{part.label}", measured.query, held)
        self._job.progress.event(f"{part.label}: {measured.rows} rows are in {care.archive}, read-only")

    # --- under the lease -----------------------------------------------------------------------------------------

    @contextmanager
    def _fenced(self, conn: Connection[Any]) -> Iterator[None]:
        """A transaction in which nobody can take the lease over; names are read as we write them."""
        with conn.transaction():
            lease.assert_held(conn, self._job.epoch)
            recording.own_role(conn)
            yield

    def _under(self, work: Callable[[Connection[Any]], Any], *relations: str) -> None:
        def attempt(on: Connection[Any]) -> None:
            with self._fenced(on):
                work(on)

        self._strong(relations).do(attempt)

    def _strong(self, relations: Sequence[str]) -> StrongLock:
        job = self._job
        return StrongLock(
            sessions=job.sessions,
            policy=Policy(job.loaded.plan.settings.lock_retries),
            clock=job.clock,
            progress=job.progress,
            stop=job.stop,
            purpose=PHASE,
            where=self._where,
            relations=list(relations),
        )

    def _keep(self, conn: Connection[Any], name: str, query: str, result: dict[str, Any]) -> None:
        job = self._job
        with self._fenced(conn):
            evidence = (Evidence(name, query, result),)
            recording.evidence(conn, job.plan, PHASE, self._care.table, evidence, run_id=job.run_id)


def _sql(table: Table) -> str:
    return table.named().as_string(None)
