"""A plan is rehearsed on a copy: on the server of the test, in a database that is gone afterwards."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from lockgate.backup.make import make
from lockgate.cli.main import cli
from lockgate.engine import runner
from lockgate.engine.clock import SystemClock
from lockgate.errors import ExitCode, LockgateError, UsageError
from lockgate.ledger import install
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.rehearse.copy import Settings, copied
from lockgate.rehearse.running import Rehearsed, Undo, rehearse
from lockgate.rehearse.tracing import TracedStep
from tests.integration.engine.plans import Told, one, rows, sessions, write_plan
from tests.integration.migrating.test_migrate_step import FILES, project
from tests.integration.steps import retiring

SHOP = """
CREATE TYPE public.mood AS ENUM ('fine', 'bad');
CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
CREATE TABLE public."Customer" (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, state text NOT NULL
    CHECK (state IN ('new', 'it''s')), mood public.mood, born date NOT NULL, referrer int REFERENCES public."Customer",
    size public.positive NOT NULL, twice int GENERATED ALWAYS AS (id * 2) STORED
);
CREATE TABLE public.orders (
    id bigint PRIMARY KEY, customer int NOT NULL REFERENCES public."Customer", total numeric(8, 2) NOT NULL,
    note varchar(20), CHECK (total < 150)
);
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.refuse();
ALTER TABLE public.orders DISABLE TRIGGER refuse;
INSERT INTO public."Customer" (email, state, mood, born, size)
    SELECT 'secret' || i || '@example.org', 'new', 'fine', date '1980-01-01' + i, i FROM generate_series(1, 300) i;
INSERT INTO public.orders SELECT i, 1 + i % 300, i % 100, 'secretive ' || i FROM generate_series(1, 600) i;
ANALYZE;
"""
PLAN = """
phases:
  - id: prepare
    before: [{command: ["false"], title: the sky is blue}]
    steps:
      - sql: >-
          ALTER TABLE orders ALTER COLUMN note TYPE text USING note || '';
          CREATE TABLE contacts (id bigint PRIMARY KEY, email text)
        id: widen
    undo: [{sql: "DROP TABLE IF EXISTS contacts; ALTER TABLE orders ALTER COLUMN note TYPE varchar(20)"}]
  - id: fill
    before: [{soak: {since: prepare, for: 90d}}]
    steps:
      - map: contacts
        from: public.orders
        select: SELECT o.id, o.note AS email FROM public.orders o
        into: public.contacts
        key: [id]
"""


@pytest.fixture
def shop(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(SHOP.encode())
    return dsn


def run(loaded: LoadedPlan, dsn: str, most: int = 50) -> Rehearsed:
    return rehearse(
        loaded, sessions(dsn), Settings(on=dsn, rows=most), progress=Told(), clock=SystemClock(), stop=threading.Event()
    )


def step(found: Rehearsed, name: str) -> TracedStep:
    return next(each.step for each in found.steps if each.step.step == name)


def scratch(dsn: str) -> list[tuple[Any, ...]]:
    """The copies that are left; those of another process that tests on this server still have their maker's session."""
    return rows(
        dsn,
        "SELECT d.datname FROM pg_database d WHERE d.datname LIKE 'lockgate_scratch%' AND NOT EXISTS "
        "(SELECT FROM pg_stat_activity a WHERE a.application_name LIKE '%scratch:' || d.datname || '%')",
    )


def test_a_plan_is_applied_taken_back_and_applied_again(shop: str, tmp_path: Path) -> None:
    found = run(write_plan(tmp_path, PLAN), shop)
    assert (found.failure, found.remarks) == (None, ())
    assert found.good
    assert not replace(found, undone=(Undo("prepare", True, again=("index i: is missing",)),)).good
    locks = {lock.relation: lock for lock in step(found, "widen").locks}
    assert (locks["public.orders"].mode, locks["public.orders"].exact) == ("AccessExclusiveLock", True)
    assert step(found, "widen").rewritten == ("public.orders",)
    assert [(each.how, each.phase) for each in found.gates] == [
        ("passed over", "prepare"),
        ("time was let pass", "fill"),
    ]
    assert [(each.phase, each.undone, each.left, each.again) for each in found.undone] == [
        ("prepare", True, (), ()),
        ("fill", True, (), ()),
    ]
    assert found.steps[0].factor == 12.0  # 600 rows there, 50 here
    assert one(shop, "SELECT to_regclass('lockgate.phases')") is None, "something was written to the source"
    assert one(shop, "SELECT to_regclass('public.contacts')") is None


