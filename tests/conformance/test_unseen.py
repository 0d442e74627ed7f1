"""Schema `lockgate` is none of the application's: what compares models with the database must not stumble over it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.plan.load import load_plan
from tests.integration.engine.plans import sessions
from tests.integration.migrating import django_shop, test_alembic

MODEL = """
from alembic import context
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, pool

models = MetaData()
Table("things", models, Column("id", Integer, index=False, nullable=True), Column("name", Text))
engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)


def include_name(name, type_, parent_names):
    return type_ != "schema" or name != "lockgate"


with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=models{more})
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.fixture
def applied(dsn: str, tmp_path: Path) -> Path:
    """A folder of Alembic's that Lockgate has applied."""
    revisions = {k: v for k, v in test_alembic.STANDARD.items() if k != "b2"}
    test_alembic.project(tmp_path, {**revisions, "c3": ("a1", *revisions["c3"][1:])})
    runner.apply(load_plan(tmp_path / "plan"), sessions(dsn))
    return tmp_path


def check(folder: Path, dsn: str, more: str) -> subprocess.CompletedProcess[str]:
    """What `alembic check` says with this in env.py's `context.configure`."""
    (folder / "alembic" / "env.py").write_text(MODEL.replace("{more}", more))
    return test_alembic.alembic(folder, dsn, "check")


def test_alembic_is_silent_by_default_and_with_include_name(applied: Path, dsn: str) -> None:
    for more in ("", ", include_schemas=True, include_name=include_name"):
        done = check(applied, dsn, more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "No new upgrade operations detected" in done.stdout + done.stderr


def test_alembic_with_all_schemas_would_drop_the_ledger(applied: Path, dsn: str) -> None:
    """Why the documentation gives `include_name`."""
    done = check(applied, dsn, ", include_schemas=True")
    assert done.returncode != 0
    assert "remove_table" in done.stdout + done.stderr
    assert "lockgate" in done.stdout + done.stderr


def test_alembic_still_sees_what_is_not_ours(applied: Path, dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA other")
        conn.execute("CREATE TABLE other.stray (id int)")
    done = check(applied, dsn, ", include_schemas=True, include_name=include_name")
    assert "stray" in done.stdout + done.stderr


def test_django_sees_none_of_it(dsn: str, tmp_path: Path) -> None:
    django_shop.project(tmp_path)
    assert django_shop.apply(dsn, tmp_path).code == 0
    done = django_shop.manage(tmp_path, dsn, "makemigrations", "--check", "--dry-run")
    assert (done.returncode, done.stdout.strip()) == (0, "No changes detected"), done.stderr
    done = django_shop.manage(tmp_path, dsn, "inspectdb")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("class ")] == [
        "class DjangoContentType(models.Model):",
        "class DjangoMigrations(models.Model):",
        "class ShopThing(models.Model):",
    ]
