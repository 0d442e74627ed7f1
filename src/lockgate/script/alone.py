"""One statement that PostgreSQL forbids in a transaction block: a kill leaves it undone, half done or done.

Where it stands is written down before and after it, and what it left behind is read from the catalog.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import psycopg
from psycopg import Connection

from lockgate.engine import leftover, sqlerrors
from lockgate.engine.context import Working
from lockgate.engine.faults import fault
from lockgate.engine.leftover import Backend
from lockgate.engine.locks import Blocker, Watch
from lockgate.engine.retry import Failure, Policy, retrying
from lockgate.errors import DatabaseError, Interrupted, LockgateError
from lockgate.script import recovery
from lockgate.script.located import Located
from lockgate.script.recovery import Found
from lockgate.script.running import execute, strong_lock
from lockgate.script.statements import Alone, strong


class Marks(Protocol):
    """Where a statement stands, in the ledger."""

    def runner(self, conn: Connection[Any]) -> Backend | None:
        """The session that a former run began this very statement in, if one did and did not say how it ended."""

    def begun(self, conn: Connection[Any], runner: Backend | None) -> None:
        """Note, in the open transaction, who is about to run it; None: nobody any more."""

    def done(self, conn: Connection[Any], how: str) -> None:
        """Note, in the open transaction, that it is done."""


class Standalone:
    """Runs one such statement, or what is left of it."""

    def __init__(self, ctx: Working, item: Located, marks: Marks) -> None:
        self._ctx = ctx
        self._item = item
        self._marks = marks
        self._known = item.shape
        self._waiting = False

    def run(self) -> None:
        """:raises LockgateError: with its place; an index that it left INVALID is dropped first."""
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
            self._note(leftover.me(conn))
            fault("alone.marked")
            self._execute(conn, resumed)
        recovery.verify(conn, self._item)
        fault("alone.executed")
        with self._ctx.sessions.open("step") as ledger, self._ctx.fenced(ledger):
            self._marks.done(ledger, how)

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
        backend = self._marks.runner(conn)
        if backend is None:
            return False
        leftover.end(conn, backend, self._ctx.clock, self._ctx.progress)
        return True

    def _note(self, backend: Backend | None) -> None:
        """Note who runs the statement, so that a later run can tell whether it still does."""
        with self._ctx.sessions.open("step") as ledger, self._ctx.fenced(ledger):
            self._marks.begun(ledger, backend)

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
