"""Chunks: the ranges that a step's work is cut into, claimed, done and counted one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from lockgate.errors import LedgerError
from lockgate.ledger.queries import load
from lockgate.ledger.transactions import joined, require_open


@dataclass(frozen=True, slots=True)
class ChunkRange:
    """Blocks ``[lo, hi)`` of the relation with oid ``leaf``."""

    leaf: int
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A claimed chunk: blocks ``[lo, hi)`` of relation ``leaf``.

    :param attempts: how often it was tried before and failed.
    """

    id: int
    step_id: int
    leaf: int
    lo: int
    hi: int
    attempts: int


@dataclass(frozen=True, slots=True)
class ChunkProgress:
    """How far a step's chunks are; the rows are those of the chunks that are done."""

    total: int
    done: int
    rows_read: int
    rows_written: int
    blocks_total: int
    blocks_done: int


def insert(conn: Connection[Any], step_id: int, ranges: Iterable[ChunkRange]) -> int:
    """Add pending chunks, to be done in this order; returns how many.

    :raises psycopg.errors.UniqueViolation: when a chunk of this step begins at the same block already.
    """
    listed = list(ranges)
    values = {
        "step_id": step_id,
        "leaves": [chunk.leaf for chunk in listed],
        "los": [chunk.lo for chunk in listed],
        "his": [chunk.hi for chunk in listed],
    }
    return conn.execute(load("chunks.insert"), values).rowcount


def claim(conn: Connection[Any], step_id: int, after: int = 0) -> Chunk | None:
    """Lock the first pending chunk that nobody works on, until the caller's transaction ends.

    The chunk's work and :func:`finish` belong into that transaction too. The claim is a statement of its own,
    so that under READ COMMITTED the transaction id is older than the snapshot that reads the data.

    :param after: id of the chunk that this worker did last: the search begins behind it, and at the first
        only when nothing is left there. It saves walking over the index entries of chunks already done.
    :return: None when no pending chunk is free.
    :raises RuntimeError: outside a transaction.
    """
    require_open(conn, "Claiming a chunk")
    with conn.cursor(row_factory=class_row(Chunk)) as cursor:
        chunk = cursor.execute(load("chunks.claim"), {"step_id": step_id, "after": after}).fetchone()
        if chunk is None and after:
            chunk = cursor.execute(load("chunks.claim"), {"step_id": step_id, "after": 0}).fetchone()
    return chunk


def claim_first(conn: Connection[Any], step_id: int) -> Chunk | None:
    """The same, but of the first relation that has any left, what was carved off included.

    :raises RuntimeError: outside a transaction.
    """
    require_open(conn, "Claiming a chunk")
    with conn.cursor(row_factory=class_row(Chunk)) as cursor:
        return cursor.execute(load("chunks.claim_first"), {"step_id": step_id}).fetchone()


def finish(
    conn: Connection[Any], chunk_id: int, rows_read: int, rows_written: int, worker: str, seconds: float
) -> None:
    """Mark a chunk done, in the transaction that did it.

    :raises LedgerError: when it is not pending: its work must then not be committed either.
    """
    values = {
        "id": chunk_id,
        "rows_read": rows_read,
        "rows_written": rows_written,
        "worker": worker,
        "seconds": seconds,
    }
    if conn.execute(load("chunks.finish"), values).rowcount != 1:
        raise LedgerError(f"Chunk {chunk_id} is not pending, so it cannot be finished", where="lockgate.chunks")


def failed(conn: Connection[Any], chunk_id: int) -> int:
    """Count an attempt that failed, after its transaction was rolled back; returns the attempts so far.

    A chunk that is done or gone meanwhile counts none: 0.
    """
    made = conn.cursor(row_factory=scalar_row).execute(load("chunks.failed"), {"id": chunk_id}).fetchone()
    return int(made or 0)


def split(conn: Connection[Any], chunk_id: int) -> bool:
    """Halve a pending chunk: it keeps the first half, a new chunk at the end gets the second.

    :return: False for a chunk of one block, or one that is done or gone meanwhile: nothing changed.
    """
    with joined(conn):
        row = conn.execute(load("chunks.lock"), {"id": chunk_id}).fetchone()
        if row is None:
            return False
        lo, hi = row
        if hi - lo < 2:
            return False
        conn.execute(load("chunks.split"), {"id": chunk_id, "middle": lo + (hi - lo) // 2, "hi": hi})
    return True


def carve(conn: Connection[Any], chunk: Chunk, blocks: int) -> Chunk:
    """Cut a claimed chunk down to its first ``blocks`` blocks, in the claiming transaction; the rest is a new chunk.

    The rest can be claimed by others once the transaction has committed.
    """
    middle = chunk.lo + blocks
    conn.execute(load("chunks.split"), {"id": chunk.id, "middle": middle, "hi": chunk.hi})
    return replace(chunk, hi=middle)


def pending(conn: Connection[Any], step_id: int) -> bool:
    """Whether any chunk is left, be it one that somebody works on."""
    return bool(conn.cursor(row_factory=scalar_row).execute(load("chunks.any"), {"step_id": step_id}).fetchone())


def progress(conn: Connection[Any], step_id: int) -> ChunkProgress:
    """Counted from the chunks themselves."""
    cursor = conn.cursor(row_factory=class_row(ChunkProgress))
    made = cursor.execute(load("chunks.progress"), {"step_id": step_id}).fetchone()
    assert made is not None
    return made


def digest(conn: Connection[Any], step_id: int) -> str:
    """SHA-256 (hex) over what the chunks are and did, for the chain.

    One line a chunk, in the order of relation and range: ``leaf lo hi state rows_read rows_written``. Who did
    them, when, in which order and after how many attempts is not in it.
    """
    return str(conn.cursor(row_factory=scalar_row).execute(load("chunks.digest"), {"step_id": step_id}).fetchone())


def clear(conn: Connection[Any], step_id: int) -> int:
    """Remove all chunks of a step; returns how many there were. One that somebody works on is waited for.

    What a worker leaves of a chunk is a new one, which the statement that waited for that worker does not see.
    """
    total = 0
    with joined(conn):
        while gone := conn.execute(load("chunks.clear"), {"step_id": step_id}).rowcount:
            total += gone
    return total
