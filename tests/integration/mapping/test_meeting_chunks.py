"""Two chunks that hold rows of one key: neither waits for the other, and the key has the row that it should have."""

from __future__ import annotations

from functools import partial

import pytest

from lockgate.engine.underway import Underway
from tests.integration.mapping.harness import Bench, Mapped, Step

# Four rows a block, so that each chunk has four; m2 to m4 are in both, and in the second with the better rank.
PEOPLE = """
CREATE TABLE old.p (id bigint PRIMARY KEY, mail text, rank int NOT NULL, note text);
CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL);
INSERT INTO old.p SELECT n, 'm' || CASE WHEN n > 4 THEN n - 3 ELSE n END, -n, repeat('x', 1700)
FROM generate_series(1, 8) AS n
"""
STEP: Step = {
    "map": "people",
    "into": "new.c",
    "key": ["mail"],
    "from_": "old.p",
    "select": "SELECT s.mail, s.id FROM old.p s WHERE s.note NOT LIKE '%y%'",
    "winner": ["s.rank"],
}


@pytest.mark.parametrize("first_ends", ["commit", "rollback"])
def test_a_key_of_another_open_chunk_is_left_out(bench: Bench, first_ends: str) -> None:
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    people.batch()
    shared = bench.one("SELECT count(*) FROM old.p a JOIN old.p b USING (mail) WHERE a.id < b.id")
    assert shared == 3
    underway, first, second = Underway(), bench.tool(), bench.tool()
    first.execute("BEGIN")
    with underway.releasing("first"):
        people.chunk_on(first, partial(underway.take, "first"))
        with underway.releasing("second"), second.transaction():
            # Would it wait, it would be cancelled: the first does not end before it.
            done = people.chunk_on(second, partial(underway.take, "second"))
        assert done is not None
        assert (done.read, done.written) == (4, 4 - shared)
        assert people.rechecks() == shared
        people.batch()
        assert people.rechecks() == shared, "they wait until the first chunk has ended, too"
        first.execute(first_ends)
    _finish(bench, people)


def test_what_a_chunk_held_is_free_when_it_has_ended(bench: Bench) -> None:
    bench.sql(PEOPLE)
    people = bench.define(**STEP)
    underway, conn = Underway(), bench.tool()
    for name in ("first", "second"):
        with underway.releasing(name), conn.transaction():
            people.chunk_on(conn, partial(underway.take, name))
    assert bench.one("SELECT count(*) FROM new.c") == 5, (
        "the second finds three keys in the table, and leaves them to be looked at again"
    )
    assert people.rechecks() == 3
    _finish(bench, people)


def test_without_sync_no_older_transaction_is_waited_for(bench: Bench) -> None:
    """Nobody looks at what was left out before both chunks have ended."""
    bench.sql(PEOPLE)
    people = bench.define(**STEP, sync="none")
    stranger, underway, first, second = bench.connect(), Underway(), bench.tool(), bench.tool()
    with underway.releasing("first"), first.transaction():
        people.chunk_on(first, partial(underway.take, "first"))
        stranger.execute("BEGIN")
        stranger.execute("SELECT pg_current_xact_id()")
        with underway.releasing("second"), second.transaction():
            people.chunk_on(second, partial(underway.take, "second"))
    assert people.rechecks()
    fences = f"SELECT DISTINCT lockgate_fence::text FROM lockgate.recheck_{people.target_id}"
    assert bench.rows(fences) == [("0",)]
    stranger.execute("COMMIT")


def test_a_column_may_be_widened_between_two_chunks(bench: Bench) -> None:
    """Without sync no trigger holds its type."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, mail varchar(4), rank int, note text) WITH (fillfactor = 50)",
        "CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL)",
        "INSERT INTO old.p SELECT n, 'm' || n, n, repeat('x', 900) FROM generate_series(1, 8) AS n",
    )
    people = bench.define(**STEP, sync="none")
    underway, conn = Underway(), bench.tool()
    for name in ("first", "second"):
        with underway.releasing(name), conn.transaction():
            people.chunk_on(conn, partial(underway.take, name))
        bench.sql(
            "ALTER TABLE old.p ALTER COLUMN mail TYPE varchar(40)", "UPDATE old.p SET mail = 'longer' WHERE id = 8"
        )
    assert bench.one("SELECT mail FROM new.c WHERE id = 8") == "longer"


def _finish(bench: Bench, people: Mapped) -> None:
    bench.others_end()
    people.backfill()
    people.drain()
    people.assert_agrees()
    best = "SELECT DISTINCT ON (mail) mail, id FROM old.p ORDER BY mail, rank"
    assert bench.rows("SELECT mail, id FROM new.c ORDER BY mail") == bench.rows(best)
