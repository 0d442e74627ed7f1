"""Chunks: claimed by one, freed by the death of its worker, done once, halved, counted."""

from __future__ import annotations

import threading
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, errors

from lockgate.errors import LedgerError
from lockgate.ledger import chunks, steps
from lockgate.ledger.chunks import ChunkProgress, ChunkRange
from tests.integration.ledger.conftest import Connect
from tests.waiting import wait_until

LEAF = 4_000_000_000  # an oid may be larger than any integer of four bytes


@pytest.fixture
def step(ledger: Connection[Any]) -> int:
    """A step with three chunks of ten blocks."""
    made = steps.get_or_create(ledger, "p", "one", "s", "map").id
    assert chunks.insert(ledger, made, (ChunkRange(LEAF, lo, lo + 10) for lo in (20, 0, 10))) == 3
    return made


def claim(conn: Connection[Any], step_id: int, after: int = 0) -> chunks.Chunk:
    chunk = chunks.claim(conn, step_id, after)
    assert chunk is not None
    return chunk


def test_chunks_are_claimed_in_the_order_of_their_insertion(ledger: Connection[Any], step: int) -> None:
    seen = []
    for _ in range(3):
        with ledger.transaction():
            chunk = claim(ledger, step)
            chunks.finish(ledger, chunk.id, 5, 4, "w", 0.5)
        seen.append((chunk.leaf, chunk.lo, chunk.hi))
    assert seen == [(LEAF, 20, 30), (LEAF, 0, 10), (LEAF, 10, 20)]
    with ledger.transaction():
        assert chunks.claim(ledger, step) is None
        assert chunks.claim(ledger, step, after=1) is None


def test_a_claim_needs_a_transaction(ledger: Connection[Any], step: int) -> None:
    with pytest.raises(RuntimeError, match="needs an open transaction"):
        chunks.claim(ledger, step)


def test_another_worker_gets_another_chunk_at_once(ledger: Connection[Any], step: int, connect: Connect) -> None:
    second, third, fourth = connect(), connect(), connect()
    with ledger.transaction(), second.transaction(), third.transaction(), fourth.transaction():
        ids = [claim(conn, step).id for conn in (ledger, second, third)]
        assert ids == sorted(set(ids))
        fourth.execute("SET LOCAL lock_timeout = '1ms'")
        assert chunks.claim(fourth, step) is None


def test_a_rollback_frees_the_chunk(ledger: Connection[Any], step: int, connect: Connect) -> None:
    other = connect()
    with ledger.transaction(force_rollback=True):
        mine = claim(ledger, step)
        chunks.finish(ledger, mine.id, 1, 1, "w", 0.1)
        with other.transaction():
            assert claim(other, step).id != mine.id
    with other.transaction():
        assert claim(other, step) == mine


def test_what_a_worker_leaves_of_a_chunk_is_cleared_too(ledger: Connection[Any], step: int, connect: Connect) -> None:
    clearing = connect()
    cleared: list[int] = []
    waits = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
    with ledger.transaction():
        chunk = chunks.carve(ledger, claim(ledger, step), 4)
        thread = threading.Thread(target=lambda: cleared.append(chunks.clear(clearing, step)))
        thread.start()
        wait_until(lambda: connect().execute(waits, (clearing.info.backend_pid,)).fetchone() is not None)
        chunks.finish(ledger, chunk.id, 1, 1, "w", 0.1)
    thread.join()
    assert cleared == [4]
    assert not chunks.pending(ledger, step)


