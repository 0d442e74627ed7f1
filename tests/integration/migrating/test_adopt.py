"""Finding out where a database stands whose history is elsewhere or nowhere."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from lockgate.engine.context import Silent
from lockgate.errors import LockgateError
from lockgate.history.sqlx import Sqlx
from lockgate.history.standing import look as stands
from lockgate.migrating import adopting
from lockgate.migrating.adopting import Found
from tests.integration.engine.plans import one, rows, sessions

FILES = {
    "0001_a": "CREATE TABLE a (id int PRIMARY KEY);",
    "0002_b": "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE b (id int REFERENCES a, m mood);",
    "0003_c": "CREATE INDEX b_m ON b (m); COMMENT ON TABLE a IS 'first';",
}


@pytest.fixture
def tool(tmp_path: Path) -> Sqlx:
    for name, text in FILES.items():
        (tmp_path / f"{name}.sql").write_text(text)
    return Sqlx(tmp_path)


def make(dsn: str, *names: str, more: str = "") -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for name in names:
            conn.execute(FILES[name].encode())
        if more:
            conn.execute(more.encode())


def look(dsn: str, tool: Sqlx, before: str | None = None) -> Found:
    return adopting.look(sessions(dsn), tool, on=dsn, before=before)


def record(dsn: str, found: Found) -> None:
    adopting.record(sessions(dsn), found, progress=Silent(), stop=threading.Event())


def test_a_database_without_a_history_is_found_and_recorded(dsn: str, tool: Sqlx) -> None:
    make(dsn, "0001_a", "0002_b")
    found = look(dsn, tool)
    assert found.closest.name == "0002_b"
    assert found.closest.differences == ()
    assert [each.version for each in found.unrecorded] == ["1", "2"]
    assert one(dsn, "SELECT to_regclass('_sqlx_migrations')") is None, "looking changes nothing"
    record(dsn, found)
    with psycopg.connect(dsn) as conn:
        assert [each.version for each in stands(conn, tool).pending] == ["3"]
    told = rows(dsn, "SELECT payload ->> 'name', payload -> 'adopted' FROM lockgate.chain WHERE payload ? 'adopted'")
    assert told == [("0001_a", True), ("0002_b", True)]


def test_what_differs_is_named(dsn: str, tool: Sqlx) -> None:
    make(dsn, "0001_a", "0002_b", "0003_c", more="ALTER TABLE b ADD extra text; DROP INDEX b_m")
    found = look(dsn, tool)
    said = [str(each) for each in found.closest.differences]
    assert found.closest.name == "0002_b"
    assert said == ["column public.b.extra: should not be there"]


def test_owners_and_grants_do_not_matter(dsn: str, tool: Sqlx) -> None:
    make(dsn, *FILES, more="GRANT SELECT ON a TO PUBLIC")
    assert look(dsn, tool).closest.differences == ()


def test_a_history_that_says_more_than_is_there_is_told(dsn: str, tool: Sqlx) -> None:
    make(dsn, "0001_a")
    known = {each.version: each for each in tool.migrations()}
    with psycopg.connect(dsn) as conn:
        home = tool.home(conn)
        tool.create(conn, home)
        for version in ("1", "2"):
            conn.execute(
                "INSERT INTO _sqlx_migrations VALUES (%s, 'x', now(), true, decode(%s, 'hex'), 1)",
                (int(version), known[version].checksum),
            )
    found = look(dsn, tool)
    assert [each.version for each in found.recorded] == ["2"]
    assert found.unrecorded == ()


def test_what_was_there_before_the_first_migration_is_made_first(dsn: str, tool: Sqlx) -> None:
    before = "CREATE TABLE messenger (key text PRIMARY KEY)"
    make(dsn, "0001_a", more=before)
    assert look(dsn, tool, before).closest.differences == ()


def test_a_folder_that_cannot_be_applied_says_where(dsn: str, tool: Sqlx) -> None:
    (tool.folder / "0002_b.sql").write_text("CREATE TABLE b (id int REFERENCES nowhere);")
    with pytest.raises(LockgateError) as raised:
        look(dsn, tool)
    assert raised.value.where == f"{tool.folder}/0002_b.sql:1:1"


def test_a_history_that_changed_meanwhile_is_not_written(dsn: str, tool: Sqlx) -> None:
    make(dsn, "0001_a")
    found = look(dsn, tool)
    record(dsn, found)
    with pytest.raises(LockgateError, match="changed meanwhile"):
        record(dsn, found)
