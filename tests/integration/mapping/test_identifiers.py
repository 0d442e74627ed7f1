"""Names as people give them: quoted, upper case, of any script, as long as names can be, and full of signs."""

from __future__ import annotations

import pytest

from lockgate.errors import PlanError
from tests.integration.mapping.harness import Bench

LONG = "x" * 62 + "y"
NAMES = {
    "upper case": ("Old Schema", "My Table", "Key", "Value"),
    "quotes": ('o"ld', 't"a\'b"', 'k""', "v'"),
    "Unicode": ("схема", "Straße", "ключ", "名前"),
    "63 bytes": (LONG, LONG, LONG, LONG[:-1] + "z"),
    "63 bytes of two each": ("é" * 31, "ü" * 31 + "u", "ö" * 31, "ñ" * 31),
    "reserved words": ("select", "table", "order", "group"),
    "signs": ("a.b", "a b;--", "a,b)", "$1 %s {} \\"),
}


def quoted(name: str) -> str:
    """A name as SQL and a plan write it."""
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("names", NAMES)
def test_tables_and_columns_of_any_name(bench: Bench, names: str) -> None:
    """Copied, followed, refused and accounted for."""
    schema, table, key, value = (quoted(name) for name in NAMES[names])
    alias = quoted("the alias " + NAMES[names][1][:20])
    bench.sql(
        f"CREATE SCHEMA {schema}",
        f"CREATE TABLE {schema}.{table} ({key} int PRIMARY KEY, {value} text)",
        f"CREATE TABLE new.{table} ({key} int PRIMARY KEY, {value} text, CHECK ({value} <> 'bad'))",
        f"INSERT INTO {schema}.{table} VALUES (1, 'a'), (2, 'b'), (3, NULL)",
    )
    mapped = bench.map(
        map="names",
        into=f"new.{table}",
        key=[key],
        from_=f"{schema}.{table}",
        select=f"SELECT {alias}.{key}, {alias}.{value} FROM {schema}.{table} {alias} WHERE {alias}.{value} IS NOT NULL",
        winner=[f"{alias}.{value} DESC"],
        rejected={f"no {NAMES[names][3]}": f"{alias}.{value} IS NULL"},
    )
    bench.sql(
        f"UPDATE {schema}.{table} SET {value} = 'bad' WHERE {key} = 1", f"INSERT INTO {schema}.{table} VALUES (4, 'd')"
    )
    bench.sql(f"INSERT INTO new.{table} VALUES (50, 'own')")
    mapped.drain()
    assert bench.rows(f"SELECT {key}, {value} FROM new.{table} ORDER BY 1") == [
        (1, "a"),
        (2, "b"),
        (4, "d"),
        (50, "own"),
    ]
    assert mapped.poison() == [({NAMES[names][2]: "1"}, "23514")]
    bench.sql(f"UPDATE {schema}.{table} SET {value} = 'good' WHERE {key} = 1")
    mapped.drain()
    mapped.assert_agrees()
    accounts = mapped.account()
    assert (accounts.migrated, accounts.rejected_by_reason) == (3, {f"no {NAMES[names][3]}": 1})
    assert accounts.adds_up