def test_killing_the_backend_frees_the_chunk(ledger: Connection[Any], step: int, connect: Connect) -> None:
    ledger.execute("CREATE TABLE public.effect (n int)")
    worker = connect()
    worker.execute("BEGIN")
    lost = claim(worker, step)
    worker.execute("INSERT INTO public.effect VALUES (1)")
    ledger.execute("SELECT pg_terminate_backend(%s)", (worker.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        chunks.finish(worker, lost.id, 1, 1, "w", 0.1)

    def again() -> chunks.Chunk | None:
        with ledger.transaction():
            chunk = claim(ledger, step)
            return chunk if chunk.lo == 20 else None

    assert wait_until(again) == lost
    assert ledger.execute("SELECT count(*) FROM public.effect").fetchone() == (0,)
    assert chunks.progress(ledger, step).done == 0


def test_a_search_that_begins_behind_the_last_chunk_still_finds_the_others(ledger: Connection[Any], step: int) -> None:
    with ledger.transaction():
        first = claim(ledger, step)
        second = claim(ledger, step, after=first.id)
        assert second.id > first.id
        assert claim(ledger, step, after=second.id).id > second.id
        assert claim(ledger, step, after=10**12) == first


def test_a_chunk_is_finished_once(ledger: Connection[Any], step: int) -> None:
    with ledger.transaction():
        chunk = claim(ledger, step)
        chunks.finish(ledger, chunk.id, 5, 4, "w", 0.5)
    for wrong in (chunk.id, 10**9):
        with pytest.raises(LedgerError, match=f"Chunk {wrong} is not pending"):
            chunks.finish(ledger, wrong, 1, 1, "w", 0.1)
    assert chunks.progress(ledger, step).rows_read == 5


def test_the_same_range_twice_is_refused(ledger: Connection[Any], step: int) -> None:
    with pytest.raises(errors.UniqueViolation):
        chunks.insert(ledger, step, [ChunkRange(LEAF, 40, 50), ChunkRange(LEAF, 0, 5)])
    assert chunks.progress(ledger, step).total == 3
    with pytest.raises(errors.CheckViolation):
        chunks.insert(ledger, step, [ChunkRange(LEAF, 40, 40)])


def test_attempts_are_counted(ledger: Connection[Any], step: int) -> None:
    with ledger.transaction():
        chunk = claim(ledger, step)
    assert chunk.attempts == 0
    assert [chunks.failed(ledger, chunk.id) for _ in range(2)] == [1, 2]
    with ledger.transaction():
        assert claim(ledger, step).attempts == 2
        chunks.finish(ledger, chunk.id, 1, 1, "w", 0.1)
    assert chunks.failed(ledger, chunk.id) == 0
    assert ledger.execute("SELECT attempts FROM lockgate.chunks WHERE id = %s", (chunk.id,)).fetchone() == (3,)


def test_a_chunk_is_halved(ledger: Connection[Any], step: int) -> None:
    with ledger.transaction():
        chunk = claim(ledger, step)
    chunks.failed(ledger, chunk.id)
    assert chunks.split(ledger, chunk.id)
    rows = ledger.execute("SELECT lo, hi, state, attempts FROM lockgate.chunks ORDER BY id").fetchall()
    assert rows == [(20, 25, "pending", 1), (0, 10, "pending", 0), (10, 20, "pending", 0), (25, 30, "pending", 1)]
    with ledger.transaction():
        assert (claim(ledger, step).lo, claim(ledger, step).hi) == (20, 25)


def test_what_cannot_be_halved(ledger: Connection[Any], step: int) -> None:
    chunks.insert(ledger, step, [ChunkRange(LEAF, 99, 100)])
    with ledger.transaction():
        done = claim(ledger, step)
        chunks.finish(ledger, done.id, 1, 1, "w", 0.1)
    before = chunks.digest(ledger, step)
    one_block = of_block(ledger, step, 99)
    assert [chunks.split(ledger, which) for which in (done.id, one_block, 10**9)] == [False] * 3
    assert chunks.digest(ledger, step) == before


def test_a_claimed_chunk_is_cut_down_and_its_rest_is_for_others(
    ledger: Connection[Any], step: int, connect: Connect
) -> None:
    other = connect()
    with ledger.transaction():
        chunk = claim(ledger, step)
        mine = chunks.carve(ledger, chunk, 3)
        assert (mine.id, mine.lo, mine.hi) == (chunk.id, 20, 23)
        chunks.finish(ledger, mine.id, 3, 3, "w", 0.1)
        assert chunks.progress(other, step).total == 3
    assert chunks.progress(ledger, step) == ChunkProgress(4, 1, 3, 3, 30, 3)
    with other.transaction():
        rest = claim(other, step, after=of_block(other, step, 10))
        assert (rest.lo, rest.hi) == (23, 30)


def test_cutting_down_is_undone_with_the_claim(ledger: Connection[Any], step: int) -> None:
    with ledger.transaction(force_rollback=True):
        chunks.carve(ledger, claim(ledger, step), 3)
    with ledger.transaction():
        chunk = claim(ledger, step)
    assert (chunk.lo, chunk.hi, chunks.progress(ledger, step).total) == (20, 30, 3)


def test_pending_counts_what_others_work_on(ledger: Connection[Any], step: int, connect: Connect) -> None:
    other = connect()
    for _ in range(3):
        assert chunks.pending(ledger, step)
        with other.transaction():
            chunk = claim(other, step)
            assert chunks.pending(ledger, step)
            chunks.finish(other, chunk.id, 1, 1, "w", 0.1)
            assert chunks.pending(ledger, step)
    assert not chunks.pending(ledger, step)
    assert not chunks.pending(ledger, step + 1)


@given(width=st.integers(1, 300), picks=st.lists(st.integers(0, 10**6), max_size=12))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_halving_never_loses_a_block_nor_covers_one_twice(
    ledger: Connection[Any], width: int, picks: list[int]
) -> None:
    with ledger.transaction(force_rollback=True):
        step = steps.get_or_create(ledger, "p", "one", "halved", "map").id
        chunks.insert(ledger, step, [ChunkRange(LEAF, 0, width)])
        for pick in picks:
            ids = [row[0] for row in ledger.execute("SELECT id FROM lockgate.chunks WHERE step_id = %s", (step,))]
            chunks.split(ledger, ids[pick % len(ids)])
        ranges = ledger.execute("SELECT lo, hi FROM lockgate.chunks WHERE step_id = %s ORDER BY lo", (step,)).fetchall()
        blocks = [block for lo, hi in ranges for block in range(lo, hi)]
        assert blocks == list(range(width))
        assert chunks.progress(ledger, step).blocks_total == width


def test_progress_is_counted(ledger: Connection[Any], step: int) -> None:
    assert chunks.progress(ledger, step) == ChunkProgress(3, 0, 0, 0, 30, 0)
    with ledger.transaction():
        chunk = claim(ledger, step)
        chunks.split(ledger, chunk.id)
        chunks.finish(ledger, chunk.id, 7, 6, "w", 0.5)
    assert chunks.progress(ledger, step) == ChunkProgress(4, 1, 7, 6, 30, 5)
    assert chunks.progress(ledger, step + 1) == ChunkProgress(0, 0, 0, 0, 0, 0)


def test_the_digest_says_what_was_done_and_not_how(ledger: Connection[Any], step: int) -> None:
    other = steps.get_or_create(ledger, "p", "one", "t", "map").id
    assert chunks.digest(ledger, other) == chunks.digest(ledger, other + 1) == sha256().hexdigest()
    chunks.insert(ledger, other, (ChunkRange(LEAF, lo, lo + 10) for lo in (0, 10, 20)))
    assert chunks.digest(ledger, step) == chunks.digest(ledger, other)
    text = f"{LEAF} 0 10 done 7 6\n{LEAF} 10 20 pending 0 0\n{LEAF} 20 30 pending 0 0"
    for number, step_id in enumerate((step, other)):
        chunk = of_block(ledger, step_id, 0)
        for _ in range(number):
            chunks.failed(ledger, chunk)
        chunks.finish(ledger, chunk, 7, 6, f"worker {number}", number + 0.5)
        assert chunks.digest(ledger, step_id) == sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "change", ["leaf = 5", "lo = 1", "hi = 9", "rows_read = 1", "rows_written = 1", "state = 'done'"]
)
def test_the_digest_covers(ledger: Connection[Any], step: int, change: str) -> None:
    before = chunks.digest(ledger, step)
    ledger.execute(f"UPDATE lockgate.chunks SET {change} WHERE lo = 0".encode())
    assert chunks.digest(ledger, step) != before


def of_block(conn: Connection[Any], step_id: int, lo: int) -> int:
    row = conn.execute("SELECT id FROM lockgate.chunks WHERE step_id = %s AND lo = %s", (step_id, lo)).fetchone()
    assert row is not None
    return int(row[0])


def test_clear_takes_the_chunks_of_one_step(ledger: Connection[Any], step: int) -> None:
    other = steps.get_or_create(ledger, "p", "one", "t", "map").id
    chunks.insert(ledger, other, [ChunkRange(LEAF, 0, 1)])
    assert chunks.clear(ledger, step) == 3
    assert (chunks.progress(ledger, step).total, chunks.progress(ledger, other).total) == (0, 1)


def test_many_workers_do_each_chunk_once(ledger: Connection[Any], connect: Connect) -> None:
    step = steps.get_or_create(ledger, "p", "one", "s", "map").id
    ledger.execute("CREATE TABLE public.effect (lo bigint)")
    chunks.insert(ledger, step, (ChunkRange(LEAF, lo, lo + 4) for lo in range(0, 400, 4)))
    conns = [connect() for _ in range(4)]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        conn, last, turn = conns[number], 0, 0
        try:
            while True:
                with conn.transaction() as transaction:
                    chunk = chunks.claim(conn, step, last)
                    if chunk is None:
                        return
                    turn += 1
                    last = chunk.id
                    conn.execute("INSERT INTO public.effect SELECT generate_series(%s, %s - 1)", (chunk.lo, chunk.hi))
                    chunks.finish(conn, chunk.id, 4, 4, str(number), 0.1)
                    if turn % 7 == 3:
                        raise psycopg.Rollback(transaction)
                if turn % 7 == 3:
                    chunks.split(conn, chunk.id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    progress = chunks.progress(ledger, step)
    assert (progress.done, progress.blocks_done) == (progress.total, 400)
    assert progress.total > 100
    assert ledger.execute("SELECT count(*), count(DISTINCT lo) FROM public.effect").fetchone() == (400, 400)
