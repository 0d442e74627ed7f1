"""Alembic's revisions, by Alembic itself: what it would have done, with a transaction for each revision."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.rollback import rollback
from lockgate.errors import DatabaseError, RollbackRefused
from lockgate.history.alembic import Alembic
from lockgate.history.files import FolderError, HistoryError
from lockgate.history.standing import State, look
from lockgate.plan.load import LoadedPlan, load_plan
from tests.integration.engine.plans import one, rows, sessions
from tests.killing import call

ENV = """
from alembic import context
from sqlalchemy import create_engine, pool
import os

url = os.environ.get("ALEMBIC_URL") or context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = '''"""{name}"""

from alembic import op

revision = {name!r}
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade():
    {up}


def downgrade():
    {back}
'''
PLAN = """
settings: {lock_timeout: 200ms, lock_retries: 3}
migrations: {path: ../alembic}
phases:
  - id: first
    steps: [{migrate: a1}]
  - id: second
    steps: [{migrate: c3}]
"""
STANDARD = {
    "a1": (None, "op.execute('CREATE TABLE things (id int)')", "op.execute('DROP TABLE things')"),
    "b2": (
        "a1",
        "with op.get_context().autocommit_block():\n"
        "        op.execute('CREATE INDEX CONCURRENTLY things_id ON things (id)')",
        "op.execute('DROP INDEX things_id')",
    ),
    "c3": ("b2", "op.execute('ALTER TABLE things ADD name text')", "op.execute('ALTER TABLE things DROP name')"),
}
HEADS = "SELECT version_num FROM alembic_version ORDER BY 1"


def project(folder: Path, revisions: Mapping[str, tuple[object, str, str]], plan: str = PLAN) -> Path:
    versions = folder / "alembic" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (folder / "alembic" / "env.py").write_text(ENV)
    (folder / "alembic" / "script.py.mako").write_text("")
    for name, (down, up, back) in revisions.items():
        (versions / f"{name}_x.py").write_text(REVISION.format(name=name, down=down, up=up, back=back))
    (folder / "plan").mkdir(exist_ok=True)
    (folder / "plan" / "plan.yaml").write_text(f"plan: graph{plan}")
    return folder


def loaded(folder: Path) -> LoadedPlan:
    return load_plan(folder / "plan")


