"""What the triggers write down: every change that counts, whoever makes it and however, and no other."""

from __future__ import annotations

import psycopg
import pytest

from lockgate.errors import PlanError
from lockgate.mapping.renaming import refuse_rename
from tests.integration.mapping.harness import Bench, Mapped, Step

STEP: Step = {
    "map": "people",
    "into": "new.c",
    "key": ["id"],
    "from_": "old.p",
    "select": "SELECT s.id, s.amount, s.doc FROM old.p s",
}


def people(bench: Bench) -> Mapped:
    """A mapping that reads three columns of four, live."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, amount numeric, doc json, note text)",
        "CREATE TABLE new.c (id bigint PRIMARY KEY, amount numeric, doc json)",
        "INSERT INTO old.p VALUES (1, 1.0, '{}', 'n')",
    )
    return bench.map(**STEP)


def test_a_role_without_any_right_on_the_ledger_can_write(bench: Bench) -> None:
    """The trigger's functions run as their owner, and every name in them is qualified, whatever the search_path."""
    mapped = people(bench)
    role = bench.role()
    bench.sql(
        f"GRANT USAGE ON SCHEMA old, new TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON old.p, new.c TO {role}",
    )
    app = bench.connect(role)
    app.execute("CREATE TEMPORARY TABLE pg_class (a int)")
    app.execute("SET search_path = pg_temp, old, new")
    app.execute("INSERT INTO p VALUES (2, 2, '{}', 'n')")
    app.execute("UPDATE p SET amount = 3 WHERE id = 2")
    app.execute("DELETE FROM p WHERE id = 1")
    app.execute("INSERT INTO c VALUES (50, 5, '{}')")
    mapped.drain()
    assert bench.rows("SELECT id, amount FROM new.c ORDER BY id") == [(2, 3), (50, 5)]
    app.execute("TRUNCATE p")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT * FROM lockgate.logs")
    mapped.drain()
    assert bench.rows("SELECT id FROM new.c") == [(50,)]


def test_the_triggers_call_no_operator_of_the_application(bench: Bench) -> None:
    """Its own come first in the search_path of its session, and fit better; the functions name the server's."""
    mapped = people(bench)
    bench.sql("CREATE TABLE old.called (operator text)")
    for operator, result, value in (("%", "bigint", "1"), ("=", "boolean", "false")):
        bench.sql(
            f'CREATE FUNCTION old."{operator}"(bigint, int) RETURNS {result} LANGUAGE sql AS '
            f"$$ INSERT INTO old.called VALUES ('{operator}'); SELECT {value}; $$",
            f'CREATE OPERATOR old.{operator} (FUNCTION = old."{operator}", LEFTARG = bigint, RIGHTARG = int)',
        )
    app = bench.connect()
    app.execute("SET search_path = old, pg_catalog")
    app.execute("INSERT INTO p VALUES (2, 2, '{}', 'n')")
    app.execute("UPDATE p SET amount = 3")
    app.execute("DELETE FROM p WHERE note = 'n'")
    app.execute("TRUNCATE p")
    assert mapped.logged("old.p") == "IUUDDT"
    assert bench.rows("SELECT * FROM old.called") == []


def test_rows_that_arrive_by_replication_are_logged(bench: Bench) -> None:
    """Triggers do not fire for replicated rows unless they always do."""
    mapped = people(bench)
    with bench.app.transaction():
        bench.app.execute("SET LOCAL session_replication_role = replica")
        bench.app.execute("INSERT INTO old.p VALUES (2, 2, '{}', 'n')")
        bench.app.execute("UPDATE old.p SET amount = 7 WHERE id = 1")
        bench.app.execute("INSERT INTO new.c VALUES (50, 5, '{}')")
    mapped.drain()
    assert bench.rows("SELECT id, amount FROM new.c ORDER BY id") == [(1, 7), (2, 2), (50, 5)]
    mapped.assert_agrees()


def test_rows_that_are_copied_in_are_logged(bench: Bench) -> None:
    """COPY fires row triggers, as an INSERT does."""
    mapped = people(bench)
    with bench.app.cursor().copy("COPY old.p FROM STDIN") as copy:
        for number in range(2, 52):
            copy.write_row((number, 1.5, "{}", "n"))
    mapped.drain()
    assert bench.one("SELECT count(*) FROM new.c WHERE amount = 1.5") == 50
    mapped.assert_agrees()


def test_a_value_that_is_equal_but_not_the_same_is_a_change(bench: Bench) -> None:
    """1.0 becomes 1.00: equal numbers, another text; json has no equality at all, and spaces count."""
    mapped = people(bench)
    bench.sql("UPDATE old.p SET amount = 1.00 WHERE id = 1")
    mapped.drain()
    assert bench.one("SELECT amount::text FROM new.c") == "1.00"
    bench.sql("UPDATE old.p SET doc = '{ }' WHERE id = 1")
    mapped.drain()
    assert bench.one("SELECT doc::text FROM new.c") == "{ }"
    mapped.assert_agrees()


