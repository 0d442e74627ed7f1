"""What a step notes in its row of the ledger: the constraints that it has added, and those that it left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from psycopg import Connection

from lockgate.engine.context import StepContext
from lockgate.ledger import chain, steps


class Added(NamedTuple):
    """A constraint that the step added.

    :param table: its quoted name.
    :param name: of the constraint; of a NOT NULL, of the column.
    """

    kind: str
    table: str
    name: str


class StandIn(NamedTuple):
    """A CHECK that stands in for a NOT NULL while it is made.

    :param table: its quoted name.
    """

    table: str
    column: str
    check: str


class Notes:
    """The notes of one step; each is written in the open transaction of what it is about."""

    def __init__(self, ctx: StepContext) -> None:
        self._ctx = ctx

    def added(self, conn: Connection[Any]) -> list[Added]:
        """In the order in which they were added, those of partitions too."""
        return [Added(*each) for each in self._detail(conn).get("added") or ()]

    def proved(self, conn: Connection[Any]) -> list[Added]:
        """Those of them that hold for all rows."""
        return [Added(*each) for each in self._detail(conn).get("proved") or ()]

    def stand_ins(self, conn: Connection[Any]) -> list[StandIn]:
        """Those that are there."""
        return [StandIn(*each) for each in self._detail(conn).get("stand_ins") or ()]

    def added_now(self, conn: Connection[Any], added: Added) -> None:
        """Note that a constraint is there."""
        self._write(conn, added=[*self.added(conn), added])
        self._say(conn, added, "added")

    def proved_now(self, conn: Connection[Any], added: Added) -> None:
        """Note that it holds for all rows."""
        self._write(conn, proved=[*self.proved(conn), added])
        self._say(conn, added, "proved")

    def dropped_now(self, conn: Connection[Any], added: Added) -> None:
        """Note that it is gone."""
        self._write(
            conn,
            **{
                name: [each for each in known if each != added]
                for name, known in (("added", self.added(conn)), ("proved", self.proved(conn)))
            },
        )
        self._say(conn, added, "dropped")

    def stands_in(self, conn: Connection[Any], stand_in: StandIn) -> None:
        """Note that a CHECK is there that stands in for a NOT NULL."""
        self._write(conn, stand_ins=[*self.stand_ins(conn), stand_in])

    def stood_in(self, conn: Connection[Any], stand_in: StandIn) -> None:
        """Note that it is gone."""
        self._write(conn, stand_ins=[each for each in self.stand_ins(conn) if each != stand_in])

    def clear(self, conn: Connection[Any]) -> None:
        """Forget all: the step may begin anew."""
        self._write(conn, added=[], proved=[], stand_ins=[])

    def _write(self, conn: Connection[Any], **values: Any) -> None:
        steps.record(conn, self._ctx.step_row.id, detail=values)

    def _detail(self, conn: Connection[Any]) -> Mapping[str, Any]:
        return steps.get(conn, self._ctx.step_row.id).detail

    def _say(self, conn: Connection[Any], added: Added, state: str) -> None:
        ctx = self._ctx
        payload = {**added._asdict(), "state": state}
        chain.append(
            conn, kind="event", plan=ctx.plan, phase=ctx.phase.id, step=ctx.step_id, payload=payload, run_id=ctx.run_id
        )
