"""The view that is left at the old name of an archived table, which reads what is archived."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from psycopg import errors

from lockgate.archive import oldname
from lockgate.archive.tables import Table
from lockgate.catalog import document
from lockgate.doctor.examination import examine
from lockgate.doctor.findings import Verdict
from lockgate.engine import runner
from lockgate.errors import GateRefused, LockgateError, PlanError, PrivilegeMissing, RollbackRefused
from lockgate.plan.load import load_plan
from lockgate.preview import preview
from lockgate.report.collect import collect
from tests.integration.engine.plans import QUICK, Told, act, one, rows, sessions, write_plan
from tests.integration.steps.retiring import Tombstoned, nothing_is_dropped
from tests.killing import call

PLAN = """
settings: {lock_timeout: 200ms, lock_retries: 2}
phases:
  - id: retire
    steps:
      - archive: ['core."Cust""omer ä"', core.phones]
        retain: 90d
        replacement: core.contacts
        tombstone: true
"""
CUSTOMER = 'core."Cust""omer ä"'
SETUP = """
CREATE SCHEMA core;
CREATE TABLE core."Cust""omer ä" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Näme" varchar(20) COLLATE "C" DEFAULT 'x', born date,
    twice int GENERATED ALWAYS AS (7 * 2) STORED, amount numeric(10, 2));
ALTER TABLE core."Cust""omer ä" DROP COLUMN born;
CREATE TABLE core.phones (id serial, customer bigint, phone text);
INSERT INTO core."Cust""omer ä" ("Näme", amount) VALUES ('A', 1.5), (NULL, NULL);
INSERT INTO core.phones (customer, phone) VALUES (1, '1'), (1, '1'), (2, NULL);
"""

# Roles are of the whole server.
READER, CLERK, LATE, TENANT, POOR = (f"{name}_{token_hex(4)}" for name in ("reader", "clerk", "late", "tenant", "poor"))
OWNER = f'"Own er {token_hex(4)}"'


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, SETUP)
    return dsn


def schema(dsn: str) -> str:
    """All that the schema and the grants are."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        return document.read(conn).digest


def apply(dsn: str, folder: Path, text: str = PLAN) -> None:
    runner.apply(write_plan(folder, text), sessions(dsn, QUICK))


def undo(dsn: str, folder: Path, text: str = PLAN) -> None:
    runner.rollback(write_plan(folder, text), sessions(dsn, QUICK))