def test_names_that_are_lockgates_own_are_refused(bench: Bench) -> None:
    """They would clash with columns that it adds."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, lockgate_n int)",
        "CREATE TABLE new.c (lockgate_n int PRIMARY KEY, id int UNIQUE NOT NULL)",
    )
    step = {"map": "t", "into": "new.c", "from_": "old.p"}
    for key, select in (
        ("lockgate_n", "SELECT s.id AS lockgate_n FROM old.p s"),
        ("id", "SELECT s.id FROM old.p s WHERE s.lockgate_n = 1"),
    ):
        with pytest.raises(PlanError, match="lockgate_n") as error:
            bench.compile(**step, key=[key], select=select)
        assert error.value.where == "select"
    with pytest.raises(PlanError, match="lockgate_y"):
        bench.compile(**step, key=["id"], select="SELECT lockgate_y.id FROM old.p lockgate_y")


def test_names_without_quotes_are_folded_as_sql_does(bench: Bench) -> None:
    """In the plan as in the SELECT; two spellings of one table are one target."""
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, v text)",
        "CREATE TABLE new.c (id int PRIMARY KEY, v text, made int)",
        "INSERT INTO old.p VALUES (1, 'a')",
    )
    step = {"key": ["ID"], "from_": "Old.P", "on_insert": {"MADE": "1"}}
    first = bench.map(map="a", into="New.C", select="SELECT S.Id, s.V FROM OLD.P s", **step)
    second = bench.map(map="b", into='new."c"', select="SELECT s.id + 10 AS id, s.v FROM old.p s", **step)
    assert first.target_id == second.target_id
    assert bench.rows("SELECT id, made FROM new.c ORDER BY id") == [(1, 1), (11, 1)]
    second.assert_agrees()


@pytest.mark.parametrize("alias", "lrsty")
def test_an_alias_of_the_plan_is_not_taken_for_one_of_the_queries_that_are_derived(bench: Bench, alias: str) -> None:
    """Whatever it is called: nor is a column of that name, or the row as a whole."""
    bench.sql(
        f"CREATE TABLE old.a (id int PRIMARY KEY, {alias} text)",
        "CREATE TABLE new.c (k text PRIMARY KEY, id int)",
        "INSERT INTO old.a SELECT n, 'v' || n % 8 FROM generate_series(1, 10) AS n",
    )
    mapped = bench.map(
        map="t",
        into="new.c",
        key=["k"],
        from_=f"old.a {alias}",
        select=f"SELECT {alias}.{alias} AS k, {alias}.id FROM old.a {alias} WHERE {alias}.id < 10",
        winner=[f"{alias}.id DESC"],
        rejected={"too many": f"EXISTS (SELECT FROM old.a AS x WHERE x.id = {alias}.id AND x.id >= 10)"},
    )
    bench.sql("INSERT INTO old.a VALUES (11, 'v11')", "UPDATE old.a SET id = 0 WHERE id = 1")
    mapped.drain()
    accounts = mapped.account()
    assert (accounts.migrated, accounts.merged, accounts.rejected_by_reason) == (8, 1, {"too many": 2})
    assert accounts.adds_up
    kept = bench.rows("SELECT kept FROM lockgate.quarantine WHERE outcome = 'rejected' ORDER BY kept ->> 'id'")
    assert kept == [({"id": 10, alias: "v2"},), ({"id": 11, alias: "v11"},)]


def test_columns_are_not_taken_for_those_that_lockgate_adds(bench: Bench) -> None:
    """In the tables of keys to look at again and of values from before, and in a chunk."""
    bench.sql(
        "CREATE TABLE old.p (fence int, o3 int, n3 text, o4 text, n4 text, xid int, op text, at text, "
        "PRIMARY KEY (fence, o3))",
        "CREATE TABLE new.c (fence int, o3 int, n3 text, o4 text, n4 text, xid int, op text, at text, "
        "PRIMARY KEY (fence, o3))",
        "INSERT INTO old.p SELECT n, n, 'A', 'B', 'C', n, 'D', 'E' FROM generate_series(1, 5) AS n",
    )
    columns = "s.fence, s.o3, s.n3, s.o4, s.n4, s.xid, s.op, s.at"
    mapped = bench.map(
        map="m", into="new.c", key=["fence", "o3"], from_="old.p", select=f"SELECT {columns} FROM old.p s"
    )
    changed = bench.map(
        transform="t",
        table="old.p",
        key=["fence", "o3"],
        from_="old.p",
        select="SELECT s.fence, s.o3, lower(s.n3) AS n3, lower(s.o4) AS o4, lower(s.n4) AS n4 FROM old.p s",
        winner=[],
    )
    bench.sql("INSERT INTO old.p VALUES (6, 6, 'A', 'B', 'C', 6, 'D', 'E')")
    changed.drain()
    mapped.drain()
    assert bench.rows("SELECT DISTINCT n3, o4, n4, op, at FROM new.c") == [("a", "b", "c", "D", "E")]
    mapped.assert_agrees()
    changed.assert_agrees()
    assert changed.account().adds_up
