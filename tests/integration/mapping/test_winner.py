"""Who keeps a key that several rows yield, and what of the target is decided by the mapping at all."""

from __future__ import annotations

import pytest

from lockgate.errors import MappingRefused, PlanError
from tests.integration.mapping.harness import Bench, Mapped, Step

TABLES = """
CREATE TABLE old.m (id int PRIMARY KEY, owner int, mail text, prim boolean, at int);
CREATE TABLE new.c (owner int NOT NULL, mail text NOT NULL, id int, prim boolean, UNIQUE (owner, mail));
INSERT INTO old.m VALUES (1, 1, 'A@x', false, 3), (2, 1, 'a@X', true, 2), (3, 1, 'a@x', false, 1);
INSERT INTO old.m VALUES (4, 2, 'b@x', NULL, 1)
"""
STEP: Step = {
    "map": "contacts",
    "into": "new.c",
    "key": ["owner", "mail"],
    "from_": "old.m",
    "select": "SELECT s.owner, lower(s.mail) AS mail, s.id, s.prim FROM old.m s",
    "winner": ["s.prim DESC NULLS LAST", "s.at"],
}


def contacts(bench: Bench, **step: object) -> Mapped:
    """A live mapping in which three rows yield one key."""
    bench.sql(TABLES)
    return bench.map(**STEP | step)


def winners(bench: Bench) -> list[int]:
    """Which rows the target holds."""
    return [number for (number,) in bench.rows("SELECT id FROM new.c ORDER BY owner, mail")]


def test_backfill_applier_and_reconcile_agree_on_the_winner(bench: Bench) -> None:
    """Each time the winner changes, goes or comes, the other columns are those of the right row."""
    mapped = contacts(bench)
    assert winners(bench) == [2, 4]
    for statement, expected in (
        ("UPDATE old.m SET prim = false WHERE id = 2", [3, 4]),
        ("DELETE FROM old.m WHERE id = 3", [2, 4]),
        ("UPDATE old.m SET at = 9 WHERE id = 2", [1, 4]),
        ("INSERT INTO old.m VALUES (5, 1, 'A@X', true, 100)", [5, 4]),
        ("UPDATE old.m SET owner = 2, mail = 'B@x' WHERE id = 5", [1, 5]),
        ("UPDATE old.m SET mail = NULL WHERE id = 5", [1, 4]),
    ):
        bench.sql(statement)
        mapped.drain()
        assert winners(bench) == expected, statement
        mapped.assert_agrees()


def test_the_driving_key_decides_last(bench: Bench) -> None:
    """Rows that are equal in every word of the winner: not whichever comes first this time."""
    mapped = contacts(bench, winner=["0"])
    assert winners(bench) == [1, 4]
    bench.sql("UPDATE old.m SET at = at + 1 WHERE id = 1", "VACUUM FULL old.m")
    mapped.drain()
    assert winners(bench) == [1, 4]
    bench.sql("UPDATE old.m SET id = 10 WHERE id = 1")
    mapped.drain()
    assert winners(bench) == [2, 4]
    mapped.assert_agrees()


def test_with_several_yields_of_one_row_the_columns_decide_last(bench: Bench) -> None:
    """Nothing else tells them apart, and every evaluation must choose the same one."""
    bench.sql(
        TABLES,
        "CREATE TABLE old.t (owner int, label text, PRIMARY KEY (owner, label))",
        "INSERT INTO old.t VALUES (1, '3'), (1, '5'), (1, '4'), (2, '4')",
    )
    select = (
        "SELECT s.owner, 'same' AS mail, 10 - t.label::int AS id, s.prim FROM old.m s JOIN old.t t ON t.owner = s.owner"
    )
    mapped = bench.map(**STEP | {"select": select, "winner": ["0"]})
    assert winners(bench) == [5, 6]
    bench.sql("UPDATE old.m SET prim = NOT prim")
    mapped.drain()
    assert winners(bench) == [5, 6]
    mapped.assert_agrees()


def test_distinct_on_the_key_says_the_winner(bench: Bench) -> None:
    """Its ORDER BY is the winner's, after the key."""
    select = (
        "SELECT DISTINCT ON (s.owner, lower(s.mail)) s.owner, lower(s.mail) AS mail, s.id, s.prim FROM old.m s "
        "ORDER BY s.owner, lower(s.mail), s.prim DESC NULLS LAST, s.at"
    )
    mapped = contacts(bench, select=select, winner=[])
    assert winners(bench) == [2, 4]
    bench.sql("DELETE FROM old.m WHERE id = 2")
    mapped.drain()
    assert winners(bench) == [3, 4]
    mapped.assert_agrees()


