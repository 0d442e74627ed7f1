"""The salon's plan: what the fact sheet asks for, there, back and there again, and its traps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import psycopg
import pytest

from lockgate.catalog import document
from lockgate.engine import runner
from lockgate.engine.clock import ForwardedClock, SystemClock
from lockgate.engine.session import Sessions
from lockgate.errors import LockgateError, RollbackRefused
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.report import collect
from lockgate.systems import system_folder
from lockgate.tending import tend
from systems.salon.generate import TABLES, generate, prepare
from tests.copies import another_database
from tests.integration.engine.plans import Told, one, rows

SALON = system_folder("salon")
SCALE, MESSAGES = 1.0, 600
COUNTED = {"clients": 1_299, "services": 63, "staff": 12, "staff_schedules": 56, "bookings": 38, "dialog_contexts": 21}

OWN_INDEXES = """
SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
"""


@pytest.fixture
def old(server_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The old service's database, filled; the plan knows where it is."""
    with another_database(server_dsn) as address:
        for name in ("OLD_DATABASE_URL", "OLD_DATABASE_WRITER_URL"):
            monkeypatch.setenv(name, address)
        with psycopg.connect(address, autocommit=True) as conn:
            generate(conn, SCALE, messages=MESSAGES)
        yield address


@pytest.fixture
def new(dsn: str) -> str:
    """The new database, with the messenger's tables."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        prepare(conn)
    return dsn


def execute(dsn: str, text: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(text.encode())


def apply(dsn: str, loaded: LoadedPlan, to: str | None = None) -> list[str]:
    told = Told()
    runner.apply(loaded, Sessions(dsn, loaded.plan.settings), to=to, progress=told)
    return told.events


def schema(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return document.read(conn, passing=False).digest


def contents(dsn: str) -> dict[str, list[tuple[str, ...]]]:
    # An undo writes what was changed, and a trigger says when.
    return {t: rows(dsn, f"SELECT (to_jsonb(t) - 'updated_at')::text FROM {t} AS t ORDER BY 1") for t in TABLES}


HERE = """
INSERT INTO messages (company_id, phone, direction, content) VALUES (1, '79000000001', 'incoming', 'written here');
INSERT INTO messages (company_id, phone, direction, content, created_at)
    VALUES (1, '79000000001', 'incoming', 'of a month that nobody made', '2001-01-01');
