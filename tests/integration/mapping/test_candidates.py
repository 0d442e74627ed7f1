"""Which keys a change touches: through every relation that is read, as it was and as it is."""

from __future__ import annotations

import pytest

from tests.integration.mapping.harness import Bench, Mapped

pytestmark = pytest.mark.one_server  # plain joins, of which the stress tests run more on both

TABLES = """
CREATE TABLE old.a (id int PRIMARY KEY, x text, b int);
CREATE TABLE old.b (id int PRIMARY KEY, y text, doc jsonb NOT NULL DEFAULT '[]');
CREATE TABLE new.t (x text NOT NULL, y text NOT NULL, UNIQUE (x, y));
INSERT INTO old.a VALUES (1, 'a1', 1), (2, 'a2', 2), (3, 'a3', NULL);
INSERT INTO old.b VALUES (1, 'b1'), (2, 'b2'), (3, 'b3')
"""
JOIN = "SELECT s.x, b.y FROM old.a s JOIN old.b b ON b.id = s.b"


def mapping(bench: Bench, select: str, *more: str, from_: str = "old.a") -> Mapped:
    """A live mapping of this SELECT over the tables above."""
    bench.sql(TABLES, *more)
    return bench.map(map="t", into="new.t", key=["x", "y"], from_=from_, select=select)


def held(bench: Bench) -> set[str]:
    """The target's keys, as one text each."""
    return {f"{x} {y}" for x, y in bench.rows("SELECT x, y FROM new.t")}


def follow(bench: Bench, mapped: Mapped, statement: str, expected: set[str]) -> None:
    """Run one statement, apply it, and compare."""
    bench.sql(statement)
    mapped.drain()
    assert held(bench) == expected, statement
    mapped.assert_agrees()


def test_both_relations_of_a_join_are_followed(bench: Bench) -> None:
    """Inserts, updates of the key's parts and of the join columns, deletes; on either side."""
    mapped = mapping(bench, JOIN)
    follow(bench, mapped, "UPDATE old.b SET y = 'B1' WHERE id = 1", {"a1 B1", "a2 b2"})
    follow(bench, mapped, "UPDATE old.a SET b = 3 WHERE id = 1", {"a1 b3", "a2 b2"})
    follow(bench, mapped, "DELETE FROM old.b WHERE id = 3", {"a2 b2"})
    follow(bench, mapped, "INSERT INTO old.b VALUES (3, 'back')", {"a1 back", "a2 b2"})
    follow(bench, mapped, "UPDATE old.a SET x = 'A1' WHERE id = 1", {"A1 back", "a2 b2"})


def test_a_key_of_two_relations_that_both_change_is_removed(bench: Bench) -> None:
    """The old key is made of the old version of both rows: neither change alone tells it."""
    mapped = mapping(bench, JOIN)
    with bench.app.transaction():
        bench.sql("UPDATE old.a SET x = 'A1' WHERE id = 1", "UPDATE old.b SET y = 'B1' WHERE id = 1")
    mapped.drain()
    assert held(bench) == {"A1 B1", "a2 b2"}
    bench.sql("DELETE FROM old.a WHERE id = 1", "DELETE FROM old.b WHERE id = 1")
    mapped.drain()
    assert held(bench) == {"a2 b2"}
    mapped.assert_agrees()


def test_a_row_that_changes_twice_between_batches_leaves_nothing_behind(bench: Bench) -> None:
    """Each version that was ever visible is an image."""
    mapped = mapping(bench, JOIN)
    bench.sql("UPDATE old.a SET x = 'A1' WHERE id = 1", "UPDATE old.b SET y = 'B1' WHERE id = 1")
    bench.sql("UPDATE old.a SET x = 'A2', b = 2 WHERE id = 1", "UPDATE old.b SET y = 'B2' WHERE id = 1")
    mapped.drain()
    assert held(bench) == {"A2 b2", "a2 b2"}
    mapped.assert_agrees()


