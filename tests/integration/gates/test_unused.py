"""The gate that asks whether anybody uses tables at all."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lockgate.gates.base import GateResult, Refusal
from lockgate.ledger import install
from tests.conftest import StartServer
from tests.integration.gates.test_unwritten import Shop

OLD = "tables: [core.old_phones], for: 30d"


@pytest.fixture
def shop(conn: psycopg.Connection[Any], dsn: str, tmp_path: Path) -> Shop:
    return prepared(conn, dsn, tmp_path)


def prepared(conn: psycopg.Connection[Any], dsn: str, folder: Path, more: str = "") -> Shop:
    """A shop whose plan asks whether its old phones are used, and a first sample."""
    shop = Shop(conn, dsn, folder / "plan")
    shop.gate(f"unused: {{{OLD}{more}}}")
    shop.sample()
    return shop


def after_a_month(shop: Shop) -> GateResult:
    shop.passes(days=30)
    return shop.ask()


def elsewhere(result: GateResult) -> Any:
    return json.loads(json.dumps(result.evidence[-1].result))


def test_it_opens_when_nobody_came_for_a_month(shop: Shop) -> None:
    shop.passes(days=29)
    result = shop.ask()
    assert (result.refusal, result.ready_at) == (Refusal.TIME, shop.clock.now() + timedelta(days=1))
    shop.passes(days=1)
    result = shop.ask()
    assert result.passed, result.what
    assert "not looked at: TRUNCATE" in result.what
    assert "statements of the past: pg_stat_statements is not installed" in " ".join(elsewhere(result)["not_looked_at"])


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("SELECT count(*) FROM core.old_phones", "1 sequential scans"),
        ("INSERT INTO core.old_phones VALUES (1)", "1 rows inserted"),
    ],
)
def test_a_read_and_a_write_are_named(shop: Shop, statement: str, what: str) -> None:
    shop.act(statement)
    result = after_a_month(shop)
    assert result.refusal is Refusal.REFUSED
    assert f"core.old_phones: {what} between 2026-01-01 00:00:00 UTC and 2026-01-31 00:00:00 UTC" in result.what


def test_a_session_that_names_the_table_is_named_without_its_values(shop: Shop, dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True, application_name="reports") as other:
        other.execute("SELECT 'secret' FROM core.old_phones")
        other.execute("SELECT pg_stat_force_next_flush()")
        other.execute("SELECT 'secret' FROM core.old_phones")
        result = after_a_month(shop)
    assert "maybe by session of postgres (reports)" in result.what
    assert "secret" not in result.what + str(result.evidence)


def test_dependents_are_named_and_may_be_allowed(shop: Shop) -> None:
    shop.act("CREATE VIEW core.calls AS SELECT id FROM core.old_phones")
    shop.act("CREATE FUNCTION core.n() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM core.old_phones'")
    result = after_a_month(shop)
    assert result.refusal is Refusal.REFUSED
    assert (
        "there depend on it: function core.n() names core.old_phones in its text (by text), "
        "view core.calls reads core.old_phones"
    ) in result.what
    shop.gate(f"unused: {{{OLD}, allow: [core.calls]}}")
    assert "core.calls" not in shop.ask().what
    shop.gate(f'unused: {{{OLD}, allow: [core.calls, "core.n()"]}}')
    assert shop.ask().passed


def test_a_sequence_of_a_column_is_a_part_and_what_else_it_numbers_is_not(shop: Shop) -> None:
    shop.act("CREATE SEQUENCE core.numbers OWNED BY core.old_phones.id")
    assert after_a_month(shop).passed
    shop.act("CREATE TABLE core.other (id int DEFAULT nextval('core.numbers'))")
    result = shop.ask()
    assert result.refusal is Refusal.REFUSED
    assert "there depend on it: default for core.other.id is made with core.numbers" in result.what


def test_what_is_built_is_listed_as_not_looked_at(shop: Shop) -> None:
    shop.act("CREATE FUNCTION core.f(q text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE q; END'")
    result = after_a_month(shop)
    assert result.passed
    assert any("core.f(pg_catalog.text) runs SQL that it builds" in each for each in elsewhere(result)["not_looked_at"])


def test_code_that_names_the_table_is_named_with_its_line(
    conn: psycopg.Connection[Any], dsn: str, tmp_path: Path
) -> None:
    service = tmp_path / "service"
    (service / "deep").mkdir(parents=True)
    (service / ".git").mkdir()
    (service / ".git" / "packed").write_text("old_phones")
    (service / "deep" / "calls.py").write_text("# calls\nquery = 'SELECT FROM core.Old_Phones'\nold_phones_2 = 1\n")
    (service / "binary").write_bytes(b"old_phones\0")
    (service / "latin.sql").write_bytes(b"-- \xe9\nDELETE FROM old_phones;\n")
    shop = prepared(conn, dsn, tmp_path, ", code: [../service, ../plan]")
    result = after_a_month(shop)
    assert result.refusal is Refusal.REFUSED
    assert elsewhere(result)["code"][:2] == ["../service/latin.sql:2", "../service/deep/calls.py:2"]
    assert "code names it: ../service/latin.sql:2 (old_phones), ../service/deep/calls.py:2 (old_phones)" in result.what


def test_the_plan_may_name_the_table_itself(conn: psycopg.Connection[Any], dsn: str, tmp_path: Path) -> None:
    shop = prepared(conn, dsn, tmp_path, ", code: [..]")
    assert after_a_month(shop).passed


def test_code_that_is_not_there_is_no_yes(conn: psycopg.Connection[Any], dsn: str, tmp_path: Path) -> None:
    shop = prepared(conn, dsn, tmp_path, ", code: [../gone]")
    result = after_a_month(shop)
    assert result.refusal is Refusal.REFUSED
    assert "code that could not be read: ../gone: No such file or directory" in result.what


def test_files_that_cannot_be_read_are_listed(conn: psycopg.Connection[Any], dsn: str, tmp_path: Path) -> None:
    service = tmp_path / "service"
    service.mkdir()
    (service / "broken").symlink_to("nowhere")
    (service / "linked").symlink_to(tmp_path)
    with (service / "large.txt").open("w") as large:
        large.truncate(5 * 1024**2)
    shop = prepared(conn, dsn, tmp_path, ", code: [../service]")
    result = after_a_month(shop)
    assert result.passed
    listed = [each for each in elsewhere(result)["not_looked_at"] if each.startswith("../service")]
    assert listed == [
        "../service/linked: a link to a folder",
        "../service/broken: no ordinary file, or a large one",
        "../service/large.txt: no ordinary file, or a large one",
    ]


def test_statements_of_the_past_are_named_where_the_server_keeps_them(own_server: StartServer, tmp_path: Path) -> None:
    server = own_server(shared_preload_libraries="pg_stat_statements")
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute('CREATE SCHEMA "Odd"')
        conn.execute('CREATE EXTENSION pg_stat_statements SCHEMA "Odd"')
        install(conn)
        shop = prepared(conn, server.dsn(), tmp_path)
        shop.act("SELECT 'secret', count(*) FROM core.old_phones")
        shop.act("COPY (SELECT 'secret' FROM core.old_phones) TO '/dev/null'")
        result = after_a_month(shop)
    assert "statement of postgres: SELECT $1, count(*) FROM core.old_phones" in result.what
    assert "statement of postgres: COPY (SELECT ? FROM core.old_phones) TO ?" in result.what
    assert "secret" not in result.what + str(result.evidence)
    assert not any("pg_stat_statements" in each for each in elsewhere(result)["not_looked_at"])


def test_what_a_role_may_not_see_is_listed(shop: Shop) -> None:
    name = f"op_{shop.conn.info.dbname}"
    shop.act(f"CREATE ROLE {name}")
    try:
        shop.act(f"GRANT USAGE ON SCHEMA lockgate TO {name}")
        shop.act(f"GRANT SELECT ON ALL TABLES IN SCHEMA lockgate TO {name}")
        shop.sessions.dsn += (
            f" options='-c role={name}'"
            if "://" not in shop.sessions.dsn
            else (f"{'&' if '?' in shop.sessions.dsn else '?'}options=-c%20role%3D{name}")
        )
        blind = elsewhere(after_a_month(shop))["not_looked_at"]
        assert "statements of other roles: GRANT pg_read_all_stats would show them" in blind
    finally:
        shop.act(f"DROP OWNED BY {name}")
        shop.act(f"DROP ROLE {name}")
