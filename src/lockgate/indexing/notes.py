"""What a step notes in its row of the ledger: what it has built, is building, and has dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import Connection

from lockgate.engine.context import StepContext
from lockgate.engine.leftover import Backend
from lockgate.ledger import chain, steps


class Notes:
    """The notes of one step.

    :param again: whether they are about indexes that had been dropped, and are built again.
    """

    def __init__(self, ctx: StepContext, *, again: bool = False) -> None:
        self._ctx = ctx
        self._list = "rebuilt" if again else "built"

    def built(self, conn: Connection[Any]) -> list[str]:
        """The indexes that the step has built, by quoted name; without those that it has dropped again."""
        return list(self._detail(conn).get(self._list) or [])

    def parts(self, conn: Connection[Any]) -> dict[str, list[str]]:
        """Oid of a partition and the name of the whole table's index -> the schema and name that its part was given."""
        return dict(self._detail(conn).get("parts") or {})

    def replaced(self, conn: Connection[Any]) -> dict[str, list[str]]:
        """Quoted name of an index that the step dropped, or began to drop -> its definition, and its comment."""
        return dict(self._detail(conn).get("replaced") or {})

    def write(self, conn: Connection[Any], **values: Any) -> None:
        """Note something, in the open transaction of what it is about."""
        steps.record(conn, self._ctx.step_row.id, detail=values)

    def built_now(self, conn: Connection[Any], name: str, how: str) -> None:
        """Note that an index is there."""
        self.write(conn, **{self._list: [*self.built(conn), name]}, current=None)
        self._say(conn, {"index": name, "state": how})

    def dropped_now(self, conn: Connection[Any], name: str) -> None:
        """Note that an index is gone."""
        left = [each for each in self.built(conn) if each != name]
        self.write(conn, **{self._list: left}, current=None)
        self._say(conn, {"index": name, "state": "dropped"})

    def clear(self, conn: Connection[Any]) -> None:
        """Forget all: the step may begin anew."""
        self.write(conn, built=[], rebuilt=[], parts={}, replaced={}, current=None)

    def current(self, conn: Connection[Any]) -> Mapping[str, Any]:
        """The index that a session is at work at: ``index``, ``pid``, ``since``; empty if none was noted."""
        return self._detail(conn).get("current") or {}

    def _detail(self, conn: Connection[Any]) -> Mapping[str, Any]:
        return steps.get(conn, self._ctx.step_row.id).detail

    def _say(self, conn: Connection[Any], payload: Mapping[str, Any]) -> None:
        ctx = self._ctx
        chain.append(
            conn, kind="event", plan=ctx.plan, phase=ctx.phase.id, step=ctx.step_id, payload=payload, run_id=ctx.run_id
        )


class Mark:
    """Where one statement stands that builds or drops an index."""

    def __init__(self, notes: Notes, name: str, *, drops: bool = False) -> None:
        self._notes = notes
        self._name = name
        self._drops = drops

    def runner(self, conn: Connection[Any]) -> Backend | None:
        current = self._notes.current(conn)
        return Backend(current["pid"], current["since"]) if current.get("index") == self._name else None

    def begun(self, conn: Connection[Any], runner: Backend | None) -> None:
        current = runner and {"index": self._name, "pid": runner.pid, "since": runner.since}
        self._notes.write(conn, current=current)

    def done(self, conn: Connection[Any], how: str) -> None:
        if self._drops:
            self._notes.dropped_now(conn, self._name)
        else:
            self._notes.built_now(conn, self._name, how)