CHECKED = """
phases:
  - id: one
    steps: [{sql: "ALTER TABLE orders ADD COLUMN extra int"}]
    after:
      - {query: "SELECT count(*) FROM orders WHERE total = 77", at_least: 1, title: a certain total}
      - {objects: {columns: {public.orders.extra: EXTRA}}}
    undo: [{sql: "ALTER TABLE orders DROP COLUMN extra"}]
"""
SPARED = "a certain total: 0, and it must be at least 1"


def test_a_check_of_values_stops_nothing_on_generated_rows_and_is_told(shop: str, staging: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, CHECKED.replace("EXTRA", "integer"))
    found = run(loaded, shop, most=1)
    assert found.good
    assert [(each.phase, each.what) for each in found.checks_spared] == [("one", SPARED)]
    assert json.loads(json.dumps(found.to_json()))["checks_spared"][0]["phase"] == "one"
    wrong = run(write_plan(tmp_path / "wrong", CHECKED.replace("EXTRA", "text")), shop, most=1)
    assert wrong.failure is not None
    assert "1 of 2 checks" in wrong.failure.what
    wanted = Settings(on=shop, template=staging)
    with psycopg.connect(shop, autocommit=True, dbname=staging) as conn:
        conn.execute("UPDATE public.orders SET total = 78 WHERE total = 77")
    real = rehearse(loaded, sessions(shop), wanted, progress=Told(), clock=SystemClock(), stop=threading.Event())
    assert (real.good, real.checks_spared) == (False, ())
    assert real.failure is not None
    assert "a certain total" in (real.failure.why or "")


NORMALISED = """
phases:
  - id: tidy
    steps:
      - normalise: notes
        table: public.notes
        key: [id]
        columns: {note: {as: upper}}
        unique: [person]
    after:
      - reconcile: notes
"""


