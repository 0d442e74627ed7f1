"""Restoring: all or nothing, over nothing that is there, and compared with what was backed up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate import manifest
from lockgate.backup import record
from lockgate.backup.make import Made
from lockgate.backup.restore import Restored, Wanted, restore, restore_tables
from lockgate.catalog import relations
from lockgate.catalog.shape import shape
from lockgate.engine.clock import SystemClock
from lockgate.engine.session import Sessions
from lockgate.errors import CheckFailed, DatabaseError, LockgateError, PlanError
from lockgate.ledger import chain, install
from tests.conftest import StartServer
from tests.copies import another_database
from tests.integration.backup.shop import SHOP, back_up

# What a table has beside its rows.
MORE = """
CREATE ROLE "Röle app";
CREATE ROLE lockgate_owner;
CREATE SEQUENCE core.shared START 70;
CREATE FUNCTION core.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE core.notes (id serial PRIMARY KEY, number int DEFAULT nextval('core.shared'),
    about int REFERENCES core.customers,
    "Odd; name" text UNIQUE, size int GENERATED ALWAYS AS (length("Odd; name")) STORED,
    EXCLUDE USING btree (number WITH =));
ALTER TABLE core.notes OWNER TO lockgate_owner;
INSERT INTO core.notes (about, "Odd; name") SELECT i, E'a\\\\\\n\\t.;' || i FROM generate_series(1, 30) i;
CREATE TRIGGER "odd; trigger" BEFORE UPDATE ON core.notes FOR EACH ROW EXECUTE FUNCTION core.touch();
ALTER TABLE core.notes ENABLE ALWAYS TRIGGER "odd; trigger";
ALTER TABLE core.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON core.notes TO "Röle app" USING (about = 1);
CREATE INDEX ON core.notes (lower("Odd; name")) WHERE about > 3;
CREATE STATISTICS core.notes_facts ON about, number FROM core.notes;
ALTER STATISTICS core.notes_facts OWNER TO lockgate_owner;
GRANT SELECT ON core.notes TO PUBLIC; GRANT UPDATE ("Odd; name") ON core.notes TO "Röle app" WITH GRANT OPTION;
REVOKE INSERT ON core.notes FROM lockgate_owner;
COMMENT ON COLUMN core.notes.about IS 'whom; it is about';
CREATE VIEW core.noted AS SELECT * FROM core.notes;
CREATE MATERIALIZED VIEW core.counted AS SELECT count(*) FROM core.notes;
CREATE INDEX ON core.events (at);
SELECT lo_from_bytea(0, 'large; BEGIN;');
"""


def roles(text: str) -> str:
    """The text with roles of this process: they are the server's, and other processes test there, too."""
    return re.sub(r"Röle app|lockgate_(?:owner|gone|left)", rf"\g<0>_{os.getpid()}", text)


@pytest.fixture
def shop(conn: Connection[Any], dsn: str) -> Iterator[str]:
    ask(dsn, SHOP + MORE)
    yield dsn
    ask(dsn, 'DROP OWNED BY "Röle app", lockgate_owner CASCADE; DROP ROLE "Röle app", lockgate_owner')


@pytest.fixture
def empty(shop: str) -> Iterator[str]:
    with another_database(shop) as dsn:
        yield dsn


def put_back(dsn: str, made: Made, *tables: str, schemas: tuple[str, ...] = ()) -> Restored:
    return restore(Sessions(dsn), Wanted(made.folder, tables, schemas))


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        cursor = conn.execute(roles(query).encode())
        return cursor.fetchall() if cursor.description else []


def everything(dsn: str) -> list[tuple[Any, ...]]:
    """Names of all that is in the database."""
    return ask(
        dsn,
        "SELECT 'r', oid::regclass::text FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|information_)' "
        "UNION SELECT 'n', nspname FROM pg_namespace "
        "UNION SELECT 'f', oid::regprocedure::text FROM pg_proc WHERE oid > 16383 "
        "UNION SELECT 't', oid::regtype::text FROM pg_type WHERE oid > 16383 ORDER BY 1, 2",
    )


