"""What the rules say of a text is what the server does with it, and what they advise runs on tables with rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.sql.split import split
from tests.copies import another_database
from tests.databases import Templates
from tests.integration.safety.conftest import filled
from tests.unit.safety.cases import BEFORE, CLEAN, FOUND, Case
from tests.unit.safety.support import of_case

Conn = psycopg.Connection[Any]
_MOST_BATCHES = 20
# Advice of which the text itself is a part: it comes before, or after.
ALSO = {"LG303": "before", "LG404": "after", "LG503": "before"}
# What the advice leaves to its reader.
FILLED = {"LG210": "UPDATE t SET x = 0"}
# What comes out is another shape on purpose.
DIFFERS = {
    "LG106": "the index of the name was another one",
    "LG204": "virtual in place of stored",
    "LG306": "a query that looks for the rows",
    "LG652": "a view stands in for the old name",
    "LG654": "a view stands in for the old name",
    "LG701": "a CHECK of the bounds stays",
}
COLUMNS_ONLY = {"LG301", "LG302"}  # the reader makes the indexes, as the advice says
_SQL = re.compile(r"^[A-Z][A-Z ]+ .*;$", re.M)
ADVISED = [case for case in FOUND if _SQL.search(of_case(case, values=True)[0].rewrite)]


pytestmark = pytest.mark.usefixtures("server_dsn")


@pytest.fixture(scope="module")
def shared(templates: Templates, server_dsn: str) -> Iterator[Conn]:
    """One database for all that can be rolled back."""
    with another_database(server_dsn, templates.of(server_dsn, filled)) as dsn, psycopg.connect(dsn) as conn:
        yield conn


@pytest.mark.parametrize("case", FOUND, ids=str)
def test_the_server_does_what_is_said(request: pytest.FixtureRequest, case: Case) -> None:
    with on(request, case, case.sql) as conn:
        assert run(conn, case.sql) == case.fails


@pytest.mark.parametrize("case", CLEAN, ids=str)
def test_the_harmless_runs(request: pytest.FixtureRequest, case: Case) -> None:
    if "VALIDATE" in case.up:
        pytest.skip("the way up is not run")
    with on(request, case, case.sql) as conn:
        assert run(conn, case.sql) == ""


@pytest.mark.parametrize("case", ADVISED, ids=str)
def test_what_is_advised_runs_and_comes_to_the_same(request: pytest.FixtureRequest, case: Case) -> None:
    with on(request, case, "".join(found.rewrite for found in of_case(case, values=True))) as conn:
        major = min(conn.info.server_version // 10000, case.major)
        if not _SQL.search(of_case(case, major=major)[0].rewrite):
            pytest.skip("there is no SQL for it on this server")
        columns_only = case.code in COLUMNS_ONLY
        also = ALSO.get(case.code)
        wanted = None
        if not (case.fails or also or case.code in DIFFERS):
            with conn.transaction(force_rollback=True):
                assert run(conn, case.sql) == ""
                wanted = shape(conn, columns_only=columns_only)
        advice = [text for found in of_case(case, values=True, major=major) for text in statements(found.rewrite)]
        text = statements(case.sql)
        for statement in [*(text if also == "before" else ()), *advice, *(text if also == "after" else ())]:
            until_done(conn, statement)
            if case.code in FILLED and statement == advice[0]:
                conn.execute(FILLED[case.code].encode())
        if wanted is not None:
            assert shape(conn, columns_only=columns_only) == wanted


@contextmanager
def on(request: pytest.FixtureRequest, case: Case, text: str) -> Iterator[Conn]:
    """Where a case can run: in a transaction that is rolled back, or in a database of its own."""
    if not case.runs:
        pytest.skip("it would change the server, or cannot run")
    alone = any(not statement.in_transaction or statement.kind == "TransactionStmt" for statement in split(text))
    commits = case.code == "LG711" and not case.wrapped
    apart = commits or (alone and not case.wrapped)
    conn: Conn = request.getfixturevalue("conn" if apart else "shared")
    major = conn.info.server_version // 10000
    if major < case.since or (case.code == "LG506" and major > case.major):
        pytest.skip(f"PostgreSQL {major} does not take this statement, or not as is said of an older one")
    made = case.before if case.before not in BEFORE else BEFORE["gen"] if case.before == "gen" else ""
    if apart:
        assert run(conn, made) == ""
        yield conn
        return
    with conn.transaction(force_rollback=True):
        assert run(conn, made) == ""
        yield conn


def statements(text: str) -> list[str]:
    return [statement.text for statement in split(text)]


def run(conn: Conn, text: str) -> str:
    """Run a text as psql would; the SQLSTATE that it fails with, or nothing."""
    try:
        for statement in statements(text):
            conn.execute(statement.encode())
    except psycopg.Error as error:
        return error.sqlstate or "?"
    return ""


def until_done(conn: Conn, statement: str) -> None:
    for _ in range(_MOST_BATCHES):
        changed = conn.execute(statement.encode())
        if not statement.startswith("UPDATE") or changed.rowcount == 0:
            return
    pytest.fail(f"never done: {statement}")


def shape(conn: Conn, *, columns_only: bool) -> list[tuple[Any, ...]]:
    """The columns, keys and indexes, whatever their order."""
    found = conn.execute(
        "SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
        " a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid) IS NOT NULL"
        " FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0"
        " AND NOT a.attisdropped AND a.attname NOT LIKE '%\\_old'"
    ).fetchall()
    if not columns_only:
        found += conn.execute(
            "SELECT 'constraint', conrelid::regclass::text, contype::text, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"
        ).fetchall()
        found += conn.execute(
            "SELECT 'index', indrelid::regclass::text, indisunique, indisvalid, indpred IS NULL,"
            " pg_get_indexdef(indexrelid, 1, true) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid"
            " WHERE c.relnamespace = 'public'::regnamespace"
        ).fetchall()
    return sorted(found, key=repr)


HARMLESS = sorted((Path(__file__).parents[2] / "unit" / "safety" / "harmless").glob("*.sql"))


@pytest.mark.parametrize("file", HARMLESS, ids=lambda file: file.stem)
def test_the_harmless_corpus_runs(conn: Conn, file: Path) -> None:
    for statement in split(file.read_text("utf-8")):
        conn.execute(statement.text.encode())
