"""Types whose equality, text or storage is not what it seems, as keys and as other columns."""

from __future__ import annotations

import psycopg
import pytest

from lockgate.errors import MappingRefused, PlanError
from tests.integration.mapping.harness import Bench

SETUP = """
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE public.pair AS (a int, b text);
CREATE DOMAIN public.name AS varchar(40) CHECK (VALUE <> '');
CREATE DOMAIN public.code AS public.name CHECK (VALUE !~ ' ')
"""
# Type -> three values that differ, the second of which has an equal that is stored differently (or itself).
TYPES = {
    "public.citext": ("'Ab'", "'Cd'", "'EF'", "'cD'"),
    "numeric": ("1.0", "2.50", "'NaN'", "2.5"),
    "numeric(8,3)": ("1.0", "2.5", "-3", "2.500"),
    "json": ("""'{"a":1}'""", "'[1]'", "'null'", "'[ 1]'"),
    "jsonb": ("""'{"a":1}'""", "'[1.0]'", "'null'", "'[1.00]'"),
    "xml": ("'<a/>'", "'<b/>'", "'c'", "'<b />'"),
    "public.code": ("'a'", "'b'", "'C'", "'b'"),
    "public.mood": ("'sad'", "'ok'", "'happy'", "'ok'"),
    "text[]": ("'{}'", "'{a,NULL}'", "'{\"x,y\"}'", "'{a,NULL}'"),
    "numeric[]": ("'{}'", "'{1.0}'", "'{2,3}'", "'{1.00}'"),
    "public.mood[]": ("'{}'", "'{ok}'", "'{sad,happy}'", "'{ok}'"),
    "public.pair": ("'(1,a)'", "'(2,)'", "'(,)'", "'(2,)'"),
    "char(5)": ("'a'", "'bb'", "''", "'bb  '"),
    '"char"': ("'a'", "'b'", "'c'", "'b'"),
    "varchar(9)": ("'a'", "'b '", "''", "'b '"),
    "timestamptz": ("'2024-01-01 00:00+00'", "'infinity'", "'2024-06-01 12:00+02'", "'infinity'"),
    "interval": ("'1 day'", "'24 hours'", "'1 mon'", "'1 day 0:00'"),
    "float8": ("'0'", "'-0'", "'NaN'", "'0'"),
    "bytea": ("'\\x00'", "'\\xff'", "''", "'\\xff'"),
    "int4range": ("'[1,5)'", "'empty'", "'(,3)'", "'empty'"),
    "inet": ("'10.0.0.1'", "'10.0.0.0/8'", "'::1'", "'10.0.0.0/8'"),
    "bit(3)": ("'101'", "'000'", "'111'", "'000'"),
    "tsvector": ("'a'", "'b c'", "''", "'c b'"),
}
KEYED = [
    "public.citext", "numeric", "jsonb", "public.code", "public.mood", "text[]", "public.pair", "char(5)",
    "timestamptz", "interval", "float8", "bytea", "tsvector",
]  # fmt: skip
# Pairs that are one key: equal by the type's own equality.
EQUAL = {"interval", "float8"}


@pytest.fixture
def typed(bench: Bench) -> Bench:
    """A database with types of its own."""
    bench.sql(SETUP)
    return bench


