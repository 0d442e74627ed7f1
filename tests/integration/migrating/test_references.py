"""A foreign key that the server would refuse is found before the first file is applied."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.clock import SystemClock
from lockgate.errors import PlanError
from lockgate.plan.load import LoadedPlan, load_plan
from lockgate.preview import preview
from tests.integration.engine.plans import one, sessions

PLAN = """
plan: memory
migrations: {path: ../migrations}
phases:
  - id: tables
    steps: [{migrate: 20260102000000_second}]
"""
BEFORE = """
CREATE TABLE "Lead" (id uuid PRIMARY KEY, "Number" bigint UNIQUE, code varchar(20) UNIQUE);
CREATE TABLE parts (a int, b text, PRIMARY KEY (b, a));
"""


def plan(folder: Path, second: str) -> LoadedPlan:
    """Two migrations: one that is well, and this one."""
    files = {
        "20260101000000_first": 'CREATE TABLE "Note" (id uuid PRIMARY KEY, word text)',
        "20260102000000_second": second,
    }
    for name, text in files.items():
        (folder / "migrations" / name).mkdir(parents=True)
        (folder / "migrations" / name / "migration.sql").write_text(text)
    (folder / "migrations" / "migration_lock.toml").write_text('provider = "postgresql"\n')
    (folder / "plan").mkdir()
    (folder / "plan" / "plan.yaml").write_text(PLAN)
    return load_plan(folder / "plan")


def make(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(BEFORE.encode())


REFUSED = {
    "of a column": ('CREATE TABLE "C" (lead text REFERENCES "Lead")', '"C"."lead" is text', "1:40"),
    "of a table": (
        'CREATE TABLE "C" (lead text,\nFOREIGN KEY (lead) REFERENCES "Lead" (id))',
        '"C"."lead" is text, and "Lead"."id", to which it would refer, is uuid',
        "2:31",
    ),
    "of a new column": ('ALTER TABLE "Lead" ADD "é" text REFERENCES "Note" (id)', '"Lead"."é" is text', "1:44"),
    "of a column that is there": (
        'ALTER TABLE "Lead" ADD CONSTRAINT f FOREIGN KEY ("Number") REFERENCES "Note" (id)',
        '"Lead"."Number" is bigint',
        "1:71",
    ),
    "to a column of another file": (
        'CREATE TABLE "C" (w uuid REFERENCES "Note" (word))',
        '"C"."w" is uuid, and "Note"."word", to which it would refer, is text',
        "1:37",
    ),
    "of a type that was changed": (
        "CREATE TABLE c (lead uuid); ALTER TABLE c ALTER lead TYPE text;\n"
        'ALTER TABLE c ADD FOREIGN KEY (lead) REFERENCES "Lead"',
        '"c"."lead" is text',
        "2:49",
    ),
    "of two columns": (
        "CREATE TABLE c (x int, y text, FOREIGN KEY (x, y) REFERENCES parts)",
        '"c"."x" is int, and "parts"."b"',
        "1:62",
    ),
    "to a name without quotes": ("CREATE TABLE c (lead uuid REFERENCES Lead)", 'There is no table "lead"', "1:38"),
    "of a name without quotes": ("ALTER TABLE Note ADD x int", 'There is no table "note"', "1:13"),
}


@pytest.mark.parametrize(("second", "what", "place"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_before_anything_is_applied(
    dsn: str, tmp_path: Path, second: str, what: str, place: str
) -> None:
    make(dsn)
    loaded = plan(tmp_path, second)
    (problem,) = preview(loaded, sessions(dsn), SystemClock()).problems
    with pytest.raises(PlanError) as raised:
        runner.apply(loaded, sessions(dsn))
    for error in (problem, raised.value):
        assert error.what.startswith(what)
        assert (error.where or "").endswith(f"20260102000000_second/migration.sql:{place}")
        assert "Nothing was applied" in (error.hint or "")
    assert one(dsn, "SELECT count(*) FROM _prisma_migrations") == 0
    assert one(dsn, "SELECT to_regclass('\"Note\"')") is None


def test_a_name_without_its_quotes_is_given_with_them(dsn: str, tmp_path: Path) -> None:
    make(dsn)
    with pytest.raises(PlanError) as raised:
        runner.apply(plan(tmp_path, "CREATE TABLE c (lead uuid REFERENCES Lead)"), sessions(dsn))
    assert (raised.value.hint or "").startswith('Did you mean "Lead", with its quotes?')


FITS = {
    "the same type": 'CREATE TABLE c (lead uuid REFERENCES "Lead")',
    "integers": 'CREATE TABLE c (n serial REFERENCES "Lead" ("Number"))',
    "texts": 'CREATE TABLE c (code text REFERENCES "Lead" (code))',
    "two columns": "CREATE TABLE c (x text, y bigint, FOREIGN KEY (x, y) REFERENCES parts)",
    "a type of the same file": 'CREATE DOMAIN d AS uuid; CREATE TABLE c (lead d REFERENCES "Lead")',
    "an enum of the same file": (
        "CREATE TYPE e AS ENUM ('a'); CREATE TABLE p (x e PRIMARY KEY); CREATE TABLE c (x e REFERENCES p)"
    ),
    "made out of sight": (
        "DO $$ BEGIN CREATE TABLE hidden (id int PRIMARY KEY); END $$; CREATE TABLE c (h int REFERENCES hidden)"
    ),
    "renamed": 'ALTER TABLE "Note" RENAME TO notes; CREATE TABLE c (n uuid REFERENCES notes)',
    "there already": 'CREATE TABLE IF NOT EXISTS "Lead" (id text); CREATE TABLE c (lead uuid REFERENCES "Lead")',
    "itself": "CREATE TABLE c (id bigint PRIMARY KEY, parent int REFERENCES c)",
    "if it is there": "ALTER TABLE IF EXISTS nothing ADD x int",
}


@pytest.mark.parametrize("second", FITS.values(), ids=FITS)
def test_what_fits_is_applied(dsn: str, tmp_path: Path, second: str) -> None:
    make(dsn)
    runner.apply(plan(tmp_path, second), sessions(dsn))
    assert one(dsn, "SELECT count(*) FROM _prisma_migrations") == 2