def alembic(folder: Path, dsn: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The real tool, in a process of its own."""
    ini = folder / "tool.ini"
    address = dsn.replace("postgresql://", "postgresql+psycopg://").replace("%", "%%")
    ini.write_text(f"[alembic]\nscript_location = {folder}/alembic\nsqlalchemy.url = {address}\n")
    command = [sys.executable, "-m", "alembic.config", "-c", str(ini), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def apply_folder(dsn: str, folder: str) -> None:
    """What the killed processes of these tests do."""
    runner.apply(load_plan(Path(folder)), sessions(dsn))


def test_it_goes_up_and_down_and_alembic_agrees(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, STANDARD)
    runner.apply(loaded(tmp_path), sessions(dsn))
    assert rows(dsn, HEADS) == [("c3",)]
    assert "c3 (head)" in alembic(tmp_path, dsn, "current").stdout
    assert alembic(tmp_path, dsn, "upgrade", "head").returncode == 0
    told = rows(dsn, "SELECT payload ->> 'migration' FROM lockgate.chain WHERE payload ? 'migration' ORDER BY seq")
    assert told == [("a1",), ("b2",), ("c3",)]
    rollback(loaded(tmp_path), sessions(dsn), to="@start", lose_rows=True)
    assert rows(dsn, HEADS) == []
    assert one(dsn, "SELECT to_regclass('things')") is None


def test_either_can_go_on_where_the_other_stopped(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, STANDARD)
    done = alembic(tmp_path, dsn, "upgrade", "a1")
    assert done.returncode == 0, done.stderr
    runner.apply(loaded(tmp_path), sessions(dsn))
    assert rows(dsn, HEADS) == [("c3",)]
    rollback(loaded(tmp_path), sessions(dsn), to="@start", lose_rows=True)
    assert rows(dsn, HEADS) == [("a1",)], "what Alembic had applied before is not ours to take back"
    done = alembic(tmp_path, dsn, "upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert rows(dsn, HEADS) == [("c3",)]


def test_a_revision_that_fails_leaves_those_before_it_stamped(dsn: str, tmp_path: Path) -> None:
    """With Alembic's own default the index of b2 stays, and the history says a1: the next run fails on it."""
    project(tmp_path, {**STANDARD, "c3": ("b2", "op.execute('ALTER TABLE nothing ADD name text')", "pass")})
    with pytest.raises(DatabaseError) as raised:
        runner.apply(loaded(tmp_path), sessions(dsn))
    assert raised.value.where == f"{tmp_path}/alembic/versions/c3_x.py:12:1"
    assert 'relation "nothing" does not exist' in (raised.value.why or "")
    assert rows(dsn, HEADS) == [("b2",)]
    project(tmp_path, STANDARD)
    runner.apply(loaded(tmp_path), sessions(dsn))
    assert rows(dsn, HEADS) == [("c3",)]


@pytest.mark.parametrize("point", ["migrate.commit:1", "migrate.commit:2", "migrate.commit:3"])
def test_a_kill_before_a_commit_is_followed_by_the_rest(dsn: str, tmp_path: Path, point: str) -> None:
    revisions = {**STANDARD, "b2": ("a1", "op.execute('CREATE INDEX things_id ON things (id)')", "pass")}
    project(tmp_path, revisions)
    ended = call("tests.integration.migrating.test_alembic:apply_folder", dsn, str(tmp_path / "plan"), fault=point)
    assert ended.killed, ended.err
    runner.apply(loaded(tmp_path), sessions(dsn))
    assert rows(dsn, HEADS) == [("c3",)]


def test_branches_and_merges_are_followed(dsn: str, tmp_path: Path) -> None:
    revisions = {
        "a1": (None, "op.execute('CREATE TABLE a (x int)')", "op.execute('DROP TABLE a')"),
        "b2": ("a1", "op.execute('CREATE TABLE b (x int)')", "op.execute('DROP TABLE b')"),
        "b3": ("a1", "op.execute('CREATE TABLE c (x int)')", "op.execute('DROP TABLE c')"),
        "c3": (("b2", "b3"), "pass", "pass"),
    }
    project(tmp_path, revisions)
    runner.apply(loaded(tmp_path), sessions(dsn), to="first")
    assert alembic(tmp_path, dsn, "upgrade", "b3").returncode == 0
    with psycopg.connect(dsn) as conn:
        now = look(conn, Alembic(tmp_path / "alembic"))
    assert {e.version: e.state for e in now.entries} == {
        "a1": State.APPLIED,
        "b2": State.LATE if [e.version for e in now.entries].index("b2") < 2 else State.PENDING,
        "b3": State.APPLIED,
        "c3": State.PENDING,
    }
    runner.apply(loaded(tmp_path), sessions(dsn))
    assert rows(dsn, HEADS) == [("c3",)]
    assert "c3 (head)" in alembic(tmp_path, dsn, "current").stdout


def test_the_history_is_written_as_alembic_writes_it_without_running(dsn: str, tmp_path: Path) -> None:
    """For what is adopted or taken back by a plan's own undo."""
    project(tmp_path, {**STANDARD, "d4": ("b2", "pass", "pass"), "e5": (("c3", "d4"), "pass", "pass")})
    tool = Alembic(tmp_path / "alembic")
    known = {each.version: each for each in tool.migrations()}
    with psycopg.connect(dsn) as conn:
        home = tool.home(conn)
        tool.create(conn, home)
        ran = None
        seen = []
        for name in ("a1", "b2", "d4", "c3", "e5"):
            tool.applied(conn, home, known[name], ran)  # type: ignore[arg-type]  # Alembic's table has no time
            seen.append([row[0] for row in conn.execute(HEADS)])
        assert seen == [["a1"], ["b2"], ["d4"], ["c3", "d4"], ["e5"]]
        back = []
        for name in ("e5", "c3", "d4", "b2", "a1"):
            tool.reverted(conn, home, known[name], None)
            back.append([row[0] for row in conn.execute(HEADS)])
        assert back == [["c3", "d4"], ["d4"], ["b2"], ["a1"], []]


def test_a_history_that_the_folder_does_not_know_is_said(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, STANDARD)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        conn.execute("INSERT INTO alembic_version VALUES ('f00d')")
    with pytest.raises(HistoryError) as raised:
        runner.apply(loaded(tmp_path), sessions(dsn))
    assert "f00d is missing" in (raised.value.why or "")


@pytest.mark.parametrize(
    ("revisions", "says"),
    [
        ({**STANDARD, "d4": ("b2", "pass", "pass")}, "has 2 heads"),
        ({**STANDARD, "a1": ("c3", "pass", "pass")}, "ycle"),
        ({**STANDARD, "d4": ("zz", "pass", "pass")}, "zz"),
        ({**STANDARD, "d" * 33: ("c3", "pass", "pass")}, "longer than the 32 characters"),
    ],
)
def test_a_folder_that_alembic_cannot_use_is_refused(
    tmp_path: Path, revisions: Mapping[str, tuple[object, str, str]], says: str
) -> None:
    project(tmp_path, revisions)
    with pytest.raises(FolderError, match=says):
        Alembic(tmp_path / "alembic").migrations()


def test_a_revision_that_is_no_python_is_named_with_its_line(tmp_path: Path) -> None:
    project(tmp_path, STANDARD)
    file = tmp_path / "alembic/versions/b2_x.py"
    file.write_text(file.read_text().replace("def upgrade():", "def upgrade(:"))
    with pytest.raises(FolderError) as raised:
        Alembic(tmp_path / "alembic").migrations()
    assert f"{file}:11:" in str(raised.value)


def test_a_revision_without_a_downgrade_needs_the_phases_undo(dsn: str, tmp_path: Path) -> None:
    project(
        tmp_path,
        {"a1": (None, "op.execute('CREATE TABLE things (id int)')", "pass")},
        """
migrations: {path: ../alembic}
phases: [{id: first, steps: [{migrate: a1}]}]
""",
    )
    runner.apply(loaded(tmp_path), sessions(dsn))
    with pytest.raises(RollbackRefused, match="cannot be taken back"):
        rollback(loaded(tmp_path), sessions(dsn))


def test_a_version_table_elsewhere_is_found(dsn: str, tmp_path: Path) -> None:
    project(tmp_path, STANDARD)
    env = tmp_path / "alembic" / "env.py"
    env.write_text(ENV.replace("target_metadata=None", "version_table='versions', version_table_schema='meta'"))
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA meta")
    runner.apply(loaded(tmp_path), sessions(dsn))
    assert rows(dsn, "SELECT version_num FROM meta.versions") == [("c3",)]
    assert "c3 (head)" in alembic(tmp_path, dsn, "current").stdout
