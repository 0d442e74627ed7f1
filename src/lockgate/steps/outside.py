"""SQL outside a transaction: statement by statement, each of which a kill leaves undone, half done or done.

A statement that may run in a transaction commits together with the step's ``position``. For one that may
not, ``position`` is written after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from psycopg import Connection

from lockgate.engine import recording
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.leftover import Backend
from lockgate.errors import Interrupted, PlanChanged
from lockgate.ledger import chain, steps
from lockgate.script.alone import Standalone
from lockgate.script.located import Located
from lockgate.script.running import counted, execute, strong_lock
from lockgate.script.statements import strong
from lockgate.steps.base import StepResult


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
            Standalone(ctx, item, _Position(ctx, number, item)).run()
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


class _Position:
    """One statement's place in the step's row."""

    def __init__(self, ctx: StepContext, number: int, item: Located) -> None:
        self._ctx = ctx
        self._number = number
        self._item = item

    def runner(self, conn: Connection[Any]) -> Backend | None:
        current = steps.get(conn, self._ctx.step_row.id).detail.get("current")
        if not current or current["number"] != self._number:
            return None
        return Backend(current["pid"], current["since"])

    def begun(self, conn: Connection[Any], runner: Backend | None) -> None:
        current = runner and {"number": self._number, "pid": runner.pid, "since": runner.since}
        steps.record(conn, self._ctx.step_row.id, detail={"current": current})

    def done(self, conn: Connection[Any], how: str) -> None:
        ctx, number = self._ctx, self._number
        row = steps.get(conn, ctx.step_row.id)
        done = [*(row.detail.get("done") or [])[:number], _digest(self._item)]
        steps.record(conn, row.id, position=number + 1, detail={"done": done, "current": None})
        payload = {"statement": number + 1, "begins": self._item.name, "state": how}
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
            _Position(ctx, number, item).done(conn, "done")
            fault("outside.commit")

    strong_lock(ctx, item.where, strong(item.shape.locks)).do(work)
