"""The copy step: all rows arrive exactly, what changes is copied again, and what was written here is never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from lockgate.engine import runner
from lockgate.errors import DatabaseError, LockgateError, PlanError
from lockgate.plan.load import LoadedPlan
from tests.copies import in_database
from tests.integration.copying.conftest import VARIABLE
from tests.integration.engine.plans import QUICK, Told, one, rows, sessions, write_plan

SHOP = """
CREATE TABLE companies (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL UNIQUE, settings jsonb);
CREATE TABLE clients (
    id bigserial PRIMARY KEY, company int NOT NULL REFERENCES companies ON DELETE CASCADE, phone text,
    invited_by bigint REFERENCES clients, UNIQUE (company, phone));
CREATE TABLE bookings (
    client bigint REFERENCES clients, at timestamptz, what text, PRIMARY KEY (client, at));
"""
FILLED = """
INSERT INTO companies (title, settings)
    SELECT 'company ' || n, jsonb_build_object('n', n) FROM generate_series(1, 20) n;
INSERT INTO clients (company, phone, invited_by)
    SELECT 1 + n % 20, '+7' || n, CASE WHEN n % 3 = 0 THEN n / 2 END FROM generate_series(1, 3000) n;
INSERT INTO bookings SELECT 1 + n % 3000, '2026-01-01'::timestamptz + n * interval '1 h', NULLIF('cut ' || n, 'cut 7')
    FROM generate_series(1, 5000) n;
ANALYZE;
"""
TABLES = "[public.bookings, public.clients, public.companies]"
PLAN = f"""
settings: {{chunk_rows: 1000}}
phases:
  - id: load
    steps:
      - copy: old
        from: {VARIABLE}
        tables: {TABLES}
"""
LATER = """
  - id: switch
    steps: [{copy: last, again: old}]
