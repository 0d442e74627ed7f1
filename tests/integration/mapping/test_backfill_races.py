"""The backfill and the applier at once: no chunk may leave behind what the applier has already put right."""

from __future__ import annotations

from lockgate.ledger import chunks
from lockgate.mapping import backfill
from lockgate.mapping.backfill import Written
from tests.integration.mapping.harness import Bench, Step

# Four rows a block, so that each chunk has four.
PEOPLE = """
CREATE TABLE old.p (id bigint PRIMARY KEY, mail text, rank int NOT NULL DEFAULT 0, note text);
CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL);
INSERT INTO old.p SELECT n, 'm' || n, 0, repeat('x', 1700) FROM generate_series(1, 8) AS n
"""
STEP: Step = {
    "map": "people",
    "into": "new.c",
    "key": ["mail"],
    "from_": "old.p",
    "select": "SELECT s.mail, s.id FROM old.p s",
    "winner": ["s.rank"],
}


def test_a_chunk_that_read_an_old_row_is_looked_at_again(bench: Bench) -> None:
    """A chunk reads an old row; the application changes it; a batch finds nothing to remove; the chunk commits."""
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    people.batch()
    with people.open_chunk():
        bench.sql("UPDATE old.p SET mail = 'changed' WHERE id = 1")
        people.batch()
        people.batch()
        assert people.rechecks() == 2, "the keys m1 and changed wait until the chunk has ended"
    assert bench.one("SELECT count(*) FROM new.c WHERE id = 1") == 2, "the stale row is there"
    bench.others_end()
    people.batch()
    assert bench.rows("SELECT mail FROM new.c WHERE id = 1") == [("changed",)]
    people.backfill()
    people.drain()
    people.assert_agrees()


def test_a_key_is_looked_at_again_once_and_then_no_more(bench: Bench) -> None:
    """While chunks are left, a change costs two evaluations of its keys, not one in every batch."""
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    people.batch()
    bench.sql("UPDATE old.p SET mail = 'changed' WHERE id = 1")
    keys = []
    for _ in range(4):
        keys.append(people.batch().keys)
        bench.others_end()
    assert keys == [2, 2, 0, 0]
    assert people.rechecks() == 0


def test_a_key_whose_time_has_come_takes_no_other_with_it(bench: Bench) -> None:
    """One need not wait for a chunk; the others still do."""
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    people.batch()
    with people.open_chunk():
        bench.sql("UPDATE old.p SET mail = 'changed' WHERE id = 1")
        people.batch()
        bench.sql(f"INSERT INTO lockgate.recheck_{people.target_id} (mail, lockgate_fence) VALUES ('m8', '0')")
        people.batch()
        assert people.rechecks() == 2, "m1 and changed"
    people.backfill()
    people.drain()
    people.assert_agrees()


def test_a_chunk_has_its_transaction_number_before_it_reads(bench: Bench) -> None:
    """A chunk is paused between its reading and its first write: the keys that changed meanwhile still wait for it."""
    bench.sql(
        PEOPLE,
        "CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_advisory_xact_lock_shared(1) WHERE current_setting('application_name') = 'lockgate:chunk'; "
        "RETURN NEW; END $$",
        "CREATE TRIGGER pause BEFORE INSERT ON new.c FOR EACH ROW EXECUTE FUNCTION public.pause()",
    )
    people = bench.define(**STEP, acknowledge_triggers=["pause"])
    people.batch()
    other, chunk = bench.connect(), bench.tool()
    chunk.execute("SET application_name = 'lockgate:chunk'")
    other.execute("SELECT pg_advisory_lock(1)")
    with bench.blocked(chunk, lambda: people.chunk(chunk)):
        bench.sql("UPDATE old.p SET mail = 'changed' WHERE id = 1")
        people.batch()
        people.batch()
        other.execute("SELECT pg_advisory_unlock(1)")
    people.backfill()
    people.drain()
    assert bench.rows("SELECT mail FROM new.c WHERE id = 1") == [("changed",)]
    people.assert_agrees()