def whats(restored: Restored) -> list[str]:
    return [missing.what for missing in restored.missing]


def test_a_whole_database_comes_back_as_it_was(shop: str, empty: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    restored = put_back(empty, made)
    assert [table.label for table in restored.tables] == [table.label for table in made.manifest.tables]
    assert restored.missing == ()
    assert restored.changed == {}
    assert restored.schema_changed == ()
    assert everything(empty) == everything(shop)
    assert ask(empty, "SELECT nextval('core.shared'), nextval('core.notes_id_seq'), nextval('core.orders_id_seq')") == [
        (100, 31, 501)
    ]
    assert ask(empty, "SELECT * FROM core.counted") == [(30,)]
    assert ask(empty, "SELECT lo_get(oid) FROM pg_largeobject_metadata") == [(b"large; BEGIN;",)]
    assert ask(empty, "SELECT count(*) FROM pg_statistic WHERE starelid = 'core.orders'::regclass") == [(3,)]


def test_a_dropped_table_comes_back_with_all_that_is_its_own(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    before = everything(shop)
    [was] = [table for table in made.manifest.tables if table.name == "notes"]
    conn.execute("DROP TABLE core.notes CASCADE; DROP FUNCTION core.touch()")
    restored = put_back(shop, made, "core.notes")
    assert restored.missing == ()
    assert restored.changed == {}
    assert set(before) - set(everything(shop)) == {
        ("r", "core.noted"), ("r", "core.counted"), ("t", "core.noted"), ("t", "core.counted"), ("t", "core.noted[]"),
        ("t", "core.counted[]"),
    }  # fmt: skip
    assert ask(shop, "SELECT nextval('core.notes_id_seq'), nextval('core.shared')") == [(31, 100)]
    oid = relations.find(conn, "core", "notes")
    assert oid
    assert shape(conn, oid) == was.shape
    assert {"triggers", "policies", "grants", "statistics", "owner", "comments", "indexes"} <= was.shape.keys()


def test_grants_are_those_of_the_backup_and_not_the_default_ones(
    shop: str, conn: Connection[Any], tmp_path: Path
) -> None:
    made = back_up(shop, tmp_path)
    conn.execute("DROP TABLE core.notes CASCADE; DROP FUNCTION core.touch()")
    for kind in ("TABLES", "SEQUENCES", "FUNCTIONS"):
        ask(shop, f'ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} TO "Röle app", PUBLIC')
    assert put_back(shop, made, "core.notes").changed == {}
    assert ask(shop, "SELECT proacl FROM pg_proc WHERE proname = 'touch'") == [
        (["=X/postgres", "postgres=X/postgres"],)
    ]


def test_odd_names_and_texts_are_no_script(shop: str, conn: Connection[Any], empty: str, tmp_path: Path) -> None:
    conn.execute("""
        CREATE TABLE core."T; a
        b" (id serial, "c;
 FROM stdin;
--
-- TOC entry 5" text DEFAULT E';\n--\n-- Name: x; Type: TABLE');
        INSERT INTO core."T; a
        b" VALUES (1, E'\\.\n'), (2, E'--\n\n-- TOC entry 5 (class 1 OID 2)\n');
        SELECT setval('core."T; a
        b_id_seq"', 40);
        CREATE FUNCTION core.odd() RETURNS text LANGUAGE sql AS 'SELECT ''
--
-- Name: x; Type: TABLE; Schema: core; Owner: y
--

ALTER TABLE x OWNER TO y;
SET default_tablespace = a;
'' ';
    """)
    restored = put_back(empty, back_up(shop, tmp_path))
    assert restored.missing == ()
    assert restored.changed == {}
    assert restored.schema_changed == ()
    assert ask(
        empty,
        """SELECT nextval('core."T; a
        b_id_seq"')""",
    ) == [(41,)]


def test_a_partitioned_table_comes_back_with_its_partitions(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path, "core.events", "core.notes")
    before = everything(shop)
    conn.execute("DROP TABLE core.events")
    assert put_back(shop, made, "core.events").changed == {}
    assert everything(shop) == before


def test_types_and_schemas_that_a_table_needs_are_made(shop: str, empty: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path, "core.cust*", '"Odd ""one"""."Größe *"', "core.notes")
    restored = put_back(empty, made, "core.customers", '"Odd ""one"""."Größe *"')
    assert [table.label for table in restored.tables] == ['Odd "one".Größe *', "core.customers"]
    assert restored.changed == {}
    assert ("t", "core.mood") in everything(empty)
    assert ("f", "core.short(text)") in everything(empty)
    assert ("f", "core.touch()") not in everything(empty), "nothing that is not needed"


def test_a_sequence_that_is_nobodys_is_made_and_its_value_is_told_to_be_lost(
    shop: str, empty: str, tmp_path: Path
) -> None:
    made = back_up(shop, tmp_path, "core.notes", "core.customers")
    restored = put_back(empty, made)
    assert whats(restored)[:1] == ["value of sequence core.shared"]
    assert restored.changed == {}
    assert ask(empty, "SELECT nextval('core.shared'), nextval('core.notes_id_seq')") == [(70, 31)]


def test_a_whole_database_by_its_owner_who_is_no_superuser(shop: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    with another_database(shop) as other:
        ask(other, "ALTER ROLE lockgate_owner LOGIN")
        name = conninfo_to_dict(other)["dbname"]
        ask(other, f'ALTER DATABASE "{name}" OWNER TO lockgate_owner')
        restored = put_back(make_conninfo(other, user=roles("lockgate_owner")), made)
        assert "owner postgres of table core.orders" in whats(restored)
        assert all('role "postgres"' in missing.why.lower() for missing in restored.missing)
        assert ask(other, "SELECT count(*) FROM core.orders") == [(500,)]


def test_a_schema_comes_back(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    before = everything(shop)
    conn.execute("DROP SCHEMA core CASCADE")
    restored = put_back(shop, made, schemas=("core",))
    assert restored.missing == ()
    assert restored.changed == {}
    assert everything(shop) == before
    assert ask(shop, "SELECT nextval('core.shared')") == [(100,)]


def test_what_cannot_be_restored_with_a_table_is_listed(shop: str, empty: str, tmp_path: Path) -> None:
    ask(shop, "CREATE ROLE lockgate_gone; CREATE ROLE lockgate_left; ALTER TABLE core.orders OWNER TO lockgate_gone")
    ask(shop, 'GRANT SELECT ON core.orders TO lockgate_left, "Röle app"')
    ask(shop, "CREATE PUBLICATION p FOR TABLE core.orders")
    made = back_up(shop, tmp_path)
    ask(shop, "REASSIGN OWNED BY lockgate_gone TO postgres; DROP OWNED BY lockgate_left")
    ask(shop, "DROP ROLE lockgate_gone, lockgate_left")
    restored = put_back(empty, made, "core.orders")
    assert [(missing.what, missing.why) for missing in restored.missing] == [
        (roles("owner lockgate_gone of table core.orders"), roles('role "lockgate_gone" does not exist')),
        ("grants of table core.orders", roles('role "lockgate_left" does not exist')),
        ("foreign key core.orders orders_customer_fkey", 'relation "core.customers" does not exist'),
        ("publication table core.p orders", "What is published is not decided here."),
    ]
    assert "REFERENCES core.customers(id)" in restored.missing[2].sql
    assert restored.changed is not None
    assert set(restored.changed["core.orders"]) >= {"constraints", "grants", "owner"}
    assert ask(empty, "SELECT has_table_privilege('Röle app', 'core.orders', 'SELECT')") == [(True,)]


def test_tables_are_where_they_were_or_it_is_told(own_server: StartServer, tmp_path: Path) -> None:
    dsn = own_server(fsync="off").dsn()
    ask(dsn, SHOP)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET allow_in_place_tablespaces = on")
        for name in ("fast", "slow"):
            conn.execute(f"CREATE TABLESPACE {name} LOCATION ''".encode())
        conn.execute("ALTER TABLE core.customers SET TABLESPACE fast; ALTER INDEX core.orders_pkey SET TABLESPACE slow")
    made = back_up(dsn, tmp_path)
    where = (
        "SELECT relname, spcname FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace "
        "WHERE relnamespace = 'core'::regnamespace AND relkind IN ('r', 'i') ORDER BY 1"
    )
    before = ask(dsn, where)
    with another_database(dsn) as other:
        assert put_back(other, made).missing == ()
        assert ask(other, where) == before
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("ALTER INDEX core.orders_pkey SET TABLESPACE pg_default")
        conn.execute("DROP TABLESPACE slow")
    with another_database(dsn) as other:
        [missing] = put_back(other, made).missing
        assert missing.what == "place of constraint core.orders orders_pkey"
        assert '"slow"' in missing.why
        assert ("customers", "fast") in ask(other, where)


def test_a_key_that_refers_to_a_restored_table_is_told(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    conn.execute("DROP TABLE core.customers CASCADE")
    restored = put_back(shop, made, "core.customers")
    assert whats(restored) == [
        "foreign key core.notes notes_about_fkey",
        "foreign key core.orders orders_customer_fkey",
    ]
    for missing in restored.missing:
        ask(shop, missing.sql)


def test_a_foreign_key_that_rows_break_by_now_is_told_without_values(
    shop: str, conn: Connection[Any], tmp_path: Path
) -> None:
    made = back_up(shop, tmp_path)
    conn.execute("DROP TABLE core.orders, core.notes CASCADE; DELETE FROM core.customers WHERE id = 77")
    [missing] = put_back(shop, made, "core.orders").missing
    assert missing.what == "foreign key core.orders orders_customer_fkey"
    assert "violates foreign key constraint" in missing.why
    assert "77" not in missing.why


def test_nobody_queues_behind_a_foreign_key_that_waits(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    conn.execute("DROP TABLE core.orders")
    with psycopg.connect(shop) as other:
        other.execute("UPDATE core.customers SET name = 'x' WHERE id = 1")
        [missing] = put_back(shop, made, "core.orders").missing
    assert (missing.what, missing.why) == (
        "foreign key core.orders orders_customer_fkey",
        "canceling statement due to lock timeout",
    )
    ask(shop, missing.sql)


@pytest.mark.parametrize(
    ("blocker", "named"),
    [
        ("CREATE TABLE core.orders ()", "table core.orders"),
        ("CREATE VIEW core.orders AS SELECT 1 AS x", "view core.orders"),
        ("CREATE SEQUENCE core.orders_id_seq", "sequence core.orders_id_seq"),
        ("CREATE TABLE core.x (y int); CREATE INDEX orders_pkey ON core.x (y)", "index core.orders_pkey"),
        ("CREATE DOMAIN core.orders AS int", "type core.orders"),
    ],
)
def test_what_is_in_the_way_is_named_and_nothing_is_changed(
    shop: str, conn: Connection[Any], tmp_path: Path, blocker: str, named: str
) -> None:
    made = back_up(shop, tmp_path)
    conn.execute("DROP TABLE core.orders")
    conn.execute(blocker.encode())
    before = everything(shop)
    with pytest.raises(DatabaseError, match="is there already") as caught:
        put_back(shop, made, "core.orders", "core.customers")
    assert named in str(caught.value.why).splitlines()
    assert "table core.customers" in str(caught.value.why)
    assert everything(shop) == before


def test_a_function_of_a_schema_that_is_there_is_not_replaced(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    conn.execute("DROP SCHEMA core CASCADE; CREATE SCHEMA core; CREATE FUNCTION core.touch() RETURNS int RETURN 1")
    before = everything(shop)
    with pytest.raises(DatabaseError, match="is there already") as caught:
        put_back(shop, made, schemas=("core",))
    assert "core.touch()" in str(caught.value.why)
    assert everything(shop) == before


def test_a_changed_file_is_found_before_anything_else(shop: str, empty: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    before = everything(empty)
    os.truncate(made.folder / "dump" / "toc.dat", 100)
    with pytest.raises(CheckFailed, match="are not as they were") as caught:
        put_back(empty, made)
    assert "dump/toc.dat is truncated" in str(caught.value.why)
    assert everything(empty) == before


def test_what_does_not_equal_the_manifest_does_not_stay(shop: str, empty: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    said = [replace(t, hash="0" * 16) if t.name == "orders" else t for t in made.manifest.tables]
    manifest.write(made.folder, replace(made.manifest, tables=tuple(said)))
    before = everything(empty)
    with pytest.raises(CheckFailed, match="nothing was changed") as caught:
        put_back(empty, made, "core.orders")
    assert "table core.orders has other content in its 500 rows" in str(caught.value.why)
    assert everything(empty) == before


def test_a_dump_that_cannot_be_read_changes_nothing(shop: str, empty: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    largest = max((n for n in made.manifest.files if "toc" not in n), key=lambda n: made.manifest.files[n].bytes)
    (made.folder / largest).write_bytes((made.folder / largest).read_bytes()[:50])
    manifest.write(made.folder, replace(made.manifest, files=manifest.files(made.folder)))
    before = everything(empty)
    with pytest.raises(LockgateError) as caught:
        put_back(empty, made)
    assert "Traceback" not in str(caught.value)
    assert everything(empty) == before


def test_a_manifest_that_the_ledger_does_not_vouch_for(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    install(conn)
    made = back_up(shop, tmp_path, "core.*")
    number = record.keep(Sessions(shop), "shop", made)
    manifest.write(made.folder, replace(made.manifest, database="another"))
    with pytest.raises(CheckFailed, match=rf"is not backup {number}, .* its manifest was changed"):
        put_back(shop, made)


def test_the_ledger_says_what_was_restored(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    install(conn)
    made = back_up(shop, tmp_path, "core.*")
    number = record.keep(Sessions(shop), "shop", made)
    conn.execute("DROP TABLE core.orders")
    assert put_back(shop, made, "core.orders").backup == number
    *_, last = (entry.payload for entry in chain.entries(conn, "shop", ["evidence"]))
    assert last["name"] == f"restored_from_backup:{number}"
    assert last["result"]["tables"] == {
        "core.orders": {"rows": 500, "hash": next(t.hash for t in made.manifest.tables if t.name == "orders")}
    }
    assert chain.verify(conn) == []


def ledger(dsn: str) -> list[tuple[Any, ...]]:
    tables = (
        "SELECT oid, pg_relation_filenode(oid) FROM pg_class WHERE relnamespace = 'lockgate'::regnamespace ORDER BY 1"
    )
    return ask(dsn, tables) + ask(dsn, "SELECT seq, hash FROM lockgate.chain")


def test_a_ledger_that_is_there_is_left_alone(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    install(conn)
    made = back_up(shop, tmp_path)
    with another_database(shop) as other:
        with Sessions(other).open("test") as there:
            install(there)
        before = ledger(other)
        restored = put_back(other, made)
        assert whats(restored) == ["schema lockgate"]
        assert restored.schema_changed == ()
        assert ledger(other) == before
    with pytest.raises(PlanError, match="ledger cannot be restored"):
        put_back(shop, made, "lockgate.*")


def test_triggers_of_the_ledger_are_not_restored(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    install(conn)
    conn.execute(
        "CREATE TRIGGER lockgate_archived BEFORE INSERT ON core.orders EXECUTE FUNCTION lockgate.refuse_archived('x')"
    )
    made = back_up(shop, tmp_path)
    conn.execute("DROP TABLE core.orders")
    restored = put_back(shop, made, "core.orders")
    assert whats(restored) == ["trigger core.orders lockgate_archived"]
    assert restored.changed == {}
    ask(shop, "INSERT INTO core.orders (customer) VALUES (1)")


def test_whoever_needs_tables_back_decides_whether_they_stay(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    conn.execute("DROP TABLE core.orders")
    with Sessions(shop).open("test") as undoing:
        wanted = Wanted(made.folder, ["core.orders"])
        with undoing.transaction():
            restore_tables(undoing, wanted, SystemClock())
            raise psycopg.Rollback
        assert relations.find(conn, "core", "orders") is None
        with undoing.transaction():
            restore_tables(undoing, wanted, SystemClock())
            assert undoing.execute("SHOW search_path").fetchone() == ("pg_catalog",)
            assert undoing.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("20s",)
            with pytest.raises(DatabaseError):
                restore_tables(undoing, wanted, SystemClock())
    assert relations.find(conn, "core", "orders")


@pytest.mark.parametrize("point", ["restore.loaded", "restore.commit"])
def test_one_that_is_killed_leaves_nothing(shop: str, empty: str, tmp_path: Path, point: str) -> None:
    made = back_up(shop, tmp_path)
    before = everything(empty)
    words = [sys.executable, "-m", "lockgate", "restore", str(made.folder), "--database", empty]
    killed = subprocess.run(words, env={**os.environ, "LOCKGATE_FAULT": point}, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert everything(empty) == before
    assert put_back(empty, made).missing == ()


def test_an_owner_who_is_no_superuser_may_restore_what_is_hers(
    shop: str, conn: Connection[Any], tmp_path: Path
) -> None:
    made = back_up(shop, tmp_path)
    ask(shop, "ALTER ROLE lockgate_owner LOGIN; GRANT USAGE, CREATE ON SCHEMA core TO lockgate_owner")
    ask(shop, "GRANT REFERENCES ON core.customers TO lockgate_owner; GRANT USAGE ON core.shared TO lockgate_owner")
    conn.execute("DROP TABLE core.notes CASCADE")
    restored = put_back(make_conninfo(shop, user=roles("lockgate_owner")), made, "core.notes")
    assert restored.missing == ()
    assert restored.changed == {}


def test_a_table_of_another_owner_says_whose_it_is_now(shop: str, conn: Connection[Any], tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    ask(shop, "ALTER ROLE lockgate_owner LOGIN; GRANT USAGE, CREATE ON SCHEMA core TO lockgate_owner")
    conn.execute("DROP TABLE core.orders")
    restored = put_back(make_conninfo(shop, user=roles("lockgate_owner")), made, "core.orders")
    assert whats(restored)[0] == "owner postgres of table core.orders"
    assert ask(shop, "SELECT count(*) FROM core.orders") == [(500,)]


@pytest.mark.parametrize(("pattern", "hint"), [("core.order", "core.orders"), ("core.events_23", "core.events")])
def test_a_pattern_that_fits_nothing(shop: str, empty: str, tmp_path: Path, pattern: str, hint: str) -> None:
    made = back_up(shop, tmp_path, "core.*")
    with pytest.raises(PlanError, match="fits no table of the backup") as caught:
        put_back(empty, made, pattern)
    assert caught.value.hint == f"Did you mean {hint}?"
    with pytest.raises(PlanError, match="No table of the backup is in schema cor"):
        put_back(empty, made, schemas=("cor",))


def test_an_older_server_is_refused(shop: str, empty: str, tmp_path: Path) -> None:
    made = back_up(shop, tmp_path)
    manifest.write(made.folder, replace(made.manifest, major=99))
    with pytest.raises(LockgateError, match="PostgreSQL 99 cannot be restored to a server of version"):
        put_back(empty, made)
