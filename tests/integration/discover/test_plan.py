"""The plan that a discovery writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.discover import planning
from lockgate.errors import UsageError
from lockgate.plan.load import load_plan
from lockgate.plan.models import AnalyzeStep, ConstraintStep, DedupeStep, IndexStep
from tests.integration.discover.looking import analyze, look, short

Conn = psycopg.Connection[Any]


def lockgate(dsn: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": dsn}
    command = [sys.executable, "-m", "lockgate", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)


@pytest.fixture
def leads(conn: Conn) -> Conn:
    """Telephones that a lead has twice, one of no lead in another table, no index, no statistics."""
    conn.execute('CREATE TABLE leads (id int PRIMARY KEY, "E-mail" text, name text, note text)')
    conn.execute("INSERT INTO leads SELECT n, NULL, 'n', 'n' FROM generate_series(1, 500) n")
    conn.execute(
        "CREATE TABLE lead_phones "
        "(id int PRIMARY KEY, lead_id int NOT NULL, phone text, created_at timestamptz NOT NULL)"
    )
    conn.execute(
        "INSERT INTO lead_phones SELECT n, 1 + n % 500, '11' || n, '2020-01-01' FROM generate_series(1, 2000) n"
    )
    conn.execute("INSERT INTO lead_phones SELECT 2000 + n, 1 + n, '11' || n, '2021-01-01' FROM generate_series(1, 7) n")
    conn.execute("CREATE TABLE calls (id int PRIMARY KEY, lead_id int, zip_code text)")
    conn.execute("INSERT INTO calls SELECT n, n, lpad(n::text, 8, '0') FROM generate_series(1, 400) n")
    conn.execute("INSERT INTO calls VALUES (501, 9001, 'x')")
    conn.execute("CREATE TABLE notes (id int PRIMARY KEY, lead_id int NOT NULL REFERENCES leads, note text)")
    conn.execute("INSERT INTO notes SELECT n, 1 + n % 500, 'n' FROM generate_series(1, 1500) n")
    conn.execute("CREATE TABLE lead_emails (lead_id int REFERENCES leads, email text)")
    conn.execute("INSERT INTO lead_emails SELECT n, n || '@b.example' FROM generate_series(1, 300) n")
    conn.execute("INSERT INTO lead_emails VALUES (5, '5@b.example')")
    analyze(conn)
    conn.execute("ALTER TABLE calls SET (autovacuum_enabled = off)")
    conn.execute("INSERT INTO calls SELECT 1000 + n, 1 + n % 500, NULL FROM generate_series(1, 900) n")
    return conn


def test_it_loads_passes_lint_and_mends_what_was_found(leads: Conn, dsn: str, tmp_path: Path) -> None:
    folder = tmp_path / "mend"
    done = lockgate(dsn, "discover", "--write-plan", folder, "--fail-on", "never")
    assert done.returncode == 0, done.stderr
    text = (folder / "plan.yaml").read_text()
    assert "# DB201 7 rows of public.lead_phones are too many" in text
    assert "# DB402 1,300 of 1,301 values of public.calls.lead_id are keys of public.leads" in text
    assert "First: the rows of public.calls that refer to none have to go" in text
    assert "First: public.lead_emails needs a primary key." in text
    loaded = load_plan(folder)
    steps = [step for phase in loaded.plan.phases for step in phase.steps]
    assert [step.dedupe for step in steps if isinstance(step, DedupeStep)] == ["public.lead_phones"]
    assert {type(step) for step in steps} == {AnalyzeStep, ConstraintStep, DedupeStep, IndexStep}
    linted = lockgate(dsn, "lint", folder)
    assert linted.returncode == 0, linted.stdout
    applied = lockgate(dsn, "apply", folder)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    left = short(look(dsn).findings)
    assert {found for found in left if "lead_phones" in found or "notes" in found} == set()
    assert not any(found.startswith("DB102") for found in left)
    stayed = leads.execute("SELECT count(*), max(created_at)::date::text FROM lead_phones").fetchone()
    assert stayed == (2000, "2020-01-01")


PEOPLE = """
    CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL, up int);
    CREATE TABLE letters (id int PRIMARY KEY, person_id int REFERENCES people);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    INSERT INTO people SELECT n, n || '@a.example', NULL FROM generate_series(1, 300) n;
    INSERT INTO people SELECT 300 + n, n || '@a.example', NULL FROM generate_series(1, 5) n;