@pytest.mark.parametrize("first", ["a", "b"])
def test_fresh_changes_meet_a_backlog_of_the_other_relation(bench: Bench, first: str) -> None:
    """One relation's many changes wait; the other one's few are taken in before: the key of both old rows must go."""
    bench.patch.setattr("lockgate.mapping.intake.BATCH", 10)
    bench.patch.setattr("lockgate.mapping.intake.PIECE_BLOCKS", 1)
    fill = "INSERT INTO old.{0} SELECT n, '{0}' || n{1} FROM generate_series(10, 400) AS n"
    mapped = mapping(bench, JOIN, fill.format("a", ", n"), fill.format("b", ""))
    column, other, its = ("x", "b", "y") if first == "a" else ("y", "a", "x")
    bench.sql(f"UPDATE old.{first} SET {column} = upper({column})")
    assert mapped.batch().pending
    bench.sql(f"UPDATE old.{other} SET {its} = 'fresh' WHERE id = 399")
    mapped.batch()
    fresh = "A399 fresh" if first == "a" else "fresh B399"
    assert fresh in held(bench), "it did not wait for the backlog"
    assert bench.one("SELECT count(*) FROM lockgate.backlog") == 1
    found = mapped.compare()
    assert (found.missing, found.different, found.extra) == (0, 0, 0), "the old key is pending, not wrong"
    mapped.drain()
    assert not {"a399 b399", "A399 b399", "a399 B399"} & held(bench)
    mapped.assert_agrees()


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_backlog_meets_what_changed_with_it(bench: Bench, first: str) -> None:
    """Both rows of a key change in one transaction; one is among many that wait, the other is taken in before."""
    bench.patch.setattr("lockgate.mapping.intake.BATCH", 10)
    fill = "INSERT INTO old.{0} SELECT n, '{0}' || n{1} FROM generate_series(10, 400) AS n"
    mapped = mapping(bench, JOIN, fill.format("a", ", n"), fill.format("b", ""))
    column, other, its = ("x", "b", "y") if first == "a" else ("y", "a", "x")
    with bench.app.transaction():
        bench.sql(f"UPDATE old.{first} SET {column} = upper({column})")
        bench.sql(f"UPDATE old.{other} SET {its} = 'fresh' WHERE id = 399")
    mapped.drain()
    assert {key for key in held(bench) if "399" in key} == {"A399 fresh" if first == "a" else "fresh B399"}
    mapped.assert_agrees()


def test_a_self_join_is_followed_through_each_of_its_places(bench: Bench) -> None:
    """One change is an image at either place, while the other place reads the table as it is and as it was."""
    select = "SELECT s.x, p.x AS y FROM old.a s JOIN old.a p ON p.id = s.b"
    mapped = mapping(bench, select, from_="old.a s")
    assert held(bench) == {"a1 a1", "a2 a2"}
    follow(bench, mapped, "UPDATE old.a SET x = 'A1' WHERE id = 1", {"A1 A1", "a2 a2"})
    follow(bench, mapped, "UPDATE old.a SET b = 1", {"A1 A1", "a2 A1", "a3 A1"})
    follow(bench, mapped, "UPDATE old.a SET x = x || '!'", {"A1! A1!", "a2! A1!", "a3! A1!"})
    follow(bench, mapped, "DELETE FROM old.a WHERE id = 1", set())


def test_a_left_join_is_followed_into_the_row_of_nulls_and_out_of_it(bench: Bench) -> None:
    """The row without a partner goes when one comes, and comes back when it goes."""
    select = "SELECT s.x, coalesce(b.y, 'none') AS y FROM old.a s LEFT JOIN old.b b ON b.id = s.b AND b.y <> 'off'"
    mapped = mapping(bench, select)
    assert held(bench) == {"a1 b1", "a2 b2", "a3 none"}
    follow(bench, mapped, "DELETE FROM old.b WHERE id = 1", {"a1 none", "a2 b2", "a3 none"})
    follow(bench, mapped, "INSERT INTO old.b VALUES (1, 'new')", {"a1 new", "a2 b2", "a3 none"})
    follow(bench, mapped, "UPDATE old.b SET y = 'off' WHERE id = 2", {"a1 new", "a2 none", "a3 none"})
    follow(bench, mapped, "UPDATE old.b SET y = 'on' WHERE id = 2", {"a1 new", "a2 on", "a3 none"})
    follow(bench, mapped, "UPDATE old.b SET id = 4 WHERE id = 2", {"a1 new", "a2 none", "a3 none"})


