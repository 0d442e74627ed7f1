"""What the text alone tells, and how it is said."""

from __future__ import annotations

import pytest

from lockgate.effects import Effects, Lock, Mode, label, predict, sentences, strongest
from lockgate.sql.tree import parse_one, unwrap


def of(text: str) -> Effects:
    return predict(unwrap(parse_one(text).stmt))


@pytest.mark.parametrize(
    ("text", "locks"),
    [
        ("ALTER TABLE a.t ADD x int REFERENCES p", {'"a"."t"': "ACCESS EXCLUSIVE", '"p"': "SHARE ROW EXCLUSIVE"}),
        ("CREATE TABLE t (x int REFERENCES t, y int REFERENCES p)", {'"p"': "SHARE ROW EXCLUSIVE"}),
        ("ALTER TABLE p ATTACH PARTITION c DEFAULT", {'"c"': "ACCESS EXCLUSIVE", '"p"': "SHARE UPDATE EXCLUSIVE"}),
        ("CREATE TABLE c PARTITION OF p FOR VALUES IN (1)", {'"p"': "ACCESS EXCLUSIVE"}),
        ("ALTER TABLE t SET (user_catalog_table = true)", {'"t"': "ACCESS EXCLUSIVE"}),
        ("ALTER TYPE t ADD ATTRIBUTE x int", {}),
        ("WITH t AS (SELECT 1) SELECT * FROM t, s.t", {'"s"."t"': "ACCESS SHARE"}),
        ("SELECT * FROM t AS x JOIN u ON true FOR UPDATE OF x", {'"t"': "ROW SHARE", '"u"': "ACCESS SHARE"}),
        ("WITH g AS (DELETE FROM a) INSERT INTO b SELECT 1", {'"a"': "ROW EXCLUSIVE", '"b"': "ROW EXCLUSIVE"}),
        ("DROP TRIGGER g ON s.t", {'"s"."t"': "ACCESS EXCLUSIVE"}),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", {'"v"': "EXCLUSIVE"}),
        ("ALTER SEQUENCE s OWNED BY NONE", {'"s"': "SHARE ROW EXCLUSIVE"}),
        ("SAVEPOINT s", {}),
    ],
)
def test_tells_the_locks_of_what_is_named(text: str, locks: dict[str, str]) -> None:
    assert {lock.relation: lock.mode.value for lock in of(text).locks} == locks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ALTER TABLE t ALTER x TYPE bigint", 'whether "t" is written anew'),
        ("ALTER TABLE t ADD x int DEFAULT f()", "whether f() is volatile"),
        ("ALTER TABLE t ADD x my.type", "is a domain with a constraint"),
        ("ALTER TABLE t DROP CONSTRAINT c", "whether it is a foreign key"),
        ("ALTER TABLE t DROP x", "what goes with the column"),
        ("DROP INDEX i", 'which table "i" is of'),
        ("DROP SCHEMA s CASCADE", "which relations depend on what is dropped"),
        ("ALTER DOMAIN d SET NOT NULL", "which tables have a column of the domain"),
        ("DO 'BEGIN END'", "what it does"),
        ("VACUUM", "which tables there are"),
        ("TRUNCATE t", "the database was not asked"),
    ],
)
def test_says_what_the_text_does_not_tell(text: str, said: str) -> None:
    assert any(said in what for what in of(text).unknown)


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("ALTER TABLE t ADD x bigserial", True),
        ("ALTER TABLE t ADD x int GENERATED ALWAYS AS IDENTITY", True),
        ("ALTER TABLE t ADD x int GENERATED ALWAYS AS (y) STORED", True),
        ("ALTER TABLE t ADD x int GENERATED ALWAYS AS (y) VIRTUAL", False),
        ("ALTER TABLE t ADD x uuid DEFAULT pg_catalog.gen_random_uuid()", True),
        ("ALTER TABLE t ADD x timestamptz DEFAULT now()", False),
        ("ALTER TABLE t ADD x int NOT NULL DEFAULT 1", False),
        ("VACUUM FULL t", True),
        ("CLUSTER t USING i", True),
    ],
)
def test_knows_from_the_text_what_is_written_anew(text: str, rewritten: bool) -> None:
    assert of(text).rewrites == (('"t"',) if rewritten else ())


def test_keeps_modes_apart_that_do_not_cover_each_other() -> None:
    assert strongest([Mode.SHARE, Mode.SHARE_UPDATE_EXCLUSIVE]) == {Mode.SHARE, Mode.SHARE_UPDATE_EXCLUSIVE}
    assert strongest(Mode) == {Mode.ACCESS_EXCLUSIVE}
    assert all(one.conflicts(other) == other.conflicts(one) for one in Mode for other in Mode)
    assert [mode for mode in Mode if mode.strong] == list(Mode)[4:]


def test_says_it_to_people() -> None:
    effects = Effects(
        locks=(
            Lock('"public"."child"', Mode.SHARE_ROW_EXCLUSIVE),
            Lock('"public"."t"', Mode.ACCESS_EXCLUSIVE),
            Lock('"public"."t_key"', Mode.ACCESS_EXCLUSIVE),
        ),
        rewrites=('"public"."t"',),
        rebuilds=('"public"."t_key"',),
        scans=('"public"."child"', '"public"."t"'),
        unknown=('who refers to "Odd ""name"""',),
    )
    assert sentences(effects) == [
        "ACCESS EXCLUSIVE on public.t: nobody reads or writes meanwhile",
        "SHARE ROW EXCLUSIVE on public.child: others read, nobody writes meanwhile",
        "public.t: written anew, row by row",
        "1 index is built anew: public.t_key",
        "public.child: read from the first row to the last",
        'not known: who refers to "Odd ""name"""',
    ]


def test_counts_names_where_there_are_many() -> None:
    locks = tuple(Lock(f'"t{number}"', Mode.ACCESS_EXCLUSIVE) for number in range(8))
    assert sentences(Effects(locks=locks)) == [
        "ACCESS EXCLUSIVE on t0, t1, t2, t3, t4 and 3 more: nobody reads or writes meanwhile"
    ]


@pytest.mark.parametrize(
    ("name", "shown"), [('"a"."b_1"', "a.b_1"), ('"A"."b"', '"A".b'), ('"a""b"', '"a""b"'), ('"käse"', '"käse"')]
)
def test_quotes_names_only_where_they_need_it(name: str, shown: str) -> None:
    assert label(name) == shown
