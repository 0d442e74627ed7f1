"""Whether anybody used tables since the gate that asked: a step may begin long after, when it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from lockgate.archive.tables import Table
from lockgate.engine.context import StepContext
from lockgate.errors import GateRefused
from lockgate.gates.watching import hit_words, listed
from lockgate.usage import samples
from lockgate.usage.window import READS, WRITES, judge


def refuse_used(ctx: StepContext, conn: Connection[Any], tables: Sequence[Table], where: str) -> None:
    """:raises GateRefused: if somebody but Lockgate used a table since its last sample."""
    now = ctx.clock.of(conn)
    used = []
    for present in samples.read(conn, ctx.plan, [table.oid for table in tables], now):
        last = samples.kept(conn, ctx.plan, present.schema_name, present.table_name, now)
        used += [hit_words(present.label, hit) for hit in judge([*last, present], READS + WRITES).hits]
    if used:
        raise GateRefused(
            f"Somebody used the tables since the gates of phase {ctx.phase.id} opened",
            where=where,
            why=listed(used),
            hint="Find out who. `lockgate rollback` takes the phase back while nothing is dropped, and its gates are "
            f"asked anew; if it was you, run `lockgate sample {ctx.loaded.folder}` and go on.",
        )
