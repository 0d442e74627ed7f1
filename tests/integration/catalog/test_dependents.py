"""What depends on tables, as the catalog has it and as the texts of functions have it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from lockgate.catalog import relations
from lockgate.catalog.dependents import Dependents, dependents

Conn = psycopg.Connection[Any]


def made(conn: Conn, *statements: str, of: str = "old.phones") -> Dependents:
    """What depends on a table after these statements."""
    conn.execute("CREATE SCHEMA IF NOT EXISTS old")
    conn.execute("CREATE SCHEMA IF NOT EXISTS app")
    for statement in ("CREATE TABLE old.phones (id int PRIMARY KEY, number text)", *statements):
        conn.execute(statement.encode())
    row = conn.execute("SELECT %s::regclass::oid::bigint", (of,)).fetchone()
    assert row
    return dependents(conn, [row[0]])


def told(found: Dependents) -> list[str]:
    return [f"{one.kind} {one.name} {one.how}{' (by text)' if one.by_text else ''}" for one in found.found]


def test_a_table_alone_has_no_dependents(conn: Conn) -> None:
    found = made(
        conn,
        "ALTER TABLE old.phones ADD parent int DEFAULT 1 REFERENCES old.phones, ADD CHECK (id > 0)",
        "CREATE INDEX ON old.phones (lower(number))",
        "CREATE STATISTICS old.s ON id, number FROM old.phones",
    )
    assert found == Dependents((), ())


CASES = {
    "foreign key": (
        ["CREATE TABLE app.calls (phone int CONSTRAINT calls_phone REFERENCES old.phones)"],
        ["constraint calls_phone on app.calls refers to old.phones"],
    ),
    "foreign key of a partitioned table": (
        [
            "CREATE TABLE app.calls (phone int CONSTRAINT calls_phone REFERENCES old.phones) PARTITION BY LIST (phone)",
            "CREATE TABLE app.calls_1 PARTITION OF app.calls FOR VALUES IN (1)",
        ],
        ["constraint calls_phone on app.calls refers to old.phones"],
    ),
    "views on views": (
        [
            "CREATE VIEW app.a AS SELECT id FROM old.phones",
            "CREATE MATERIALIZED VIEW app.b AS SELECT id FROM app.a",
            "CREATE VIEW app.c AS SELECT id FROM app.b",
        ],
        ["materialized view app.b reads app.a", "view app.a reads old.phones", "view app.c reads app.b"],
    ),
    "rules": (
        [
            "CREATE TABLE app.t (id int)",
            "CREATE RULE there AS ON INSERT TO app.t DO ALSO INSERT INTO old.phones VALUES (new.id)",
            "CREATE RULE here AS ON INSERT TO old.phones DO ALSO NOTHING",
        ],
        ["rule here on old.phones is on old.phones", "rule there on app.t uses old.phones"],
    ),
    "trigger": (
        [
            "CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'",
            "CREATE TRIGGER touch BEFORE UPDATE ON old.phones FOR EACH ROW EXECUTE FUNCTION app.touch()",
            "CREATE TABLE app.t (id int)",
            "CREATE TRIGGER other BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.touch()",
        ],
        [
            "function app.touch() is called by trigger touch on old.phones",
            "trigger touch on old.phones is on old.phones",
        ],
    ),
    "trigger elsewhere, by what its function writes": (
        [
            "CREATE FUNCTION app.copy() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN INSERT INTO old.phones VALUES (new.id); RETURN new; END'",
            "CREATE TABLE app.t (id int)",
            "CREATE TRIGGER copy BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.copy()",
        ],
        [
            "function app.copy() names old.phones in its text (by text)",
            "trigger copy on app.t uses app.copy()",
        ],
    ),
    "policies": (
        [
            "CREATE TABLE app.t (id int)",
            "CREATE POLICY here ON old.phones USING (true)",
            "CREATE POLICY there ON app.t USING (id IN (SELECT id FROM old.phones))",
        ],
        ["policy here on old.phones is on old.phones", "policy there on app.t uses old.phones"],
    ),
    "sequence and what it numbers": (
        [
            "CREATE SEQUENCE old.numbers OWNED BY old.phones.id",
            "CREATE TABLE app.t (id int DEFAULT nextval('old.numbers'))",
        ],
        ["default for app.t.id is made with old.numbers", "sequence old.numbers belongs to old.phones"],
    ),
    "identity": (
        ["ALTER TABLE old.phones ALTER id ADD GENERATED ALWAYS AS IDENTITY"],
        ["sequence old.phones_id_seq belongs to old.phones"],
    ),
    "type of its rows": (
        [
            "CREATE TABLE app.t (kept old.phones[])",
            "CREATE FUNCTION app.f(old.phones) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ],
        ["column app.t.kept has the type of old.phones[]", "function app.f(old.phones) uses old.phones"],
    ),
    "function that the server has read": (
        [
            "CREATE FUNCTION app.f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM old.phones; END",
            "CREATE VIEW app.v AS SELECT app.f() AS n",
        ],
        ["function app.f() uses old.phones", "view app.v reads app.f()"],
    ),
    "functions that the server keeps as text": (
        [
            "CREATE FUNCTION app.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM old.phones'",
            "CREATE FUNCTION app.g() RETURNS bigint LANGUAGE sql AS 'SELECT 1 /* FROM old.phones */'",
            "CREATE PROCEDURE app.p() LANGUAGE plpgsql AS 'BEGIN DELETE FROM phones; END'",
            "CREATE VIEW app.v AS SELECT app.f() AS n",
        ],
        [
            "function app.f() names old.phones in its text (by text)",
            "procedure app.p() names old.phones in its text (by text)",
            "view app.v reads app.f()",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_found(conn: Conn, case: str) -> None:
    statements, expected = CASES[case]
    found = made(conn, *statements)
    assert told(found) == expected
    assert found.not_looked_at == ()


def test_publications_are_found(conn: Conn) -> None:
    statements = ["CREATE PUBLICATION one FOR TABLE old.phones", 'CREATE PUBLICATION "All" FOR ALL TABLES']
    expected = [
        'publication "All" publishes all tables',
        "publication old.phones in publication one publishes old.phones",
    ]
    if conn.info.server_version >= 150_000:
        statements.append("CREATE PUBLICATION whole FOR TABLES IN SCHEMA old")
        expected.append("publication whole publishes all tables of schema old")
    assert told(made(conn, *statements)) == expected


def test_what_is_built_and_what_is_not_sql_is_said_not_to_be_looked_at(conn: Conn) -> None:
    found = made(
        conn,
        "CREATE FUNCTION app.f(t text) RETURNS void LANGUAGE plpgsql AS "
        "$$BEGIN EXECUTE format('DELETE FROM old.%I', t); END$$",
        "CREATE FUNCTION app.g() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'DELETE FROM old.phones'; END$$",
    )
    assert told(found) == ["function app.g() names old.phones in its text (by text)"]
    assert [note.partition(":")[0] for note in found.not_looked_at] == [
        "function app.f(pg_catalog.text) runs SQL that it builds",
        "function app.g() runs SQL that it builds",
    ]


PARTS = (
    "CREATE TABLE old.parts (id int PRIMARY KEY) PARTITION BY LIST (id)",
    "CREATE TABLE old.part_1 PARTITION OF old.parts FOR VALUES IN (1)",
    "CREATE TABLE old.part_2 PARTITION OF old.parts FOR VALUES IN (2)",
    "CREATE VIEW app.whole AS SELECT * FROM old.parts",
    "CREATE VIEW app.one AS SELECT * FROM old.part_1",
    "CREATE TABLE app.t (part int CONSTRAINT refers REFERENCES old.parts)",
)


def test_what_hangs_on_a_partition_hangs_on_its_table(conn: Conn) -> None:
    assert told(made(conn, *PARTS, of="old.parts")) == [
        "constraint refers on app.t refers to old.parts",
        "view app.one reads old.part_1",
        "view app.whole reads old.parts",
    ]


def test_what_reads_a_table_reads_its_partitions(conn: Conn) -> None:
    found = told(made(conn, *PARTS, of="old.part_1"))
    assert "table old.parts has the rows of old.part_1" in found
    assert "view app.one reads old.part_1" in found
    assert "view app.whole reads old.parts" in found
    assert not [one for one in found if "part_2" in one]


NAMES = {"quotes": 't"a\'b"', "signs": "$1 %s {} \\", "63 bytes": "x" * 63, "reserved": "select", "Unicode": "Straße"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_tables_of_any_name(conn: Conn, name: str) -> None:
    quoted = f'old."{name.replace(chr(34), 2 * chr(34))}"'
    found = made(
        conn,
        f"CREATE TABLE {quoted} (id int PRIMARY KEY)",
        f"CREATE VIEW app.v AS SELECT id FROM {quoted}",
        f"CREATE FUNCTION app.f() RETURNS bigint LANGUAGE sql AS $f$SELECT count(*) FROM {quoted}$f$",
        of=quoted,
    )
    assert [(one.kind, one.name, one.by_text) for one in found.found] == [
        ("function", "app.f()", True),
        ("view", "app.v", False),
    ]


def test_lockgates_own_triggers_are_none(conn: Conn) -> None:
    found = made(
        conn,
        "CREATE SCHEMA lockgate",
        "CREATE FUNCTION lockgate.log() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN EXECUTE new.x; PERFORM FROM old.phones; RETURN new; END'",
        "CREATE TRIGGER lockgate_log BEFORE INSERT ON old.phones FOR EACH ROW EXECUTE FUNCTION lockgate.log()",
    )
    assert found == Dependents((), ())


def test_relations_are_found_by_the_names_that_a_plan_has(conn: Conn) -> None:
    made(conn, "CREATE VIEW app.v AS SELECT 1 FROM old.phones")
    relation = relations.named(conn, "old.phones", "plan.yaml")
    assert told(dependents(conn, [relation.oid])) == ["view app.v reads old.phones"]
