"""The partition step: a plain table becomes a partitioned one under the application's hands, and a plain one again."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate.catalog import document
from lockgate.errors import LockgateError, PlanError, RollbackRefused
from tests.copies import EMPTY
from tests.integration.engine.plans import act, one, rows
from tests.integration.steps.cutovers import apply, rollback
from tests.integration.steps.partitioned import MESSAGES, PLAN, SETUP, Application, plan
from tests.killing import call, every_point

BEFORE = 'core."Mess""ages ä_before"'
SIMPLE = """
CREATE SCHEMA core;
CREATE TABLE core.notes (a int, "B ä" text, day date NOT NULL, v text, PRIMARY KEY ("B ä", a, day));
CREATE TABLE core.stars (a int, b text, day date, n int,
    CONSTRAINT "to notes" FOREIGN KEY (b, a, day) REFERENCES core.notes ON DELETE CASCADE);
INSERT INTO core.notes SELECT n, 'x' || n % 3, date '2026-01-01' + n, 'v' FROM generate_series(0, 50) n;
INSERT INTO core.stars SELECT a, "B ä", day, 1 FROM core.notes WHERE a % 2 = 0;
"""
BY_DAY = """
phases:
  - id: split
    steps:
      - partition: by_week
        table: core.notes
        by: day
        interval: week
        start: 2026-02-02
        ahead: 0
