"""SQL outside a transaction: statement by statement, each of which a kill leaves undone, half done or done.

A statement that may run in a transaction commits together with the step's ``position``. For one that may
not, ``position`` is written after it, and what it left behind is read from the catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.engine import leftover, recording
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.locks import Blocker, Watch
from lockgate.engine.retry import Policy, passing, retrying
from lockgate.errors import Interrupted, LockNotAcquired, PlanChanged
from lockgate.ledger import chain, steps
from lockgate.sql.split import Statement
from lockgate.steps import recovery
from lockgate.steps.base import StepResult
from lockgate.steps.recovery import Found
from lockgate.steps.running import at_line, execute, first_words, strong_lock, validate
from lockgate.steps.statements import Alone, Shape, strong


def run(ctx: StepContext, where: str) -> StepResult:
    """Run what is left of the step.

    :raises PlanChanged: if a statement that is done was changed.
    :raises Interrupted: if the run was told to stop.
    """
    statements = validate(ctx.step, where)
    count = len(statements)
    done = ctx.step_row.position
    _refuse_changed(ctx, [statement for statement, _ in statements], where)
    for number in range(done, count):
        if ctx.stop.is_set():
            raise Interrupted(f"Stopped before statement {number + 1} of {count}", where=where)
        statement, known = statements[number]
        if known.alone is None:
            _with_position(ctx, where, number, statement, known)
        else:
            _Alone(ctx, where, number, statement, known).run()
        fault("outside.statement")
    result = StepResult(f"{count} statement{'' if count == 1 else 's'}, one by one", {"statements": count})
    with ctx.sessions.open("step") as conn, ctx.fenced(conn):
        recording.finish(ctx, conn, result)
    return result


def _refuse_changed(ctx: StepContext, statements: Sequence[Statement], where: str) -> None:
    done = ctx.step_row.detail.get("done", [])
    for number, digest in enumerate(done[: ctx.step_row.position]):
        if number >= len(statements) or _digest(statements[number]) != digest:
            line = statements[number].line - 1 if number < len(statements) else 0
            raise PlanChanged(
                f"Statement {number + 1} of this step was done and then changed",
                where=at_line(where, line),
                hint="Put it back, or add what is new as further statements or another step.",
            )


def _digest(statement: Statement) -> str:
    return sha256(statement.text.encode()).hexdigest()


def _advance(ctx: StepContext, conn: Connection[Any], number: int, statement: Statement, how: str) -> None:
    row = steps.get(conn, ctx.step_row.id)
    done = [*row.detail.get("done", [])[:number], _digest(statement)]
    steps.record(conn, row.id, position=number + 1, detail={"done": done, "current": None})
    payload = {"statement": number + 1, "begins": first_words(statement), "state": how}
    chain.append(
        conn,
        kind="event",
        plan=ctx.plan,
        phase=ctx.phase.id,
        step=ctx.step_id,
        payload=payload,
        run_id=ctx.run_id,
    )


def _with_position(ctx: StepContext, where: str, number: int, statement: Statement, known: Shape) -> None:
    def work(conn: Connection[Any]) -> None:
        with ctx.fenced(conn):
            conn.execute("SELECT FROM lockgate.steps WHERE id = %s FOR NO KEY UPDATE", (ctx.step_row.id,))
            if steps.get(conn, ctx.step_row.id).position > number:
                return  # its COMMIT had succeeded although the connection was lost
            execute(conn, statement, where)
            recording.own_role(conn)
            _advance(ctx, conn, number, statement, "done")
            fault("outside.commit")

    strong_lock(ctx, where, strong(known.locks)).do(work)


class _Alone:
    """One statement that PostgreSQL forbids in a transaction block."""

    def __init__(self, ctx: StepContext, where: str, number: int, statement: Statement, known: Shape) -> None:
        self._ctx = ctx
        self._where = where
        self._number = number
        self._statement = statement
        self._known = known
        self._seen: list[Blocker] = []

    def run(self) -> None:
        ctx = self._ctx
        if self._known.patient:
            policy = Policy(ctx.settings.lock_retries)
            try:
                retrying(self._patiently, policy=policy, clock=ctx.clock, on_retry=self._retry)
            except psycopg.errors.LockNotAvailable as error:
                why = "; ".join(map(str, self._seen)) or None
                raise LockNotAcquired("The lock was not had", where=self._where, why=why) from error
        else:
            strong_lock(ctx, self._where, strong(self._known.locks)).do(self._attempt)

    def _patiently(self) -> None:
        """With nobody queueing behind it, it may wait for old transactions as long as it takes."""
        ctx = self._ctx
        with ctx.sessions.open("step", plan_sql=True) as conn:
            conn.execute("SET lock_timeout = 0")
            with Watch(ctx.sessions, conn, 0.5, tell=self._tell, stop=ctx.stop) as watch:
                try:
                    self._attempt(conn)
                except psycopg.errors.QueryCanceled:
                    if not watch.cancelled:
                        raise
                    self._clean_up()
                    raise Interrupted("Stopped in the middle of a statement", where=self._where) from None
                finally:
                    self._seen = watch.seen
                    ctx.progress.waiting("", "")

    def _attempt(self, conn: Connection[Any]) -> None:
        resumed = self._end_former(conn)
        found = recovery.look(conn, self._statement, self._known, resumed=resumed, where=self._where)
        fault("alone.looked")
        if found is Found.HALF:
            self._say("what a killed run left half done is removed first")
            found = recovery.clean(conn, self._known)
            fault("alone.cleaned")
        if found is Found.UNDONE:
            self._mark(conn)
            self._execute(conn, resumed)
        recovery.verify(conn, self._statement, self._known, self._where)
        fault("alone.executed")
        with self._ctx.sessions.open("step") as ledger, self._ctx.fenced(ledger):
            _advance(self._ctx, ledger, self._number, self._statement, "found done" if found is Found.DONE else "done")

    def _execute(self, conn: Connection[Any], resumed: bool) -> None:
        try:
            execute(conn, self._statement, self._where)
        except Exception as error:
            cause = error.__cause__
            if resumed and self._known.alone is Alone.OTHER and isinstance(cause, recovery.DONE_ALREADY):
                return
            if not (isinstance(error, psycopg.Error) and passing(error)) and not conn.closed:
                self._unmark()
                self._clean_up()
            raise

    def _end_former(self, conn: Connection[Any]) -> bool:
        """Whether a former run was in the middle of this statement; its session is ended."""
        current = steps.get(conn, self._ctx.step_row.id).detail.get("current")
        if not current or current["number"] != self._number:
            return False
        leftover.end(conn, leftover.Backend(current["pid"], current["since"]), self._ctx.clock, self._ctx.progress)
        return True

    def _mark(self, conn: Connection[Any]) -> None:
        """Note who runs the statement, so that a later run can tell whether it still does."""
        backend = leftover.me(conn)
        current = {"number": self._number, "pid": backend.pid, "since": backend.since}
        with self._ctx.sessions.open("step") as ledger, self._ctx.fenced(ledger):
            steps.record(ledger, self._ctx.step_row.id, detail={"current": current})
        fault("alone.marked")

    def _unmark(self) -> None:
        with self._ctx.sessions.open("step") as ledger, self._ctx.fenced(ledger):
            steps.record(ledger, self._ctx.step_row.id, detail={"current": None})

    def _clean_up(self) -> None:
        """After an error: an INVALID index costs every write and serves no read."""
        with self._ctx.sessions.open("step", plan_sql=True) as conn:
            recovery.clean(conn, self._known)

    def _say(self, text: str) -> None:
        self._ctx.progress.event(f"{self._ctx.step_id}: {first_words(self._statement)} ...: {text}")

    def _tell(self, seen: list[Blocker]) -> None:
        if seen:
            self._ctx.progress.waiting(f"waits for an older transaction: {seen[0]}", seen[0].release)
        else:
            self._ctx.progress.waiting("", "")

    def _retry(self, attempt: int, error: psycopg.Error, pause: float) -> None:
        self._say(f"{str(error).splitlines()[0]}; trying again in {pause:.1f} s")