UPDATE clients SET name = 'changed here' WHERE id = 20;
INSERT INTO clients (company_id, phone) VALUES (1, '79998887766');
"""


@pytest.mark.slow
def test_there_and_back_and_there_again_nothing_is_lost(new: str, old: str) -> None:
    loaded = load_plan(SALON / "plan")
    apply(new, loaded, to="tables")
    month = "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + n * interval '1 month', {}) {}"
    months = rows(new, month.format("""'"messages_"YYYY_MM'""", "FROM generate_series(0, 5) AS n"))
    parts = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'messages'::regclass ORDER BY 1"
    assert rows(new, parts) == [*months, ("messages_default",)]
    assert one(new, OWN_INDEXES) >= 60
    apply(new, loaded, to="load")
    execute(old, "UPDATE clients SET visit_count = 99 WHERE id = 3; DELETE FROM reminders WHERE id = 2")
    told = apply(new, loaded)
    assert any("nothing differs after 2 passes" in event for event in told), told
    assert any("client_phones: 64 rows written of" in event for event in told), told
    for table, wanted in COUNTED.items():
        assert one(new, f"SELECT count(*) FROM {table}") == wanted, table
    assert one(new, "SELECT count(*) FROM messages") == MESSAGES
    assert one(new, "SELECT name FROM operations.active_database") == "new"
    assert one(new, "SELECT phone FROM clients WHERE id = 60") == "79000000421"
    assert one(old, "SELECT phone FROM clients WHERE id = 60") == "8 (900) 000-04-21"
    before = schema(new)
    assert apply(new, loaded) == []
    assert schema(new) == before
    with psycopg.connect(new) as conn:
        report = collect(conn, "salon", show_values=True)
    assert report.phases_done == report.phases_planned == 5

    execute(new, HERE)
    written = contents(new)
    runner.rollback(loaded, Sessions(new, loaded.plan.settings), to="load", progress=Told())
    assert one(new, "SELECT name FROM operations.active_database") == "old"
    back = contents(old)
    for table in TABLES:
        if table != "clients":  # whose phones are as they were written
            assert back[table] == written[table], table
    assert one(old, "SELECT phone FROM clients WHERE id = 60") == "8 (900) 000-04-21"
    assert one(old, "SELECT name FROM clients WHERE id = 20") == "changed here"
    assert one(old, "SELECT count(*) FROM clients WHERE phone = '79998887766'") == 1
    apply(new, loaded)
    assert contents(new) == written
    with pytest.raises(RollbackRefused) as refused:
        runner.rollback(loaded, Sessions(new, loaded.plan.settings), to="@start", progress=Told())
    assert str(refused.value.why).startswith("operations.active_database: 1 rows, dropped by the undo of tables")
    runner.rollback(loaded, Sessions(new, loaded.plan.settings), to="@start", lose_rows=True, progress=Told())
    assert one(new, "SELECT count(*) FROM pg_class WHERE relname = 'messages'") == 0
    assert one(new, "SELECT count(*) FROM whatsapp_keys") == 100


def test_a_month_is_rolled_over_and_nothing_is_refused(new: str) -> None:
    loaded = load_plan(SALON / "plan")
    apply(new, loaded, to="tables")
    execute(new, "INSERT INTO companies (title) VALUES ('Salon'); CREATE TABLE messages_1999_01 (looks text)")
    write = (
        "INSERT INTO messages (company_id, phone, direction, content, created_at)"
        " VALUES (1, '7', 'incoming', 'x', '{}')"
    )
    clock = ForwardedClock(SystemClock())
    written = retired = 0
    for _ in range(8):
        execute(new, write.format(clock.now().isoformat()))
        written += 1
        clock.forward(timedelta(days=31))
        execute(new, write.format((clock.now() + timedelta(days=200)).isoformat()))
        written += 1
        [tended], _ = tend(loaded, Sessions(new, loaded.plan.settings, clock), progress=Told(), clock=clock)
        assert tended.troubles == []
        retired += len(tended.retired)
    assert retired > 0
    archived = rows(new, "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'archive'::regnamespace"
                         " AND relkind = 'r' AND relname LIKE 'messages\\_%'")  # fmt: skip
    assert len(archived) == retired
    kept = sum(one(new, f"SELECT count(*) FROM {name}") for name in ("messages", *(row[0] for row in archived)))
    assert kept == written
    assert one(new, "SELECT to_regclass('public.messages_1999_01') IS NOT NULL")


@pytest.mark.one_server
def test_each_migration_can_be_run_twice_by_hand(new: str) -> None:
    files = sorted((SALON / "migrations").glob("*.sql"))
    assert len(files) == 2
    digests = []
    for _ in range(2):
        for file in files:
            execute(new, file.read_text())
        digests.append(schema(new))
    assert digests[0] == digests[1]


TRAPS = {
    "check": (
        "ALTER TABLE reminders ADD CONSTRAINT r CHECK (kind IN ('day_before', NULL))",
        "which can never fail: r of reminders",
    ),
    "redundant": ("CREATE INDEX again ON clients (company_id)", "index public.again is redundant"),
    "repeated": ("ALTER TABLE clients ADD UNIQUE (company_id, phone)", "is redundant: it repeats"),
    "long": ("CREATE INDEX long ON messages (content)", "long of column content"),
    "jsonb": ("CREATE INDEX long ON bookings (data)", "long of column data"),
    "pattern": (
        "CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DROP TABLE x'; END $$",
        "Functions that drop tables: tidy()",
    ),
    "month": ("DROP TABLE messages_default; DELETE FROM companies; DO $$ BEGIN EXECUTE (SELECT 'DROP TABLE '"
              " || max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'messages'::regclass); END $$",
              "has no partition for the month of"),
    "trigger": ("DROP TRIGGER update_staff_updated_at ON staff", "update_staff_updated_at"),
    "restrict": ("ALTER TABLE bookings DROP CONSTRAINT bookings_client_id_fkey, ADD FOREIGN KEY (client_id)"
                 " REFERENCES clients ON DELETE CASCADE", "is ON DELETE CASCADE, not RESTRICT"),
}  # fmt: skip


@pytest.mark.one_server
@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_stops_the_plan_before_a_row_is_copied(trap: str, new: str, tmp_path: Path) -> None:
    statement, told = TRAPS[trap]
    loaded = planted(tmp_path, statement)
    with pytest.raises(LockgateError) as refused:
        apply(new, loaded)
    assert told in f"{refused.value} {refused.value.why}", refused.value
    assert one(new, "SELECT count(*) FROM companies") == 0


@pytest.mark.one_server
def test_a_table_of_another_shape_is_not_taken_as_it_is(new: str) -> None:
    execute(new, "CREATE TABLE clients (id int PRIMARY KEY, phone bigint)")
    with pytest.raises(LockgateError, match=r"already there|IF NOT EXISTS would take") as refused:
        apply(new, load_plan(SALON / "plan"))
    assert "clients" in str(refused.value)
    assert one(new, "SELECT to_regclass('public.companies') IS NULL")


def planted(folder: Path, statement: str) -> LoadedPlan:
    """The plan, with a trap at the end of the second migration."""
    copytree(SALON / "plan", folder / "plan")
    copytree(SALON / "migrations", folder / "migrations")
    with max((folder / "migrations").glob("*.sql")).open("a") as file:
        file.write(f"\n{statement};\n")
    return load_plan(folder / "plan")