"""


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("INSERT INTO people SELECT 400 + n, '', NULL FROM generate_series(1, 40) n", "39 rows more are alike"),
        (
            "CREATE TRIGGER touched BEFORE UPDATE ON letters FOR EACH ROW EXECUTE FUNCTION touch()",
            "acknowledge_triggers: [touched]",
        ),
        ("ALTER TABLE people ADD CONSTRAINT above FOREIGN KEY (up) REFERENCES people", "foreign key above"),
        ("ALTER TABLE letters DROP CONSTRAINT letters_pkey", "public.letters, which refers to it, needs"),
        ("CREATE TABLE heirs () INHERITS (people)", "tables that inherit from public.people"),
    ],
)
def test_duplicates_that_a_step_would_not_remove_rightly_are_left_to_somebody(
    conn: Conn, dsn: str, change: str, first: str
) -> None:
    conn.execute(PEOPLE)
    analyze(conn)
    (found,) = [finding for finding in look(dsn).findings if finding.code == "DB201"]
    assert planning.is_ready(found)
    conn.execute(change.encode())
    (found,) = [finding for finding in look(dsn).findings if finding.code == "DB201"]
    assert found.count == 5
    assert not planning.is_ready(found)
    assert first in found.mend.first


def test_what_refers_to_a_duplicate_without_a_foreign_key_refers_to_the_row_that_stays(
    conn: Conn, dsn: str, tmp_path: Path
) -> None:
    conn.execute('CREATE TABLE "Shop" (id int PRIMARY KEY, "Email" text)')
    conn.execute("CREATE TABLE orders (id int PRIMARY KEY, shop_id int, note text)")
    conn.execute("INSERT INTO \"Shop\" SELECT n, n || '@a.example' FROM generate_series(1, 300) n")
    conn.execute("INSERT INTO \"Shop\" SELECT 300 + n, n || '@a.example' FROM generate_series(1, 5) n")
    conn.execute("INSERT INTO orders SELECT n, 1 + n % 305, 'n' FROM generate_series(1, 1500) n")
    analyze(conn)
    done = lockgate(dsn, "discover", "--write-plan", tmp_path / "mend", "--fail-on", "never")
    assert done.returncode == 0, done.stderr
    applied = lockgate(dsn, "apply", tmp_path / "mend")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    query = (
        'SELECT count(*), count(s.id), (SELECT count(*) FROM "Shop") FROM orders LEFT JOIN "Shop" s ON s.id = shop_id'
    )
    assert conn.execute(query).fetchone() == (1500, 1500, 300)


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("UPDATE letters SET person_id = 9999 WHERE id = 1", "as some rows refer to none"),
        ("ALTER TABLE letters DROP CONSTRAINT letters_pkey", "public.letters needs a primary key"),
        ("ALTER TABLE letters ALTER person_id TYPE text", "no foreign key can keep that"),
        (
            "CREATE TRIGGER touched BEFORE UPDATE ON letters FOR EACH ROW EXECUTE FUNCTION touch()",
            "acknowledge_triggers: [touched]",
        ),
        ("UPDATE people SET up = 1 + id % 30", "refers to itself"),
        ("UPDATE people SET email = 'none' WHERE id < 5", "a value of email that breaks its format"),
    ],
)
def test_duplicates_stay_where_what_refers_to_them_would_not_go_along(
    conn: Conn, dsn: str, change: str, first: str
) -> None:
    conn.execute(PEOPLE.replace("up int", "parent_id int").encode())
    conn.execute("ALTER TABLE letters DROP CONSTRAINT letters_person_id_fkey")
    conn.execute("INSERT INTO letters SELECT n, 1 + n % 305 FROM generate_series(1, 900) n")
    conn.execute(change.replace("SET up", "SET parent_id").encode())
    conn.execute("CREATE TABLE other (id int PRIMARY KEY, person_id int)")
    conn.execute("INSERT INTO other SELECT n, 1 + n % 305 FROM generate_series(1, 900) n")
    analyze(conn)
    text = " ".join(planning.as_text(look(dsn)).replace("#", " ").split())
    steps, _, left = text.partition("What is left")
    assert "dedupe:" not in steps
    assert first in left


@pytest.mark.one_server
def test_a_plan_that_is_there_is_not_written_over(leads: Conn, dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("plan: mine\n")
    with pytest.raises(UsageError, match="There is a plan here already"):
        planning.write(look(dsn), tmp_path)
    assert file.read_text() == "plan: mine\n"


@pytest.mark.one_server
def test_where_nothing_can_be_mended_no_plan_is_written(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No plan was written"):
        planning.write(look(dsn), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.one_server
def test_odd_names_come_through(conn: Conn, dsn: str, tmp_path: Path) -> None:
    conn.execute('CREATE TABLE "Odd: #Näme\'s" ("on" int PRIMARY KEY, "E-mail" text, "e_mail" text)')
    conn.execute(
        "INSERT INTO \"Odd: #Näme's\" SELECT n, 'a' || greatest(n, 2), 'b' || greatest(n, 3) "
        "FROM generate_series(1, 300) n"
    )
    analyze(conn)
    file = planning.write(look(dsn), tmp_path / "odd")
    steps = [step for phase in load_plan(file).plan.phases for step in phase.steps]
    assert [type(step) for step in steps] == [DedupeStep, ConstraintStep, DedupeStep, ConstraintStep]