def test_a_column_of_each_type(typed: Bench) -> None:
    """Every change of the stored form arrives, to NULL and back again too."""
    types = dict(TYPES)
    if not typed.one("SELECT count(*) FROM pg_config WHERE setting LIKE '%libxml%'"):
        del types["xml"]  # this server is built without it
    columns = [f"c{number}" for number in range(len(types))]
    declared = ", ".join(f"{name} {type_}" for name, type_ in zip(columns, types, strict=True))
    first, second, third, same = (", ".join(values) for values in zip(*types.values(), strict=True))
    nulls = ", ".join("NULL" for _ in types)
    listed, assigned = ", ".join(columns), f"({', '.join(columns)})"
    typed.sql(
        f"CREATE TABLE old.p (id int PRIMARY KEY, {declared}); CREATE TABLE new.c (LIKE old.p INCLUDING ALL)",
        f"INSERT INTO old.p VALUES (1, {first}), (2, {second}), (3, {third}), (4, {nulls})",
    )
    select = f"SELECT s.id, {', '.join(f's.{name}' for name in columns)} FROM old.p s"
    mapped = typed.map(map="t", into="new.c", key=["id"], from_="old.p", select=select)
    texts = ", ".join(f"{name}::text" for name in columns)
    for statement in (
        f"UPDATE old.p SET {assigned} = ROW({same}) WHERE id = 2",
        f"UPDATE old.p SET {assigned} = ROW({third}) WHERE id = 1",
        f"UPDATE old.p SET {assigned} = ROW({first}) WHERE id = 4",
        f"UPDATE old.p SET {assigned} = ROW({nulls}) WHERE id = 3",
        f"INSERT INTO old.p (id, {listed}) VALUES (5, {second})",
    ):
        typed.sql(statement)
        mapped.drain()
        held, wanted = (typed.rows(f"SELECT id, {texts} FROM {table} ORDER BY id") for table in ("new.c", "old.p"))
        assert held == wanted, statement
        mapped.assert_agrees()


def test_each_change_of_the_stored_form_is_logged_by_itself(typed: Bench) -> None:
    """Whatever the type's own equality says of it."""
    for number, (type_, (_, second, _, same)) in enumerate(TYPES.items()):
        if second == same or type_ == "xml":
            continue
        typed.sql(
            f"CREATE TABLE old.p{number} (id int PRIMARY KEY, v {type_})",
            f"CREATE TABLE new.c{number} (LIKE old.p{number} INCLUDING ALL)",
        )
        typed.sql(f"INSERT INTO old.p{number} VALUES (1, {second})")
        select = f"SELECT s.id, s.v FROM old.p{number} s"
        mapped = typed.map(map=f"t{number}", into=f"new.c{number}", key=["id"], from_=f"old.p{number}", select=select)
        typed.sql(f"UPDATE old.p{number} SET v = {same}")
        stored = typed.one(f"SELECT v::text = ({second}::{type_})::text FROM old.p{number}")
        assert mapped.logged(f"old.p{number}") == ("" if stored else "U"), type_


@pytest.mark.parametrize("type_", KEYED)
def test_a_key_of_each_type(typed: Bench, type_: str) -> None:
    """Rows are found by their key, as the target's unique index understands it."""
    first, second, third, same = TYPES[type_]
    typed.sql(
        f"CREATE TABLE old.p (id int PRIMARY KEY, v {type_}); CREATE TABLE new.c (v {type_} PRIMARY KEY, id int)",
        f"INSERT INTO old.p VALUES (1, {first}), (3, {third}), (4, NULL)",
    )
    mapped = typed.map(map="t", into="new.c", key=["v"], from_="old.p", select="SELECT s.v, s.id FROM old.p s")
    assert typed.one("SELECT count(*) FROM new.c") == 2
    count = 2 if type_ in EQUAL else 3
    typed.sql(f"INSERT INTO old.p VALUES (2, {second})", f"INSERT INTO old.p VALUES (5, {same})")
    mapped.drain()
    assert typed.one("SELECT count(*) FROM new.c") == count
    mapped.assert_agrees()
    typed.sql("DELETE FROM old.p WHERE id = 2")
    mapped.drain()
    mapped.assert_agrees()
    typed.sql(f"UPDATE old.p SET v = {second} WHERE id = 5")
    mapped.drain()
    mapped.assert_agrees()
    accounts = mapped.account()
    assert accounts.adds_up
    typed.sql(
        "ALTER TABLE new.c ADD CHECK (id < 100)", f"UPDATE old.p SET id = 1000 WHERE v::text = ({third}::{type_})::text"
    )
    mapped.drain()
    assert len(mapped.poison()) == 1
    typed.sql("UPDATE old.p SET id = 9 WHERE id = 1000")
    mapped.make_retry_due()
    mapped.drain()
    assert mapped.poison() == []
    mapped.assert_agrees()