def test_an_update_that_changes_nothing_that_is_read_is_not_logged(bench: Bench) -> None:
    """Columns that the mapping does not read cost the application nothing but a comparison."""
    mapped = people(bench)
    bench.sql("UPDATE old.p SET note = 'changed'", "UPDATE old.p SET amount = amount, doc = doc, id = id")
    assert mapped.logged("old.p") == ""


def test_a_change_that_a_trigger_of_the_application_makes_is_logged(bench: Bench) -> None:
    """The statement sets one column, and a BEFORE trigger another one: the one that the mapping reads."""
    mapped = people(bench)
    bench.sql(
        "CREATE FUNCTION public.double() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.amount := 42; RETURN NEW; END $$",
        "CREATE TRIGGER double BEFORE UPDATE ON old.p FOR EACH ROW EXECUTE FUNCTION public.double()",
        "UPDATE old.p SET note = 'changed'",
    )
    mapped.drain()
    assert bench.rows("SELECT amount FROM new.c") == [(42,)]


def test_a_change_made_through_on_conflict_or_merge_is_logged(bench: Bench) -> None:
    """However a row comes to change."""
    mapped = people(bench)
    bench.sql(
        "INSERT INTO old.p VALUES (1, 5, '{}', 'n') ON CONFLICT (id) DO UPDATE SET amount = excluded.amount",
        "MERGE INTO old.p AS t USING (VALUES (1), (2)) AS v (id) ON v.id = t.id "
        "WHEN MATCHED THEN UPDATE SET amount = t.amount + 1 WHEN NOT MATCHED THEN INSERT VALUES (v.id, 9, '{}', 'n')",
    )
    mapped.drain()
    assert bench.rows("SELECT id, amount FROM new.c ORDER BY id") == [(1, 6), (2, 9)]


def test_a_changed_input_of_a_generated_column_is_logged(bench: Bench) -> None:
    """A stored one is there in the trigger; a virtual one is not, so its inputs are what is logged."""
    kinds = ["STORED", "VIRTUAL"] if bench.version >= 18 else ["STORED"]
    for kind in kinds:
        bench.sql(
            "DROP SCHEMA old CASCADE",
            "DROP SCHEMA new CASCADE",
            "CREATE SCHEMA old CREATE TABLE p (a text NOT NULL, b text NOT NULL, id int PRIMARY KEY, "
            f"mail text GENERATED ALWAYS AS (lower(a) || '@' || b) {kind})",
            "CREATE SCHEMA new CREATE TABLE c (mail text PRIMARY KEY, id int)",
            "INSERT INTO old.p VALUES ('A', 'x', 1), ('B', 'x', 2)",
        )
        select = "SELECT s.mail, s.id FROM old.p s WHERE s.mail <> 'none@x'"
        mapped = bench.map(map=kind, into="new.c", key=["mail"], from_="old.p", select=select, plan=kind)
        bench.sql("UPDATE old.p SET a = 'NEW' WHERE id = 1", "UPDATE old.p SET a = 'none' WHERE id = 2")
        mapped.drain()
        assert bench.rows("SELECT mail, id FROM new.c") == [("new@x", 1)], kind
        mapped.assert_agrees()


def test_a_rename_of_a_column_that_is_logged_is_refused(bench: Bench) -> None:
    """The server would let it pass, and every write of the application would fail from then on."""
    people(bench)
    bench.sql("CREATE SCHEMA other", "CREATE TABLE other.p (amount numeric)")
    for text in ("ALTER TABLE old.p RENAME COLUMN amount TO total", "ALTER TABLE IF EXISTS ONLY p RENAME doc TO d"):
        with pytest.raises(PlanError, match="is read by a live mapping and cannot be renamed") as error:
            refuse_rename(bench.conn, text, "file.sql:1")
        assert error.value.where == "file.sql:1"
    harmless = "ALTER TABLE old.p RENAME note TO remark; ALTER TABLE other.p RENAME amount TO total"
    refuse_rename(bench.conn, harmless, "file.sql:1")
    bench.sql(*harmless.split("; "), "INSERT INTO old.p VALUES (2, 2, '{}', 'n')")


def test_the_server_refuses_to_drop_or_retype_a_column_that_is_read(bench: Bench) -> None:
    """Without the triggers' dependency the column would go, and every write of the application would fail."""
    bench.sql(
        "CREATE TABLE old.p (id bigint PRIMARY KEY, amount numeric, doc json, note text)",
        "CREATE TABLE new.c (id bigint PRIMARY KEY, amount numeric, doc json)",
        "INSERT INTO old.p VALUES (1, 1.0, '{}', 'n')",
    )
    mapped = bench.define(**STEP)
    for phase in ("while blocks are open", "live"):
        with pytest.raises(psycopg.errors.DependentObjectsStillExist):
            bench.sql("ALTER TABLE old.p DROP COLUMN amount")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            bench.sql("ALTER TABLE old.p ALTER COLUMN amount TYPE text")
        bench.sql("UPDATE old.p SET amount = amount + 1")
        mapped.backfill()
        mapped.drain()
        assert bench.rows("SELECT id FROM new.c") == [(1,)], phase
    bench.sql("ALTER TABLE old.p DROP COLUMN note", "UPDATE old.p SET amount = 5")
    mapped.drain()
    assert bench.rows("SELECT id, amount FROM new.c") == [(1, 5)]