"""


def execute(dsn: str, text: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(text.encode())


@pytest.fixture
def shop(dsn: str, old: str) -> tuple[str, str]:
    """Both databases with the tables, the rows in the old one."""
    execute(dsn, SHOP)
    execute(old, SHOP + FILLED)
    return dsn, old


def load(folder: Path, text: str = PLAN) -> LoadedPlan:
    return write_plan(folder, text)


def apply(dsn: str, folder: Path, text: str = PLAN) -> list[str]:
    told = Told()
    runner.apply(load(folder, text), sessions(dsn, QUICK), progress=told)
    return told.events


def same(one_side: str, other: str, *tables: str) -> None:
    for table in tables or ("companies", "clients", "bookings"):
        query = f"SELECT t::text FROM {table} AS t ORDER BY 1"
        assert rows(one_side, query) == rows(other, query), table


def facts(dsn: str, step: str = "old") -> dict[str, Any]:
    found = one(dsn, f"SELECT detail->'facts' FROM lockgate.steps WHERE step = '{step}'")
    assert isinstance(found, dict)
    return found


def test_all_rows_arrive_in_order_of_the_foreign_keys(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    told = apply(dsn, tmp_path)
    same(dsn, old)
    assert any("old: 3 tables, 8020 rows; nothing differs after 1 pass" in event for event in told), told
    assert any("check of load: holds: old: public.companies: 20 rows, no difference; public.clients" in e for e in told)
    assert facts(dsn)["chunks"] > 3
    # Numbers that were copied are taken by nobody.
    assert one(dsn, "INSERT INTO companies (title) VALUES ('new') RETURNING id") == 21
    assert one(dsn, "INSERT INTO clients (company) VALUES (1) RETURNING id") == 3001


def test_nothing_is_written_in_the_source(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    execute(old, "CREATE ROLE copy_reader LOGIN" if not one(old, "SELECT to_regrole('copy_reader')") else "SELECT")
    counters = "SELECT n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd FROM pg_stat_user_tables ORDER BY relname"
    before = rows(old, counters), rows(old, "SELECT count(*) FROM pg_class")
    apply(dsn, tmp_path)
    assert (rows(old, counters), rows(old, "SELECT count(*) FROM pg_class")) == before


CHANGES = """
UPDATE companies SET settings = NULL WHERE id = 3;
DELETE FROM bookings WHERE client IN (5, 6, 7);
DELETE FROM clients WHERE id = 5 AND NOT EXISTS (SELECT FROM clients c WHERE c.invited_by = 5);
INSERT INTO companies (title) VALUES ('late');
INSERT INTO clients (company, phone, invited_by) SELECT 21, 'late' || n, 3000 + n - 1 FROM generate_series(1, 50) n;
UPDATE clients SET invited_by = 3050 WHERE id = 1;
UPDATE bookings SET what = 'changed' WHERE client % 100 = 0;
"""


def test_what_changed_is_copied_again_and_no_more(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    apply(dsn, tmp_path)
    execute(old, CHANGES)
    told = apply(dsn, tmp_path, PLAN + LATER)
    same(dsn, old)
    changed = one(old, "SELECT count(*) FROM bookings WHERE what = 'changed'")
    first = facts(dsn, "last")["passes"][0]
    assert first["written"] == 1 + 1 + 50 + 1 + changed
    assert first["removed"] == first["found"] - first["written"]
    assert any("nothing differs" in event for event in told)


def test_a_unique_value_that_goes_from_a_removed_row_to_a_new_one(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    apply(dsn, tmp_path)
    execute(old, "DELETE FROM bookings WHERE client = 2999; DELETE FROM clients WHERE id = 2999")
    execute(old, "INSERT INTO clients (company, phone) SELECT 1 + 2999 % 20, '+72999'")
    apply(dsn, tmp_path, PLAN + LATER)
    same(dsn, old)


def test_rows_that_were_born_or_changed_here_are_named_and_left(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    apply(dsn, tmp_path)
    execute(dsn, "INSERT INTO clients (id, company, phone) VALUES (9000, 1, 'here'), (9001, 1, 'here too')")
    execute(dsn, "UPDATE companies SET title = 'ours' WHERE id = 4")
    execute(old, "UPDATE companies SET title = 'theirs' WHERE id = 4")
    with pytest.raises(DatabaseError, match="1 rows still differ") as refused:
        apply(dsn, tmp_path, PLAN + LATER)
    assert "1 rows of public.companies were written here and differ" in str(refused.value)
    assert one(dsn, "SELECT title FROM companies WHERE id = 4") == "ours"
    assert one(dsn, "SELECT count(*) FROM clients WHERE id >= 9000") == 2
    execute(dsn, "UPDATE companies SET title = 'theirs' WHERE id = 4")
    told = apply(dsn, tmp_path, PLAN + LATER)
    assert any("2 rows were born here" in event for event in told)


def test_a_row_that_somebody_refers_to_is_not_removed_by_cascade(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    apply(dsn, tmp_path)
    execute(dsn, "INSERT INTO clients (id, company, phone) VALUES (9000, 20, 'here')")
    execute(old, "DELETE FROM bookings b USING clients c WHERE c.id = b.client AND c.company = 20")
    execute(old, "UPDATE clients SET invited_by = NULL; DELETE FROM companies WHERE id = 20")  # and its clients
    with pytest.raises(DatabaseError, match="still differ"):
        apply(dsn, tmp_path, PLAN + LATER)
    assert one(dsn, "SELECT count(*) FROM clients WHERE company = 20") == 1
    assert one(dsn, "SELECT count(*) FROM companies WHERE id = 20") == 1


def test_rows_that_were_here_before_and_are_equal_are_no_difference(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    execute(dsn, "INSERT INTO companies (title, settings) VALUES ('company 1', '{\"n\": 1}')")
    apply(dsn, tmp_path)
    same(dsn, old)


def test_until_passes_says_what_is_left(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, _ = shop
    execute(dsn, "INSERT INTO companies (title) VALUES ('another')")
    plan = PLAN + "        until: passes\n        passes: 2\n"
    told = apply(dsn, tmp_path, plan)
    assert any("1 rows differed in the last pass" in event for event in told), told
    assert not any("check of load" in event for event in told)


def test_a_source_that_is_written_all_the_time_is_told(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop

    class Writes(Told):
        def event(self, message: str) -> None:
            super().event(message)
            if "pass" in message:
                execute(old, "UPDATE companies SET settings = to_jsonb(clock_timestamp()) WHERE id = 1")

    told = Writes()
    plan = load(tmp_path, PLAN + "        passes: 3\n")
    runner.apply(plan, sessions(dsn, QUICK))
    assert len(facts(dsn)["passes"]) == 1
    execute(old, "UPDATE companies SET settings = '1' WHERE id = 1")
    again = load(tmp_path, PLAN + "        passes: 3\n" + LATER.replace("again: old", "again: old, passes: 3"))
    with pytest.raises(DatabaseError, match="After 3 passes 1 rows still differ") as refused:
        runner.apply(again, sessions(dsn, QUICK), progress=told)
    assert "Somebody writes to the other database" in str(refused.value)


# --- kinds of tables and values ---------------------------------------------------------------------------------------

ODD = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN short AS varchar(5) CHECK (VALUE <> '');
CREATE SCHEMA "Ö dd";
CREATE TABLE "Ö dd"."Ta""ble %s" (
    "Key %" text, "n""o" numeric, mood mood, doubled int GENERATED ALWAYS AS (7 * 2) STORED, j jsonb, js json,
    tags text[], bin bytea, at timestamptz, day date, f float8, r real, ip inet, iv interval, c char(4), d short,
    u uuid, moods mood[], rng int4range, b bit(3), x time, flag boolean, nums numeric(8,2)[],
    PRIMARY KEY ("Key %", "n""o"));
CREATE TABLE empty (id uuid PRIMARY KEY, v int);
CREATE TABLE parted (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
"""
ODD_ROWS = r"""
INSERT INTO "Ö dd"."Ta""ble %s" VALUES
 ('a', 1.0, 'sad', DEFAULT, '{"a": [1, 2.50, null]}', '{"a":  1}', '{"x","y z",NULL,"q\"uote"}', '\x00ff', 'infinity',
  '-infinity', 'NaN', '-0', '10.0.0.1/24', '1 mon 2 days', 'ab', 'five', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '{sad,NULL}', '[1,5)', '101', '24:00', true, '{1.50,NULL}'),
 ('A', 'NaN', NULL, DEFAULT, NULL, NULL, '{}', '', '-infinity', 'infinity', 'Infinity', 1.1, NULL, NULL, NULL, NULL,
  NULL, '{}', 'empty', NULL, NULL, NULL, NULL),
 (E'tab\there\nand \\ line', 1.00000000000000000001, 'glad', DEFAULT, '"\\N"', 'null', NULL, NULL,
  '0044-03-15 BC', NULL, 1e300, NULL, '::1', '-1 sec', 'é', 'ü', NULL, NULL, NULL, NULL, NULL, false, NULL);
INSERT INTO "Ö dd"."Ta""ble %s" ("Key %", "n""o", f) VALUES ('', 0, 0.1), ('NULL', 0, NULL), ('\N', 0, NULL);
INSERT INTO parted SELECT n, '2026-01-01'::date + n % 59, 'v' || n FROM generate_series(1, 500) n;
"""
ODD_TABLE = """'"Ö dd"."Ta""ble %s"'"""
ODD_PLAN = f"""
phases:
  - id: load
    steps:
      - copy: old
        from: {VARIABLE}
        tables: [{ODD_TABLE}, public.empty, public.parted]
"""