def test_keys_that_still_wait_after_the_last_chunk_are_evaluated(bench: Bench) -> None:
    """Going live is no reason to forget the keys that wait for a chunk."""
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    people.batch()
    people.chunk()
    with people.open_chunk():
        bench.sql("UPDATE old.p SET mail = 'changed' WHERE id = 8")
        people.batch()
    people.go_live()
    assert people.rechecks() == 2
    people.drain()
    assert people.rechecks() == 0
    assert bench.rows("SELECT mail FROM new.c WHERE id = 8") == [("changed",)]
    people.assert_agrees()


def test_a_change_before_the_first_chunk_and_one_after_the_last_are_both_followed(bench: Bench) -> None:
    """The logs stand before anything is read, and they stay."""
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    bench.sql("UPDATE old.p SET mail = 'early' WHERE id = 1")
    people.backfill()
    bench.sql("UPDATE old.p SET mail = 'late' WHERE id = 2")
    people.drain()
    assert bench.rows("SELECT mail FROM new.c WHERE id < 3 ORDER BY id") == [("early",), ("late",)]
    people.assert_agrees()


def test_a_row_that_moves_to_a_page_already_done_is_not_lost(bench: Bench) -> None:
    """An update of a column that no mapping reads moves a row from a page still to be read to one that is done."""
    bench.sql(PEOPLE, "ALTER TABLE old.p SET (autovacuum_enabled = off)", "DELETE FROM old.p WHERE id < 4")
    bench.sql("VACUUM old.p")
    people = bench.define(**STEP)
    people.chunk()
    bench.sql("UPDATE old.p SET note = repeat('z', 1700) WHERE id = 8")
    assert bench.one("SELECT (ctid::text::point)[0]::int FROM old.p WHERE id = 8") == 0, "the row has moved"
    people.backfill()
    people.drain()
    assert bench.one("SELECT count(*) FROM new.c WHERE id = 8") == 1
    people.assert_agrees()


def test_once_no_block_is_open_an_update_of_an_unread_column_is_not_logged(bench: Bench) -> None:
    """While blocks are open every update counts; afterwards only those that change what the mapping reads."""
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    bench.sql("UPDATE old.p SET note = 'y' WHERE id = 1")
    assert people.logged("old.p") == "U"
    people.backfill()
    bench.sql("UPDATE old.p SET note = 'z' WHERE id = 1", "UPDATE old.p SET rank = 1 WHERE id = 1")
    assert people.logged("old.p") == "UU", "the column that decides the winner is read, the note is not"


def test_a_row_of_a_later_chunk_may_win_the_key(bench: Bench) -> None:
    """A key that is there already is left alone by the chunk, and evaluated: the last row may win."""
    bench.sql(
        PEOPLE,
        "TRUNCATE old.p",
        "INSERT INTO old.p SELECT n, CASE WHEN n IN (1, 8) THEN 'same' ELSE 'm' || n END, 10 - n, repeat('x', 1700) "
        "FROM generate_series(1, 8) AS n",
    )
    people = bench.define(**STEP)
    people.backfill()
    assert people.rechecks() == 1
    people.drain()
    assert bench.rows("SELECT id FROM new.c WHERE mail = 'same'") == [(8,)]
    people.assert_agrees()


def test_rows_of_one_chunk_that_yield_one_key_are_reduced_to_the_winner(bench: Bench) -> None:
    """An INSERT would take them in the order of their places, and refuse to touch one key twice."""
    bench.sql(PEOPLE, "UPDATE old.p SET mail = 'same', rank = 10 - id")
    people = bench.define(**STEP, chunk_rows=1000)
    done = people.chunk()
    assert done is not None
    assert (done.read, done.written) == (8, 1)
    assert bench.rows("SELECT id FROM new.c") == [(8,)]


