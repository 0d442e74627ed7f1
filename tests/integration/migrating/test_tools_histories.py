"""Every SQL-file tool's history, written and read back; the tools themselves are asked by ``make conformance``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from lockgate.engine import runner
from lockgate.engine.rollback import rollback
from lockgate.errors import DatabaseError
from lockgate.history import detect, standing
from lockgate.history.files import HistoryError
from lockgate.history.standing import State
from lockgate.plan.load import LoadedPlan, load_plan
from tests.integration.engine.plans import one, rows, sessions, write_plan

UP = {
    1: "CREATE TABLE things (id int PRIMARY KEY);",
    2: "ALTER TABLE things ADD COLUMN name text;\nINSERT INTO things VALUES (1, 'one');",
    3: "CREATE INDEX CONCURRENTLY things_name ON things (name);\nSELECT 1;",
}
DOWN = {1: "DROP TABLE things;", 2: "ALTER TABLE things DROP COLUMN name;", 3: "DROP INDEX CONCURRENTLY things_name;"}
BROKEN = "CREATE INDEX CONCURRENTLY things_name ON things (name);\nSELECT 1 / 0;"


@dataclass(frozen=True)
class Case:
    """A tool, how its files look, and what its table holds after all three.

    :param half: what it holds of a migration in parts that failed in the middle.
    """

    tool: str
    files: Mapping[str, str]
    query: str
    held: list[tuple[object, ...]]
    half: list[tuple[object, ...]]
    table: str = "public.schema_migrations"
    back: bool = True

    def __str__(self) -> str:
        return self.tool


def _both(name: str, text: str) -> dict[str, str]:
    """Both directions in one file, ``text`` with ``{up}``, ``{down}`` and the options of 3 at ``{alone}``."""
    alone = {1: ("", ""), 2: ("", ""), 3: (" transaction:false", "-- +goose NO TRANSACTION\n")}
    return {
        name.format(n): text.format(up=UP[n], down=DOWN[n], option=alone[n][0], line=alone[n][1]) for n in (1, 2, 3)
    }


def _pairs(up: str, down: str) -> dict[str, str]:
    return {up.format(n): UP[n] for n in UP} | {down.format(n): DOWN[n] for n in DOWN}


CASES = [
    Case(
        "dbmate",
        _both("00{}_m.sql", "-- migrate:up{option}\n{up}\n-- migrate:down{option}\n{down}\n"),
        "SELECT version FROM schema_migrations ORDER BY 1",
        [("001",), ("002",), ("003",)],
        [("001",), ("002",)],
    ),
    Case(
        "goose",
        _both("0000{}_m.sql", "{line}-- +goose Up\n{up}\n-- +goose Down\n{down}\n"),
        "SELECT version_id, is_applied FROM goose_db_version ORDER BY id",
        [(0, True), (1, True), (2, True), (3, True)],
        [(0, True), (1, True), (2, True)],
        table="public.goose_db_version",
    ),
    Case(
        "golang-migrate",
        _pairs("{}_m.up.sql", "{}_m.down.sql"),
        "SELECT version, dirty FROM schema_migrations",
        [(3, False)],
        [(3, True)],
    ),
    Case(
        "flyway",
        _pairs("V{}__m.sql", "U{}__m.sql"),
        "SELECT installed_rank, version, description, type, script, installed_by = session_user, success "
        "FROM flyway_schema_history ORDER BY installed_rank",
        [(n, str(n), "m", "SQL", f"V{n}__m.sql", True, True) for n in (1, 2, 3)],
        [(n, str(n), "m", "SQL", f"V{n}__m.sql", True, n < 3) for n in (1, 2, 3)],
        table="public.flyway_schema_history",
    ),
    Case(
        "supabase",
        {f"2026010100000{n}_m.sql": text for n, text in UP.items()},
        "SELECT version, name, statements FROM supabase_migrations.schema_migrations ORDER BY 1",
        [(f"2026010100000{n}", "m", [each.strip() for each in UP[n].split(";") if each]) for n in (1, 2, 3)],
        [(f"2026010100000{n}", "m", [each.strip() for each in UP[n].split(";") if each]) for n in (1, 2)],
        table="supabase_migrations.schema_migrations",
        back=False,
    ),
    Case(
        "timestamped",
        _pairs("2026010{}_m.sql", "2026010{}_m.down.sql"),
        "SELECT version, name, length(checksum), done FROM lockgate_migrations ORDER BY 1",
        [(f"2026010{n}", f"2026010{n}_m", 64, True) for n in (1, 2, 3)],
        [(f"2026010{n}", f"2026010{n}_m", 64, n < 3) for n in (1, 2, 3)],
        table="public.lockgate_migrations",
    ),
]
tools = pytest.mark.parametrize("case", CASES, ids=str)


def project(folder: Path, case: Case, *, broken: bool = False) -> LoadedPlan:
    migrations = folder / "migrations"
    migrations.mkdir(parents=True, exist_ok=True)
    for name, text in case.files.items():
        (migrations / name).write_text(text.replace(UP[3], BROKEN) if broken else text)
    last = detect.opened(migrations, case.tool).migrations()[-1].version
    head = f"migrations: {{path: ../migrations, tool: {case.tool}}}\nsettings: {{lock_timeout: 200ms}}\n"
    return write_plan(folder / "plan", f"{head}phases:\n  - id: first\n    steps: [{{migrate: '{last}'}}]\n")


def states(dsn: str, folder: Path, case: Case) -> list[State]:
    with psycopg.connect(dsn) as conn:
        return [entry.state for entry in standing.look(conn, detect.opened(folder / "migrations", case.tool)).entries]


@tools
def test_what_is_written_is_what_the_tool_would_write_and_is_read_back(dsn: str, tmp_path: Path, case: Case) -> None:
    loaded = project(tmp_path, case)
    runner.apply(loaded, sessions(dsn))
    assert rows(dsn, case.query) == case.held
    assert states(dsn, tmp_path, case) == [State.APPLIED] * 3
    assert rows(dsn, "SELECT * FROM things") == [(1, "one")]
    if case.back:
        rollback(loaded, sessions(dsn), to="@start", lose_rows=True)
        assert [row for row in rows(dsn, case.query) if row[0] != 0] == []
        assert one(dsn, "SELECT to_regclass('things')") is None


@tools
def test_what_fails_in_the_middle_is_told_as_the_tool_tells_it_and_is_finished(
    dsn: str, tmp_path: Path, case: Case
) -> None:
    loaded = project(tmp_path, case, broken=True)
    with pytest.raises(DatabaseError, match="division by zero"):
        runner.apply(loaded, sessions(dsn))
    assert rows(dsn, case.query) == case.half
    project(tmp_path, case)
    runner.apply(load_plan(tmp_path / "plan"), sessions(dsn))
    assert rows(dsn, case.query) == case.held


@tools
@pytest.mark.one_server
def test_a_table_with_further_columns_is_taken_and_one_that_lacks_some_is_refused(
    dsn: str, tmp_path: Path, case: Case
) -> None:
    loaded = project(tmp_path, case)
    runner.apply(loaded, sessions(dsn))
    with psycopg.connect(dsn) as conn:
        conn.execute(f"ALTER TABLE {case.table} ADD COLUMN newer text".encode())
    assert states(dsn, tmp_path, case) == [State.APPLIED] * 3
    column = {"goose": "version_id"}.get(case.tool, "version")
    with psycopg.connect(dsn) as conn:
        conn.execute(f"ALTER TABLE {case.table} RENAME COLUMN {column} TO version_no".encode())
    with pytest.raises(HistoryError) as raised:
        states(dsn, tmp_path, case)
    assert f"It has no column {column}; it has" in (raised.value.why or "")
    assert raised.value.where == case.table


def test_statements_that_the_tool_commits_one_by_one_see_each_other(dsn: str, tmp_path: Path) -> None:
    loose = "-- +goose NO TRANSACTION\n-- +goose Up\nALTER TYPE mood ADD VALUE 'ok';\nINSERT INTO m VALUES ('ok');\n"
    files = {
        "1_a.sql": "-- +goose Up\nCREATE TYPE mood AS ENUM ('sad');\nCREATE TABLE m (how mood);\n",
        "2_b.sql": loose,
    }
    loaded = project(tmp_path, Case("goose", files, "", [], []))
    runner.apply(loaded, sessions(dsn))
    assert rows(dsn, "SELECT * FROM m") == [("ok",)]


def test_a_flyway_baseline_stands_for_what_is_before_it(dsn: str, tmp_path: Path) -> None:
    case = CASES[3]
    project(tmp_path, case)
    tool = detect.opened(tmp_path / "migrations", "flyway")
    with psycopg.connect(dsn) as conn:
        tool.create(conn, tool.home(conn))
        conn.execute(
            "INSERT INTO flyway_schema_history VALUES "
            "(1, '2', '<< Flyway Baseline >>', 'BASELINE', '<< Flyway Baseline >>', NULL, 'me', now(), 0, true)"
        )
    assert states(dsn, tmp_path, case) == [State.APPLIED, State.APPLIED, State.PENDING]
    with psycopg.connect(dsn) as conn:
        conn.execute("INSERT INTO flyway_schema_history VALUES (2, '3', 'x', 'JDBC', 'X', 1, 'me', now(), 0, true)")
    with pytest.raises(HistoryError, match="of type JDBC, which is no SQL file"):
        states(dsn, tmp_path, case)


def test_a_flyway_baseline_script_is_left_to_flyway_in_a_new_database(dsn: str, tmp_path: Path) -> None:
    (tmp_path / "B2__base.sql").write_text("SELECT 1;")
    (tmp_path / "V3__c.sql").write_text("SELECT 3;")
    with psycopg.connect(dsn) as conn, pytest.raises(HistoryError, match="B2__base"):
        standing.look(conn, detect.opened(tmp_path))


def test_a_repeatable_that_changed_is_run_again(dsn: str, tmp_path: Path) -> None:
    case = Case("flyway", {"V1__a.sql": UP[1], "R__view.sql": "CREATE OR REPLACE VIEW v AS SELECT 1 AS a;"}, "", [], [])
    loaded = project(tmp_path, case)
    runner.apply(loaded, sessions(dsn))
    (tmp_path / "migrations/R__view.sql").write_text("CREATE OR REPLACE VIEW v AS SELECT 2 AS a;")
    assert states(dsn, tmp_path, case) == [State.APPLIED, State.AGAIN]