def test_odd_names_and_every_kind_of_value(dsn: str, old: str, tmp_path: Path) -> None:
    execute(dsn, ODD)
    execute(old, ODD + ODD_ROWS)
    apply(dsn, tmp_path, ODD_PLAN)
    same(dsn, old, '"Ö dd"."Ta""ble %s"', "empty", "parted", "parted_1")
    execute(old, """UPDATE "Ö dd"."Ta""ble %s" SET "n""o" = 1.00, mood = 'glad', b = '000' WHERE "Key %" = 'a'""")
    execute(old, """UPDATE "Ö dd"."Ta""ble %s" SET f = '-0' WHERE "Key %" = '';  DELETE FROM parted WHERE id < 9""")
    execute(old, """DELETE FROM "Ö dd"."Ta""ble %s" WHERE "Key %" IN ('A', E'tab\there\nand \\\\ line')""")
    apply(dsn, tmp_path, ODD_PLAN + LATER)
    same(dsn, old, '"Ö dd"."Ta""ble %s"', "empty", "parted", "parted_1")


def test_other_names_other_types_a_condition_and_a_select(dsn: str, old: str, tmp_path: Path) -> None:
    execute(
        old, "CREATE SCHEMA crm; CREATE TABLE crm.people (nr int PRIMARY KEY, name text, sum numeric(12,4), x text)"
    )
    execute(old, "INSERT INTO crm.people SELECT n, 'p' || n, n / 3.0, 'x' FROM generate_series(1, 300) n")
    execute(
        old, "CREATE TABLE codes (code text PRIMARY KEY, kept text); INSERT INTO codes VALUES ('1', 'a'), ('020', 'b')"
    )
    execute(dsn, "CREATE TABLE clients (id bigint PRIMARY KEY, title varchar(20) NOT NULL, made date DEFAULT now())")
    execute(dsn, "CREATE TABLE people (nr bigint PRIMARY KEY, name text, sum numeric(10,2))")
    execute(dsn, "CREATE TABLE codes (code int, kept text, id serial PRIMARY KEY); CREATE UNIQUE INDEX ON codes (code)")
    execute(dsn, "ALTER TABLE codes ALTER code SET NOT NULL")
    plan = f"""
phases:
  - id: load
    steps:
      - copy: old
        from: {VARIABLE}
        tables: [public.clients, public.people, public.codes]
        named: {{public.people: crm.people}}
        columns: {{public.people: [nr, name, sum]}}
        where: {{public.people: s.nr % 2 = 0}}
        key: {{public.codes: [code]}}
        select: {{public.clients: "SELECT p.nr AS id, upper(p.name) AS title FROM crm.people p WHERE p.nr < 50"}}
"""
    apply(dsn, tmp_path, plan)
    assert rows(dsn, "SELECT count(*), min(title) FROM clients") == [(49, "P1")]
    assert rows(dsn, "SELECT count(*), max(sum)::text FROM people") == [(150, "100.00")]
    assert rows(dsn, "SELECT code, kept FROM codes ORDER BY 1") == [(1, "a"), (20, "b")]
    execute(old, "UPDATE crm.people SET name = 'other' WHERE nr IN (2, 3); DELETE FROM crm.people WHERE nr = 4")
    execute(old, "UPDATE codes SET kept = 'c' WHERE code = '020'")
    apply(dsn, tmp_path, plan + LATER)
    assert one(dsn, "SELECT count(*) FROM clients WHERE title = 'OTHER'") == 2
    assert rows(dsn, "SELECT nr FROM people WHERE nr < 7 ORDER BY 1") == [(2,), (6,)]
    assert one(dsn, "SELECT kept FROM codes WHERE code = 20") == "c"