def test_text_of_another_collation(bench: Bench) -> None:
    """The source sorts in one way, the target in another."""
    bench.sql(
        'CREATE TABLE old.p (id int PRIMARY KEY, v text COLLATE "C")',
        'CREATE TABLE new.c (v text COLLATE "POSIX" PRIMARY KEY, w text COLLATE "POSIX")',
        "INSERT INTO old.p VALUES (1, 'a'), (2, 'B'), (3, 'a')",
        "INSERT INTO new.c VALUES ('a', 'there')",
    )
    mapped = bench.map(map="t", into="new.c", key=["v"], from_="old.p", select="SELECT s.v, s.v AS w FROM old.p s")
    bench.sql("UPDATE old.p SET v = 'z' WHERE id = 1", "DELETE FROM old.p WHERE id = 2")
    mapped.drain()
    assert bench.rows("SELECT v, w FROM new.c ORDER BY v") == [("a", "a"), ("z", "z")]
    mapped.assert_agrees()
    bench.sql('CREATE TABLE old.u (v text COLLATE "C" PRIMARY KEY, w text)', "INSERT INTO old.u VALUES ('a', 'u')")
    select = "SELECT u.v, u.w FROM old.u u"
    bench.sql("CREATE TABLE new.t (LIKE new.c INCLUDING ALL)", "INSERT INTO new.t SELECT * FROM new.c")
    transform = bench.map(transform="u", table="new.t", key=["v"], from_="old.u", select=select)
    bench.sql("INSERT INTO old.u VALUES ('z', 'uz')")
    transform.drain()
    assert bench.rows("SELECT v, w FROM new.t ORDER BY v") == [("a", "u"), ("z", "uz")]
    transform.assert_agrees()


def test_text_of_a_collation_that_ignores_case(bench: Bench) -> None:
    """The target's unique index takes for equal what the source tells apart."""
    try:
        bench.sql("CREATE COLLATION public.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server is built without ICU")
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, v text)",
        "CREATE TABLE new.c (v text COLLATE public.loose PRIMARY KEY, id int)",
        "INSERT INTO old.p VALUES (1, 'a'), (2, 'A'), (3, 'b')",
    )
    step = {"map": "t", "into": "new.c", "from_": "old.p", "select": "SELECT s.v, s.id FROM old.p s"}
    with pytest.raises(MappingRefused, match="collation"):
        bench.compile(**step, key=["v"])
    bench.sql("ALTER TABLE new.c ADD UNIQUE (id), ALTER id SET NOT NULL", "DELETE FROM old.p WHERE id = 2")
    mapped = bench.map(**step, key=["id"])
    bench.sql("UPDATE old.p SET v = 'A' WHERE id = 1")
    mapped.drain()
    assert bench.rows("SELECT v FROM new.c ORDER BY id") == [("A",), ("b",)]
    mapped.assert_agrees()


# What the SELECT yields for the key, and the type of the key: the rows would be stored under another key.
LOSSY = {
    "a fraction into an integer": ("s.n", "int"),
    "a long number into a short one": ("s.n * 1000", "numeric(8,1)"),
    "text into a padded column": ("s.v", "char(5)"),
    "a time into seconds": ("s.t", "timestamp(0)"),
    "a timestamp into a date": ("s.t", "date"),
}


@pytest.mark.parametrize("case", LOSSY)
def test_a_key_that_the_target_would_store_as_another_value_is_refused(bench: Bench, case: str) -> None:
    """It would not be found again under the value that the SELECT yields."""
    expression, type_ = LOSSY[case]
    bench.sql(
        "CREATE TABLE old.p (id int PRIMARY KEY, n numeric, v text, t timestamp)",
        f"CREATE TABLE new.c (k {type_} PRIMARY KEY)",
    )
    step = {"map": "t", "into": "new.c", "key": ["k"], "from_": "old.p"}
    with pytest.raises(PlanError) as error:
        bench.compile(**step, select=f"SELECT {expression} AS k FROM old.p s")
    assert str(error.value.where).startswith("select")
    bench.compile(**step, select=f"SELECT ({expression})::{type_} AS k FROM old.p s")


