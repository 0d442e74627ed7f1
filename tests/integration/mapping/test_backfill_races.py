"""The backfill and the applier at once: no chunk may leave behind what the applier has already put right."""

from __future__ import annotations

from tests.integration.mapping.harness import Bench

PEOPLE = """
CREATE TABLE old.p (id bigint PRIMARY KEY, mail text, note text) WITH (fillfactor = 50);
CREATE TABLE new.c (mail text PRIMARY KEY, id bigint NOT NULL);
INSERT INTO old.p SELECT n, 'm' || n, repeat('x', 1500) FROM generate_series(1, 8) AS n
"""
STEP = {
    "map": "people",
    "into": "new.c",
    "key": ["mail"],
    "from_": "old.p",
    "select": "SELECT s.mail, s.id FROM old.p s",
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
    people.batch()
    assert bench.rows("SELECT mail FROM new.c WHERE id = 1") == [("changed",)]
    assert people.rechecks() == 0
    people.backfill()
    people.drain()
    people.assert_agrees()