DISTINCT = {
    "a word by number": ("DISTINCT ON (s.owner, s.mail)", "ORDER BY s.owner, s.mail, 4 DESC NULLS LAST, s.at"),
    "by number": ("DISTINCT ON (1, 2)", "ORDER BY 1, 2, s.prim DESC NULLS LAST, s.at"),
    "by output name": ("DISTINCT ON (owner, s.mail)", "ORDER BY owner, s.mail, prim DESC NULLS LAST, s.at"),
    "the key in another order": ("DISTINCT ON (s.mail, s.owner)", "ORDER BY s.owner, s.mail, s.prim DESC NULLS LAST"),
}


@pytest.mark.parametrize("form", DISTINCT)
def test_distinct_on_may_name_outputs(bench: Bench, form: str) -> None:
    """As the server understands them: numbers and names of outputs too."""
    distinct, order = DISTINCT[form]
    bench.sql(TABLES, "UPDATE old.m SET mail = lower(mail)")
    select = f"SELECT {distinct} s.owner, s.mail AS mail, s.id, s.prim FROM old.m s {order}"
    mapped = bench.map(**STEP | {"select": select, "winner": []})
    assert winners(bench) == [2, 4]
    mapped.assert_agrees()


ALONE = {
    "the driving key itself": "SELECT s.id AS owner, 'x' AS mail, s.at AS id FROM old.m s",
    "what is equal to it": "SELECT o.id AS owner, 'x' AS mail, s.at AS id FROM old.m s JOIN old.o o ON o.id = s.id",
    "a row that is found by it": (
        "SELECT o.code AS owner, 'x' AS mail, s.at AS id FROM old.m s JOIN old.o o ON s.id = o.id"
    ),
}
ALONE["several rows, each with a key of its own"] = (
    "SELECT t.id AS owner, 'x' AS mail, s.at AS id FROM old.m s JOIN old.m t ON t.owner = s.id"
)
SEVERAL = {
    "no unique column": "SELECT s.owner, s.mail, s.id FROM old.m s",
    "an expression": "SELECT abs(s.id) AS owner, 'x' AS mail, s.at AS id FROM old.m s",
    "a column that is unique where it is joined": (
        "SELECT o.code AS owner, 'x' AS mail, s.at AS id FROM old.m s JOIN old.o o ON o.id = s.owner"
    ),
    "a partial index": "SELECT s.at AS owner, 'x' AS mail, s.id FROM old.m s",
    "a row that yields several": (
        "SELECT s.id AS owner, 'x' AS mail, t.id FROM old.m s JOIN old.m t ON t.owner = s.owner"
    ),
}


@pytest.mark.parametrize("form", [*ALONE, *SEVERAL])
def test_a_winner_is_asked_for_where_several_rows_may_yield_a_key(bench: Bench, form: str) -> None:
    """Before anything runs: a unique index shows that the key tells the rows apart, or the plan must say who wins."""
    bench.sql(
        TABLES,
        "CREATE TABLE old.o (id int PRIMARY KEY, code int UNIQUE)",
        "CREATE UNIQUE INDEX ON old.m (at) WHERE id > 3",
        "CREATE INDEX ON old.m (owner)",
    )
    step = STEP | {"select": (ALONE | SEVERAL)[form], "winner": [], "from_": "old.m s"}
    if form in ALONE:
        bench.compile(**step)
        return
    with pytest.raises(MappingRefused, match="several rows may yield one key") as caught:
        bench.compile(**step)
    assert (caught.value.where, "winner:" in str(caught.value.hint)) == ("key", True)
    bench.compile(**step | {"winner": ["s.at"]})
    bench.compile(**step | {"select": "SELECT s.owner, s.mail FROM old.m s"})  # no column in which they could differ


def test_distinct_on_without_an_order_says_no_winner(bench: Bench) -> None:
    """Its first row would be any row."""
    bench.sql(TABLES)
    select = "SELECT DISTINCT ON (s.owner, s.mail) s.owner, s.mail, s.id, s.prim FROM old.m s"
    with pytest.raises(MappingRefused, match="several rows may yield one key") as caught:
        bench.compile(**STEP | {"select": select, "winner": []})
    assert "ORDER BY" in str(caught.value.hint)


def test_distinct_on_something_else_than_the_key_is_refused(bench: Bench) -> None:
    """Rows would be dropped that the mapping, read by keys, would yield."""
    bench.sql(TABLES)
    select = "SELECT DISTINCT ON (s.owner) s.owner, s.mail, s.id, s.prim FROM old.m s ORDER BY s.owner, s.at"
    with pytest.raises(MappingRefused, match="DISTINCT ON"):
        bench.compile(**STEP | {"select": select, "winner": []})


