"""Keys of the two tables of a step; the key of a partitioned table, made unique in the table of before as well.

A row whose old key is there already could not go back to that table: its own primary key refuses it, it is told, and a
rollback refuses. With the longer key the way back tells the two rows apart; with the old one it would merge them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection, sql
from psycopg.errors import QueryCanceled

from lockgate.catalog import relations
from lockgate.engine.context import StepContext
from lockgate.engine.faults import fault
from lockgate.engine.locks import Watch
from lockgate.errors import Interrupted
from lockgate.replacing import swap
from lockgate.replacing.swap import Pair
from lockgate.script.running import strong_lock
from lockgate.steps.base import place

_STATE = "SELECT x.indisvalid FROM pg_catalog.pg_index x WHERE x.indexrelid = pg_catalog.to_regclass(%s)"


def needs_key(conn: Connection[Any], table: int, key: Sequence[str]) -> bool:
    """Whether the table has no valid unique index on exactly these columns."""
    return not any(index.identifies(tuple(key)) for index in relations.read(conn, table).indexes)


def build_key(ctx: StepContext, pair: Pair, key: Sequence[str]) -> None:
    """Build the index while the application goes on; one that a kill left INVALID goes first.

    :raises Interrupted: when told to stop.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, key))
    name = sql.Identifier(_name(pair))
    drop_key(ctx, pair, invalid_only=True)
    alone(ctx, sql.SQL("CREATE UNIQUE INDEX CONCURRENTLY {} ON {} ({})").format(name, pair.named(), columns))
    fault("partition.indexed")


def drop_key(ctx: StepContext, pair: Pair, *, invalid_only: bool = False) -> None:
    """Drop it, if it is there."""
    name = sql.Identifier(pair.schema, _name(pair))
    with ctx.sessions.open("replace") as conn:
        row = conn.execute(_STATE, (name.as_string(conn),)).fetchone()
    if row is not None and not (invalid_only and row[0]):
        alone(ctx, sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(name))


def validate_keys(ctx: StepContext, conn: Connection[Any], table: int, point: str) -> None:
    """Let the foreign keys of a table, and those that refer to it, count for all rows.

    None of them was read while everybody waited.

    :param point: the fault point after each.
    """
    for on, name in swap.unvalidated(conn, table):

        def attempt(each: Connection[Any], on: str = on, name: str = name) -> None:
            swap.validate(each, on, name)

        strong_lock(ctx, place(ctx.loaded, ctx.phase, ctx.step), (on,)).do(attempt)
        fault(point)


def alone(ctx: StepContext, statement: sql.Composed) -> None:
    """Run what waits for older transactions, with nobody behind it."""
    with ctx.sessions.open("replace") as conn:
        conn.execute("SET lock_timeout = 0")
        with Watch(ctx.sessions, conn, 0.5, stop=ctx.stop) as watch:
            try:
                conn.execute(statement)
            except QueryCanceled:
                if not watch.cancelled:
                    raise
                where = place(ctx.loaded, ctx.phase, ctx.step)
                raise Interrupted("Stopped in the middle of a statement", where=where) from None


def _name(pair: Pair) -> str:
    return f"lockgate_key_{pair.old}"
