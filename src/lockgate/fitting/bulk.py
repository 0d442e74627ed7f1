"""The first pass: block after block by several workers at once, each block's rows in one transaction with its mark.

Blocks, and not ranges of the key: they are read in the order in which they lie, whatever the key is, and several
workers and a resumed run share them out by the ledger. A row that a writer moves meanwhile from one that is still to be
read to one that was read is found by the passes that follow, which look at the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from lockgate.catalog.relations import Leaf
from lockgate.engine import sqlerrors
from lockgate.engine.context import StepContext
from lockgate.engine.crew import Crew, name_of
from lockgate.engine.faults import fault
from lockgate.engine.retry import Policy, lost_connection, passing
from lockgate.engine.sweeping import Sweeper
from lockgate.errors import ConnectionFailed
from lockgate.fitting.definition import Fitting
from lockgate.fitting.rows import Change, Counts, read_blocks, sort
from lockgate.fitting.writing import write
from lockgate.ledger import chunks, lease
from lockgate.ledger.chunks import Chunk, ChunkProgress, ChunkRange
from lockgate.ledger.normalisations import Normalisation
from lockgate.mapping.manners import behave

_PATIENCE = Policy(retries=60, base=0.05, cap=2.0)
_CANCELED = "57014"
_POLL = 0.05
_COARSE = 4
_DENSITY = 80.0


def ranges(conn: Connection[Any], fitting: Fitting, rows: int) -> Iterator[ChunkRange]:
    """The blocks of the table in pieces of about ``rows`` rows; workers cut those down to what the pace asks for."""
    for leaf in fitting.table.leaves:
        size = _size(conn, leaf.oid)
        step = max(1, round(rows * _COARSE / size.density))
        for low in range(0, size.blocks, step):
            yield ChunkRange(leaf.oid, low, min(low + step, size.blocks))


@dataclass(frozen=True, slots=True)
class _Size:
    """Of a table: its blocks, and rows in one of them."""

    blocks: int
    density: float


def _size(conn: Connection[Any], oid: int) -> _Size:
    row = conn.execute(
        "SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint, "
        "c.reltuples::float8, c.relpages::float8 FROM pg_catalog.pg_class c WHERE c.oid = %s",
        (oid,),
    ).fetchone()
    if row is None:
        return _Size(0, _DENSITY)  # a partition that is gone
    blocks, tuples, pages = int(row[0]), row[1], row[2]
    return _Size(blocks, max(tuples / pages, 0.01) if tuples > 0 and pages > 0 else _DENSITY)


@dataclass(slots=True)
class _Worker:
    """One thread with a connection of its own, chunk after chunk until none is left."""

    bulk: Bulk
    crew: Crew
    number: int
    _conn: Connection[Any] | None = None
    _chunk: Chunk | None = None
    _last: int = 0
    _failures: int = 0

    def run(self) -> None:
        """:raises psycopg.Error, ConnectionFailed: if trying again does not help."""
        ctx = self.bulk.ctx
        try:
            while not self.crew.retired(self.number) and ctx.health.permit(ctx.stop):
                self._chunk = None
                try:
                    if not self._next(self._connection()):
                        return
                    self._failures = 0
                except (psycopg.Error, ConnectionFailed) as error:
                    self._meet(error)
        finally:
            self._close()

    def _next(self, conn: Connection[Any]) -> bool:
        """Do a chunk, or wait for others to do theirs; False when none is left."""
        ctx, bulk = self.bulk.ctx, self.bulk
        started = ctx.clock.monotonic()
        with conn.transaction():
            lease.assert_held(conn, ctx.epoch)
            chunk = chunks.claim(conn, ctx.step_row.id, self._last)
            if chunk is not None:
                self._chunk = chunk
                behave(conn, "")
                leaf = bulk.leaves.get(chunk.leaf)
                chunk = self._fitted(conn, chunk)
                read, written = self._fit(conn, leaf, chunk) if leaf is not None else (0, 0)
                seconds = ctx.clock.monotonic() - started
                chunks.finish(conn, chunk.id, read, written, name_of(self.number), seconds)
                fault("normalise.batch")
        if chunk is None:
            if not chunks.pending(conn, ctx.step_row.id):
                return False
            ctx.clock.wait(ctx.stop, _POLL)
            return True
        fault("normalise.batch_done")
        self._last = chunk.id
        seconds = ctx.clock.monotonic() - started
        self.crew.count(read, written)
        ctx.health.after_chunk(read, seconds, ctx.stop)
        return True

    def _fit(self, conn: Connection[Any], leaf: Leaf, chunk: Chunk) -> tuple[int, int]:
        fitting = self.bulk.fitting
        rows = read_blocks(conn, fitting, leaf, chunk.lo, chunk.hi)
        changes = sort(fitting, rows, Counts())
        return len(rows), write(conn, fitting, self.bulk.of, leaf.sql, changes, _leave)

    def _fitted(self, conn: Connection[Any], chunk: Chunk) -> Chunk:
        """The chunk, cut down to the size that the pace asks for."""
        wanted = max(1, round(self.bulk.ctx.health.chunk_rows() / _size(conn, chunk.leaf).density))
        return chunks.carve(conn, chunk, wanted) if chunk.hi - chunk.lo > wanted * 3 // 2 else chunk

    def _meet(self, error: psycopg.Error | ConnectionFailed) -> None:
        """Halve what takes too long, wait for what passes, and give up on the rest."""
        ctx = self.bulk.ctx
        self._failures += 1
        if isinstance(error, ConnectionFailed) or lost_connection(error):
            self._close()
        elif self._chunk is not None and error.sqlstate == _CANCELED:
            chunks.failed(self._connection(), self._chunk.id)
            if chunks.split(self._connection(), self._chunk.id):
                return
        elif not passing(error):
            raise error
        if self._failures > _PATIENCE.retries:
            raise error
        ctx.clock.wait(ctx.stop, _PATIENCE.pause(min(self._failures, 10)))

    def _connection(self) -> Connection[Any]:
        if self._conn is None or self._conn.closed:
            sessions = self.bulk.ctx.sessions
            self._conn = sessions.open("normalise", statement_timeout=sessions.settings.statement_timeout)
        return self._conn

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
        self._conn = None


def _leave(change: Change, error: psycopg.Error) -> None:
    """What the table refuses is met again by the passes, which keep it with the reason."""


@dataclass(slots=True)
class Bulk:
    """The workers of the first pass; their number follows what `lockgate tune` says."""

    ctx: StepContext
    fitting: Fitting
    of: Normalisation
    where: str
    leaves: Mapping[int, Leaf] = field(init=False)

    def __post_init__(self) -> None:
        self.leaves = {leaf.oid: leaf for leaf in self.fitting.table.leaves}

    def run(self) -> ChunkProgress:
        """Work until no chunk is left, or the run is told to stop.

        :raises LockgateError: why a worker gave up.
        """
        ctx, table = self.ctx, self.fitting.table
        hire = partial(_Worker, self)
        with Sweeper(ctx.sessions, table, ctx.stop) as sweeper:
            crew = Crew(ctx.sessions, ctx.step_row.id, ctx.clock, ctx.health, ctx.progress, ctx.stop, hire, sweeper)
            try:
                return crew.run()
            except psycopg.Error as error:
                raise sqlerrors.explain(error, self.where, f"{table.label} cannot be normalised") from error