def test_a_winner_beside_distinct_on_is_refused(bench: Bench) -> None:
    """Two orders for one thing."""
    bench.sql(TABLES)
    select = "SELECT DISTINCT ON (s.owner, s.mail) s.owner, s.mail, s.id, s.prim FROM old.m s"
    with pytest.raises(PlanError, match="both"):
        bench.compile(**STEP | {"select": select})


def test_a_winner_that_cannot_be_ordered_by_is_refused(bench: Bench) -> None:
    """Before anything runs, with its place."""
    bench.sql(TABLES, "ALTER TABLE old.m ADD doc json")
    for winner, place in (
        (["s.doc"], "winner"),
        (["s.nothing"], "winner"),
        (["s.at", "s.id USING <"], "winner.1"),
        (["s.at,"], "winner.0"),
    ):
        with pytest.raises(PlanError) as error:
            bench.compile(**STEP | {"winner": winner})
        assert str(error.value.where).startswith(place), error.value


def test_several_mappings_into_one_table_have_their_order_as_priority(bench: Bench) -> None:
    """A key of the first one is its own, whatever the others yield; when it yields it no more, the next one has it."""
    mapped = contacts(bench)
    bench.sql(
        "CREATE TABLE old.n (owner int PRIMARY KEY, mail text)",
        "CREATE TABLE old.o (owner int PRIMARY KEY, mail text)",
        "INSERT INTO old.n VALUES (1, 'a@x'), (3, 'c@x'); INSERT INTO old.o VALUES (3, 'c@x'), (4, 'd@x')",
    )
    for number, name in ((100, "n"), (200, "o")):
        select = f"SELECT s.owner, s.mail, {number} + s.owner AS id, NULL::boolean AS prim FROM old.{name} s"
        last = bench.map(**STEP | {"map": name, "from_": f"old.{name}", "select": select, "winner": []})
    assert winners(bench) == [2, 4, 103, 204]
    bench.sql("DELETE FROM old.m WHERE owner = 1", "DELETE FROM old.n WHERE owner = 3")
    mapped.drain()
    assert winners(bench) == [101, 4, 203, 204]
    bench.sql("INSERT INTO old.m VALUES (9, 3, 'C@X', true, 0)")
    mapped.drain()
    assert winners(bench) == [101, 4, 9, 204]
    mapped.assert_agrees()
    for each, expected in ((mapped, (2, 0, 0)), (last, (1, 1, 0))):
        accounts = each.account()
        assert (accounts.migrated, accounts.merged, accounts.rejected) == expected
        assert accounts.adds_up


def test_a_yield_without_a_key_has_no_row(bench: Bench) -> None:
    """A unique index lets any number of NULLs in: each pass would add a row."""
    mapped = contacts(bench)
    bench.sql("INSERT INTO old.m VALUES (7, 1, NULL, true, 0), (8, NULL, 'x@x', true, 0)")
    mapped.drain()
    assert winners(bench) == [2, 4]
    bench.sql("UPDATE old.m SET mail = NULL WHERE id = 4", "UPDATE old.m SET mail = 'z@x' WHERE id = 7")
    mapped.drain()
    assert winners(bench) == [2, 7]
    mapped.assert_agrees()
    assert mapped.account().rejected_by_reason == {"null key": 2}


INDEXES = {
    "none": "",
    "partial": "CREATE UNIQUE INDEX ON new.k (owner, mail) WHERE id > 0",
    "deferrable": "ALTER TABLE new.k ADD UNIQUE (owner, mail) DEFERRABLE",
    "of more columns": "CREATE UNIQUE INDEX ON new.k (owner, mail, id)",
    "of fewer columns": "CREATE UNIQUE INDEX ON new.k (owner)",
    "of an expression": "CREATE UNIQUE INDEX ON new.k (owner, lower(mail))",
    "not unique": "CREATE INDEX ON new.k (owner, mail)",
}


@pytest.mark.parametrize("index", INDEXES)
def test_the_key_needs_a_unique_index_of_its_own(bench: Bench, index: str) -> None:
    """On exactly the key, at once and for every row."""
    bench.sql(TABLES, "CREATE TABLE new.k (LIKE new.c)")
    if INDEXES[index]:
        bench.sql(INDEXES[index])
    with pytest.raises(MappingRefused, match="unique index on exactly its key") as error:
        bench.compile(**STEP | {"into": "new.k"})
    assert (error.value.where, "CREATE UNIQUE INDEX" in str(error.value.hint)) == ("key", True)


