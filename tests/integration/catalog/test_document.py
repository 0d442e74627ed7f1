"""Each property of a schema changes its digest, is named in the differences, and restores it when it goes back."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection

from lockgate.catalog import document
from lockgate.catalog.differences import differences
from lockgate.catalog.document import Document
from lockgate.ledger import store
from tests.conftest import SECOND_DSN
from tests.integration.catalog.changes import CHANGES, SCHEMA


@pytest.fixture
def filled(conn: Connection[Any]) -> Connection[Any]:
    conn.execute(SCHEMA)
    return conn


def test_every_property_is_seen_named_and_restored(filled: Connection[Any]) -> None:
    before = document.read(filled)
    wrong = []
    for change, back, told in CHANGES:
        filled.execute(change.encode())
        changed = document.read(filled)
        lines = [str(line) for line in differences(before, changed) if not line.note]
        if changed.digest == before.digest or not any(told in line for line in lines):
            wrong.append(f"{change}: is told as {lines}")
        filled.execute(back.encode())
        again = document.read(filled)
        if again.digest != before.digest:
            wrong.append(f"{back}: leaves {[str(line) for line in differences(before, again)]}")
            before = again
    assert wrong == []


def test_an_enum_gains_a_label_for_good(filled: Connection[Any]) -> None:
    before = document.read(filled)
    filled.execute("ALTER TYPE s.mood ADD VALUE 'it''s good' BEFORE 'ok'")
    assert [str(line) for line in differences(before, document.read(filled))] == [
        "enum s.mood: labels 'sad', 'it''s good', 'ok', expected 'sad', 'ok'"
    ]


def test_the_order_of_columns_is_told_apart(filled: Connection[Any]) -> None:
    before = document.read(filled)
    filled.execute("ALTER TABLE s.base ADD b int; ALTER TABLE s.base DROP a; ALTER TABLE s.base ADD a int")
    filled.execute("ALTER TABLE s.base DROP b")
    assert document.read(filled).digest == before.digest
    assert differences(before, document.read(filled)) == []
    filled.execute("ALTER TABLE s.base ADD b int")
    both = document.read(filled)
    filled.execute("ALTER TABLE s.base DROP a; ALTER TABLE s.base ADD a int")
    after = document.read(filled)
    assert after.digest == both.digest
    [note] = differences(both, after)
    assert (str(note), note.note) == ("table s.base: column order b, a, expected a, b", True)
    [difference] = differences(both, after, order=True)
    assert not difference.note


def test_how_far_a_sequence_is_is_a_note(filled: Connection[Any]) -> None:
    before = document.read(filled)
    filled.execute("SELECT nextval('s.numbers')")
    used = document.read(filled)
    assert used.digest == before.digest
    assert [(str(line), line.note) for line in differences(before, used, order=True)] == [
        ("sequence s.numbers: value used, expected not used yet", True)
    ]
    filled.execute("SELECT setval('s.numbers', 9223372036854775807)")
    assert [str(line) for line in differences(used, document.read(filled))] == [
        "sequence s.numbers: value used up, expected used"
    ]


def test_parts_of_a_table_that_is_missing_are_not_listed(filled: Connection[Any]) -> None:
    before = document.read(filled)
    filled.execute("DROP TABLE s.t CASCADE")
    lines = [str(line) for line in differences(before, document.read(filled))]
    assert lines == [
        "function s.g(integer): is missing",
        "materialized view s.mv: is missing",
        "table s.t: is missing",
        "view s.v: is missing",
    ]


@pytest.mark.parametrize(
    "statements",
    [
        ("INSERT INTO s.u VALUES (1)", "UPDATE s.u SET id = 5", "VACUUM ANALYZE s.u", "SELECT nextval('s.numbers')"),
        ("CREATE TABLE s.part2 PARTITION OF s.parts DEFAULT", "COMMENT ON TABLE s.part2 IS 'x'"),
        ("CREATE TEMP TABLE x (a int)", "COMMENT ON TABLE x IS 'x'"),
        ("REINDEX INDEX s.t_n",),
        ("SET search_path = s, public", "SET TimeZone = 'Asia/Tokyo'", "SET DateStyle = 'German'"),
    ],
)
def test_work_is_not_seen(filled: Connection[Any], statements: tuple[str, ...]) -> None:
    before = document.read(filled, passing=False)
    for statement in statements:
        filled.execute(statement.encode())
    after = document.read(filled, passing=False)
    assert (after.digest, differences(before, after)) == (before.digest, [])


def test_lockgate_is_not_seen(filled: Connection[Any]) -> None:
    before = document.read(filled)
    store.install(filled)
    filled.execute(
        "CREATE FUNCTION lockgate.log_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER lockgate_log AFTER INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION lockgate.log_it()"
    )
    assert differences(before, document.read(filled)) == []


def test_a_role_without_rights_reads_the_same(filled: Connection[Any]) -> None:
    before = document.read(filled)
    with filled.transaction(force_rollback=True):
        filled.execute("SET LOCAL ROLE pg_monitor")
        assert document.read(filled).digest == before.digest


def test_the_settings_of_a_transaction_stay(filled: Connection[Any]) -> None:
    with filled.transaction():
        filled.execute("SET LOCAL search_path = s")
        document.read(filled)
        assert filled.execute("SHOW search_path").fetchone() == ("s",)


def test_a_document_survives_as_text(filled: Connection[Any]) -> None:
    found = document.read(filled)
    again = Document.from_json(found.to_json())
    assert again == found
    assert again.digest == found.digest
    with pytest.raises(ValueError, match="not the description"):
        Document.from_json('[["table"]]')


def test_what_belongs_to_a_table(filled: Connection[Any]) -> None:
    found = document.read(filled)
    assert {(item.kind, item.name) for item in found.of("s.parts").objects} == {
        ("table", "s.parts"), ("table", "s.part1"), ("trigger", "s.parts.tp"),
        ("column", "s.parts.x"), ("column", "s.parts.at"), ("column", "s.part1.x"), ("column", "s.part1.at"),
    }  # fmt: skip
    assert {item.kind for item in found.of("s.t").objects} >= {"table", "column", "index", "trigger", "policy"}


@pytest.mark.skipif(not SECOND_DSN, reason="needs a second server")
@pytest.mark.one_server
def test_servers_of_other_versions_say_the_same(filled: Connection[Any]) -> None:
    name = "lockgate_test_other_version"
    with psycopg.connect(SECOND_DSN, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        try:
            with psycopg.connect(SECOND_DSN, dbname=name, autocommit=True) as other:
                other.execute(SCHEMA)
                assert other.info.server_version != filled.info.server_version
                assert [str(line) for line in differences(document.read(filled), document.read(other))] == []
                assert document.read(filled).digest == document.read(other).digest
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
