"""Each tool and Lockgate on one database: what one wrote, the other reads, continues and takes back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from lockgate.engine.session import Sessions
from lockgate.errors import DatabaseError
from lockgate.history import detect, standing
from lockgate.history.base import Tool
from lockgate.history.files import HistoryError
from lockgate.history.standing import State
from lockgate.ledger.migrations import By
from lockgate.migrating import moving
from lockgate.migrating.desk import at_work
from tests.conformance.real import DOWN, REAL, UP, GolangMigrate, Real
from tests.integration.engine.plans import Told, one, rows

tools = pytest.mark.parametrize("real", REAL, ids=lambda real: real.name)
BROKEN = "CREATE TABLE other (id int);\nSELECT 1 / 0;"
IN_PARTS = "CREATE INDEX CONCURRENTLY things_name ON things (name);\n"
SEEN = """CREATE TABLE seen AS SELECT (classid::bigint << 32) | objid::bigint AS key
FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database());"""
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 ORDER BY a.attnum"""
CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype <> 'n'
UNION ALL SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = %(table)s::regclass ORDER BY 1, 2"""


def lay(folder: Path, real: Real, *numbers: int) -> Tool:
    """Write these migrations, and open the folder."""
    for number in numbers:
        write(folder, real, number, UP[number], DOWN[number])
    return detect.opened(folder, real.name)


def write(folder: Path, real: Real, number: int, up: str, down: str, *, alone: bool = False) -> None:
    for name, text in real.files(number, up, down, alone=alone).items():
        (folder / name).write_text(text)


def bring(dsn: str, tool: Tool) -> list[str]:
    """Apply with Lockgate what is pending."""
    work = at_work(Sessions(dsn), "conformance", Told(), threading.Event())
    with work as desk, moving.opened(desk, tool, By("history:conformance"), None) as files:
        return [each.version for each in moving.bring(files, None)]


def take_back(dsn: str, tool: Tool) -> None:
    """Take the folder's last migration back with Lockgate."""
    work = at_work(Sessions(dsn), "conformance", Told(), threading.Event())
    with work as desk, moving.opened(desk, tool, By("history:conformance"), None) as files:
        moving.take_back(files, [tool.migrations()[-1]], by_hand=False)


def states(dsn: str, tool: Tool) -> list[State]:
    with psycopg.connect(dsn) as conn:
        return [entry.state for entry in standing.look(conn, tool).entries]


def history(dsn: str, real: Real) -> Any:
    """The table with all that is in it and all that it is made of, but for the times."""
    table = sql.SQL(".").join(map(sql.Identifier, real.table.split(".")))
    query = sql.SQL("SELECT (to_jsonb(h) - %(times)s::text[])::text FROM {} h ORDER BY 1").format(table)
    with psycopg.connect(dsn) as conn:
        held = conn.execute(query, {"times": list(real.times)}).fetchall()
        made = conn.execute(COLUMNS, {"table": real.table}).fetchall()
        return held, made, conn.execute(CONSTRAINTS, {"table": real.table}).fetchall()