def test_a_type_that_does_not_fit_is_refused_before_anything_runs(bench: Bench) -> None:
    """With the column and the cast that would help."""
    bench.sql("CREATE TABLE old.p (id int PRIMARY KEY, v text)", "CREATE TABLE new.c (id int PRIMARY KEY, v int)")
    with pytest.raises(PlanError, match='"v" does not fit') as error:
        bench.compile(map="t", into="new.c", key=["id"], from_="old.p", select="SELECT s.id, s.v FROM old.p s")
    assert "integer" in str(error.value.hint)


def test_an_image_is_read_under_the_collation_of_its_column(bench: Bench) -> None:
    """What a function makes of a text, and which texts are equal, is the collation's to say."""
    bench.sql(
        'CREATE TABLE old.p (id int PRIMARY KEY, v text COLLATE "C")',
        "CREATE TABLE new.c (k text PRIMARY KEY, id int)",
        "INSERT INTO old.p SELECT n, 'É' || n FROM generate_series(1, 9) AS n",
    )
    assert bench.one('SELECT count(*) FROM old.p WHERE lower(v) <> lower(v COLLATE "default")') == 9
    mapped = bench.map(
        map="t", into="new.c", key=["k"], from_="old.p", select="SELECT lower(s.v) AS k, s.id FROM old.p s"
    )
    bench.sql(
        "DELETE FROM old.p WHERE id = 3",
        "UPDATE old.p SET id = 70 WHERE id = 7",
        "INSERT INTO old.p VALUES (1000, 'É1000')",
    )
    mapped.drain()
    assert bench.rows("SELECT k FROM new.c WHERE id NOT BETWEEN 1 AND 9 ORDER BY id") == [("É7",), ("É1000",)]
    mapped.assert_agrees()


def test_an_image_of_a_virtual_column_has_the_collation_of_that_column(bench: Bench) -> None:
    """Not that of what it is made of."""
    if bench.version < 18:
        pytest.skip("virtual generated columns are new in PostgreSQL 18")
    bench.sql(
        'CREATE TABLE old.p (id int PRIMARY KEY, c text COLLATE "C", d text, '
        "v text GENERATED ALWAYS AS (c || '!') VIRTUAL, w text COLLATE \"C\" GENERATED ALWAYS AS (d || '!') VIRTUAL)",
        "CREATE TABLE new.c (v text, w text, PRIMARY KEY (v, w))",
        "INSERT INTO old.p SELECT n, 'É' || n, 'É' || n FROM generate_series(1, 9) AS n",
    )
    select = "SELECT lower(s.v) AS v, lower(s.w) AS w FROM old.p s"
    mapped = bench.map(map="t", into="new.c", key=["v", "w"], from_="old.p", select=select)
    bench.sql("DELETE FROM old.p WHERE id < 9")
    mapped.drain()
    assert bench.rows("SELECT v, w FROM new.c") == [("é9!", "É9!")]
    mapped.assert_agrees()


def test_two_mappings_whose_keys_have_two_collations(bench: Bench) -> None:
    """Their yields are told apart under the target's collation."""
    bench.sql(
        'CREATE TABLE old.p (v text COLLATE "C" PRIMARY KEY, w int)',
        'CREATE TABLE old.q (v text COLLATE "POSIX" PRIMARY KEY, w int)',
        "CREATE TABLE new.c (v text PRIMARY KEY, w int)",
        "INSERT INTO old.p VALUES ('a', 1), ('b', 2)",
        "INSERT INTO old.q VALUES ('b', 3), ('c', 4)",
    )
    bench.map(map="p", into="new.c", key=["v"], from_="old.p", select="SELECT s.v, s.w FROM old.p s")
    mapped = bench.map(map="q", into="new.c", key=["v"], from_="old.q", select="SELECT s.v, s.w FROM old.q s")
    bench.sql("DELETE FROM old.p WHERE v = 'b'", "INSERT INTO old.q VALUES ('d', 5)")
    mapped.drain()
    assert bench.rows("SELECT v, w FROM new.c ORDER BY v") == [("a", 1), ("b", 3), ("c", 4), ("d", 5)]
    mapped.assert_agrees()
    bench.sql("DELETE FROM new.c WHERE v = 'a'", "INSERT INTO old.p VALUES ('d', 6)")
    assert mapped.account().merged == 1
