"""What the corpus does not show: who may read what, what is locked, how large, how odd, and how long ago."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lockgate.discover import Finding, permissions, profile, run, telling
from lockgate.discover.survey import Survey, Unread
from tests.integration.discover.looking import analyze, look, short

Conn = psycopg.Connection[Any]


def test_an_empty_database_has_nothing_wrong(dsn: str) -> None:
    outcome = look(dsn)
    assert (outcome.findings, outcome.tables) == ([], [])


def test_a_table_without_rows_or_columns_is_no_trouble(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE bare ()")
    conn.execute("CREATE TABLE none (id int PRIMARY KEY, email text, parent_id int, phone text)")
    assert look(dsn).findings == []


def test_an_empty_text_breaks_no_format(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE contact (id int PRIMARY KEY, email varchar(99) NOT NULL DEFAULT '', cep char(9))")
    conn.execute("INSERT INTO contact SELECT n, n || '@a.example', '01310-100' FROM generate_series(1, 100) n")
    conn.execute("INSERT INTO contact SELECT n, '', '' FROM generate_series(101, 200) n")
    analyze(conn)
    assert not [finding for finding in look(dsn).findings if finding.code == "DB501"]
    conn.execute("UPDATE contact SET email = 'none', cep = '0' WHERE id IN (1, 2)")
    found = [finding for finding in look(dsn).findings if finding.code == "DB501"]
    assert [(finding.columns, finding.count, finding.of) for finding in found] == [
        (("cep",), 2, 100),
        (("email",), 2, 100),
    ]
    for finding in found:
        assert conn.execute(finding.query.encode()).fetchone() == (2,)
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute(finding.mend.constraint.encode())
    conn.execute("DELETE FROM contact WHERE id IN (1, 2)")
    for finding in found:
        conn.execute(finding.mend.constraint.encode())


def test_a_day_that_no_month_has_is_no_date(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE visits (id int PRIMARY KEY, birth_date text, visit_date char(10), noted text)")
    conn.execute(
        "INSERT INTO visits SELECT n, d::text, to_char(d, 'DD/MM/YYYY'), d::text || ' 10:30' "
        "FROM generate_series(1, 366) n, LATERAL (SELECT '2023-12-31'::date + n) AS of (d)"
    )
    analyze(conn)
    assert {finding.columns for finding in look(dsn).findings if finding.code == "DB504"} == {
        ("birth_date",),
        ("visit_date",),
        ("noted",),
    }
    for id_, day in enumerate(["2024-02-30", "2023-04-31", "2023-11-31"], 1):
        slashed = "/".join(reversed(day.split("-")))
        conn.execute("UPDATE visits SET birth_date = %s, visit_date = %s WHERE id = %s", (day, slashed, id_))
    found = {finding.columns: finding.count for finding in look(dsn).findings if finding.code == "DB501"}
    assert found == {("birth_date",): 3, ("visit_date",): 3}


def test_foreign_and_temporary_tables_are_left_out_and_partitions_are_one_table(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE FOREIGN DATA WRAPPER none")
    conn.execute("CREATE SERVER elsewhere FOREIGN DATA WRAPPER none")
    conn.execute("CREATE FOREIGN TABLE far (id int) SERVER elsewhere")
    conn.execute("CREATE TEMP TABLE passing (id int)")
    conn.execute("CREATE TABLE parted (id int, email text, PRIMARY KEY (id)) PARTITION BY RANGE (id)")
    conn.execute("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (500)")
    conn.execute("CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (500) TO (1000)")
    conn.execute("INSERT INTO parted SELECT n, 'a' || n / 2 * 2 || '@b.example' FROM generate_series(0, 9) n")
    conn.execute("INSERT INTO parted SELECT n, 'a' || n || '@b.example' FROM generate_series(20, 999) n")
    analyze(conn)
    conn.execute("CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (1000) TO (2000)")
    outcome = look(dsn)
    assert [(each.table, each.rows, each.exact) for each in outcome.tables] == [("public.parted", 990, True)]
    assert short(outcome.findings) == {"DB201 public.parted (email) 5"}
    assert "1 foreign table: their rows are elsewhere" in outcome.skipped


ODD = 'Odd "Näme" %s'
LONG = "é" * 31


def test_odd_names_are_read_and_every_query_can_be_run_again(conn: Conn, dsn: str) -> None:
    table, column = sql.Identifier(ODD), sql.Identifier('E-mail "%s"')
    conn.execute(sql.SQL("CREATE TABLE {} ({} int PRIMARY KEY, {} text, email text, zip_code text)").format(
        table, sql.Identifier(LONG), column
    ))  # fmt: skip
    conn.execute(sql.SQL(
        "INSERT INTO {} SELECT n, NULL, 'a' || n || '@b.example', lpad(n::text, 8, '0') "
            "FROM generate_series(1, 300) n"
    ).format(table))  # fmt: skip
    conn.execute(sql.SQL("INSERT INTO {} VALUES (500, NULL, 'a1@b.example', 'x')").format(table))
    analyze(conn)
    outcome = look(dsn, examples=True)
    assert short(outcome.findings) == {
        f"DB201 public.{ODD} (email) 1",
        f"DB501 public.{ODD} (zip_code) 1",
        f'DB502 public.{ODD} (E-mail "%s") 0',
    }
    for finding in outcome.findings:
        conn.execute(finding.query.encode())
    assert [row for finding in outcome.findings for row in finding.examples] == [("a1@b.example",), ("500",)]


def test_no_value_of_a_row_is_told_unless_it_is_wished(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE people (id int PRIMARY KEY, email text)")
    conn.execute("INSERT INTO people SELECT n, 'of' || n || '@person.example' FROM generate_series(1, 99) n")
    conn.execute("INSERT INTO people VALUES (100, 'of7@person.example'), (101, 'secret-person')")
    outcome = look(dsn)
    assert {"DB201 public.people (email) 1", "DB501 public.people (email) 1"} <= short(outcome.findings)
    told = str(telling.as_object(outcome)) + telling.as_markdown(outcome)
    assert "person.example" not in told
    assert "secret-person" not in told


def test_a_role_that_may_read_only_a_part_says_what_it_could_not_read(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE open (id int PRIMARY KEY, email text)")
    conn.execute("CREATE TABLE closed (id int PRIMARY KEY, email text)")
    conn.execute("CREATE TABLE half (id int PRIMARY KEY, email text, salary int)")
    conn.execute("CREATE TABLE filtered (id int PRIMARY KEY)")
    conn.execute("ALTER TABLE filtered ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE POLICY a_few ON filtered USING (id > 3)")
    for name in ("open", "closed", "half"):
        conn.execute(sql.SQL(
            "INSERT INTO {} (id, email) SELECT n, 'a' || greatest(n, 3) || '@b.example' FROM generate_series(1, 200) n"
        ).format(sql.Identifier(name)))  # fmt: skip
    role = f"reader_{conn.info.backend_pid}"
    named = sql.Identifier(role)
    conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(named))
    try:
        conn.execute(sql.SQL("GRANT SELECT ON open, filtered TO {}").format(named))
        conn.execute(sql.SQL("GRANT SELECT (id, email) ON half TO {}").format(named))
        outcome = look(make_conninfo(dsn, user=role))
        assert {found for found in short(outcome.findings) if "DB201" in found} == {
            "DB201 public.open (email) 2",
            "DB201 public.half (email) 2",
        }
        assert {said for said in outcome.skipped if "public." in said} >= {
            f"the rows of public.closed: role {role} may not read public.closed",
            "the rows of public.filtered: the role may not read all of its rows",
            "columns salary of public.half: the role may not read them",
        }
    finally:
        conn.execute(sql.SQL("DROP OWNED BY {}").format(named))
        conn.execute(sql.SQL("DROP ROLE {}").format(named))


def test_a_table_that_somebody_holds_is_not_waited_for(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE held (id int PRIMARY KEY)")
    conn.execute("CREATE TABLE free (id int PRIMARY KEY, email text)")
    conn.execute("INSERT INTO free SELECT n, 'a' || greatest(n, 2) || '@b.example' FROM generate_series(1, 99) n")
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        other.execute("UPDATE free SET id = id WHERE id = 1")
        outcome = look(dsn)
    assert "the rows of public.held: somebody holds a lock on the table" in outcome.skipped
    assert "DB201 public.free (email) 1" in short(outcome.findings)
    assert outcome.seconds < 30


def test_a_connection_that_is_lost_is_no_clean_bill(conn: Conn, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")

    def ended(survey: Survey, members: frozenset[int]) -> Iterator[Finding]:
        survey.ask(sql.SQL("SELECT pg_terminate_backend(pg_backend_pid())"))
        yield from ()

    monkeypatch.setattr(permissions, "found", ended)
    with pytest.raises(psycopg.OperationalError):
        look(dsn)


def test_when_the_time_is_up_everything_is_said_to_be_not_looked_at(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE people (id int PRIMARY KEY, email text)")
    conn.execute("INSERT INTO people SELECT n, 'a' || n FROM generate_series(1, 99) n")
    outcome = look(dsn, limit=timedelta(milliseconds=1))
    assert outcome.findings == []
    assert any("the time was up" in said for said in outcome.skipped)


def _large(conn: Conn) -> None:
    conn.execute("CREATE TABLE visits (id int PRIMARY KEY, zip_code text, email text, never text)")
    conn.execute(
        "INSERT INTO visits "
        "SELECT n, CASE WHEN n % 100 = 0 THEN 'x' ELSE lpad(n::text, 8, '0') END, 'a' || n || '@b.example' "
        "FROM generate_series(1, 20000) n"
    )
    conn.execute("CREATE UNIQUE INDEX ON visits (email)")
    analyze(conn)


@pytest.fixture
def small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "_WHOLE", 200_000)
    monkeypatch.setattr(profile, "SAMPLED", 200_000)
    monkeypatch.setattr(run, "SAMPLED", 200_000)


@pytest.mark.usefixtures("small_samples")
def test_a_large_table_is_sampled_first_and_then_counted(conn: Conn, dsn: str) -> None:
    _large(conn)
    outcome = look(dsn)
    assert short(outcome.findings) == {
        "DB501 public.visits (zip_code) 200",
        "DB502 public.visits (never) 0",
        "DB503 public.visits (email) 0",
    }
    assert [(each.rows, each.exact) for each in outcome.tables] == [(20000, True)]


@pytest.mark.usefixtures("small_samples")
def test_what_only_a_sample_tells_is_said_to_be_estimated(
    conn: Conn, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _large(conn)

    def too_long(*_: object) -> None:
        raise Unread("timed out")

    monkeypatch.setattr(run, "whole", too_long)
    outcome = look(dsn)
    [finding] = [found for found in outcome.findings if found.code == "DB501"]
    assert not finding.exact
    assert finding.count is not None
    assert 100 < finding.count < 400
    assert finding.what.startswith("About ")
    assert not outcome.tables[0].exact
    assert "all rows of public.visits (a sample was): timed out" in outcome.skipped


def test_invalid_indexes_and_sequences_that_are_behind(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE t (id serial PRIMARY KEY, n int)")
    conn.execute("INSERT INTO t (n) VALUES (1), (1)")
    conn.execute("INSERT INTO t VALUES (50, 2)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute("CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n)")
    assert short(look(dsn).findings) == {"DB301 public.t (n)", "DB602 public.t (id)"}


def test_nobody_uses_an_index_or_a_table(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE used (id int PRIMARY KEY, a int, b int)")
    conn.execute("CREATE TABLE unused (id int PRIMARY KEY)")
    conn.execute("INSERT INTO used SELECT n, n, n FROM generate_series(1, 20000) n")
    conn.execute("CREATE INDEX used_a ON used (a)")
    conn.execute("CREATE INDEX used_b ON used (b)")
    analyze(conn)
    conn.execute("SET enable_seqscan = off")
    conn.execute("SELECT b FROM used WHERE b = 7")
    conn.execute("SELECT pg_stat_force_next_flush()")
    outcome = look(dsn, unused_for=timedelta(milliseconds=1))
    assert short(outcome.findings) == {"DB303 public.used (a)", "DB701 public.unused"}
    assert any("which indexes and tables nobody uses" in said for said in look(dsn).skipped)


def test_a_table_that_was_never_analyzed(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY) WITH (autovacuum_enabled = off)")
    conn.execute("INSERT INTO t SELECT generate_series(1, 3000)")
    assert short(look(dsn).findings) == {"DB101 public.t"}


def test_bloat_is_measured_exactly_where_it_is_wished(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, doc text) WITH (autovacuum_enabled = off)")
    conn.execute("INSERT INTO t SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 20000) n")
    conn.execute("DELETE FROM t WHERE id % 10 <> 0")
    analyze(conn)
    [finding] = [found for found in look(dsn, exact=True).findings if found.code == "DB111"]
    assert finding.exact
    assert finding.count is not None
    assert finding.of is not None
    conn.execute("VACUUM FULL t")
    size = conn.execute("SELECT pg_relation_size('t')").fetchone()
    assert size is not None
    assert abs(finding.of - finding.count - size[0]) <= 0.05 * size[0]


def test_values_outside_of_the_rows_are_left_out_on_both_sides(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, doc text, more text) WITH (autovacuum_enabled = off)")
    conn.execute("ALTER TABLE t ALTER doc SET STORAGE EXTERNAL, ALTER more SET STORAGE EXTERNAL")
    conn.execute(
        "INSERT INTO t SELECT n, repeat('x', CASE n % 3 WHEN 0 THEN 9000 ELSE 700 END), repeat('y', n % 1200) "
        "FROM generate_series(1, 3000) n"
    )
    analyze(conn)
    assert short(look(dsn).findings) == set()
    conn.execute("DELETE FROM t WHERE id % 10 <> 0")
    analyze(conn)
    [finding] = look(dsn).findings
    assert finding.code == "DB111"
    assert finding.count is not None
    assert finding.of is not None
    assert 0.85 < finding.count / finding.of < 0.95


CODE = '''
FIND = "SELECT p.id, p.property_type, t.label FROM properties p JOIN ref.property_types t ON t.code = p.property_type"
STREETS = """INSERT INTO ref.street_type_catalog (id, name) VALUES (%s, %s)"""
TOTALS = "SELECT sum(total_value) FROM properties WHERE pirce > 3"
OTHER = "UPDATE proprietors SET name = %(name)s"
'''


def test_what_the_code_expects_and_is_not_there(conn: Conn, dsn: str, tmp_path: Path) -> None:
    conn.execute("CREATE SCHEMA ref")
    conn.execute("CREATE TABLE properties (id int PRIMARY KEY, property_type text, price int, total_value int)")
    conn.execute("CREATE TABLE addresses (id int PRIMARY KEY, street_type_id int)")
    (tmp_path / "store.py").write_text(CODE)
    outcome = look(dsn, code=tmp_path)
    assert short(outcome.findings) == {
        "DB405 public.addresses (street_type_id)",
        "DB405 public.properties (property_type)",
        "DB901 proprietors",
        "DB902 public.properties (pirce)",
    }
    [typo] = [found for found in outcome.findings if found.code == "DB902"]
    assert "did you mean `price`?" in typo.what
    assert f"{tmp_path}/store.py:4" in typo.what


def test_what_comments_and_functions_expect_and_is_not_there(conn: Conn, dsn: str) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, size_class text, colour text)")
    conn.execute("COMMENT ON COLUMN t.size_class IS 'refers to ref.size_classes'")
    conn.execute("COMMENT ON COLUMN t.colour IS 'see t.size_class'")
    conn.execute(
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS "
        "'BEGIN RETURN (SELECT count(*) FROM public.colours) + extract(year FROM x.y); END'"
    )
    assert short(look(dsn).findings) == {"DB405 public.t (size_class)", "DB405 public.t (colour)"}