CIRCLE = """
CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL);
CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b DEFERRABLE;
"""
CIRCLE_ROWS = """
BEGIN; SET CONSTRAINTS ALL DEFERRED;
INSERT INTO a SELECT n, n FROM generate_series(1, 400) n;
INSERT INTO b SELECT n, 401 - n FROM generate_series(1, 400) n;
COMMIT;
"""
CIRCLE_PLAN = PLAN.replace(TABLES, "[public.a, public.b]")


def test_a_circle_of_foreign_keys_is_copied_in_one_transaction(dsn: str, old: str, tmp_path: Path) -> None:
    execute(dsn, CIRCLE)
    execute(old, CIRCLE + CIRCLE_ROWS)
    apply(dsn, tmp_path, CIRCLE_PLAN)
    same(dsn, old, "a", "b")
    execute(
        old,
        "BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM b WHERE id IN (1, 400); DELETE FROM a WHERE id IN (1, 400);"
        "INSERT INTO a VALUES (500, 500); INSERT INTO b VALUES (500, 500); COMMIT",
    )
    apply(dsn, tmp_path, CIRCLE_PLAN + LATER)
    same(dsn, old, "a", "b")


def test_a_circle_that_cannot_be_opened_is_refused_by_name(dsn: str, old: str, tmp_path: Path) -> None:
    firm = CIRCLE.replace(" DEFERRABLE", "")
    execute(dsn, firm)
    execute(old, firm)
    with pytest.raises(
        PlanError, match=r"public\.a, public\.b go in a circle|public\.b, public\.a go in a circle"
    ) as refused:
        apply(dsn, tmp_path, CIRCLE_PLAN)
    assert "public.a refers to public.b by a_b" in str(refused.value)
    assert "DEFERRABLE" in str(refused.value)


