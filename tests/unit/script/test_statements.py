from __future__ import annotations

import pytest

from lockgate.script.located import located
from lockgate.script.statements import Alone, Shape, dropped_tables, shape, strong, writes_only_its_text
from lockgate.sql.split import split


def of(text: str) -> Shape:
    return shape(split(text)[0])


@pytest.mark.parametrize(
    ("text", "locks"),
    [
        ("CREATE TABLE a.b (x int)", {}),
        ("SELECT 1", {}),
        ("ALTER TABLE a.b ADD COLUMN x int", {'"a"."b"': "ACCESS EXCLUSIVE"}),
        ("ALTER TABLE a.b VALIDATE CONSTRAINT c", {'"a"."b"': "SHARE UPDATE EXCLUSIVE"}),
        (
            "ALTER TABLE a.b VALIDATE CONSTRAINT c, ALTER x SET NOT NULL",
            {'"a"."b"': "ACCESS EXCLUSIVE"},
        ),
        (
            "ALTER TABLE b ADD FOREIGN KEY (x) REFERENCES c (y)",
            {'"b"': "SHARE ROW EXCLUSIVE", '"c"': "SHARE ROW EXCLUSIVE"},
        ),
        ("ALTER TABLE b RENAME COLUMN x TO y", {'"b"': "ACCESS EXCLUSIVE"}),
        ("CREATE INDEX i ON b (x)", {'"b"': "SHARE"}),
        ("CREATE INDEX CONCURRENTLY i ON b (x)", {'"b"': "SHARE UPDATE EXCLUSIVE"}),
        ("DROP TABLE a.b, c", {'"a"."b"': "ACCESS EXCLUSIVE", '"c"': "ACCESS EXCLUSIVE"}),
        ("DROP FUNCTION f()", {}),
        ("TRUNCATE a.b, c", {'"a"."b"': "ACCESS EXCLUSIVE", '"c"': "ACCESS EXCLUSIVE"}),
        ("UPDATE a.b SET x = 1 FROM c", {'"a"."b"': "ROW EXCLUSIVE"}),
        ("VACUUM a.b", {'"a"."b"': "SHARE UPDATE EXCLUSIVE"}),
        ("VACUUM (FULL) a.b", {'"a"."b"': "ACCESS EXCLUSIVE"}),
        ("CREATE TRIGGER t AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION f()", {'"b"': "SHARE ROW EXCLUSIVE"}),
        ('ALTER TABLE "Odd ""name""" ADD x int', {'"Odd ""name"""': "ACCESS EXCLUSIVE"}),
        (
            "ALTER TABLE p DETACH PARTITION c CONCURRENTLY",
            {'"p"': "SHARE UPDATE EXCLUSIVE", '"c"': "ACCESS EXCLUSIVE"},
        ),
    ],
)
def test_knows_what_is_locked(text: str, locks: dict[str, str]) -> None:
    assert of(text).locks == locks


def test_knows_which_locks_hold_others_up() -> None:
    assert strong({"a": "ACCESS EXCLUSIVE", "b": "ROW EXCLUSIVE", "c": "SHARE", "d": "SHARE UPDATE EXCLUSIVE"}) == [
        "a",
        "c",
    ]


@pytest.mark.parametrize(
    ("text", "alone", "relation", "names"),
    [
        ("CREATE INDEX CONCURRENTLY i ON a.b (x)", Alone.CREATE_INDEX, '"a"."b"', ('"a"."i"',)),
        ("CREATE INDEX CONCURRENTLY i ON b (x)", Alone.CREATE_INDEX, '"b"', ('"i"',)),
        ("DROP INDEX CONCURRENTLY a.i", Alone.DROP_INDEX, None, ('"a"."i"',)),
        ("REINDEX (CONCURRENTLY) TABLE a.b", Alone.REINDEX, '"a"."b"', ()),
        ("REINDEX SCHEMA CONCURRENTLY a", Alone.REINDEX, None, ('"a"',)),
        ("ALTER TABLE p DETACH PARTITION c CONCURRENTLY", Alone.DETACH, '"p"', ('"c"',)),
        ("VACUUM b", Alone.VACUUM, '"b"', ()),
        ("CREATE DATABASE d", Alone.OTHER, None, ()),
    ],
)
def test_knows_what_cannot_be_in_a_transaction(
    text: str, alone: Alone, relation: str | None, names: tuple[str, ...]
) -> None:
    known = of(text)
    assert (known.alone, known.relation, known.names) == (alone, relation, names)


