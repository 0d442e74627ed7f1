"""The order of writes, and rows that the target refuses: they are shown, and stop nobody else."""

from __future__ import annotations

import pytest

from tests.integration.mapping.harness import Bench, Mapped, Step

SOURCE = "CREATE TABLE old.p (id int PRIMARY KEY, owner int, v text, flag boolean NOT NULL DEFAULT false)"
STEP: Step = {
    "map": "rows",
    "into": "new.c",
    "key": ["id"],
    "from_": "old.p",
    "select": "SELECT s.id, s.owner, s.v, s.flag FROM old.p s",
}


def rows(
    bench: Bench, target: str, source: str = "(1, 1, 'a', true), (2, 1, 'b', false), (3, 1, 'c', false)"
) -> Mapped:
    """A live mapping of three rows into a table with these constraints."""
    bench.sql(
        SOURCE,
        f"CREATE TABLE new.c (id int PRIMARY KEY, owner int, v text, flag boolean{target})",
        f"INSERT INTO old.p VALUES {source}",
    )
    return bench.map(**STEP)


def test_a_value_that_an_index_cannot_hold_stops_nobody_else(bench: Bench) -> None:
    """A limit of the server is a refusal like another."""
    mapped = rows(bench, "")
    bench.sql("CREATE INDEX ON new.c (v)", "CREATE TABLE old.long (v text)")
    bench.sql("INSERT INTO old.long SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) AS n")
    bench.sql("UPDATE old.p SET v = (SELECT v FROM old.long) WHERE id = 1", "UPDATE old.p SET v = 'ok' WHERE id = 2")
    mapped.batch()
    assert mapped.poison() == [({"id": "1"}, "54000")]
    assert bench.one("SELECT v FROM new.c WHERE id = 2") == "ok"


def test_what_a_trigger_of_the_target_refuses_stops_nobody_else(bench: Bench) -> None:
    """RAISE EXCEPTION is the application's word on this row."""
    bench.sql(
        SOURCE,
        "CREATE TABLE new.c (id int PRIMARY KEY, owner int, v text, flag boolean)",
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.v = 'bad' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON new.c FOR EACH ROW EXECUTE FUNCTION public.refuse()",
    )
    mapped = bench.map(**STEP, acknowledge_triggers=["refuse"])
    bench.sql("INSERT INTO old.p VALUES (1, 1, 'bad'), (2, 1, 'good')")
    mapped.batch()
    assert mapped.poison() == [({"id": "1"}, "P0001")]
    assert bench.rows("SELECT id FROM new.c") == [(2,)]


