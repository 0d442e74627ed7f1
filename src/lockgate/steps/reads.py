"""Whether anybody used tables since the gate that asked: a step may begin long after, when it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from lockgate.archive.tables import Table
from lockgate.engine.context import StepContext
from lockgate.errors import GateRefused
from lockgate.gates.watching import hit_words, listed
from lockgate.ledger import steps
from lockgate.usage import samples
from lockgate.usage.window import READS, WRITES, judge

_MARK = "reading"
_FLUSH_IS_THERE = 150_000


@contextmanager
def reading(ctx: StepContext, conn: Connection[Any], tables: Sequence[Table], where: str) -> Iterator[None]:
    """Let the step itself read the tables in this block, if nobody did since the last sample.

    After the block a new sample is kept, so that its reads are no use. A run that was killed within it has left a
    mark: what was read since cannot be told from its own reads, and is not asked for.

    :raises GateRefused: if somebody did.
    """
    if not ctx.step_row.detail.get(_MARK):
        _refuse_used(ctx, conn, tables, where)
    with ctx.fenced(conn):
        steps.set_state(conn, ctx.step_row.id, "running", detail={_MARK: True})
    try:
        yield
    finally:
        if not conn.closed:
            if conn.info.server_version >= _FLUSH_IS_THERE:
                conn.execute("SELECT pg_catalog.pg_stat_force_next_flush()")
            with ctx.fenced(conn):
                present = samples.read(conn, [table.oid for table in tables], ctx.clock.of(conn))
                samples.keep(conn, ctx.plan, present)
                steps.set_state(conn, ctx.step_row.id, "running", detail={_MARK: False})


def _refuse_used(ctx: StepContext, conn: Connection[Any], tables: Sequence[Table], where: str) -> None:
    now = ctx.clock.of(conn)
    used = []
    for present in samples.read(conn, [table.oid for table in tables], now):
        last = samples.kept(conn, ctx.plan, present.schema_name, present.table_name, now)
        used += [hit_words(present.label, hit) for hit in judge([*last, present], READS + WRITES).hits]
    if used:
        raise GateRefused(
            f"Somebody used the tables since the gates of phase {ctx.phase.id} opened",
            where=where,
            why=listed(used),
            hint="Find out who. `lockgate rollback` takes the phase back while nothing is dropped, and its gates are "
            f"asked anew; if it was you, such as by a backup, run `lockgate sample {ctx.loaded.folder}` and go on.",
        )