def columns(dsn: str, relation: str) -> list[tuple[object, ...]]:
    return rows(
        dsn,
        "SELECT attname, format_type(atttypid, atttypmod), attcollation FROM pg_attribute "
        f"WHERE attrelid = '{relation}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    )


def test_the_old_name_answers_with_the_same_columns_and_rows(filled: str, tmp_path: Path) -> None:
    before = columns(filled, CUSTOMER), rows(filled, f"TABLE {CUSTOMER} ORDER BY id")
    apply(filled, tmp_path)
    assert (columns(filled, CUSTOMER), rows(filled, f"TABLE {CUSTOMER} ORDER BY id")) == before
    assert one(filled, f"SELECT relkind::text FROM pg_class WHERE oid = '{CUSTOMER}'::regclass") == "v"
    assert one(filled, "SELECT count(*) FROM core.phones WHERE phone = '1'") == 2


@pytest.mark.parametrize("settings", ["", "-c session_replication_role=replica"])
def test_writes_through_it_are_refused_by_the_table_itself(filled: str, tmp_path: Path, settings: str) -> None:
    apply(filled, tmp_path)
    for statement in (
        f"INSERT INTO {CUSTOMER} (amount) VALUES (1)",
        f"INSERT INTO {CUSTOMER} (amount) SELECT 1 WHERE false",
        f"UPDATE {CUSTOMER} SET amount = 2 WHERE false",
        f"DELETE FROM {CUSTOMER}",
    ):
        with psycopg.connect(filled, options=settings) as conn:
            with pytest.raises(errors.ObjectNotInPrerequisiteState, match="archived and read-only") as caught:
                conn.execute(statement.encode())
            assert "Write to core.contacts instead; `lockgate rollback`" in str(caught.value.diag.message_hint)


def test_owner_and_grants_are_those_of_the_table(filled: str, tmp_path: Path) -> None:
    act(
        filled,
        f"CREATE ROLE {OWNER} NOLOGIN; CREATE ROLE {READER}; CREATE ROLE {CLERK}; CREATE ROLE {LATE}",
        f"GRANT ALL ON SCHEMA core TO {OWNER}; GRANT USAGE ON SCHEMA core TO PUBLIC",
        f"ALTER TABLE {CUSTOMER} OWNER TO {OWNER}; ALTER TABLE core.phones OWNER TO {OWNER}",
        f"GRANT SELECT ON core.phones TO {READER} WITH GRANT OPTION",
        f'GRANT SELECT ("Näme", id) ON {CUSTOMER} TO {READER}',
        f"GRANT INSERT, REFERENCES ON core.phones TO {CLERK}; GRANT SELECT ON core.phones TO PUBLIC",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA core GRANT ALL ON TABLES TO {LATE}",
    )
    given = (
        "SELECT grantee, privilege_type, is_grantable FROM information_schema.table_privileges "
        "WHERE table_schema = 'core' AND table_name = 'phones' AND privilege_type IN ('SELECT', 'INSERT') ORDER BY 1, 2"
    )
    before, granted = schema(filled), rows(filled, given)
    try:
        apply(filled, tmp_path)
        owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'core.phones'::regclass"
        assert one(filled, owner) == OWNER.strip('"')
        assert rows(filled, given) == granted
        with psycopg.connect(filled) as conn:
            conn.execute(f"SET ROLE {READER}".encode())
            assert conn.execute(f'SELECT count("Näme") FROM {CUSTOMER}'.encode()).fetchone() == (1,)
            with pytest.raises(errors.InsufficientPrivilege), conn.transaction():
                conn.execute(f"SELECT amount FROM {CUSTOMER}".encode())
            conn.execute(f"RESET ROLE; SET ROLE {CLERK}".encode())
            with pytest.raises(errors.ObjectNotInPrerequisiteState), conn.transaction():
                conn.execute("INSERT INTO core.phones (phone) VALUES ('9')")
            conn.execute(f"RESET ROLE; SET ROLE {LATE}".encode())
            with pytest.raises(errors.InsufficientPrivilege):
                conn.execute(f"SELECT FROM {CUSTOMER}".encode())
        undo(filled, tmp_path)
        assert schema(filled) == before
    finally:
        act(filled, f"DROP SCHEMA IF EXISTS core, archive CASCADE; DROP OWNED BY {OWNER}, {READER}, {CLERK}, {LATE}")
        act(filled, f"DROP ROLE {OWNER}, {READER}, {CLERK}, {LATE}")


def test_policies_of_the_table_hold_for_who_reads_the_view(filled: str, tmp_path: Path) -> None:
    act(
        filled,
        f"CREATE ROLE {TENANT}; GRANT USAGE ON SCHEMA core TO {TENANT}; GRANT SELECT ON core.phones TO {TENANT}",
        "ALTER TABLE core.phones ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY own ON core.phones FOR SELECT TO {TENANT} USING (customer = 2)",
    )
    before = schema(filled)
    try:
        apply(filled, tmp_path)
        with psycopg.connect(filled) as conn:
            conn.execute(f"SET ROLE {TENANT}".encode())
            assert conn.execute("SELECT customer FROM core.phones").fetchall() == [(2,)]
        undo(filled, tmp_path)
        assert schema(filled) == before
    finally:
        act(filled, f"DROP SCHEMA IF EXISTS core, archive CASCADE; DROP OWNED BY {TENANT}; DROP ROLE {TENANT}")


@pytest.mark.one_server
def test_policies_and_grants_on_columns_do_not_go_together(filled: str, tmp_path: Path) -> None:
    act(filled, "ALTER TABLE core.phones ENABLE ROW LEVEL SECURITY; GRANT SELECT (phone) ON core.phones TO PUBLIC")
    with pytest.raises(PlanError, match=r"A view core.phones could not be read by PUBLIC"):
        apply(filled, tmp_path)


@pytest.mark.one_server
def test_before_15_a_view_that_would_leak_is_refused(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such server is at hand: what is asked of it is only its version."""
    act(filled, "ALTER TABLE core.phones ENABLE ROW LEVEL SECURITY")
    monkeypatch.setattr(oldname, "_HAS_INVOKERS", 990_000)
    with psycopg.connect(filled) as conn:
        phones, customer = (_table(conn, name) for name in ("phones", 'Cust"omer ä'))
        with pytest.raises(PlanError, match="would show rows that policies of the table hide"):
            oldname.refuse(conn, phones, None, "here")
        oldname.refuse(conn, customer, None, "here")
        model = oldname.Model("SELECT", {}, "caller", "")
        with pytest.raises(PlanError, match="cannot read with the rights of who asks"):
            oldname.refuse(conn, customer, model, "here")


def _table(conn: psycopg.Connection[object], name: str) -> Table:
    row = conn.execute("SELECT oid::bigint FROM pg_class WHERE relname = %s AND relkind = 'r'", (name,)).fetchone()
    assert isinstance(row, tuple)
    return Table(row[0], "core", name)


def test_a_role_that_may_make_nothing_there_is_told_before_anything_is_done(filled: str, tmp_path: Path) -> None:
    act(filled, f"CREATE ROLE {POOR}; ALTER TABLE core.phones OWNER TO {POOR}; GRANT USAGE ON SCHEMA core TO {POOR}")
    try:
        before = schema(filled)
        with pytest.raises(PrivilegeMissing) as caught:
            apply(filled, tmp_path)
        assert caught.value.why == f"In schema core {POOR} may make nothing."
        assert caught.value.hint == f'GRANT CREATE ON SCHEMA "core" TO <{POOR}>;'
        assert schema(filled) == before
        assert rows(filled, "SELECT FROM pg_trigger WHERE tgname = 'lockgate_archived'") == []
    finally:
        act(filled, f"DROP SCHEMA core CASCADE; DROP OWNED BY {POOR}; DROP ROLE {POOR}")


@pytest.mark.one_server
def test_a_table_without_columns_has_no_view(filled: str, tmp_path: Path) -> None:
    act(filled, "DROP TABLE core.phones; CREATE TABLE core.phones ()")
    with pytest.raises(PlanError, match=r"core.phones has no columns"):
        apply(filled, tmp_path)


def apply_there(dsn: str, folder: str) -> None:
    runner.apply(load_plan(Path(folder)), sessions(dsn))


def undo_there(dsn: str, folder: str) -> None:
    runner.rollback(load_plan(Path(folder)), sessions(dsn))


@pytest.mark.slow
def test_killed_anywhere_the_old_names_always_answer(filled: str, tmp_path: Path) -> None:
    """One by the archived rows, one by a new model."""
    here, folder = "tests.integration.steps.test_tombstone:", tmp_path / "plan"
    act(filled, "CREATE TABLE core.contacts AS SELECT id, customer, phone FROM core.phones")
    views = "views: {core.phones: {select: 'TABLE core.contacts', delete: DELETE FROM core.contacts WHERE id = OLD.id}}"
    write_plan(folder, f"{PLAN}        {views}\n")
    count = f"SELECT (SELECT count(*) FROM {CUSTOMER}) + (SELECT count(*) FROM core.phones)"
    before = schema(filled)
    for point in ("archive.commit:1", "archive.commit:2", "archive.moved:1"):
        assert call(f"{here}apply_there", filled, str(folder), fault=point).killed, point
        assert one(filled, count) == 5
        apply_there(filled, str(folder))
        assert rows(filled, "SELECT DISTINCT relkind::text FROM pg_class WHERE relname = 'phones'") == [("r",), ("v",)]
        undo_there(filled, str(folder))
        assert schema(filled) == before, point
    for point in ("unarchive.cleared:1", "unarchive.commit:1", "unarchive.commit:2", "unarchive.moved:1"):
        apply_there(filled, str(folder))
        assert call(f"{here}undo_there", filled, str(folder), fault=point).killed, point
        assert one(filled, count) == 5
        undo_there(filled, str(folder))
        assert schema(filled) == before, point


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("act_on", "what", "mend"),
    [
        (
            "CREATE VIEW core.report AS SELECT phone FROM core.phones",
            "core.phones cannot be put back: something was built on the view that was left there",
            "DROP VIEW core.report",
        ),
        (
            "CREATE OR REPLACE VIEW core.phones AS SELECT 1 AS id, 2::bigint AS customer, 'x'::text AS phone",
            "core.phones cannot be made free: view core.phones is not what was left there",
            "DROP VIEW core.phones",
        ),
        (
            "DROP VIEW core.phones; CREATE VIEW core.phones AS SELECT 1 AS x",
            "core.phones cannot be put back: there is another view of that name",
            "DROP VIEW core.phones",
        ),
        (
            "ALTER VIEW core.phones RENAME TO mine",
            "core.phones cannot be made free: view core.mine is not what was left there",
            "DROP VIEW core.mine",
        ),
    ],
)
def test_what_somebody_made_of_it_is_not_removed(
    filled: str, tmp_path: Path, act_on: str, what: str, mend: str
) -> None:
    before = schema(filled)
    apply(filled, tmp_path)
    act(filled, act_on)
    with pytest.raises(RollbackRefused) as caught:
        undo(filled, tmp_path)
    assert caught.value.what == what
    assert one(filled, "SELECT to_regclass('archive.phones') IS NOT NULL")
    act(filled, mend)
    undo(filled, tmp_path)
    assert schema(filled) == before


@pytest.mark.one_server
def test_the_plan_the_doctor_and_the_report_tell_of_it(filled: str, tmp_path: Path) -> None:
    loaded, opened = write_plan(tmp_path, PLAN), sessions(filled, QUICK)
    lines = preview(loaded, opened, opened.clock).phases[0].steps[0].lines
    said = "a view core.phones stays in its place: it reads the archived table, and its writes are refused"
    assert said in lines
    told = Told()
    result = runner.apply(loaded, opened, progress=told)
    assert result is not None
    summary = one(
        filled, "SELECT payload->>'summary' FROM lockgate.chain WHERE kind = 'step' ORDER BY seq DESC LIMIT 1"
    )
    assert summary.endswith('; a view of the archived table answers at core.Cust"omer ä, core.phones')

    def found() -> list[tuple[Verdict, str]]:
        return [(one.verdict, one.what) for one in examine(opened, "shop") if one.area == "old names"]

    assert (Verdict.OK, "core.phones is answered by a view of the archived table") in found()
    with psycopg.connect(filled) as conn:
        facts = [exhibit.result for exhibit in collect(conn, "shop").exhibits if exhibit.name == "archived:core.phones"]
    assert facts[0]["old_name_answered_by"] == "archive"
    act(filled, "ALTER VIEW core.phones RENAME TO mine", f"DROP VIEW {CUSTOMER}")
    assert [verdict for verdict, _ in found()] == [Verdict.WARN, Verdict.WARN]


# --- the gate and the drop --------------------------------------------------------------------------------------


@pytest.fixture
def shop(dsn: str, tmp_path: Path) -> Tombstoned:
    return Tombstoned(dsn, tmp_path)


def test_a_late_reader_of_the_old_name_is_seen_by_the_gate(shop: Tombstoned) -> None:
    shop.archive()
    shop.act("SELECT count(*) FROM core.phones", "SELECT pg_stat_force_next_flush()")
    with pytest.raises(GateRefused) as caught:
        shop.apply()
    said = str(caught.value.why or caught.value.what)
    assert "archive.phones: 1 sequential scan" in said
    assert "maybe through view core.phones, which was left at its old name" in said
    assert "there depend on it" not in said
    assert nothing_is_dropped(shop)


@pytest.mark.one_server
def test_it_goes_with_its_table_and_the_log_names_it(shop: Tombstoned) -> None:
    shop.archive()
    lines = preview(shop.loaded, shop.sessions, shop.clock).phases[2].steps[0].lines
    assert "before it: DROP VIEW core.phones" in lines
    shop.apply()
    passed = rows(shop.dsn, "SELECT payload->>'what' FROM lockgate.chain WHERE kind = 'gate' ORDER BY seq")
    assert any("a way in that is left: view core." in str(what) for (what,) in passed)
    dependents = rows(shop.dsn, "SELECT dependents FROM lockgate.dropped ORDER BY id")
    customer, phones = ([(each["kind"], each["name"], each["statement"]) for each in one] for (one,) in dependents)
    assert ("view", CUSTOMER, f"DROP VIEW {CUSTOMER}") in customer
    assert phones == [("view", "core.phones", "DROP VIEW core.phones")]
    assert (
        rows(shop.dsn, "SELECT relname FROM pg_class WHERE relnamespace = 'core'::regnamespace AND relkind = 'v'") == []
    )


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("built", "why"),
    [
        ("CREATE VIEW core.report AS SELECT phone FROM core.phones", "view core.report (reads core.phones)"),
        (
            "CREATE OR REPLACE VIEW core.phones AS SELECT id, customer, 'x' || phone AS phone FROM archive.phones",
            "view core.phones (reads archive.phones)",
        ),
    ],
)
def test_what_was_built_on_it_stands_in_the_way(shop: Tombstoned, built: str, why: str) -> None:
    shop.archive(built)
    with pytest.raises(LockgateError) as caught:
        shop.apply()
    assert why.partition(" (")[0] in str(caught.value.why or caught.value.what)
    shop.plan(allow=why.partition(" (")[0].removeprefix("view "))
    shop.clock.advance(timedelta(days=1))
    with pytest.raises(LockgateError) as caught:
        shop.apply()
    assert why in str(caught.value.why)
    assert nothing_is_dropped(shop)