def test_a_row_that_one_mapping_cannot_read_arrives_by_the_other(bench: Bench) -> None:
    """The query that finds the keys of a change sees rows that the whole SELECT never gets to."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, code text, x int)",
        "CREATE TABLE old.x (id int PRIMARY KEY, add int)",
        "CREATE TABLE old.nums (id int PRIMARY KEY)",
        "CREATE TABLE new.k (code text PRIMARY KEY, src int)",
        "INSERT INTO old.x VALUES (1, 5)",
    )
    step: Step = {"into": "new.k", "key": ["code"], "from_": "old.p"}
    bench.map(**step, map="raw", select="SELECT 'raw ' || s.code AS code, s.id AS src FROM old.p s")
    counted = (
        "SELECT 'num ' || (s.code::int + x.add)::text AS code, s.id AS src FROM old.p s JOIN old.x x ON x.id = s.x "
        "WHERE EXISTS (SELECT FROM old.nums n WHERE n.id = s.id)"
    )
    mapped = bench.map(**step, map="num", select=counted)
    bench.sql("INSERT INTO old.nums VALUES (2)", "INSERT INTO old.p VALUES (1, 'hello', 1), (2, '7', 1)")
    mapped.drain()
    assert bench.rows("SELECT code FROM new.k ORDER BY code") == [("num 12",), ("raw 7",), ("raw hello",)]
    assert mapped.poison() == []


def test_a_flag_that_one_row_of_several_may_have_moves_in_one_change(bench: Bench) -> None:
    """A partial unique index refuses the second row while the first still has the flag, in either direction."""
    mapped = rows(bench, "")
    bench.sql("CREATE UNIQUE INDEX ON new.c (owner) WHERE flag")
    for before, after in ((1, 3), (3, 2), (2, 1)):
        with bench.app.transaction():
            bench.sql(f"UPDATE old.p SET flag = false WHERE id = {before}")
            bench.sql(f"UPDATE old.p SET flag = true WHERE id = {after}")
        batch = mapped.batch()
        assert bench.rows("SELECT id FROM new.c WHERE flag") == [(after,)]
        assert (batch.poisoned, mapped.poison()) == (0, [])
    mapped.drain()
    mapped.assert_agrees()


def test_a_unique_value_goes_from_a_row_that_is_removed_to_one_that_is_new(bench: Bench) -> None:
    """Deletes come before updates and these before inserts, so that nothing is refused and tried again."""
    mapped = rows(bench, ", UNIQUE (v)")
    sent = bench.listen(mapped.applier().conn)
    with bench.app.transaction():
        bench.sql("DELETE FROM old.p WHERE id = 2", "INSERT INTO old.p VALUES (9, 1, 'b', false)")
        bench.sql("UPDATE old.p SET v = 'moved' WHERE id = 3", "INSERT INTO old.p VALUES (10, 1, 'c', false)")
    assert mapped.batch().poisoned == 0
    assert sum('INSERT INTO "new"."c"' in text for text in sent) == 1
    assert bench.rows("SELECT id, v FROM new.c ORDER BY id") == [(1, "a"), (3, "moved"), (9, "b"), (10, "c")]
    mapped.assert_agrees()


def test_rows_that_exchange_a_unique_value_arrive(bench: Bench) -> None:
    """No order of updates does it: one of the rows must leave the index before."""
    mapped = rows(bench, ", UNIQUE (v)")
    bench.sql("UPDATE old.p SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'c' ELSE 'a' END")
    mapped.drain()
    assert bench.rows("SELECT v FROM new.c ORDER BY id") == [("b",), ("c",), ("a",)]
    assert mapped.poison() == []
    mapped.assert_agrees()


def test_what_the_mapping_does_not_decide_outlives_an_exchange(bench: Bench) -> None:
    """The rows are taken out and put back: with the application's column, and the number that the server gave."""
    mapped = rows(bench, ", UNIQUE (v), own text, number int GENERATED ALWAYS AS IDENTITY")
    bench.sql("CREATE TABLE new.child (id int REFERENCES new.c)", "INSERT INTO new.child VALUES (1)")
    bench.sql("UPDATE new.c SET own = 'own ' || id")
    before = bench.rows("SELECT id, own, number FROM new.c ORDER BY id")
    bench.sql("UPDATE old.p SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'a' ELSE v END")
    mapped.drain()
    assert bench.rows("SELECT v FROM new.c ORDER BY id") == [("b",), ("a",), ("c",)]
    assert bench.rows("SELECT id, own, number FROM new.c ORDER BY id") == before


def test_no_row_of_another_table_goes_with_an_exchange(bench: Bench) -> None:
    """Where a row cannot be taken out without its children, the exchange is refused and shown."""
    mapped = rows(bench, ", UNIQUE (v)")
    bench.sql("CREATE TABLE new.child (id int REFERENCES new.c ON DELETE CASCADE)", "INSERT INTO new.child VALUES (1)")
    bench.sql("UPDATE old.p SET v = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'a' ELSE v END")
    mapped.drain()
    assert bench.rows("SELECT id FROM new.child") == [(1,)]
    assert len(mapped.poison()) == 2


def test_a_batch_inserts_in_the_order_of_the_key(bench: Bench) -> None:
    """Two sessions that insert the same rows then wait for each other only in that order."""
    bench.sql(SOURCE, "CREATE TABLE new.c (id int PRIMARY KEY, owner int, v text, flag boolean)")
    mapped = bench.map(**STEP)
    bench.sql("INSERT INTO old.p SELECT (n * 37) % 101, 1, 'v', false FROM generate_series(1, 100) AS n")
    assert mapped.batch().inserted == 100
    written = [number for (number,) in bench.rows("SELECT id FROM new.c ORDER BY ctid")]
    assert written == list(range(1, 101))


def test_a_row_that_is_right_already_is_not_written(bench: Bench) -> None:
    """No new version of it, and no number of the target's own is used up for a row that is there."""
    mapped = rows(bench, ", number int GENERATED ALWAYS AS IDENTITY")
    seen = "SELECT id, number, xmin::text FROM new.c ORDER BY id"
    before = bench.rows(seen)
    with bench.app.transaction():
        bench.sql("UPDATE old.p SET v = v || '!'", "UPDATE old.p SET v = rtrim(v, '!') WHERE id < 3")
    batch = mapped.batch()
    assert (batch.changes, batch.updated, batch.inserted) == (5, 1, 0)
    assert bench.rows(seen)[:2] == before[:2]
    bench.sql("INSERT INTO old.p VALUES (4, 1, 'd', false)")
    mapped.drain()
    assert bench.one("SELECT number FROM new.c WHERE id = 4") == 4
    mapped.assert_agrees()