@pytest.mark.parametrize(
    "text",
    ["CREATE TABLE t ()", "ALTER TYPE e ADD VALUE 'x'", "CREATE INDEX i ON t (x)", "ANALYZE t", "REINDEX TABLE t"],
)
def test_knows_what_can(text: str) -> None:
    assert of(text).alone is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("BEGIN", "the transaction is Lockgate's"),
        ("START TRANSACTION", "the transaction is Lockgate's"),
        ("COMMIT", "the transaction is Lockgate's"),
        ("END", "the transaction is Lockgate's"),
        ("ROLLBACK", "the transaction is Lockgate's"),
        ("COPY t FROM STDIN", "has no data here"),
        ("COPY t TO STDOUT", "has no data here"),
        ("CREATE INDEX CONCURRENTLY ON t (x)", "the index has no name"),
    ],
)
def test_refuses_what_it_cannot_do_exactly_once(text: str, reason: str) -> None:
    assert reason in str(of(text).refusal)


@pytest.mark.parametrize("text", ["SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "COPY t FROM '/file'"])
def test_lets_savepoints_and_files_pass(text: str) -> None:
    assert of(text).refusal is None


def test_knows_whose_rows_are_dropped() -> None:
    texts = ["DROP TABLE IF EXISTS a.b, c CASCADE", "TRUNCATE d", "DROP VIEW v", "DELETE FROM e", "DROP INDEX i"]
    assert [dropped_tables(split(text)[0]) for text in texts] == [['"a"."b"', '"c"'], ['"d"'], [], [], []]


@pytest.mark.parametrize(
    ("text", "only"),
    [
        ("CREATE TABLE a.t (k int REFERENCES a.u, at timestamptz DEFAULT now(), CHECK (length(x) > 1), x text)", True),
        ("CREATE TABLE a.t (LIKE a.u INCLUDING ALL)", False),
        ("CREATE TABLE a.t () INHERITS (a.u)", False),
        ("CREATE TABLE a.t PARTITION OF a.u DEFAULT", False),
        ("CREATE TABLE a.t (x int DEFAULT a.f())", False),
        ("CREATE TABLE a.t AS SELECT 1 AS x", False),
        ("INSERT INTO a.t VALUES (1, now(), CURRENT_USER), (2, pg_catalog.now(), 'x') ON CONFLICT DO NOTHING", True),
        ("INSERT INTO a.t SELECT n FROM generate_series(1, 10) AS n", True),
        ("INSERT INTO a.t SELECT x FROM a.u", False),
        ("INSERT INTO a.t TABLE a.u", False),
        ("INSERT INTO a.t VALUES ((SELECT max(x) FROM a.u))", False),
        ("INSERT INTO a.t VALUES (a.now())", False),
        ("INSERT INTO a.t VALUES (1) ON CONFLICT (x) DO UPDATE SET x = 2", False),
        ("WITH d AS (DELETE FROM a.u RETURNING *) INSERT INTO a.t SELECT * FROM d", False),
        ("CREATE INDEX ON a.t (lower(x))", True),
        ("CREATE SCHEMA a", True),
        ("CREATE SCHEMA a CREATE TABLE b (x int DEFAULT a.f())", False),
        ("COMMENT ON TABLE a.t IS 'x'", True),
        ("GRANT SELECT ON a.t, a.u TO PUBLIC", True),
        ("ALTER TABLE a.t ADD x int", False),
        ("UPDATE a.t SET x = 1", False),
        ("CREATE TRIGGER g BEFORE INSERT ON a.t FOR EACH ROW EXECUTE FUNCTION a.f()", False),
        ("SAVEPOINT a", False),
        ("SELECT a.f()", False),
        ("DO 'BEGIN END'", False),
        ("SET search_path = a", False),
    ],
)
def test_knows_whether_all_rows_come_from_the_text(text: str, only: bool) -> None:
    assert writes_only_its_text(split(text)[0]) is only


def test_places_each_statement_behind_its_comments() -> None:
    text = "-- first\nSELECT 1;\n\n/* and\n second */ SELECT 2"
    items = list(located(text, lambda offset: f"{text[:offset].count(chr(10)) + 1}:{offset}"))
    assert [(item.name, item.where.split(":")[0]) for item in items] == [("SELECT ?", "2"), ("SELECT ?", "5")]
    assert items[1].where == f"5:{text.index('SELECT 2')}"