def test_nested_left_joins_are_followed_at_every_level(bench: Bench) -> None:
    """A row of nulls at one level, a partner at the other."""
    select = (
        "SELECT s.x, coalesce(b.y, '-') || coalesce(c.y, '-') AS y FROM old.a s "
        "LEFT JOIN (old.b b LEFT JOIN old.c c ON c.b = b.id) ON b.id = s.b"
    )
    mapped = mapping(bench, select, "CREATE TABLE old.c (b int PRIMARY KEY, y text)")
    assert held(bench) == {"a1 b1-", "a2 b2-", "a3 --"}
    follow(bench, mapped, "INSERT INTO old.c VALUES (1, 'c1'), (3, 'c3')", {"a1 b1c1", "a2 b2-", "a3 --"})
    follow(bench, mapped, "UPDATE old.a SET b = 3 WHERE id = 3", {"a1 b1c1", "a2 b2-", "a3 b3c3"})
    follow(bench, mapped, "DELETE FROM old.b WHERE id = 3", {"a1 b1c1", "a2 b2-", "a3 --"})
    follow(bench, mapped, "DELETE FROM old.c WHERE b = 1", {"a1 b1-", "a2 b2-", "a3 --"})
    with bench.app.transaction():
        bench.sql("DELETE FROM old.b WHERE id = 1", "INSERT INTO old.c VALUES (2, 'c2')")
    mapped.drain()
    assert held(bench) == {"a1 --", "a2 b2c2", "a3 --"}
    mapped.assert_agrees()


def test_partners_of_two_left_joins_that_come_and_go_together_are_followed(bench: Bench) -> None:
    """Before, and after, a row has neither: no change alone tells that key."""
    select = (
        "SELECT s.x, coalesce(b.y, '-') || coalesce(c.y, '-') AS y FROM old.a s "
        "LEFT JOIN old.b b ON b.id = s.b LEFT JOIN old.c c ON c.b = s.b"
    )
    mapped = mapping(bench, select, "CREATE TABLE old.c (b int PRIMARY KEY, y text)", "UPDATE old.a SET b = 9")
    assert held(bench) == {"a1 --", "a2 --", "a3 --"}
    with bench.app.transaction():
        bench.sql("INSERT INTO old.b VALUES (9, 'b9')", "INSERT INTO old.c VALUES (9, 'c9')")
    mapped.drain()
    assert held(bench) == {"a1 b9c9", "a2 b9c9", "a3 b9c9"}
    with bench.app.transaction():
        bench.sql("DELETE FROM old.b WHERE id = 9", "DELETE FROM old.c WHERE b = 9")
    mapped.drain()
    assert held(bench) == {"a1 --", "a2 --", "a3 --"}
    mapped.assert_agrees()


def test_rows_without_a_partner_are_followed(bench: Bench) -> None:
    """A LEFT JOIN whose partner must not be there."""
    mapped = mapping(bench, "SELECT s.x, 'alone' AS y FROM old.a s LEFT JOIN old.b b ON b.id = s.b WHERE b.id IS NULL")
    assert held(bench) == {"a3 alone"}
    follow(bench, mapped, "DELETE FROM old.b WHERE id = 1", {"a1 alone", "a3 alone"})
    follow(bench, mapped, "INSERT INTO old.b VALUES (1, 'b')", {"a3 alone"})


@pytest.mark.parametrize("negated", [False, True])
def test_the_relation_in_exists_is_followed(bench: Bench, negated: bool) -> None:
    """EXISTS and NOT EXISTS, with a second one beside it."""
    word = "NOT EXISTS" if negated else "EXISTS"
    mapped = mapping(
        bench,
        f"SELECT s.x, 'k' AS y FROM old.a s WHERE {word} (SELECT 1 FROM old.b b WHERE b.id = s.b AND b.y LIKE 'b%') "
        "AND NOT EXISTS (SELECT * FROM old.b o WHERE o.y = 'stop ' || s.x)",
    )

    def expect(present: set[str], gone: str = "") -> set[str]:
        keys = {"a1", "a2", "a3"} - present if negated else present
        return {f"{key} k" for key in keys - {gone}}

    assert held(bench) == expect({"a1", "a2"})
    follow(bench, mapped, "UPDATE old.b SET y = 'other' WHERE id = 1", expect({"a2"}))
    follow(bench, mapped, "DELETE FROM old.b WHERE id = 2", expect(set()))
    follow(bench, mapped, "INSERT INTO old.b VALUES (2, 'back')", expect({"a2"}))
    follow(bench, mapped, "UPDATE old.a SET b = 2", expect({"a1", "a2", "a3"}))
    follow(bench, mapped, "INSERT INTO old.b VALUES (5, 'stop a2')", expect({"a1", "a2", "a3"}, "a2"))
    follow(bench, mapped, "DELETE FROM old.b WHERE id = 5", expect({"a1", "a2", "a3"}))