def emptied(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("DROP SCHEMA IF EXISTS lockgate CASCADE")
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")


def shape(dsn: str) -> list[tuple[Any, ...]]:
    return rows(
        dsn,
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('things') AND attnum > 0 AND NOT attisdropped "
        "ORDER BY attnum",
    )


def done(real: Real, dsn: str, folder: Path) -> None:
    ended = real.up(dsn, folder)
    assert ended.code == 0, ended.said


@tools
def test_both_write_the_same_and_read_what_the_other_wrote(dsn: str, tmp_path: Path, real: Real) -> None:
    tool = lay(tmp_path, real, 1, 2, 3)
    done(real, dsn, tmp_path)
    assert states(dsn, tool) == [State.APPLIED] * 3
    assert bring(dsn, tool) == []
    theirs = history(dsn, real)
    emptied(dsn)
    assert len(bring(dsn, tool)) == 3
    assert history(dsn, real) == theirs
    assert real.pending(dsn, tmp_path) == 0
    done(real, dsn, tmp_path)
    assert history(dsn, real) == theirs
    assert rows(dsn, "SELECT * FROM things") == [(1, "ä;b", None)]


@tools
@pytest.mark.parametrize("first", ["the tool", "lockgate"])
def test_one_goes_on_behind_the_other_and_takes_back_what_it_did(
    dsn: str, tmp_path: Path, real: Real, first: str
) -> None:
    tool = lay(tmp_path, real, 1, 2)
    done(real, dsn, tmp_path) if first == "the tool" else bring(dsn, tool)
    lay(tmp_path, real, 3)
    if first == "the tool":
        assert len(bring(dsn, tool)) == 1
    else:
        assert real.pending(dsn, tmp_path) == 1
        done(real, dsn, tmp_path)
    assert shape(dsn) == [("id",), ("name",), ("size",)]
    if first == "the tool" and real.has_down:
        ended = real.down(dsn, tmp_path)
        assert ended.code == 0, ended.said
    else:
        take_back(dsn, tool)
    assert shape(dsn) == [("id",), ("name",)]
    assert states(dsn, tool) == [State.APPLIED, State.APPLIED, State.PENDING]
    assert real.pending(dsn, tmp_path) == 1
    done(real, dsn, tmp_path)
    assert states(dsn, tool) == [State.APPLIED] * 3


@tools
def test_what_the_tool_did_not_finish_is_finished_by_lockgate(dsn: str, tmp_path: Path, real: Real) -> None:
    tool = lay(tmp_path, real, 1, 2)
    write(tmp_path, real, 3, BROKEN, DOWN[3])
    ended = real.up(dsn, tmp_path)
    assert ended.code != 0, ended.said
    lay(tmp_path, real, 3)
    if isinstance(real, GolangMigrate):
        assert states(dsn, tool) == [State.APPLIED, State.APPLIED, State.HALF]
        with pytest.raises(HistoryError, match="do not fit"):
            bring(dsn, tool)
        ended = real.force(dsn, tmp_path, 2)
        assert ended.code == 0, ended.said
    assert states(dsn, tool) == [State.APPLIED, State.APPLIED, State.PENDING]
    assert len(bring(dsn, tool)) == 1
    assert real.pending(dsn, tmp_path) == 0


@tools
def test_what_lockgate_did_not_finish_leaves_the_tool_nothing_or_a_mark(dsn: str, tmp_path: Path, real: Real) -> None:
    tool = lay(tmp_path, real, 1, 2)
    write(tmp_path, real, 3, BROKEN, DOWN[3])
    with pytest.raises(DatabaseError, match="division by zero"):
        bring(dsn, tool)
    assert one(dsn, "SELECT to_regclass('other')") is None
    write(tmp_path, real, 3, IN_PARTS + "SELECT 1 / 0;", "DROP INDEX CONCURRENTLY things_name;", alone=True)
    with pytest.raises(DatabaseError, match="division by zero"):
        bring(dsn, tool)
    ended = real.up(dsn, tmp_path)
    assert ended.code != 0, ended.said
    assert real.half in ended.said
    write(tmp_path, real, 3, IN_PARTS + "SELECT 1;", "DROP INDEX CONCURRENTLY things_name;", alone=True)
    assert len(bring(dsn, tool)) == 1
    assert states(dsn, tool) == [State.APPLIED] * 3
    assert real.pending(dsn, tmp_path) == 0


@tools
def test_the_lock_is_the_tools_own(dsn: str, tmp_path: Path, real: Real) -> None:
    write(tmp_path, real, 1, SEEN, "DROP TABLE seen;")
    done(real, dsn, tmp_path)
    seen = {row[0] for row in rows(dsn, "SELECT key FROM seen")}
    tool = detect.opened(tmp_path, real.name)
    with psycopg.connect(dsn) as conn:
        ours = set(tool.locks(conn, tool.home(conn)))
    assert seen <= ours
    assert bool(seen) == real.locked