"""


@pytest.fixture
def filled(dsn: str) -> str:
    act(dsn, SETUP)
    return dsn


def schema(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return document.read(conn).digest


def content(dsn: str, table: str = MESSAGES) -> list[tuple[object, ...]]:
    return rows(dsn, f"SELECT * FROM {table} ORDER BY id")


def forth(dsn: str, folder: str) -> None:
    """Called in a process of its own."""
    apply(dsn, plan(Path(folder)), "split")


def back(dsn: str, folder: str) -> None:
    """Called in a process of its own."""
    rollback(dsn, plan(Path(folder)), "@start")


def test_everything_that_hangs_on_the_table_moves_and_comes_back(filled: str, tmp_path: Path) -> None:
    reader = f"reader_{token_hex(4)}"
    act(
        filled,
        f"CREATE ROLE {reader}; GRANT SELECT, UPDATE (body) ON {MESSAGES} TO {reader} WITH GRANT OPTION",
        f'GRANT USAGE ON SEQUENCE core."Mess""ages ä_id_seq", core."Mess""ages ä_number_seq" TO {reader}',
        # Its rights are those of before, and not what is given to new tables.
        "ALTER DEFAULT PRIVILEGES IN SCHEMA core GRANT ALL ON TABLES TO PUBLIC",
    )
    before, held = schema(filled), content(filled)
    hung = {name: rows(filled, query) for name, query in HUNG.items()}
    loaded = plan(tmp_path)
    apply(filled, loaded, "split")
    assert content(filled) == held
    assert one(filled, f"SELECT relkind::text FROM pg_class WHERE oid = '{MESSAGES}'::regclass") == "p"
    assert {name: rows(filled, query) for name, query in HUNG.items()} == hung
    act(
        filled,
        f"INSERT INTO {MESSAGES} (client, body) VALUES (3, 'new')",
        f"UPDATE {MESSAGES} SET body = 'x' WHERE id = 100",
    )
    assert one(filled, f"SELECT id - (SELECT max(id) FROM {BEFORE}) FROM {MESSAGES} WHERE body = 'new'") in (0, 2)
    assert one(filled, "SELECT count(*) FROM core.recent WHERE body = 'new'") == 1
    assert one(filled, "SELECT array_agg(op ORDER BY op) FROM core.audit") == ["INSERT"] * 301
    assert one(filled, f"SELECT updated_at IS NOT NULL FROM {MESSAGES} WHERE id = 100") is True
    for wrong in ("client = 99", "body = ''"):
        with psycopg.connect(filled) as conn, pytest.raises(psycopg.IntegrityError):
            conn.execute(f"UPDATE {MESSAGES} SET {wrong} WHERE id = 100".encode())
    plan_of = rows(filled, f"EXPLAIN SELECT * FROM {MESSAGES} WHERE created_at >= now()")
    assert len([line for (line,) in plan_of if "Scan" in line]) <= 4  # this month, two ahead and the default one
    with psycopg.connect(filled) as conn, pytest.raises(psycopg.DatabaseError, match="is refused"):
        conn.execute(f"DELETE FROM {BEFORE}".encode())
    rollback(filled, loaded, "@start")
    assert schema(filled) == before
    assert {name: rows(filled, query) for name, query in HUNG.items()} == hung
    assert len(content(filled)) == 301
    act(filled, f"INSERT INTO {MESSAGES} (client, body) VALUES (3, 'newer')")
    assert one(filled, "SELECT count(*) FROM core.audit") == 302
    act(filled, f"DROP OWNED BY {reader}; DROP ROLE {reader}")


# What the name of the table means, whichever table has it.
_IT = f"'{MESSAGES}'::regclass"
HUNG = {
    "grants": "SELECT grantee, privilege_type, is_grantable FROM information_schema.table_privileges "
    "WHERE table_schema = 'core' AND table_name = 'Mess\"ages ä' AND grantee <> 'postgres' ORDER BY 1, 2",
    "columns": "SELECT column_name, data_type, column_default, is_nullable, is_identity, identity_generation, "
    "identity_start, identity_increment, is_generated FROM information_schema.columns "
    "WHERE table_name = 'Mess\"ages ä' ORDER BY 1",
    "sequences": f"SELECT a, pg_get_serial_sequence('{MESSAGES}', a) FROM unnest(ARRAY['id', 'number']) a",
    "sequence grants": "SELECT relname, array_length(relacl, 1) FROM pg_class WHERE relkind = 'S' "
    "AND relnamespace = 'core'::regnamespace ORDER BY 1",
    "triggers": f"SELECT tgname, tgenabled, obj_description(oid) FROM pg_trigger WHERE tgrelid = {_IT} "
    "AND NOT tgisinternal AND tgname NOT LIKE 'lockgate%' ORDER BY 1",
    "policies": f"SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = {_IT}",
    "secured": f"SELECT relrowsecurity, relforcerowsecurity, obj_description(oid) FROM pg_class WHERE oid = {_IT}",
    "indexes": "SELECT x.indexrelid::regclass::text, obj_description(x.indexrelid), indisunique FROM pg_index x "
    f"WHERE indrelid = {_IT} AND x.indexrelid::regclass::text NOT LIKE '%lockgate%' ORDER BY 1",
    "constraints": "SELECT conname, contype, convalidated, obj_description(oid) FROM pg_constraint "
    f"WHERE conrelid = {_IT} AND contype <> 'n' AND conparentid = 0 ORDER BY 1",
    "comments": "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
    f"WHERE attrelid = {_IT} AND attnum > 0 ORDER BY 1",
    "views": "SELECT relname, reloptions, pg_get_viewdef(oid) FROM pg_class "
    "WHERE relname IN ('recent', 'newest') ORDER BY 1",
}


def test_nothing_is_lost_and_nothing_fails_while_the_application_writes(filled: str, tmp_path: Path) -> None:
    before = schema(filled)
    loaded = plan(tmp_path)
    application = Application(filled, writers=2)
    with application.writing():
        apply(filled, loaded, "split")
        begun = application.writes
        rollback(filled, loaded, "@start")
    assert application.failures == []
    assert application.writes > begun > 0
    assert schema(filled) == before
    mine = dict(rows(filled, f"SELECT id, body FROM {MESSAGES} WHERE body LIKE 'w%'"))
    assert mine == application.rows


@pytest.mark.one_server
def test_a_run_that_is_killed_anywhere_goes_on_and_so_does_the_way_back(filled: str, tmp_path: Path) -> None:
    before = schema(filled)
    application = Application(filled, writers=1)
    target = "tests.integration.steps.test_partition"
    folder = str(tmp_path / "plan")
    with application.writing():
        passed = {}
        for name in ("forth", "back"):
            ended = call(f"{target}:{name}", filled, folder, log=tmp_path / name)
            assert ended.code == 0, ended.err
            # What the mapping and the cutover do by themselves is killed in their own tests.
            passed[name] = [
                p
                for p in every_point(ended.points, 1)
                if p.startswith(("partition.", "replacing.", "giveback.")) or p == "cutover.commit:1"
            ]
        assert len(passed["forth"]) >= 8
        assert len(passed["back"]) >= 4
        for name, points in passed.items():
            # Each run goes on where the one before was killed.
            killed = [call(f"{target}:{name}", filled, folder, fault=point).killed for point in points]
            assert killed.count(True) >= len(points) - 1
            ended = call(f"{target}:{name}", filled, folder)
            assert ended.code == 0, ended.err
    assert application.failures == []
    assert schema(filled) == before
    assert dict(rows(filled, f"SELECT id, body FROM {MESSAGES} WHERE body LIKE 'w%'")) == application.rows


def test_a_composite_key_that_others_refer_to_and_rows_of_before_the_start(dsn: str, tmp_path: Path) -> None:
    act(dsn, SIMPLE)
    before, held = schema(dsn), rows(dsn, "SELECT * FROM core.notes ORDER BY day")
    loaded = plan(tmp_path, BY_DAY)
    apply(dsn, loaded)
    assert rows(dsn, "SELECT * FROM core.notes ORDER BY day") == held
    assert one(dsn, "SELECT count(*) FROM core.notes_default") == 32  # those of January, and the 1st of February
    assert one(dsn, "SELECT count(*) FROM core.notes_2026_02_02") == 7
    assert one(dsn, "SELECT convalidated FROM pg_constraint WHERE conname = 'to notes' AND conparentid = 0") is True
    act(dsn, "DELETE FROM core.notes WHERE a = 4")
    assert one(dsn, "SELECT count(*) FROM core.stars WHERE a = 4") == 0
    with psycopg.connect(dsn) as conn, pytest.raises(psycopg.errors.ForeignKeyViolation):
        conn.execute("INSERT INTO core.stars VALUES (4, 'x1', '2026-01-05')")
    rollback(dsn, loaded, "@start")
    assert schema(dsn) == before
    assert one(dsn, "SELECT convalidated FROM pg_constraint WHERE conname = 'to notes'") is True
    assert one(dsn, "SELECT count(*) FROM core.notes") == 50


def test_a_rollback_counts_what_the_table_of_before_cannot_hold(filled: str, tmp_path: Path) -> None:
    loaded = plan(tmp_path)
    apply(filled, loaded, "split")
    act(filled, f"ALTER TABLE {MESSAGES} ADD COLUMN more int")
    with pytest.raises(RollbackRefused, match="more"):
        rollback(filled, loaded, "@start")
    act(
        filled,
        f"ALTER TABLE {MESSAGES} DROP COLUMN more",
        f"INSERT INTO {MESSAGES} (id, created_at, client, body) OVERRIDING SYSTEM VALUE SELECT id, "
        f"created_at + interval '1 hour', 1, 'twice' FROM (SELECT * FROM {MESSAGES} ORDER BY id LIMIT 2) m",
    )
    with pytest.raises(LockgateError) as caught:
        rollback(filled, loaded, "@start")
    assert "2 keys" in str(caught.value.why)
    assert one(filled, f"SELECT count(*) FROM {MESSAGES} WHERE body = 'twice'") == 2
    rollback(filled, loaded, "@start", lose_rows=True)
    assert len(content(filled)) == 300


def test_the_way_back_is_closed_and_opened_again(filled: str, tmp_path: Path) -> None:
    before = schema(filled)
    loaded = plan(tmp_path)
    apply(filled, loaded)
    act(filled, f"UPDATE {MESSAGES} SET body = 'later' WHERE client = 1", f"DELETE FROM {MESSAGES} WHERE client = 2")
    held = content(filled)
    assert one(filled, f"SELECT count(*) FROM {BEFORE} WHERE body = 'later'") == 0
    rollback(filled, loaded, "@start")
    assert content(filled) == held
    assert schema(filled) == before


@pytest.mark.parametrize("template", [EMPTY])  # the ledger is to be the role's own
def test_the_owner_of_the_table_may_do_it(dsn: str, tmp_path: Path) -> None:
    act(dsn, SIMPLE)
    role, word = f"owner_{token_hex(4)}", token_hex(8)
    act(
        dsn,
        f"CREATE ROLE {role} LOGIN PASSWORD '{word}'",
        f"DO $$BEGIN EXECUTE 'GRANT CREATE ON DATABASE ' || current_database() || ' TO {role}'; END$$",
        f"ALTER SCHEMA core OWNER TO {role}",
        f"ALTER TABLE core.notes OWNER TO {role}; ALTER TABLE core.stars OWNER TO {role}",
    )
    before = schema(dsn)
    loaded = plan(tmp_path, BY_DAY)
    theirs = make_conninfo(dsn, user=role, password=word)
    apply(theirs, loaded)
    assert one(dsn, "SELECT count(*) FROM core.notes") == 51
    rollback(theirs, loaded, "@start")
    assert schema(dsn) == before


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("change", "text", "what", "at"),
    [
        ("", PLAN.replace("        primary_key: [id, created_at]\n", ""), "does not hold created_at", 7),
        ("", PLAN.replace("[id, created_at]", "[created_at]"), "the key lacks id", 11),
        ("", PLAN.replace("by: created_at", "by: created_ta"), 'no column "created_ta"; did you mean', 9),
        ("", PLAN.replace("by: created_at", "by: body"), "no date or timestamp", 9),
        (f"ALTER TABLE {MESSAGES} ALTER created_at DROP NOT NULL", PLAN, "may be NULL", 9),
        (f"ALTER TABLE {MESSAGES} ADD UNIQUE (body)", PLAN, "unique", 8),
        (f'ALTER TABLE {MESSAGES} DROP CONSTRAINT "pk ä"', PLAN, "no primary key", 8),
        (f"CREATE TABLE core.r (m bigint REFERENCES {MESSAGES})", PLAN, "refers to (id)", 8),
        (f"CREATE MATERIALIZED VIEW core.m AS SELECT id FROM {MESSAGES}", PLAN, "materialized view core.m", 8),
        (f"CREATE RULE r AS ON DELETE TO {MESSAGES} DO ALSO SELECT 1", PLAN, "rule", 8),
        (
            f"CREATE FUNCTION core.f() RETURNS bigint BEGIN ATOMIC SELECT max(id) FROM {MESSAGES}; END",
            PLAN,
            "function",
            8,
        ),
        (f"CREATE PUBLICATION p FOR TABLE {MESSAGES}", PLAN, "publication", 8),
        ('CREATE TABLE core."Mess""ages ä_before" ()', PLAN, "is there already", 7),
        ("", PLAN.replace("interval: month", "interval: day").replace("ahead: 2", "ahead: 1000"), "more than 1000", 10),
        ("", PLAN.replace("ahead: 2", "name: m_YYYY"), "lacks MM", 12),
    ],
)
def test_what_cannot_be_moved_is_refused_before_anything_is_changed(
    filled: str, tmp_path: Path, change: str, text: str, what: str, at: int
) -> None:
    act(filled, *([change] if change else []))
    before = schema(filled)
    with pytest.raises(PlanError) as caught:
        apply(filled, plan(tmp_path, text), "split")
    assert what in f"{caught.value.what} {caught.value.why}"
    assert f"plan.yaml:{at}:" in str(caught.value.where)
    assert schema(filled) == before
