"""SQL outside a transaction: statement by statement, each of which a kill leaves undone, half done or done.

A statement that may run in a transaction commits together with the step's ``position``. For one that may
not, ``position`` is written after it, and what it left behind is read from the catalog.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.engine import leftover, recording, sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.locks import Blocker, Watch
from lockgate.engine.retry import Failure, Policy, retrying
from lockgate.errors import DatabaseError, Interrupted, LockgateError, PlanChanged
from lockgate.ledger import chain, steps
from lockgate.steps import recovery
from lockgate.steps.base import StepResult
from lockgate.steps.recovery import Found
from lockgate.steps.running import Located, counted, execute, strong_lock
from lockgate.steps.statements import Alone, strong


def run(ctx: StepContext, found: Sequence[Located]) -> StepResult:
    """Run what is left of the step.

    :raises PlanChanged: if a statement that is done was changed.
    :raises Interrupted: if the run was told to stop.
    """
    count = len(found)
    _refuse_changed(ctx, found)
    for number in range(ctx.step_row.position, count):
        item = found[number]
        if ctx.stop.is_set():
            raise Interrupted(f"Stopped before statement {number + 1} of {count}", where=item.where)
        if item.shape.alone is None:
            _with_position(ctx, number, item)
        else:
            _Alone(ctx, number, item).run()
        fault("outside.statement")
    result = StepResult(f"{counted(count)}, one by one", {"statements": count})
    with ctx.sessions.open("step") as conn, ctx.fenced(conn):
        recording.finish(ctx, conn, result)
    return result


def _refuse_changed(ctx: StepContext, found: Sequence[Located]) -> None:
    done = ctx.step_row.detail.get("done") or []
    for number, digest in enumerate(done[: ctx.step_row.position]):
        if number >= len(found) or _digest(found[number]) != digest:
            raise PlanChanged(
                f"Statement {number + 1} of this step was done and then changed",
                where=found[min(number, len(found) - 1)].where,
                hint="Put it back, or add what is new as further statements or another step.",
            )


def _digest(item: Located) -> str:
    return sha256(item.statement.text.encode()).hexdigest()


def _advance(ctx: StepContext, conn: Connection[Any], number: int, item: Located, how: str) -> None:
    row = steps.get(conn, ctx.step_row.id)
    done = [*(row.detail.get("done") or [])[:number], _digest(item)]
    steps.record(conn, row.id, position=number + 1, detail={"done": done, "current": None})
    payload = {"statement": number + 1, "begins": item.name, "state": how}
    chain.append(
        conn,
        kind="event",
        plan=ctx.plan,
        phase=ctx.phase.id,
        step=ctx.step_id,
        payload=payload,
        run_id=ctx.run_id,
    )


def _with_position(ctx: StepContext, number: int, item: Located) -> None:
    def work(conn: Connection[Any]) -> None:
        with ctx.fenced(conn):
            conn.execute("SELECT FROM lockgate.steps WHERE id = %s FOR NO KEY UPDATE", (ctx.step_row.id,))
            if steps.get(conn, ctx.step_row.id).position > number:
                return  # its COMMIT had succeeded although the connection was lost
            execute(conn, item)
            recording.own_role(conn)
            _advance(ctx, conn, number, item, "done")
            fault("outside.commit")

    strong_lock(ctx, item.where, strong(item.shape.locks)).do(work)


class _Alone:
    """One statement that PostgreSQL forbids in a transaction block."""

    def __init__(self, ctx: StepContext, number: int, item: Located) -> None:
        self._ctx = ctx
        self._number = number
        self._item = item
        self._known = item.shape
        self._waiting = False

    def run(self) -> None:
        ctx = self._ctx
        if self._known.patient:
            policy = Policy(ctx.settings.lock_retries)
            retrying(self._patiently, policy=policy, clock=ctx.clock, on_retry=self._retry)
        else:
            strong_lock(ctx, self._item.where, strong(self._known.locks)).do(self._attempt)

    def _patiently(self) -> None:
        """With nobody queueing behind it, it may wait for old transactions as long as it takes."""
        ctx = self._ctx
        with ctx.sessions.open("step", plan_sql=True) as conn:
            conn.execute("SET lock_timeout = 0")
            with Watch(ctx.sessions, conn, 0.5, tell=self._tell, stop=ctx.stop) as watch:
                try:
                    self._attempt(conn)
                except (LockgateError, psycopg.errors.QueryCanceled) as error:
                    if watch.cancelled and psycopg.errors.QueryCanceled in {type(error), type(error.__cause__)}:
                        raise Interrupted("Stopped in the middle of a statement", where=self._item.where) from None
                    raise
                finally:
                    if self._waiting:
                        self._tell([])

    def _attempt(self, conn: Connection[Any]) -> None:
        resumed = self._end_former(conn)
        found = recovery.look(conn, self._item, resumed=resumed)
        fault("alone.looked")
        if found is Found.HALF:
            self._say("what was left half done is cleared up first")
            found = recovery.clean(conn, self._known)
            fault("alone.cleaned")
        how = "found done"
        if found is Found.UNDONE:
            how = "done"
            self._mark(conn)
            self._execute(conn, resumed)
        recovery.verify(conn, self._item)
        fault("alone.executed")
        with self._ctx.sessions.open("step") as ledger, self._ctx.fenced(ledger):
            _advance(self._ctx, ledger, self._number, self._item, how)

    def _execute(self, conn: Connection[Any], resumed: bool) -> None:
        try:
            execute(conn, self._item)
        except LockgateError as error:
            if resumed and self._known.alone is Alone.OTHER and isinstance(error.__cause__, recovery.DONE_ALREADY):
                return
            self._clear_up()
            raise

    def _end_former(self, conn: Connection[Any]) -> bool:
        """Whether a former run was in the middle of this statement; its session is ended."""
        current = steps.get(conn, self._ctx.step_row.id).detail.get("current")
        if not current or current["number"] != self._number:
            return False
        backend = leftover.Backend(current["pid"], current["since"])
        leftover.end(conn, backend, self._ctx.clock, self._ctx.progress)
        return True

    def _mark(self, conn: Connection[Any]) -> None:
        """Note who runs the statement, so that a later run can tell whether it still does."""
        backend = leftover.me(conn)
        self._note({"number": self._number, "pid": backend.pid, "since": backend.since})
        fault("alone.marked")

    def _note(self, current: dict[str, Any] | None) -> None:
        with self._ctx.sessions.open("step") as ledger, self._ctx.fenced(ledger):
            steps.record(ledger, self._ctx.step_row.id, detail={"current": current})

    def _clear_up(self) -> None:
        """After an error: an INVALID index costs every write and serves no read.

        Where that does not succeed now, the next run does it.
        """
        with contextlib.suppress(psycopg.Error, DatabaseError):
            with self._ctx.sessions.open("step", plan_sql=True) as conn:
                recovery.clean(conn, self._known)
            self._note(None)

    def _say(self, text: str) -> None:
        self._ctx.progress.event(f"{self._item.name} ...: {text}")

    def _tell(self, seen: list[Blocker]) -> None:
        self._waiting = bool(seen)
        if seen:
            self._ctx.progress.waiting(f"waits for an older transaction: {seen[0]}", seen[0].release)
        else:
            self._ctx.progress.waiting("", "")

    def _retry(self, attempt: int, error: Failure, pause: float) -> None:
        self._say(f"{sqlerrors.message(error)}; trying again in {pause:.1f} s")