def test_a_chunk_writes_in_the_order_of_the_targets_key(bench: Bench) -> None:
    """Two chunks with keys in common wait for each other only in that order, and so never for ever."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail text, rank int DEFAULT 0)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, md5(n::text) FROM generate_series(1, 100) AS n",
    )
    people = bench.define(**STEP)
    people.chunk()
    written = bench.rows("SELECT mail FROM new.c ORDER BY ctid")
    assert len(written) == 100
    assert written == sorted(written)


def test_a_chunk_leaves_alone_what_is_there_and_has_it_looked_at(bench: Bench) -> None:
    """The application wrote a key of its own; the old model has it, too, and decides what it holds."""
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    bench.sql("INSERT INTO new.c VALUES ('m1', 100)")
    done = people.chunk()
    assert done is not None
    assert (done.read, done.written) == (4, 3)
    people.backfill()
    people.drain()
    assert bench.rows("SELECT id FROM new.c WHERE mail = 'm1'") == [(1,)]
    people.assert_agrees()


def test_a_partition_that_was_detached_is_not_read_any_more(bench: Bench) -> None:
    """Its chunks were planned; its rows belong to no source by the time they are done."""
    bench.sql(
        "CREATE TABLE old.p (id bigint, mail text, rank int DEFAULT 0) PARTITION BY RANGE (id)",
        "CREATE TABLE old.p1 PARTITION OF old.p FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE old.p2 PARTITION OF old.p FOR VALUES FROM (10) TO (20)",
        "CREATE TABLE old.p3 PARTITION OF old.p FOR VALUES FROM (20) TO (30)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, 25) AS n",
    )
    people = bench.define(**STEP)
    people.batch()
    assert people.chunks_left() == 3
    bench.sql("ALTER TABLE old.p DETACH PARTITION old.p2", "DROP TABLE old.p3")
    people.drain()
    people.backfill()
    people.drain()
    assert bench.one("SELECT count(*) FROM new.c") == 9
    people.assert_agrees()


def test_a_partition_that_is_detached_while_its_chunk_begins_is_not_read(bench: Bench) -> None:
    """The chunk finds it in its place and waits for the lock; when it has the lock, it looks again."""
    bench.patch.setattr("lockgate.mapping.manners.LOCK_TIMEOUT_MS", 60_000)
    bench.sql(
        "CREATE TABLE old.p (id bigint, mail text, rank int DEFAULT 0) PARTITION BY RANGE (id)",
        "CREATE TABLE old.p1 PARTITION OF old.p FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, 'm' || n FROM generate_series(1, 9) AS n",
    )
    people = bench.define(**STEP)
    loaded, chunk, app = people.load(), bench.tool(), bench.connect()
    chunk.execute("SET deadlock_timeout = '1h'")

    def begin() -> Written:
        with chunk.transaction():
            claimed = chunks.claim(chunk, people.step_id)
            assert claimed is not None
            return backfill.run_chunk(chunk, loaded, people.compiled(loaded), claimed)

    app.execute("BEGIN")
    app.execute("ALTER TABLE old.p DETACH PARTITION old.p1")
    with bench.blocked(chunk, begin) as waiting:
        app.execute("COMMIT")
        assert waiting.result(timeout=60) == Written(0, 0)
    assert bench.one("SELECT count(*) FROM new.c") == 0


def test_keys_that_are_too_many_for_a_batch_wait_for_the_chunk_as_well(bench: Bench) -> None:
    """They are put off twice: until the next batch, and until no chunk can hold an old row any more."""
    bench.patch.setattr("lockgate.mapping.intake.KEYS", 1)
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    people.batch()
    with people.open_chunk():
        bench.sql("UPDATE old.p SET mail = 'changed' || id WHERE id <= 4")
        for _ in range(10):
            people.batch()
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'm%'") == 4, "the stale rows are there"
    people.backfill()
    people.drain()
    assert bench.one("SELECT count(*) FROM new.c WHERE mail LIKE 'm%' AND id <= 4") == 0
    people.assert_agrees()