def test_generated_values_are_normalised_and_put_back_and_may_collide(dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE public.notes (id int PRIMARY KEY, person int, note text, phone text)")
        conn.execute("INSERT INTO public.notes SELECT i, i % 5, 'Ana ' || i FROM generate_series(1, 300) i")
        conn.execute("ANALYZE public.notes")
    found = run(write_plan(tmp_path, NORMALISED), dsn)
    assert (found.failure, found.good) == (None, True)
    assert "collide under (person)" in found.checks_spared[0].what
    assert [(each.phase, each.undone, each.left, each.again) for each in found.undone] == [("tidy", True, (), ())]


def test_an_undo_that_does_not_restore_is_named(shop: str, tmp_path: Path) -> None:
    plan = """
    phases:
      - id: one
        steps: [{sql: "ALTER TABLE orders ADD COLUMN IF NOT EXISTS extra int; DROP TRIGGER IF EXISTS refuse ON orders"}]
        undo: [{sql: "ALTER TABLE orders DROP COLUMN IF EXISTS extra"}]
    """
    found = run(write_plan(tmp_path, plan), shop)
    assert not found.good
    assert found.undone[0].left == ("trigger public.orders.refuse: is missing",)


def test_a_phase_without_undo_and_one_that_fails_are_told(shop: str, tmp_path: Path) -> None:
    plan = """
    phases:
      - {id: one, steps: [{sql: "ALTER TABLE orders ADD COLUMN extra int"}]}
      - {id: two, steps: [{sql: "ALTER TABLE orders ADD COLUMN extra int"}], undo: []}
    """
    found = run(write_plan(tmp_path, plan), shop)
    assert (found.undone[0].phase, found.undone[0].undone) == ("one", False)
    assert found.failure is not None
    assert (found.failure.phase, found.failure.doing) == ("two", "apply")
    assert "already exists" in f"{found.failure.what} {found.failure.why}"
    assert scratch(shop) == []


def test_no_text_of_the_source_is_in_the_copy_and_its_shape_is(shop: str, tmp_path: Path) -> None:
    wanted = Settings(on=shop, rows=200)
    with copied(write_plan(tmp_path, PLAN), sessions(shop), wanted, Told()) as copy:
        made = copy.sessions.dsn
        assert {each.table: (each.rows, each.left_out, each.production) for each in copy.tables} == {
            'public."Customer"': (200, 0, 300),
            "public.orders": (200, 0, 600),
        }
        texts = 'SELECT email FROM "Customer" UNION ALL SELECT note FROM orders WHERE note IS NOT NULL'
        assert rows(made, f"SELECT * FROM ({texts}) t(v) WHERE v LIKE '%secret%'") == []
        assert rows(made, 'SELECT DISTINCT state FROM "Customer" ORDER BY 1') == [("new",)]
        bounds = (
            "SELECT min(born) >= '1980-01-01', max(born) < '1981-01-01', count(DISTINCT born) > 100 FROM \"Customer\""
        )
        assert rows(made, bounds) == [(True, True, True)]
        assert one(made, "SELECT tgenabled FROM pg_trigger WHERE tgname = 'refuse'") == one(
            shop, "SELECT tgenabled FROM pg_trigger WHERE tgname = 'refuse'"
        )
        given = "INSERT INTO \"Customer\" (email, state, born, size) VALUES ('e', 'new', now(), 1) RETURNING id > 200"
        assert one(made, given) is True
    assert scratch(shop) == []


ODD = """
CREATE TABLE odd (id int PRIMARY KEY, CHECK (id % 4 <> 0));
CREATE TABLE never (a text NOT NULL CHECK (a ~ '^x-y$'));
INSERT INTO odd SELECT i FROM generate_series(1, 99) i WHERE i % 4 <> 0;
INSERT INTO never VALUES ('x-y'), ('x-y');
ANALYZE;
"""


def test_what_breaks_a_constraint_is_left_out_and_counted(dsn: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(ODD)
    with copied(write_plan(tmp_path, PLAN), sessions(dsn), Settings(on=dsn, rows=40), Told()) as copy:
        told = {each.table: each for each in copy.tables}
    odd, never = told["public.odd"], told["public.never"]
    assert (odd.rows + odd.left_out, odd.why) == (40, "refused by odd_id_check")
    assert odd.rows >= 20
    assert (never.rows, never.left_out, never.why) == (0, 2, "refused by never_a_check")


def test_what_the_copys_server_lacks_is_named_before_anything_is_made(shop: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    with psycopg.connect(shop, autocommit=True) as conn:  # as a server without its files would have it
        conn.execute("UPDATE pg_extension SET extname = 'postgis_of_ours' WHERE extname = 'plpgsql'")
    with pytest.raises(LockgateError, match="extension postgis_of_ours") as refused:
        run(loaded, shop)
    assert refused.value.hint
    assert scratch(shop) == []


def test_a_folder_of_migrations_goes_on_from_its_history(dsn: str, tmp_path: Path) -> None:
    # The row that the original inserts stays after its down, and could not be inserted again: a rehearsal finds that.
    loaded = project(tmp_path, {**FILES, "0002_names.up": "ALTER TABLE things ADD COLUMN name text;"})
    first = replace(loaded, plan=loaded.plan.model_copy(update={"phases": loaded.plan.phases[:1], "plan": "other"}))
    runner.apply(first, sessions(dsn))
    found = run(loaded, dsn)
    assert (found.failure, found.good) == (None, True)
    assert found.remarks == ("the rows of public._sqlx_migrations were copied: the history of the migrations (1)",)
    assert [each.step.built for each in found.steps if each.step.phase == "second"] == [("public.things_name",)]


def test_a_plan_that_has_begun_is_refused(dsn: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, "phases: [{id: one, steps: [{sql: SELECT 1}], undo: []}]")
    runner.apply(loaded, sessions(dsn))
    with pytest.raises(UsageError, match="has begun"):
        run(loaded, dsn)


def test_nothing_is_left_when_it_is_stopped(shop: str, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(LockgateError, match="stopped"):
        rehearse(
            write_plan(tmp_path, PLAN), sessions(shop), Settings(on=shop, rows=5),
            progress=Told(), clock=SystemClock(), stop=stop,
        )  # fmt: skip
    assert scratch(shop) == []


def test_a_copy_from_another_database_is_refused(dsn: str, tmp_path: Path) -> None:
    plan = """
    phases:
      - id: one
        steps: [{copy: old, from: OLD_DATABASE_URL, tables: [public.t]}]
    """
    with pytest.raises(UsageError, match="copies from another database"):
        run(write_plan(tmp_path, plan), dsn)


def test_a_backup_is_restored_instead(shop: str, tmp_path: Path) -> None:
    with psycopg.connect(shop, autocommit=True) as conn:
        install(conn)
    made = make(sessions(shop), tmp_path, "shop")
    found = rehearse(
        write_plan(tmp_path / "plan", PLAN), sessions(shop), Settings(on=shop, restore=made.folder),
        progress=Told(), clock=SystemClock(), stop=threading.Event(),
    )  # fmt: skip
    assert (found.failure, found.good) == (None, True)
    assert {each.table: each.rows for each in found.tables}["public.orders"] == 600


def test_what_a_backup_has_otherwise_is_told_and_not_taken_for_a_rehearsal_of_the_present_schema(
    shop: str, tmp_path: Path
) -> None:
    made = make(sessions(shop), tmp_path, "shop")
    with psycopg.connect(shop, autocommit=True) as conn:
        conn.execute("ALTER TABLE public.orders ADD COLUMN later int")
    found = rehearse(
        write_plan(tmp_path / "plan", PLAN), sessions(shop), Settings(on=shop, restore=made.folder),
        progress=Told(), clock=SystemClock(), stop=threading.Event(),
    )  # fmt: skip
    assert found.remarks == ("not as in the source: column public.orders.later: is missing",)
    assert found.schema_digest != run(write_plan(tmp_path / "plan", PLAN), shop, most=1).schema_digest


@pytest.fixture
def staging(shop: str) -> Iterator[str]:
    """Another database of the same server, with rows of its own and a ledger."""
    name = str(psycopg.conninfo.conninfo_to_dict(shop)["dbname"])
    stage = f'Stage "ä" of {name}'  # another process tests on the same server
    with psycopg.connect(shop, autocommit=True, dbname="postgres") as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(stage), sql.Identifier(name)))
        with psycopg.connect(shop, autocommit=True, dbname=stage) as staged:
            install(staged)
            staged.execute("DELETE FROM public.orders WHERE id > 500")
        yield stage
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(stage)))