REFUSALS = {
    "a check": (", CHECK (v <> 'bad')", "UPDATE old.p SET v = 'bad' WHERE id = 2", "23514"),
    "a NOT NULL": (", CHECK (v IS NOT NULL)", "UPDATE old.p SET v = NULL WHERE id = 2", "23514"),
    "a foreign key": (", FOREIGN KEY (owner) REFERENCES new.owner", "UPDATE old.p SET owner = 9 WHERE id = 2", "23503"),
    "a unique index": (", UNIQUE (v)", "UPDATE old.p SET v = 'c' WHERE id = 2", "23505"),
    "an exclusion": (", EXCLUDE USING btree (v WITH =)", "UPDATE old.p SET v = 'c' WHERE id = 2", "23P01"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_row_that_the_target_refuses_stops_no_other(bench: Bench, refusal: str) -> None:
    """The others of the batch arrive, the refused one is kept with its reason, and heals when it is touched."""
    constraint, statement, state = REFUSALS[refusal]
    bench.sql("CREATE TABLE new.owner (id int PRIMARY KEY)", "INSERT INTO new.owner VALUES (1)")
    mapped = rows(bench, constraint)
    with bench.app.transaction():
        bench.sql(statement, "UPDATE old.p SET flag = NOT flag")
    batch = mapped.batch()
    assert batch.poisoned == 1
    assert mapped.poison() == [({"id": "2"}, state)]
    assert bench.rows("SELECT flag FROM new.c WHERE id <> 2 ORDER BY id") == [(False,), (True,)]
    found = mapped.compare()
    assert (found.different, found.poisoned) == (1, 1), "it is a difference, and said to be a refused one"
    bench.sql("UPDATE old.p SET v = 'good', owner = 1 WHERE id = 2")
    mapped.drain()
    assert mapped.poison() == []
    mapped.assert_agrees()


def test_a_value_that_cannot_be_cast_stops_no_other(bench: Bench) -> None:
    """The SELECT itself fails on the row."""
    bench.sql(
        SOURCE, "CREATE TABLE new.c (id int PRIMARY KEY, n int)", "INSERT INTO old.p VALUES (1, 1, '1'), (2, 1, '2')"
    )
    mapped = bench.map(**STEP | {"select": "SELECT s.id, s.v::int AS n FROM old.p s"})
    with bench.app.transaction():
        bench.sql("UPDATE old.p SET v = 'x' WHERE id = 1", "UPDATE old.p SET v = '22' WHERE id = 2")
    mapped.drain()
    assert mapped.poison() == [({"id": "1"}, "22P02")]
    assert bench.rows("SELECT id, n FROM new.c ORDER BY id") == [(1, 1), (2, 22)]
    bench.sql("UPDATE old.p SET v = '11' WHERE id = 1")
    mapped.drain()
    assert bench.rows("SELECT id, n FROM new.c ORDER BY id") == [(1, 11), (2, 22)]
    assert mapped.poison() == []


def test_a_change_whose_key_cannot_be_told_stops_no_other(bench: Bench) -> None:
    """The SELECT fails on a version of a row that is no more when the log is taken in."""
    bench.sql(
        SOURCE,
        "CREATE TABLE new.c (id int PRIMARY KEY, owner int)",
        "INSERT INTO old.p VALUES (1, 1, '1'), (2, 1, '2')",
    )
    mapped = bench.map(**STEP | {"select": "SELECT s.v::int AS id, s.owner FROM old.p s"})
    bench.sql("UPDATE old.p SET v = 'x' WHERE id = 1", "UPDATE old.p SET v = '11' WHERE id = 1")
    bench.sql("UPDATE old.p SET owner = 5 WHERE id = 2")
    mapped.drain()
    assert bench.rows("SELECT id, owner FROM new.c ORDER BY id") == [(2, 5), (11, 1)]
    mapped.assert_agrees()


def test_a_refused_row_is_tried_again_by_itself(bench: Bench) -> None:
    """What it waited for came in another table: nothing of its own is touched any more."""
    bench.sql("CREATE TABLE new.owner (id int PRIMARY KEY)", "INSERT INTO new.owner VALUES (1)")
    mapped = rows(bench, ", FOREIGN KEY (owner) REFERENCES new.owner")
    bench.sql("INSERT INTO old.p VALUES (4, 9, 'd', false)")
    mapped.drain()
    assert mapped.poison() == [({"id": "4"}, "23503")]
    mapped.let_no_retry_be_due()
    bench.sql("INSERT INTO new.owner VALUES (9)")
    mapped.batch()
    assert bench.one("SELECT count(*) FROM new.c") == 3, "not before its time"
    for _ in range(2):
        mapped.make_retry_due()
    mapped.drain()
    assert bench.one("SELECT count(*) FROM new.c") == 4
    assert mapped.poison() == []


def test_attempts_are_counted_and_the_last_reason_is_kept(bench: Bench) -> None:
    """One line a key, however often it is refused."""
    mapped = rows(bench, ", CHECK (v <> 'bad'), UNIQUE (v)")
    bench.sql("UPDATE old.p SET v = 'bad' WHERE id = 2")
    mapped.drain()
    mapped.make_retry_due()
    mapped.batch()
    assert bench.one("SELECT attempts FROM lockgate.poison") > 1
    bench.sql("UPDATE old.p SET v = 'c' WHERE id = 2")
    mapped.drain()
    assert bench.rows("SELECT sqlstate, error LIKE '%unique%' FROM lockgate.poison") == [("23505", True)]


def test_a_refused_row_among_many_is_found_by_halving(bench: Bench) -> None:
    """Not one by one: the others go in large pieces."""
    source = ", ".join(f"({n}, 1, 'v{n}', false)" for n in range(1, 257))
    mapped = rows(bench, ", CHECK (v <> 'bad')", source)
    bench.sql("UPDATE old.p SET v = CASE id WHEN 100 THEN 'bad' ELSE 'new' || id END")
    applier = mapped.applier()
    sent = bench.listen(applier.conn)
    batch = applier.run()
    assert batch.poisoned == 1
    assert bench.one("SELECT count(*) FROM new.c WHERE v LIKE 'new%'") == 255
    assert sum('UPDATE "new"."c"' in text for text in sent) < 40


def test_a_refused_delete_stops_no_other(bench: Bench) -> None:
    """The application's own rows point to a row that the old model has no more."""
    mapped = rows(bench, "")
    bench.sql("CREATE TABLE new.child (id int REFERENCES new.c)", "INSERT INTO new.child VALUES (1)")
    bench.sql("DELETE FROM old.p WHERE id < 3")
    mapped.drain()
    assert mapped.poison() == [({"id": "1"}, "23503")]
    assert bench.rows("SELECT id FROM new.c ORDER BY id") == [(1,), (3,)]
    bench.sql("DELETE FROM new.child")
    mapped.make_retry_due()
    mapped.drain()
    assert bench.rows("SELECT id FROM new.c ORDER BY id") == [(3,)]
    assert mapped.poison() == []


def test_a_child_that_comes_before_its_parent_arrives_in_the_same_batch(bench: Bench) -> None:
    """The table refers to itself: the order of the keys is the wrong one."""
    bench.sql(
        SOURCE,
        "CREATE TABLE new.c (id int PRIMARY KEY, owner int REFERENCES new.c, v text, flag boolean)",
    )
    mapped = bench.map(**STEP)
    bench.sql("INSERT INTO old.p VALUES (3, NULL, 'root'), (2, 3, 'middle'), (1, 2, 'leaf')")
    assert mapped.batch().poisoned == 0
    bench.sql("DELETE FROM old.p")
    assert mapped.batch().poisoned == 0
    assert bench.one("SELECT count(*) FROM new.c") == 0


def test_one_key_that_was_refused_in_two_forms_is_tried_once(bench: Bench) -> None:
    """Refused keys are told apart by their texts; 1.0 and 1.00 are one key."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, n numeric, v text)",
        "CREATE TABLE new.c (n numeric PRIMARY KEY, v text CHECK (v <> 'bad'))",
        "INSERT INTO old.p VALUES (1, 1.0, 'good')",
        "INSERT INTO new.c VALUES (1.0, 'before')",
    )
    select = "SELECT s.n, s.v FROM old.p s"
    mapped = bench.map(transform="t", table="new.c", key=["n"], from_="old.p", select=select, keep_before=True)
    bench.sql("UPDATE old.p SET v = 'bad'")
    mapped.drain()
    # As when its row is written anew, with the other form.
    other = 'SELECT target_id, \'{"n": "1.00"}\', error, sqlstate FROM lockgate.poison'
    bench.sql(f"INSERT INTO lockgate.poison (target_id, key, error, sqlstate) {other}")
    assert len(mapped.poison()) == 2
    bench.sql("ALTER TABLE new.c DROP CONSTRAINT c_v_check")
    mapped.make_retry_due()
    mapped.drain()
    mapped.assert_agrees()
    assert bench.one("SELECT v FROM new.c") == "bad"
