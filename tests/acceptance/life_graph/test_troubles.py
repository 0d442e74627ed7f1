"""The troubles that the team's own notes tell of, each caught with a message that names it."""

from __future__ import annotations

import threading

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.context import Silent
from lockgate.errors import DatabaseError
from lockgate.history.files import HistoryError
from lockgate.migrating import adopting
from lockgate.migrating.adopting import Found
from systems.life_graph.generate import generate
from tests.acceptance.life_graph.project import FOLDER, SCALE, loaded, sessions, tool, up

SCHEMA = (FOLDER / "before" / "schema.sql").read_text()


@pytest.fixture
def before(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, SCALE)
    return dsn


def foundation(dsn: str) -> None:
    runner.apply(loaded(), sessions(dsn), to="foundation")


def stands(dsn: str) -> Found:
    return adopting.look(sessions(dsn), tool(), on=dsn, before=SCHEMA)


def forget(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in ("DELETE FROM alembic_version", *statements):
            conn.execute(statement.encode())


def test_an_extension_that_is_there_already_is_no_trouble_and_stays(before: str) -> None:
    with psycopg.connect(before, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA ext; CREATE EXTENSION btree_gist SCHEMA ext")
        foundation(before)
        runner.rollback(loaded(), sessions(before), to="@start", lose_rows=True)
        kept = conn.execute("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'").fetchall()
    assert kept == [("btree_gist",)]


def test_tables_that_are_there_already_are_adopted_when_they_are_the_same(before: str) -> None:
    up(before, "002")
    forget(before)
    with pytest.raises(DatabaseError) as raised:
        foundation(before)
    assert "already exists" in (raised.value.why or "")
    assert "lockgate history adopt" in (raised.value.hint or "")
    found = stands(before)
    assert (found.closest.name, found.closest.differences) == ("002_parties_roles_commitments", ())
    adopting.record(sessions(before), found, progress=Silent(), stop=threading.Event())
    foundation(before)


def test_a_table_of_another_shape_is_not_adopted_blindly(before: str) -> None:
    up(before, "002")
    forget(before, "ALTER TABLE parties ALTER name TYPE text, DROP COLUMN tax_id")
    said = [str(each) for each in stands(before).closest.differences]
    assert "column public.parties.name: type text, expected character varying(255)" in said
    assert "column public.parties.tax_id: is missing" in said


def test_a_parent_that_is_missing_is_named(dsn: str) -> None:
    """What stamping blindly leads to: 003 is in the history, and there are no documents."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY)"
        )
        conn.execute("INSERT INTO alembic_version VALUES ('003')")
    with pytest.raises(DatabaseError) as raised:
        up(dsn)
    assert 'relation "documents" does not exist' in (raised.value.why or "")
    assert "versions/004_signals_links_interactions.py" in (raised.value.where or "")
    assert "lockgate history adopt" in (raised.value.hint or "")
    assert stands(dsn).recorded, "what the history says is not there"


def test_rows_without_a_parent_are_told_by_the_foreign_key(before: str) -> None:
    up(before)
    with psycopg.connect(before) as conn, pytest.raises(psycopg.errors.ForeignKeyViolation, match="parties"):
        conn.execute(
            "INSERT INTO roles (party_id, user_id, role_name) VALUES (gen_random_uuid(), gen_random_uuid(), 'x')"
        )


def test_a_revision_that_cannot_be_located_is_named_and_nothing_is_done(before: str) -> None:
    up(before, "002")
    forget(before, "INSERT INTO alembic_version VALUES ('5eed')")
    with pytest.raises(HistoryError) as raised:
        foundation(before)
    assert "5eed is missing" in (raised.value.why or "")
    found = stands(before)
    assert (found.closest.name, found.closest.differences) == ("002_parties_roles_commitments", ())