def test_an_index_with_other_columns_included_or_in_another_order_will_do(bench: Bench) -> None:
    """What it makes unique is the key."""
    bench.sql(TABLES, "CREATE TABLE new.k (LIKE new.c)", "CREATE UNIQUE INDEX ON new.k (mail, owner) INCLUDE (id)")
    bench.map(**STEP | {"into": "new.k"}).assert_agrees()


def test_key_columns_are_declared_not_null(bench: Bench) -> None:
    """The refusal says how."""
    bench.sql(TABLES, "ALTER TABLE new.c ALTER mail DROP NOT NULL")
    with pytest.raises(MappingRefused, match="may be NULL") as error:
        bench.compile(**STEP)
    assert "SET NOT NULL" in str(error.value.hint)


def test_columns_set_on_insert_are_set_once_and_not_compared(bench: Bench) -> None:
    """The time when a row was made, a number of the new model's own: each evaluation would differ."""
    bench.sql(TABLES, "ALTER TABLE new.c ADD made timestamptz NOT NULL, ADD n float NOT NULL")
    mapped = bench.map(**STEP | {"on_insert": {"made": "clock_timestamp()", "n": "random()"}})
    before = bench.rows("SELECT owner, mail, made, n FROM new.c ORDER BY 1, 2")
    assert len({n for *_, n in before}) == 2
    bench.sql("UPDATE old.m SET prim = NOT prim", "UPDATE new.c SET n = 2 WHERE owner = 2")
    mapped.drain()
    after = bench.rows("SELECT owner, mail, made, n FROM new.c ORDER BY 1, 2")
    assert after[0] == before[0]
    assert after[1] == (*before[1][:3], 2.0)
    mapped.assert_agrees()
    bench.sql("INSERT INTO old.m VALUES (20, 20, 'new', true, 1)")
    mapped.drain()
    assert bench.one("SELECT made IS NOT NULL FROM new.c WHERE owner = 20")


def test_what_is_yielded_cannot_be_set_on_insert_too(bench: Bench) -> None:
    """Nor can a column that is not there, nor by an expression that the server refuses."""
    bench.sql(TABLES)
    for on_insert, text in (({"prim": "true"}, "both"), ({"nothing": "1"}, "no column"), ({"id": "no()"}, "refused")):
        select = "SELECT s.owner, lower(s.mail) AS mail FROM old.m s"
        step = STEP | {"on_insert": on_insert} | ({} if "prim" in on_insert else {"select": select})
        with pytest.raises(PlanError, match=text) as error:
            bench.compile(**step)
        assert str(error.value.where).startswith("on_insert")


def test_mappings_into_one_table_yield_the_same_columns(bench: Bench) -> None:
    """Else none of them could say what a row should be."""
    mapped = contacts(bench)
    bench.sql("CREATE TABLE old.n (owner int PRIMARY KEY, mail text)")
    second = STEP | {"map": "n", "from_": "old.n", "winner": []}
    with pytest.raises(MappingRefused, match="different columns"):
        bench.define(**second | {"select": "SELECT s.owner, s.mail FROM old.n s"})
    select = "SELECT s.owner, s.mail, 1 AS id, true AS prim FROM old.n s"
    bench.sql("ALTER TABLE new.c ADD made timestamptz")
    with pytest.raises(MappingRefused, match="different `on_insert`"):
        bench.define(**second | {"select": select, "on_insert": {"made": "now()"}})
    mapped.drain()
    mapped.assert_agrees()


@pytest.mark.parametrize("condition", ["IN ('x', 'y')", "= ANY ('{x,y}')", "IS DISTINCT FROM s.x"])
def test_a_column_that_may_have_several_values_is_not_fixed(bench: Bench, condition: str) -> None:
    """One row of each value is joined, so that several rows yield one key."""
    bench.sql(
        "CREATE TABLE old.s (id int PRIMARY KEY, x text)",
        "CREATE TABLE old.v (id int, kind text, v text, PRIMARY KEY (id, kind))",
        "CREATE TABLE new.v (id int PRIMARY KEY, v text)",
    )
    select = f"SELECT s.id, v.v FROM old.s s JOIN old.v v ON v.id = s.id AND v.kind {condition}"
    step: Step = {"map": "v", "into": "new.v", "key": ["id"], "from_": "old.s", "select": select}
    assert bench.compile(**step).fan_out
    with pytest.raises(MappingRefused, match="several rows may yield one key"):
        bench.compile(**step, winner=[])