def test_triggers_must_be_decided_and_can_be_kept_off(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    execute(
        dsn,
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.title := 'spoilt'; RETURN NEW; END$$",
    )
    execute(dsn, "CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON companies FOR EACH ROW EXECUTE FUNCTION spoil()")
    execute(dsn, "ALTER TABLE companies ENABLE ALWAYS TRIGGER spoil")
    with pytest.raises(PlanError, match="Triggers would fire") as refused:
        apply(dsn, tmp_path)
    assert "spoil on public.companies" in str(refused.value)
    apply(dsn, tmp_path, PLAN + "        triggers: off\n")
    same(dsn, old)
    assert one(dsn, "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'spoil'") == "A"
    assert one(dsn, "INSERT INTO companies (title) VALUES ('x') RETURNING title") == "spoilt"


def test_a_row_that_is_refused_does_not_keep_the_others(shop: tuple[str, str], tmp_path: Path) -> None:
    dsn, old = shop
    execute(dsn, "ALTER TABLE bookings ADD CONSTRAINT no_cut CHECK (what <> 'cut 4000')")
    with pytest.raises(DatabaseError, match="1 rows still differ") as refused:
        apply(dsn, tmp_path)
    assert "no_cut" in str(refused.value)
    assert "cut 4000" not in str(refused.value)
    assert one(dsn, "SELECT count(*) FROM bookings") == 4999
    execute(old, "UPDATE bookings SET what = 'fine' WHERE what = 'cut 4000'")
    apply(dsn, tmp_path)
    same(dsn, old)


@pytest.mark.parametrize(
    ("old_sql", "new_sql", "says"),
    [
        ("CREATE TABLE t (id int PRIMARY KEY, more int)", "CREATE TABLE t (id int PRIMARY KEY)", "no column more"),
        ("CREATE TABLE t (id int)", "CREATE TABLE t (id int)", "has no primary key"),
        ("CREATE TABLE x (id int)", "CREATE TABLE t (id int PRIMARY KEY)", "there is no table"),
        (
            "CREATE TABLE t (id int)",
            "CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL)",
            "yields nothing for column v",
        ),
        ("CREATE TABLE t (id int)", "CREATE VIEW t AS SELECT 1 AS id", "is no table"),
        ("CREATE TABLE t (v int)", "CREATE TABLE t (id serial PRIMARY KEY, v int)", "Column id of the key"),
    ],
)
@pytest.mark.one_server
def test_what_does_not_fit_is_refused(
    dsn: str, old: str, tmp_path: Path, old_sql: str, new_sql: str, says: str
) -> None:
    execute(old, old_sql)
    execute(dsn, new_sql)
    with pytest.raises(PlanError, match=says):
        apply(dsn, tmp_path, PLAN.replace(TABLES, "[public.t]"))


@pytest.mark.one_server
def test_the_address_is_looked_for_and_never_shown(
    shop: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(PlanError, match=f"Environment variable {VARIABLE} is not set"):
        apply(shop[0], tmp_path)
    monkeypatch.setenv(VARIABLE, "postgresql://u:s3cret@127.0.0.1:1/x")
    with pytest.raises(LockgateError) as refused:
        apply(shop[0], tmp_path)
    assert "s3cret" not in str(refused.value)
    assert "u@127.0.0.1:1/x" in str(refused.value)


@pytest.mark.one_server
def test_keys_that_a_select_yields_twice_are_refused(dsn: str, old: str, tmp_path: Path) -> None:
    execute(dsn, "CREATE TABLE t (id int PRIMARY KEY)")
    plan = PLAN.replace(TABLES, "[public.t]") + "        select: {public.t: SELECT 1 AS id UNION ALL SELECT 1}\n"
    with pytest.raises(PlanError, match="two rows of one key"):
        apply(dsn, tmp_path, plan)


@pytest.mark.one_server
def test_another_encoding_and_another_order_of_texts(dsn: str, old: str, tmp_path: Path, monkeypatch: Any) -> None:
    name = f"{one(old, 'SELECT current_database()')}_latin"
    execute(old, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    latin = make_conninfo(in_database(old, name), client_encoding="UTF8")
    try:
        table = "CREATE TABLE t (k text PRIMARY KEY, v varchar(9), j jsonb, e text[])"
        execute(dsn, table)
        execute(latin, table)
        execute(
            latin,
            """INSERT INTO t SELECT chr(c) || n, 'ü' || n, '{"é": 1}', '{ß}'
            FROM generate_series(192, 255) c, generate_series(1, 9) n WHERE chr(c) ~ '.'""",
        )
        monkeypatch.setenv(VARIABLE, latin)
        plan = PLAN.replace(TABLES, "[public.t]")
        apply(dsn, tmp_path, plan)
        same(dsn, latin, '(SELECT * FROM t ORDER BY k COLLATE "C")')
        execute(latin, "UPDATE t SET v = 'ö' WHERE k = 'é3'; DELETE FROM t WHERE k = 'é4'")
        apply(dsn, tmp_path, plan + LATER)
        assert [each["found"] for each in facts(dsn, "last")["passes"]] == [2, 0]
        same(dsn, latin, '(SELECT * FROM t ORDER BY k COLLATE "C")')
    finally:
        execute(old, f"DROP DATABASE {name} WITH (FORCE)")