def test_another_database_is_copied_instead(shop: str, staging: str, tmp_path: Path) -> None:
    loaded = write_plan(tmp_path, PLAN)
    wanted = Settings(on=shop, template=staging)
    found = rehearse(loaded, sessions(shop), wanted, progress=Told(), clock=SystemClock(), stop=threading.Event())
    assert (found.failure, found.remarks, found.good) == (None, (), True)
    assert {each.table: each.rows for each in found.tables}["public.orders"] == 500
    with psycopg.connect(shop, dbname=staging), pytest.raises(LockgateError, match="cannot be copied") as refused:
        rehearse(loaded, sessions(shop), wanted, progress=Told(), clock=SystemClock(), stop=threading.Event())
    assert "being accessed by other users" in (refused.value.why or "")
    assert "nobody may be connected to it" in (refused.value.hint or "")
    assert scratch(shop) == []


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--template", "stage"], "by its own server only"),
        (["--template", "stage", "--on", "postgresql://h/d", "--restore", "."], "The rows come from one place"),
    ],
)
def test_rows_from_two_places_are_refused(words: list[str], what: str, tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    ended = CliRunner().invoke(cli, ["rehearse", str(tmp_path), "--database", "postgresql://h/d", *words])
    assert ended.exit_code == ExitCode.USAGE
    assert what in ended.output


@pytest.mark.parametrize("amount", ["0", "-1", "ten", "0%", "101%", "nan%", "%", ""])
def test_what_is_no_number_of_rows_is_refused(amount: str, tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    ended = CliRunner().invoke(cli, ["rehearse", str(tmp_path), "--database", "postgresql://h/d", "--rows", amount])
    assert ended.exit_code == ExitCode.USAGE
    assert f"`{amount}` is no number of rows" in ended.output
    assert "--rows 10%" in ended.output


def test_a_share_of_the_rows_can_be_asked_for(shop: str, tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    file = tmp_path / "found.json"
    words = ["rehearse", str(tmp_path), "--database", shop, "--on", shop, "--rows", "50%", "--output", str(file)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    made = {table["table"]: table["rows"] for table in json.loads(file.read_text())["tables"]}
    assert made == {'public."Customer"': 200, "public.orders": 300}


def test_the_command_tells_and_writes_what_was_found(shop: str, tmp_path: Path) -> None:
    write_plan(tmp_path, PLAN)
    file = tmp_path / "found.json"
    words = ["rehearse", str(tmp_path), "--database", shop, "--on", shop, "--rows", "5", "--output", str(file)]
    ended = CliRunner().invoke(cli, words)
    assert ended.exit_code == 0, ended.output
    assert "AccessExclusiveLock on public.orders for at most" in ended.output
    assert "undo of prepare: restores what was before" in ended.output
    said = json.loads(file.read_text())
    assert (said["good"], said["plan_digest"], len(said["schema_digest"])) == (True, load_plan(tmp_path).digest, 64)


def test_what_readers_and_writers_feel_is_told_for_each_step(shop: str, tmp_path: Path) -> None:
    plan = """
    phases:
      - id: one
        steps:
          - {sql: "LOCK TABLE orders; SELECT pg_sleep(0.4)", id: closed}
          - {sql: "SELECT pg_sleep(0.4)", id: open}
          - {sql: "ALTER TABLE orders RENAME TO purchases; SELECT pg_sleep(0.2)", id: renamed}
          - {sql: "SELECT pg_sleep(0.4)", id: after}
        undo: [{sql: "ALTER TABLE IF EXISTS purchases RENAME TO orders"}]
    """
    with psycopg.connect(shop, autocommit=True) as conn:
        conn.execute("ALTER TABLE orders ENABLE TRIGGER refuse; CREATE TABLE shut (x int)")
        conn.execute("INSERT INTO shut VALUES (1); ANALYZE shut")
        conn.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never'; END $$")
        conn.execute("CREATE TRIGGER no BEFORE UPDATE ON shut FOR EACH ROW EXECUTE FUNCTION no()")
    found = run(write_plan(tmp_path, plan), shop)
    assert found.good, found.faults
    felt = {(each.step.step, one.relation, one.what): one for each in found.steps for one in each.step.felt}
    for what in ("read", "write"):
        assert felt["closed", "public.orders", what].longest >= 0.3
        assert felt["open", "public.orders", what].longest < 0.3
        assert felt["open", "public.orders", what].statements >= 2
        after = felt["after", "public.orders", what]
        assert (after.failed, after.why) == (after.statements, 'relation "public.orders" does not exist')
        assert felt["after", 'public."Customer"', what].failed == 0
    assert ("open", "public.shut", "read") in felt
    assert ("open", "public.shut", "write") not in felt
    assert "nobody could write public.shut before the plan: never" in found.remarks
    locks = {lock.relation for lock in step(found, "open").locks}
    assert locks == set(), "the traffic's own locks are none of the plan's"


def test_what_traffic_writes_keeps_no_transform_from_being_taken_back(dsn: str, tmp_path: Path) -> None:
    """It writes what is there already, so that no row counts as changed by the application."""
    plan = """
    phases:
      - id: fill
        steps:
          - transform: doubled
            table: public.t
            key: [id]
            from: public.t
            select: SELECT t.id, 2 * t.id AS twice FROM public.t t
            keep_before: true
    """
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE t (id int PRIMARY KEY, twice int); INSERT INTO t SELECT generate_series(1, 99)")
        conn.execute("ANALYZE t")
    found = run(write_plan(tmp_path, plan), dsn)
    assert (found.failure, found.faults) == (None, ())
    assert [(each.undone, each.why) for each in found.undone] == [(True, None)]
    (felt,) = [each for each in found.steps[0].step.felt if each.what == "write"]
    assert felt.statements > 0


def test_the_table_of_before_a_rewrite_is_not_missed(shop: str, tmp_path: Path) -> None:
    plan = """
    phases:
      - id: smaller
        steps: [{rewrite: customers, table: 'public."Customer"'}]
      - id: settled
        steps: [{close: customers}]
    """
    found = run(write_plan(tmp_path, plan), shop)
    assert (found.failure, found.faults) == (None, ())
    assert [(each.phase, each.undone) for each in found.undone] == [("smaller", True), ("settled", True)]
    locked = {lock.relation for lock in step(found, "customers").locks if lock.mode == "AccessExclusiveLock"}
    assert {'public."Customer"', "public.orders"} <= locked


def test_tables_are_dropped_with_real_backups_of_the_copy(dsn: str, tmp_path: Path) -> None:
    """Its one undo that there is not is told, and the phase behind it is still rehearsed."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(retiring.SETUP.encode())
        conn.execute("ANALYZE")
    behind = "  - {id: behind, steps: [{sql: CREATE TABLE core.b ()}], undo: [{sql: DROP TABLE core.b}]}\n"
    found = run(write_plan(tmp_path, retiring.PLAN.format(allow="", named="") + behind), dsn)
    assert found.failure is None
    assert found.good
    assert [each.how for each in found.gates if each.phase == "drop"] == [
        "passed over",
        "a backup of the copy was made",
        "a backup of the copy was made",
        "time was let pass",
    ]
    assert [(undo.phase, undo.undone) for undo in found.undone] == [
        ("retire", True),
        ("later", True),
        ("drop", False),
        ("behind", True),
    ]
    assert "it dropped 2 tables for good" in (found.undone[2].why or "")
    assert one(dsn, "SELECT count(*) FROM core.phones") == 3
    assert scratch(dsn) == []


def test_backups_that_a_killed_rehearsal_left_are_removed_by_the_next(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with copied(write_plan(tmp_path / "plan", PLAN), sessions(shop), Settings(on=shop, rows=1), Told()) as copy:
        left = copy.folder.with_name(f"{copy.folder.name}-killed")
        left.mkdir()
        (left / "owner").touch()  # nobody holds its lock
    with copied(load_plan(tmp_path / "plan"), sessions(shop), Settings(on=shop, rows=1), Told()):
        assert not left.exists()
