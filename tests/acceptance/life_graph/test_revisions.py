"""The revisions by themselves: up, down, up, and what they promise."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from lockgate.catalog.differences import differences
from lockgate.checks.explaining import explain
from systems.life_graph.counts import counts
from systems.life_graph.generate import fill, generate
from systems.life_graph.search import find_parties
from tests.acceptance.life_graph.project import FOLDER, SCALE, alembic, schema, up


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_alembic_alone_goes_up_down_and_up(dsn: str, filled: bool) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION pg_trgm")  # is not 001's to drop
        if filled:
            generate(conn, SCALE)
        else:
            conn.execute((FOLDER / "before" / "schema.sql").read_bytes())
    before = schema(dsn)
    for _ in range(2):
        done = alembic(dsn, "upgrade", "head")
        assert done.returncode == 0, done.stderr
        after = schema(dsn)
        if filled:
            with psycopg.connect(dsn, autocommit=True) as conn:
                fill(conn, SCALE)
        done = alembic(dsn, "downgrade", "base")
        assert done.returncode == 0, done.stderr
        assert differences(before, schema(dsn)) == []
    assert alembic(dsn, "upgrade", "head").returncode == 0
    assert differences(after, schema(dsn)) == []


@pytest.fixture
def graph(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, SCALE)
    up(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        fill(conn, SCALE)
    return dsn


@pytest.mark.parametrize(
    "statement",
    ["UPDATE interactions SET cost = 1", "DELETE FROM interactions WHERE false", "TRUNCATE interactions"],
)
def test_what_was_logged_stays_as_it_is(graph: str, statement: str) -> None:
    with psycopg.connect(graph) as conn, pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        conn.execute(statement.encode())


def test_a_party_is_found_by_a_name_that_is_like_it(graph: str) -> None:
    with psycopg.connect(graph) as conn:
        conn.execute("INSERT INTO parties (kind, name) VALUES ('person', 'Céline Fischer')")
        found = find_parties(conn, "Celine Fisher", 3)
    assert found[0].name == "Céline Fischer"
    assert 1 > found[0].score >= found[-1].score > 0.3


def test_one_document_is_kept_once(graph: str) -> None:
    copied = "INSERT INTO documents (owner_id, title, content, sha256, source, storage_uri) SELECT owner_id, title,"
    with psycopg.connect(graph) as conn, pytest.raises(psycopg.errors.UniqueViolation, match="idx_documents_sha256"):
        conn.execute(f"{copied} content, sha256, source, storage_uri FROM documents LIMIT 1".encode())


@pytest.mark.one_server
@pytest.mark.soak
def test_the_focus_view_of_a_hundred_years_is_read_by_its_index(dsn: str) -> None:
    """A million commitments; the plan's own check asks for the same of whatever is there."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        generate(conn, SCALE)
        up(dsn)
        fill(conn, 1, tables=("parties", "roles"))
        fill(conn, 1, tables=("commitments",), rows=replace(counts(1), commitments=counts(100).commitments))
        conn.execute("VACUUM commitments")
        query = (FOLDER / "plan" / "sql" / "focus.sql").read_text()
        found = min((explain(conn, query, run=True) for _ in range(3)), key=lambda each: each.milliseconds or 0)
    assert found.milliseconds is not None
    assert found.milliseconds < 50
    assert "'Index Name': 'idx_commitments_priority'" in str(found.tree)
    assert "Seq Scan" not in str(found.tree)