def test_a_lateral_function_of_the_row_is_followed(bench: Bench) -> None:
    """The elements of an array, with their places."""
    mapped = mapping(
        bench,
        "SELECT s.y AS x, e.value || e.n::text AS y FROM old.b s "
        "CROSS JOIN LATERAL jsonb_array_elements_text(s.doc) WITH ORDINALITY AS e (value, n)",
        'UPDATE old.b SET doc = \'["p", "q"]\' WHERE id = 1',
        from_="old.b",
    )
    assert held(bench) == {"b1 p1", "b1 q2"}
    follow(bench, mapped, "UPDATE old.b SET doc = '[\"q\"]' WHERE id = 1", {"b1 q1"})
    follow(bench, mapped, "UPDATE old.b SET doc = '[\"r\", \"r\"]', y = 'B' WHERE id = 2", {"b1 q1", "B r1", "B r2"})
    follow(bench, mapped, "DELETE FROM old.b WHERE id = 2", {"b1 q1"})


def test_with_queries_and_subqueries_in_from_are_followed(bench: Bench) -> None:
    """A WITH query that is used twice, and one that reads another."""
    select = (
        "WITH live AS (SELECT id, y AS label FROM old.b WHERE y <> 'off'), "
        "again (k, l) AS (SELECT id, label FROM live) "
        "SELECT s.x, l.label || g.l AS y FROM old.a s JOIN live l ON l.id = s.b "
        "JOIN (SELECT k, l FROM again) AS g ON g.k = s.id"
    )
    mapped = mapping(bench, select)
    assert held(bench) == {"a1 b1b1", "a2 b2b2"}
    follow(bench, mapped, "UPDATE old.b SET y = 'off' WHERE id = 2", {"a1 b1b1"})
    follow(bench, mapped, "UPDATE old.a SET b = 3 WHERE id = 1", {"a1 b3b1"})
    follow(bench, mapped, "UPDATE old.b SET y = upper(y)", {"a1 B3B1", "a2 OFFOFF"})


def test_the_row_as_a_whole_is_followed(bench: Bench) -> None:
    """Every column counts, because the row itself is read."""
    mapped = mapping(bench, "SELECT s.x, hash_record(s)::text AS y FROM old.a s")
    before = held(bench)
    bench.sql("UPDATE old.a SET b = 17 WHERE id = 3")
    mapped.drain()
    assert len(held(bench) - before) == 1
    assert len(held(bench)) == 3
    mapped.assert_agrees()


def test_columns_joined_by_using_are_followed(bench: Bench) -> None:
    """The join column has no alias of its own."""
    mapped = mapping(
        bench,
        "SELECT s.x, id::text || c.y AS y FROM old.a s JOIN old.c c USING (id)",
        "CREATE TABLE old.c (id int PRIMARY KEY, y text)",
        "INSERT INTO old.c VALUES (1, 'c')",
    )
    assert held(bench) == {"a1 1c"}
    follow(bench, mapped, "UPDATE old.c SET id = 2", {"a2 2c"})
    follow(bench, mapped, "UPDATE old.a SET x = 'A' WHERE id = 2", {"A 2c"})


@pytest.mark.parametrize("word", ["IS DISTINCT FROM", "IS NOT DISTINCT FROM"])
def test_a_column_that_is_only_compared_does_not_stand_for_the_other(bench: Bench, word: str) -> None:
    """IS DISTINCT FROM is no equality, though it carries the name of its operator."""
    bench.sql(
        "CREATE TABLE old.a (id int PRIMARY KEY, x text)",
        "CREATE TABLE old.b (id int PRIMARY KEY, x text)",
        "CREATE TABLE new.t (x text NOT NULL, id int NOT NULL, UNIQUE (x, id))",
        "INSERT INTO old.a VALUES (1, 'a1'), (2, 'a2')",
        "INSERT INTO old.b VALUES (1, 'b1'), (2, 'a2')",
    )
    select = f"SELECT s.x, b.id FROM old.a s JOIN old.b b ON b.id = s.id WHERE b.x {word} s.x"
    mapped = bench.map(map="t", into="new.t", key=["x", "id"], from_="old.a", select=select)
    for statement in ("DELETE FROM old.b", "INSERT INTO old.b VALUES (1, 'b1'), (2, 'a2')"):
        bench.sql(statement)
        mapped.drain()
        mapped.assert_agrees()
