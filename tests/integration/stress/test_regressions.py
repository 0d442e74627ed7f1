"""The smallest examples of what the random tests found, each with the order of events that showed it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lockgate.errors import PlanError
from tests.integration.stress.world import World, world


@pytest.fixture
def scene(dsn: str) -> Iterator[World]:
    with world(dsn) as made:
        made.sql("CREATE SCHEMA old; CREATE SCHEMA new")
        yield made


def rows(scene: World, table: str) -> list[tuple[object, ...]]:
    return scene.sql(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def test_two_left_joins_that_find_a_row_in_one_batch(scene: World) -> None:
    # The old key had NULL for both; with either side read as it is and as it was, it is yielded by no join.
    scene.sql(
        "CREATE TABLE old.t (id int PRIMARY KEY); CREATE TABLE old.b (id int PRIMARY KEY, t int, x text); "
        "CREATE TABLE old.c (id int PRIMARY KEY, t int, y text); INSERT INTO old.t VALUES (1); "
        "CREATE TABLE new.k (id int NOT NULL, x text NOT NULL, y text NOT NULL, UNIQUE (id, x, y))"
    )
    select = (
        "SELECT t.id, coalesce(b.x, '-') AS x, coalesce(c.y, '-') AS y "
        "FROM old.t t LEFT JOIN old.b b ON b.t = t.id LEFT JOIN old.c c ON c.t = t.id"
    )
    mapped = scene.map("k", "new.k", ["id", "x", "y"], "old.t", select)
    scene.backfill(mapped)
    scene.go_live()
    scene.drain()
    assert rows(scene, "new.k") == [(1, "-", "-")]
    scene.sql("INSERT INTO old.b VALUES (1, 1, 'b'); INSERT INTO old.c VALUES (1, 1, 'c')")
    assert scene.reconcile(mapped.target_id).agrees  # the stale key is visibly pending
    scene.drain()
    assert rows(scene, "new.k") == [(1, "b", "c")]


def test_a_nested_left_join_whose_condition_asks_for_nothing(scene: World) -> None:
    # The row of b ends the match of a, so that t is extended by NULLs: b's own right side cannot show that.
    scene.sql(
        "CREATE TABLE old.t (id int PRIMARY KEY); CREATE TABLE old.a (id int PRIMARY KEY, t int, v text); "
        "CREATE TABLE old.b (id int PRIMARY KEY, a int, y text); "
        "INSERT INTO old.t VALUES (1); INSERT INTO old.a VALUES (1, 1, 'a'); "
        "CREATE TABLE new.k (id int NOT NULL, v text NOT NULL, UNIQUE (id, v))"
    )
    select = (
        "SELECT t.id, coalesce(a.v, '-') AS v FROM old.t t "
        "LEFT JOIN (old.a a LEFT JOIN old.b b ON b.a = a.id) ON a.t = t.id AND b.y IS NULL"
    )
    mapped = scene.map("k", "new.k", ["id", "v"], "old.t", select)
    scene.backfill(mapped)
    scene.go_live()
    scene.sql("INSERT INTO old.b VALUES (1, 1, 'y')")
    scene.drain()
    assert rows(scene, "new.k") == [(1, "-")]
    scene.sql("DELETE FROM old.b")
    scene.drain()
    assert rows(scene, "new.k") == [(1, "a")]


def test_with_beside_a_function_in_from(scene: World) -> None:
    scene.sql(
        "CREATE TABLE old.t (id int PRIMARY KEY, f boolean, js jsonb); "
        """INSERT INTO old.t VALUES (1, true, '["a", "b"]'), (2, false, '["c"]'); """
        "CREATE TABLE new.k (id int NOT NULL, v text NOT NULL, UNIQUE (id, v))"
    )
    select = (
        "WITH good AS (SELECT t.id, t.js FROM old.t t WHERE t.f) "
        "SELECT d.id, e.v FROM old.t d JOIN good ON good.id = d.id "
        "CROSS JOIN LATERAL jsonb_array_elements_text(good.js) AS e(v)"
    )
    mapped = scene.map("k", "new.k", ["id", "v"], "old.t d", select)
    scene.backfill(mapped)
    scene.go_live()
    scene.sql("UPDATE old.t SET f = NOT f")
    scene.drain()
    assert rows(scene, "new.k") == [(2, "c")]


def test_a_key_that_is_rounded_when_it_is_stored(scene: World) -> None:
    scene.sql(
        "CREATE TABLE old.t (id int PRIMARY KEY, n numeric); CREATE TABLE new.k (n numeric(10,2) NOT NULL UNIQUE)"
    )
    with pytest.raises(PlanError, match=r'key column "n" is yielded as numeric and stored as numeric\(10,2\)'):
        scene.map("k", "new.k", ["n"], "old.t", "SELECT t.n FROM old.t")
    mapped = scene.map("k", "new.k", ["n"], "old.t", "SELECT t.n::numeric(10,2) AS n FROM old.t")
    scene.go_live()
    scene.sql("INSERT INTO old.t VALUES (1, 1.234)")
    scene.drain()
    assert scene.reconcile(mapped.target_id).agrees


def test_the_stored_form_of_a_key_is_that_of_the_row_that_keeps_it(scene: World) -> None:
    scene.sql(
        "CREATE TABLE old.t (id int PRIMARY KEY, n numeric); INSERT INTO old.t VALUES (1, 1.0), (2, 1.00); "
        "CREATE TABLE new.k (n numeric NOT NULL UNIQUE)"
    )
    mapped = scene.map("k", "new.k", ["n"], "old.t", "SELECT t.n FROM old.t")
    scene.backfill(mapped)
    scene.go_live()
    scene.drain()
    assert [str(row[0]) for row in scene.sql("SELECT n FROM new.k").fetchall()] == ["1.0"]
    scene.sql("DELETE FROM old.t WHERE id = 1")
    assert scene.reconcile(mapped.target_id).pending == 1
    scene.drain()
    assert [str(row[0]) for row in scene.sql("SELECT n FROM new.k").fetchall()] == ["1.00"]


def test_rows_without_a_key_that_move_unseen(scene: World) -> None:
    # Only the place of the rows told them apart: an update of a column that is not read changed the winner.
    scene.sql(
        "CREATE TABLE old.t (k int, v text, other int); INSERT INTO old.t VALUES (1, 'b', 0), (1, 'a', 0); "
        "CREATE TABLE new.k (k int NOT NULL UNIQUE, v text)"
    )
    mapped = scene.map("k", "new.k", ["k"], "old.t", "SELECT t.k, t.v FROM old.t", winner=["0"])
    scene.backfill(mapped)
    scene.go_live()
    scene.drain()
    scene.sql("UPDATE old.t SET other = 1 WHERE v = 'a'; UPDATE old.t SET other = 1 WHERE v = 'b'")
    scene.drain()
    assert scene.reconcile(mapped.target_id).agrees
