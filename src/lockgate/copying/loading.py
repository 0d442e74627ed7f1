"""The first time: tables are read there by blocks of their heap, a chunk a transaction, and resumed at the next chunk.

Blocks are cut in a moment and are read in the order in which they lie, whatever the key is. What moves to another block
meanwhile is found by the passes that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection, errors

from lockgate.copying import writing
from lockgate.copying.order import Unit
from lockgate.copying.pairs import Pair
from lockgate.copying.passes import Copying
from lockgate.copying.writing import Written
from lockgate.engine.faults import fault
from lockgate.errors import Interrupted
from lockgate.ledger import chunks, steps
from lockgate.ledger.chunks import Chunk, ChunkRange
from lockgate.mapping.part import between
from lockgate.mapping.poison import is_refusal

_COARSE = 4
_BLOCKS = b"""
SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint,
       CASE WHEN c.relpages > 0 AND c.reltuples > 0 THEN c.reltuples / c.relpages ELSE 80 END::float8
FROM pg_catalog.pg_class c WHERE c.oid = %s
"""
_PRESENT = (errors.UniqueViolation, errors.ForeignKeyViolation)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What the chunks of one number are of: a table there with its rows a block, or a unit as a whole."""

    unit: Unit
    leaf: str | None
    density: float


@dataclass(slots=True)
class Loader:
    """Loads what is in the source into tables that may hold rows already."""

    copying: Copying
    _read: int = 0
    _indirect: set[int] = field(default_factory=set)

    def run(self) -> None:
        """Do every chunk that is left.

        :raises Interrupted: between two chunks, if told to stop.
        """
        pieces = self.copying.source.patiently(self._cut, self.copying.target.close)
        ctx = self.copying.ctx
        started = ctx.clock.monotonic()
        while True:
            if not ctx.health.permit(ctx.stop):
                raise Interrupted(
                    "Stopped between two chunks", where=self.copying.where, hint="`lockgate apply` goes on there."
                )
            before = ctx.clock.monotonic()
            rows = self.copying.source.patiently(partial(self._next, pieces), self.copying.target.close)
            if rows is None:
                return
            self._read += rows
            self._tell(started)
            ctx.health.after_chunk(rows, ctx.clock.monotonic() - before, ctx.stop)

    # --- chunks -------------------------------------------------------------------------------------------------

    def _cut(self) -> dict[int, _Piece]:
        """Cut the tables there into chunks, once; what the chunks of each number are of."""
        ctx, conn = self.copying.ctx, self.copying.target.connection()
        with self.copying.source.transaction() as there:
            cut = steps.get(conn, ctx.step_row.id).detail.get("cut")
            if cut is None:
                cut, ranges = self._plan(there)
                with ctx.fenced(conn):
                    chunks.clear(conn, ctx.step_row.id)
                    chunks.insert(conn, ctx.step_row.id, ranges)
                    steps.record(conn, ctx.step_row.id, detail={"cut": cut})
                fault("copy.cut")
            return {
                number: piece for number, said in enumerate(cut) if (piece := self._piece(there, *said)) is not None
            }

    def _plan(self, there: Connection[Any]) -> tuple[list[tuple[int, int | None]], list[ChunkRange]]:
        """What is to be cut: number of the table, oid of what holds its rows there (None: it is read whole)."""
        cut: list[tuple[int, int | None]] = []
        ranges: list[ChunkRange] = []
        rows = self.copying.ctx.settings.chunk_rows * _COARSE
        for unit in self.copying.order.units:
            pair = unit.pairs[0]
            leaves = pair.leaves if not unit.circle else ()
            if not leaves:
                ranges.append(ChunkRange(len(cut), 0, 1))  # one block is never cut further
                cut.append((pair.number, None))
            for leaf in leaves:
                blocks, density = _size(there, leaf.oid)
                step = max(1, round(rows / density))
                ranges += [ChunkRange(len(cut), low, min(low + step, blocks)) for low in range(0, blocks, step)]
                cut.append((pair.number, leaf.oid))
        return cut, ranges

    def _piece(self, there: Connection[Any], number: int, oid: int | None) -> _Piece | None:
        """None if it is there no more."""
        unit = next(u for u in self.copying.order.units if any(pair.number == number for pair in u.pairs))
        if oid is None:
            return _Piece(unit, None, 1.0)
        leaf = next((leaf for leaf in unit.pairs[0].leaves if leaf.oid == oid), None)
        return _Piece(unit, leaf.sql, _size(there, oid)[1]) if leaf is not None else None

    def _next(self, pieces: dict[int, _Piece]) -> int | None:
        """Do the next chunk; its rows, or None if there was none."""
        ctx, conn = self.copying.ctx, self.copying.target.connection()
        with ctx.fenced(conn):
            # Also what was carved off: no child before its parents.
            chunk = chunks.claim_first(conn, ctx.step_row.id)
            if chunk is None:
                return None
            piece = pieces.get(chunk.leaf)
            if piece is not None and piece.leaf is not None:
                wanted = max(1, round(ctx.health.chunk_rows() / piece.density))
                if chunk.hi - chunk.lo > wanted * 3 // 2:
                    chunk = chunks.carve(conn, chunk, wanted)
        fault("copy.chunk")
        started = ctx.clock.monotonic()
        if piece is None:  # the table there, or its partition, is gone: the passes tell what that means
            return self._leave(conn, chunk, started)
        try:
            return self._do(conn, piece, chunk, started).read
        except psycopg.Error as error:
            if not is_refusal(error) or piece.unit.circle:
                raise
            # The passes find out which rows are refused, and why.
            return self._leave(conn, chunk, started)

    def _do(self, conn: Connection[Any], piece: _Piece, chunk: Chunk, started: float) -> Written:
        pair = piece.unit.pairs[0]

        def finish(on: Connection[Any], done: Written) -> None:
            self._finish(on, chunk, done, started)

        queries = {each: self._query(piece, each, chunk) for each in piece.unit.pairs}
        with self.copying.source.transaction() as there, writing.reading(there, queries) as feeds:
            if piece.unit.circle or pair.table.oid in self._indirect:
                return self.copying.write(conn, piece.unit, feeds, finish)
            try:
                with self.copying.ctx.fenced(conn):
                    blocks = feeds[pair.table.oid]
                    done = writing.put_directly(conn, self.copying.copy, pair, blocks, silent=self.copying.silent)
                    finish(conn, done)
                return done
            except _PRESENT:
                # Some of the rows are here already, or refer to rows that are not: they are sorted out.
                self._indirect.add(pair.table.oid)
        return self._do(conn, piece, chunk, started)

    def _query(self, piece: _Piece, pair: Pair, chunk: Chunk) -> str:
        if piece.leaf is None:
            return pair.query()
        return pair.query(f"ONLY {piece.leaf} AS s", [between("s", (chunk.lo, 0), (chunk.hi, 0))])

    def _leave(self, conn: Connection[Any], chunk: Chunk, started: float) -> int:
        with self.copying.ctx.fenced(conn):
            self._finish(conn, chunk, Written(), started)
        return 0

    def _finish(self, conn: Connection[Any], chunk: Chunk, done: Written, started: float) -> None:
        chunks.finish(conn, chunk.id, done.read, done.written, "copy", self.copying.ctx.clock.monotonic() - started)
        fault("copy.commit")

    def _tell(self, started: float) -> None:
        ctx, conn = self.copying.ctx, self.copying.target.connection()
        made = chunks.progress(conn, ctx.step_row.id)
        rate = self._read / max(ctx.clock.monotonic() - started, 1e-3)
        left = made.rows_read / made.blocks_done * (made.blocks_total - made.blocks_done) if made.blocks_done else None
        low = high = None
        if left is not None and rate > 0:
            low, high = timedelta(seconds=left / rate * 0.8), timedelta(seconds=left / rate * 1.5)
        ctx.progress.chunks(made, rate, low, high)


def _size(there: Connection[Any], oid: int) -> tuple[int, float]:
    """Blocks of a table, and about how many rows are in each."""
    blocks, density = there.execute(_BLOCKS, (oid,)).fetchone() or (0, 80.0)
    return int(blocks), max(float(density), 0.01)
